"""What a model said about each sample, in a small file for paired tests: no features, no groups, no ids."""

# An npz file of pseudonyms in ascending order and, in the same order, labels and decisions as bits, scores, errors
# and uncertainties as float16 (`rounding`): 8 to 15 bytes a sample, the pseudonyms most of it. The same predictions
# under the same key give the same bytes.

from __future__ import annotations

import hashlib
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from fairness_checks.baseline.document import OutcomesRef
from fairness_checks.baseline.fingerprint import Pseudonyms
from fairness_checks.baseline.outcomes_file import BITS, HALVES, REMEDY, Arrays, packed, read_arrays
from fairness_checks.baseline.reading import REWRITE
from fairness_checks.baseline.rounding import Halves, as_distances, as_scores, halved
from fairness_checks.errors import BaselineError
from fairness_checks.inputs.predictions import Predictions, like
from fairness_checks.storage.files import write_atomically

__all__ = ["read_outcomes", "rounded", "write_outcomes"]


def write_outcomes(path: Path, predictions: Predictions, pseudonyms: Pseudonyms) -> OutcomesRef:
    """Write the outcomes of samples that have ids; `store.update_baseline` takes the file to its place."""
    fingerprint = pseudonyms.fingerprint(predictions)
    if fingerprint is None or predictions.sample_id is None:
        raise BaselineError("sample_id: not given; without ids, samples cannot be found again: Predictions(sample_id=)")
    hashes = pseudonyms.of(predictions.sample_id)
    order = np.argsort(hashes)
    arrays: Arrays = {"ids": hashes[order].astype("<u8")}
    for name in BITS:
        if (bits := getattr(predictions, name)) is not None:
            arrays[name] = np.packbits(bits[order])
    for name in HALVES:
        if (numbers := getattr(predictions, name)) is not None:
            halves = halved(as_distances(numbers) if name == "y_score" else numbers)
            arrays[name] = halves.values[order].astype("<f2")
            arrays[f"{name}_exponent"] = np.array(halves.exponent, dtype="<i2")
    content = packed(arrays)
    write_atomically(path, content, durable=False)  # its place is taken by `store.update_baseline`, which is
    sha256 = hashlib.sha256(content).hexdigest()
    return OutcomesRef(
        file=path.name,
        samples=len(predictions),
        sha256=sha256,
        fingerprint=fingerprint,
        key=pseudonyms.key_id,
    )


def rounded(predictions: Predictions) -> Predictions:
    """Return predictions with scores, errors and uncertainties rounded as a file rounds them."""
    # Compared with what `read_outcomes` returns, a model that has not changed then shows a change of exactly zero.
    changed = {
        name: _restored(name, halved(as_distances(numbers) if name == "y_score" else numbers))
        for name in HALVES
        if (numbers := getattr(predictions, name)) is not None
    }
    return like(predictions, **changed)


def read_outcomes(
    folder: Path, ref: OutcomesRef, pseudonyms: Pseudonyms, current: Predictions, *, same: bool = False
) -> Predictions:
    """Return what the model of the baseline said about the samples of a run, row by row."""
    # Rounded; features, clusters and ids are those of `current`, the same samples in any order. BaselineError where
    # they are others, or the file is not the one that the baseline names. `same`: their fingerprint is known to agree.
    path = folder / ref.file
    if current.sample_id is None or not (same or pseudonyms.fingerprint(current) == ref.fingerprint):
        raise BaselineError(
            f"{path}: its samples are not those of this run (other ids, labels, groups or clusters, or no sample_id); "
            f"compare unpaired, or accept the new samples: {REWRITE}"
        )
    arrays = read_arrays(path, ref)
    hashes = pseudonyms.of(current.sample_id)
    order = np.argsort(hashes)
    if not np.array_equal(arrays["ids"], hashes[order]):
        raise BaselineError(f"{path}: its ids are not those of this run's samples under its key; {REMEDY}")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    old: Arrays = {}
    for name in BITS:
        if name in arrays:
            old[name] = np.unpackbits(arrays[name], count=len(current)).astype(bool)[place]
    for name in HALVES:
        if name in arrays:
            numbers = _restored(name, Halves(arrays[name], int(arrays[f"{name}_exponent"])))
            _check_range(path, name, numbers)
            old[name] = numbers[place]
    known = (old.get("y_true") is None) == (current.y_true is None)
    if not known or (current.y_true is not None and not np.array_equal(old["y_true"], current.y_true)):
        raise BaselineError(f"{path}: its labels are not those of this run's samples; {REMEDY}")
    return like(current, **dict.fromkeys((*BITS, *HALVES)) | old, about=MappingProxyType({}))


def _restored(name: str, halves: Halves) -> npt.NDArray[np.float64]:
    return as_scores(halves.restored()) if name == "y_score" else halves.restored()


def _check_range(path: Path, name: str, numbers: npt.NDArray[np.float64]) -> None:
    lowest = {"y_score": 0.0, "error": -np.inf, "uncertainty": 0.0}[name]
    highest = 1.0 if name == "y_score" else np.inf
    if not (np.isfinite(numbers).all() and numbers.min() >= lowest and numbers.max() <= highest):
        raise BaselineError(f"{path}: {name}: holds values that are no {name}; {REMEDY}")
