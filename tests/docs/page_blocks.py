"""The blocks of a page, read by sybil and run in order: one namespace and one folder a page.

A block whose first line is a comment with the name of a file, such as ``# conftest.py``, is written there. Python is
executed, a shell's commands are run, YAML is read as the gate reads it, and ``text`` below commands is compared with
what they printed, ``...`` standing for lines that are left out. What a page needs and does not show stands in it as
``<!-- invisible-code-block: python ... -->``; a block that cannot run has ``<!-- skip: next "why" -->`` before it, and
is looked at all the same: its commands, options and keys must be there.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any
from unittest import SkipTest

import yaml
from sybil import Document, Example
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.myst import CodeBlockParser, SkipParser

from fairness_checks.cli.main import command_line, main
from fairness_checks.config.loading import parse_config
from fairness_checks.config.schema import FileSpec, ModelSpec
from fairness_checks.question.own_metrics import registered

ROOT = Path(__file__).resolve().parents[2]
SHELLS = ("sh", "bash")
COLUMNS = "100"  # of a line of these pages
_NAMED = re.compile(r"(?:#|//) ([\w./-]+\.(?:py|ya?ml|toml|ini|csv))\n")
_HEREDOC = re.compile(r" ?<<'?(\w+)'?(.*)\n(?:.*\n)*?\1(?:\n|$)")
_SECONDS = re.compile(r"\bin \d+\.\d+s\b( =+)?")
_SECTIONS = frozenset(ModelSpec.model_fields)
_KEYS = frozenset(FileSpec.model_fields)
_OF_A_WORKFLOW = frozenset(("fairness", "jobs", "run", "steps", "trigger"))


class Page:
    """A page and how each language in it is run."""

    def __init__(self, path: Path, folder: Path, options: Collection[str]) -> None:
        self.path, self.folder, self.options = path, folder, options
        self.printed: str | None = None
        self.skipped: list[str] = []
        self._python = PythonEvaluator()
        languages: dict[str, Callable[[Example], None]] = {
            "python": self._run_python,
            **dict.fromkeys(SHELLS, self._run_shell),
            "yaml": self._read_yaml,
            "groovy": self._read_groovy,
            "text": self._compare,
        }
        parsers = [CodeBlockParser(language, run) for language, run in languages.items()]
        self.document = Document.parse(str(path), *parsers, SkipParser())
        self.languages = frozenset(languages)

    @property
    def examples(self) -> Iterator[Example]:
        """Blocks and skips, in order."""
        return self.document.examples()

    def run(self) -> int:
        """Run all blocks in order, and return their number."""
        number = 0
        for example in self.examples:
            if isinstance(example.parsed, tuple):
                assert example.parsed[0] == "next", f"line {example.line}: a skip is of one block"
                assert example.parsed[1], f"line {example.line}: a skip says why"
            else:
                number += 1
            try:
                example.evaluate()
            except SkipTest as why:
                self.skipped.append(str(why))
                self.look_at(example)
        return number

    def look_at(self, example: Example) -> None:
        """Look at a block that is not run: whether its commands, options and keys are there."""
        language = _language(example)
        if language in SHELLS:
            self._know(example.parsed)
        elif language == "yaml":
            self._read_yaml(example)
        elif language == "groovy":
            self._read_groovy(example)
        elif language == "python":
            compile(example.parsed, self.path.name, "exec")
        self.printed = None

    def _run_python(self, example: Example) -> None:
        self._write(example.parsed)
        self._python(example)

    def _run_shell(self, example: Example) -> None:
        """Run commands as a terminal would; a code past 1, which no verdict has, ends them."""
        self._know(example.parsed)
        foreign = {Path(words[0]).name for words in commands(example.parsed)} - RUN
        assert not foreign, f"{sorted(foreign)}: not run here; say why in the page, by a skip"
        code, self.printed = self._run_here(example.parsed) or self._run_in_a_shell(example.parsed)
        assert code in (0, 1), self.printed
        assert "Traceback" not in self.printed, self.printed

    def _run_here(self, text: str) -> tuple[int, str] | None:
        """Run commands that are all ours in this process, which takes a tenth of the time; None where it cannot."""
        found = commands(text)
        if re.search(r"[<>|&$;]", text) or any(words[0] != "fairness-checks" for words in found):
            return None
        said, codes = io.StringIO(), []
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            for words in found:
                codes.append(main(words[1:]))
        return max(codes), said.getvalue()

    def _run_in_a_shell(self, text: str) -> tuple[int, str]:
        trap = 'trap \'code=$?; [ "$code" -le 1 ] || exit "$code"\' ERR\nset -o pipefail\n'
        done = subprocess.run(
            ["bash", "-c", trap + text],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def _environment(self) -> dict[str, str]:
        """Return an environment in which the programs are those of this checkout."""
        programs = self.folder.parent / f"{self.folder.name}-programs"
        programs.mkdir(exist_ok=True)
        for name, words in {"python": "", "pytest": "-m pytest", "fairness-checks": "-m fairness_checks"}.items():
            (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n', encoding="utf-8")
            (programs / name).chmod(0o755)
        kept = {
            name: text for name, text in os.environ.items() if not name.startswith(("PYTEST", "COV", "CI", "FAIRNESS"))
        }
        path = os.pathsep.join((str(programs), os.environ["PATH"]))
        return kept | {"PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": COLUMNS, "OMP_NUM_THREADS": "1"}

    def _read_yaml(self, example: Example) -> None:
        """Read a part of thresholds.yaml as the gate does, and know the commands of any other file."""
        text = textwrap.dedent(example.parsed)
        files = _files(text)
        own = {m.name: m for m in map(registered, self.document.namespace.values()) if m is not None}
        for file in files:
            parse_config(file, f"{self.path.name}:{example.line}", own)
        if files:
            self._write(text)
            return
        for each in _strings(yaml.safe_load(text)):
            self._know(each, only_ours=True)

    def _read_groovy(self, example: Example) -> None:
        joined = re.sub(r"' \+\s*'", "", example.parsed)  # a text in two parts
        for command in re.findall(r"(?:sh|script:) '([^']*)'", joined):
            self._know(command, only_ours=True)

    def _compare(self, example: Example) -> None:
        """Compare a text with what the commands above it printed."""
        assert self.printed is not None, "no command stands above this text"
        shown, printed = (_SECONDS.sub("in ..s", text) for text in (example.parsed, self.printed))
        place = 0
        for part in re.split(r"(?m)^ *\.\.\.\n", shown):
            found = printed.find(part.strip("\n"), place)
            assert found >= 0, f"shown:\n{part}\nprinted:\n{self.printed}"
            place = found + len(part.strip("\n"))

    def _write(self, text: str) -> None:
        if named := _NAMED.match(text):
            path = self.folder / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def _know(self, text: str, *, only_ours: bool = False) -> None:
        """Look whether each command is one, with its options."""
        for words in commands(text):
            program, arguments = Path(words[0]).name, words[1:]
            if program == "python" and arguments[:1] == ["-m"]:
                program, arguments = arguments[1], arguments[2:]
            if program in ("fairness-checks", "fairness_checks"):
                command_line().parse_args(arguments)
            elif program == "pytest":
                given = {word.partition("=")[0] for word in arguments if word.startswith("--")}
                assert given <= set(self.options), given - set(self.options)
            elif program.startswith(("models.", "benchmarks.")):
                assert (ROOT / f"{program.replace('.', '/')}.py").is_file() or (
                    ROOT / program.replace(".", "/")
                ).is_dir()
            else:
                assert only_ours or program in KNOWN, f"{program}: no command that pages use"


RUN = frozenset(("cat", "cd", "cp", "fairness-checks", "mkdir", "pytest", "python"))
"""Programs that a page may run."""
KNOWN = RUN | {"bash", "cosign", "export", "gh", "lint-imports", "nox", "pip", "pre-commit", "ruff", "sigstore", "venv"}
"""And those that it may name."""


def commands(text: str) -> list[list[str]]:
    """Return the words of each command of a shell's text."""
    text = _HEREDOC.sub(r"\2\n", text).replace("\\\n", " ")
    found: list[list[str]] = []
    for line in text.splitlines():
        if not re.search(r"\S", line):
            continue
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set(";&|"):
                found += [words] if words else []
                words = []
            elif words or not re.match(r"\w+=", word):  # FOLDER=out command
                words.append(word)
    return found


