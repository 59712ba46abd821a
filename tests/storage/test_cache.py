"""FittedCache: what is reused, what is computed again, and what a crash leaves behind."""

from __future__ import annotations

import enum
import os
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest

from fairness_checks.errors import CacheError
from fairness_checks.storage import cache as cache_module
from fairness_checks.storage import files
from fairness_checks.storage.cache import FittedCache
from fairness_checks.storage.cache_keys import array_digest
from fairness_checks.storage.entries import packed, unpacked
from tests.builders import instead

KEY = {"data": "abc", "code": "123", "parameters": {"depth": 3, "seed": None}, "libraries": {"numpy": "2.0"}}


class Counted:
    """A computation that counts how often it was asked for."""

    def __init__(self, **arrays: np.ndarray) -> None:
        self.arrays = arrays or {"y_score": np.array([0.25, 0.75])}
        self.calls = 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.calls += 1
        return self.arrays


def kept(folder: Path | None) -> FittedCache:
    """A cache of computations that remember how often they were asked, which their keys must not hold."""
    return FittedCache(folder, code=False)


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_second_request_loads_the_same_arrays(tmp_path):
    arrays = {
        "y_pred": np.array([0, 1, 1], dtype=np.int8),
        "y_score": np.array([[0.1, np.nan], [np.inf, -0.0]]),
        "sex": np.array(["female", "männlich"]),
        "file": np.zeros((0, 3), dtype=bool),  # also a parameter of numpy.savez
        "key": np.array(7),
    }
    compute = Counted(**arrays)
    fresh = kept(tmp_path / "made" / "here").arrays("model", KEY, compute)
    stored = kept(tmp_path / "made" / "here").arrays("model", KEY, compute)
    assert compute.calls == 1
    for given in (fresh, stored):
        assert list(given) == list(arrays)
        for name, values in arrays.items():
            assert given[name].dtype == values.dtype
            np.testing.assert_array_equal(given[name], values)


def test_without_a_folder_nothing_is_stored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    compute = Counted()
    for _ in range(2):
        kept(None).arrays("model", KEY, compute)
    assert compute.calls == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"data": "abd"},
        {"code": "124"},
        {"parameters": {"depth": 4, "seed": None}},
        {"parameters": {"depth": 3.0, "seed": None}},
        {"parameters": {"depth": 3, "seed": 0}},
        {"parameters": {"depth": 3}},
        {"libraries": {"numpy": "2.1"}},
        {"more": False},
    ],
    ids=str,
)
def test_each_part_of_the_key_matters(tmp_path, change):
    cache, compute = kept(tmp_path), Counted()
    cache.arrays("model", KEY, compute)
    cache.arrays("model", KEY | change, compute)
    assert compute.calls == 2
    cache.arrays("model", KEY, compute)
    cache.arrays("model", KEY | change, compute)
    assert compute.calls == 2


def test_the_name_matters_and_the_order_of_the_key_does_not(tmp_path):
    cache, compute = kept(tmp_path), Counted()
    cache.arrays("model", KEY, compute)
    cache.arrays("model", dict(reversed(KEY.items())), compute)
    cache.arrays("model", types.MappingProxyType(KEY), compute)
    assert compute.calls == 1
    cache.arrays("other", KEY, compute)
    assert compute.calls == 2


def test_a_colliding_digest_is_not_a_hit(tmp_path):
    cache = kept(tmp_path)
    cache.arrays("model", KEY, Counted())
    (first,) = tmp_path.glob("*.entry")
    cache.arrays("model", KEY | {"data": "other"}, Counted())
    (second,) = set(tmp_path.glob("*.entry")) - {first}
    first.replace(second)  # as if both keys had the same first 16 digits
    assert cache.arrays("model", KEY | {"data": "other"}, Counted(y=np.ones(1))).keys() == {"y"}


