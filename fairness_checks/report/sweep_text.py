"""What a check on a sweep says of its mixes and repeats."""

from __future__ import annotations

from collections.abc import Iterator

from fairness_checks.plain import printable
from fairness_checks.question.gaps import GAPS
from fairness_checks.records.sweep_record import MixRecord, SweepRecord
from fairness_checks.report.numbers import interval_text, value_text

__all__ = ["answer_words", "deciding_mixes", "gap_words", "setting_words", "sweep_lines", "table_lines"]

# What is shown, what is estimated to be left, and whether that is told from no gap: three things.
_ANSWERS = {
    "closes": "is shown to narrow the gap, to {}, which may be none",
    "narrows": "is shown to narrow the gap, to {}, which is not none",
    "reverses": "is shown to reverse the gap, to {}",
    "widens": "is shown to widen the gap, to {}",
}
_TABLE, _NAME, _GROUP = 97, 16, 12  # columns of the table, and to which names in it are cut
_MOST_COLUMNS = 3  # groups whose values stand beside each other


def gap_words(sweep: SweepRecord) -> str:
    """Say what is compared."""
    return GAPS[sweep.gap].words


def answer_words(sweep: SweepRecord) -> str:
    """Answer whether the gap would close with other training data, by the feature set that decides."""
    # Empty where no mix is the data as they are, or a group cannot be judged.
    rows = deciding_mixes(sweep)
    start = next((row for row in rows if row.gap is not None and row.mix == sweep.as_is), None)
    others = [row for row in rows if row.change is not None]
    if start is None or start.gap is None or not others:
        return ""
    shown = (start.gap_low or 0.0) > 0.0
    told = [f"mix {row.mix} {_answer(row)}" for row in others if row.change is not None and row.change.answer != "open"]
    closing = any(row.change is not None and row.change.answer in ("closes", "narrows", "reverses") for row in others)
    if not closing:
        chance = "" if shown else "that gap may be chance; "
        told.insert(0, f"{chance}no mix is shown to close {'the gap' if shown else 'it'}")
    named = f"{start.first} - {start.second} {value_text(start.gap)}"
    return printable(f"With other training data than as is ({named}): {'; '.join(told)}")


def deciding_mixes(sweep: SweepRecord) -> list[MixRecord]:
    """Return the rows of the feature set that decides, or of the first."""
    feature_set = sweep.feature_set or next((row.feature_set for row in sweep.table), None)
    return [row for row in sweep.table if row.feature_set == feature_set]


def _answer(row: MixRecord) -> str:
    """Return for instance ``is shown to narrow the gap, to 0.002 [-0.030, 0.034], which may be none``."""
    assert row.change is not None  # for the type checker: the caller has looked
    return _ANSWERS[row.change.answer].format(interval_text(row.gap, row.gap_low, row.gap_high, "-"))


def table_lines(sweep: SweepRecord, width: int = _TABLE) -> Iterator[str]:
    """Show the groups under each mix, the gap, and what the mix changes of it; in so many columns, where they do."""
    rows = deciding_mixes(sweep)
    if not rows:
        return
    names = [group.name for group in rows[0].groups]
    pairs = {(row.first, row.second) for row in rows if row.first is not None}
    between = "" if pairs else "gap"
    if len(pairs) == 1:
        between = " - ".join(_cut(name or "") for name in pairs.pop())
    columns = [("mix", [row.mix for row in rows]), ("trained on", [_sizes(row) for row in rows])]
    if len(names) <= _MOST_COLUMNS:
        columns += [(_cut(name, 10), [_value(row.groups[g].value) for row in rows]) for g, name in enumerate(names)]
    columns.append((between or "largest gap", [interval_text(row.gap, row.gap_low, row.gap_high, "-") for row in rows]))
    if not between:
        columns.append(("between", [f"{_cut(row.first or '')} - {_cut(row.second or '')}" for row in rows]))
    if any(row.change is not None for row in rows):
        columns.append(("change", [_changed(row) for row in rows]))
    yield from _lines([[printable(cell) for cell in (head, *cells)] for head, cells in columns], len(names), width)


