"""changed_settings: what of a library's settings is told, and that a library which nobody has set tells nothing."""

from __future__ import annotations

import decimal
import locale
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import polars
import pytest
import sklearn

from fairness_checks.storage.identity import identity_of
from fairness_checks.storage.settings import changed_settings

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def unset():
    """Leave every library as it was."""
    threads, printed = torch.get_num_threads(), np.get_printoptions()
    with (
        np.errstate(),
        warnings.catch_warnings(),
        pd.option_context("display.precision", 6),
        decimal.localcontext(),
        sklearn.config_context(),
        polars.Config(),
    ):
        yield
    np.set_printoptions(**{name: value for name, value in printed.items() if name != "override_repr"})
    for name in ("LC_COLLATE", "LC_NUMERIC"):
        locale.setlocale(getattr(locale, name), "C")
    torch.set_default_dtype(torch.float32)
    torch.use_deterministic_algorithms(False)
    torch.set_float32_matmul_precision("highest")
    torch.set_grad_enabled(True)
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = False
    pd.reset_option("mode.sim_interactive")
    pd.reset_option("compute.use_bottleneck")


CHANGED = {
    "decimal precision": ("decimal", lambda: setattr(decimal.getcontext(), "prec", 5)),
    "decimal rounding": ("decimal", lambda: setattr(decimal.getcontext(), "rounding", decimal.ROUND_UP)),
    "decimal traps": ("decimal", lambda: decimal.getcontext().traps.__setitem__(decimal.Inexact, True)),
    "locale": ("locale", lambda: locale.setlocale(locale.LC_NUMERIC, "C.UTF-8")),
    "numpy errors": ("numpy", lambda: np.seterr(divide="raise")),
    "numpy texts": ("numpy", lambda: np.set_printoptions(precision=3)),
    "pandas computation": ("pandas", lambda: pd.set_option("compute.use_bottleneck", False)),
    "pandas mode": ("pandas", lambda: pd.set_option("mode.sim_interactive", True)),
    "pandas texts": ("pandas", lambda: pd.set_option("display.precision", 2)),
    "polars texts": ("polars", lambda: polars.Config.set_tbl_rows(3)),
    "scikit-learn": ("sklearn", lambda: sklearn.set_config(transform_output="pandas")),
    "scikit-learn checks": ("sklearn", lambda: sklearn.set_config(assume_finite=True)),
    "warnings that are errors": ("warnings", lambda: warnings.simplefilter("error", DeprecationWarning)),
    "torch dtype": ("torch", lambda: torch.set_default_dtype(torch.float64)),
    "torch deterministic": ("torch", lambda: torch.use_deterministic_algorithms(True, warn_only=True)),
    "torch precision": ("torch", lambda: torch.set_float32_matmul_precision("high")),
    "torch gradients": ("torch", lambda: torch.set_grad_enabled(False)),
    "torch threads": ("torch", lambda: torch.set_num_threads(7)),
    "torch cudnn": ("torch", lambda: setattr(torch.backends.cudnn, "benchmark", True)),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_setting_that_was_changed_is_in_the_key(name):
    library, change = CHANGED[name]
    before, problems = changed_settings()
    key = identity_of([len]).key
    assert problems == ()
    change()
    after, problems = changed_settings()
    assert problems == ()
    assert list(after) == sorted({*before, library})
    assert after[library] != before.get(library)
    assert identity_of([len]).key != key


def test_nothing_is_told_of_libraries_that_nobody_has_set_and_none_is_imported():
    script = """
import sys
from fairness_checks.storage.settings import changed_settings
assert changed_settings() == ({}, ())
assert not set(sys.modules) & {"numpy", "pandas", "torch", "sklearn"}
import contextlib, decimal, locale, numpy, pandas, polars, sklearn, torch
with contextlib.suppress(ImportError):  # not among the project's own requirements
    import xgboost
assert changed_settings() == ({}, ()), changed_settings()
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True)


def test_settings_that_cannot_be_read_keep_nothing(monkeypatch):
    before = identity_of([len]).unseen  # what is imported now is not imported under the patch
    with monkeypatch.context() as patch:
        patch.setattr(sklearn, "get_config", None)
        found = set(identity_of([len]).unseen) - set(before)
    assert [line.partition(" (TypeError")[0] for line in found] == ["the settings of sklearn cannot be read"]
