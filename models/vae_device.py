"""On which device, and in which precision, torch computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from models.vae_config import PRECISIONS

__all__ = [
    "DEVICES",
    "PRECISIONS",
    "fastest_convolutions",
    "one_thread",
    "resolve_device",
    "resolve_precision",
    "tf32_convolutions",
]

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
            "run with --device cpu (in the gate --fairness-device cpu) or auto, or on a machine with a GPU and torch "
            "built for it"
        )
    return torch.device("cuda" if present and device != "cpu" else "cpu")


def resolve_precision(precision: str, device: torch.device) -> str:
    """Return "bfloat16" or "float32"; "auto" is bfloat16 on a GPU that computes in it, and float32 elsewhere.

    GPUs before compute capability 8.0 emulate bfloat16, which is slower than float32.

    The perceptual loss is in bfloat16, too, and not in float16 as published. Rounding VGG16 to it moves the gradient of
    the weights by 0.05 of its length and not along it (-0.001), where another batch moves it by 1.06. Of an image's
    gradient float16 loses a third of what bfloat16 does (0.07, 0.20), but overflows unless a scaler leaves steps out.

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
        native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return "bfloat16" if native else "float32"
    return precision


@contextmanager
def fastest_convolutions(device: torch.device) -> Iterator[None]:
    """Let cuDNN try its algorithms and keep the fastest: the shapes of a training never change.

    In float32 they use TF32, as is torch's default, unless `tf32_convolutions` says otherwise.
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
def tf32_convolutions(allowed: bool) -> Iterator[None]:
    """Allow convolutions of float32 on a GPU to use TF32, of 10 bits in place of 23, or not.

    The networks have no other products.
    """
    own = getattr(torch.backends.cudnn, "conv", None)  # from torch 2.9 on; the older switch is on its way out
    holder, name = (torch.backends.cudnn, "allow_tf32") if own is None else (own, "fp32_precision")
    before = getattr(holder, name)
    setattr(holder, name, allowed if own is None else "tf32" if allowed else "ieee")
    try:
        yield
    finally:
        setattr(holder, name, before)


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
