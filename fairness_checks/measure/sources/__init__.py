"""Samples that stay where they are: what an engine is asked for, in the place of a pass over the rows."""
