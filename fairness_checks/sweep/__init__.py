"""Training mixes: what a model's gaps become when it is trained again on other shares of the groups."""

# Names are imported when they are used: the configuration needs mixes and plans, and must not load pandas for them.

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fairness_checks.distribution import needing_extra

if TYPE_CHECKING:
    from fairness_checks.sweep.dataset import DataSet
    from fairness_checks.sweep.mixes import Shares, parse_mix
    from fairness_checks.sweep.plan import SweepPlan
    from fairness_checks.sweep.progress import ProgressLine, WaitingLine
    from fairness_checks.sweep.results import SweepResults
    from fairness_checks.sweep.runs import run_sweep
    from fairness_checks.sweep.trainable import TrainableModel

_HOMES = {
    "DataSet": "dataset",
    "ProgressLine": "progress",
    "Shares": "mixes",
    "SweepPlan": "plan",
    "SweepResults": "results",
    "TrainableModel": "trainable",
    "WaitingLine": "progress",
    "parse_mix": "mixes",
    "run_sweep": "runs",
}

__all__ = [
    "DataSet",
    "ProgressLine",
    "Shares",
    "SweepPlan",
    "SweepResults",
    "TrainableModel",
    "WaitingLine",
    "parse_mix",
    "run_sweep",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with needing_extra(f"{__name__}.{name}", "sweep"):
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
