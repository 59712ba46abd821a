"""On which device torch computes; torch is imported when it is asked."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

from fairness_checks.errors import ConfigurationError

__all__ = ["DEVICES", "resolve_device"]

DEVICES = ("auto", "cpu", "cuda")


def resolve_device(name: str = "auto") -> str:
    """Return the device to compute on: of "auto" a CUDA device where there is one, else the CPU."""
    if name not in DEVICES:
        raise ConfigurationError(f"device: {name!r}; allowed: {', '.join(DEVICES)}")
    if name == "cpu" or (name == "auto" and "torch" not in sys.modules and not _may_be_there()):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise ConfigurationError(
            "device: 'cuda', but torch sees no CUDA device here; use --fairness-device cpu (device='cpu' in Python), "
            "or a build of torch and a driver that match"
        )
    return "cpu"


def _may_be_there() -> bool:
    """Say whether torch could find a CUDA device: not where Linux has neither NVIDIA's driver nor AMD's."""
    # Asked without torch, whose import takes as long as all else in a run that trains nothing. torch itself loads the
    # driver by this name.
    if sys.platform != "linux" or Path("/dev/kfd").exists():
        return True
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True
