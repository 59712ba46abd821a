"""How each kind of metric is inferred: one module a kind, one row in `KINDS`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import numpy as np

from fairness_checks.checks import Check, Settings
from fairness_checks.kinds.mean import Mean
from fairness_checks.kinds.proportion import Proportion
from fairness_checks.kinds.ranking import Ranking
from fairness_checks.kinds.settling import Settling
from fairness_checks.metrics import Metric
from fairness_checks.records import GroupRecord
from fairness_checks.statistics import GroupStatistics
from fairness_checks.stats.inference import Inference

__all__ = ["KINDS", "Kind"]


class Kind(Protocol):
    """Inference for one kind of metric."""

    def groups(self, statistics: GroupStatistics, metric: Metric, settings: Settings) -> tuple[GroupRecord, ...]:
        """Return every group with its value, and with the problem of those that cannot be judged."""
        ...

    def judge(
        self,
        statistics: GroupStatistics,
        judged: Sequence[int],
        check: Check,
        alpha: float,
        rng: np.random.Generator,
    ) -> Inference:
        """Judge the groups at the positions `judged`; positions in the answer count among these."""
        ...

    def settle(
        self, first: GroupRecord, second: GroupRecord | None, check: Check, level: float, alpha: float
    ) -> Settling:
        """Say what would settle the check: a violation is tested at `level`, compliance at `alpha`."""
        ...


KINDS: Mapping[str, Kind] = MappingProxyType({"proportion": Proportion(), "mean": Mean(), "ranking": Ranking()})
