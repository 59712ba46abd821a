"""On which device torch computes; torch is imported when it is asked."""

from __future__ import annotations

from fairness_checks.errors import ConfigurationError

__all__ = ["DEVICES", "resolve_device"]

DEVICES = ("auto", "cpu", "cuda")


def resolve_device(name: str = "auto") -> str:
    """Return the device to compute on: of "auto" a CUDA device where there is one, else the CPU."""
    if name not in DEVICES:
        raise ConfigurationError(f"device: {name!r}; allowed: {', '.join(DEVICES)}")
    if name == "cpu":
        return name
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise ConfigurationError(
            "device: 'cuda', but torch sees no CUDA device here; use --fairness-device cpu (device='cpu' in Python), "
            "or a build of torch and a driver that match"
        )
    return "cpu"
