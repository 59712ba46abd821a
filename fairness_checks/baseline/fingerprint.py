"""Whether the samples of two runs are the same, and their ids as hashes.

Only the same samples can be paired: same ids, same labels, same groups, same clusters. Ids never leave the machine as
they are: patient numbers are not to be committed. Their hashes are pseudonyms, not anonymous: whoever has the salt,
which is committed too, and a list of possible ids can find out which of them were there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import BaselineError, InvalidPredictions
from fairness_checks.plain import JSON, canonical_json
from fairness_checks.predictions import Predictions
from fairness_checks.sensitive import SensitiveFeature

__all__ = ["data_fingerprint", "hashed_ids"]

_LAYOUT = 1


def hashed_ids(sample_id: npt.NDArray[np.str_], salt: bytes) -> npt.NDArray[np.uint64]:
    """Return the first 8 bytes of BLAKE2b(id, key = salt) as numbers, shape (n,), in the given order.

    1,000,000 ids take about a second. Two of that many share a hash with probability 3e-8.

    Parameters
    ----------
    sample_id : ndarray of str, shape (n,)
        Different ids.
    salt : bytes
        1 to 64 of them.

    Raises
    ------
    BaselineError
        If two ids have the same hash.

    Examples
    --------
    >>> int(hashed_ids(np.array(["a"]), bytes(16))[0])
    17505099113691565192
    """
    empty = hashlib.blake2b(key=salt)

    def digests() -> Iterator[bytes]:
        for name in sample_id.tolist():
            one = empty.copy()  # half the time of a new one
            one.update(name.encode("utf-8", "surrogatepass"))
            yield one.digest()[:8]

    hashes = np.frombuffer(b"".join(digests()), dtype="<u8").astype(np.uint64)
    ordered = np.sort(hashes)
    if (same := ordered[1:] == ordered[:-1]).any():
        pair = sample_id[hashes == ordered[1:][same][0]].tolist()
        raise BaselineError(
            f"sample_id: {pair[0]!r} and {pair[1]!r} have the same hash under the baseline's salt; delete the baseline "
            "and write it anew: it draws another salt"
        )
    return hashes


def data_fingerprint(predictions: Predictions) -> str | None:
    """Return the sha256 of ids, labels, groups and clusters, 64 hexadecimal digits, whatever the order of the rows.

    What a model said is not in it; nor are the names of clusters (which samples belong together is), nor declared
    groups without a sample. 1,000,000 rows take two seconds.

    Returns
    -------
    str or None
        None where the samples have no ids: then nothing can be paired.

    Examples
    --------
    >>> first = Predictions([0, 1], [0, 1], sensitive_features={"sex": ["f", "m"]}, sample_id=[7, 8])
    >>> second = Predictions([1, 0], [0, 0], sensitive_features={"sex": ["m", "f"]}, sample_id=["8", "7"])
    >>> data_fingerprint(first) == data_fingerprint(second)
    True
    """
    if predictions.sample_id is None:
        return None
    order = np.argsort(predictions.sample_id, kind="stable")
    ids = [name.encode("utf-8", "surrogatepass") for name in predictions.sample_id[order].tolist()]
    features = sorted(predictions.sensitive_features.values(), key=lambda feature: feature.name)
    coded = [(feature.name, *_coded(feature, order)) for feature in features]
    total = hashlib.sha256()
    described: list[JSON] = [
        *(_LAYOUT, len(ids), predictions.y_true is not None, predictions.cluster is not None),
        *([name, groups] for name, groups, _ in coded),
    ]
    total.update(canonical_json(described, "fingerprint", InvalidPredictions).encode())
    total.update(np.array([len(name) for name in ids], dtype="<i8").tobytes())
    total.update(b"".join(ids))
    for _, _, codes in coded:
        total.update(codes)
    if predictions.y_true is not None:
        total.update(np.packbits(predictions.y_true[order]).tobytes())
    if predictions.cluster is not None:
        total.update(_first_met(predictions.cluster[order]).astype("<i8").tobytes())
    return total.hexdigest()


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
