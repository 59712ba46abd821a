"""What many tests are about, made in one place: predictions by their counts, moments of a few samples, a full disk."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import numpy as np

from fairness_checks import Predictions
from fairness_checks.stats.moments import MeanStatistics, moments_by_group


# Needs no other name than Predictions, so that its source can be written into scratch projects.
def missing_positives(groups=(), /, *, feature="sex", negatives=0, **named):
    """Make predictions of {group: (missed positives, positives[, negatives])}; negatives are all right.

    Where a group says none, it has so many for each positive.
    """
    y_true, y_pred, names = [], [], []
    for group, (missed, positives, *said) in (dict(groups) | named).items():
        rest = said[0] if said else negatives * positives
        y_true += [1] * positives + [0] * rest
        y_pred += [0] * missed + [1] * (positives - missed) + [0] * rest
        names += [group] * (positives + rest)
    return Predictions(y_true, y_pred, sensitive_features={feature: names})


def instead(module: ModuleType, **others: object) -> SimpleNamespace:
    """Return a module with other functions, for one module under test: whatever else runs here keeps the real ones."""
    return SimpleNamespace(**vars(module) | others)


def moments_of(*samples: np.ndarray) -> MeanStatistics:
    """Return the moments of samples, a group each."""
    codes = np.repeat(np.arange(len(samples)), [len(sample) for sample in samples])
    return moments_by_group(codes, len(samples), np.concatenate(samples))


def mirrored(rng: np.random.Generator, size: int, centre: float, scale: float) -> np.ndarray:
    """Draw a sample whose skewness is zero, so that nothing is widened."""
    half = rng.normal(0.0, scale, size // 2)
    return centre + np.concatenate([half, -half])
