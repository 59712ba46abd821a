"""The baseline: the last accepted state of the models, committed beside thresholds.yaml, and what changed since."""