def damaged(kind: str, good: bytes, folder: Path) -> bytes:
    if kind == "other layout":
        return good.replace(b"entry 1 ", b"entry 2 ", 1)
    if kind == "no npz":  # whole, and of this key
        return packed(unpacked(good).key, b"no archive")
    if kind == "foreign npz":
        np.savez(folder / "foreign.npz", y_score=np.zeros(2))
        return (folder / "foreign.npz").read_bytes()
    if kind == "npy":
        np.save(folder / "foreign.npy", np.zeros(2))
        return (folder / "foreign.npy").read_bytes()
    if kind == "pickled objects":
        np.savez(folder / "objects.npz", key=np.array([print], dtype=object))
        return (folder / "objects.npz").read_bytes()
    flipped = bytearray(good)
    flipped[good.index(np.float64(0.75).tobytes())] ^= 1
    return {"empty": b"", "text": b"no archive", "half": good[: len(good) // 2], "bit": bytes(flipped)}[kind]


@pytest.mark.parametrize(
    "kind", ["empty", "text", "half", "bit", "other layout", "no npz", "foreign npz", "npy", "pickled objects"]
)
def test_a_damaged_file_is_computed_again_and_replaced(tmp_path, kind):
    cache, compute = kept(tmp_path / "cache"), Counted()
    cache.arrays("model", KEY, compute)
    (entry,) = (tmp_path / "cache").glob("*.entry")
    entry.write_bytes(damaged(kind, entry.read_bytes(), tmp_path))
    for _ in range(2):
        np.testing.assert_array_equal(cache.arrays("model", KEY, compute)["y_score"], [0.25, 0.75])
    assert compute.calls == 2
    assert entries(tmp_path / "cache") == [entry.name]


def test_every_truncation_is_noticed(tmp_path):
    cache = kept(tmp_path)
    cache.arrays("model", KEY, Counted())
    (entry,) = tmp_path.glob("*.entry")
    good = entry.read_bytes()
    for length in range(0, len(good), 7):
        entry.write_bytes(good[:length])
        compute = Counted()
        cache.arrays("model", KEY, compute)
        assert compute.calls == 1, length


@pytest.mark.parametrize("directory", [True, False], ids=["stored", "not stored"])
@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"sex": np.array(["f", None])}, r"'model': 'sex' has dtype object.*\.astype\(str\)"),
        ({"y": np.ma.masked_array([1, 2], mask=[0, 1])}, r"'y' is MaskedArray"),
        ({"y": [1, 2]}, r"'y' is list"),
        ({"y pred": np.ones(1)}, r"'y pred' is not an identifier"),
    ],
    ids=["object", "masked", "list", "label"],
)
def test_what_npz_cannot_hold_is_refused(tmp_path, directory, arrays, message):
    cache = kept(tmp_path if directory else None)
    with pytest.raises(CacheError, match=message):
        cache.arrays("model", KEY, lambda: arrays)
    assert entries(tmp_path) == []


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"seed": np.int64(1)}, r"key\.seed: .*numpy\.int64"),
        ({"rate": np.float64(0.1)}, r"key\.rate: .*numpy\.float64"),
        ({"all": [1, {"deep": np.str_("a")}]}, r"key\.all\[1\]\.deep"),
        ({"kind": enum.IntEnum("Kind", "A").A}, r"key\.kind"),
        ({"path": Path("data")}, r"key\.path: .*Path.*allowed: None, bool"),
        ({"set": {1}}, r"key\.set"),
        ({"missing": float("nan")}, r"key\.missing: nan"),
        ({1: "a"}, r"mapping key 1 is int, must be str"),
    ],
    ids=str,
)
def test_a_key_of_anything_but_builtins_is_refused_before_computing(tmp_path, value, where):
    compute = Counted()
    with pytest.raises(CacheError, match=where):
        kept(tmp_path).arrays("model", value, compute)
    assert compute.calls == 0


