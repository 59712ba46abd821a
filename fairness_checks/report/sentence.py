"""The first sentence of a record: what the model does, to how many of whom, what is allowed, and how sure that is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from fairness_checks.question.limits import LIMITS, OF_ONE_GROUP
from fairness_checks.question.metrics import METRICS, WHOSE
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.parts import GroupRecord, RegressionRecord
from fairness_checks.records.sweep_record import SweepRecord
from fairness_checks.report.numbers import HIDDEN, limit_text, p_text, value_text
from fairness_checks.report.sweep_text import setting_words

__all__ = ["breaking", "deciding", "features_of", "model_name", "named", "samples_of", "sentence", "who"]

_BASES = (100, 1_000, 10_000)  # of so many a count is told: of the fewest that tell it from the limit
_UNNAMED = "predictions"  # what `audit` calls a model of which nothing is said
_MOST_NAMED = 5  # groups that a sentence names beside those that decide; the lines below it name all


class _Amounts(NamedTuple):
    """How values are written: as so many of `base`, or as they are where it is 0."""

    base: int = 0

    def of(self, value: float | None) -> str:
        """``42 of 100``, or ``0.420``."""
        if value is None:
            return f"{HIDDEN} of {self.base:,}" if self.base else HIDDEN
        return f"{self.bare(value)} of {self.base:,}" if self.base else value_text(value)

    def bare(self, value: float | None) -> str:
        """``42``, or ``0.420``."""
        if value is None:
            return HIDDEN
        return f"{round(value * self.base):,}" if self.base else value_text(value)

    def limit(self, limit: float) -> str:
        """``5``, or ``0.05``."""
        return f"{limit * self.base:,.6g}" if self.base else limit_text(limit)

    def verb(self, limit: float) -> str:
        """``are``, but of one and of a number ``is``."""
        return "are" if self.base and limit * self.base != 1.0 else "is"


def sentence(record: CheckRecord) -> str:
    """Return the sentence of a record that was judged."""
    found, allowed = _found(record)
    return f"{model_name(record)} {found}; {allowed}; {_certainty(record)}{_others(record)}"


def model_name(record: CheckRecord) -> str:
    """Return what a model is called in a sentence."""
    return "the model" if record.model == _UNNAMED else record.model


def deciding(record: CheckRecord) -> list[GroupRecord]:
    """Return the groups that decide, the one that does worse first, where one direction of the metric is the worse."""
    groups = [record.group(name) for name in (record.first, record.second) if name is not None]
    if len(groups) < 2 or record.limit_kind == "max_mismatch":
        return groups
    lower_is_better = _lower_is_better(record)
    if lower_is_better is None:
        return groups
    one, other = (group.rate for group in groups)
    first_is_higher = record.limit_kind != "min_ratio"
    if one is not None and other is not None and one != other and not record.gap:
        first_is_higher = one > other
    return groups if first_is_higher is lower_is_better else groups[::-1]


def _lower_is_better(record: CheckRecord) -> bool | None:
    """Say which direction of the metric is the better one; None where neither is."""
    metric = METRICS.get(record.component or record.metric)
    return record.lower_is_better if metric is None else metric.lower_is_better


def breaking(record: CheckRecord) -> list[GroupRecord]:
    """Return the groups whose own values are past the limit, the worst first; of a limit on two groups none."""
    ceiling = LIMITS[record.limit_kind].ceiling
    past: list[tuple[float, GroupRecord]] = []
    for group in record.groups:
        value = _limited(record, group)
        if value is not None and group.problem is None and (value > record.limit) is ceiling and value != record.limit:
            past.append((-value if ceiling else value, group))
    return [group for _, group in sorted(past, key=lambda pair: (pair[0], pair[1].name))]


def _limited(record: CheckRecord, group: GroupRecord) -> float | None:
    """Return what of one group is limited; None where that is not of one group."""
    if record.limit_kind in OF_ONE_GROUP:
        return group.rate
    before = group.also.get("baseline")
    if record.of != "each_group" or before is None or group.rate is None:
        return None
    return before - group.rate if _lower_is_better(record) is False else group.rate - before


def who(record: CheckRecord, name: Sequence[str]) -> str:
    """Return a group as a sentence names it: ``sex=female and age_band=60+``."""
    features = features_of(record, name)
    if len(features) != len(name):
        return named(", ".join(name))
    return " and ".join(f"{named(feature)}={named(value)}" for feature, value in zip(features, name, strict=True))


def features_of(record: CheckRecord, name: Sequence[str]) -> tuple[str, ...]:
    """Return the features that a group's name has the values of: those of its stratum first, where it is in one."""
    return record.by if len(record.by) == len(name) else (*record.control_features, *record.by)


def named(name: str) -> str:
    """Return a name as it is, in quotes where its end could be taken for the sentence's."""
    plain = name.strip() == name and name and not any(sign in name for sign in ',;:="') and " and " not in name
    return name if plain else '"' + name.replace('"', '\\"') + '"'


