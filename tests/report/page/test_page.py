"""The page: every check has its card, a red run is red at the top, names stay text, nothing is requested."""

from __future__ import annotations

import dataclasses
import re
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairness_checks.plain import printable
from fairness_checks.report.evidence import (
    CheckEvidence,
    ConfigurationEvidence,
    FailureEvidence,
    ModelEvidence,
    read_evidence,
    write_evidence,
)
from fairness_checks.report.figures import FigureTable
from fairness_checks.report.figures.svg import TEXT
from fairness_checks.report.outcomes import outcomes, run_words
from fairness_checks.report.page.cards import cards_of
from fairness_checks.report.page.environment import _upright
from fairness_checks.report.page.opening import opening_of
from fairness_checks.report.page.page import SECTIONS
from fairness_checks.report.regulation import REGULATION
from fairness_checks.report.text import headline
from tests.report.page.runs import ALIKE, BIASED, TINY, Page, page_of, record_of, run_of, withheld

FAILED = record_of(BIASED, "a_model")
UNSETTLED = record_of(TINY, "b_model")
PASSED = record_of(ALIKE, "c_model")
WAIVED = record_of(BIASED, "d_model", waived=True)
HIDDEN = withheld(record_of(TINY, "e_model"))
RECORDS = (PASSED, UNSETTLED, WAIVED, FAILED, HIDDEN)
NOT_RUN = ModelEvidence(
    model="f_model",
    checks=(CheckEvidence(question="subgroups: precision by sex, min_value"),),
)
BROKEN = ModelEvidence(
    model="g_model",
    checks=(CheckEvidence(question="subgroups: accuracy by sex, min_value", error="InputError: no such feature"),),
)
ALL = run_of(*RECORDS, extra=(NOT_RUN, BROKEN))
RED_MARK = "#e0434a"


@pytest.fixture(scope="module")
def page():
    return Page(page_of(ALL))


def cards(page):
    return [e[2].split(":")[0].strip() for e in page.all("h3") if e[1].get("id", "").startswith("check-")]


def test_every_check_has_a_card_and_what_failed_comes_first(page):
    words = cards(page)
    assert words == ["Failed", "No verdict", "Inconclusive", "Inconclusive", "Waived", "Passed", "Not run"]
    for record in RECORDS:
        assert headline(record) in page.visible
    assert "It could not be made: InputError: no such feature" in page.visible


def test_every_section_is_there_with_its_heading_and_a_link(page):
    assert [e[1]["id"] for e in page.all("h2")] == list(SECTIONS)
    links = {e[1]["href"] for e in page.all("a") if e[1]["href"].startswith("#")}
    ids = [e[1]["id"] for e in page.elements if "id" in e[1]]
    assert len(set(ids)) == len(ids)
    assert {f"#{key}" for key in SECTIONS} <= links
    assert {link[1:] for link in links} <= set(ids)
    named = [key for e in page.elements for key in e[1].get("aria-labelledby", "").split()]
    assert set(named) <= set(ids)


def test_rules_point_at_sections_that_there_are():
    assert {key for row in REGULATION for key in row.answered_by} <= set(SECTIONS)


def test_every_picture_has_words_and_a_table(page):
    pictures = page.all("svg", role="img")
    assert len(pictures) == len(RECORDS)
    for _, attributes, text in pictures:
        title, description = attributes["aria-labelledby"].split()
        for key in (title, description):
            assert [e for e in page.elements if e[1].get("id") == key and e[2].strip()]
        assert f"{title.removesuffix('-groups-title')}-caption" in {e[1].get("id") for e in page.all("caption")}
        assert text
    for svg in page.all("svg"):
        assert svg[1].get("role") == "img" or svg[1].get("aria-hidden") == "true"


