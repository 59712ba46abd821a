"""No product of an evaluation is rounded to less than float32, and torch's settings are as they were before."""

from __future__ import annotations

import contextlib
import warnings

import pytest

torch = pytest.importorskip("torch")

from fairness_checks import predictions_from_autoencoder  # noqa: E402  (needs torch)
from fairness_checks.adapters.full_precision import full_precision  # noqa: E402

MODERN = hasattr(torch.backends.cudnn, "conv")
"""Whether each operation has a setting of its own."""


def settings():
    """What torch says of itself; None where its settings contradict each other and it refuses."""
    backends = torch.backends
    readers = [lambda: backends.cudnn.allow_tf32, torch.get_float32_matmul_precision]
    readers.append(lambda: backends.cuda.matmul.allow_tf32)
    if MODERN:
        holders = (backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul, backends.mkldnn.matmul)
        readers += [lambda holder=holder: holder.fp32_precision for holder in holders]
    found = []
    for read in readers:
        with contextlib.suppress(RuntimeError):
            found.append(read())
            continue
        found.append(None)
    return found


EXACT = (False, "highest", False, "ieee", "ieee", "ieee", "ieee")


def older(allowed, precision):
    torch.backends.cudnn.allow_tf32 = allowed
    torch.set_float32_matmul_precision(precision)


def newer(**values):
    for library, operation in (("cudnn", "conv"), ("cudnn", "rnn"), ("cuda", "matmul"), ("mkldnn", "matmul")):
        if f"{library}_{operation}" in values:
            getattr(getattr(torch.backends, library), operation).fp32_precision = values[f"{library}_{operation}"]


WAYS = {
    "default": lambda: None,
    "forbidden": lambda: older(False, "highest"),
    "high": lambda: older(True, "high"),
    "medium": lambda: older(False, "medium"),
    "new_product": lambda: newer(cuda_matmul="tf32", mkldnn_matmul="bf16"),
    "new_convolution": lambda: newer(cudnn_conv="ieee"),
    "new_all": lambda: newer(cudnn_conv="tf32", cudnn_rnn="ieee", cuda_matmul="tf32", mkldnn_matmul="tf32"),
    "in_general": lambda: setattr(torch.backends, "fp32_precision", "tf32"),
}


@pytest.fixture(autouse=True)
def _put_back():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of settings that are going out of use
        yield
        if MODERN:
            torch.backends.fp32_precision = "none"
        older(True, "highest")
        if MODERN:
            newer(cudnn_conv="tf32", cudnn_rnn="tf32", cuda_matmul="none", mkldnn_matmul="none")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_rounded_within_and_all_is_as_before_afterwards(way, fails):
    if not MODERN and way.startswith(("new", "in_general")):
        pytest.skip("torch before 2.9 has no such setting")
    WAYS[way]()
    before = settings()
    with contextlib.suppress(ZeroDivisionError), full_precision():
        within = settings()
        _ = 1 // (not fails)
    assert all(found in (exact, None) for found, exact in zip(within, EXACT, strict=False))
    assert not MODERN or within[3:] == list(EXACT[3:])
    assert settings() == before


def test_an_evaluation_is_not_rounded():
    seen = []

    class Halves(torch.nn.Module):
        def forward(self, x):
            seen.append(settings())
            return x / 2

    older(True, "high")
    predictions_from_autoencoder(Halves(), torch.rand(3, 4), sensitive_features={"g": list("aab")}, uncertainty=None)
    assert seen == [list(EXACT[: len(seen[0])])]
    assert settings()[:2] == [True, "high"]


def test_it_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with full_precision():
            pass