def _found(record: CheckRecord) -> tuple[str, str]:
    """Return what was found, and what is allowed."""
    sweep, regression, limit = record.sweep, record.regression, record.limit
    if record.limit_kind == "max_mismatch":
        return _mismatch(record)
    if sweep is not None and sweep.gap == "dependence":
        return _slope(record, sweep)
    if sweep is not None and sweep.gap == "change":
        return _reduction(record, sweep)
    if regression is not None:
        return _worsening(record, regression)
    groups = deciding(record)
    amounts = _amounts(record, groups, [])
    where = "" if sweep is None else f" ({_setting(record, sweep)})"
    if record.strata == "combined":  # no counts of anybody
        where = f" ({record.question.within} {', '.join(record.control_features)})"
    found = f"{_does(record, groups, amounts)}{where}"
    if record.limit_kind == "min_ratio":
        seen = "" if record.estimate is None else f", and is {value_text(record.estimate)} times it"
        return found, f"the lower must be at least {limit_text(limit)} times the higher{seen}"
    number, verb = amounts.limit(limit), amounts.verb(limit)
    if record.limit_kind == "max_difference":
        return found, f"at most {number} apart {verb} allowed" if limit else "no difference is allowed"
    ceiling = LIMITS[record.limit_kind].ceiling
    return found, f"at most {number} {verb} allowed" if ceiling else f"at least {number} {verb} required"


def _does(record: CheckRecord, groups: Sequence[GroupRecord], amounts: _Amounts) -> str:
    """``misses 42 of 100 with sex=female whose label is 1, and 18 of 100 with sex=male``."""
    before, each, after = _words(record, groups)
    positive = _positive(record)

    def said(group: GroupRecord) -> str:
        amount = amounts.of(group.rate)
        return each.format(count=amount, value=amount, group=f"with {who(record, group.name)}")

    first, *rest = (said(group) for group in groups)
    label = before.format(positive=positive), after.format(positive=positive)
    return f"{label[0]}{first}{label[1]}{''.join(f', and {text}' for text in rest)}"


def _positive(record: CheckRecord) -> str:
    """Return the positive class as a sentence names it."""
    inputs = record.inputs
    return named(inputs.positive) if inputs is not None and inputs.positive is not None else "positive"


def _words(record: CheckRecord, groups: Sequence[GroupRecord]) -> tuple[str, str, str]:
    """Return the metric's words before, for and behind each group."""
    metric = METRICS.get(record.component or record.metric)
    if metric is not None and metric.words:
        before, _, rest = metric.words.partition("[")
        each, _, after = rest.partition("]")
        return before, each, after
    name = _escaped(record.metric)
    if _is_counted(record, groups):
        return f"counts as {name} ", f"{{count}} {_escaped(record.unit)} {{group}}", ""
    return f"has {name} ", "of {value} {group}", ""


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _is_counted(record: CheckRecord, groups: Sequence[GroupRecord]) -> bool:
    metric = METRICS.get(record.component or record.metric)
    if metric is not None:
        return "{count}" in metric.words
    return all(group.events is not None for group in groups)


def _amounts(record: CheckRecord, groups: Sequence[GroupRecord], compared: Sequence[float | None]) -> _Amounts:
    """Return how values are written: of the smallest number of samples that tells them from the limit and from 0."""
    if not _is_counted(record, groups):
        return _Amounts()
    values = [value for value in (*(group.rate for group in groups), *compared) if value is not None]
    for base in _BASES:
        shown = [round(value * base) for value in values]
        limit = record.limit * base
        if any((s in (0, base)) is not (v in (0.0, 1.0)) for s, v in zip(shown, values, strict=True)):
            continue
        if record.limit_kind == "min_ratio" or (
            abs(limit - round(limit)) <= 1e-9 * base and _side(values, record.limit) == _side(shown, round(limit))
        ):
            return _Amounts(base)
    return _Amounts()


def _side(values: Sequence[float], limit: float) -> int:
    """Say on which side of the limit values lie: -1, 0 or 1."""
    value = values[0] if values else limit
    if len(values) > 1:
        value = abs(values[-2] - values[-1])
    return 0 if abs(value - limit) <= 1e-12 else 1 if value > limit else -1


def _mismatch(record: CheckRecord) -> tuple[str, str]:
    amounts, also = _Amounts(100), record.also
    first, *rest = (f"with {who(record, name)}" for name in (record.first, record.second) if name is not None)
    than = f" than {rest[0]}" if rest else ""
    warns = ": its uncertainty does not warn" if record.verdict in ("fail", "waived") else ""
    where = f" ({setting_words(record.sweep)})" if record.sweep else ""
    found = (
        f"errs more {first}{than} in {amounts.of(also.get('error_auc'))} pairs, and is more uncertain in "
        f"{amounts.of(also.get('uncertainty_auc'))}{warns}{where}"
    )
    return found, f"at most {amounts.limit(record.limit)} fewer {amounts.verb(record.limit)} allowed"


