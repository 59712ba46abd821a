"""Replacing a baseline: one run at a time, over what the run before it left, whole or not at all."""

# The order of the steps is what a kill at any of them relies on. New outcome files come first, under names made of
# their content, so that they replace nothing that the old JSON names; then the JSON, by renaming; then the files go
# that it no longer names. Whenever a process dies, the JSON that is there finds all of its files.

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from filelock import Timeout

from fairness_checks.baseline.document import SCHEMA, Baseline, OutcomesRef
from fairness_checks.baseline.reading import parse_baseline, read_baseline
from fairness_checks.baseline.secret_key import VARIABLE, SecretKey, find_key, key_file, lock_file, make_key
from fairness_checks.baseline.text import baseline_text
from fairness_checks.errors import BaselineError
from fairness_checks.question.names import slug
from fairness_checks.storage.files import read_regular, remove_leftovers, write_atomically
from fairness_checks.storage.locks import locked

__all__ = ["claim_key", "outcomes_folder", "update_baseline"]

LOCK_SECONDS = 30.0
_OURS = re.compile(r"[A-Za-z0-9_]+-[0-9a-f]{12}\.npz")
_NONE: Mapping[str, Path] = MappingProxyType({})

Change = Callable[[Baseline | None], Baseline]


def outcomes_folder(path: Path) -> Path:
    """Return where the outcome files of a baseline are: beside it, called as it is without ``.json``."""
    if path.suffix != ".json" or path.name.startswith("."):
        raise BaselineError(f"{path}: the name of a baseline ends in .json, and does not begin with a dot")
    return path.with_suffix("")


def claim_key(path: Path, *, timeout: float = LOCK_SECONDS) -> SecretKey:
    """Return the key of the baseline's pseudonyms; make one where none was ever used."""
    # BaselineError where the baseline has pseudonyms but this run has no key: another would make them other patients.
    if (key := find_key(path)) is not None:
        return key
    with _locked(path, timeout):
        if (key := find_key(path)) is not None:  # another process was first
            return key
        used = sorted({ref.key for ref in _refs(read_baseline(path)).values() if ref.key is not None})
        if used:
            raise BaselineError(
                f"{path}: its pseudonyms were made with the key {' and '.join(used)}, which is not here. Give it as "
                f"${VARIABLE} or in {key_file(path).name}; where it is lost, give a new one, under which this run's "
                "samples are written: until then nothing is paired"
            )
        return make_key(path)


def update_baseline(
    path: Path, change: Change, outcomes: Mapping[str, Path] = _NONE, *, timeout: float = LOCK_SECONDS
) -> Baseline:
    """Replace a baseline by a changed one, under a lock and after reading it again; nothing is overwritten unread."""
    # `change` takes what is there now, None for nothing; what it raises is passed on, and nothing is written.
    # `outcomes` holds the file of `write_outcomes` of each model with new ones; it is copied.
    folder = outcomes_folder(path)
    with _locked(path, timeout):
        remove_leftovers(path.parent, path.name)
        old = read_baseline(path)
        new, files = _placed(folder, old, change(old), outcomes)
        text = baseline_text(new)
        parse_baseline(text, f"{path} (not written)")  # what is written can be read
        try:
            for name, content in files.items():
                _keep(folder / name, content)
            write_atomically(path, text.encode())
        except OSError as error:
            what = "" if error.filename in (None, str(path)) else f"{error.filename}: "
            raise BaselineError(f"{path}: cannot be written: {what}{error.strerror or error}") from error
        with suppress(OSError):  # the new baseline stands; what is left over goes next time
            _remove_unnamed(folder, new)
    return new


@contextmanager
def _locked(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock of a baseline. A killed process lets go; the empty file of the lock stays."""
    lock = lock_file(path)
    held = ExitStack()
    try:
        held.enter_context(locked(lock, timeout))
    except Timeout:
        raise BaselineError(
            f"{lock}: another run has held the lock of the baseline for {timeout:g} s; wait until it has ended, then "
            "run the update again"
        ) from None
    except OSError as error:
        why = error.strerror or error
        raise BaselineError(f"{lock}: the baseline cannot be locked: {why}; make its folder writable") from error
    with held:
        yield


def _placed(
    folder: Path, old: Baseline | None, new: Baseline, outcomes: Mapping[str, Path]
) -> tuple[Baseline, dict[str, bytes]]:
    """Return the baseline with its outcomes under their names, and the new files' contents by name."""
    files: dict[str, bytes] = {}
    models = dict(new.models)
    for name, staged in outcomes.items():
        ref = models[name].outcomes if name in models else None
        if ref is None:
            raise BaselineError(f"{staged}: outcomes of {name!r}, to which the changed baseline does not refer")
        try:
            content = read_regular(staged)
        except OSError as error:
            raise BaselineError(f"{staged}: outcomes of {name!r} cannot be read: {error.strerror or error}") from error
        if hashlib.sha256(content).hexdigest() != ref.sha256:
            raise BaselineError(f"{staged}: is not the file that was written for {name!r} (its sha256 is another)")
        target = f"{slug(name)}-{ref.sha256[:12]}.npz"
        files[target] = content
        models[name] = replace(models[name], outcomes=replace(ref, file=f"{folder.name}/{target}"))
    there = _refs(old)
    for name, ref in _refs(replace(new, models=models)).items():
        if name not in outcomes and there.get(name) != ref:
            raise BaselineError(f"{folder}: new outcomes of {name!r} without a file")
    # The salt of a baseline of schema 1 goes with the last outcomes that need it.
    salted = any(ref.key is None for ref in _refs(replace(new, models=models)).values())
    return replace(new, models=models, schema=SCHEMA, salt=new.salt if salted else None), files


def _refs(baseline: Baseline | None) -> dict[str, OutcomesRef]:
    models = {} if baseline is None else baseline.models
    return {name: model.outcomes for name, model in models.items() if model.outcomes is not None}


def _keep(path: Path, content: bytes) -> None:
    """Write a file whose name says what is in it, unless it is there."""
    path.parent.mkdir(exist_ok=True)
    with suppress(FileNotFoundError):
        if read_regular(path) == content:
            return
    write_atomically(path, content)


def _remove_unnamed(folder: Path, baseline: Baseline) -> None:
    """Remove outcome files that the baseline does not name, and what a killed process left of one."""
    named = {Path(ref.file).name for ref in _refs(baseline).values()}
    remove_leftovers(folder)
    for file in folder.glob("*.npz"):
        if _OURS.fullmatch(file.name) and file.name not in named:
            file.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
