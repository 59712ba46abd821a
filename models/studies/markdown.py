"""Frames as text: Markdown tables, and CSV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

__all__ = ["csv_text", "p_text", "records", "table"]


def csv_text(frame: pd.DataFrame) -> str:
    r"""Return a frame as CSV with numbers of six digits.

    Examples
    --------
    >>> csv_text(pd.DataFrame({"mix": ["A"], "mse": [2 / 3]}))
    'mix,mse\nA,0.666667\n'
    """
    text: str = frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    return text


def p_text(p: float) -> str:
    """Return a p-value as papers print it.

    Examples
    --------
    >>> p_text(0.0004), p_text(0.0461), p_text(float("nan"))
    ('<.001', '.046', '')
    """
    if p != p:
        return ""
    return "<.001" if p < 0.001 else f"{p:.3f}".replace("0.", ".", 1)


def table(frame: pd.DataFrame, columns: Mapping[str, str], digits: int = 2) -> str:
    """Return a frame as a Markdown table.

    Parameters
    ----------
    frame : pandas.DataFrame
        What to write, in its order.
    columns : mapping of str to str
        Columns to write and their headings. Those that begin with "p_" are written as p-values, unless text.
    digits : int
        Of other floats.

    Examples
    --------
    >>> print(table(pd.DataFrame({"a_b": ["x_y"], "c": [1.234]}), {"a_b": "name", "c": "value"}))
    | name | value |
    |---|---|
    | x y | 1.23 |
    """
    lines = ["| " + " | ".join(columns.values()) + " |", "|" + "---|" * len(columns)]
    for row in records(frame[list(columns)]):
        lines.append("| " + " | ".join(_cell(name, value, digits) for name, value in row.items()) + " |")
    return "\n".join(lines)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame, each with the columns as its keys."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _cell(name: str, value: object, digits: int) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return p_text(value) if name.startswith("p_") else "" if value != value else f"{value:.{digits}f}"
    return str(value).replace("_", " ")
