"""Sources that are no single file: several as one table, or whatever frame a function of the user's returns."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from fairness_checks.errors import ConfigurationError, FairnessError, InvalidPredictions, did_you_mean
from fairness_checks.inputs.frames import answering, library_name, open_frame
from fairness_checks.inputs.narwhals_later import nw
from fairness_checks.inputs.parquet_files import open_parquet
from fairness_checks.inputs.parquet_paths import is_many
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.inputs.source import ROLES, Source
from fairness_checks.inputs.text_columns import as_number
from fairness_checks.storage.files import MOST, display_path

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_table", "read_table_source"]


def is_table(source: Source, folder: Path) -> bool:
    """Say whether a source is no single file."""
    path = folder / source.file
    if any(given is not None for given in (source.python, source.accepted, source.collect)) or is_many(path):
        return True
    try:
        return path.suffix.lower() in (".parquet", ".pq") and path.is_file() and path.stat().st_size > MOST
    except OSError:  # said where it is read
        return False


def read_table_source(source: Source, folder: Path, features: Sequence[str], *, tells_digest: bool) -> Predictions:
    """Read predictions from files that are one table, or from the frame that a function returns."""
    for key in ("bins", "groups"):
        if getattr(source, key):
            raise ConfigurationError(
                f"{source.called}: {key} is for a single file; make such columns in the query of `python: "
                f"module:function`"
            )
    roles = {role: name for role in ROLES if (name := source.column(role)) is not None}
    given: dict[str, Any] = {"by": list(features), "threshold": source.threshold, "collect": source.collect}
    if source.python is not None:
        frame = _called(source.python, folder)
        before = None if source.accepted is None else _called(source.accepted, folder)
        about = {"python": source.python} | ({} if source.accepted is None else {"accepted": source.accepted})
        try:
            with answering(f"frame: {library_name(frame)}"):
                columns = _there(source, roles, frame)
                positive = _positive(source, frame, columns)
            return Predictions.from_frame(frame, **columns, **given, positive=positive, about=about, accepted=before)
        except InvalidPredictions as error:
            raise InvalidPredictions(f"python: {source.python}: {error}") from error
    files = open_parquet(folder / source.file, [*roles.values(), *features])
    columns = _there(source, roles, files.frame)
    about = {"files": _named(source.file)} | (files.digest() if tells_digest else {})
    before = None if source.accepted is None else folder / source.accepted
    about |= {} if source.accepted is None else {"accepted": _named(source.accepted)}
    positive = _positive(source, files.frame, columns)
    found = Predictions.from_parquet(
        folder / source.file, **columns, **given, positive=positive, about=about, accepted=before
    )
    files.check()  # `about` says what they were
    return found


def _named(file: str) -> str:
    return Path(file).name if Path(file).is_absolute() else file


def _there(source: Source, roles: Mapping[str, str], frame: Any) -> dict[str, Any]:
    """Return the roles whose columns there are; of a layout, decisions or scores may be missing."""
    own = {role for role in ROLES if getattr(source, role) is not None}
    columns = open_frame(frame).columns if source.layout is not None else ()
    there = {role: name for role, name in roles.items() if role in own or name in columns}
    if source.threshold is not None and "y_pred" not in own:
        there.pop("y_pred", None)  # the threshold decides
    return there


def _positive(source: Source, frame: Any, roles: Mapping[str, str]) -> Any:
    """Return the positive class as the labels have it: a number, a truth value, or text."""
    text = source.positive
    schema: Mapping[str, Any] = {} if text is None else open_frame(frame).collect_schema()
    kind = schema.get(roles.get("y_true", ""))
    if text is None or kind is None:
        return text
    if kind == nw.Boolean:
        return {"true": True, "false": False}.get(text.casefold(), text)
    number = as_number(text)
    return number if number is not None and kind.is_numeric() else text


def _called(place: str, folder: Path) -> Any:
    """Return what the function returns; `module:function`, the module beside the file of limits or installed."""
    module, _, name = place.partition(":")
    try:
        with _importing_from(folder):
            function: Any = _loaded(module, folder)
            for part in name.split("."):
                if not hasattr(function, part):
                    there = getattr(function, "__dict__", {}).items()  # no lazy attribute is loaded to be named
                    known = [each for each, value in there if callable(value) and each[0] != "_"]
                    raise InvalidPredictions(f"python: {place}: there is no {part!r}; {did_you_mean(part, known)}")
                function = getattr(function, part)
            return function()
    except FairnessError:
        raise
    except (Exception, SystemExit) as error:  # an exit would end the command as if all had been judged
        said = next(iter(str(error).splitlines()), "it gave no reason")
        raise InvalidPredictions(f"python: {place}: {type(error).__name__}: {said}") from error


def _loaded(module: str, folder: Path) -> ModuleType:
    """Import a module; refuse one of another file than that beside the file of limits."""
    stem = folder.joinpath(*module.split("."))
    beside = next((path for path in (stem / "__init__.py", Path(f"{stem}.py")) if path.is_file()), None)
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise  # one that it imports
        known = [path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()]
        raise InvalidPredictions(
            f"python: {module}: there is no module {error.name!r} in {display_path(folder)}, beside the file of limits,"
            f" and none installed; {did_you_mean(module, known)}"
        ) from error
    file = getattr(found, "__file__", None)
    if beside is not None and (file is None or Path(file).resolve() != beside.resolve()):
        other = "Python itself" if file is None else display_path(Path(file))
        raise InvalidPredictions(
            f"python: {module}: is a module of {other} already, so that {display_path(beside)} is not read; rename "
            "the latter"
        )
    return found


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """Look for modules in a folder, too."""
    path = str(folder.resolve())
    sys.path.insert(0, path)
    try:
        yield
    finally:
        sys.path.remove(path)
