"""Files: one way to read them, one to write them, one to keep results under keys; and what a key holds."""
