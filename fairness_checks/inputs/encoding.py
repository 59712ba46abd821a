"""Coding of one array of any dtype as small integers, without a sort over the rows."""

# Small ranges of integers go through a table of the range. Everything else that has a bit pattern (wide integers,
# floats, dates, text of fixed width) is looked up, chunk by chunk, in the sorted list of the few patterns met so far;
# Python objects in a dict. What cannot be done this way (more patterns than can be groups, objects that equal each
# other under different names) is sorted. Codes do not depend on which way was taken once `sensitive` has ordered the
# groups.

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "CHUNK_ROWS",
    "MOST_DISTINCT",
    "Coding",
    "chunks",
    "code_array",
    "factorizing_pandas",
    "recode",
    "small_integer",
]

CHUNK_ROWS = 1 << 18
"""Rows worked on at a time: a chunk of one byte a row, and its temporaries, stay within a processor's cache."""

MOST_DISTINCT = 2_000
_MOST_SPAN = 1 << 16
_FIRST_ROWS = 1 << 12
_HASH_BITS = 13
_FACTORS = (np.arange(1, 9, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)) | np.uint64(1)  # odd, bits well mixed

Keys: TypeAlias = Callable[[slice], np.ndarray]

# Of these types at most one may be there: 1, 1.0 and True are one key of a dict, but not one name.
_NUMBERS = frozenset({int, float, bool})
_ABSENT = frozenset({"NoneType", "NAType", "NaTType"})


@dataclass(frozen=True, slots=True, eq=False)
class Coding:
    """Samples as positions in a list of distinct values."""

    codes: npt.NDArray[Any]  # (n,) signed, position of each sample's value; -1 where it is missing
    values: npt.NDArray[Any]  # (V,), in any order, each met at least once; missing ones may be among them


def chunks(rows: int) -> Iterator[slice]:
    """Cut rows into slices of at most `CHUNK_ROWS`."""
    for start in range(0, rows, CHUNK_ROWS):
        yield slice(start, min(start + CHUNK_ROWS, rows))


def small_integer(most: int) -> np.dtype[np.signedinteger[Any]]:
    """Return the smallest signed dtype that holds -1 to `most`."""
    return np.dtype(next(kind for kind in (np.int8, np.int16, np.int32, np.int64) if most <= np.iinfo(kind).max))


def code_array(values: np.ndarray) -> Coding | None:
    """Code an array without sorting its rows; None where only a sort will do."""
    # The values have the dtype of the array; NaN and NaT are values like all others.
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind == "b":
        return _code_range(values.view(np.uint8), values)
    if kind in "iu":
        return _code_range(values, values) or _code_keys(len(values), values.__getitem__, values)
    if kind in "fmM" and size in (2, 4, 8):
        bits = values.view(f"u{size}")
        return _code_keys(len(values), bits.__getitem__, values)
    if kind in "US" and size:
        return _code_text(values)
    return _code_objects(values) if kind == "O" else None


def _code_range(keys: np.ndarray, values: np.ndarray) -> Coding | None:
    """Code integers of a small range by their distance from the smallest."""
    if not len(keys):
        return None
    # Both ends of a chunk while it is in the cache: memory is read once, not twice.
    ends = [(keys[rows].min(), keys[rows].max()) for rows in chunks(len(keys))]
    lowest = min(low for low, _ in ends)
    span = int(max(high for _, high in ends)) - int(lowest)
    if span >= _MOST_SPAN:
        return None
    codes = np.empty(len(keys), dtype=small_integer(span))
    # Both are cut to the codes' few bits before they are subtracted: modulo 2**bits the difference is the same.
    low = lowest.astype(codes.dtype)
    seen = np.zeros(span + 1, dtype=bool)
    every = False
    for rows in chunks(len(keys)):
        part = codes[rows]
        part[:] = keys[rows]
        np.subtract(part, low, out=part)
        if not every:  # the first chunk has usually met them all
            seen |= np.bincount(part, minlength=span + 1) > 0
            every = bool(seen.all())
    met = np.flatnonzero(seen)
    distinct = (met.astype(keys.dtype) + lowest).astype(values.dtype)
    if not every:
        codes = recode(codes, np.append(np.cumsum(seen) - 1, -1), small_integer(len(met)))
    return Coding(codes, distinct)


