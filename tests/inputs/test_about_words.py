"""What a model and its data are, in words."""

from __future__ import annotations

import re

import pytest

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.about import read_about


def test_words_are_sorted_by_their_name():
    assert list(read_about({"preset": "tiny", "data": "phantoms"})) == ["data", "preset"]
    assert read_about(None) == {}


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"Preset": "tiny"}, "about: name 'Preset' must be small letters, digits and underscores"),
        ({"": "tiny"}, "about: name '' must be small letters"),
        ({1: "tiny"}, "about: name 1 must be small letters"),
        ({"preset": " "}, "about['preset']: ' ' must be text that is not empty"),
        ({"preset": 3}, "about['preset']: 3 must be text that is not empty"),
        ({"preset": "a\ud800"}, "holds half a character"),
    ],
)
def test_what_no_report_could_show_is_refused(about, said):
    with pytest.raises(InvalidPredictions, match=re.escape(said)):
        read_about(about)
