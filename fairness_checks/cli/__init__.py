"""The command ``fairness-checks``: arguments in, exit code out."""