def _lines(columns: list[list[str]], groups: int, width: int) -> Iterator[str]:
    """Put columns side by side; where they are too wide, those of the groups' values go, names are cut, then all."""
    columns[0] = [_cut(cell, _NAME) for cell in columns[0]]
    widths = [max(map(len, column)) for column in columns]
    if sum(widths) + 2 * len(widths) > width and groups <= _MOST_COLUMNS:
        columns = columns[:2] + columns[2 + groups :]
        widths = widths[:2] + widths[2 + groups :]
    excess = max(sum(widths) + 2 * len(widths) - width, 0)
    names = [place for place, column in enumerate(columns) if column[0] == "between"]
    for place in (*names, 0, *range(len(widths))):
        cut = min(excess, max(widths[place] - _GROUP, 0))
        widths[place] -= cut
        excess -= cut
    for line in zip(*columns, strict=True):
        cells = [_cut(cell, most).ljust(most) for cell, most in zip(line, widths, strict=True)]
        yield f"  {'  '.join(cells)}".rstrip()


def _sizes(row: MixRecord) -> str:
    """Return the rows of two groups that are trained on, or of all together."""
    trained = [group.training_rows for group in row.groups]
    each = " + ".join(f"{n:,.0f}" for n in trained)
    return each if len(trained) == 2 and len(each) <= 15 else f"{sum(trained):,.0f}"


def _value(value: float | None) -> str:
    return "-" if value is None else value_text(value)


def _changed(row: MixRecord) -> str:
    change = row.change
    if change is None:
        return ""
    if change.signed is not None:
        return interval_text(change.signed, change.signed_low, change.signed_high, "-")
    return interval_text(0.0 - change.reduction, 0.0 - change.high, 0.0 - change.low, "-")


def _cut(name: str, width: int = _GROUP) -> str:
    return name if len(name) <= width else f"{name[: max(width - 2, 0)]}.."


def setting_words(sweep: SweepRecord) -> str:
    """Name the mixes and the feature set that decide; nothing where nothing was decided."""
    parts = []
    if sweep.first_mix is not None:
        same = sweep.first_mix == sweep.second_mix
        parts.append(f"mix {sweep.first_mix}" if same else f"mixes {sweep.first_mix} and {sweep.second_mix}")
    if sweep.feature_set is not None:
        parts.append(f"features {sweep.feature_set}")
    return printable(", ".join([*parts, f"{sweep.repeats} repeats"]))


def sweep_lines(sweep: SweepRecord) -> Iterator[str]:
    """Say what was retrained, and what published studies would have said."""
    left_out = f", {sweep.undefined} of them undefined and left out" if sweep.undefined else ""
    mixes = "mix" if len(sweep.mixes) == 1 else "mixes"
    yield printable(
        f"Trained under {len(sweep.mixes)} {mixes} ({', '.join(sweep.mixes)}), {sweep.repeats} splits each{left_out}; "
        f"test rows over training rows {sweep.test_train_ratio:.2f}."
    )
    if sweep.gap == "dependence" and (others := [mix for mix in sweep.mixes if mix not in sweep.slope_mixes]):
        size = {mix: sum(rows.values()) for mix, rows in sweep.training_rows.items()}
        left = ", ".join(f"{mix} on {size[mix]:,.0f}" if mix in size else mix for mix in others)
        kept = ", ".join(sweep.slope_mixes)
        common = f" on {size[sweep.slope_mixes[0]]:,.0f}" if sweep.slope_mixes and size else ""
        yield printable(
            f"The slope is over mixes of one training size ({kept}{common} rows); the others train on another: {left}."
        )
    if sweep.published_test is not None and sweep.published_p is not None:
        corrected = "" if sweep.corrected_p is None else f"; corrected for that, it is {sweep.corrected_p:.2g}"
        yield (
            f"The test of published studies ({sweep.published_test}, no difference) gives p = {sweep.published_p:.2g}: "
            f"too small, as the repeats overlap{corrected}. It decides nothing."
        )
