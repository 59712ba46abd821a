"""The baseline in one run under pytest: read at the start, compared with by every worker, written by the controller."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fairness_checks.baseline.reading import REWRITE, read_baseline
from fairness_checks.names import printable

if TYPE_CHECKING:
    from fairness_checks.checks import Check, Settings
    from fairness_checks.evaluation import Evaluation
    from fairness_checks.records import CheckRecord

__all__ = ["FILENAME", "BaselineSession"]

FILENAME = "fairness-baseline.json"
"""Beside the file of limits."""


class BaselineSession:
    """The baseline of a file of limits.

    Parameters
    ----------
    path : Path
        The baseline's JSON, whether it exists or not.
    models : collection of str
        Models that the file of limits has checks of.
    updating : bool
        Whether the run ends by writing it.

    Raises
    ------
    BaselineError
        If the file is there and cannot be read.
    """

    def __init__(self, path: Path, models: Collection[str], *, updating: bool) -> None:
        self.path, self.updating, self._models = path, updating, models
        self._baseline = read_baseline(path)

    def attached(self, model: str, evaluation: Evaluation, checks: Sequence[Check]) -> Evaluation:
        """Return an evaluation with what the baseline holds of its model, if some check asks for that."""
        if all(check.of is None for check in checks):
            return evaluation
        from fairness_checks.regression import Accepted

        accepted = Accepted(self.path, b"", None, self.updating)
        if self._baseline is not None:
            salt = bytes.fromhex(self._baseline.salt)
            accepted = dataclasses.replace(accepted, salt=salt, model=self._baseline.models.get(model))
        return dataclasses.replace(evaluation, accepted=accepted)

    def staged(self, evaluation: Evaluation, checks: Sequence[Check], settings: Settings) -> Path | None:
        """Leave what the next baseline needs of a model in a temporary folder; None where it needs nothing."""
        against = [check for check in checks if check.of is not None]
        if not self.updating or not against or evaluation.predictions is None:
            return None
        from fairness_checks.baseline.staging import stage
        from fairness_checks.baseline.store import claim_salt

        return stage(evaluation.predictions, against, settings, claim_salt(self.path))

    def strangers(self) -> dict[str, str]:
        """Return the models that the file of limits does not have, and why each is a problem: renamed or removed."""
        held = () if self._baseline is None else self._baseline.models
        return {
            name: printable(
                f"{self.path.name} holds the model {name!r}, of which the file of limits has no checks; if it was "
                f"renamed, give it its old name, or accept the new one in a whole run: {REWRITE}"
            )
            for name in held
            if name not in self._models
        }

    def write(
        self,
        records: Sequence[CheckRecord],
        configured: Mapping[str, Sequence[Check]],
        staged: Mapping[str, Path],
        *,
        complete: bool,
    ) -> str:
        """Write the baseline and return a line that says what was done; raise BaselineError if that fails."""
        from fairness_checks.baseline.writing import write_baseline

        try:
            done = write_baseline(self.path, records, configured, staged, complete=complete)
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
        return printable(f"{self.path.name}: {done.written} {checks} written{kept}{gone}; commit it")
