"""Statistics: pure NumPy and SciPy; nothing here knows of pytest, models or files."""
