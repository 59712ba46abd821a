"""What may be asked: metrics, limits, checks, waivers, and their names."""
