"""Outputs in other orders and under other names are taken by declaration; what is there is listed where it is not."""

from __future__ import annotations

import types
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  (needs torch)

from fairness_checks import predictions_from_autoencoder  # noqa: E402
from fairness_checks.adapters.autoencoder_output import SPREADS  # noqa: E402
from fairness_checks.errors import InvalidPredictions  # noqa: E402

ROWS = 24
IMAGES = np.random.default_rng(0).random((ROWS, 6), dtype=np.float32)
GROUPS = {"g": ["a", "b", "b"] * 8}


class Coding(nn.Module):
    """Parts of a trained autoencoder, means of both signs, log variances below 0, as `shape` makes them."""

    def __init__(self, shape) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.decoder = nn.Linear(6, 6)
        self.shape = shape

    def parts(self, x):
        return self.decoder(x), 4 * x[:, :3] - 2, -3 * x[:, 3:] - 0.1

    def forward(self, x):
        return self.shape(*self.parts(x))


def judged(shape, **arguments):
    return predictions_from_autoencoder(Coding(shape), IMAGES, sensitive_features=GROUPS, **arguments)


def refused(message, shape, **arguments):
    with pytest.raises(InvalidPredictions, match=message):
        judged(shape, **arguments)


USUAL = judged(lambda r, m, v: (r, m, v))
SPREAD = np.exp((-3 * IMAGES[:, 3:] - 0.1) / 2).mean(axis=1)
OF_LOG_VARIANCE = {
    "log_variance": lambda v: v,
    "variance": lambda v: v.exp(),
    "standard_deviation": lambda v: (v / 2).exp(),
}
DECLARED = {
    "places": (lambda r, m, s: (r, s, m), lambda kind: ("reconstruction", kind, "mean")),
    "places, a list": (lambda r, m, s: [s, m, r], lambda kind: [kind, "mean", "reconstruction"]),
    "places that are not read": (lambda r, m, s: (0.1, r, None, s), lambda kind: (None, "reconstruction", None, kind)),
    "more places than declared": (lambda r, m, s: (r, s, m, "x"), lambda kind: ("reconstruction", kind)),
    "numbered places": (lambda r, m, s: (m, r, s), lambda kind: {1: "reconstruction", 2: kind}),
    "keys": (
        lambda r, m, s: {"y": r, "mu": m, "sigma": s, "loss": 1.0},
        lambda kind: {"y": "reconstruction", "sigma": kind, "mu": "mean"},
    ),
    "keys that mean something else elsewhere": (
        lambda r, m, s: {"mean": r, "log_variance": m, "reconstruction": s},
        lambda kind: {"mean": "reconstruction", "log_variance": "mean", "reconstruction": kind},
    ),
    "keys that are no text": (lambda r, m, s: {0: s, 1: r}, lambda kind: {1: "reconstruction", 0: kind}),
    "attributes": (
        lambda r, m, s: types.SimpleNamespace(sample=r, scale=s),
        lambda kind: {"sample": "reconstruction", "scale": kind},
    ),
}


@pytest.mark.parametrize("kind", SPREADS)
@pytest.mark.parametrize("case", DECLARED)
def test_a_declared_output_is_what_it_is_declared_to_be(case, kind):
    shape, outputs = DECLARED[case]
    found = judged(lambda r, m, v: shape(r, m, OF_LOG_VARIANCE[kind](v)), outputs=outputs(kind), batch_size=7)
    np.testing.assert_allclose(found.error, USUAL.error, rtol=1e-5)
    np.testing.assert_allclose(found.uncertainty, SPREAD, rtol=1e-5)


