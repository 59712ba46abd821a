from __future__ import annotations

import datetime as dt
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fairness_checks.config.strict_yaml import read_yaml
from fairness_checks.config.yaml_document import UNREAD, key_path


def texts(text: str) -> list[str]:
    document = read_yaml(text, "t.yaml")
    return [problem.text("t.yaml") for problem in document.problems]


def test_lines_of_every_key_and_item():
    text = "version: 1\nmodels:\n\n  a:\n    checks:\n      - {metric: m,\n         by: [x, y]}\n      - b\n"
    document = read_yaml(text, "t.yaml")
    assert document.data == {
        "version": 1,
        "models": {"a": {"checks": [{"metric": "m", "by": ["x", "y"]}, "b"]}},
    }
    checks = ("models", "a", "checks")
    assert document.lines == {
        (): 1,
        ("version",): 1,
        ("models",): 2,
        ("models", "a"): 4,
        checks: 5,
        (*checks, 0): 6,
        (*checks, 0, "metric"): 6,
        (*checks, 0, "by"): 7,
        (*checks, 0, "by", 0): 7,
        (*checks, 0, "by", 1): 7,
        (*checks, 1): 8,
    }
    assert document.problems == ()


def test_scalars_keep_their_type_and_their_writing():
    document = read_yaml(
        "a: 2027-06-30\nb: off\nc: 'off'\nd: 1.50\ne: -3\nf: ~\ng: 1e-3\nh: 2027-06-30 10:00:00\n", "t"
    )
    assert document.data == {
        "a": dt.date(2027, 6, 30),
        "b": False,
        "c": "off",
        "d": 1.5,
        "e": -3,
        "f": None,
        "g": "1e-3",
        "h": dt.datetime(2027, 6, 30, 10),
    }
    assert type(document.data["a"]) is dt.date
    assert document.plain[("b",)] == "off"
    assert document.plain[("d",)] == "1.50"
    assert ("c",) not in document.plain
    assert document.problems == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", ["t.yaml:3: a: this key stands here twice (first on line 1); keep one"]),
        ("a:\n  x: 1\n  x: 2\n", ["t.yaml:3: a.x: this key stands here twice (first on line 2); keep one"]),
        ("- {x: 1, x: 2}\n", ["t.yaml:1: [0].x: this key stands here twice (first on line 1); keep one"]),
        (
            "a: 1\na: {x: 1,\n  x: 2}\na: 4\n",
            [
                "t.yaml:2: a: this key stands here twice (first on line 1); keep one",
                "t.yaml:3: a.x: this key stands here twice (first on line 2); keep one",
                "t.yaml:4: a: this key stands here twice (first on line 1); keep one",
            ],
        ),
        ("a: 1\noff: 2\n", ["t.yaml:2: off: the key 'off' is a boolean to YAML, not text; write \"off\""]),
        ("1: 2\n", ["t.yaml:1: 1: the key '1' is a number to YAML, not text; write \"1\""]),
        ("2027-01-01: 2\n", ["t.yaml:1: 2027-01-01: the key '2027-01-01' is a date to YAML, not text; "]),
        ("null: 2\n", ["t.yaml:1: null: the key 'null' is nothing to YAML, not text; write \"null\""]),
        ("\n? [a, b]\n: 1\n", ["t.yaml:2: a key must be plain text, not a mapping, list or alias"]),
        ("a: 1\n---\nb: 1\n", ["t.yaml:2: a second YAML document starts here ('---'); keep one"]),
        ("a: &x 1\n", ["t.yaml:1: anchor '&x' is not supported; remove it"]),
        (
            "a: &x 1\nb: *x\n",
            [
                "t.yaml:1: anchor '&x' is not supported; remove it",
                "t.yaml:2: b: alias '*x' is not supported; write the value out",
            ],
        ),
        ("a:\n  <<: {b: 1}\n", ["t.yaml:2: a: merge key '<<' is not supported; write the keys out"]),
        (
            "a: !!python/name:os.system x\n",
            ["t.yaml:1: tag '!!python/name:os.system' is not supported; remove it"],
        ),
        ("a: 010\n", ["t.yaml:1: a: YAML reads 010 as 8; write it plainly, or quote it if it is text"]),
        ("a: 1:30\n", ["t.yaml:1: a: YAML reads 1:30 as 90; write it plainly, or quote it if it is text"]),
        ("a: 0x1F\n", ["t.yaml:1: a: YAML reads 0x1F as 31; write it plainly, or quote it if it is text"]),
        (
            "a: 1_0.5\n",
            ["t.yaml:1: a: YAML reads 1_0.5 as 10.5; write it plainly, or quote it if it is text"],
        ),
        ("a:\n  - 2027-02-30\n", ["t.yaml:2: a[0]: '2027-02-30' looks like a date to YAML but is none; "]),
        ("a: =\n", ["t.yaml:1: a: '=' looks like a special value to YAML but is none; "]),
        ('a: "\\ud800"\n', ["t.yaml:1: a: holds the character U+D800, which no report can show; remove it"]),
        (
            '"\\0": 1\n',
            ["t.yaml:1: ['\\x00']: holds the character U+0000, which no report can show; remove it"],
        ),
        ("a: [1\nb: 2\n", ["t.yaml:2: not readable as YAML at column 2: while parsing a flow sequence; "]),
        ("a:\n\tb: 1\n", ["t.yaml:2: not readable as YAML at column 1: while scanning for the next token; "]),
        (
            "a: 1\nb: \x07\n",
            ["t.yaml:2: not readable as YAML at column 4: the character U+0007 is not allowed"],
        ),
        ('a: 1\nb: "\\UFFFFFFFF"\n', ["t.yaml:2: not readable as YAML: "]),  # OverflowError inside PyYAML
        ("a: b: c\n", ["t.yaml:1: not readable as YAML at column 5: mapping values are not allowed here"]),
    ],
)
def test_problems(text, expected):
    found = texts(text)
    assert len(found) == len(expected)
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(start)


