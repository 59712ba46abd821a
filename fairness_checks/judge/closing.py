"""What the controller of a run does once all checks have reported: it writes the baseline where it is to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fairness_checks.errors import BaselineError
from fairness_checks.plain import printable

if TYPE_CHECKING:
    from fairness_checks.baseline.session import BaselineSession
    from fairness_checks.config.loading import GateConfig
    from fairness_checks.records.check_record import CheckRecord

__all__ = ["close"]


def close(
    limits: GateConfig,
    baseline: BaselineSession,
    records: Sequence[CheckRecord],
    staged: Mapping[str, Path],
    *,
    incomplete: Collection[str] = (),
    unfiltered: bool,
    lost: bool,
) -> str | None:
    """Write the baseline where the run is to, and return a line that says so.

    Parameters
    ----------
    limits : GateConfig
        What was to be checked.
    baseline : BaselineSession
        What was compared with.
    records : sequence of CheckRecord
        Of all tests that reported.
    staged : mapping of str to Path
        By model, what its evaluation left for the baseline.
    incomplete : collection of str
        Models of which some check could not be made: nothing of them is written.
    unfiltered : bool
        Whether nothing was deselected.
    lost : bool
        Whether checks did not report: such a run writes no baseline.

    Raises
    ------
    BaselineError
        If it was to be written and was not.
    """
    if not baseline.updating:
        return None
    if lost:
        raise BaselineError("checks were lost")
    checks = {model.name: [entry.check for entry in model.checks] for model in limits.models}
    configured = {(model, check.question) for model, some in checks.items() for check in some}
    complete = unfiltered and configured <= {(record.model, record.question) for record in records}
    kept = [record for record in records if record.model not in incomplete]
    written = baseline.write(kept, checks, staged, complete=complete)
    if incomplete:
        written += f". Not written, as a check could not be made: {printable(', '.join(sorted(incomplete)))}"
    return written
