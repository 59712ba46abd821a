"""How many samples, and what they will show."""
