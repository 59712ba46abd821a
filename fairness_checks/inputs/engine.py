"""A table whose rows stay in their engine: coded, counted by one query, and checked by the same."""

# Only what all engines do alike is asked for: columns first, and of booleans whole numbers, because Spark adds up no
# booleans and Dask no expressions; then sums, `len` and groups. What they do differently (a missing label counts as 0
# in some, the largest of NaN, sums as decimals) cannot happen once the first query has found nothing missing and every
# number has become one of Python's.

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.classes import read_classes
from fairness_checks.inputs.frames import (
    answering,
    library_name,
    open_frame,
    refuse_ambiguous,
    refuse_names,
    refuse_patterns,
)
from fairness_checks.inputs.group_names import MISSING_TEXT, seen
from fairness_checks.inputs.narwhals_later import nw
from fairness_checks.inputs.sensitive import SensitiveFeature, encode_features
from fairness_checks.storage.files import display_path
from fairness_checks.typing import Array

__all__ = ["COLLECT", "MOST_COLLECTED", "TOTAL", "Answer", "Engine", "open_engine", "weighed"]

MOST_COLLECTED = 1_000_000
"""Rows of a lazy frame that are collected; more stay where they are."""

COLLECT = (
    "collect the frame: Predictions.from_frame(..., collect=True), or `collect: true` of a source, if its rows fit "
    "into memory"
)
"""What is done about what no engine computes."""

