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
    """Write the baseline where the run is to, and return a line that says so."""
    # Nothing of `incomplete` models is written, of which some check could not be made; nothing at all where checks
    # were lost. `unfiltered` says that nothing was deselected.
    if not baseline.updating:
        return None
    if lost:
        raise BaselineError("checks were lost")
    checks = {model.name: [entry.check for entry in model.checks] for model in limits.models}
    configured = {(model, check.question) for model, some in checks.items() for check in some}
    complete = unfiltered and configured <= {(record.model, record.question) for record in records}
    kept = [record for record in records if record.model not in incomplete]
    period, below = limits.period, limits.suppress_below
    written = baseline.write(kept, checks, staged, complete=complete, period=period, suppress_below=below)
    if incomplete:
        written += f". Not written, as a check could not be made: {printable(', '.join(sorted(incomplete)))}"
    return written
