"""docs/reliability.md: every test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
NAMED = re.compile(r"`([a-z_/]+\.py)(?:::(\w+))?`")


def test_every_row_names_a_test_that_is_there():
    rows = [
        line
        for line in (TESTS.parent / "docs" / "reliability.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and not line.startswith("| what could")
    ]
    assert len(rows) > 50
    for row in rows:
        last = row.split("|")[-2]
        found = NAMED.findall(last)
        assert found or last.strip().startswith("the same"), row
        for file, name in found:
            path = TESTS.parent / file if file == "benchmarks/stale.py" else TESTS / file
            assert path.is_file(), row
            assert not name or f"def {name}(" in path.read_text(encoding="utf-8"), row
