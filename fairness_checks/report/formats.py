"""What the folder of `--fairness-report` holds: one row a file, each written from the evidence of the run."""

# A format decides nothing, and says so where the evidence is incomplete: every file is there from the run's start.

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from fairness_checks.report.evidence import FILENAME, Evidence, write_evidence

__all__ = ["FORMATS"]

FORMATS: Mapping[str, Callable[[Evidence], str]] = MappingProxyType({FILENAME: write_evidence})
"""Name of the file -> evidence to text."""
