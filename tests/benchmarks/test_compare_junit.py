"""benchmarks.compare_junit: every figure that moved between two runs, and nothing else."""

import json
from xml.sax.saxutils import quoteattr

import pytest

from benchmarks.compare_junit import main

RECORD = {"estimate": 0.1, "verdict": "pass", "groups": [{"name": "a", "n": 5}, {"name": "b", "n": 6}], "notes": []}


@pytest.fixture
def written(tmp_path):
    """Write a JUnit file of one case a record, and return its path."""

    def write(name, records):
        cases = "".join(
            f'<testcase name="{case}"><properties><property name="fairness.record" value={quoteattr(json.dumps(r))}/>'
            "</properties></testcase>"
            for case, r in records.items()
        )
        path = tmp_path / name
        path.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>", encoding="utf-8")
        return str(path)

    return write


def test_two_equal_runs_say_that_nothing_moved(written, capsys):
    assert main([written("a.xml", {"one": RECORD}), written("b.xml", {"one": RECORD})]) == 0
    assert capsys.readouterr().out == "1 checks in both files, 0 of them moved\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"estimate": 0.1 + 1e-16}, f"estimate: 0.1 -> {0.1 + 1e-16!r}"),
        ({"estimate": None}, "estimate: 0.1 -> null"),
        ({"verdict": "fail"}, 'verdict: "pass" -> "fail"'),
        ({"groups": [{"name": "a", "n": 5}, {"name": "b", "n": 7}]}, "groups[1].n: 6 -> 7"),
        ({"estimate": True}, "estimate: 0.1 -> true"),
    ],
)
def test_what_moved_is_printed_with_both_values(written, capsys, change, said):
    assert main([written("a.xml", {"one": RECORD}), written("b.xml", {"one": {**RECORD, **change}})]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"one {said}"
    assert lines[-1] == "1 checks in both files, 1 of them moved"


def test_small_moves_within_the_tolerance_and_other_fields_are_left_out(written, capsys):
    old, new = written("a.xml", {"one": RECORD}), written("b.xml", {"one": {**RECORD, "estimate": 0.1001}})
    assert main([old, new, "--tolerance", "0.001"]) == 0
    assert main([old, new, "--field", "groups"]) == 0
    assert main([old, new, "--field", "esti"]) == 1


def test_checks_and_fields_of_one_file_alone_are_named(written, capsys):
    old = written("a.xml", {"one": RECORD, "gone": RECORD})
    assert main([old, written("b.xml", {"one": {**RECORD, "added": 1}, "came": RECORD})]) == 1
    assert capsys.readouterr().out.splitlines()[:3] == [
        "came: only in the new file",
        "gone: only in the old file",
        "fields of the new file alone: added",
    ]


@pytest.mark.parametrize("content", [None, "no xml", "<testsuites/>"])
def test_a_file_without_records_is_one_line_and_exit_code_2(written, tmp_path, capsys, content):
    bad = tmp_path / "bad.xml"
    if content is not None:
        bad.write_text(content, encoding="utf-8")
    assert main([str(bad), written("a.xml", {"one": RECORD})]) == 2
    assert capsys.readouterr().err.startswith(f"{bad}: ")
