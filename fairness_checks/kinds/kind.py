"""What a kind of metric can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import ConfigurationError
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.kinds.plan import Plan
from fairness_checks.kinds.power_analysis import PowerAnalysis
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.measure.rows import Rows
from fairness_checks.measure.sources.engine_rows import EngineRows
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.metrics import Metric
from fairness_checks.records.parts import GroupRecord
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.influence import Influence
from fairness_checks.stats.joint_estimates import PairedSums
from fairness_checks.stats.moments import MeanStatistics

if TYPE_CHECKING:
    from fairness_checks.measure.sources.pairs import PairedRows

__all__ = ["Arrays", "Blocks", "Clusters", "Kind"]

Arrays: TypeAlias = "tuple[npt.NDArray[Any], ...]"
Blocks = npt.NDArray[np.int64]
Clusters: TypeAlias = "npt.NDArray[np.int64] | None"


class Kind(ABC):
    """Inference for one kind of metric."""

    adds_up: bool = True
    """Whether statistics of parts of the rows add up to those of the whole."""
    of_counts: bool = False
    """Whether the confusion counts of independent samples say all of it, so that `measure` returns None."""
    of_pairs: bool = False
    """Whether two groups have a value, and one group none."""
    plan: Plan | str = "no formula says how many samples its inference needs"
    """How samples are planned, or why they cannot be."""

    parts: tuple[type, ...] = ()
    """Dataclasses that `part` returns, and those in them, where `statistics` does not name them."""

    @property
    @abstractmethod
    def statistics(self) -> tuple[type, ...]:
        """Dataclasses that `measure` returns, and those in them: by their names evidence writes them."""

    @abstractmethod
    def arrays(self, predictions: Predictions, metric: Metric) -> Arrays:
        """Return what the metric reads of each sample, shapes (n,); InvalidPredictions says what is missing."""

    @abstractmethod
    def influence(self, arrays: Arrays, clusters: Clusters, *, pseudo: bool) -> Influence:
        """Return what each of a group's samples contributes to its value, from the group's part of `arrays`."""
        # `pseudo` adds samples in which two models disagree. ConfigurationError where two models cannot be compared.

    def influence_of_counts(self, arrays: Arrays, times: Blocks) -> Influence:
        """Return the same, with pseudo-samples, of independent samples each of which stands for `times`."""
        # Where `of_counts`: many samples are alike.
        raise NotImplementedError

    @abstractmethod
    def measure(self, rows: Rows, metric: Metric) -> Any:
        """Return what inference needs beyond the confusion counts, small whatever the number of rows, or None."""
        # The answer has `take(order)`, where -1 is an empty group, and `+` for the same groups over other rows (or an
        # error that says why not).

    def measure_in_engine(self, rows: EngineRows, metric: Metric) -> Any:
        """Return the same of rows that stay in their engine; InvalidPredictions where it does not compute it."""
        rows.refuse(metric.name)

    def influence_in_engine(self, rows: EngineRows, metric: Metric) -> list[Influence]:
        """Return as much of each group's influence as a comparison of other samples reads."""
        # Of independent samples; InvalidPredictions where it is not known.
        if not self.of_counts:
            rows.refuse(f"{metric.name} beside a baseline")
        arrays, times = self.arrays(rows.predictions.cells, metric), rows.times
        return [self.influence_of_counts(tuple(each[at] for each in arrays), times[at]) for at in rows.members]

    def paired_in_engine(self, rows: PairedRows, metric: Metric) -> list[PairedSums]:
        """Return what of each group a comparison of the same samples reads."""
        cells = rows.paired
        models, found = [self.arrays(model, metric) for model in (cells.now, cells.before)], []
        for g in range(len(rows.groups)):
            at = cells.group == g
            now, before = (
                self.influence_of_counts(tuple(each[at] for each in arrays), cells.times[at]) for arrays in models
            )
            found.append(PairedSums.of(now, before, paired=True))
        return found

    def part(self, rows: Rows, metric: Metric) -> Any:
        """Return what `measure` needs of some of the rows: it has `take(order)`, and `+` for other rows."""
        # Of rows in clusters those of one cluster are all here. ConfigurationError where nothing small adds up.
        if rows.clusters is not None or not self.adds_up:
            raise ConfigurationError(_no_sum(metric, clustered=rows.clusters is not None))
        return self.measure(rows, metric)

    def part_in_engine(self, rows: EngineRows, metric: Metric) -> Any:
        """Return the same of rows that stay in their engine."""
        if not self.adds_up:
            raise ConfigurationError(_no_sum(metric, clustered=False))
        return self.measure_in_engine(rows, metric)

    def whole(self, part: Any, statistics: MeasuredGroups, metric: Metric) -> Any:
        """Return what `measure` would of all rows, of the sum of their parts; `statistics` are those of all rows."""
        return part

    @abstractmethod
    def groups(self, statistics: MeasuredGroups, metric: Metric, settings: Settings) -> tuple[GroupRecord, ...]:
        """Return every group with its value, and with the problem of those that cannot be judged."""

    def values(self, statistics: MeasuredGroups, metric: Metric) -> list[float | None]:
        """Return every group's value alone, as `groups` has it: a sweep asks thousands of times, for nothing else."""
        return [record.rate for record in self.groups(statistics, metric, Settings())]

    def components(self, counts: Blocks, metric: Metric) -> npt.NDArray[np.float64] | None:
        """Return `influence` of a sample of each cell of the confusion table; None where the cell does not say it."""
        # counts and answer: (G, 4); without pseudo-samples, of independent samples. nan where a group has no influence.
        return None

    @abstractmethod
    def judge(
        self,
        statistics: MeasuredGroups,
        judged: Sequence[int],
        check: Check,
        alpha: float,
        blocks: Blocks | None,
        level: float | None = None,
    ) -> Inference:
        """Judge the groups at the positions `judged`; positions in the answer count among these."""
        # blocks: (judged groups,), strata: pairs are compared within them only. `level` is that of the test of pairs
        # for a violation, where several metrics share `alpha`.

    @abstractmethod
    def power_analysis(
        self,
        first: GroupRecord,
        second: GroupRecord | None,
        check: Check,
        found: Inference,
        level: float,
        alpha: float,
    ) -> PowerAnalysis:
        """Say what would settle the finding: a violation is tested at `level`, compliance at `alpha`."""

    @abstractmethod
    def estimates(self, statistics: MeasuredGroups, metric: Metric) -> Estimates:
        """Return every group's value with its variance, for standardisation over strata; nan where undefined."""

    def moments(self, statistics: MeasuredGroups, metric: Metric) -> MeanStatistics | None:
        """Return the moments of the groups' samples, by which tests are widened; None where values are no means."""
        return None


def _no_sum(metric: Metric, *, clustered: bool) -> str:
    of = " of samples in clusters" if clustered else ""
    return f"{metric.name}{of}: nothing that is small adds up to it over parts of the rows; judge all rows together"
