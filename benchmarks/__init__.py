"""Scripts that measure; each prints one table and asserts nothing."""
