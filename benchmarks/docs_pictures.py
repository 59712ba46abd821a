"""Pictures of the documentation that show how limits, samples and verdicts hang together.

    python -m benchmarks.docs_pictures [FOLDER]

It writes choosing_limits.svg (what a limit takes) and verdicts.svg (how a verdict is read off an interval) to
docs/images, or to a folder. What is drawn is computed by `plan_sample_size` and by `audit`; a second run
writes the same files.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np

from fairness_checks import CheckRecord, Predictions, audit, plan_sample_size
from fairness_checks.planning.assumed import assumed
from fairness_checks.question.metrics import METRICS
from fairness_checks.report.figures.marks import FAINT, SMALL, axis_below, colour_of, error_bar, marker
from fairness_checks.report.figures.svg import Canvas, Point, Scale, Svg

__all__ = ["PICTURES"]

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WIDTH = 640.0
RATE = 0.15  # of misses in the group that fares better
LIMITS = (0.02, 0.03, 0.05, 0.07, 0.10, 0.15, 0.20)
TRUTHS = {0.0: "no difference: kept", 0.5: "half the limit: kept", 2.0: "twice the limit: exceeded"}
COUNTS = (50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000)
CASES = (  # misses and positives of women, then of men
    ("pass", (48, 400), (44, 400)),
    ("inconclusive", (15, 100), (12, 100)),
    ("inconclusive", (60, 250), (45, 250)),
    ("fail", (120, 400), (60, 400)),
)
ALLOWED = 0.10
COLOURS = {"pass": colour_of(2), "inconclusive": colour_of(4), "fail": colour_of(5)}
COLUMNS = {"women": 80.0, "men": 160.0}


def _white(canvas: Canvas) -> Canvas:
    canvas.rect(0.0, 0.0, canvas.width, canvas.height, fill="#ffffff")
    return canvas


def _needed(limit: float, step: float) -> int:
    """Return the positives of each group with which a limit is settled in four runs of five."""
    metric = METRICS["false_negative_rate"]
    values = assumed(metric, "max_difference", limit, step, RATE)
    assert values is not None
    plan = plan_sample_size(
        metric=metric.name, max_difference=limit, first_value=values.first, second_value=values.second
    )
    return plan.first


def choosing_limits() -> Svg:
    """Draw the positives that a group needs, by limit and by what is true."""
    canvas = _white(Canvas(368.0, width=WIDTH))
    across = Scale(math.log10(LIMITS[0]), math.log10(LIMITS[-1]), 70.0, 400.0)
    up = Scale(math.log10(COUNTS[0]), math.log10(COUNTS[-1]), 320.0, 30.0)
    canvas.text(8.0, 18.0, "positives that each group needs", size=SMALL)
    canvas.rules([((70.0, up(math.log10(n))), (400.0, up(math.log10(n)))) for n in COUNTS], opacity=FAINT)
    for n in COUNTS:
        canvas.text(64.0, up(math.log10(n)) + 4.0, f"{n:,}", anchor="end", size=SMALL)
    ticks = [(math.log10(limit), f"{100.0 * limit:g}") for limit in LIMITS]
    axis_below(canvas, across, 320.0, 30.0, ticks)
    canvas.text(8.0, 356.0, "limit: of 100 patients, so many more may be missed in one group than in another")
    said = []
    for group, (step, words) in enumerate(TRUTHS.items()):
        found = {limit: _needed(limit, step) for limit in LIMITS}
        points: list[Point] = [(across(math.log10(limit)), up(math.log10(n))) for limit, n in found.items()]
        canvas.path(points, colour=colour_of(group))
        for x, y in points:
            marker(canvas, group, x, y)
        marker(canvas, group, 424.0, 60.0 + 22.0 * group)
        canvas.text(436.0, 64.0 + 22.0 * group, words)
        said.append(f"{words}: " + ", ".join(f"{100.0 * limit:g} of 100: {n:,}" for limit, n in found.items()))
    canvas.text(418.0, 42.0, "if the groups truly differ by", bold=True, size=SMALL)
    for i, line in enumerate(("Half the limit takes", "four times the patients.", "", "15 of 100 are missed in the")):
        canvas.text(418.0, 148.0 + 18.0 * i, line, size=SMALL)
    canvas.text(418.0, 220.0, "better group; 80 % power,", size=SMALL)
    canvas.text(418.0, 238.0, "alpha 0.05, two groups.", size=SMALL)
    return canvas.svg("choosing-limits", "What a limit takes", f"Positives of each group. {'. '.join(said)}.")


def _judged(*groups: tuple[int, int]) -> CheckRecord:
    """Judge the false negative rates of women and men, by their misses and positives."""
    missed = np.concatenate([np.arange(positives) < misses for misses, positives in groups])
    sex = np.repeat(["female", "male"], [positives for _, positives in groups])
    predictions = Predictions(y_true=np.ones(len(sex), int), y_pred=1 - missed, sensitive_features={"sex": sex})
    return audit(predictions, metric="false_negative_rate", by="sex", max_difference=ALLOWED)


def verdicts() -> Svg:
    """Draw intervals that lie below a limit, hold it, and lie above it, with their verdicts."""
    canvas = _white(Canvas(250.0, width=WIDTH))
    across = Scale(0.0, 0.25, 180.0, 500.0)
    axis_below(canvas, across, 200.0, 34.0)
    for head, x in COLUMNS.items():
        canvas.text(x, 38.0, head, anchor="end", size=SMALL, bold=True)
    canvas.text(8.0, 18.0, "missed, of those who are ill", size=SMALL)
    canvas.text(340.0, 236.0, "difference in false negative rates, with its 90 % interval", anchor="middle")
    limit = across(ALLOWED)
    canvas.line(limit, 26.0, limit, 200.0, dashes="4 3", width=1.5)
    canvas.text(limit, 18.0, f"limit {ALLOWED:g}", anchor="middle", bold=True)
    said = []
    for i, (verdict, first, second) in enumerate(CASES):
        found = _judged(first, second)
        if found.verdict != verdict or found.estimate is None or found.low is None or found.high is None:
            sys.exit(f"{first} and {second} are {found.verdict}, not {verdict}")
        colour, y = COLOURS[verdict], 62.0 + 36.0 * i
        error_bar(canvas, y, across(found.low), across(found.high), colour, upright=False)
        canvas.circle(across(found.estimate), y, 4.5, fill=colour)
        counts = [f"{misses} of {positives}" for misses, positives in (first, second)]
        for x, text in zip(COLUMNS.values(), counts, strict=True):
            canvas.text(x, y + 4.0, text, anchor="end", size=SMALL)
        canvas.text(512.0, y + 4.0, verdict, bold=True)
        said.append(f"{' and '.join(counts)}: {found.low:.3f} to {found.high:.3f}, {verdict}")
    return canvas.svg("verdicts", "A verdict is read off the interval", f"Limit {ALLOWED:g}. {'; '.join(said)}.")


PICTURES = {"choosing_limits.svg": choosing_limits, "verdicts.svg": verdicts}


def _main() -> None:
    to = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    for name, draw in PICTURES.items():
        (to / name).write_text(f"{draw()}\n", encoding="utf-8")
        print(f"{name}: {(to / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    _main()