def recode(codes: np.ndarray, table: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Replace each code by its entry in a table, whose last one is for -1; never the array given, if changed."""
    # codes: (n,), -1 to V - 1; table: (V + 1,).
    if codes.dtype == dtype and np.array_equal(table[:-1], np.arange(len(table) - 1)) and table[-1] == -1:
        return codes
    entries = table.astype(dtype)
    recoded = np.empty(len(codes), dtype=dtype)
    for rows in chunks(len(codes)):
        np.take(entries, codes[rows], out=recoded[rows], mode="wrap")  # "raise" would make a copy
    return recoded


def _code_keys(rows: int, keys: Keys, values: np.ndarray) -> Coding | None:
    found = _look_up(rows, keys)
    return None if found is None else Coding(found[0], values[found[1]])


def _look_up(rows: int, keys: Keys) -> tuple[np.ndarray, np.ndarray] | None:
    """Code keys, integers of any dtype, by their place in the list of them."""
    # Returns the codes and, for each key, a row that has it; None where there are more keys than can be groups. The
    # list grows along the rows; where it grew, a second pass finds the places in the whole of it.
    known, first = np.unique(keys(slice(0, min(rows, _FIRST_ROWS))), return_index=True)
    codes = np.empty(rows, dtype=small_integer(MOST_DISTINCT))
    grown = rows > 0
    while grown:
        grown = False
        if len(known) > MOST_DISTINCT:
            return None
        place_of = _finder(known)
        for part in chunks(rows):
            key = keys(part)
            place = place_of(key)
            unknown = np.flatnonzero(known[place] != key)
            codes[part] = place
            if unknown.size:
                new, where = np.unique(key[unknown], return_index=True)
                known, first = np.append(known, new), np.append(first, part.start + unknown[where])
                order = np.argsort(known)
                known, first, grown = known[order], first[order], True
                if len(known) > MOST_DISTINCT:
                    return None
                place_of = _finder(known)
    return codes, first


def _finder(known: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return what finds the place of each key in a sorted list, and any place at all for a key that is not in it."""
    # A table without collisions (multiplicative hashing, with the first factor that has none) is several times as
    # fast as a search; among many keys such a factor is rare, and they are searched for.
    bits = known.astype(np.uint64)
    shift = np.uint64(64 - _HASH_BITS)
    for factor in _FACTORS:
        slots = (bits * factor) >> shift
        if len(np.unique(slots)) == len(known):
            table = np.zeros(1 << _HASH_BITS, dtype=np.int16)
            table[slots] = np.arange(len(known))

            def find(key: np.ndarray, factor: np.uint64 = factor, table: np.ndarray = table) -> np.ndarray:
                slot = np.multiply(key, factor, dtype=np.uint64, casting="unsafe")
                np.right_shift(slot, shift, out=slot)
                return np.asarray(table[slot.view(np.int64)])

            return find
    return lambda key: np.searchsorted(known[1:], key, side="right")  # never past the end


def _code_text(values: np.ndarray) -> Coding | None:
    """Code text of a fixed width by its bytes, eight at a time."""
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    # One byte a character is enough for most text; a chunk with others ends the attempt.
    for unit in (np.uint8, np.uint32):
        words = _Words(values, unit)
        try:
            return _code_words(words, values)
        except OverflowError:
            continue
    return None


def _code_words(words: _Words, values: np.ndarray) -> Coding | None:
    """Code the first word, then its code together with the next word's, and so on."""
    found = _look_up(len(values), lambda part: words(part, 0))
    for place in range(1, words.count):
        following = _look_up(len(values), lambda part, place=place: words(part, place))  # type: ignore[misc]
        if found is None or following is None:
            return None
        before, after = found[0], following[0]
        found = _look_up(
            len(values),
            lambda part, before=before, after=after: before[part].astype(np.int64) * MOST_DISTINCT + after[part],  # type: ignore[misc]
        )
    return None if found is None else Coding(found[0], values[found[1]])


class _Words:
    """Text of a fixed width as 64-bit words, made for a chunk of rows at a time."""

    def __init__(self, values: np.ndarray, unit: type[np.unsignedinteger[Any]]) -> None:
        self._values, self._unit = values, np.dtype(unit)
        self._largest = int(np.iinfo(unit).max)
        self._stored = np.dtype(np.uint32 if values.dtype.kind == "U" else np.uint8)
        self._characters = values.dtype.itemsize // self._stored.itemsize
        self._each = 8 // self._unit.itemsize  # characters of a word
        self.count = -(-self._characters // self._each)

    def __call__(self, rows: slice, place: int) -> np.ndarray:
        """Return one word of each row; raise OverflowError if a character does not fit its unit."""
        part = np.ascontiguousarray(self._values[rows])
        stored = part.view(self._stored).reshape(len(part), self._characters)
        stored = stored[:, place * self._each : (place + 1) * self._each]
        if self._unit.itemsize < self._stored.itemsize and stored.size and stored.max() > self._largest:
            raise OverflowError
        word = np.zeros((len(part), self._each), dtype=self._unit)
        word[:, : stored.shape[1]] = stored
        return word.view(np.uint64)[:, 0]


def factorizing_pandas() -> Any:
    """Return pandas where it is loaded and tells all text apart, None else: it is not needed, but faster."""
    pandas = sys.modules.get("pandas")
    return pandas if pandas is not None and int(pandas.__version__.split(".")[0]) >= 3 else None  # 2 reads up to a NUL


def _code_objects(values: np.ndarray) -> Coding | None:
    """Code text, numbers of one type, and what is missing among them."""
    pandas = factorizing_pandas()
    if pandas is not None and set(map(type, values)) == {str}:
        found, named = pandas.factorize(values)
        if len(named) > MOST_DISTINCT:
            return None
        return Coding(found.astype(small_integer(MOST_DISTINCT)), np.asarray(named, dtype=object))
    places: dict[object, int] = {}
    kinds: set[type] = set()
    codes = np.empty(len(values), dtype=small_integer(MOST_DISTINCT))
    for rows in chunks(len(values)):
        objects = values[rows].tolist()
        kinds |= set(map(type, objects))
        if not _told_apart(kinds):
            return None
        for value in set(objects) - places.keys():
            places[value] = len(places)
        if len(places) > MOST_DISTINCT:
            return None
        codes[rows] = np.fromiter(map(places.__getitem__, objects), dtype=codes.dtype, count=len(objects))
    distinct = np.empty(len(places), dtype=object)
    distinct[:] = list(places)
    return Coding(codes, distinct)


def _told_apart(kinds: set[type]) -> bool:
    """Say whether values of these types are equal only where their names are."""
    others = {kind.__name__ for kind in kinds - _NUMBERS - {str}}
    return len(kinds & _NUMBERS) <= 1 and others <= _ABSENT
