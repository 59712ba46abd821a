"""Pictures of a report: each a function of a record and its statistics, which returns a Figure, or None.

``key`` is the name of a picture among all of the page (a letter, then letters, digits and hyphens): ids begin with it.
``statistics`` is what the evidence holds of the check, read by `findings.statistics_json.statistics_from_json`, and
None where they are withheld or there are none. None is returned where there is nothing to be drawn.

- ``sweep(record, statistics, key)``: the metric against the share of a group in the training mix
- ``sweep_gaps(record, statistics, key)``: the gap under each mix with its repeats: does it close?
- ``mismatch(record, statistics, key)``: of pairs of groups, how often one errs more, and is more uncertain
- ``error_by_uncertainty(record, statistics, key)``: mean error along the mean uncertainty, by group
- ``risk_coverage(record, statistics, key)``: mean error of the samples that the model is most certain of
- ``calibration(record, statistics, key)``: what was observed against what was predicted, by group

``svg`` holds what all are drawn with: `Canvas`, `Scale`, `Figure`; ``marks`` markers of groups and axes.
"""

from fairness_checks.report.figures.calibration import calibration
from fairness_checks.report.figures.svg import WIDTH, Canvas, Figure, FigureTable, Scale, Svg
from fairness_checks.report.figures.training_mixes import sweep, sweep_gaps
from fairness_checks.report.figures.uncertainty import error_by_uncertainty, mismatch, risk_coverage

__all__ = [
    "WIDTH",
    "Canvas",
    "Figure",
    "FigureTable",
    "Scale",
    "Svg",
    "calibration",
    "error_by_uncertainty",
    "mismatch",
    "risk_coverage",
    "sweep",
    "sweep_gaps",
]
