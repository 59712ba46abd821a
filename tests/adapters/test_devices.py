"""Which device "auto" is, with torch asked only where it could find another one than the CPU."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pytest

from fairness_checks.adapters import devices
from fairness_checks.errors import ConfigurationError

DRIVERS = {"neither": (), "NVIDIA's": ("libcuda.so.1",), "AMD's": ("/dev/kfd",)}


@pytest.fixture
def driver(monkeypatch, request):
    there = DRIVERS[request.param]

    def load(name):
        if name not in there:
            raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(Path, "exists", lambda path: str(path) in there)
    monkeypatch.setattr(sys, "platform", "linux")
    return request.param


class Torch:
    """A torch that finds a device, or none."""

    def __init__(self, *, finds):
        self.cuda = self
        self.is_available = lambda: finds


@pytest.mark.parametrize("driver", DRIVERS, indirect=True)
@pytest.mark.parametrize("loaded", [True, False], ids=["loaded", "not-loaded"])
def test_torch_is_asked_where_it_is_loaded_or_there_is_a_driver(driver, loaded, monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [Finder(asked := [])])
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    if loaded:
        monkeypatch.setitem(sys.modules, "torch", Torch(finds=True))
        assert devices.resolve_device("auto") == "cuda"
    elif driver == "neither":
        assert devices.resolve_device("auto") == "cpu"
    else:
        with pytest.raises(ModuleNotFoundError, match="torch"):
            devices.resolve_device("auto")
    assert asked == (["torch"] if not loaded and driver != "neither" else [])


class Finder:
    """Notes what is imported, and finds nothing."""

    def __init__(self, asked):
        self._asked = asked

    def find_spec(self, name, path=None, target=None):
        self._asked.append(name)


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_elsewhere_than_on_linux_only_torch_knows(platform, monkeypatch):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(asked := [])])
    with pytest.raises(ModuleNotFoundError):
        devices.resolve_device()
    assert asked == ["torch"]


def test_a_device_that_is_asked_for_is_there_or_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", Torch(finds=False))
    assert devices.resolve_device("auto") == devices.resolve_device("cpu") == "cpu"
    with pytest.raises(ConfigurationError, match="torch sees no CUDA device here"):
        devices.resolve_device("cuda")
    with pytest.raises(ConfigurationError, match="'gpu'; allowed: auto, cpu, cuda"):
        devices.resolve_device("gpu")
