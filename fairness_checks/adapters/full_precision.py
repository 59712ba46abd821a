"""Products of float32 numbers in float32: neither by TF32 on a GPU nor by bfloat16 on a CPU, whatever is allowed."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

__all__ = ["full_precision"]

_OPERATIONS = (("cudnn", "conv"), ("cudnn", "rnn"), ("cuda", "matmul"), ("mkldnn", "conv"), ("mkldnn", "matmul"))


class _Switch(NamedTuple):
    """A setting of torch: how it is read and set, and what it is where nothing is rounded."""

    read: Callable[[], Any]
    set: Callable[[Any], object]
    exact: Any


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Have products and convolutions of float32 rounded to nothing less; put torch's settings back."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of settings that are going out of use
        kept = _kept()
        for switch, _ in kept:
            switch.set(switch.exact)
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for switch, value in kept:
                switch.set(value)


def _kept() -> list[tuple[_Switch, Any]]:
    """Return each switch with what it is set to.

    From torch 2.9 on each operation has its own, which the two older ones set as well: those come first. Where the
    older ones contradict them torch refuses to say how they are set, and they are left alone.
    """
    import torch

    backends = torch.backends
    products = _Switch(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest")
    kept = []
    for switch in (_attribute(backends.cudnn, "allow_tf32", False), products):
        with contextlib.suppress(RuntimeError):
            kept.append((switch, switch.read()))
    for library, operation in _OPERATIONS:
        holder = getattr(getattr(backends, library), operation, None)
        if hasattr(holder, "fp32_precision"):
            switch = _attribute(holder, "fp32_precision", "ieee")
            kept.append((switch, switch.read()))
    return kept


def _attribute(holder: object, name: str, exact: object) -> _Switch:
    return _Switch(lambda: getattr(holder, name), lambda value: setattr(holder, name, value), exact)
