"""What a check on a sweep says of its mixes and repeats."""

from __future__ import annotations

from collections.abc import Iterator

from fairness_checks.plain import printable
from fairness_checks.records.check_record import SweepRecord

__all__ = ["GAPS", "gap_words", "setting_words", "sweep_lines"]

GAPS = {
    "each_mix": "under each training mix",
    "equal_representation": "at equal representation",
    "worst_case": "worst case against worst case",
    "best_case": "best case against best case",
    "dependence": "per share of the training data",
}


def gap_words(sweep: SweepRecord) -> str:
    """Say what is compared."""
    return GAPS[sweep.gap]


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