def blocks(path: Path, language: str) -> list[str]:
    """Return the blocks of a page in a language, those that are not shown, too."""
    return [str(each.parsed) for each in Page(path, path.parent, ()).examples if _language(each) == language]


def _language(example: Example) -> str:
    """Return the language of a block: sybil keeps it with the parser."""
    return str(example.region.lexemes.get("arguments"))


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in _strings(each)]
    return [value] if isinstance(value, str) else []


def _files(text: str) -> list[str]:
    """Return the file of limits that a part of one is of, of a list one for each check; none where it is a workflow."""
    data = yaml.safe_load(text)
    if isinstance(data, list) and all("gap" in each for each in data):
        checks = (
            {"by": "sex", "mixes": {"as_is": "as_is", "balanced": "oversample"}, "checks": [each]} for each in data
        )
        return [file for sweep in checks for file in _files(yaml.dump({"sweep": sweep}))]
    if set(data if isinstance(data, dict) else data[0]) & _OF_A_WORKFLOW:
        return []
    if set(data) <= _KEYS:
        return [("" if "version" in data else "version: 1\n") + text + ("" if "models" in data else "\nmodels: {}\n")]
    if set(data) & _SECTIONS:
        return _files("models:\n  model:\n" + textwrap.indent(text, "    "))
    return _files("models:\n" + textwrap.indent(text, "  "))