def test_pictures_need_no_style(page):
    for tag, attributes, _ in page.elements:
        assert "style" not in attributes
        assert not {name for name in attributes if name.startswith("on")}
        if tag == "svg" and attributes.get("role") == "img":
            width, height = attributes["width"], attributes["height"]
            assert attributes["viewbox"] == f"0 0 {width} {height}"
            assert float(width) <= 368
            assert attributes["fill"] == "currentColor"
        if tag == "text":
            assert float(attributes.get("font-size", TEXT)) >= 11
            assert "fill" not in attributes


def test_the_table_beside_a_picture_says_what_the_record_says(page):
    rows = [e[2].split("\n") for e in page.all("tr")]
    flat = ["".join(row) for row in rows]
    for group in FAILED.groups:
        assert any(f"{group.label}{group.rate:.3f}{group.low:.3f} to {group.high:.3f}" in row for row in flat)
    assert any(f"Difference{FAILED.estimate:.3f}{FAILED.low:.3f} to {FAILED.high:.3f}" in row for row in flat)


def test_nothing_is_requested_and_nothing_runs(page):
    assert not page.all("script")
    assert not page.all("link")
    assert not page.all("img")
    assert not page.all("iframe")
    html = page_of(ALL)
    assert "url(" not in html
    assert "@import" not in html
    assert "data:" not in re.sub(r"[\w]+ data:", "", page.all("style")[0][2])
    policy = next(e[1]["content"] for e in page.all("meta") if e[1].get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


def test_the_page_made_in_the_run_is_the_one_made_from_the_file():
    evidence, intact = read_evidence(write_evidence(ALL))
    assert intact
    assert page_of(evidence) == page_of(ALL)


UNDER_COMPLIANCE = dataclasses.replace(UNSETTLED, burden_of_proof="compliance")
FAILURE = FailureEvidence(test="thresholds.yaml::test_waiver[x]", text="unused")


@pytest.mark.parametrize(
    ("run", "title"),
    [
        (run_of(FAILED), "Red: 1 of 1 check failed"),
        (run_of(PASSED, UNDER_COMPLIANCE, exit_code=1), "Red: 1 of 2 checks failed"),
        (run_of(PASSED, complete=False, exit_code=1), "Red: this run did not come to its end"),
        (run_of(complete=False, exit_code=1), "Red: this run did not come to its end"),
        (run_of(PASSED, failures=(FAILURE,), exit_code=1), "Red: the run failed, though no check did"),
        (run_of(PASSED, exit_code=1), "Red: the run failed, though no check did"),
        (run_of(PASSED, exit_code=2), "Red: the run failed, though no check did"),
        (run_of(FAILED, exit_code=0), "Red: 1 of 1 check failed"),
        (run_of(PASSED, extra=(BROKEN,), exit_code=1), "Red: 1 check could not be made"),
        (run_of(PASSED, FAILED, extra=(BROKEN,), exit_code=1), "Red: 1 of 2 checks failed; 1 check could not be made"),
    ],
    ids=["failed", "compliance", "killed", "began", "waiver", "code-1", "code-2", "code-contradicts", "error", "both"],
)
def test_a_red_run_is_red_at_the_top(run, title):
    page = Page(page_of(run))
    (header,) = page.all("header")
    assert header[1]["class"] == "red"
    assert page.all("h1")[0][2].strip() == title
    assert title in page.all("title")[0][2]
    assert page_of(run).index(RED_MARK) < page_of(run).index("</h1>")
    assert "Green" not in page.visible


@pytest.mark.parametrize(
    ("run", "colour", "title"),
    [
        (run_of(PASSED), "green", "Green: each limit is shown to be kept"),
        (run_of(PASSED, WAIVED), "green", "Green: each limit is shown to be kept, or waived"),
        (run_of(PASSED, UNSETTLED), "part", "Not settled: 1 of 2 checks; the others keep their limits"),
        (run_of(PASSED, whole=False), "part", "Only a part was judged: there, no limit is shown to be exceeded"),
        (run_of(PASSED, not_judged={"x": "unchecked"}), "green", "Green: each limit is shown to be kept"),
        (run_of(PASSED, not_judged={"thresholds.yaml::test_x": "deselected"}), "part", "Only a part was judged"),
        (run_of(PASSED, extra=(NOT_RUN,)), "part", "Only a part was judged"),
        (run_of(), "part", "Nothing was judged"),
    ],
    ids=["green", "waived", "unsettled", "part", "unchecked", "deselected", "not-run", "nothing"],
)
def test_only_a_whole_run_that_settles_all_is_green(run, colour, title):
    page = Page(page_of(run))
    assert page.all("header")[0][1]["class"] == colour
    assert page.all("h1")[0][2].strip().startswith(title)


@settings(max_examples=200, deadline=None)
@given(
    records=st.lists(st.sampled_from([PASSED, UNSETTLED, WAIVED, FAILED, HIDDEN, UNDER_COMPLIANCE]), max_size=3),
    extra=st.lists(st.sampled_from([NOT_RUN, BROKEN]), max_size=1),
    complete=st.booleans(),
    whole=st.booleans(),
    failures=st.sampled_from([(), (FAILURE,)]),
    not_judged=st.sampled_from([{}, {"thresholds.yaml::test_y": "deselected"}]),
    exit_code=st.sampled_from([None, 0, 1, 2, 5]),
)
def test_the_page_and_the_other_forms_say_the_same_of_a_run(records, **given):
    run = run_of(*records, **given)
    colour = opening_of(run, cards_of(run)).colour
    words = run_words(run, outcomes(run))
    assert (colour == "red") is words.startswith(("Failed", "The run did not come to its end"))
    settled = words.startswith(("On these data all", "No limit")) and not words.endswith("not all are shown to be kept")
    assert (colour == "green") is settled


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (run_of(PASSED), "On these data no limit was shown to be exceeded."),
        (run_of(PASSED, WAIVED), "On these data no limit was shown to be exceeded beyond what is waived."),
        (run_of(PASSED, complete=False), "What was judged before the run ended says nothing of the run."),
        (run_of(), "No check has a verdict."),
    ],
    ids=["kept", "waived", "killed", "nothing"],
)
def test_the_summary_of_a_run_without_failures_claims_no_more_than_it_shows(run, said):
    texts = [e[2].strip() for e in Page(page_of(run)).all("p")]
    opening = ("On these data no limit", "What was judged before", "No check has")
    assert [text for text in texts if text.startswith(opening)] == [said]


