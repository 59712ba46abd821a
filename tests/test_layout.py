"""What the layout of the code keeps, beyond what ruff and import-linter look at."""

from __future__ import annotations

import ast
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