def _slope(record: CheckRecord, sweep: SweepRecord) -> tuple[str, str]:
    groups = deciding(record)
    moves = "falls" if record.also.get("slope", 0.0) < 0.0 else "rises"
    of = f" with {who(record, groups[0].name)}" if groups else ""
    found = (
        f"has {record.metric} that {moves} by {_value(record.estimate)}{of} as its share of the training rows grows "
        f"from none to all ({setting_words(sweep)})"
    )
    return found, f"at most {limit_text(record.limit)} is allowed"


def _reduction(record: CheckRecord, sweep: SweepRecord) -> tuple[str, str]:
    between = " and ".join(f"with {who(record, group.name)}" for group in deciding(record))
    before, after = (_value(record.also.get(name)) for name in ("gap_as_is", "gap_under_mix"))
    setting = setting_words(dataclasses.replace(sweep, first_mix=None))
    found = (
        f"has a gap in {record.metric} of {before} between groups {between} as is, and of {after} under the mix "
        f"{named(sweep.second_mix or '')} ({setting}): {_moved(record.estimate)}"
    )
    if record.limit < 0.0:
        return found, f"a growth of at most {limit_text(-record.limit)} is allowed"
    return found, f"at least {limit_text(record.limit)} is required"


def _moved(reduction: float | None) -> str:
    """Name the change of a gap: what is reduced by less than nothing grows."""
    if reduction is not None and reduction < 0.0:
        return f"a growth of {value_text(-reduction)}"
    return f"a reduction of {_value(reduction)}"


def _worsening(record: CheckRecord, regression: RegressionRecord) -> tuple[str, str]:
    """Return what is now, and what was in the baseline."""
    groups, (before, after) = deciding(record), (regression.before, regression.after)
    if len(groups) == 2:
        amounts = _amounts(record, groups, [after, before])
        then = _then(record, (regression.old_first, regression.old_second))
        found = (
            f"{_does(record, groups, amounts)}: {amounts.bare(after)} apart, and {amounts.bare(before)} apart in the "
            f"baseline{then}"
        )
        return found, f"at most {amounts.limit(record.limit)} more {amounts.verb(record.limit)} allowed"
    amounts = _amounts(record, groups, [after, before])
    then = _then(record, (regression.old_first,))
    found = f"{_does(record, groups, amounts)}, and {amounts.bare(before)} in the baseline{then}"
    return found, f"at most {amounts.limit(record.limit)} worse {amounts.verb(record.limit)} allowed"


def _then(record: CheckRecord, names: Sequence[tuple[str, ...] | None]) -> str:
    """Name the groups that decided in the baseline, where they were others."""
    old = [name for name in names if name is not None]
    if not old or set(old) == {name for name in (record.first, record.second) if name is not None}:
        return ""
    return f" (there {' and '.join(f'with {who(record, name)}' for name in old)})"


def _setting(record: CheckRecord, sweep: SweepRecord) -> str:
    """Name the mixes in the order of the groups."""
    turned = [group.name for group in deciding(record)][:1] != [record.first]
    if turned:
        sweep = dataclasses.replace(sweep, first_mix=sweep.second_mix, second_mix=sweep.first_mix)
    return setting_words(sweep)


def _value(value: float | None) -> str:
    return HIDDEN if value is None else value_text(value)


def _others(record: CheckRecord) -> str:
    """Name the other groups that are past a limit on the value of each."""
    if record.verdict not in ("fail", "waived"):
        return ""
    rest = [group for group in breaking(record) if group.name != record.first]
    if not rest:
        return ""
    side = "above it" if LIMITS[record.limit_kind].ceiling else "below it"
    if len(rest) > _MOST_NAMED:
        return f"; {len(rest)} more groups were seen {side}, all named below"
    amounts = _amounts(record, [record.group(name) for name in (record.first,) if name is not None], [])
    names = [f"{who(record, group.name)} ({amounts.bare(_limited(record, group))})" for group in rest]
    return f"; also seen {side}: {', '.join(names)}"


def _certainty(record: CheckRecord) -> str:
    """Say how sure the verdict is: one number, and no claim beyond it."""
    adjusted, compliance = record.p_adjusted, record.p_compliance
    if record.verdict in ("fail", "waived"):
        return "the data show that this is not kept" + ("" if adjusted is None else f" ({p_text(adjusted)})")
    if record.verdict == "pass":
        return "the data show that this is kept" + ("" if compliance is None else f" ({p_text(compliance)})")
    return "the data do not settle whether this is kept"


def samples_of(record: CheckRecord, name: Sequence[str]) -> str:
    """Return which samples of a group are counted: ``with sex=female whose label is dead``."""
    if record.sweep is not None:
        return f"rows with {who(record, name)}"
    whose = WHOSE.get(record.unit)
    if whose is None:
        return f"{record.unit} with {who(record, name)}"
    return f"with {who(record, name)} {whose.format(positive=_positive(record))}".rstrip()