def test_what_failed_otherwise_and_what_was_not_judged_is_listed():
    visible = Page(
        page_of(run_of(PASSED, failures=(FAILURE,), not_judged={"thresholds.yaml::test_y": "deselected"}, exit_code=1))
    ).visible
    assert "Waiver: unused (test thresholds.yaml::test_waiver[x])" in visible
    assert "thresholds.yaml::test_y: deselected" in visible


def test_counts_add_up_to_what_was_asked(page):
    counts = {
        match[2]: int(match[1])
        for e in page.all("li")
        if (match := re.match(r"\s*(\d+) (failed|inconclusive|waived|passed|not run|other errors)\b", e[2]))
    }
    assert counts == {"failed": 1, "inconclusive": 2, "waived": 1, "passed": 1, "not run": 1}


def test_what_to_do_says_how_many_more_of_whom_and_what_to_paste(page):
    assert "more with sex=female" in page.visible
    assert "was asked for (sweep of a model in the file of limits): a_model, false_negative_rate" in page.visible
    (pre,) = [e for e in page.all("pre") if "approved_by" in e[2]]
    assert "a_model" in pre[2]


def test_a_card_says_what_the_other_checks_of_the_model_change():
    adjusted = dataclasses.replace(UNSETTLED, p_violation=0.014, p_adjusted=0.126, family_size=9)
    said = (
        "Alone it would fail (p = 0.014). Among 9 checks of b_model some look bad by chance, and allowing for that "
        "(Holm) it is not shown (p = 0.13)."
    )
    assert [e[2] for e in Page(page_of(run_of(adjusted))).all("p") if said in e[2]] == [said]
    assert "Alone it would fail" not in Page(page_of(ALL)).visible


