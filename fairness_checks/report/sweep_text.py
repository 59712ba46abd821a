"""What a check on a sweep says of its mixes and repeats."""

from __future__ import annotations

from collections.abc import Iterator

from fairness_checks.plain import printable
from fairness_checks.records.check_record import MixRecord, SweepRecord
from fairness_checks.report.numbers import value_text

__all__ = ["GAPS", "answer_words", "gap_words", "setting_words", "sweep_lines", "table_lines", "table_words"]

GAPS = {
    "each_mix": "under each training mix",
    "equal_representation": "at equal representation",
    "worst_case": "worst case against worst case",
    "best_case": "best case against best case",
    "dependence": "per share of the training data",
    "change": "smaller with other training data",
}
_ANSWERS = {"closes": "closes it", "narrows": "narrows it", "reverses": "reverses it", "widens": "widens it"}
_NAME, _GROUP = 18, 12  # columns of the table, to which names are cut
_MOST_COLUMNS = 3  # groups whose values stand beside each other


def gap_words(sweep: SweepRecord) -> str:
    """Say what is compared."""
    return GAPS[sweep.gap]


def answer_words(sweep: SweepRecord) -> str:
    """Answer whether the gap would close with other training data, by the feature set that decides.

    Empty where no mix is the data as they are, or a group cannot be judged.
    """
    rows = _deciding(sweep)
    start = next((row for row in rows if row.gap is not None and row.mix == sweep.as_is), None)
    others = [row for row in rows if row.change is not None]
    if start is None or start.gap is None or not others:
        return ""
    shown = (start.gap_low or 0.0) > 0.0
    told = [f"{row.mix} {_answer(row)}" for row in others if row.change is not None and row.change.answer != "open"]
    closing = any(row.change is not None and row.change.answer in ("closes", "narrows", "reverses") for row in others)
    if not closing:
        told.insert(0, "no mix is shown to close it" if shown else "no gap is shown to be there as is")
    named = f"{start.first} - {start.second} {value_text(start.gap)}"
    return printable(f"With other training data than as is ({named}): {', '.join(told)}")


def table_words(sweep: SweepRecord, slope: float | None = None) -> Iterator[str]:
    """Yield what stands below a check in the table of all checks, a few words a line."""
    yield sweep.gap
    yield f"{sweep.repeats} repeats"
    if sweep.gap == "change":
        yield from [f"mix {sweep.second_mix}"] if sweep.second_mix else []
    else:
        yield from (f"mix {mix}" for mix in dict.fromkeys((sweep.first_mix, sweep.second_mix)) if mix)
    if sweep.feature_set is not None and len({row.feature_set for row in sweep.table}) > 1:
        yield f"features {sweep.feature_set}"
    if slope is not None:
        yield f"{'falls' if slope < 0.0 else 'rises'} with its share"


def _deciding(sweep: SweepRecord) -> list[MixRecord]:
    """Return the rows of the feature set that decides, or of the first."""
    feature_set = sweep.feature_set or next((row.feature_set for row in sweep.table), None)
    return [row for row in sweep.table if row.feature_set == feature_set]


def _answer(row: MixRecord) -> str:
    """Return for instance ``closes it (0.002 [-0.030, 0.034])``."""
    assert row.change is not None  # for the type checker: the caller has looked
    return f"{_ANSWERS[row.change.answer]} ({_interval(row.gap, row.gap_low, row.gap_high)})"


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "-"
    return (
        value_text(value)
        if low is None or high is None
        else (f"{value_text(value)} [{value_text(low)}, {value_text(high)}]")
    )


def table_lines(sweep: SweepRecord) -> Iterator[str]:
    """Show the groups under each mix, the gap, and what the mix changes of it; below 100 columns."""
    rows = _deciding(sweep)
    if not rows:
        return
    names = [group.name for group in rows[0].groups]
    shown = names if len(names) <= _MOST_COLUMNS else []
    pairs = {(row.first, row.second) for row in rows if row.first is not None}
    same = len(pairs) == 1 or not pairs
    head = ["mix", "trained on", *names[: len(shown)], f"{_cut(rows[0].first or '')} - {_cut(rows[0].second or '')}"]
    if not pairs:
        head[-1] = "gap"
    elif not same:
        head[-1] = "largest gap"
    changed = any(row.change is not None for row in rows)
    head += ["change"] if changed else []
    table = [[printable(cell) for cell in head]]
    for row in rows:
        trained = [group.training_rows for group in row.groups]
        sizes = " + ".join(f"{n:,.0f}" for n in trained) if shown and len(shown) < 3 else f"{sum(trained):,.0f}"
        values = [value_text(group.value) if group.value is not None else "-" for group in row.groups if shown]
        gap = _interval(row.gap, row.gap_low, row.gap_high)
        if not same and row.first is not None:
            gap = f"{gap} {_cut(row.first)}"
        cells = [row.mix, sizes, *values, gap]
        if row.change is not None:
            change = row.change
            if change.signed is not None:
                cells.append(_interval(change.signed, change.signed_low, change.signed_high))
            else:
                cells.append(_interval(0.0 - change.reduction, 0.0 - change.high, 0.0 - change.low))
        table.append([printable(cell) for cell in cells])
    widths = [min(max(len(line[i]) for line in table if i < len(line)), _most(i, len(shown))) for i in range(len(head))]
    for line in table:
        cells = [_cut(cell, width).ljust(width) for cell, width in zip(line, widths, strict=False)]
        yield f"  {'  '.join(cells)}".rstrip()


def _most(column: int, groups: int) -> int:
    """Return how wide a column of the table may be."""
    return _NAME if column < 2 else 7 if column < 2 + groups else 24


def _cut(name: str, width: int = _GROUP) -> str:
    return name if len(name) <= width else f"{name[: max(width - 2, 0)]}.."


def setting_words(sweep: SweepRecord) -> str:
    """Name the mixes and the feature set that decide; nothing where nothing was decided.

    Examples
    --------
    >>> setting_words(SweepRecord(gap="each_mix", mixes=("as_is",), first_mix="as_is", second_mix="as_is",
    ...                           feature_set="all", repeats=20, undefined=0, test_train_ratio=0.43))
    'mix as_is, features all, 20 repeats'
    """
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
