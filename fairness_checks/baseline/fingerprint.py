"""Whether the samples of two runs are the same, and their ids as pseudonyms."""

# Only the same samples can be paired: same ids, same labels, same groups, same clusters. Ids never leave the machine
# as they are: patient numbers are not to be committed. Whoever has the key (`secret_key`) and a list of possible ids
# can find out which of them were there; whoever has the baseline alone cannot.

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.baseline.secret_key import SecretKey
from fairness_checks.errors import BaselineError, InvalidPredictions
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.inputs.sensitive import SensitiveFeature
from fairness_checks.plain import JSON, canonical_json

__all__ = ["Pseudonyms", "data_fingerprint", "ids_fingerprint"]

_LAYOUT = 1
_LAST_OF_ASCII = 127
_WORD, _MOST_WORDS = 8, 4  # characters that are compared at once, and how often before a sort of text is as fast


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """What takes the place of sample ids in a baseline, and what says that two runs have the same samples."""

    key: SecretKey | bytes  # bytes are the salt of a baseline of schema 1, which stood in it

    @property
    def key_id(self) -> str | None:
        """Which key it is; None for a salt."""
        return self.key.id if isinstance(self.key, SecretKey) else None

    def of(self, sample_id: npt.NDArray[np.str_]) -> npt.NDArray[np.uint64]:
        """Return the first 8 bytes of HMAC-SHA256(key, "id " + id) as numbers, shape (n,), in the given order."""
        # Two of 1,000,000 ids share a pseudonym with probability 3e-8, which is refused. With a salt it is
        # BLAKE2b(id, key = salt).
        names = _encoded(sample_id)
        made = _keyed(self.key.secret, names) if isinstance(self.key, SecretKey) else _salted(self.key, names)
        numbers = np.frombuffer(b"".join(made), dtype="<u8").astype(np.uint64)
        ordered = np.sort(numbers)
        if (same := ordered[1:] == ordered[:-1]).any():
            rows = np.flatnonzero(numbers == ordered[1:][same][0]).tolist()
            raise BaselineError(
                f"sample_id: the ids of rows {rows[0]} and {rows[1]} have the same pseudonym; write the baseline anew "
                "under another key"
            )
        return numbers

    def fingerprint(self, predictions: Predictions) -> str | None:
        """Return `data_fingerprint` under the key, 64 hexadecimal digits; None where the samples have no ids."""
        # Without a key it would tell whoever knows the ids, or guesses them, whether guessed labels and groups are
        # right.
        plain = data_fingerprint(predictions)
        if plain is None or not isinstance(self.key, SecretKey):
            return plain
        return self.key.mac(b"samples " + plain.encode()).hex()


def _keyed(secret: bytes, names: Iterable[bytes]) -> Iterator[bytes]:
    """Yield HMAC-SHA256 of each name with its two beginnings hashed once: a third of the time of `hmac.digest`."""
    block = secret.ljust(hashlib.sha256().block_size, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + b"fairness-checks baseline id ").copy
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block)).copy
    for name in names:
        one, other = inner(), outer()
        one.update(name)
        other.update(one.digest())
        yield other.digest()[:8]


def _salted(salt: bytes, names: Iterable[bytes]) -> Iterator[bytes]:
    empty = hashlib.blake2b(key=salt)
    for name in names:
        one = empty.copy()
        one.update(name)
        yield one.digest()[:8]


def data_fingerprint(predictions: Predictions) -> str | None:
    """Return the sha256 of ids, labels, groups and clusters, 64 hexadecimal digits, whatever the order of the rows."""
    # What a model said is not in it; nor are the names of clusters (which samples belong together is), nor declared
    # groups without a sample. None where the samples have no ids: then nothing can be paired.
    if predictions.sample_id is None:
        return None
    order = _in_order(predictions.sample_id)
    ids = _encoded(predictions.sample_id[order])
    features = sorted(predictions.sensitive_features.values(), key=lambda feature: feature.name)
    coded = [(feature.name, *_coded(feature, order)) for feature in features]
    total = hashlib.sha256()
    described: list[JSON] = [
        *(_LAYOUT, len(ids), predictions.y_true is not None, predictions.cluster is not None),
        *([name, groups] for name, groups, _ in coded),
    ]
    total.update(canonical_json(described, "fingerprint", InvalidPredictions).encode())
    total.update(np.fromiter(map(len, ids), dtype="<i8", count=len(ids)).tobytes())
    total.update(b"".join(ids))
    for _, _, codes in coded:
        total.update(codes)
    if predictions.y_true is not None:
        total.update(np.packbits(predictions.y_true[order]).tobytes())
    if predictions.cluster is not None:
        total.update(_first_met(predictions.cluster[order]).astype("<i8").tobytes())
    return total.hexdigest()


def ids_fingerprint(predictions: Predictions) -> str | None:
    """Return the sha256 of all ids together, whatever the order of the rows; None without ids."""
    if predictions.sample_id is None:
        return None
    ids = _encoded(predictions.sample_id[_in_order(predictions.sample_id)])
    total = hashlib.sha256(b"fairness-checks ids of a part\n")
    total.update(np.array([len(ids), *map(len, ids)], dtype="<i8").tobytes())
    total.update(b"".join(ids))
    return total.hexdigest()


def _encoded(names: npt.NDArray[np.str_]) -> list[bytes]:
    """Return each name in UTF-8."""
    characters = _characters(names)
    if not characters.size or characters.max() > _LAST_OF_ASCII:
        return [name.encode("utf-8", "surrogatepass") for name in names.tolist()]
    plain: list[bytes] = characters.astype(np.uint8).view(f"S{characters.shape[1]}")[:, 0].tolist()
    return plain


def _characters(names: npt.NDArray[np.str_]) -> npt.NDArray[np.uint32]:
    """Return the code points of names, shape (n, width), 0 behind the last one of each."""
    width = names.dtype.itemsize // 4
    return np.ascontiguousarray(names, dtype=f"<U{width}").view("<u4").reshape(len(names), width)


def _in_order(names: npt.NDArray[np.str_]) -> npt.NDArray[np.intp]:
    """Return the order of different names by their characters, as NumPy sorts text."""
    characters = _characters(names)
    width = characters.shape[1]
    words = -(-width // _WORD)
    if words > _MOST_WORDS or characters.max(initial=0) > _LAST_OF_ASCII:
        return np.argsort(names, kind="stable")
    padded = np.zeros((len(names), words * _WORD), dtype=np.uint8)
    padded[:, :width] = characters
    keys = padded.view(">u8").astype(np.uint64)
    return np.argsort(keys[:, 0]) if words == 1 else np.lexsort(keys.T[::-1])


def _coded(feature: SensitiveFeature, order: npt.NDArray[np.intp]) -> tuple[list[str], bytes]:
    """Return the sorted names of the groups that have samples, and each sample's place among them; -1 for none."""
    codes = feature.codes[order].astype(np.intp)
    met = np.bincount(codes + 1, minlength=len(feature.groups) + 1)[1:] > 0
    names = sorted(name for name, there in zip(feature.groups, met, strict=True) if there)
    place = {name: position for position, name in enumerate(names)}
    table = np.array([*(place.get(name, -1) for name in feature.groups), -1], dtype="<i2")  # 1,000 groups at most
    return names, table[codes].tobytes()


def _first_met(clusters: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the place of clusters in the order in which they are met, shape (n,): their names do not count."""
    _, first, inverse = np.unique(clusters, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
