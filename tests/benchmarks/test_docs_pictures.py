"""Pictures of the documentation are those that their script draws."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks.docs_pictures import IMAGES, PICTURES


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_as_drawn_and_says_in_words_what_it_shows(name):
    drawn = f"{PICTURES[name]()}\n"
    assert (IMAGES / name).read_text(encoding="utf-8") == drawn, "python -m benchmarks.docs_pictures"
    words = ElementTree.fromstring(drawn).find("{http://www.w3.org/2000/svg}desc").text
    assert sum(character.isdigit() for character in words) > 20
