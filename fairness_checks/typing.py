"""Types that every room uses; loads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Array", "Decisions", "ImageScaling", "Numbers", "TestData"]

Array: TypeAlias = "npt.NDArray[np.float64]"
Numbers: TypeAlias = "float | npt.NDArray[Any]"

Decisions: TypeAlias = Literal["given", "threshold"]
"""Where 0/1 predictions come from."""
TestData: TypeAlias = Literal["internal", "external"]
"""Whether the held-out samples come from where the model was trained."""
ImageScaling: TypeAlias = Literal["[-1, 1]", "[0, 1]", "as given", "transform"]
"""What images were scaled to on their way into a module."""
