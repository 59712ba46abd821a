"""How often the intervals that reports show hold the truth, by simulation of data whose truth is known.

``python -m benchmarks.coverage [--draws N] [--only WORD ...]`` prints a line a cell: the kind of metric, the data, what
the interval is of, the share of intervals that hold the truth, and the shares that lie above it and below it. Intervals
are those of `audit`, `audit_uncertainty`, `judge_gaps` and the judges of a change, at alpha 0.05: nominal is 0.90. A
mark stands beside what is below 0.90 less three standard errors.

- difference, ratio, worst group: of the groups' true values. That of the largest of three differences, or of the worst
  of three groups, too.
- group: every group's own value; the lowest coverage of any group counts.
- change: against a baseline, of the three questions; a worsening of 0.05 (means: 0.25).
- sweep: of what the learner has in the population on average over its training sets, from `benchmarks.sweep_worlds`.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy
from scipy import special

from benchmarks.regression import QUESTIONS, draw_joint, judge, truths
from benchmarks.sweep_worlds import LEARNERS, TEST, simulate, true_rates
from fairness_checks import Predictions, audit, audit_uncertainty
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.stats.estimates import upper_quantile
from fairness_checks.stats.judge_repeats import judge_gaps
from fairness_checks.stats.repeats import repeat_estimates
from fairness_checks.typing import Array

ALPHA, SEED = 0.05, 17
NOMINAL = 1.0 - 2.0 * ALPHA
Bounds = tuple[float, float, float]  # low, high, truth
Drawn = tuple[Predictions, Array]  # and the groups' true values
World = Callable[[np.random.Generator], Drawn]


@dataclass
class Cell:
    """Intervals of one kind, and what they should hold."""

    of: str
    found: list[Bounds]

    @property
    def line(self) -> str:
        """The shares, and a mark where too few hold the truth."""
        low, high, truth = np.array(self.found).T
        above, below = float(np.mean(low > truth + 1e-12)), float(np.mean(high < truth - 1e-12))
        held = 1.0 - above - below
        few = held < NOMINAL - 3.0 * np.sqrt(NOMINAL * (1.0 - NOMINAL) / len(self.found))
        return f"{held:6.3f} {above:6.3f} {below:6.3f} {len(self.found):5d}{'  BELOW' if few else ''}"


def groups_of(sizes: tuple[int, ...]) -> Array:
    """Return the group of each sample."""
    return np.repeat(np.arange(len(sizes)), sizes)


def rate_world(sizes: tuple[int, ...], rates: tuple[float, ...], images: int = 1) -> World:
    """Events of samples, or of one to `images` samples a patient whose latent values are correlated by 0.3."""

    def draw(rng: np.random.Generator) -> Drawn:
        group = groups_of(sizes)
        who = np.repeat(np.arange(len(group)), rng.integers(1, images + 1, len(group)))
        latent = np.sqrt(0.3) * rng.standard_normal(len(group))[who] + np.sqrt(0.7) * rng.standard_normal(len(who))
        event = latent < special.ndtri(np.array(rates))[group[who]]
        truth = np.arange(len(who)) % 2
        found = Predictions(
            y_true=truth,
            y_pred=np.where(event, truth, 1 - truth),
            sensitive_features={"group": group[who].astype(str)},
            cluster=who if images > 1 else None,
        )
        return found, np.array(rates)

    return draw


def mean_world(sizes: tuple[int, ...], means: tuple[float, ...], sigma: float, images: int = 1) -> World:
    """Errors that are normal, or lognormal with this sigma; of one to `images` samples a patient."""

    def draw(rng: np.random.Generator) -> Drawn:
        group = groups_of(sizes)
        who = np.repeat(np.arange(len(group)), rng.integers(1, images + 1, len(group)))
        latent = np.sqrt(0.3) * rng.standard_normal(len(group))[who] + np.sqrt(0.7) * rng.standard_normal(len(who))
        error = np.exp(sigma * latent - sigma**2 / 2.0) if sigma else 5.0 + latent
        features = {"group": group[who].astype(str)}
        cluster = who if images > 1 else None
        error = error + np.array(means)[group[who]]
        return Predictions(error=error, sensitive_features=features, cluster=cluster), np.array(means) + (
            1.0 if sigma else 5.0
        )

    return draw


def area_world(sizes: tuple[int, ...], areas: tuple[float, ...]) -> World:
    """As many positives as negatives, with normal scores."""

    def draw(rng: np.random.Generator) -> Drawn:
        group = groups_of(sizes)
        label = np.arange(len(group)) % 2
        score = rng.standard_normal(len(group)) + np.sqrt(2.0) * special.ndtri(np.array(areas))[group] * label
        found = Predictions(y_true=label, y_score=special.ndtr(score), sensitive_features={"group": group.astype(str)})
        return found, np.array(areas)

    return draw


def balanced_world(sizes: tuple[int, ...], values: tuple[float, ...], positives: float) -> World:
    """Decisions of which true positive and true negative rates are the value, a little more and a little less."""

    def draw(rng: np.random.Generator) -> Drawn:
        group = groups_of(sizes)
        label = np.arange(len(group)) % 20 < 20 * positives
        right = rng.random(len(group)) < np.array(values)[group] + np.where(label, -0.02, 0.02)
        found = Predictions(
            y_true=label.astype(int),
            y_pred=np.where(right, label, ~label).astype(int),
            sensitive_features={"group": group.astype(str)},
        )
        return found, np.array(values)

    return draw


def calibration_world(sizes: tuple[int, ...], errors: tuple[float, ...]) -> World:
    """Scores in the middle of ten bins; events are more common by the error in half of them, less in the other."""

    def draw(rng: np.random.Generator) -> Drawn:
        group = groups_of(sizes)
        place = rng.integers(2, 8, len(group))
        score = (place + 0.5) / 10.0
        event = rng.random(len(group)) < score + np.array(errors)[group] * np.where(place % 2, 1.0, -1.0)
        found = Predictions(y_true=event.astype(int), y_score=score, sensitive_features={"group": group.astype(str)})
        return found, np.array(errors)

    return draw


def mismatch_world(sizes: tuple[int, int], shift: float, warns: float) -> World:
    """Draw errors, higher by `shift` in the first group, and uncertainties, higher by `warns`, correlated by 0.5."""

    def draw(rng: np.random.Generator) -> Drawn:
        group = groups_of(sizes)
        one, other = rng.standard_normal((2, len(group)))
        error = 10.0 + one + shift * (group == 0)
        uncertainty = 10.0 + 0.5 * one + np.sqrt(0.75) * other + warns * (group == 0)
        found = Predictions(error=error, uncertainty=uncertainty, sensitive_features={"group": group.astype(str)})
        return found, special.ndtr(np.array([shift, warns]) / np.sqrt(2.0))

    return draw


RATES: dict[str, World] = {
    "20 + 60, 0.1 0.3": rate_world((20, 60), (0.1, 0.3)),
    "100 + 1,000, 0.02 0.05": rate_world((100, 1_000), (0.02, 0.05)),
    "3 groups of 80, 0.3 0.3 0.4": rate_world((80, 80, 80), (0.3, 0.3, 0.4)),
    "20 + 40 patients of 1 to 6": rate_world((20, 40), (0.15, 0.3), 6),
}
OTHERS: dict[str, dict[str, World]] = {
    "mean_error": {
        "normal, 12 + 40": mean_world((12, 40), (0.5, 0.0), 0.0),
        "lognormal, 20 + 60": mean_world((20, 60), (0.5, 0.0), 1.0),
        "lognormal, 60 + 20": mean_world((60, 20), (0.5, 0.0), 1.0),
        "lognormal, 3 of 100": mean_world((100, 100, 100), (0.3, 0.0, 0.0), 1.0),
        "normal, 20 + 40 patients": mean_world((20, 40), (0.5, 0.0), 0.0, 6),
        "lognormal, 20 + 40 patients": mean_world((20, 40), (0.5, 0.0), 1.0, 6),
    },
    "roc_auc": {
        "30 + 100, 0.75 0.85": area_world((30, 100), (0.75, 0.85)),
        "200 + 200, 0.95 0.9": area_world((200, 200), (0.95, 0.9)),
    },
    "balanced_accuracy": {
        "40 + 100, 0.7 0.8": balanced_world((40, 100), (0.7, 0.8), 0.5),
        "200 + 400, 10 % positive": balanced_world((200, 400), (0.9, 0.8), 0.1),
    },
    "expected_calibration_error": {
        "100 + 400, 0.15 0.05": calibration_world((100, 400), (0.15, 0.05)),
        "400 + 400, 0.0 0.0": calibration_world((400, 400), (0.0, 0.0)),
    },
}


def strata_world(strata: int, sizes: tuple[int, int], rates: tuple[float, float], metric: str) -> World:
    """Draw samples of two groups in strata of one size, whose values differ from stratum to stratum."""

    def draw(rng: np.random.Generator) -> Drawn:
        group = np.tile(groups_of(sizes), strata)
        stratum = np.repeat(np.arange(strata), sum(sizes))
        apart = np.where(stratum % 2, 1.0, -1.0)
        features = {"group": group.astype(str), "stratum": stratum.astype(str)}
        if metric == "mean_error":
            error = np.exp(rng.standard_normal(len(group))) - np.exp(0.5) + 5.0 + np.array(rates)[group] + apart
            return Predictions(error=error, sensitive_features=features), 5.0 + np.array(rates)
        event = rng.random(len(group)) < np.array(rates)[group] * (1.0 + 0.5 * apart)
        labels = np.ones(len(group), dtype=int)
        return Predictions(labels, (~event).astype(int), sensitive_features=features), np.array(rates)

    return draw


STRATA: dict[str, tuple[str, World]] = {
    "100 of 2 + 2, 0.1 0.2": ("false_negative_rate", strata_world(100, (2, 2), (0.1, 0.2), "false_negative_rate")),
    "50 of 1 + 3, 0.2 0.2": ("false_negative_rate", strata_world(50, (1, 3), (0.2, 0.2), "false_negative_rate")),
    "10 of 20 + 60, 0.05 0.1": ("false_negative_rate", strata_world(10, (20, 60), (0.05, 0.1), "false_negative_rate")),
    "20 of 4 + 8, lognormal": ("mean_error", strata_world(20, (4, 8), (0.5, 0.0), "mean_error")),
}
MISMATCHES: dict[str, World] = {
    "15 + 40": mismatch_world((15, 40), 1.0, 0.5),
    "100 + 60": mismatch_world((100, 60), 0.8, -0.2),
}


def of_record(record: CheckRecord, truth: float) -> Bounds:
    """Return the interval that a record shows; all values are held where there is none."""
    low = -np.inf if record.low is None else record.low
    return low, np.inf if record.high is None else record.high, truth


def of_groups(record: CheckRecord, values: Array) -> list[Bounds]:
    """Return the intervals of the groups that have one."""
    return [
        (group.low, group.high, float(values[int(group.name[0])]))
        for group in record.groups
        if group.low is not None and group.high is not None
    ]


def held_out(metric: str, world: World, draws: int, control: str | None = None) -> Iterator[Cell]:
    """Yield the intervals of a metric that `audit` shows, of values standardised over a control feature or as seen."""
    check = functools.partial(audit, metric=metric, by="group", alpha=ALPHA)
    if control is not None:
        check = functools.partial(check, control_features=control, strata="combined")
    rng = np.random.default_rng(SEED)
    difference, ratio, worst, groups = Cell("difference", []), Cell("ratio", []), Cell("worst group", []), []
    for _ in range(draws):
        found, values = world(rng)
        record = check(found, max_difference=0.1)
        difference.found.append(of_record(record, float(np.ptp(values))))
        groups.append(of_groups(record, values))
        worst.found.append(of_record(check(found, max_value=0.5), float(values.max())))
        if metric == "accuracy":
            truth = float(values.min() / values.max())
            ratio.found.append(of_record(check(found, min_ratio=0.8), truth))
    yield from (cell for cell in (difference, ratio, worst) if cell.found)
    apart = [list(one) for one in zip(*(g for g in groups if len(g) == len(values)), strict=True)]
    yield min((Cell("group", one) for one in apart), key=lambda cell: cell.line)


def mismatch(world: World, draws: int) -> Iterator[Cell]:
    """Yield the intervals of whether uncertainty warns."""
    rng = np.random.default_rng(SEED)
    found = []
    for _ in range(draws):
        predictions, areas = world(rng)
        record = audit_uncertainty(predictions, max_mismatch=0.1, alpha=ALPHA)
        if record.first == ("0",):  # else the errors were seen to be higher in the other group
            found.append(of_record(record, float(areas[0] - areas[1])))
    yield Cell("mismatch", found)


def change(kind: str, groups: int, n: int, *, paired: bool, draws: int) -> Iterator[Cell]:
    """Yield the intervals of the three questions against a baseline, at the truth that they hold least often."""
    by = {"mean": 0.25}.get(kind, 0.05)
    for question in QUESTIONS:
        cells = []
        for old, new in truths(question, groups, by, 1.0 if kind == "mean" else 0.2, 0.1).values():
            rng = np.random.default_rng(SEED)
            found = (
                judge(question, draw_joint(kind, rng, n, old, new, paired), by, lower_is_better=kind != "area")
                for _ in range(draws)
            )
            cells.append(Cell(f"change, {question}", [(one.low, one.high, by) for one in found]))
        yield min(cells, key=lambda cell: cell.line)


def sweep(place: int, n: int, draws: int) -> Iterator[Cell]:
    """Yield the intervals of a gap and of a group's value over 20 repeats of a learner."""
    rng = np.random.default_rng(SEED)
    learner = LEARNERS[place]
    truth = true_rates(rng, learner, n, 800, "group")[0]  # as the gate splits
    seen = simulate(rng, learner, n, (draws, 20), "group")
    parts = ((1.0 - TEST) * n, TEST * n)
    gaps = seen.rates[:, 0, :, 0] - seen.rates[:, 0, :, 1]
    own = seen.test_variance(n, 20)[:, 0]  # (draws, 2)
    tested = own.sum(axis=1)
    found = []
    for gap, variance in zip(gaps, tested, strict=True):
        judged = judge_gaps(
            gap[None],
            0.1,
            ALPHA,
            n_train=parts[0],
            n_test=parts[1],
            first=np.array([0]),
            second=np.array([1]),
            test_variance=np.array([variance]),
            largest=1.0,
        ).inference
        found.append((judged.low, judged.high, abs(float(truth[0] - truth[1]))))
    yield Cell("sweep, gap", found)
    for group in (0, 1):
        values = repeat_estimates(seen.rates[:, 0, :, group], *parts, own[:, group])
        error = upper_quantile(ALPHA, np.maximum(values.freedom, 1.0)) * np.sqrt(values.variance)
        yield Cell(
            f"sweep, group {group}",
            [(v - e, v + e, float(truth[group])) for v, e in zip(values.value, error, strict=True)],
        )


