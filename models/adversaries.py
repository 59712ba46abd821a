"""Adversaries of fair boosting: models that guess the sensitive group from a score, and the gradient of their loss.

Closed-form gradients throughout; the sensitive group may have more than two values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logsumexp

__all__ = ["Adversary", "LogisticAdversary", "NeuralAdversary", "Seen", "cross_fitted_loss"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What an adversary is shown of n samples, and what it should say.

    Attributes
    ----------
    score : ndarray of float64
        (n,); probability of the second label, in [0, 1].
    stratum : ndarray of int
        (n,); the true label, 0 or 1, for equalized odds; all 0 for demographic parity.
    group : ndarray of int
        (n,); the sensitive group, 0 to K - 1.
    """

    score: Floats
    stratum: Ints
    group: Ints

    def rows(self, chosen: npt.NDArray[np.bool_]) -> Seen:
        """Return some of the samples."""
        return Seen(self.score[chosen], self.stratum[chosen], self.group[chosen])


class Adversary(Protocol):
    """Guesses the group of a sample from its score, and from its label where the stratum is the label."""

    def loss(self, seen: Seen) -> float:
        """Return the mean cross-entropy of the group, in nats."""

    def score_gradient(self, seen: Seen) -> Floats:
        """Return (n,); derivative of each sample's own cross-entropy with respect to its score."""

    def update(self, seen: Seen, learning_rate: float, n_steps: int) -> None:
        """Take gradient steps on `loss`."""


class LogisticAdversary:
    """Multinomial logistic regression of the group on the score, one for each stratum.

    P(group = k | score u, stratum t) is proportional to exp(a_tk + b_tk u). It starts from b = 0 and the group's
    shares in each stratum, which is the best guess without a score.

    Parameters
    ----------
    stratum, group : ndarray of int
        (n,); of the training samples.
    n_groups : int
        K.
    n_strata : int, optional
        How many strata there are, where the samples may lack one.

    Examples
    --------
    >>> seen = Seen(np.array([0.2, 0.9]), np.array([0, 0]), np.array([0, 1]))
    >>> adversary = LogisticAdversary(seen.stratum, seen.group, n_groups=2)
    >>> bool(np.isclose(adversary.loss(seen), np.log(2)))
    True
    >>> adversary.update(seen, learning_rate=1.0, n_steps=10)
    >>> adversary.loss(seen) < 0.6
    True
    """

    def __init__(self, stratum: Ints, group: Ints, n_groups: int, n_strata: int | None = None) -> None:
        self.n_strata = int(stratum.max()) + 1 if n_strata is None else n_strata
        cells = np.bincount(stratum * n_groups + group, minlength=self.n_strata * n_groups)
        shares = (
            cells.reshape(self.n_strata, n_groups)
            / np.maximum(np.bincount(stratum, minlength=self.n_strata), 1)[:, None]
        )
        rare = np.log(np.maximum(shares, 1 / (2 * len(group))))  # a cell without a sample: half a sample
        self.coef = np.vstack([rare, np.zeros_like(rare)]).T  # (K, 2 strata): intercepts, then slopes

    def forget(self, rng: np.random.RandomState) -> None:
        """Start from weights drawn from a standard normal distribution, those of the first group 0."""
        self.coef = rng.normal(size=self.coef.shape)
        self.coef[0] = 0

    def loss(self, seen: Seen) -> float:
        """Return the mean cross-entropy of the group, in nats."""
        return _cross_entropy(self.coef @ self._design(seen), seen.group)

    def score_gradient(self, seen: Seen) -> Floats:
        """Return (n,); d/du of -log P(group | u) = sum over k of (P(k | u) - 1{group = k}) b_k."""
        error = _softmax_error(self.coef @ self._design(seen), seen.group)
        gradient: Floats = (error * self.coef[:, self.n_strata :][:, seen.stratum]).sum(axis=0)
        return gradient

    def update(self, seen: Seen, learning_rate: float, n_steps: int) -> None:
        """Take gradient steps on `loss`; it is convex with curvature at most 1, so that rates below 2 converge."""
        design = self._design(seen)
        for _ in range(n_steps):
            self.coef -= learning_rate / design.shape[1] * (_softmax_error(self.coef @ design, seen.group) @ design.T)

    def settle(self, seen: Seen) -> None:
        """Go to the least `loss`, with half a squared slope of each group and stratum added to the sum over samples."""
        design = self._design(seen)
        n = design.shape[1]
        slopes = np.arange(self.coef.shape[1]) >= self.n_strata  # without them separable groups have no least loss

        def penalised(flat: Floats) -> tuple[float, Floats]:
            coef = flat.reshape(self.coef.shape)
            logits = coef @ design
            gradient = (_softmax_error(logits, seen.group) @ design.T + slopes * coef) / n
            value = _cross_entropy(logits, seen.group) + float((coef[:, slopes] ** 2).sum()) / (2 * n)
            return value, gradient.ravel()

        self.coef = minimize(penalised, self.coef.ravel(), jac=True, method="L-BFGS-B").x.reshape(self.coef.shape)

    def _design(self, seen: Seen) -> Floats:
        # (2 strata, n): samples in the last axis, where NumPy sums over groups fast
        indicator: Floats = np.equal.outer(np.arange(self.n_strata), seen.stratum).astype(np.float64)
        return np.vstack([indicator, indicator * seen.score])


