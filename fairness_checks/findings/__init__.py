"""A check's groups and inference, before the adjustment over the model's checks."""
