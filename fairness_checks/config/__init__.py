"""thresholds.yaml: strict YAML, schema, messages."""
