"""Reading a baseline strictly: what was written, whole and unchanged, or an error that says what to do."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fairness_checks.baseline.document import SCHEMA, Baseline, Entry, GroupEntry, ModelBaseline, Salt, Sha256
from fairness_checks.baseline.text import checksum, written_by
from fairness_checks.errors import BaselineError
from fairness_checks.plain import RepeatedKey, strict_json
from fairness_checks.question.metrics import METRICS, Metric
from fairness_checks.records.parts import Strict, first_problem
from fairness_checks.storage.files import read_regular

__all__ = ["REWRITE", "parse_baseline", "read_baseline"]

REWRITE = "pytest --fairness --fairness-update-baseline"
_REMEDY = f"restore the file with git, or delete it and write it anew: {REWRITE}"
_LARGEST = 1e70  # of values, as `kinds.measured` refuses larger ones: their third powers are numbers
_LEAST_FREEDOM = 1e-12  # of two clusters, one of which holds all samples but one of 1e12
_MOST = 1 << 28  # bytes; a check takes about a thousand
_MARKER = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( |$)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _File(Strict):
    """The top level of the file."""

    checksum: Sha256
    models: dict[str, ModelBaseline]
    salt: Salt | None = None
    schema: int
    written_by: str


def read_baseline(path: Path) -> Baseline | None:
    """Read a baseline; None where there is no file, BaselineError for one that is cut short, changed or newer."""
    try:
        text = read_regular(path, most=_MOST).decode("utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BaselineError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BaselineError(f"{path}: not UTF-8 at byte {error.start}; {_REMEDY}") from error
    return parse_baseline(text, str(path))


def parse_baseline(text: str, source: str) -> Baseline:
    """Read the text of a baseline, the inverse of `baseline_text`; `source` is the file's name, for messages."""
    document = _parsed(text, source)
    schema = document.get("schema")
    if type(schema) is int and schema not in (1, SCHEMA):
        by = document.get("written_by", "another version")
        raise BaselineError(
            f"{source}: schema: {schema}, written by {by!s:.60}; this is {written_by()}, which reads schema 1 to "
            f"{SCHEMA}: upgrade pytest-fairness"
        )
    try:
        file = _adapter().validate_json(text, strict=True)
    except ValidationError as error:
        raise BaselineError(f"{source}: {first_problem(error, 'file')}; {_REMEDY}") from error
    baseline = Baseline(schema=file.schema, salt=file.salt, models=file.models)
    if file.checksum != checksum(document):
        raise BaselineError(
            f"{source}: checksum: the content is not what was written: something was edited by hand or merged. "
            f"A baseline is measured, not written: {_REMEDY}"
        )
    _questions(baseline, source)
    return baseline


def _parsed(text: str, source: str) -> dict[str, Any]:
    """Parse JSON, refusing what `json` takes without a word."""
    if found := _MARKER.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise BaselineError(
            f"{source}:{line}: a merge conflict is unresolved; keep one side whole (git checkout --ours or --theirs "
            f"{source}), then measure what the other side accepted: {REWRITE}"
        )
    try:
        document = strict_json(text)
    except json.JSONDecodeError as error:
        cut = "; the file is cut short" if not text[error.pos :].strip() else ""
        raise BaselineError(
            f"{source}:{error.lineno}: not JSON at column {error.colno}: {error.msg}{cut}; {_REMEDY}"
        ) from error
    except RepeatedKey as error:
        lines = [number for number, line in enumerate(text.splitlines(), 1) if json.dumps(error.key) in line]
        where = f" (found on lines {', '.join(map(str, lines[:6]))})" if lines else ""
        raise BaselineError(f"{source}: {error}{where}; {_REMEDY}") from error
    except (ValueError, RecursionError) as error:  # NaN, an integer of 5,000 digits, 100,000 brackets
        raise BaselineError(f"{source}: not readable as JSON: {error!s:.200}; {_REMEDY}") from error
    if not isinstance(document, dict):
        raise BaselineError(f"{source}: holds no JSON object; {_REMEDY}")
    return document


def _questions(baseline: Baseline, source: str) -> None:
    """Refuse entries that stand under another check's key, and outcomes of other samples than the checks'."""
    for name, model in baseline.models.items():
        for key, entry in model.checks.items():
            if key != entry.question.line:
                raise BaselineError(f"{source}: models.{name}: {key!r} holds {entry.question.line!r}; {_REMEDY}")
            if problem := _impossible(entry):
                raise BaselineError(f"{source}: models.{name}.checks.{key}.{problem}; {_REMEDY}")
        if model.outcomes is not None and model.outcomes.key is None and baseline.salt is None:
            raise BaselineError(f"{source}: models.{name}: its outcomes have neither a key nor a salt; {_REMEDY}")
        if model.outcomes is not None and model.outcomes.fingerprint != model.data_fingerprint:
            raise BaselineError(f"{source}: models.{name}: outcomes are of other samples than the checks; {_REMEDY}")


def _impossible(entry: Entry) -> str | None:
    """Return what no run can have written, after its key; None where there is nothing."""
    names = [group.name for group in entry.groups]
    # Values standardised over strata are of groups of `by` alone.
    features = [*(entry.control_features if entry.strata == "each" else ()), *entry.by]
    for group in entry.groups:
        if len(group.name) != len(features) or names.count(group.name) > 1:
            return f"groups: {list(group.name)} stands there twice, or is no group by {features}"
        if group.events is not None and group.events > group.n:
            return f"groups: {list(group.name)}: {group.events} events of {group.n}"
        if entry.of and (problem := _contradiction(group, METRICS.get(entry.metric))):
            return f"groups: {list(group.name)}: {problem}"
    held = entry.ratchet_limit
    return None if held is None or abs(held) <= _LARGEST else f"ratchet_limit: {held:g} is no value of a metric"


def _contradiction(group: GroupEntry, metric: Metric | None) -> str | None:
    """Say what of a group's value and moments, by which another model is compared with it, no samples have."""
    moments = {name: getattr(group, name) for name in ("value", "variance", "df", "centre", "third")}
    value, variance, df, centre, third = moments.values()
    if (variance, df, centre, third, *group.extra) == (None,) * 4:  # a group that could not be judged
        return None
    if missing := [name for name, number in moments.items() if number is None]:
        return f"{' and '.join(missing)} missing beside the other moments"
    lowest, highest = (
        (-_LARGEST, _LARGEST) if metric is None else (max(metric.lowest, -_LARGEST), min(metric.highest, _LARGEST))
    )
    for name, number in (("value", value), ("centre", centre)):
        if not lowest <= number <= highest:
            return f"{name}: {number:g} is no value of the metric"
    if max(map(abs, group.extra), default=0.0) > _LARGEST or variance > _LARGEST**2:
        return "variance or extra: larger than any metric has"
    if df < _LEAST_FREEDOM:
        return f"df: {df:g} is less than two units have"
    if abs(third) > variance**1.5 * (1.0 + 1e-9):
        return f"third: {third:g} is more than a variance of {variance:g} allows"
    return None


@cache
def _adapter() -> TypeAdapter[_File]:
    return TypeAdapter(_File)
