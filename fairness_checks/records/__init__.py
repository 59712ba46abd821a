"""What was asked and found, as plain builtins: JSON in and out."""
