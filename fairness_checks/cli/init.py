"""`fairness-checks init`: the files with which `pytest --fairness` runs at once, for a project or a file."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fairness_checks.cli.audit_options import option
from fairness_checks.cli.init_columns import guessed_source
from fairness_checks.cli.init_files import (
    GITIGNORE,
    conftest,
    example_limits,
    file_limits,
    generated,
    github,
    gitlab,
)
from fairness_checks.config.loading import parse_config
from fairness_checks.errors import FairnessError
from fairness_checks.judge.file_auditing import FileAudit
from fairness_checks.plain import printable
from fairness_checks.storage.files import read_regular, write_atomically

__all__ = ["init"]

_EXAMPLE = "fairness-example"
_MODEL = "sepsis_model"
_LIMITS = "thresholds.yaml"


def init(place: Path | None, *, example: bool, roles: Mapping[str, str | None]) -> int:
    """Write the files, and say which and what to run; return the exit code."""
    try:
        folder, files = _files(place, example=example, roles=roles)
        there = sorted(name for name in files if (folder / name).exists())
        if there:
            raise FairnessError(
                f"{folder}: {', '.join(there)} {'is' if len(there) == 1 else 'are'} there already, and nothing was "
                "written; move them away, or give another folder"
            )
        ignored = _ignored(folder)
        _write(folder, {name: text.encode() for name, text in files.items()} | ignored)
    except FairnessError as error:
        sys.stderr.write(f"fairness-checks init: {printable(str(error))}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"fairness-checks init: {printable(str(error.filename))}: {error.strerror or error}\n")
        return 2
    sys.stdout.write("".join(f"wrote {printable((folder / name).as_posix())}\n" for name in [*files, *ignored]))
    sys.stdout.write(_next(folder, example=example, files=files))
    return 0


def _files(place: Path | None, *, example: bool, roles: Mapping[str, str | None]) -> tuple[Path, dict[str, str]]:
    """Return the folder, and the text of each file that is written there."""
    if place is not None and (place.is_file() or (place.suffix and not place.is_dir())):
        if example:
            raise FairnessError(f"{place}: --example makes its own patients; leave the file out")
        folder, limits = Path(), _of_file(place, roles)
        return folder, _with_the_rest(folder, {_LIMITS: limits})
    if given := [name for name, value in roles.items() if value]:
        raise FairnessError(f"{option(given[0])} names a column; give the file that has it, too")
    folder = place or Path(_EXAMPLE if example else ".")
    if example:
        files = {"conftest.py": conftest(_MODEL, example=True), _LIMITS: example_limits(_MODEL)}
        return folder, files | {"thresholds.schema.json": _schema()}
    files = {_conftest_of(folder): conftest(_MODEL, example=False), _LIMITS: generated(_MODEL)}
    return folder, _with_the_rest(folder, files)


def _of_file(file: Path, roles: Mapping[str, str | None]) -> str:
    source, by, scores = guessed_source(file, roles)
    model = re.sub(r"\W+", "_", file.name.split(".")[0]).strip("_") or "predictions"
    model = model if not model[0].isdigit() else f"model_{model}"
    missing: dict[str, str] = {}
    for _ in range(3):  # as often as there are such settings, and once without any
        text = file_limits(model, source, by, scores=scores, missing=missing)
        if not (errors := _judged(text)):
            return text
        found = _settings_of_missing(errors)
        if found.keys() <= missing.keys():
            break
        missing |= found
    raise FairnessError(_as_options(errors[0]))


def _judged(text: str) -> list[str]:
    """Return why checks of a file of limits could not be made: what is written is to run at once."""
    limits = parse_config(text, _LIMITS)
    audit = FileAudit(limits, text.encode(), ("fairness-checks", "init"))
    try:
        audit.judge(limits.models)
    except FairnessError as error:
        return [str(error)]
    return list(audit.errors.values())


def _settings_of_missing(errors: Sequence[str]) -> dict[str, str]:
    """Return the settings with which features that lack values can be judged, where errors are of these."""
    texts = [found[1] for error in errors if (found := re.search(r"`missing_text: (\['.*?'\])`", error))]
    groups = texts or [error for error in errors if "missing_sensitive: group" in error]
    return ({"missing_text": texts[0]} if texts else {}) | ({"missing_sensitive": "group"} if groups else {})


def _as_options(error: str) -> str:
    """Return an error of a file of limits in words of the command."""
    return re.sub(r"\by_pred: (?=')", "--y-pred ", error)


def _conftest_of(folder: Path) -> str:
    """Return the conftest.py that is free: the gate finds models beside the file of limits, and in tests*/ below it."""
    places = ("conftest.py", "tests/conftest.py", "tests_fairness/conftest.py")
    return next((name for name in places if not (folder / name).exists()), places[0])


def _with_the_rest(folder: Path, files: Mapping[str, str]) -> dict[str, str]:
    """Add the schema for editors, and a workflow for the CI that the project has."""
    found = {**files, "thresholds.schema.json": _schema()}
    remote = _text(folder / ".git/config")
    if (folder / ".github").is_dir() or "github" in remote:
        found[".github/workflows/fairness.yml"] = github(_install(folder))
    if "gitlab" in remote and not (folder / ".gitlab-ci.yml").exists():
        found[".gitlab-ci.yml"] = gitlab(_install(folder))
    return found


def _install(folder: Path) -> str:
    """Return what pip must be given for the project itself."""
    if (folder / "pyproject.toml").exists() or (folder / "setup.py").exists():
        return "."
    return "-r requirements.txt" if (folder / "requirements.txt").exists() else "numpy"


def _schema() -> str:
    from fairness_checks.config.export import json_schema

    return json.dumps(json_schema(), indent=2) + "\n"


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / name, content)


def _ignored(folder: Path) -> dict[str, bytes]:
    """Return .gitignore as it is, with the lines that it lacks behind it; nothing where it lacks none."""
    path = folder / ".gitignore"
    old = read_regular(path) if path.exists() else b""
    missing = [line.encode() for line in GITIGNORE if line.encode() not in old.splitlines()]
    if not missing:
        return {}
    end = b"\r\n" if b"\r\n" in old else b"\n"
    begin = old if old.endswith(b"\n") or not old else old + end
    return {path.name: begin + b"".join(line + end for line in missing)}


def _text(path: Path) -> str:
    return path.read_text("utf-8", "replace") if path.is_file() else ""


def _next(folder: Path, *, example: bool, files: Mapping[str, str]) -> str:
    enter = "" if folder == Path() else f"cd {folder.as_posix()} && "
    lines = [f"next: {enter}pytest --fairness"]
    if example:
        lines.append("it ends red: women are missed more often than men, by more than thresholds.yaml allows")
    elif any(name.endswith("conftest.py") for name in files):
        lines.append("it ends red for generated patients; put your own model in the place marked TODO")
    if (folder / ".gitlab-ci.yml").exists() and ".gitlab-ci.yml" not in files:
        lines += ["add to .gitlab-ci.yml:", *(f"  {line}" for line in gitlab(_install(folder)).splitlines())]
    return "".join(f"{line}\n" for line in lines)
