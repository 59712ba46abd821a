"""Names that are suggested: near ones, never one that says the opposite."""

from __future__ import annotations

import pytest

from fairness_checks.errors import did_you_mean
from fairness_checks.question.limits import LIMIT_KINDS


@pytest.mark.parametrize(
    ("name", "allowed", "nearest"),
    [
        ("sexx", ("sex", "age_band"), "sex"),
        ("max_diference", LIMIT_KINDS, "max_difference"),
        ("undersampel", ("oversample", "undersample"), "undersample"),
    ],
)
def test_a_near_name_is_suggested(name, allowed, nearest):
    assert did_you_mean(name, allowed).startswith(f"did you mean {nearest!r}? (allowed: ")


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("min_difference", ("max_difference", "min_ratio")),
        ("max_reduction", ("min_reduction", "max_slope")),
        ("best_case", ("worst_case", "each_mix")),
        ("false_positives", ("true_positives",)),
        ("negative", ("positive",)),
    ],
)
def test_the_opposite_is_not(name, allowed):
    assert did_you_mean(name, allowed) == f"allowed: {', '.join(sorted(allowed))}"


def test_nothing_is_allowed():
    assert did_you_mean("sex", []) == "allowed: none"


@pytest.mark.parametrize(("name", "allowed"), [("sex", ["Sex ", "age"]), ("SEX", ["sex"]), (" sex", ["sex"])])
def test_a_name_that_differs_in_blanks_or_case_is_near_and_its_blanks_are_seen(name, allowed):
    assert did_you_mean(name, allowed).startswith(f"did you mean {allowed[0]!r}? (allowed: ")
    assert "'Sex '" in did_you_mean("other", ["Sex "])
