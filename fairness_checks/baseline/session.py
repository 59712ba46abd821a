"""The baseline in one run under pytest: read at the start, compared with by every worker, written by the controller."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fairness_checks.baseline.secret_key import VARIABLE, find_key, key_file
from fairness_checks.plain import printable

if TYPE_CHECKING:
    from fairness_checks.baseline.accepted import Accepted
    from fairness_checks.baseline.document import Baseline, OutcomesRef
    from fairness_checks.baseline.fingerprint import Pseudonyms
    from fairness_checks.inputs.predictions import Predictions
    from fairness_checks.question.checks import Check, Settings
    from fairness_checks.records.check_record import CheckRecord

__all__ = ["FILENAME", "BaselineSession"]

FILENAME = "fairness-baseline.json"
"""Beside the file of limits."""


class BaselineSession:
    """The baseline of a file of limits, whether it exists or not; BaselineError where it or its key is unusable."""

    def __init__(self, path: Path, models: Collection[str], *, updating: bool) -> None:
        self.path, self.updating, self._models = path, updating, models
        self._baseline = _read(path)
        needed = updating or any(ref.key is not None for ref in self._outcomes())
        self._key = find_key(path) if needed else None

    def _outcomes(self) -> list[OutcomesRef]:
        models = {} if self._baseline is None else self._baseline.models
        return [model.outcomes for model in models.values() if model.outcomes is not None]

    def accepted(self, model: str, checks: Sequence[Check]) -> Accepted | None:
        """Return what the baseline holds of a model; None where no check asks for it."""
        if all(check.of is None for check in checks):
            return None
        from fairness_checks.baseline.accepted import Accepted

        there = None if self._baseline is None else self._baseline.models.get(model)
        accepted = Accepted(self.path, there, self.updating)
        if there is not None and there.outcomes is not None:
            pseudonyms, unpaired = self._pseudonyms(there.outcomes)
            accepted = dataclasses.replace(accepted, pseudonyms=pseudonyms, unpaired=unpaired)
        return accepted

    def _pseudonyms(self, outcomes: OutcomesRef) -> tuple[Pseudonyms | None, str | None]:
        """Return what finds samples in an outcomes file again, or why there is nothing that does."""
        from fairness_checks.baseline.fingerprint import Pseudonyms

        if outcomes.key is None:
            return Pseudonyms(bytes.fromhex((self._baseline and self._baseline.salt) or "")), None
        if self._key is None:
            where = f"${VARIABLE} or {key_file(self.path).name}"
            return None, f"the key {outcomes.key} of the baseline's pseudonyms is not here; give it by {where}"
        if self._key.id != outcomes.key:
            other = f"{self._key.source} holds the key {self._key.id}"
            return None, f"the baseline's pseudonyms were made with the key {outcomes.key}, and {other}"
        return Pseudonyms(self._key), None

    def look(self, record: CheckRecord) -> int | None:
        """Return which look at its question a record is; None without a baseline, in which looks are counted."""
        if self._baseline is None:
            return None
        from fairness_checks.baseline.entries import number_of_look

        model = self._baseline.models.get(record.model)
        return number_of_look(record, None if model is None else model.checks.get(record.question.line))

    def staged(
        self,
        predictions: Predictions | None,
        checks: Sequence[Check],
        settings: Settings,
        scratch: Callable[[], Path],
    ) -> Path | None:
        """Leave what the next baseline needs of a model in a folder within `scratch`; None where it needs nothing."""
        against = [check for check in checks if check.of is not None]
        if not self.updating or not against or predictions is None:
            return None
        from fairness_checks.baseline.staging import stage
        from fairness_checks.baseline.store import claim_key

        key = None if predictions.sample_id is None else claim_key(self.path)
        return stage(predictions, against, settings, key, scratch)

    def strangers(self) -> dict[str, str]:
        """Return the models that the file of limits does not have, and why each is a problem: renamed or removed."""
        if self._baseline is None:
            return {}
        from fairness_checks.baseline.reading import REWRITE

        return {
            name: printable(
                f"{self.path.name} holds the model {name!r}, of which the file of limits has no checks; if it was "
                f"renamed, give it its old name, or accept the new one in a whole run: {REWRITE}"
            )
            for name in self._baseline.models
            if name not in self._models
        }

    def write(
        self,
        records: Sequence[CheckRecord],
        configured: Mapping[str, Sequence[Check]],
        staged: Mapping[str, Path],
        *,
        complete: bool,
        period: str | None,
        suppress_below: int | None = None,
    ) -> str:
        """Write the baseline and return a line that says what was done; raise BaselineError if that fails."""
        from fairness_checks.baseline.writing import write_baseline

        try:
            done = write_baseline(
                self.path,
                records,
                configured,
                staged,
                complete=complete,
                period=period,
                suppress_below=suppress_below,
            )
        finally:
            for folder in staged.values():
                shutil.rmtree(folder, ignore_errors=True)
        kept = (
            f"; {done.kept} others ran, and were not written, as they neither passed nor were waived"
            if done.kept
            else ""
        )
        gone = f"; gone with their models: {', '.join(done.dropped)}" if done.dropped else ""
        checks = "check" if done.written == 1 else "checks"
        commit = "; commit it" if done.written or done.dropped else ""
        line = f"{self.path.name}: {done.written} {checks} written{kept}{gone}{commit}"
        return printable(f"{line}{self._about_the_key()}")

    def _about_the_key(self) -> str:
        """Say that a key was made, or that it is another one than before; nothing where neither is so."""
        now = find_key(self.path)
        if now is None:
            return ""
        if self._key is None:
            file = key_file(self.path).name
            return (
                f". Its pseudonyms have a new key, {now.id}, in {file}: keep a copy, never commit it, and give it to "
                f"CI as ${VARIABLE}"
            )
        before = sorted({ref.key for ref in self._outcomes() if ref.key is not None} - {now.id})
        return f". Its pseudonyms have another key now: {now.id}, was {' and '.join(before)}" if before else ""


def _read(path: Path) -> Baseline | None:
    """Read a baseline as `read_baseline` does, which is not even imported where there is none."""
    try:
        path.lstat()
    except FileNotFoundError:
        return None
    except OSError:  # said by what reads it
        pass
    from fairness_checks.baseline.reading import read_baseline

    return read_baseline(path)