def test_a_suppressed_check_shows_what_its_record_shows():
    record = withheld(record_of({"female": (4, 97), "male": (31, 103)}))
    visible = Page(page_of(run_of(record))).visible
    assert headline(record) in visible
    assert "hidden" in visible
    for secret in ("103", "206", "31 of", "0.301"):  # of the group with more misses
        assert not re.search(rf"\b{secret}\b", visible)


NASTY = [
    "<script>alert('x')</script>",
    '"><img src=x onerror=alert(1)>',
    "tab\tbell\x07 new\nline",
    "\u202eright to left",
    "\u05d0\u05d1\u05d2",
    "x" * 300,
    "{{ 7 * 7 }}{% if %}",
    "]]>--><!--",
    "a & b &amp; c",
]


@pytest.mark.parametrize("name", NASTY, ids=list("abcdefghi"))
def test_names_stay_text(name):
    base = record_of(BIASED, name)
    old = {("female",): (name,), ("male",): ("male",)}
    record = dataclasses.replace(
        base,
        by=(name,),
        groups=tuple(dataclasses.replace(group, name=old[group.name]) for group in base.groups),
        first=(name,),
        about={"use": name},
        notes=(name,),
    )
    whole = run_of(record, failures=(FailureEvidence(test=name, text=name),), not_judged={name: name})
    config = ConfigurationEvidence(file=name, sha256="0" * 64, text=name, burden_of_proof=None)
    html = page_of(dataclasses.replace(whole, configuration=config))
    page = Page(html)
    plain = Page(page_of(run_of(record_of(BIASED, "plain"), failures=(FAILURE,), not_judged={"a": "b"})))
    assert {e[0] for e in page.elements} == {e[0] for e in plain.elements} | {"wbr"}
    assert {key for e in page.elements for key in e[1]} == {key for e in plain.elements for key in e[1]}
    assert printable(name) in page.visible
    assert printable(page.visible.replace("\n", "")) == page.visible.replace("\n", "")
    for tag in re.findall(r"<[a-z][^<>]*", html):
        assert "<wbr" not in tag[1:]
    assert escape(printable(name), quote=False)[:20] in html.replace("<wbr/>", "").replace("&#34;", '"').replace(
        "&#39;", "'"
    )


def test_tables_of_many_columns_stand_upright():
    wide = FigureTable(
        caption="errors",
        header=("group", *(f"{share} %" for share in range(10, 101, 10))),
        rows=(("a", *map(str, range(10))), ("b", *map(str, range(10, 20)))),
    )
    upright = _upright(wide)
    assert upright.header == ("group", "a", "b")
    assert upright.rows[0] == ("10 %", "0", "10")
    assert len(upright.rows) == 10
    narrow = FigureTable(caption="", header=("group", "value"), rows=(("a", "1"),))
    assert _upright(narrow) == narrow


FORBIDDEN = re.compile(r"\b(fair|unbiased|compliant|certified|safe)\b", re.IGNORECASE)


def test_no_word_is_claimed_that_data_cannot_show(page):
    texts = [page.visible, *(value for e in page.elements for value in e[1].values() if value)]
    assert not [found.group() for text in texts for found in FORBIDDEN.finditer(text)]


def test_sixty_models_stay_usable():
    records = [record_of((BIASED, ALIKE, TINY)[i % 3], f"model_{i:02}") for i in range(60)]
    html = page_of(run_of(*records))
    page = Page(html)
    assert len(cards(page)) == 60
    assert len(html) < 700_000
    overview = next(e for e in page.all("table") if "Overview" in e[2])
    assert all(record.model in overview[2] for record in records)
    assert sum("Passed" in e[2] for e in page.all("summary")) == 20
