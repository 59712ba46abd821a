"""What the layout of the code keeps, beyond what ruff and import-linter look at."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 60  # lines of a body, without its docstring
FILES = [
    file for folder in ("fairness_checks", "models", "benchmarks") for file in sorted((ROOT / folder).rglob("*.py"))
]


def long_functions(source):
    """Return functions whose body is longer than a screen and whose first line does not say why, with its lines."""
    lines, found = source.splitlines(), {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
            length = node.end_lineno - body[0].lineno + 1 if body else 0
            if length > LONGEST and "# long: " not in lines[node.lineno - 1]:
                found[node.name] = length
    return found


def test_functions_fit_a_screen_or_say_why_they_do_not():
    assert len(FILES) > 250
    found = {str(file.relative_to(ROOT)): long_functions(file.read_text(encoding="utf-8")) for file in FILES}
    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.parametrize(("first", "found"), [("def f():", {"f": 61}), ("def f():  # long: one list", {})])
def test_a_long_function_is_seen_and_its_docstring_is_not_counted(first, found):
    assert long_functions(first + '\n    """' + "said\n" * 30 + '    """\n' + "    x = 1\n" * 61) == found
    assert long_functions(first + "\n" + "    x = 1\n" * 60) == {}


def test_the_root_of_the_package_holds_rooms_and_the_public_face():
    """Each file of the root is one that a reader meets first: at most nine."""
    files = [file for file in (ROOT / "fairness_checks").iterdir() if file.is_file()]
    assert len(files) <= 9


def kinds_asked_for(source):
    """Return the lines that compare what is called a kind with a word."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        and isinstance(node.left, ast.Attribute)
        and node.left.attr == "kind"
        and ast.unparse(node.left.value).split(".")[-1] in ("metric", "definition", "row", "part")
        and any(isinstance(inner, ast.Constant) for right in node.comparators for inner in ast.walk(right))
    ]


def test_nobody_but_the_kinds_asks_a_metric_what_kind_it_is():
    files = [file for file in FILES if file.parts[len(ROOT.parts)] == "fairness_checks" and file.parent.name != "kinds"]
    texts = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in files}
    found = {file: kinds_asked_for(text) for file, text in texts.items() if re.search(r"\.\s*kind\b", text)}
    assert len(found) > 10  # those that ask anything for its kind
    assert {file: lines for file, lines in found.items() if lines} == {}


@pytest.mark.parametrize("asked", ['design.metric.kind == "mean"', 'metric.kind in ("mean", "ranking")'])
def test_a_question_for_a_kind_is_seen(asked):
    assert kinds_asked_for(f"x = 1\nif {asked}:\n    x = 2\n") == [2]
    assert kinds_asked_for("array.dtype.kind == 'U' or metric.kind not in _KINDS") == []


def test_no_two_test_files_share_a_name() -> None:  # pytest imports them by it
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
