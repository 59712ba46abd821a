"""Which file holds a model's predictions, and what its columns are; `source_reading` reads it. Loads no NumPy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

__all__ = ["ARRAYS", "LAYOUTS", "ROLES", "STDIN", "Layout", "Source", "decision_rule", "source_problems"]

Layout: TypeAlias = Literal["meds"]

ARRAYS = ("y_true", "y_pred", "y_score", "error", "uncertainty")
"""What is said of each sample: the arrays of `Predictions`, but for its clusters, ids and groups."""
ROLES = (*ARRAYS, "cluster", "sample_id")
"""What a column can be, but for the features of its groups."""

LAYOUTS: Mapping[Layout, Mapping[str, str]] = MappingProxyType(
    {
        "meds": {  # https://pypi.org/project/meds-evaluation, "Prediction schema"
            "y_true": "boolean_value",
            "y_pred": "predicted_boolean_value",
            "y_score": "predicted_boolean_probability",
            "cluster": "subject_id",
        }
    }
)
"""The columns of files whose names are agreed upon. Of decisions and scores one may be missing, or empty."""

STDIN = "-"
"""In the place of a file: CSV from the standard input."""

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_RULE = re.compile(r"(?P<column>.+?)\s*(?P<sign>>=|>|<=|<)\s*(?P<number>[+-]?[0-9]*\.?[0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file of predictions and what its columns are: names of columns, None for what it does not hold."""

    file: str = ""  # relative to the file of limits, where one names it; a pattern or a folder of Parquet files
    python: str | None = None  # in its place, module:function that returns a frame
    y_true: str | None = None
    y_pred: str | None = None  # or a rule that makes decisions of numbers: "decile_score >= 5"
    y_score: str | None = None
    error: str | None = None
    uncertainty: str | None = None
    cluster: str | None = None
    sample_id: str | None = None
    accepted: str | None = None  # as `file`, or as `python` where that is given: what the baseline was written from
    collect: bool | None = None  # whether rows of an engine come into memory; None by how many there are
    by: tuple[str, ...] = ()  # sensitive features besides those that checks name
    positive: str | None = None  # as it is written; what it is there, the column says
    threshold: float | None = None
    layout: Layout | None = None
    bins: Mapping[str, tuple[float, ...]] = field(default_factory=dict)  # where features that are numbers are cut
    groups: str | None = None  # a second file of features, a row for each cluster

    @property
    def called(self) -> str:
        """What messages call the source."""
        return f"python: {self.python}" if self.python is not None else self.file

    def column(self, role: str) -> str | None:
        """Return the column that has a role, by its own name or by that of the layout."""
        given: str | None = getattr(self, role)
        return given if given is not None or self.layout is None else LAYOUTS[self.layout].get(role)


def decision_rule(text: str) -> tuple[str, str, float] | None:
    """Return column, sign and number of a rule such as "decile_score >= 5"; None for the name of a column."""
    found = _RULE.fullmatch(text.strip())
    return None if found is None else (found["column"], found["sign"], float(found["number"]))


def source_problems(source: Source) -> Iterator[tuple[str, str]]:
    """Yield (field, what is wrong) of what no file could mend."""
    if not source.file and source.python is None:
        yield "file", "is missing; write for example `file: predictions.csv`, or `python: module:function`"
    if source.file and source.python is not None:
        yield "file", "stands beside python, a function that returns the rows; leave one of them out"
    if source.python is not None and not _FUNCTION.fullmatch(source.python):
        yield "python", f"is {source.python!r}; write module:function, such as warehouse:scored_visits"
    of_engine = next((key for key in ("python", "accepted", "collect") if getattr(source, key) is not None), None)
    if of_engine and source.y_pred is not None and decision_rule(source.y_pred) is not None:
        yield "y_pred", f"is a rule, which is not read beside {of_engine}; decide in the query of a function: python"
    made = source.y_pred or source.y_score or source.error or source.layout
    if source.y_true is not None and not made:
        yield "y_true", "is compared with nothing; name the column of y_pred, y_score or error"
    if source.column("y_true") is None and (source.y_pred or source.y_score or not source.error):
        yield "y_true", "is missing; name the column of what happened, or that of the error of each sample"
    yield from _compared_with_itself(source)
    yield from _engine_problems(source)
    if source.threshold is not None and source.y_pred is not None:
        yield "threshold", "stands beside y_pred, which are the decisions; leave one of them out"
    elif source.threshold is not None and source.column("y_score") is None:
        yield "threshold", "makes decisions of scores; name the column of y_score"
    if source.threshold is not None and not 0.0 <= source.threshold <= 1.0:
        yield (
            "threshold",
            (
                f"{source.threshold:g} is outside [0, 1], where probabilities are; decisions by another number are "
                "a rule: y_pred: decile_score >= 5"
            ),
        )
    if source.positive is not None and source.column("y_true") is None:
        yield "positive", "is a class of y_true, which is not given"
    if source.groups is not None and source.column("cluster") is None:
        yield "groups", "has a row for each cluster; name the column that both files have: cluster: patient_id"
    for name, edges in source.bins.items():
        if not edges or list(edges) != sorted(set(edges)) or any(abs(edge) == float("inf") for edge in edges):
            yield "bins", f"{name}: write rising numbers at which bands begin, such as 40, 65"


def _engine_problems(source: Source) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with where the rows are, and those that the baseline was written from."""
    if source.collect is not None and source.python is None and _in_memory(source.file):
        yield "collect", "is for Parquet and `python:`; rows of other files come into memory"
    if source.accepted is None:
        return
    if source.collect:
        yield "collect", "stands beside accepted, which is for rows that stay in their engine; leave one of them out"
    if source.python is not None and not _FUNCTION.fullmatch(source.accepted):
        yield "accepted", f"is {source.accepted!r}; write module:function, such as warehouse:accepted_visits"
    if source.python is None and _in_memory(source.file):
        yield "accepted", "is for Parquet and `python:`; of other files the baseline keeps what was said of each sample"
    if source.sample_id is None:
        yield "accepted", "has the same samples, found by their ids; name the column of these: sample_id: visit"


def _in_memory(file: str) -> bool:
    return file == STDIN or file.lower().endswith((".csv", ".csv.gz", ".tsv", ".txt", ".arrow", ".feather", ".ipc"))


def _compared_with_itself(source: Source) -> Iterator[tuple[str, str]]:
    """Yield the column that would stand for what was predicted and for what it is compared with: a perfect model."""
    y_true, error = source.column("y_true"), source.column("error")
    for role in ("y_pred", "y_score", "error", "uncertainty"):
        name = source.column(role)
        rule = None if role != "y_pred" or name is None else decision_rule(name)
        if y_true is not None and y_true in (name, rule and rule[0]):
            yield role, f"is made of {y_true!r}, the column of y_true, so that nothing is ever wrong; name another"
        elif role == "uncertainty" and error is not None and name == error:
            yield role, f"is {name!r}, the column of error, which it is compared with; name another"
