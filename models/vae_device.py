"""On which device, and in which precision, torch computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from models.vae_config import PRECISIONS

__all__ = ["DEVICES", "PRECISIONS", "fastest_convolutions", "one_thread", "resolve_device", "resolve_precision"]

DEVICES = ("auto", "cpu", "cuda")


def resolve_device(device: str) -> torch.device:
    """Return the device of a name.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        "auto" is a GPU where there is one, else the CPU.

    Raises
    ------
    ValueError
        If the name is another one, or "cuda" is asked for and there is none.

    Examples
    --------
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if device not in DEVICES:
        raise ValueError(f"device is {device!r}: give one of {', '.join(DEVICES)}")
    present = torch.cuda.is_available()
    if device == "cuda" and not present:
        raise ValueError(
            f"device is 'cuda', and torch {torch.__version__} finds no CUDA device here: "
            "run with --fairness-device cpu (or auto), or on a machine with a GPU and torch built for it"
        )
    return torch.device("cuda" if present and device != "cpu" else "cpu")


def resolve_precision(precision: str, device: torch.device) -> str:
    """Return "bfloat16" or "float32"; "auto" is bfloat16 on a GPU and float32 on a CPU.

    Raises
    ------
    ValueError
        If the name is another one.

    Examples
    --------
    >>> resolve_precision("auto", torch.device("cpu"))
    'float32'
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}: give one of {', '.join(PRECISIONS)}")
    if precision == "auto":
        return "bfloat16" if device.type == "cuda" else "float32"
    return precision


@contextmanager
def fastest_convolutions(device: torch.device) -> Iterator[None]:
    """Let cuDNN try its algorithms and keep the fastest: the shapes of a training never change.

    TF32 needs no switch: cuDNN's convolutions may use it by default, and the network has no other product of matrices.
    """
    if device.type != "cuda":
        yield
        return
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


@contextmanager
def one_thread(device: str) -> Iterator[None]:
    """Compute with one thread on a CPU: a sum that two threads share has other last digits."""
    before = torch.get_num_threads()
    if device == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