def test_without_uncertainty_the_reconstruction_is_declared_alone():
    for shape, outputs in [
        (lambda r, m, v: (m, r), (None, "reconstruction")),
        (lambda r, m, v: {"y": r, "sigma": "x"}, {"y": "reconstruction"}),
        (lambda r, m, v: {"y": r, "sigma": "x"}, {"y": "reconstruction", "sigma": "standard_deviation"}),
        (lambda r, m, v: r, ("reconstruction",)),
    ]:
        found = judged(shape, outputs=outputs, uncertainty=None)
        np.testing.assert_allclose(found.error, USUAL.error, rtol=1e-5)
        assert found.uncertainty is None


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ("reconstruction", r"^outputs: 'reconstruction'; give what each place means, such as \(\"reconstruction\", "),
        (3, r"^outputs: 3; give"),
        (("reconstruction", "std"), r"^outputs: 'std'; "),
        (("reconstruction", "log_variances"), r"^outputs: 'log_variances'; did you mean 'log_variance'\?"),
        (("reconstruction", ["mean"]), r"^outputs: \['mean'\]; "),
        (("mean", "log_variance"), r"^outputs: mean, log_variance; one reconstruction is needed"),
        ((), r"^outputs: nothing; one reconstruction is needed"),
        ({"a": "reconstruction", "b": "reconstruction"}, r"^outputs: reconstruction, reconstruction; one"),
        (
            ("reconstruction", "variance", "log_variance"),
            r"at most one mean and one of log_variance, variance, standard",
        ),
        (
            ("reconstruction", "mean"),
            r"^outputs: reconstruction, mean, without one of log_variance, .*uncertainty=None$",
        ),
        (
            {"reconstruction": "y", "standard_deviation": "sigma"},
            r"the wrong way round; write outputs=\{'y': 'reconstruction', 'sigma': 'standard_deviation'\}$",
        ),
    ],
)
def test_a_declaration_that_says_nothing_is_refused(outputs, message):
    refused(message, lambda r, m, v: (r, m, v), outputs=outputs)


@pytest.mark.parametrize(
    ("shape", "outputs", "message"),
    [
        (
            lambda r, m, v: {"y": r, "sd": v},
            {"y": "reconstruction", "sigma": "standard_deviation"},
            r"^outputs: 'sigma' is declared to be the standard deviation, and Coding returned dict \(y, sd\) ",
        ),
        (
            lambda r, m, v: types.SimpleNamespace(y=r),
            {"y": "reconstruction", "sigma": "variance"},
            r"^outputs: 'sigma' is declared .*, and Coding returned SimpleNamespace \(y\) \(images 0 to 23\)$",
        ),
        (
            lambda r, m, v: (r, v),
            (None, None, "reconstruction", "variance"),
            r"^outputs: 2 is .* Coding returned 2 things",
        ),
        (lambda r, m, v: r, (None, "reconstruction", "variance"), r"^outputs: 1 is declared to be the reconstruction"),
        (lambda r, m, v: (r, v, m), {"y": "reconstruction", 1: "variance"}, r"^outputs: 'y' is .* returned 3 things"),
    ],
)
def test_what_is_declared_and_not_there_is_named_beside_what_is(shape, outputs, message):
    refused(message, shape, outputs=outputs)


NAMED = ["std", "sigma", "scale", "var", "variance"]


@pytest.mark.parametrize("container", [dict, types.SimpleNamespace])
@pytest.mark.parametrize("name", NAMED)
def test_the_spread_under_another_name_is_never_guessed_and_its_declaration_is_shown(name, container):
    kind = "variance" if name.startswith("var") else "standard_deviation"

    def shape(r, m, v):
        return container(**{"recon": r, "mu": m, name: OF_LOG_VARIANCE[kind](v)})

    with pytest.raises(InvalidPredictions) as caught:
        judged(shape)
    message = str(caught.value)
    assert f"({', '.join(['recon', 'mu', name])}) without a log_variance" in message
    shown = {"recon": "reconstruction", "mu": "mean", name: kind}
    assert f"or declare what is there: outputs={shown!r}" in message
    np.testing.assert_allclose(judged(shape, outputs=shown).uncertainty, SPREAD, rtol=1e-5)


def test_an_output_of_unknown_names_shows_what_a_declaration_looks_like():
    refused(
        r"returned dict \(a, b\) without a reconstruction; name it one of .*, or declare what is there: "
        r"outputs=\{'NAME': 'reconstruction', 'NAME_2': 'standard_deviation'\}",
        lambda r, m, v: {"a": r, "b": v},
    )


# --- mean and log variance the other way round


