"""own_code: everything that a training can import of this package is in the key of what is kept."""

from __future__ import annotations

import ast
from pathlib import Path

import fairness_checks
from fairness_checks.storage import own_code as room
from fairness_checks.storage.own_code import NOT_IN_TRAININGS, own_code, takes_part
from fairness_checks.storage.source import absolute

PACKAGE = Path(fairness_checks.__file__).parent
TRAINING = (
    "sweep.training",
    "sweep.trainable",
    "sweep.dataset",
    "sweep.mixing",
    "inputs.predictions",
    "adapters.classifier",
)
KEEPING = ("storage", "sweep.store")  # how results are kept changes none


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


def imports(path: Path, package: str) -> set[str]:
    """What a module imports when it is imported or used; not what only the checker of types reads."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found.update(each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(absolute(node.level, node.module or "", [each.name for each in node.names], package))
        waiting.extend(ast.iter_child_nodes(node))
    return found


def test_all_that_a_training_imports_takes_part():
    known = modules()
    adapters = [name for name in known if name.startswith("fairness_checks.adapters.")]
    reached, waiting = set[str](), [*(f"fairness_checks.{name}" for name in TRAINING), *adapters]
    while waiting:
        name = waiting.pop()
        if name in known and name not in reached:
            reached.add(name)
            if name == "fairness_checks" or name.startswith(tuple(f"fairness_checks.{each}" for each in KEEPING)):
                continue
            package = name if known[name].stem == "__init__" else name.rpartition(".")[0]
            waiting += imports(known[name], package)
    assert len(reached) > 40
    left_out = {name.removeprefix("fairness_checks.") for name in reached if not takes_part(name)}
    assert {name for name in left_out if not name.startswith(KEEPING)} == set()


def test_no_pattern_is_left_of_a_file_that_is_gone():
    assert [pattern for pattern in NOT_IN_TRAININGS if not list(PACKAGE.glob(pattern))] == []


def test_a_change_of_code_changes_the_digest(tmp_path, monkeypatch):
    def digests() -> tuple[str, str]:
        for cached in (room._parts, own_code):
            cached.cache_clear()
        return own_code(), own_code(whole=True)

    package = tmp_path / "fairness_checks"
    for name in ("inputs/encoding.py", "plugin/gate.py", "report/text.py", "inputs/new.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("x = 1\n")
    with monkeypatch.context() as patch:
        patch.setattr(room, "_PACKAGE", package)
        seen = [digests()]
        for name in ("plugin/gate.py", "report/text.py", "inputs/encoding.py", "inputs/new.py"):
            (package / name).write_text("x = 2\n")
            seen.append(digests())
    digests()
    parts, wholes = zip(*seen, strict=True)
    assert len(set(wholes)) == 5
    assert parts[0] == parts[1] == parts[2]
    assert len(set(parts[2:])) == 3
