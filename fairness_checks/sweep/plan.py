"""What a sweep does: mixes, feature sets and repeats. Nothing here loads NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from fairness_checks.errors import ConfigurationError, did_you_mean
from fairness_checks.plain import JSON
from fairness_checks.sweep.mixes import Mix, Shares, mix_key, parse_mix, require_groups

if TYPE_CHECKING:
    from fairness_checks.sweep.dataset import DataSet

__all__ = ["SweepPlan", "Task", "require_test"]


class Task(NamedTuple):
    """One training of a sweep; tasks sort by mix, feature set and repeat."""

    mix: str
    feature_set: str
    repeat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPlan:
    """Every mix with every feature set, `repeats` times.

    Parameters
    ----------
    by : str
        Sensitive feature whose groups are mixed and compared.
    mixes : mapping of str to Mix
        At least one, by name; `parse_mix` reads them.
    feature_sets : tuple of str
        Names of the model's feature sets; empty: all that it has.
    repeats : int
        Number of splits, 1 or more. The split of a repeat is the same for every mix and feature set.
    test : float or int
        What is kept for testing: a fraction of each group, or a number of rows of each group.
    size : int, optional
        Training size of every mix. Default: "as_is" has all rows, "oversample" and "undersample" as many as they
        come to, and mixes of shares, in each repeat, the largest that all of them can have without drawing a row twice.
    seed : int
        0 or more. The numbers of a task depend on it, the repeat and the names of its mix and feature set only, so
        that more mixes or repeats change nothing of those that are there (but a mix of shares may change `size`).

    Raises
    ------
    ConfigurationError
        If a value is impossible.

    Examples
    --------
    >>> plan = SweepPlan(by="sex", mixes={"as_is": "as_is", "balanced": "oversample"}, repeats=2)
    >>> len(list(plan.tasks(["all"])))
    4
    """

    by: str
    mixes: Mapping[str, Mix]
    feature_sets: tuple[str, ...] = ()
    repeats: int = 20
    test: float = 0.3
    size: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.mixes:
            raise ConfigurationError("mixes: none given; name at least one, such as {as_is: as_is}")
        for name, least in (("repeats", 1), ("size", 2), ("seed", 0)):
            value = getattr(self, name)
            if not (value is None and name == "size") and (type(value) is not int or value < least):
                raise ConfigurationError(f"{name}: {value!r} must be a whole number, {least} or more")
        require_test(self.test)
        object.__setattr__(self, "mixes", {str(name): parse_mix(name, mix) for name, mix in self.mixes.items()})
        object.__setattr__(self, "feature_sets", tuple(self.feature_sets))

    def chosen(self, feature_sets: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
        """Return the columns of each feature set of the sweep; raise ConfigurationError for one that is unknown."""
        for name in self.feature_sets:
            if name not in feature_sets:
                raise ConfigurationError(
                    f"feature_sets: {name!r} is no feature set of the model; {did_you_mean(name, feature_sets)}"
                )
        return {name: feature_sets[name] for name in self.feature_sets or feature_sets}

    def require_data(self, data: DataSet, columns: Iterable[str]) -> None:
        """Raise ConfigurationError where the data do not suit the plan."""
        groups = data.groups(self.by).names
        if len(groups) == 1:
            raise ConfigurationError(
                f"sweep: {self.by!r} has one group only, {groups[0]!r}, which all {len(data):,} rows belong to; there "
                "is nobody to mix it or compare it with. Were the others lost in a join or a filter?"
            )
        names = {mix: name for name, mix in self.mixes.items() if isinstance(mix, str)}
        for name, mix in self.mixes.items():
            require_groups(name, mix, self.by, groups)
        locating = [name for name in data.locating() if name in set(columns)] if "oversample" in names else []
        if locating:
            raise ConfigurationError(
                f"mixes.{names['oversample']}: oversample: feature {locating[0]!r} has another whole number in each of "
                f"its {len(data):,} rows, as row numbers and ids have; nothing lies between two of them, so that a "
                f"synthetic row would point to the data of another; write DataSet(..., categorical=[{locating[0]!r}]), "
                "give it as float where it is measured, or leave this mix out"
            )

    def tasks(self, feature_sets: Sequence[str]) -> Iterator[Task]:
        """Yield all tasks, repeat by repeat."""
        for repeat in range(self.repeats):
            for mix in self.mixes:
                for feature_set in feature_sets:
                    yield Task(mix, feature_set, repeat)

    def task_key(self, mix: str) -> dict[str, JSON]:
        """Return what a repeat of a mix depends on, the repeat itself and the model aside; plain builtins."""
        own = self.mixes[mix]
        key: dict[str, JSON] = {"by": self.by, "mix": [mix, mix_key(own)], "test": self.test, "seed": self.seed}
        if self.size is not None:
            key["size"] = self.size
        elif isinstance(own, Shares):  # the others determine its size
            shares = (m for m in self.mixes.values() if isinstance(m, Shares) and not m.replace)
            key["size"] = sorted(str(sorted(m.shares.items())) for m in shares)
        return key


def require_test(test: float) -> None:
    """Raise ConfigurationError for a test size that is neither a fraction in (0, 1) nor a whole number from 1 on."""
    whole = type(test) is int and test >= 1
    if not whole and not (type(test) is float and 0.0 < test < 1.0):
        raise ConfigurationError(
            f"test: {test!r} must be a fraction between 0 and 1 (0.3), or a whole number of rows of each group (50)"
        )