def test_tabs_get_a_remedy():
    assert texts("a:\n\tb: 1\n")[0].endswith("; indent with spaces")


def test_an_alias_or_a_false_date_is_not_passed_off_as_a_value():
    assert read_yaml("a: &x 1\nb: *x\nc: 2027-02-30\n", "t").data == {"a": 1, "b": UNREAD, "c": UNREAD}
    assert read_yaml("a: [", "t").data is UNREAD


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\n\n"])
def test_an_empty_document_is_no_problem_here(text):
    document = read_yaml(text, "t.yaml")
    assert document.data is None
    assert document.problems == ()


def test_the_first_of_two_equal_keys_stays():
    document = read_yaml("a: 1\na: 2\n", "t.yaml")
    assert document.data == {"a": 1}
    assert document.lines[("a",)] == 1


ALIAS_BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 200_000, id="flow lists"),
        pytest.param("{" * 200_000, id="flow mappings"),
        pytest.param("- " * 100_000, id="block lists"),
        pytest.param("\n".join(" " * depth + "a:" for depth in range(600)), id="block mappings"),
        pytest.param(ALIAS_BOMB, id="aliases"),
        pytest.param("a: 1" + ":1" * 450_000, id="base 60"),
        pytest.param("a: " + "9" * 200_000, id="long number"),
    ],
)
def test_bombs_are_refused_at_once(text):
    start = time.process_time()
    document = read_yaml(text, "t.yaml")
    assert (
        time.process_time() - start < 10
    )  # seconds of processor time; milliseconds in truth, for ever where they go off
    assert document.problems
    assert all(len(problem.text("t.yaml")) < 400 for problem in document.problems)


def test_a_path_reads_as_its_author_would_look_for_it():
    assert key_path(("models", "my model", "subgroups", 3, "by")) == "models['my model'].subgroups[3].by"
    assert key_path(()) == ""


PIECES = [
    *"abx01:-?[]{},&*!|>'\"%@#.~<=\\ \n\t_é",
    "off",
    "2027-06-30",
    ": ",
    "- ",
    "\n  ",
    "!!",
    "\\u",
    "---\n",
]
YAMLISH = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


@given(text=st.one_of(st.text(), YAMLISH))
def test_no_text_raises_and_every_problem_is_one_line_within_the_file(text):
    document = read_yaml(text, "t.yaml")
    for problem in document.problems:
        assert len(problem.text("t.yaml").splitlines()) == 1
        assert 1 <= problem.line <= len(text.splitlines()) + 1


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.dates() | st.from_regex(r"[a-z ]{0,8}", fullmatch=True),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"[a-z]{1,8}x", fullmatch=True), inner),
    max_leaves=12,
)


@given(data=PLAIN)
def test_what_yaml_dumps_is_read_back(data):
    text = yaml.dump(data, Dumper=_NoAliases)
    document = read_yaml(text, "t.yaml")
    if not any("deeper" in problem.message for problem in document.problems):
        assert document.problems == ()
        assert document.data == data


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True
