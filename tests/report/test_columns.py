"""How many columns a text takes, and where its lines break."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairness_checks.report.columns import columns, padded, together, wrap

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"], include_characters=" "), max_size=300)


@pytest.mark.parametrize(
    ("text", "taken"), [("", 0), ("female", 6), ("女性", 4), ("e\u0301", 1), ("אבג", 3), ("\uff46", 2), ("a\u200db", 2)]
)
def test_columns_that_a_text_takes(text, taken):
    assert columns(text) == taken
    assert columns(padded(text, 9)) == columns(padded(text, 9, right=True)) == 9


@given(TEXT, st.integers(20, 120), st.integers(0, 8))
def test_lines_hold_the_whole_text_and_are_never_too_wide(text, width, indent):
    lines = list(wrap(text, width, " " * indent, " " * (indent + 2)))
    assert all(columns(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(line.startswith(" " * min(indent, width - 12)) for line in lines)


def test_words_that_belong_together_stay_on_a_line():
    text = f"a disparity of {together('0.240 [0.188, 0.291]')} here"
    assert list(wrap(text, 24)) == ["a disparity of", "0.240 [0.188, 0.291]", "here"]


def test_columns_of_a_line_that_fits_are_kept():
    assert list(wrap("female  0.42   of 100", 40, "  ")) == ["  female  0.42   of 100"]
