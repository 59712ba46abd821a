"""Published studies, done again with this repository's models and sweeps."""