@pytest.mark.parametrize("name", ["", "../escape", "a/b", ".hidden", "a b"])
def test_a_name_stays_inside_the_folder(tmp_path, name):
    with pytest.raises(CacheError, match="entry name"):
        kept(tmp_path).arrays(name, KEY, Counted())


def test_a_failing_computation_stores_nothing_and_frees_the_lock(tmp_path):
    cache = kept(tmp_path)

    def fail() -> dict[str, np.ndarray]:
        raise ValueError("no convergence")

    with pytest.raises(ValueError, match="no convergence"):
        cache.arrays("model", KEY, fail)
    assert entries(tmp_path) == []
    compute = Counted()
    cache.arrays("model", KEY, compute)
    assert compute.calls == 1


def test_a_full_disk_costs_the_entry_and_not_the_result(tmp_path, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "os", instead(os, fsync=full))
    with pytest.warns(RuntimeWarning, match="No space left on device; results are right but not kept"):
        arrays = kept(tmp_path).arrays("model", KEY, Counted())
    np.testing.assert_array_equal(arrays["y_score"], [0.25, 0.75])
    assert entries(tmp_path) == []


def test_a_folder_that_cannot_be_made_costs_the_entry_and_not_the_result(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(RuntimeWarning, match="not kept"):
        arrays = kept(tmp_path / "file").arrays("model", KEY, Counted())
    np.testing.assert_array_equal(arrays["y_score"], [0.25, 0.75])


def test_what_stands_in_the_place_of_an_entry_costs_the_entry_and_not_the_result(tmp_path, odd_file):
    cache, compute = kept(tmp_path), Counted()
    cache.arrays("model", KEY, compute)
    (entry,) = tmp_path.glob("*.entry")
    for path in (entry, entry.with_name(f"{entry.name}.lock")):
        entry.unlink(missing_ok=True)
        odd_file.put(path)
        with pytest.warns(RuntimeWarning, match=f"{odd_file.says}; results are right but not kept"):
            arrays = kept(tmp_path).arrays("model", KEY, compute)
        np.testing.assert_array_equal(arrays["y_score"], [0.25, 0.75])
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def test_what_was_read_is_known_by_its_date(tmp_path):
    cache = kept(tmp_path)
    cache.arrays("model", KEY, Counted())
    assert cache.read == {}
    (entry,) = tmp_path.glob("*.entry")
    old = unpacked(entry.read_bytes())
    entry.write_bytes(packed(old.key, old.body, "2020-02-29T12:00:00Z"))
    cache.arrays("model", KEY, Counted())
    assert cache.read == {"model": "2020-02-29T12:00:00Z"}


CHILD = """
import os, sys, time
from pathlib import Path
import numpy as np
from fairness_checks.storage.cache import FittedCache

folder, role = Path(sys.argv[1]), sys.argv[2]

def touch(name):
    (folder / name).write_text(str(os.getpid()))

def wait_for(name):
    while not (folder / name).exists():
        time.sleep(0.01)

def compute():
    touch("computing-" + role)
    if role == "stuck in compute":
        time.sleep(600)
    if role == "first":
        wait_for("asked-second")
        time.sleep(0.3)  # long enough for the second to reach the lock
    return {"y": np.arange(5.0)}

if role == "stuck in write":
    def fsync(descriptor):
        touch("computing-" + role)
        time.sleep(600)
    os.fsync = fsync
touch("asked-" + role)
values = FittedCache(folder / "cache", code=False).arrays("model", {"data": 1}, compute)["y"]
assert values.tolist() == [0, 1, 2, 3, 4]
"""


def start(folder: Path, role: str) -> subprocess.Popen[bytes]:
    root = Path(cache_module.__file__).parents[2]
    return subprocess.Popen([sys.executable, "-c", CHILD, str(folder), role], cwd=root)


def wait_for(path: Path, child: subprocess.Popen[bytes]) -> None:
    while not path.exists():
        assert child.poll() is None, f"{path.name} did not appear"
        time.sleep(0.01)


def test_two_processes_fit_once(tmp_path):
    first = start(tmp_path, "first")
    wait_for(tmp_path / "computing-first", first)
    second = start(tmp_path, "second")
    assert first.wait(timeout=300) == 0
    assert second.wait(timeout=300) == 0
    assert not (tmp_path / "computing-second").exists()


@pytest.mark.parametrize("problem", [None, OSError("of what was done meanwhile")])
def test_whoever_would_wait_may_do_something_else_meanwhile(tmp_path, problem):
    begun, may_end, done = threading.Event(), threading.Event(), []

    def compute():
        begun.set()
        may_end.wait(600)
        return {"x": np.ones(2)}

    def meanwhile():
        done.append(begun.is_set())
        may_end.set()
        if problem is not None:
            raise problem

    other = threading.Thread(target=kept(tmp_path).arrays, args=("m", KEY, compute))
    other.start()
    begun.wait(600)
    mine, own = kept(tmp_path), Counted()
    if problem is None:
        assert mine.arrays("m", KEY, own, meanwhile=meanwhile)["x"].tolist() == [1, 1]
    else:
        with pytest.raises(OSError, match="of what was done meanwhile"):
            mine.arrays("m", KEY, own, meanwhile=meanwhile)
    other.join()
    assert (done, own.calls) == ([True], 0)
    mine.arrays("m", KEY, own, meanwhile=meanwhile)  # is there
    mine.arrays("n", KEY, own, meanwhile=meanwhile)  # nobody computes it
    assert (done, own.calls) == ([True], 1)


@pytest.mark.parametrize("role", ["stuck in compute", "stuck in write"])
def test_a_killed_process_leaves_no_half_file_and_no_lock(tmp_path, role):
    child = start(tmp_path, role)
    wait_for(tmp_path / f"computing-{role}", child)
    child.kill()
    assert child.wait(timeout=300) == -signal.SIGKILL
    assert list((tmp_path / "cache").glob("*.entry")) == []
    compute = Counted()
    kept(tmp_path / "cache").arrays("model", {"data": 1}, compute)
    assert compute.calls == 1
    assert [Path(name).suffix for name in entries(tmp_path / "cache")] == [".entry"]


def test_array_digest_sees_values_dtype_shape_and_order():
    base = np.arange(6)
    different = [base[::-1], base.astype(np.int8), base.astype(np.float64), base.reshape(2, 3), base[:5]]
    assert len({array_digest(values) for values in [base, *different]}) == 6
    assert array_digest(np.asfortranarray(base.reshape(2, 3))) == array_digest(base.reshape(2, 3))
    assert array_digest(base[:2], base[2:]) != array_digest(base[:3], base[3:])
    assert array_digest(["a", "b"]) != array_digest(["ab", ""])
    with pytest.raises(CacheError, match="array 1 has dtype object"):
        array_digest(base, np.array([None]))


def scores(limit: float, handle: object = None):
    def compute() -> dict[str, np.ndarray]:
        assert handle is None or handle
        return {"y": np.array([limit])}

    return compute


def test_the_code_that_computes_and_what_it_references_is_in_the_key(tmp_path):
    cache = FittedCache(tmp_path)
    assert [cache.arrays("y", {}, scores(limit))["y"][0] for limit in (0.5, 0.6, 0.5)] == [0.5, 0.6, 0.5]
    assert len(list(tmp_path.glob("*.entry"))) == 2
    (date,) = cache.read.values()
    assert date.endswith("Z")


def test_what_references_something_unreadable_is_not_kept_and_says_so(tmp_path):
    with pytest.warns(
        RuntimeWarning, match=r"cache entry 'y' is not kept: `handle` around .*_thread\.lock, which cannot be read\. "
    ):
        assert FittedCache(tmp_path).arrays("y", {}, scores(0.5, threading.Lock()))["y"] == [0.5]
    assert list(tmp_path.iterdir()) == []
