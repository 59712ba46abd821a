"""Evaluations to verdicts: one function decides."""
