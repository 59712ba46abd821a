"""docs/choosing_limits.md says what the commands in it say."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from fairness_checks.cli.main import main

PAGE = (Path(__file__).parents[2] / "docs" / "choosing_limits.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^```sh\nfairness-checks (.*?)\n```\n\n```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_both_commands_of_the_page_are_found():
    assert len(SHOWN) == PAGE.count("fairness-checks explain --plan") == 2


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=range(len(SHOWN)))
def test_the_page_shows_what_a_command_says(command, shown, tmp_path, monkeypatch, capsys):
    (limits,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "thresholds.yaml").write_text(limits)
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(command)) == 0
    assert capsys.readouterr().out == shown
