"""What JUnit says in properties: a record in those of its test case, what a run was judged by in those of its suite."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping

from fairness_checks.records.check_record import CheckRecord
from fairness_checks.report.sweep_text import answer_words
from fairness_checks.report.text import absent_text, headline, inputs_text

__all__ = ["RECORD_PROPERTY", "properties", "records_of", "run_properties"]

RECORD_PROPERTY = "fairness.record"
"""Name of the property that holds the whole record; the controller of a parallel run reads the records from it."""

_PLAIN = (
    "model",
    "metric",
    "limit_kind",
    "limit",
    "verdict",
    "estimate",
    "low",
    "high",
    "confidence",
    "p_violation",
    "p_adjusted",
    "p_compliance",
    "correction",
    "family_size",
    "alpha",
    "burden_of_proof",
    "method",
    "reason",
    "strata",
    "component",
)


def properties(record: CheckRecord) -> list[tuple[str, str]]:
    """Return (name, value) pairs of plain text; names use only ``[a-z0-9_.]``, as JUnit writers do not escape them."""
    # Undefined values are left out. `fairness.text` is the line that the terminal shows, `fairness.record` the whole
    # record as JSON.
    pairs = [("fairness.by", ", ".join(record.by))]
    if record.control_features:
        pairs.append(("fairness.control_features", ", ".join(record.control_features)))
    if absent := absent_text(record):
        pairs.append(("fairness.absent", absent))
    if record.sweep is not None:
        pairs.append(("fairness.gap", record.sweep.gap))
        pairs += [("fairness.mix", record.sweep.mix)] if record.sweep.mix else []
        pairs.append(("fairness.mixes", json.dumps([dataclasses.asdict(row) for row in record.sweep.table])))
        pairs += [("fairness.answer", answer)] if (answer := answer_words(record.sweep)) else []
    if record.regression is not None:
        for name in ("of", "before", "after", "paired", "pairing", "baseline_date", "levelling_down"):
            if (value := getattr(record.regression, name)) is not None:
                pairs.append((f"fairness.regression.{name}", str(value)))
    for name in _PLAIN:
        value = getattr(record, name)
        if value is not None:
            pairs.append((f"fairness.{name}", f"{value:.6g}" if type(value) is float else str(value)))
    if inputs := inputs_text(record):
        pairs.append(("fairness.inputs", inputs))
    pairs += [(f"fairness.about.{name}", text) for name, text in record.about.items()]
    pairs += [("fairness.note", note) for note in (*record.notes, *record.cautions)]
    if record.waiver is not None:
        for name in ("reason", "approved_by", "expires"):
            pairs.append((f"fairness.waiver.{name}", getattr(record.waiver, name)))
    groups = [{"group": g.label, "samples": g.samples, "events": g.events, "n": g.n} for g in record.groups]
    pairs.append(("fairness.groups", json.dumps(groups, ensure_ascii=False)))
    pairs.append(("fairness.text", headline(record)))
    pairs.append((RECORD_PROPERTY, record.to_json()))
    return pairs


def run_properties(
    *,
    file: str,
    sha256: str | None,
    burden_of_proof: str,
    seed: int,
    day: str,
    commit: str | None,
    versions: Mapping[str, str],
    unchecked: Mapping[str, str],
    deselected: Iterable[str],
) -> list[tuple[str, str]]:
    """Return (name, value) pairs of what a run was judged by: its file of limits with what that says, day and code."""
    pairs = [("fairness.config", file)]
    pairs += [("fairness.config.sha256", sha256)] if sha256 else []
    pairs += [("fairness.burden_of_proof", burden_of_proof), ("fairness.seed", str(seed)), ("fairness.day", day)]
    pairs += [("fairness.git_commit", commit)] if commit else []
    pairs += [(f"fairness.version.{name.replace('-', '_')}", version) for name, version in sorted(versions.items())]
    pairs += [("fairness.unchecked", f"{model}: {reason}") for model, reason in unchecked.items()]
    return pairs + [("fairness.deselected", node) for node in deselected]


def records_of(user_properties: list[tuple[str, object]]) -> list[CheckRecord]:
    """Read the records back from a test report's properties."""
    return [CheckRecord.from_json(str(value)) for name, value in user_properties if name == RECORD_PROPERTY]