class NeuralAdversary:
    """One hidden layer of tanh units on score and stratum, for what a straight line in the score does not see.

    Parameters
    ----------
    n_hidden : int
        Number of hidden units H.
    n_groups : int
        K.
    rng : numpy.random.RandomState
        Draws the first weights.

    Examples
    --------
    >>> u = np.linspace(0, 1, 101)
    >>> seen = Seen(u, np.zeros(101, dtype=int), (np.abs(u - 0.5) < 0.25).astype(int))
    >>> adversary = NeuralAdversary(8, 2, np.random.RandomState(0))
    >>> adversary.update(seen, learning_rate=1.0, n_steps=2000)
    >>> adversary.loss(seen) < 0.4  # a logistic adversary stays at log(2) = 0.69
    True
    """

    def __init__(self, n_hidden: int, n_groups: int, rng: np.random.RandomState) -> None:
        self.inner = rng.normal(size=(n_hidden, 3))  # from score, stratum and 1
        self.outer = rng.normal(scale=0.1, size=(n_groups, n_hidden + 1))

    def loss(self, seen: Seen) -> float:
        """Return the mean cross-entropy of the group, in nats."""
        return _cross_entropy(self.outer @ self._hidden(self._inputs(seen)), seen.group)

    def score_gradient(self, seen: Seen) -> Floats:
        """Return (n,), by the chain rule through both layers."""
        hidden = self._hidden(self._inputs(seen))
        error = _softmax_error(self.outer @ hidden, seen.group)
        gradient: Floats = (2 * self.inner[:, 0]) @ self._inner_error(hidden, error)  # 2: see _inputs
        return gradient

    def update(self, seen: Seen, learning_rate: float, n_steps: int) -> None:
        """Take gradient steps on `loss`."""
        inputs = self._inputs(seen)
        for _ in range(n_steps):
            hidden = self._hidden(inputs)
            error = _softmax_error(self.outer @ hidden, seen.group) / len(seen.group)
            inner_step = self._inner_error(hidden, error) @ inputs.T
            self.outer -= learning_rate * (error @ hidden.T)
            self.inner -= learning_rate * inner_step

    def _inputs(self, seen: Seen) -> Floats:
        # (3, n), in [-1, 1]
        return np.vstack([2 * seen.score - 1, 2.0 * seen.stratum - 1, np.ones_like(seen.score)])

    def _hidden(self, inputs: Floats) -> Floats:
        # (H + 1, n); divided by the square root of H, so that one learning rate suits any number of units
        units = np.tanh(self.inner @ inputs) / np.sqrt(len(self.inner))
        return np.vstack([units, np.ones(inputs.shape[1])])

    def _inner_error(self, hidden: Floats, error: Floats) -> Floats:
        n_hidden = len(self.inner)
        slope = (1 - n_hidden * hidden[:-1] ** 2) / np.sqrt(n_hidden)  # of a unit: tanh' = 1 - tanh^2
        passed_on: Floats = (self.outer[:, :-1].T @ error) * slope  # (H, n)
        return passed_on


def cross_fitted_loss(seen: Seen, fold: Ints, n_groups: int) -> float:
    """Return the mean cross-entropy of the group, in nats, of logistic adversaries that learnt from other folds.

    Each fold is guessed by an adversary that has settled on the samples of all others, so that what it knows of the
    score it knows of new samples. Where scores tell nothing, it is a little above that of an adversary without a score.

    Parameters
    ----------
    seen : Seen
        n samples, with the scores of models that did not learn from them.
    fold : ndarray of int
        (n,); at least two different ones.
    n_groups : int
        K.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> group, noise = rng.integers(2, size=400), rng.random(400)
    >>> strata, fold = np.zeros(400, dtype=int), np.arange(400) % 5
    >>> cross_fitted_loss(Seen(noise, strata, group), fold, 2) > 0.69  # log(2) is 0.693
    True
    >>> cross_fitted_loss(Seen((noise + group) / 2, strata, group), fold, 2) < 0.4
    True
    """
    total = 0.0
    for number in np.unique(fold):
        held_out, others = seen.rows(fold == number), seen.rows(fold != number)
        adversary = LogisticAdversary(others.stratum, others.group, n_groups, n_strata=int(seen.stratum.max()) + 1)
        adversary.settle(others)
        total += adversary.loss(held_out) * len(held_out.group)
    return total / len(seen.group)


def _softmax_error(logits: Floats, group: Ints) -> Floats:
    """Return (K, n); probabilities minus the indicator of the true group, the gradient of the cross-entropy."""
    error: Floats = np.exp(logits - logits.max(axis=0))
    error /= error.sum(axis=0)
    error[group, np.arange(len(group))] -= 1
    return error


def _cross_entropy(logits: Floats, group: Ints) -> float:
    return float(np.mean(logsumexp(logits, axis=0) - logits[group, np.arange(len(group))]))
