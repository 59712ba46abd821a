"""The summary in Markdown: what it says, that names stay text, and that it fits."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fairness_checks.plain import printable
from fairness_checks.records.parts import SuppressionRecord
from fairness_checks.report.markdown import MOST, escaped, summary
from tests.report.sample_evidence import HOSTILE, check, evidence, mixed, record, renamed

_TAGS = {"h2", "h3", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "strong"}
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


class _Text(HTMLParser):
    """Tags of a page, and the text of its cells, items, headings and paragraphs."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts = [], [""]
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        assert not attrs, (tag, attrs)
        self.tags.append(tag)
        if tag in ("td", "li", "h2", "h3", "p"):
            self.texts.append("")

    def handle_data(self, data):
        self.texts[-1] += data


def rendered(text):
    return _Text(MarkdownIt("commonmark", {"linkify": False}).enable(["table", "strikethrough"]).render(text))


def shown(text):
    """Return what stands between two marks, without the signs that isolate a direction."""
    return re.fullmatch(r"(?s)[^«]*«(.*)»[^»]*", text.replace("\u2068", "").replace("\u2069", ""))[1]


def hostile(test):
    for name in HOSTILE:
        test = example(name)(test)
    return settings(max_examples=25, deadline=None)(given(NAMES)(test))


@hostile
def test_a_name_is_shown_as_it_is_in_an_item_and_in_a_cell(name):
    item = rendered(f"- «{escaped(name)}»")
    assert set(item.tags) == {"ul", "li"}
    assert shown(item.texts[-1]) == printable(name)
    cells = rendered(f"| a | b |\n|---|---|\n| «{escaped(name)}» | last |")
    assert cells.tags.count("td") == 2
    assert shown(cells.texts[-2]) == printable(name)
    assert cells.texts[-1].strip() == "last"


@hostile
def test_no_name_changes_the_page(name):
    plain, page = rendered(summary(mixed())), rendered(summary(renamed(mixed(), name)))
    assert set(page.tags) <= _TAGS
    for tag in ("h2", "h3", "table", "tr", "td"):
        assert page.tags.count(tag) == plain.tags.count(tag), tag
    assert page.tags.count("li") == plain.tags.count("li") + 2  # the failure and the test that are added


@pytest.mark.parametrize("text", ["@everyone", "see #12", "https://a.bc", "www.a.bc", ":smile:"])
def test_what_hosts_make_of_plain_text_is_broken_up(text):
    assert "<!-- -->" in escaped(text)
    assert rendered(escaped(text)).texts[-1].strip() == text


def test_the_verdict_stands_first_and_failures_are_told_in_patients():
    lines = summary(mixed()).splitlines()
    assert lines[0] == "## Failed with exit code 1: 3 of 8 checks and tests failed"
    assert lines[2] == "1 failed, 2 in error, 1 not settled, 1 waived, 2 not judged, 1 passed"
    assert lines[4] == "### What failed"
    assert lines[6].startswith(
        "- sepsis misses 40 of 100 with sex=female whose label is 1, and 10 of 100 with sex=male"
    )
    assert "- thresholds.yaml::test_subgroups\\[sepsis-5\\]: no scores" in lines
    assert "- test_own.py::test_x: assert 1 == 2" in lines


def test_what_is_not_settled_says_what_it_would_take():
    text = summary(evidence(check(1, record(4, 12))))
    assert "It needs about" in text
    assert "the data do not settle whether this is kept" in text


def test_why_and_owner_of_a_limit_stand_with_its_failure():
    text = summary(evidence(check(1, record(), why="missed sepsis kills", owner="the board")))
    assert "Why this limit: missed sepsis kills. Who answers for it: the board." in text


def test_a_run_that_did_not_end_says_so_first():
    assert summary(mixed(complete=False)).startswith("## The run did not come to its end, and proves nothing\n")


@pytest.mark.parametrize("most", [MOST, 20_000, 5_000])
def test_a_summary_of_many_checks_fits_and_counts_what_it_leaves_out(most):
    failing = record()
    text = summary(evidence(*(check(number, failing) for number in range(1, 4001))), most)
    assert len(text.encode()) <= most
    for heading, shown_as in (("What failed", "- sepsis misses"), ("All checks", "| **fail**")):
        part = text.partition(f"### {heading}")[2].partition("###")[0]
        left = re.search(r"(?m)^([\d,]+) more are left out", part)
        told = 0 if left is None else int(left[1].replace(",", ""))
        assert told + sum(line.startswith(shown_as) for line in part.splitlines()) == 4000
    assert "4,000 failed" in text


def test_one_name_of_more_than_the_room_is_left_out_and_counted():
    text = summary(renamed(mixed(), "n" * 40_000), 30_000)
    assert len(text.encode()) <= 30_000
    assert "more are left out here" in text


def test_suppressed_numbers_stay_suppressed():
    hidden = dataclasses.replace(
        record(),
        estimate=None,
        low=None,
        high=None,
        p_violation=None,
        p_adjusted=None,
        p_compliance=None,
        first=None,
        second=None,
        detectable=None,
        needed_samples=None,
        needed_samples_if_equal=None,
        groups=(),
        reason="counts are small",
        suppressed=SuppressionRecord(below=11, groups=(("female",), ("male",))),
    )
    text = summary(evidence(check(1, hidden)))
    assert "0.300" not in text
    assert "breaks the limit of 0.10; counts are small" in text


@pytest.mark.parametrize(
    "name",
    [
        "@all",
        "#1",
        "a/b#1",
        "!1",
        "a/b!1",
        "%1",
        "&1",
        "GH-1",
        "gh-1",
        "www.a.b",
        "ftp://a.b",
        ":smile:",
        ":+1:",
        ":100:",
        ":1234:",
        ":8ball:",
        ":1st_place_medal:",
    ],
)
def test_what_hosts_find_behind_markdown_is_broken_up(name):
    assert "<!-- -->" in escaped(name)
    assert shown(rendered(f"- «{escaped(name)}»").texts[-1]) == name


@pytest.mark.parametrize("text", ["2027-01-01T00:10:00Z", "80% of 100", "p = 0.1; n: 5", "sex=female: 0.4"])
def test_what_is_no_reference_stays_as_it_is_written(text):
    assert escaped(text) == text
