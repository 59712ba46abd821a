"""How each kind of metric is measured, inferred and planned: one module a kind, which holds it as `KIND`."""

# The kind that a row of METRICS names is the module's name; there is no other table of kinds. A metric of the kind
# "largest_of" has no module: `findings.finding` puts it together from its components.

from __future__ import annotations

import functools
import importlib
from typing import Protocol, cast

from fairness_checks.kinds.kind import Kind
from fairness_checks.question.metrics import Metric

__all__ = ["Kind", "kind_of"]


class _Module(Protocol):
    KIND: Kind


def kind_of(metric: Metric) -> Kind:
    """Return how a metric is inferred."""
    return _kind(metric.kind)


@functools.cache
def _kind(module: str) -> Kind:
    return cast(_Module, importlib.import_module(f"{__name__}.{module}")).KIND
