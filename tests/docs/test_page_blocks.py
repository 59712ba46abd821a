"""Every block of the docs is run: see page_blocks.py."""

from __future__ import annotations

import re
import sys

import pytest

from fairness_checks.errors import ConfigurationError
from tests.docs.page_blocks import COLUMNS, ROOT, Page, commands

PAGES = sorted((ROOT / "docs").glob("*.md"))
ROOT_PAGES = sorted(ROOT.glob("*.md"))
SKIPS = {"baseline.md": 1, "cardiac.md": 2, "ci.md": 4, "dermatology.md": 3, "first_steps.md": 3}
SKIPS |= {"statistics.md": 1, "sweeps.md": 3, "tutorial.md": 1, "verdicts.md": 1}
"""Blocks that cannot run here, by page. One more or one less is written here, with its reason in the page."""

NEEDS = {"tutorial_autoencoder.md": "torch"}
"""What a page needs that not every environment of the tests has."""


@pytest.fixture
def page(request, tmp_path, monkeypatch, pytestconfig):
    folder = tmp_path / "page"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("COLUMNS", COLUMNS)
    known = {option for group in pytestconfig._parser._groups for each in group.options for option in each.names()}
    loaded = set(sys.modules)
    yield Page(request.param, folder, known)
    for name in set(sys.modules) - loaded:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(folder)):
            del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, indirect=True, ids=lambda path: path.name)
def test_blocks_of_a_page_run(page):
    if (library := NEEDS.get(page.path.name)) is not None:
        pytest.importorskip(library)
    page.run()
    assert len(page.skipped) == SKIPS.get(page.path.name, 0), page.skipped


@pytest.mark.parametrize("page", ROOT_PAGES, indirect=True, ids=lambda path: path.name)
def test_blocks_of_the_root_ask_for_what_is_there(page):
    """README is run in a fresh environment, by test_newcomer.py; the others name commands."""
    for example in page.examples:
        page.look_at(example)


@pytest.mark.parametrize("path", [*PAGES, *ROOT_PAGES], ids=lambda path: path.name)
def test_no_block_is_in_a_language_that_nobody_runs(path, tmp_path):
    known = {*Page(path, tmp_path, ()).languages, "none"} if path.parent.name == "docs" else None
    inside = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if fence := re.match(r" *```(.*)$", line):
            language, inside = fence[1], not inside
            if inside and known and not language.startswith("{"):
                assert language in known, f"{path.name}:{number}"
                drawings = {"commands.md", "first_steps.md"}  # of a help, of folders
                assert language != "none" or path.name in drawings, f"{path.name}:{number}"
    assert not inside


def test_every_page_whose_blocks_are_left_out_is_there():
    assert {ROOT / "docs" / name for name in SKIPS} <= set(PAGES)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "cat > a.py <<'EOF'\nimport x\nEOF\npytest --fairness  # red\n",
            [["cat", ">", "a.py"], ["pytest", "--fairness"]],
        ),
        ("A=1 pytest -q && fairness-checks x \\\n  --y z", [["pytest", "-q"], ["fairness-checks", "x", "--y", "z"]]),
    ],
)
def test_commands_of_a_shell_are_told(text, found):
    assert commands(text) == found


GOOD = """\
```python
# made.py
number = 3
```
```sh
python -c "import made; print(made.number)"
```
```text
3
```
```yaml
# thresholds.yaml
version: 1
models: {m: {subgroups: [{metric: accuracy, by: sex, max_difference: 0.1}]}}
```
```sh
fairness-checks schema --check thresholds.yaml
```
```text
thresholds.yaml: 1 model, 1 check
...
```
"""
BAD = {
    "section": "```yaml\nsubgroup: [{metric: accuracy, by: sex, max_difference: 0.1}]\n```\n",
    "model": "```yaml\nm: {subgroup: [{metric: accuracy, by: sex, max_difference: 0.1}]}\n```\n",
    "python": "```python\n1 / 0\n```\n",
    "option": "```sh\npytest --fairnes\n```\n",
    "command": "```sh\nfairness-checks audit p.csv --y-tru died\n```\n",
    "program": "```sh\nrm -r x\n```\n",
    "key": "```yaml\nmodels: {m: {subgroups: [{metric: accuracy, by: sex, max_diference: 0.1}]}}\n```\n",
    "output": "```sh\nfairness-checks --version\n```\n```text\nfairness-checks none\n```\n",
    "nothing above": "```text\nsaid\n```\n",
    "no reason": "<!-- skip: next -->\n```python\n1 / 1\n```\n",
    "skipped": '<!-- skip: next "why" -->\n```sh\npytest --fairnes\n```\n',
}


@pytest.mark.parametrize("kind", BAD)
def test_a_block_that_is_wrong_is_seen(kind, tmp_path):
    path = tmp_path / "wrong.md"
    path.write_text(BAD[kind], encoding="utf-8")
    (tmp_path / "page").mkdir()
    errors = (AssertionError, ConfigurationError, SystemExit, ZeroDivisionError)
    with pytest.raises(errors):
        Page(path, tmp_path / "page", ["--fairness"]).run()


def test_a_page_that_is_in_order_runs(tmp_path, monkeypatch):
    path, folder = tmp_path / "right.md", tmp_path / "page"
    path.write_text(GOOD, encoding="utf-8")
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert Page(path, folder, []).run() == 6
