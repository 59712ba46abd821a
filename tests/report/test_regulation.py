"""The table of rules and guidelines: whole, in our words, and it claims nothing."""

import re
from itertools import groupby
from urllib.parse import urlsplit

import pytest

from fairness_checks.report.regulation import REGULATION, Asked

CLAIMS = re.compile(r"\b(fair|unbiased|compliant|certified|safe)\b", re.IGNORECASE)


@pytest.mark.parametrize("asked", REGULATION, ids=lambda asked: f"{asked.text} {asked.place}".replace(":", ""))
def test_row_says_where_it_stands_and_claims_nothing(asked: Asked) -> None:
    assert asked.text
    assert asked.place
    assert asked.asks.endswith(".")
    assert urlsplit(asked.source).scheme == "https"
    assert not CLAIMS.search(f"{asked.asks} {asked.remark}")


def test_every_text_that_a_regulator_reads_is_there_once_a_place() -> None:
    places = [(asked.text, asked.place) for asked in REGULATION]
    assert len(places) == len(set(places))
    named = " ".join(asked.text for asked in REGULATION)
    assert all(text in named for text in ("EU AI Act", "Good Machine", "Change Control", "HTI-1", "TRIPOD", "Law 144"))
    assert {"Art. 9(8)", "Annex IV(2)(g)"} <= {place for _, place in places}


def test_the_rows_of_a_text_stand_together() -> None:
    texts = [text for text, _ in groupby(REGULATION, key=lambda asked: asked.text)]
    assert len(texts) == len(set(texts))


def test_some_rows_are_not_covered_and_say_so_by_naming_no_section() -> None:
    assert any(not asked.answered_by for asked in REGULATION)
    assert any(asked.answered_by for asked in REGULATION)
