"""Names in texts: what Python's own parser says, of prose at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairness_checks.storage import texts
from fairness_checks.storage.texts import named_in

PIECES = [
    *("a", "b1", "é", "2", "1.5", "not", "in", "and", "if", "else", "lambda", "type", "match", "is", "for", "await"),
    *(" ", "  ", "\t", "\n", "+", "(", ")", "[", "]", ",", ".", ":", "~", "@", "|", "'", '"', "#", "=", "*"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_what_is_taken_for_prose_is_what_the_parser_refuses(text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "_is_prose", lambda text: False)
        parsed = named_in.__wrapped__(text)
    assert named_in.__wrapped__(text) == parsed


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("acute renal failure, with (unspecified) cause", {"with"}),
        ("acute or chronic", {"acute", "chronic"}),
        ("scale(age) in known", {"scale", "age", "known"}),
        ("the rate of steps(x)", {"steps"}),
    ],
)
def test_names_in_prose_and_in_expressions(text, names):
    assert named_in(text) == names
