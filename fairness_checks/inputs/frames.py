"""A frame given whole: collected once, so that its columns have their rows in one order."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from fairness_checks.errors import InvalidPredictions, did_you_mean
from fairness_checks.inputs.narwhals_later import exceptions, is_plain, nw

__all__ = [
    "answering",
    "is_lazy",
    "library_name",
    "open_frame",
    "read_columns",
    "read_few",
    "refuse_ambiguous",
    "refuse_arrays",
    "refuse_names",
    "refuse_patterns",
]

_NO_REASON = re.compile(r"An error occurred while calling \S+\.|.*:|at .*")  # of py4j, and Java's stack
_LAZY_LIBRARIES = frozenset({"dask", "dask_expr", "duckdb", "ibis", "pyspark", "sqlframe"})
"""Libraries of which not only whole frames are lazy: a column of Dask or Ibis is computed by itself, too."""


def is_lazy(values: Any) -> bool:
    """Say whether rows are yet to be computed, in an order that is known only then."""
    if is_plain(values):
        return False
    native = nw.to_native(values, pass_through=True)
    home = type(native).__module__
    if home.partition(".")[0] in ("numpy", "pandas"):  # by far the most, and narwhals takes its time
        return False
    if home.partition(".")[0] in _LAZY_LIBRARIES:
        return not home.startswith("dask.array")  # whose rows have positions
    try:
        return isinstance(nw.from_native(native, pass_through=True), nw.LazyFrame)
    except exceptions.DuplicateError:  # of an eager frame; said where it is read
        return False


def library_name(values: Any) -> str:
    """Return library and type of a frame, such as "polars.LazyFrame"."""
    kind = type(nw.to_native(values, pass_through=True))
    library = kind.__module__.partition(".")[0]
    return kind.__name__ if library == "builtins" else f"{library}.{kind.__name__}"


def open_frame(frame: Any) -> nw.DataFrame[Any] | nw.LazyFrame[Any]:
    """Return a frame as narwhals has it; refuse what is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # which of narwhals' parts will read Dask is not our user's
            opened: nw.DataFrame[Any] | nw.LazyFrame[Any] = nw.from_native(frame)
            return opened
    except exceptions.DuplicateError as error:
        said = " ".join(str(error).split())
        raise InvalidPredictions(f"frame: a column is there twice; rename one ({said})") from error
    except TypeError as error:
        raise InvalidPredictions(
            f"frame: {library_name(frame)} is no frame that narwhals reads (pandas, polars, pyarrow, DuckDB, ...); "
            "give the table, or a query such as con.sql(...), not a connection, a path or a dict"
        ) from error


@contextmanager
def answering(source: str) -> Iterator[None]:
    """Turn whatever a library raises while it computes rows into one error that names what it computes."""
    try:
        yield
    except InvalidPredictions:
        raise
    except BaseException as error:
        # How Polars' Rust gives up; and an exit in a function of the user's would end all as if it had been judged.
        gave_up = type(error).__name__ == "PanicException" or isinstance(error, SystemExit)
        if not isinstance(error, Exception) and not gave_up:
            raise
        raise InvalidPredictions(
            f"{source} failed while it was collected: {type(error).__name__}: {_cause(error)}"
        ) from error


def read_columns(frame: Any, roles: Mapping[str, Any]) -> dict[Any, nw.Series[Any]]:
    """Collect the columns that are named, once and together, of a frame that narwhals reads, eager or lazy."""
    return _read(frame, roles, None) or {}


def read_few(frame: Any, roles: Mapping[str, Any], most: int) -> dict[Any, nw.Series[Any]] | None:
    """Collect them as `read_columns` does; None of a lazy frame with more rows, of which no more are computed."""
    return _read(frame, roles, most)


def _read(frame: Any, roles: Mapping[str, Any], most: int | None) -> dict[Any, nw.Series[Any]] | None:

    refuse_arrays(roles)
    native = open_frame(frame)
    with answering(f"frame: {library_name(frame)}"):
        refuse_names(roles, native.columns, frame)
        refuse_ambiguous(roles, native)
        chosen = native.select(nw.col(*dict.fromkeys(roles.values())))
        if isinstance(chosen, nw.LazyFrame):
            table = (chosen if most is None else chosen.head(most + 1)).collect()
        else:
            table = chosen
        refuse_patterns(roles, table.columns, frame)
        if most is not None and isinstance(chosen, nw.LazyFrame) and len(table) > most:
            return None
        return {name: table.get_column(name) for name in table.columns}


def refuse_patterns(roles: Mapping[str, Any], columns: Iterable[Any], frame: Any) -> None:
    """Refuse names that were read as patterns, as Polars does "^p.*$"."""
    if patterns := [name for name in roles.values() if name not in columns]:
        raise InvalidPredictions(f"frame: {library_name(frame)} reads {patterns[0]!r} as a pattern; rename it")


def refuse_ambiguous(roles: Mapping[str, Any], frame: nw.DataFrame[Any] | nw.LazyFrame[Any]) -> None:
    """Refuse "*", by which most libraries mean all columns."""
    library = frame.implementation
    if "*" in roles.values() and not (library.is_pandas_like() or library.is_pyarrow()):
        raise InvalidPredictions("frame: column '*' means all columns there; rename it")


def refuse_arrays(roles: Mapping[str, Any]) -> None:
    """Refuse what is no name of a column: an array, a series or an expression."""
    for role, name in roles.items():
        if not isinstance(name, str | int):
            raise InvalidPredictions(
                f"{role}: {type(name).__name__} is no name of a column; from_frame takes all arrays from the frame"
            )


def refuse_names(roles: Mapping[str, Any], columns: list[Any], frame: Any) -> None:
    """Refuse names of no column, all at once, and of several."""
    absent = [(role, name) for role, name in roles.items() if name not in columns]
    if absent:
        labels = getattr(getattr(frame, "index", None), "names", None) or ()
        said = [
            f"{role}: {name!r} is in the index of the frame; make it a column with `.reset_index()`"
            if name in labels
            else f"{role}: column {name!r} is not in the frame; {_nearest(name, columns)}"
            for role, name in absent
        ]
        raise InvalidPredictions("; ".join(said))
    twice = [name for name in roles.values() if columns.count(name) > 1]
    if twice:
        raise InvalidPredictions(f"frame: column {twice[0]!r} is there twice; rename one")


def _nearest(name: Any, columns: Iterable[Any]) -> str:
    return did_you_mean(str(name), map(str, columns))


def _cause(error: BaseException) -> str:
    """Return the first line of an error's text that says something."""
    text = ""
    with suppress(Exception):  # an error of Java asks it for its text, and it may have ended
        text = str(error)
    lines = [line.strip().removeprefix(": ") for line in text.splitlines() if line.strip()]
    said = (line.removeprefix("Caused by: ") for line in lines if not _NO_REASON.fullmatch(line))
    return next(said, lines[0] if lines else "it gave no reason")
