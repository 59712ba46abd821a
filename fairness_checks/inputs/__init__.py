"""What is given: read, checked and coded once."""
