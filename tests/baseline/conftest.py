"""Entries and baselines as tests need them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fairness_checks.baseline.document import Baseline, Entry, GroupEntry, ModelBaseline
from fairness_checks.baseline.fingerprint import Pseudonyms
from fairness_checks.baseline.secret_key import SecretKey

KEY = SecretKey(bytes(range(32)), "a test")


def make_entry(**changed) -> Entry:
    groups = (
        GroupEntry(name=("female",), n=412, events=173, value=0.4199, variance=None, df=None),
        GroupEntry(name=("male",), n=1316, events=237, value=0.1801, variance=0.000112, df=1315.0),
    )
    values = {
        "check": "subgroups",
        "metric": "false_negative_rate",
        "by": ("sex",),
        "limit_kind": "max_difference",
        "limit": 0.05,
        "verdict": "pass",
        "estimate": 0.03,
        "low": 0.01,
        "high": 0.0451,
        "groups": groups,
        "versions": {"pytest-fairness": "0.1.0", "numpy": "2.4.6", "scipy": "1.17.0"},
        "git_commit": "0123456789abcdef0123456789abcdef01234567+dirty",
        "date": "2027-06-30",
    }
    return Entry(**(values | changed))


def make_model(*entries: Entry, **more) -> ModelBaseline:
    return ModelBaseline(checks={entry.question.line: entry for entry in entries or [make_entry()]}, **more)


def make_baseline(**models: ModelBaseline) -> Baseline:
    return Baseline(models=models or {"sepsis_model": make_model()})


def merged(old: Baseline | None, models: dict[str, ModelBaseline]) -> Baseline:
    """Return a baseline with new entries over the old ones."""
    kept = {} if old is None else dict(old.models)
    for name, model in models.items():
        before = kept[name].checks if name in kept else {}
        kept[name] = replace(model, checks={**before, **model.checks})
    return replace(old or Baseline(), models=kept)


class Make:
    key = KEY
    pseudonyms = Pseudonyms(KEY)
    merged = staticmethod(merged)
    entry = staticmethod(make_entry)
    model = staticmethod(make_model)
    baseline = staticmethod(make_baseline)


@pytest.fixture(scope="session")
def make() -> type[Make]:
    return Make
