"""Measurements of the dermatology study -> results of a sweep, the verdicts of this project, gaps and areas."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from fairness_checks import Predictions
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.judge.verdict import audit_model
from fairness_checks.question.checks import MISMATCH, Check, Settings
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.stats.judge_repeats import repeats_violation
from fairness_checks.stats.published_test import published_test
from fairness_checks.stats.repeats import repeat_estimates
from fairness_checks.sweep import Shares, SweepPlan, SweepResults
from fairness_checks.sweep.measuring import measure
from fairness_checks.sweep.results import RepeatResult
from models.studies.dermatology_protocol import TONES
from models.studies.dermatology_store import MEASURES, Measurements
from models.vae_config import MIXES

__all__ = [
    "CHECKS",
    "ERRORS",
    "Overlap",
    "area_rows",
    "errors_of",
    "gap_rows",
    "mean_rows",
    "over_repeats",
    "overlap",
    "slope_rows",
    "sweep_plan",
    "sweep_results",
    "tone_rows",
    "verdicts",
]

Floats = npt.NDArray[np.float64]
_BY = "skin_tone"
_ALL = "all"  # the one feature set

ERRORS = {"mse": "pixel error", "mse_less_colour": "pixel error less colour", "feature_error": "feature error"}
"""What an image's reconstruction is judged by, each with its name; see `models.vae_measure.ImageMeasurements`."""

_MSE = "mean_squared_error"

# A difference of 0.005 is 1 dB of the peak signal-to-noise ratio at a mean squared error of 0.02.
CHECKS = (
    Check(_MSE, (_BY,), "max_difference", 0.005, gap="each_mix"),
    Check(_MSE, (_BY,), "max_difference", 0.005, gap="equal_representation"),
    Check(_MSE, (_BY,), "max_difference", 0.005, gap="worst_case"),
    Check(_MSE, (_BY,), "max_difference", 0.005, gap="best_case"),
    Check(_MSE, (_BY,), "max_slope", 0.005, gap="dependence"),
    Check(MISMATCH, (_BY,), "max_mismatch", 0.10, gap="each_mix"),
)
"""What the gate asks of the study. The limits were chosen before the first run and show what limits do."""


class Overlap(NamedTuple):
    """What is assumed of how far repeats overlap; images of a split, both skin tones together."""

    n_train: int
    n_test: int

    @property
    def ratio(self) -> float:
        """Return test images over training images, the correction's factor."""
        return self.n_test / self.n_train


def overlap(found: Measurements) -> Overlap:
    """Return the overlap that the corrected test assumes: that of the smaller group, for both.

    m test images of a group of N are shared with another repeat's by m / N on average. Over both groups together
    that is less where one of them is much larger, but most of the spread of a gap comes from the smaller one. The
    training sets do not enter by their size, as they are drawn with replacement from the N - m other images.

    Examples
    --------
    >>> class Found:  # 100 of 305 dark images test
    ...     sizes, test_images = {"light": 1492, "dark": 305}, 100
    >>> overlap(Found()), round(overlap(Found()).ratio, 2)
    (Overlap(n_train=410, n_test=200), 0.49)
    """
    smaller = min(found.sizes.values())
    return Overlap(2 * (smaller - found.test_images), 2 * found.test_images)


def sweep_plan(found: Measurements) -> SweepPlan:
    """Return the study as a plan of a sweep."""
    mixes = {mix: Shares(MIXES[mix], replace=True) for mix in found.mixes}
    return SweepPlan(
        by=_BY,
        mixes=mixes,
        repeats=found.repeats,
        test=found.test_images,
        size=int(found.trained[0, 0].sum()),
        seed=int(found.record["seed"]),
    )


def errors_of(found: Measurements) -> tuple[str, ...]:
    """Return the names in `ERRORS` that were measured: the feature error needs a pre-trained network."""
    return tuple(name for name in ERRORS if np.isfinite(getattr(found, name)).all())


