"""One training of a sweep: split, mix, fit, predict, measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairness_checks.errors import ConfigurationError
from fairness_checks.plain import JSON
from fairness_checks.question.metrics import Metric
from fairness_checks.sweep.dataset import DataSet, Groups
from fairness_checks.sweep.measuring import measure
from fairness_checks.sweep.mixes import Shares, common_size
from fairness_checks.sweep.mixing import TrainingPart, apply_mix
from fairness_checks.sweep.plan import SweepPlan, Task
from fairness_checks.sweep.randomness import FIT, MIX, SKETCH, SPLIT, generator
from fairness_checks.sweep.results import RepeatResult
from fairness_checks.sweep.sketches import root_exponents
from fairness_checks.sweep.splits import Splitter
from fairness_checks.sweep.trainable import TrainableModel
from fairness_checks.sweep.workers import one_thread

__all__ = ["Training", "training_key"]


def training_key(plan: SweepPlan, columns: Mapping[str, Sequence[str]], task: Task) -> dict[str, JSON]:
    """Return what a training depends on besides its model; `columns` are those of each feature set."""
    return {**plan.task_key(task.mix), "columns": list(columns[task.feature_set])}


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """Any training of a sweep, as a callable that workers can be sent."""

    name: str
    model: TrainableModel
    plan: SweepPlan
    columns: Mapping[str, Sequence[str]]  # of each feature set
    splitter: Splitter
    own: tuple[Metric, ...] = ()  # metrics of the user's own that are measured too

    def depends_on(self, task: Task) -> dict[str, JSON]:
        """Return what a training depends on besides its model."""
        return training_key(self.plan, self.columns, task)

    def named(self, task: Task) -> str:
        """Name a training for readers."""
        return f"sweep of {self.name}: mix {task.mix!r}, feature set {task.feature_set!r}, repeat {task.repeat}"

    def __call__(self, task: Task) -> RepeatResult:
        """Train and test."""
        try:
            with one_thread():
                return self._train(task)
        except Exception as error:
            error.add_note(self.named(task))
            raise

    def _train(self, task: Task) -> RepeatResult:
        plan, data, splitter = self.plan, self.model.data, self.splitter
        sides = splitter.draw(data, plan.test, generator(plan.seed, SPLIT, task.repeat))
        features = data.select(self.columns[task.feature_set])
        available = splitter.groups.take(sides.train)
        part = self._mixed(task, features.take(sides.train), available)
        fitted = self.model.fit(part.data, generator(plan.seed, FIT, task.repeat, task.mix, task.feature_set))
        known = {name: groups.take(sides.test) for name, groups in splitter.of_feature.items()}
        predictions = self.model.tested(fitted, features.take(sides.test), known)
        trained, real = part.sizes(plan.by, available)
        sizes = {name: (trained.get(name, 0), real[name]) for name in available.names}
        exponents = root_exponents(generator(plan.seed, SKETCH, task.repeat), splitter.block[sides.test])
        found, pairs = measure(predictions, plan.by, sizes, exponents, self.own)
        return RepeatResult(
            mix=task.mix,
            feature_set=task.feature_set,
            repeat=task.repeat,
            groups=found,
            pairs=pairs,
            positive=predictions.positive,
            decided_by=predictions.decided_by,
            threshold=predictions.threshold,
            scaling=predictions.scaling,
        )

    def _mixed(self, task: Task, train: DataSet, available: Groups) -> TrainingPart:
        """Return what is trained on; the same rows for every feature set, synthetic ones aside."""
        plan = self.plan
        mix, size = plan.mixes[task.mix], plan.size
        if size is None and isinstance(mix, Shares):
            size = common_size(plan.mixes.values(), available.sizes())
        rng = generator(plan.seed, MIX, task.repeat, task.mix)
        try:
            part = apply_mix(mix, train, plan.by, size, rng, available)
        except ConfigurationError as error:
            raise ConfigurationError(f"mixes.{task.mix}: {error}") from None
        if (lacking := part.data.lacks_outcome()) is not None:
            raise ConfigurationError(
                f"mixes.{task.mix}: repeat {task.repeat}: none of the {len(part.data)} training rows has outcome "
                f"{lacking}; give the groups that have it a share, use a larger `size`, or a smaller `test`"
            )
        return part
