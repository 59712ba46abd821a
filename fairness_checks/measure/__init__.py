"""The samples placed in their groups, in one pass."""