def sweep_results(found: Measurements, error: str = "mse") -> SweepResults:
    """Return the measurements as results of a sweep, as the gate itself would have them.

    The error of an image is the root of its mean squared error, so that the metric `mean_squared_error` is the mean of
    those; so for each other name in `ERRORS`. The groups have the sizes that `overlap` assumes.
    """
    errors = getattr(found, error)
    tone = np.repeat(TONES, found.test_images)
    results = []
    for i, mix in enumerate(found.mixes):
        for repeat in range(found.repeats):
            predictions = Predictions(
                error=np.sqrt(np.maximum(errors[i, repeat].ravel(), 0.0)),  # a difference of sums may fall below 0
                uncertainty=found.latent_sd[i, repeat].ravel(),
                sensitive_features={_BY: tone},
            )
            trained = zip(found.trained[i, repeat].tolist(), found.distinct[i, repeat].tolist(), strict=True)
            groups, pairs = measure(predictions, _BY, dict(zip(TONES, trained, strict=True)))
            results.append(RepeatResult(mix=mix, feature_set=_ALL, repeat=repeat, groups=groups, pairs=pairs))
    return SweepResults(
        model="skin_vae",
        by=_BY,
        groups=dict.fromkeys(TONES, min(found.sizes.values())),
        repeated_rows=0,  # images with equal pixels were left out
        results=tuple(results),
    )


def verdicts(found: Measurements, results: SweepResults, checks: Sequence[Check] = CHECKS) -> list[CheckRecord]:
    """Judge the study as the gate would."""
    data = found.record["data"]
    about = {"data": f"{'synthetic' if data['synthetic'] else 'photographs'}, {data['source']}"}
    return audit_model("skin_vae", Evaluation(None, results, sweep_plan(found), about), checks, Settings())


def mean_rows(found: Measurements) -> pd.DataFrame:
    """Return a row for each mix and skin tone: means over the repeats and their standard deviations.

    Columns for each of `MEASURES`, each with its sd; share, trained and distinct images.
    """
    rows = []
    for i, mix in enumerate(found.mixes):
        for g, tone in enumerate(TONES):
            row: dict[str, Any] = {"mix": mix, "skin_tone": tone, "share": MIXES[mix].get(tone, 0.0)}
            row |= {"trained": int(found.trained[i, 0, g]), "distinct": float(found.distinct[i, :, g].mean())}
            for name in MEASURES:
                means = getattr(found, name)[i, :, g].mean(axis=1)
                row |= {name: float(means.mean()), f"{name}_sd": float(means.std(ddof=1))}
            rows.append(row | {"repeats": found.repeats, "test_images": found.test_images})
    return pd.DataFrame(rows)


def gap_rows(found: Measurements) -> pd.DataFrame:
    """Return dark minus light, of each error and of latent standard deviation: under each mix, worst and best case.

    Worst case is dark under A and light under C, best case the reverse, as in the study.

    Returns
    -------
    pandas.DataFrame
        value, gap, sd over the repeats, low and high (ends of the corrected 95 % interval), p_corrected (Nadeau and
        Bengio), p_published and test (the paper's, which takes repeats for independent).
    """
    worst_and_best = (("worst case (dark A, light C)", "A", "C"), ("best case (dark C, light A)", "C", "A"))
    cases = [*((mix, mix, mix) for mix in found.mixes), *worst_and_best]
    rows = []
    for value in (*errors_of(found), "latent_sd"):
        means = getattr(found, value).mean(axis=3)  # (M, J, 2)
        for name, dark_mix, light_mix in cases:
            dark, light = means[found.mixes.index(dark_mix), :, 1], means[found.mixes.index(light_mix), :, 0]
            test = published_test(dark, light)
            row = {"value": value, "case": name, "dark": float(dark.mean()), "light": float(light.mean())}
            row |= over_repeats(dark - light, overlap(found))
            rows.append(row | {"p_published": test.p, "test": test.name})
    return pd.DataFrame(rows)