_FEW = 10_000  # rows of an answer that become lists: of pyarrow's a NumPy array loads pandas, which takes 0.3 s
_MOST_CELLS = 1_000_000
_MOST_CLASSES = 7
_NUMBERS = ("y_score", "error", "uncertainty")
_IDS = ("cluster", "sample_id")
_ROUNDINGS = 4.0  # as `vectors.read_scores` has them
_FILE = "file_of_row"
_FINE = "fine"
TOTAL = "total_"
"""Begins the names of columns that hold the sum of `score`, `error` (see `weighed`) or `uncertainty`."""
_NO_ID = sorted(MISSING_TEXT | {""})
_BLANK = "".join(character for character in map(chr, range(0x3001)) if character.isspace())  # as `str.strip` has them
_AROUND = f"^[{_BLANK}]+|[{_BLANK}]+$"
_NOT_ASCII = r"[^\x00-\x7F]"
_MOST_ODD = 10_000

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A small table that an engine made."""

    table: nw.DataFrame[Any]
    features: Mapping[str, str]  # names of features -> columns

    def __len__(self) -> int:
        return len(self.table)

    def whole(self, name: str) -> Counts:
        """Return a column of whole numbers, of whatever type an engine has for sums."""
        column = self.table.get_column(name)
        if len(self) > _FEW and column.dtype.is_integer() and not column.null_count():
            return np.asarray(column.to_numpy()).astype(np.int64)
        return np.array([int(value or 0) for value in column.to_list()], dtype=np.int64)

    def real(self, name: str) -> Array:
        """Return a column of floats; NaN where there is none."""
        column = self.table.get_column(name)
        if len(self) > _FEW and column.dtype.is_float() and not column.null_count():
            return np.asarray(column.to_numpy()).astype(np.float64)
        values = [np.nan if value is None else float(value) for value in column.to_list()]
        return np.array(values, dtype=np.float64)

    def coded(self) -> dict[str, SensitiveFeature]:
        """Code the features among the columns."""
        try:
            return encode_features({name: self._names(at) for name, at in self.features.items()})
        except InvalidPredictions as error:
            raise InvalidPredictions(_without_rows(str(error))) from None

    def _names(self, at: str) -> Any:
        column = self.table.get_column(at)
        if len(self) > _FEW or column.dtype != nw.String:
            return column
        return np.array(column.to_list(), dtype=object)


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """Rows where they are, coded and without anything missing.

    Parameters
    ----------
    frame : narwhals.LazyFrame
        A row a sample, with as many of the columns as there are: `label` and `decided` (0 or 1), `score`, `error` and
        `uncertainty` (floats), `cluster` (as it is), `sample` (an id, as it is or as text), and the features' own.
    source : str
        What messages call it.
    features : mapping of str to str
        Names of the features, and their columns.
    rows : int
        How many there are.
    given : frozenset of str
        Which arrays of Predictions there are; ids of samples are none.
    positive : str
        Name of the positive class.
    check : callable
        Raises InvalidPredictions where the rows are no longer those that were looked at first.
    counted : Answer
        How many samples (`n`) each combination of features, label and decision has, and sums of their numbers.
    """

    frame: nw.LazyFrame[Any]
    source: str
    features: Mapping[str, str]
    rows: int
    given: frozenset[str]
    positive: str
    check: Callable[[], None]

    counted: Answer

    def ask(self, query: nw.LazyFrame[Any], most: int = _MOST_CELLS, what: str = "") -> Answer:
        """Run a query whose answer is small."""
        return _answer(query, self.source, self.features, self.check, most, what)

    @property
    def outcomes(self) -> list[str]:
        """The columns of labels and decisions that there are."""
        return _outcomes(self.given)


def weighed(name: str, column: nw.Expr) -> nw.Expr:
    """Return a column of numbers as it is added up to see whether they change: nothing cancels, and signs count."""
    return column.abs() + 0.5 * column if name == "error" else column


def _outcomes(given: Collection[str]) -> list[str]:
    return [name for name, role in (("label", "y_true"), ("decided", "y_pred")) if role in given]


def _answer(
    query: nw.LazyFrame[Any],
    source: str,
    features: Mapping[str, str],
    check: Callable[[], None],
    most: int = _MOST_CELLS,
    what: str = "",
) -> Answer:
    check()
    with answering(source):
        table = query.head(most + 1).collect()
    check()
    if len(table) > most:
        raise InvalidPredictions(
            f"{source}: more than {most:,} combinations of {what or 'values'} of {', '.join(features)}; "
            f"name fewer features, cut numbers into bands, or {COLLECT}"
        )
    return Answer(table, {name: at for name, at in features.items() if at in table.columns})


def open_engine(
    frame: Any,
    roles: Mapping[str, str],
    features: Sequence[str],
    positive: Any,
    threshold: float | None,
    source: str | None = None,
    check: Callable[[], None] = lambda: None,
    file: str | None = None,
) -> Engine:
    """Check the columns of a lazy frame, all at once, and code them; one InvalidPredictions says what is wrong.

    `file` is the column that says which file a row is of, where there is one.
    """
    native = open_frame(frame)
    if not isinstance(native, nw.LazyFrame):
        raise InvalidPredictions(f"frame: {library_name(frame)} is in memory already; give a lazy one")
    called = source or f"frame: {library_name(frame)}"
    wanted = dict(roles) | {f"by[{place}]": name for place, name in enumerate(features)}
    with answering(called):
        refuse_names(wanted, [name for name in native.columns if name != file], frame)
        refuse_ambiguous(wanted, native)
        named = native.select(nw.col(*dict.fromkeys([*wanted.values(), *([] if file is None else [file])])))
        refuse_patterns(wanted, named.columns, frame)
        columns = {role: f"given_{role}" for role in roles}
        own = {name: f"feature_{place}" for place, name in enumerate(features)}
        taken = [nw.col(roles[role]).alias(at) for role, at in columns.items()]
        taken += [nw.col(name).alias(at) for name, at in own.items()]
        raw = named.select(*taken, *([] if file is None else [nw.col(file).alias(_FILE)]))
        schema = raw.collect_schema()
    first = _First(raw, roles, {role: schema[at] for role, at in columns.items()}, called, threshold)
    first.refuse_types()
    given = frozenset({*roles, *(() if threshold is None else ("y_pred",))} - {"sample_id"})
    # Classes in words are looked at before they are coded; 0 and 1 are checked while they are counted.
    clipped = first.look(plain=False) if first.in_words(positive) else False
    classes, name = first.classes(positive)

    def counted(clipped: bool) -> tuple[nw.LazyFrame[Any], Answer]:
        keep = [*first.coded(classes, clipped), *(nw.col(at) for at in own.values())]
        flags = first.flags(plain=positive is None)
        with answering(called):
            by_cell = raw.select(*keep, **flags).group_by(*own.values(), *_outcomes(given))
            query = by_cell.agg(nw.len().alias("n"), *(nw.col(flag).sum() for flag in flags))
        return raw.select(*keep), _answer(query, called, own, check)

    coded, cells = counted(clipped)
    if not clipped and not _sound(cells):
        clipped = first.look(plain=positive is None)
        coded, cells = counted(clipped)
    return Engine(coded, called, own, int(cells.whole("n").sum()), given, name, check, cells)


def _sound(cells: Answer) -> bool:
    """Say whether all rows are as they should be, by the flags that were summed with them."""
    rows = int(cells.whole("n").sum())
    totals = (name for name in cells.table.columns if name.startswith(TOTAL))
    sound = all(np.isfinite(cells.real(name).sum()) for name in totals)
    return sound and int(cells.whole(_FINE).sum()) == rows > 0


@dataclass(frozen=True, slots=True, eq=False)
class _First:
    """The first look at the columns of a table."""

    raw: nw.LazyFrame[Any]
    roles: Mapping[str, str]
    types: Mapping[str, nw.dtypes.DType]
    source: str
    threshold: float | None

    def refuse_types(self) -> None:
        """Refuse columns of text where numbers belong, without reading a row."""
        wrong = [
            f"{role}: column {self.roles[role]!r} holds {kind}; numbers are needed"
            for role in _NUMBERS
            if (kind := self.types.get(role)) is not None and not (kind.is_numeric() or kind == nw.Boolean)
        ]
        wrong += [
            f"{role}: column {self.roles[role]!r} holds {kind}; 0/1, bool or text is needed"
            for role in ("y_true", "y_pred")
            if (kind := self.types.get(role)) is not None
            and not (kind.is_numeric() or kind in (nw.Boolean, nw.String, nw.Categorical, nw.Enum))
        ]
        if (kind := self.types.get("sample_id")) is not None and not (kind.is_integer() or kind in _texts()):
            wrong.append(
                f"sample_id: column {self.roles['sample_id']!r} holds {kind}; whole numbers or text are needed"
            )
        if (kind := self.types.get("cluster")) is not None and kind in (nw.Binary, nw.List, nw.Array, nw.Struct):
            wrong.append(f"cluster: column {self.roles['cluster']!r} holds {kind}; text or numbers are needed")
        if wrong:
            raise InvalidPredictions(f"{self.source}: {'; '.join(wrong)}")

    def in_words(self, positive: Any) -> bool:
        """Say whether labels or decisions are classes other than 0 and 1."""
        kinds = [self.types[role] for role in ("y_true", "y_pred") if role in self.types]
        return bool(kinds) and not (positive is None and all(kind.is_numeric() or kind == nw.Boolean for kind in kinds))

    def flags(self, *, plain: bool) -> dict[str, nw.Expr]:
        """Return what is added up to see whether all rows are as they should be: 1 for each, and all numbers."""
        # The sum of floats is NaN if one is: DuckDB concludes from the statistics of a Parquet file, which leave NaN
        # out, that none is.
        fine = [self._is_fine(role, plain=plain) for role in self.types]
        numbers = {role: nw.col(f"given_{role}").cast(nw.Float64) for role in _NUMBERS if role in self.types}
        totals = {TOTAL + role.removeprefix("y_"): weighed(role, number) for role, number in numbers.items()}
        return {_FINE: self._whole(functools.reduce(operator.and_, fine))} | totals

    def _is_fine(self, role: str, *, plain: bool) -> nw.Expr:
        """Return whether a value of a role is as it should be."""
        kind, column = self.types[role], nw.col(f"given_{role}")
        if role in ("y_true", "y_pred") and plain and kind.is_numeric():
            return (column == 0) | (column == 1)
        if role == "y_score":
            score = column.cast(nw.Float64)
            return (score >= 0.0) & (score <= 1.0)
        if role == "uncertainty":
            return column >= 0
        if role in _IDS and kind in _texts():
            text = column.cast(nw.String)
            odd = text.is_in(_NO_ID) | (text.str.replace_all(_AROUND, "") != text) | text.str.contains(_NOT_ASCII)
            return ~column.is_null() & ~odd
        if role == "cluster" and kind.is_float():
            return column.abs() < self._largest_id
        return ~column.is_null()

    def _whole(self, condition: nw.Expr) -> nw.Expr:
        """Return 1 where a condition holds; where it is unknown, of a missing value, pandas makes no number of it."""
        known = condition.fill_null(False) if self.raw.implementation.is_dask() else condition
        return known.cast(nw.Int64)

    def look(self, *, plain: bool) -> bool:
        """Count what is wrong with the rows, and raise it; say whether scores were rounded past an end."""
        problems = dict(self._problems(plain=plain))
        flags = {f"flag_{i}": problem for i, problem in enumerate(problems)}
        floats = {f"sum_{role}": nw.col(f"given_{role}") for role, kind in self.types.items() if kind.is_float()}
        counted = {flag: self._whole(problems[problem]) for flag, problem in flags.items()}
        found = self._sums(counted | floats)
        rows = int(found["rows"])
        if not rows:
            first = next(role for role in ("y_true", "error") if role in self.roles)
            raise InvalidPredictions(f"{first}: 0 rows; there is nothing to evaluate")
        there = {problem: int(found[flag] or 0) for flag, problem in flags.items()}
        wrong = [problem for problem, count in there.items() if count and problem[1]]
        missing = {role for role, what in wrong if what.startswith(("missing", "NaN"))}
        told = [
            f"{role}: {there[role, what]:,} of {rows:,} values of column {self.roles[role]!r} "
            f"{'is' if there[role, what] == 1 else 'are'} {what}{self._place(problems[role, what])}"
            for role, what in wrong
            if role not in missing or what.startswith(("missing", "NaN"))
        ]
        told += [
            f"{name.removeprefix('sum_')}: some value is NaN, or values are too large to be added up"
            for name in floats
            if _is_nan(found[name]) and not told
        ]
        if told:
            raise InvalidPredictions(f"{self.source}: {'; '.join(told)}")
        for role in _IDS:
            if self.types.get(role) in _texts():
                self._refuse_namesakes(role)
        return bool(there.get(("y_score", ""), 0))

    def _refuse_namesakes(self, role: str) -> None:
        """Refuse ids that no reader could tell apart, as `vectors` does."""
        ids = self.raw.select(id=nw.col(f"given_{role}").cast(nw.String)).unique()
        bare = ids.select(id=nw.col("id").str.replace_all(_AROUND, ""))
        with answering(self.source):
            counts = [int(each.select(nw.len().alias("n")).collect().item()) for each in (ids, bare.unique())]
            others = bare.filter(nw.col("id").str.contains(_NOT_ASCII)).head(_MOST_CELLS + 1).collect()
        if counts[0] != counts[1]:
            raise InvalidPredictions(
                f"{self.source}: {role}: {counts[0] - counts[1]:,} of {counts[0]:,} ids differ from another only in "
                "the blanks around them; strip them"
            )
        met: dict[str, str] = {}
        for text in others.get_column("id").to_list():
            self._refuse_pair(role, met.setdefault(seen(text), text), text)
        changed = {kept: text for kept, text in met.items() if kept != text}
        if len(others) > _MOST_CELLS or len(changed) > _MOST_ODD:
            raise InvalidPredictions(
                f"{self.source}: {role}: too many ids hold characters beyond ASCII to tell that no two look the same; "
                f"write them as numbers, or {COLLECT}"
            )
        if changed:
            with answering(self.source):
                same = bare.filter(nw.col("id").is_in(list(changed))).head(1).collect()
            for text in same.get_column("id").to_list():
                self._refuse_pair(role, changed[text], text)

    def _refuse_pair(self, role: str, one: str, other: str) -> None:
        if one != other:
            raise InvalidPredictions(
                f"{self.source}: {role}: the ids {one!a} and {other!a} differ only in characters that are not seen, "
                "or in how Unicode writes them; write both the same"
            )

    def _place(self, flag: nw.Expr) -> str:
        """Say in which file there is such a row, and in how many others."""
        if _FILE not in self.raw.columns:
            return ""
        with answering(self.source):
            flagged = self.raw.with_columns(flag=flag.cast(nw.Int64)).group_by(_FILE).agg(nw.col("flag").sum())
            table = flagged.filter(nw.col("flag") > 0).collect()
        files = sorted(str(name) for name in table.get_column(_FILE).to_list())
        more = f" and {len(files) - 1} other files" if len(files) > 1 else ""
        return f" (in {display_path(Path(files[0]))}{more})" if files else ""

    def _sums(self, flags: Mapping[str, nw.Expr]) -> dict[str, Any]:
        with answering(self.source):
            query = self.raw.with_columns(**flags).select(
                nw.len().alias("rows"), *(nw.col(flag).sum() for flag in flags)
            )
            return dict(zip(query.columns, query.collect().row(0), strict=True))

    def _problems(self, *, plain: bool) -> Iterator[tuple[tuple[str, str], nw.Expr]]:
        """Yield role, what is wrong ("" for what is mended), and where."""
        for role, kind in self.types.items():
            column = nw.col(f"given_{role}")
            remedy = "; give each an id of its own" if role in _IDS else "; fill them in, or leave these rows out"
            yield (role, f"missing (null){remedy}"), column.is_null()
            if kind.is_float():
                # DuckDB concludes from the statistics of a Parquet file, which leave NaN out, that nothing is NaN.
                yield (role, f"NaN or infinite{remedy}"), column.is_nan() | (column - column != 0.0)
            if role in ("y_true", "y_pred") and plain and kind.is_numeric():
                yield (
                    (role, "neither 0 nor 1; say which class is the positive one by positive="),
                    ~((column == 0) | (column == 1)),
                )
            if role == "uncertainty":
                yield (role, "negative"), column < 0
            if role == "cluster" and kind.is_float():
                what = f"{kind} too large to be told from the next whole number; give integers or text"
                yield (role, what), (column - column == 0.0) & (column.abs() >= self._largest_id)
            if role in _IDS and kind in _texts():
                yield (
                    (role, "text that means a missing value; give each an id of its own"),
                    column.cast(nw.String).is_in(_NO_ID) | (column.cast(nw.String).str.replace_all(_AROUND, "") == ""),
                )
        if "y_score" in self.types:
            score = nw.col("given_y_score").cast(nw.Float64)
            rounding = _ROUNDINGS * float(np.finfo(self._precision).eps)
            what = "outside [0, 1]; give probabilities, not logits or percentages"
            yield ("y_score", what), (score < -rounding) | (score > 1.0 + rounding)
            yield ("y_score", ""), (score < 0.0) | (score > 1.0)

    @property
    def _largest_id(self) -> float:
        """The whole number from which on floats of the type of the clusters leave some out."""
        return 2.0 ** {"Float16": 11, "Float32": 24}.get(str(self.types["cluster"]), 53)

    @property
    def _precision(self) -> type[np.floating[Any]]:
        narrow: dict[str, type[np.floating[Any]]] = {"Float16": np.float16, "Float32": np.float32}
        return narrow.get(str(self.types.get("y_score")), np.float64)

    def classes(self, positive: Any) -> tuple[Mapping[str, list[Any]], str]:
        """Return, of labels and decisions that are no 0/1, the values that mean the positive class, and its name."""
        roles = [role for role in ("y_true", "y_pred") if role in self.types]
        if not self.in_words(positive):
            return {}, "1"
        met = {}
        for role in roles:
            with answering(self.source):
                table = self.raw.select(f"given_{role}").unique().head(_MOST_CLASSES).collect()
            met[role] = table.get_column(f"given_{role}").sort()
        try:
            found, name = read_classes(met, positive)
        except InvalidPredictions as error:
            raise InvalidPredictions(f"{self.source}: {_without_rows(str(error))}") from None
        chosen = {
            role: [value for value, yes in zip(met[role].to_list(), found[role].tolist(), strict=True) if yes]
            for role in roles
        }
        return chosen, name

    def coded(self, classes: Mapping[str, list[Any]], clipped: bool) -> list[nw.Expr]:
        """Return the columns of `Engine.frame`, but for the features."""
        made = []
        for role, name in (("y_true", "label"), ("y_pred", "decided")):
            if role in self.types:
                made.append(self._whole(self._is_positive(role, classes.get(role))).alias(name))
        if "y_score" in self.types:
            score = nw.col("given_y_score").cast(nw.Float64)
            if self.threshold is not None:
                made.append(self._whole(score >= self._limit(self.threshold)).alias("decided"))
            made.append((score.clip(0.0, 1.0) if clipped else score).alias("score"))
        made += [nw.col(f"given_{role}").cast(nw.Float64).alias(role) for role in _NUMBERS[1:] if role in self.types]
        made += [nw.col("given_cluster").alias("cluster")] if "cluster" in self.types else []
        if (kind := self.types.get("sample_id")) is not None:
            ident = nw.col("given_sample_id")
            made.append((ident if kind.is_integer() else ident.cast(nw.String)).alias("sample"))
        return made

    def _is_positive(self, role: str, values: list[Any] | None) -> nw.Expr:
        column = nw.col(f"given_{role}")
        if values is None:
            return column if self.types[role] == nw.Boolean else column == 1
        return column.is_in(values)

    def _limit(self, threshold: float) -> float:
        """Return the threshold in the precision of the scores, as `vectors.decide` does."""
        single = float(np.float32(threshold))
        if self._precision != np.float64:
            return float(self._precision(threshold))
        if single >= threshold:
            return threshold
        score = nw.col("given_y_score").cast(nw.Float64)
        at, wide = (score == single), score.cast(nw.Float32).cast(nw.Float64) != score
        found = self._sums({"flag_at": self._whole(at), "flag_wide": self._whole(wide)})
        return single if int(found["flag_at"] or 0) and not int(found["flag_wide"] or 0) else threshold


def _texts() -> tuple[type[nw.dtypes.DType], ...]:
    return (nw.String, nw.Categorical, nw.Enum)


def _is_nan(value: Any) -> bool:
    return value is not None and bool(value != value)


_ROW = re.compile(r" \((?:row \d+|no row)\)|:? rows? \d[^;]*?\(by position, from 0\)")
_SHARE = re.compile(r"\b\d+ of \d+ values (?:is|are)\b")


def _without_rows(message: str) -> str:
    """Return a message about a few different values without the rows and counts of these."""
    return _SHARE.sub("some values are", _ROW.sub("", message))