def cells(draws: int) -> Iterator[tuple[str, str, Iterator[Cell]]]:
    """Yield kind, data and intervals."""
    for name, world in RATES.items():
        yield "rate", name, held_out("accuracy", world, draws)
    for metric, worlds in OTHERS.items():
        for name, world in worlds.items():
            yield metric, name, held_out(metric, world, draws)
    for name, (metric, world) in STRATA.items():
        yield f"strata, {metric}", name, held_out(metric, world, draws, "stratum")
    for name, world in MISMATCHES.items():
        yield "mismatch", name, mismatch(world, draws)
    for kind in ("rate", "mean", "area", "clusters"):
        for paired in (True, False):
            for n in (20, 200):
                pair = "paired" if paired else "unpaired"
                yield kind, f"{pair}, {n} a group", change(kind, 2, n, paired=paired, draws=draws)
    for place, n in ((0, 300), (2, 750)):
        yield "rate", f"{LEARNERS[place].name}, n = {n}", sweep(place, n, draws)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=500, help="data sets a cell")
    parser.add_argument("--only", nargs="*", default=[""], help="kinds or data that hold any of these words")
    asked = parser.parse_args()
    versions = f"Python {platform.python_version()} numpy {np.__version__} scipy {scipy.__version__}"
    print(f"python -m benchmarks.coverage, {datetime.date.today()}, {os.cpu_count()} cores; {versions}")
    print(f"nominal {NOMINAL:.2f}, seed {SEED}; held, all above, all below, data sets")
    for kind, name, found in cells(asked.draws):
        if any(word in f"{kind} {name}" for word in asked.only):
            for cell in found:
                print(f"{kind:>26} {name:<28} {cell.of:<20} {cell.line}", flush=True)


if __name__ == "__main__":
    main()
