"""What one model's run leaves for the baseline: written where the model is evaluated, taken by the run's controller."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from fairness_checks.baseline.document import GroupEntry, OutcomesRef
from fairness_checks.baseline.fingerprint import Pseudonyms
from fairness_checks.baseline.moments import group_entries
from fairness_checks.baseline.outcomes import write_outcomes
from fairness_checks.baseline.secret_key import SecretKey
from fairness_checks.errors import BaselineError
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.kinds import kind_of
from fairness_checks.kinds.group_statistics import GroupStatistics
from fairness_checks.kinds.influences import group_influences
from fairness_checks.measure.sources.engine_rows import rows_of
from fairness_checks.question.checks import Check, Settings
from fairness_checks.records.parts import Strict
from fairness_checks.storage.files import read_regular

__all__ = ["OUTCOMES", "Staged", "read_staged", "stage"]

OUTCOMES = "outcomes.npz"
_STAGED = "staged.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged(Strict):
    """A model's part of the next baseline."""

    outcomes: OutcomesRef | None  # of the file `OUTCOMES` beside it; None where the samples have no ids
    groups: dict[str, tuple[GroupEntry, ...]]  # of each check against the baseline, by `Question.line`


def stage(
    predictions: Predictions,
    checks: Sequence[Check],
    settings: Settings,
    key: SecretKey | None,
    scratch: Callable[[], Path],
) -> Path:
    """Write what the baseline needs of a model to a new folder within `scratch`, and return the folder."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="baseline-", dir=scratch()))
        return _stage(predictions, checks, settings, key, folder)
    except OSError as error:
        raise BaselineError(
            f"{error.filename or 'temporary folder'}: what the baseline needs cannot be written: "
            f"{error.strerror or error}; make room, or name another folder by TMPDIR"
        ) from error


def _stage(
    predictions: Predictions, checks: Sequence[Check], settings: Settings, key: SecretKey | None, folder: Path
) -> Path:
    outcomes = None
    if predictions.sample_id is not None and key is not None:
        ref = write_outcomes(folder / OUTCOMES, predictions, Pseudonyms(key))
        outcomes = dataclasses.replace(ref, file=f"staged/outcomes-{ref.sha256[:12]}.npz")  # until it is in its place
    groups = {check.question.line: _groups(predictions, check, settings) for check in checks}
    content = _staged().dump_json(Staged(outcomes=outcomes, groups=groups))
    (folder / _STAGED).write_bytes(content)
    return folder


def read_staged(folder: Path) -> Staged:
    """Read what `stage` wrote; raise BaselineError if it is not there."""
    try:
        return _staged().validate_json(read_regular(folder / _STAGED))
    except (OSError, ValidationError) as error:
        raise BaselineError(
            f"{folder}: what a worker left for the baseline cannot be read here ({type(error).__name__}); update the "
            "baseline in a run whose workers share this machine's temporary folder"
        ) from error


def _groups(predictions: Predictions, check: Check, settings: Settings) -> tuple[GroupEntry, ...]:
    metric = check.definition
    rows = rows_of(predictions, check.by, settings.missing)
    statistics = GroupStatistics.from_rows(rows, check.by, [metric])
    records = kind_of(metric).groups(statistics, metric, settings)
    found = group_influences(predictions, rows, metric)
    places = [statistics.groups.index(record.name) for record in records]
    some = found.take(places)
    return group_entries(records, some.influences, some.clusters)


@cache
def _staged() -> TypeAdapter[Staged]:
    return TypeAdapter(Staged)
