"""What the controller of a run does once all checks have reported: looks at the waivers, and at the baseline."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from fairness_checks.errors import BaselineError
from fairness_checks.names import printable
from fairness_checks.waiver_use import waiver_problems

if TYPE_CHECKING:
    from fairness_checks.baseline.session import BaselineSession
    from fairness_checks.config import GateConfig
    from fairness_checks.records import CheckRecord

__all__ = ["Closed", "close"]


@dataclass(frozen=True, slots=True)
class Closed:
    """What is wrong with waivers and baseline, a line each, and a line on the baseline that was written, if it was."""

    disorder: tuple[str, ...]
    written: str | None = None


def close(
    limits: GateConfig,
    baseline: BaselineSession,
    records: Sequence[CheckRecord],
    staged: Mapping[str, Path],
    *,
    incomplete: Collection[str] = (),
    unfiltered: bool,
    lost: bool,
) -> Closed:
    """Judge the waivers by what they waived, and write the baseline where the run is to.

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
    """
    checks = {model.name: [entry.check for entry in model.checks] for model in limits.models}
    configured = {(model, check.key) for model, some in checks.items() for check in some}
    complete = unfiltered and configured <= {(record.model, record.check_key) for record in records}
    disorder = waiver_problems(limits.waivers, records, configured, date.today())
    if not (baseline.updating and complete):
        disorder += baseline.strangers()
    if not baseline.updating:
        return Closed(tuple(disorder))
    if lost:
        return Closed((*disorder, "the baseline was not written: checks were lost"))
    kept = [record for record in records if record.model not in incomplete]
    try:
        written = baseline.write(kept, checks, staged, complete=complete)
    except BaselineError as error:
        return Closed((*disorder, f"the baseline was not written: {error}"))
    if incomplete:
        written += f". Not written, as a check could not be made: {printable(', '.join(sorted(incomplete)))}"
    return Closed(tuple(disorder), written)