def test_log_variances_and_means_the_other_way_round_are_refused_until_they_are_declared():
    message = (
        r"^Coding: the second of three, taken as the mean, never exceeds -0\.1.*, and \d\d% of the third, .* positive,"
        r' as if they stood the other way round; declare them: outputs=\("reconstruction", "log_variance", "mean"\)'
    )
    refused(message, lambda r, m, v: (r, v, m))
    refused(message, lambda r, m, v: [r, v, m], batch_size=1)
    as_given = judged(lambda r, m, v: (r, v, m), outputs=("reconstruction", "mean", "log_variance"))
    np.testing.assert_allclose(as_given.uncertainty, np.exp(2 * IMAGES[:, :3] - 1).mean(axis=1), rtol=1e-5)


USUAL_ORDERS = {
    "trained": lambda m, v: (m, v),
    "no code is used": lambda m, v: (m * 0, v * 0),
    "means of 0": lambda m, v: (m * 0, -v),
    "wide": lambda m, v: (m, v + 5),
    "means below 0, sharp": lambda m, v: (-m.abs(), v),
    "nothing learned": lambda m, v: (m / 40, m / 30),
}


@pytest.mark.parametrize("case", USUAL_ORDERS)
def test_codes_in_the_usual_order_are_taken(case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = judged(lambda r, m, v: (r, *USUAL_ORDERS[case](m, v)))
    assert (found.uncertainty > 0).all()


# --- values that cannot be


@pytest.mark.parametrize("kind", SPREADS)
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -1.0])
def test_a_spread_that_is_none_is_refused_with_its_row(kind, value):
    def shape(r, m, v):
        spread = OF_LOG_VARIANCE[kind](v).clone()
        spread[(r == r[-1]).all(dim=1).nonzero()[:, 0], 1] = value
        return r, spread

    outputs = ("reconstruction", kind)
    if kind == "log_variance" and value == -1.0:
        assert len(judged(shape, outputs=outputs)) == ROWS
        return
    message = (
        r"^Coding: standard deviation of the code: NaN, infinite or too large, or negative as a variance in 3 of 24 "
    )
    refused(message + r"images: rows 7, 15, 23 \(by position, from 0\)$", shape, outputs=outputs, batch_size=8)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (lambda r, m, v: (r, m, v[:, :0]), r"^Coding: log variance of shape \(8, 0\), mean of shape \(8, 3\)"),
        (lambda r, m, v: (r[:, :5], m, v), r"^Coding: reconstruction of shape \(8, 5\) .*\(images 0 to 7\)$"),
        (
            lambda r, m, v: (r.to_sparse(), m, v),
            r"^Coding: reconstruction is a tensor that is torch.sparse_coo; return a",
        ),
        (lambda r, m, v: (r.to("meta"), m, v), r"^Coding: reconstruction is a tensor that is on the meta device"),
        (
            lambda r, m, v: (r * 1j, m, v),
            r"^Coding: reconstruction is Tensor of shape \(8, 6\), torch\.complex64; a ten",
        ),
        (
            lambda r, m, v: 1 / 0,
            r"^Coding failed for images 0 to 7 \(Tensor of .*\): ZeroDivisionError: division by zero",
        ),
    ],
)
def test_an_output_that_is_none_names_the_images(shape, message):
    refused(message, shape, batch_size=8)


def test_an_output_that_changes_on_its_way_names_the_images():
    class Moody(Coding):
        def forward(self, x):
            parts = self.parts(x)
            return parts if len(x) == 8 else (parts[0],)

    images = np.concatenate([IMAGES, IMAGES[:1]])
    with pytest.raises(InvalidPredictions, match=r"^Moody returned other parts for image 24 than for those before"):
        predictions_from_autoencoder(Moody(None), images, sensitive_features=["a"] * 25, batch_size=8)


def test_channels_that_stand_last_are_seen_where_the_module_fails():
    images = np.zeros((ROWS, 8, 9, 3), dtype=np.float32)
    with pytest.raises(InvalidPredictions, match=r"; channels stand last: .*give images\.transpose\(0, 3, 1, 2\)$"):
        predictions_from_autoencoder(nn.Conv2d(3, 3, 1), images, sensitive_features=GROUPS)
