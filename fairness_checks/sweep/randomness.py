"""Random numbers of a sweep: each task has its own, whatever else the sweep does."""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["FIT", "FOLDS", "MIX", "SKETCH", "SPLIT", "generator"]

# Streams: the first element of a spawn key.
SPLIT, MIX, FIT, FOLDS, SKETCH = range(5)


def generator(seed: int, stream: int, repeat: int, *names: str) -> np.random.Generator:
    """Return the generator of one stream of a repeat, and of a mix or feature set by name."""
    # Children of `SeedSequence(seed)`, as `spawn` would make them, but by key and not by order: names enter as the
    # first 128 bits of their sha256.
    words: list[int] = []
    for name in names:
        digest = hashlib.sha256(name.encode()).digest()
        words.extend(int.from_bytes(digest[at : at + 4], "little") for at in range(0, 16, 4))
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream, repeat, *words)))
