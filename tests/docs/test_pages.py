"""What all pages of Markdown keep: links lead somewhere, lines are short, options exist, made pages are as made."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

import fairness_checks
import fairness_checks.sweep
import fairness_checks.testing
from fairness_checks.config.export import json_schema

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 100
BLOCK_WIDTH = 110  # of a line of code or output
FOLDERS = (".github", "benchmarks", "docs", "models", "tests")
PAGES = sorted([*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))])
REFERENCE = runpy.run_path(str(ROOT / "docs" / "write_reference.py"))
MADE = REFERENCE["PAGES"]


def name(path):
    return path.relative_to(ROOT).as_posix()


def without_blocks(text):
    return re.sub(r"(?ms)^ *```.*?^ *```$|<!--.*?-->", "", text)


def anchors(path):
    """Return the anchors of a page, as GitHub makes them."""
    found = []
    for title in re.findall(r"(?m)^#+ (.*)$", without_blocks(path.read_text(encoding="utf-8"))):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        found.append(re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-"))
    return found


def too_wide(text):
    """Return lines that are too long and could be shorter: no table, no block, no address with little beside it."""
    wide = [line for line in without_blocks(text).splitlines() if len(line) > WIDTH]
    return [line for line in wide if not line.lstrip().startswith("|") and max(map(len, line.split())) < WIDTH // 2]


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_lead_to_pages_files_and_headings(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        place = (path.parent / file).resolve() if file else path
        assert place.exists(), target
        assert not anchor or anchor in anchors(place), target


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_headings_of_a_page_have_different_anchors(path):
    if path.name != "CHANGELOG.md":
        assert len(anchors(path)) == len(set(anchors(path)))


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_lines_are_short(path):
    found = too_wide(path.read_text(encoding="utf-8"))
    assert not found, found[:3]


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_blocks_are_seen_without_scrolling(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [line for line in lines if len(line) > BLOCK_WIDTH and not line.lstrip().startswith("|")]
    assert not [line for line in found if max(map(len, line.split())) < WIDTH // 2], found


@pytest.mark.parametrize(
    ("line", "seen"),
    [("word " * 21, True), ("| " + "word " * 21, False), ("```\n" + "word " * 21 + "\n```", False), ("word", False)],
)
def test_a_long_line_is_seen(line, seen):
    assert bool(too_wide(line)) is seen


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_options_that_a_page_names_are_there(path, pytestconfig):
    known = {option for group in pytestconfig._parser._groups for each in group.options for option in each.names()}
    if path.name != "CHANGELOG.md":  # which tells of options that went
        named = set(re.findall(r"(?<![\w-])--fairness[\w-]*", path.read_text(encoding="utf-8")))
        assert {option for option in named if not option.endswith("-")} <= known


@pytest.mark.parametrize("page", sorted(MADE))
def test_a_made_page_is_as_made(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert text == MADE[page](), "run: python docs/write_reference.py"


def test_every_shape_of_the_schema_has_its_table():
    assert set(REFERENCE["SHAPES"]) == {"", *json_schema()["$defs"]} - {"ProfileSpec"}  # whose keys ModelSpec has


def test_every_public_name_stands_in_the_reference():
    listed = re.findall(r"^   ([\w.]+)$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(listed) == len(set(listed))
    ours = {*fairness_checks.__all__, *fairness_checks.sweep.__all__, "testing.check_metric", "testing.drawn"}
    assert set(listed) == ours


def test_every_page_of_the_site_is_found_from_its_start():
    found, waiting = set(), ["index"]
    while waiting:
        text = (ROOT / "docs" / f"{waiting[-1]}.md").read_text(encoding="utf-8")
        found.add(waiting.pop())
        for listed in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL):
            waiting += [line for line in listed.splitlines() if line and not line.startswith(":")]
    assert found == {path.stem for path in (ROOT / "docs").glob("*.md")}
