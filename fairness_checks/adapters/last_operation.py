"""What the last operation of a torch module does to the range of its values, as autograd wrote it down."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch

__all__ = ["Ending", "ending_of"]

Ending = Literal["bounded", "unbounded", "unknown"]

_LINEAR = (
    *("Addbmm", "Addmm", "Addmv", "Baddbmm", "Bmm", "Linear", "Mm", "Mv", "MkldnnLinear"),
    *("Convolution", "CudnnConvolution", "MiopenConvolution", "MkldnnConvolution", "SlowConv"),
    *("NativeBatchNorm", "CudnnBatchNorm", "NativeGroupNorm", "NativeLayerNorm"),
)
_PASSING = (  # the range after them is that before, or a multiple of it
    *("Add", "Alias", "AsStrided", "Cat", "Chunk", "Clone", "Expand", "Index", "LeakyRelu", "Mul", "Neg", "Permute"),
    *("PixelShuffle", "Repeat", "Reshape", "Select", "Slice", "Split", "Squeeze", "Stack", "Sub", "T", "ToCopy"),
    *("Transpose", "Unbind", "UnsafeView", "Unsqueeze", "UpsampleNearest", "UpsampleBilinear", "View"),
)
_BOUNDING = ("Clamp", "Hardsigmoid", "Hardtanh", "LogSigmoid", "Relu", "Sigmoid", "Softmax", "Softplus", "Tanh")


def ending_of(reconstruct: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor) -> Ending:
    """Follow a reconstruction back to the first operation that is linear or bounds it; "unknown" if it is not seen."""
    # A sum or product is unbounded where one of its parts is.
    ahead = _last_node(reconstruct, images[:1]) or _last_node(reconstruct, images)  # an exported module takes no fewer
    found: set[Ending] = set()
    known: set[Any] = {None}
    while ahead:
        node = ahead.pop()
        if node in known:
            continue
        known.add(node)
        kind = re.sub("([123]D)?(Backward.*)?$", "", node.name().rpartition("::")[2], count=1)
        if kind in _PASSING:
            ahead += [parent for parent, _ in node.next_functions]
        elif kind in _LINEAR:
            return "unbounded"
        elif kind in _BOUNDING:
            found.add("bounded")
        elif kind != "AccumulateGrad":
            found.add("unknown")
    return "bounded" if found == {"bounded"} else "unknown"


def _last_node(reconstruct: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor) -> list[Any]:
    """Return the node of autograd's graph at which a reconstruction ends; nothing of a module that minds gradients."""
    import torch

    try:
        with torch.enable_grad():
            given = images.detach().clone().requires_grad_()
            return [reconstruct(given.clone()).grad_fn]  # a copy may be changed in place
    except Exception:
        return []
