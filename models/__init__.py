"""What is under test in this repository: an example of a user's project."""