def slope_rows(found: Measurements) -> pd.DataFrame:
    """Return how a group's errors move as its share of the training images grows from 0 to 1, repeat by repeat.

    Columns value, skin_tone, slope with its corrected interval, and in how many of the repeats the error falls at each
    step (falls_in), or is lower with all of the share than with none (lower_in).
    """
    rows = []
    for value, (g, tone) in itertools.product(errors_of(found), enumerate(TONES)):
        share = np.array([MIXES[mix].get(tone, 0.0) for mix in found.mixes])
        means = getattr(found, value)[:, :, g].mean(axis=2)[np.argsort(share)]  # (M, J), from no share to all
        share = np.sort(share)
        slope = (share - share.mean()) @ means / ((share - share.mean()) ** 2).sum()
        row = {"value": value, "skin_tone": tone, **over_repeats(slope, overlap(found))}
        row |= {"falls_in": int((np.diff(means, axis=0) < 0).all(axis=0).sum())}
        rows.append(row | {"lower_in": int((means[-1] < means[0]).sum()), "repeats": found.repeats})
    return pd.DataFrame(rows).rename(columns={"gap": "slope"})


def tone_rows(found: Measurements) -> pd.DataFrame:
    """Return how much lighter the images of a group come out under A, light skin alone, than under C, dark skin alone.

    Columns skin_tone, of_a and of_c (mean shifts of the tone), shift (their difference) with its corrected interval,
    and in how many of the repeats it is above 0 (lighter_in).
    """
    rows = []
    for g, tone in enumerate(TONES):
        of_a, of_c = (found.tone_shift[found.mixes.index(mix), :, g].mean(axis=1) for mix in "AC")  # (J,) each
        row = {"skin_tone": tone, "of_a": float(of_a.mean()), "of_c": float(of_c.mean())}
        row |= over_repeats(of_a - of_c, overlap(found))
        rows.append(row | {"lighter_in": int((of_a > of_c).sum()), "repeats": found.repeats})
    return pd.DataFrame(rows).rename(columns={"gap": "shift"})


def area_rows(found: Measurements) -> pd.DataFrame:
    """Return how each error and the uncertainty order the two groups under each mix.

    Columns value, error_auc and uncertainty_auc, P(higher in a dark image than in a light one), means over the
    repeats; gap, their difference, with its corrected interval; light images against dark ones give one minus that.
    """
    rows = []
    for value in errors_of(found):
        results = sweep_results(found, value)
        for mix in found.mixes:
            pairs = [pair for result in results.of(mix, _ALL) for pair in result.pairs]
            areas = np.array([(pair.error_auc, pair.uncertainty_auc) for pair in pairs])
            means = {"error_auc": float(areas[:, 0].mean()), "uncertainty_auc": float(areas[:, 1].mean())}
            row = {"value": value, "mix": mix, **means}
            rows.append(row | over_repeats(areas[:, 0] - areas[:, 1], overlap(found)))
    return pd.DataFrame(rows)


def over_repeats(values: Floats, assumed: Overlap) -> dict[str, float]:
    """Return the mean over repeats with its corrected 95 % interval and the p-value of "it is 0".

    Parameters
    ----------
    values : ndarray, shape (J,)
        One of each repeat; NaN where it has none.
    assumed : Overlap
        `overlap`.

    Returns
    -------
    dict of str to float
        gap (the mean), sd, low, high and p_corrected; NaN where over a tenth of the repeats have no value.
    """
    found = repeat_estimates(values, assumed.n_train, assumed.n_test)
    half = float(np.sqrt(found.variance[0]) * special.stdtrit(found.freedom[0], 0.975))
    mean = float(found.value[0])
    p = float(repeats_violation(found, 0.0)[0]) if found.variance[0] > 0.0 else float("nan")
    return {
        "gap": mean,
        "sd": float(values[np.isfinite(values)].std(ddof=1)) if mean == mean else float("nan"),
        "low": mean - half,
        "high": mean + half,
        "p_corrected": p,
    }
