"""Which groups are too small to be shown, and which others would give them back by subtraction."""

# Rows of a table are cells: the groups of one or more features. Tables of one population share samples: a cell of a
# coarser table is the sum of cells of a finer one, and all cells of a table are all samples. As in tables of official
# statistics (Hundepool et al., Statistical Disclosure Control, 2012, doi:10.1002/9781118348239): primary suppression
# of what is small, secondary suppression of what would give it back. A count of 0 is shown, as by the rule of the
# Centers for Medicare & Medicaid Services (1 to 10 are suppressed).

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fairness_checks.inputs.sensitive import MISSING, SensitiveFeature
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.question.metrics import CELLS

__all__ = [
    "Hidden",
    "Table",
    "crossed",
    "determined",
    "hidden_cells",
    "is_small",
    "small_details",
    "table_of",
    "without_small_parts",
]

Counts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Cell: TypeAlias = tuple[str, ...]
_MOST_ATOMS = 2048  # cells of the cross of all features, in which sums are looked for
_SOLVED = 1e-6  # largest departure of a sum from the cell that it gives back
_TAKES_PART = 1e-9  # least coefficient of a cell in such a sum


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Counts of the groups of some features, as reports would show them."""

    by: tuple[str, ...]
    cells: tuple[Cell, ...]
    counts: Mapping[str, Counts]  # by name, shape (cells,); "samples" is always there

    @classmethod
    def of(cls, by: tuple[str, ...], samples: Mapping[Cell, int]) -> Table:
        """Return a table of samples alone."""
        return cls(by, tuple(samples), {"samples": np.array(list(samples.values()), dtype=np.int64)})


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """What is not to be shown."""

    cells: Mapping[frozenset[str], frozenset[frozenset[tuple[str, str]]]]  # by features; a cell as (feature, value)
    total: bool  # whether the number of all samples is

    def of(self, by: Sequence[str]) -> frozenset[frozenset[tuple[str, str]]]:
        """Return the hidden groups of some features, in whatever order."""
        return self.cells.get(frozenset(by), frozenset())

    def holds(self, by: Sequence[str], cell: Cell) -> bool:
        """Say whether a group is hidden."""
        return frozenset(zip(by, cell, strict=True)) in self.of(by)


def determined(features: Mapping[str, SensitiveFeature]) -> dict[tuple[str, str], dict[str, str]]:
    """Return, of each pair of features of which the first says the second, as a ward its region, which value which."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for (one, a), (other, b) in itertools.combinations(features.items(), 2):
        wide = len(b.groups) + 1  # one more than the groups: a missing value has the code -1
        pairs = np.unique((a.codes.astype(np.int64) + 1) * wide + b.codes + 1)
        there = [(_value(a, k // wide - 1), _value(b, k % wide - 1)) for k in pairs.tolist()]
        for key, some in (((one, other), there), ((other, one), [(j, i) for i, j in there])):
            if len(says := dict(some)) == len(some):
                found[key] = says
    return found


def _value(feature: SensitiveFeature, code: int) -> str:
    return MISSING if code < 0 else feature.groups[code]


def crossed(tables: Sequence[Table], says: Mapping[tuple[str, str], Mapping[str, str]]) -> list[Table]:
    """Return tables with what readers know to be in them: by wards, also by the regions that these lie in."""
    more = []
    for table in tables:
        for (one, other), second in says.items():
            if one in table.by and other not in table.by:
                at = table.by.index(one)
                cells = tuple((*cell, second[cell[at]]) for cell in table.cells)
                more.append(Table((*table.by, other), cells, table.counts))
    return [*tables, *more]


def is_small(counts: npt.ArrayLike, below: int) -> Mask:
    """Say which counts are not shown: 1 to `below` - 1."""
    values = np.asarray(counts)
    return (values > 0) & (values < below)


def table_of(statistics: MeasuredGroups) -> Table:
    """Return all counts of groups that statistics hold."""
    counts: dict[str, Counts] = {"samples": statistics.samples}
    if statistics.unlabelled is None:
        counts |= {name: statistics.counts[:, i] for i, name in enumerate(CELLS)}
    groups = len(statistics.groups)
    own = {name: values for name, values in _counted(statistics.measured, "") if values.shape == (groups,)}
    # An own metric may leave samples out: how many is a difference of two counts that are shown.
    out = {f"{name}.out": statistics.samples - own[name] for name in own if name.endswith(".samples")}
    return Table(statistics.by, statistics.groups, counts | own | out)


def small_details(statistics: MeasuredGroups, below: int) -> bool:
    """Say whether statistics hold small counts of less than a group, such as those of a calibration bin."""
    groups = len(statistics.groups)
    found = _counted(statistics.measured, "")
    return any(bool(is_small(values, below).any()) for _, values in found if values.shape != (groups,))


def without_small_parts(statistics: MeasuredGroups, below: int) -> MeasuredGroups:
    """Return the same statistics without what of them is of a few samples and decides nothing."""
    coarse = {
        name: dataclasses.replace(found, statistics=found.statistics.without_small_parts(below))
        for name, found in statistics.measured.items()
        if hasattr(getattr(found, "statistics", None), "without_small_parts")
    }
    if not coarse:
        return statistics
    return dataclasses.replace(statistics, measured={**statistics.measured, **coarse})


def _counted(value: Any, name: str) -> Iterator[tuple[str, Counts]]:
    """Yield every array of counts in measured statistics; of events also those that did not happen."""
    if isinstance(value, Mapping):
        parts = dict(value)
    elif dataclasses.is_dataclass(value):
        parts = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    else:
        if isinstance(value, np.ndarray) and value.dtype.kind in "iu":
            yield name, value.astype(np.int64)
        return
    for key, part in parts.items():
        yield from _counted(part, f"{name}.{key}")
    events, samples = parts.get("events"), parts.get("samples")
    if isinstance(events, np.ndarray) and isinstance(samples, np.ndarray) and events.dtype.kind in "iu":
        yield f"{name}.others", (samples - events).astype(np.int64)


@dataclass(slots=True, eq=False)
class _Sheet:
    """A table with its features in order, and what of it is hidden so far."""

    by: tuple[str, ...]
    cells: tuple[Cell, ...]
    counts: list[Counts]  # the samples first
    zeros: dict[str, Mask]
    hidden: Mask
    primary: Mask
    places: dict[Cell, int] = field(default_factory=dict)

    @property
    def samples(self) -> Counts:
        return self.counts[0]


def hidden_cells(tables: Sequence[Table], below: int) -> Hidden:
    """Return which groups are hidden in tables of one population: those of small counts, and what gives them back."""
    # What is left holds no exact sum that is a small cell, nor one step of subtraction whose rest is a small count.
    sheets = _sheets(tables, below)
    features = sorted({name for sheet in sheets for name in sheet.by})
    values = [sorted({cell[s.by.index(f)] for s in sheets if f in s.by for cell in s.cells}) for f in features]
    total = False
    if math.prod(len(some) for some in values) > _MOST_ATOMS:  # too many to look for sums: whole tables, which is safe
        for sheet in sheets:
            sheet.hidden[:] = sheet.hidden.any()
        atoms = None
    else:
        atoms = _atoms(sheets, features, values)
    changed = True
    while changed:
        changed = False
        for sheet in sheets:
            for coarser in sheets:
                changed = _hide_siblings(sheet, coarser, below) or changed
            changed = _hide_from_total(sheet, below, total=total) or changed
            total = total or _tells_total(sheet, below)
        if not changed and atoms is not None and (found := _found_sum(sheets, atoms, total=total)) is not None:
            changed, total = True, total or not found
            if found:
                sheet, place = min(found, key=lambda one: (one[0].samples[one[1]], one[0].by, one[1]))
                sheet.hidden[place] = True
    cells = {
        frozenset(s.by): frozenset(
            frozenset(zip(s.by, cell, strict=True)) for cell, gone in zip(s.cells, s.hidden, strict=True) if gone
        )
        for s in sheets
    }
    return Hidden(cells, total)


def _sheets(tables: Sequence[Table], below: int) -> list[_Sheet]:
    """Put tables of the same features together."""
    of_features: dict[tuple[str, ...], list[Table]] = {}
    for table in tables:
        of_features.setdefault(tuple(sorted(table.by)), []).append(table)
    sheets = []
    for by, same in of_features.items():
        ordered = [(table, [table.by.index(name) for name in by]) for table in same]
        named = [[tuple(cell[i] for i in order) for cell in table.cells] for table, order in ordered]
        cells = tuple(sorted({cell for names in named for cell in names}))
        places = {cell: i for i, cell in enumerate(cells)}
        columns: list[tuple[str, Counts]] = []
        for table, names in zip(same, named, strict=True):
            at = np.array([places[cell] for cell in names], dtype=np.intp)
            for name, counts in sorted(table.counts.items(), key=lambda item: item[0] != "samples"):
                column = np.zeros(len(cells), dtype=np.int64)
                column[at] = counts
                columns.append((name, column))
        small = np.any([is_small(column, below) for _, column in columns], axis=0)
        zeros = {name: column == 0 for name, column in columns if name in ("samples", *CELLS)}
        unique = [column for i, (_, column) in enumerate(columns) if not _is_among(column, columns[:i])]
        sheets.append(_Sheet(by, cells, unique, zeros, small.copy(), small, places))
    return sheets


def _is_among(column: Counts, columns: list[tuple[str, Counts]]) -> bool:
    return any(np.array_equal(column, other) for _, other in columns)


def _hide_siblings(sheet: _Sheet, coarser: _Sheet, below: int) -> bool:
    """Hide more groups within a shown group of a coarser table, whose number less the others' would be small."""
    if not set(coarser.by) < set(sheet.by) or not sheet.hidden.any():
        return False
    some = [sheet.by.index(name) for name in coarser.by]
    parents = np.array([coarser.places.get(tuple(cell[i] for i in some), -1) for cell in sheet.cells])
    changed = False
    for parent in np.unique(parents[sheet.hidden]).tolist():
        if parent >= 0 and coarser.hidden[parent]:
            continue
        within = parents == parent
        while _gives_back(sheet, within, below):
            changed = True
            if (place := _smallest_shown(sheet, within)) is None:
                coarser.hidden[parent] = True
                break
            sheet.hidden[place] = True
    return changed


def _gives_back(sheet: _Sheet, within: Mask, below: int) -> bool:
    """Say whether a sum less what is shown of it is one group, or a small count."""
    rest = within & sheet.hidden
    if not rest.any():
        return False
    sums = [int(counts[rest].sum()) for counts in sheet.counts]
    return int((rest & (sheet.samples > 0)).sum()) < 2 or bool(is_small(sums, below).any())


def _smallest_shown(sheet: _Sheet, within: Mask) -> int | None:
    candidates = np.flatnonzero(within & ~sheet.hidden & (sheet.samples > 0))
    if not candidates.size:
        return None
    return int(candidates[np.argmin(sheet.samples[candidates])])


def _hide_from_total(sheet: _Sheet, below: int, *, total: bool) -> bool:
    """Hide more groups where the number of all samples gives a hidden one back."""
    everything, changed = np.ones(len(sheet.cells), dtype=bool), False
    while not total and _gives_back(sheet, everything, below):
        if (place := _smallest_shown(sheet, everything)) is None:
            return changed
        sheet.hidden[place] = changed = True
    return changed


def _tells_total(sheet: _Sheet, below: int) -> bool:
    """Say whether the number of all samples is that of a hidden group, or small itself."""
    there = sheet.samples > 0
    if not sheet.hidden[there].all() or not there.any():
        return False
    return int(there.sum()) < 2 or bool(is_small(sheet.samples.sum(), below))


def _atoms(sheets: Sequence[_Sheet], features: list[str], values: list[list[str]]) -> list[Counts]:
    """Return for each table the cell that each cell of the cross of all features lies in; -1 where there is none."""
    crossed = list(np.ndindex(*(len(some) for some in values)))
    found = []
    for sheet in sheets:
        at = [features.index(name) for name in sheet.by]
        names = [tuple(values[i][cell[i]] for i in at) for cell in crossed]
        found.append(np.array([sheet.places.get(name, -1) for name in names], dtype=np.int64))
    return found


def _found_sum(sheets: Sequence[_Sheet], atoms: list[Counts], *, total: bool) -> list[tuple[_Sheet, int]] | None:
    """Return the shown groups in some sum that is a small cell, none where only the total is in it; None without."""
    if not any(sheet.primary.any() for sheet in sheets):
        return None
    known: set[bytes] = set()
    for name in ("samples", *CELLS):  # where a count is known to be 0, fewer are unknown
        there = np.ones(len(atoms[0]), dtype=bool)
        for sheet, at in zip(sheets, atoms, strict=True):
            zero = sheet.zeros["samples"] | sheet.zeros.get(name, sheet.zeros["samples"])
            there &= (at >= 0) & ~(zero & ~sheet.hidden)[at]
        if there.tobytes() in known:
            continue
        known.add(there.tobytes())
        if (found := _in_sum(sheets, [at[there] for at in atoms], total=total)) is not None:
            return found
    return None


def _in_sum(sheets: Sequence[_Sheet], atoms: list[Counts], *, total: bool) -> list[tuple[_Sheet, int]] | None:
    """Return the shown groups of which some sum is a small cell; None where no sum is."""
    shown = [(s, i, at == i) for s, at in zip(sheets, atoms, strict=True) for i in np.flatnonzero(~s.hidden).tolist()]
    small = [at == i for s, at in zip(sheets, atoms, strict=True) for i in np.flatnonzero(s.primary).tolist()]
    small = [cell for cell in small if cell.any()]  # a count that is known to be 0 is no small one
    rows = [row for _, _, row in shown] + ([] if total else [np.ones(len(atoms[0]), dtype=bool)])
    if not small or not rows:
        return None
    left = np.array(rows, dtype=np.float64).T  # (atoms, shown)
    right = np.array(small, dtype=np.float64).T  # (atoms, small)
    sums = np.linalg.lstsq(left, right, rcond=None)[0]
    solved = np.abs(left @ sums - right).max(axis=0) < _SOLVED
    if not solved.any():
        return None
    takes = np.abs(sums[:, int(np.argmax(solved))]) > _TAKES_PART
    return [(s, i) for (s, i, _), part in zip(shown, takes, strict=False) if part and s.samples[i] > 0]
