"""A diff as text of plain ASCII at most 100 characters wide, and as JSON."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from fairness_checks.baseline.document import Entry
from fairness_checks.cli.diff import CheckChange, Fact
from fairness_checks.cli.snapshot import Snapshot
from fairness_checks.plain import counted, printable
from fairness_checks.report.numbers import limit_text, value_text

__all__ = ["diff_json", "diff_text"]

_WIDTH = 100
_LABEL, _VALUE = 22, 23


def diff_text(old: Snapshot, new: Snapshot, changes: Sequence[CheckChange]) -> str:
    """Return the table of what changed, or that nothing did."""
    lines = [_source("old", old), _source("new", new)]
    for model in sorted({change.model for change in changes} | set(_other_samples(old, new))):
        lines += ["", *_wrapped(model, "")]
        if model in _other_samples(old, new):
            lines.append("  samples: other ones than before (their fingerprint differs); changes are not paired")
        for change in changes:
            if change.model == model:
                lines += _wrapped(change.key, "  ")
                lines += [line for fact in change.facts for line in _row(fact, change)]
    if not changes:
        return "\n".join([*lines, "nothing changed" if len(lines) == 2 else "  no check changed"]) + "\n"
    return "\n".join([*lines, "", _summary(changes)]) + "\n"


def diff_json(old: Snapshot, new: Snapshot, changes: Sequence[CheckChange]) -> str:
    """Return the same as JSON: `old`, `new`, `worse`, `other_samples` and `changes`, each with its facts."""
    document: dict[str, Any] = {
        "old": {"source": old.source, "kind": old.kind},
        "new": {"source": new.source, "kind": new.kind},
        "worse": any(change.worse for change in changes),
        "other_samples": _other_samples(old, new),
        "changes": [
            {
                "model": change.model,
                "check": change.key,
                "worse": change.worse,
                "facts": [{**dataclasses.asdict(fact), "stops": fact.stops} for fact in change.facts],
                "old": None if change.old is None else change.old.plain(),
                "new": None if change.new is None else change.new.plain(),
            }
            for change in changes
        ],
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _other_samples(old: Snapshot, new: Snapshot) -> list[str]:
    both = sorted({*old.fingerprints} & {*new.fingerprints})
    pairs = {model: (old.fingerprints[model], new.fingerprints[model]) for model in both}
    return [model for model, (before, after) in pairs.items() if before[0] == after[0] and before[1] != after[1]]


def _source(label: str, snapshot: Snapshot) -> str:
    checks, models = sum(map(len, snapshot.models.values())), len(snapshot.models)
    found = f"{counted(checks, 'check')} of {counted(models, 'model')}"
    return f"{label}: {_ascii(snapshot.source)} ({snapshot.kind}, {found})"


def _summary(changes: Sequence[CheckChange]) -> str:
    worse = [change for change in changes if change.worse]
    reasons: dict[str, int] = {}
    for fact in (fact for change in worse for fact in change.facts if fact.stops):
        reasons[_reason(fact)] = reasons.get(_reason(fact), 0) + 1
    listed = ", ".join(f"{word} {count}" for word, count in sorted(reasons.items()))
    return f"{counted(len(changes), 'check')} changed, {len(worse)} got worse" + (f": {listed}" if listed else "")


def _reason(fact: Fact) -> str:
    if fact.subject == "verdict":
        return "verdict worse"
    return "failing check added" if fact.subject == "check" and fact.old is None else f"{fact.subject} {_event(fact)}"


def _row(fact: Fact, change: CheckChange) -> Iterator[str]:
    """Yield ``    label  old  new  change``; what is too long for that takes a line of its own."""
    label = _ascii(" ".join([fact.subject, ", ".join(fact.name)]).strip())
    old, new = _cell(fact, fact.old, change.old), _cell(fact, fact.new, change.new)
    if len(label) > _LABEL:
        yield from _wrapped(label, "    ")
        label = ""
    line = f"    {label:<{_LABEL}} {old:<{_VALUE}} {new:<{_VALUE}} {_words(fact)}".rstrip()
    if len(line) <= _WIDTH:
        yield line
    else:
        yield from _wrapped(f"{label} {old} -> {new}  {_words(fact)}", "    ")


def _cell(fact: Fact, value: str | float | None, entry: Entry | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if fact.subject in ("limit", "ratchet"):
        return limit_text(value)
    if fact.subject == "group":
        n = next((group.n for group in entry.groups if group.name == fact.name), None) if entry else None
        return f"{value_text(value)} (n={n})"
    if entry is None or entry.low is None or entry.high is None:
        return value_text(value)
    return f"{value_text(value)} [{value_text(entry.low)}, {value_text(entry.high)}]"


def _words(fact: Fact) -> str:
    """Say what happened; "worse" stands at the end of a reason to stop, and nowhere else."""
    moved = "" if fact.change is None else value_text(fact.change)
    if fact.change is not None and fact.change > 0:
        moved = f"+{moved}"
    text = ", ".join(part for part in (moved, _event(fact)) if part)
    return f"{text}: worse" if fact.stops else text


def _event(fact: Fact) -> str:
    if fact.old is None:
        return "now defined" if fact.subject == "estimate" else "added"
    if fact.new is None:
        return {"estimate": "undefined", "ratchet": "removed"}.get(fact.subject, "vanished")
    if fact.change is not None:
        limits = fact.subject in ("limit", "ratchet")
        words = ("tightened", "loosened") if limits else ("favourable", "unfavourable")
        return dict(zip(("better", "worse"), words, strict=True)).get(fact.way, "")
    if fact.subject == "group":
        return "undefined" if fact.way == "worse" else "now defined"
    return "better" if fact.way == "better" else "changed"


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(_ascii(text), _WIDTH, initial_indent=indent, subsequent_indent=indent + "    ") or [indent]


def _ascii(text: str) -> str:
    return printable(text).encode("ascii", "backslashreplace").decode("ascii")
