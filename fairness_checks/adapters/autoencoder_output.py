"""What a torch module that reconstructs its input returned: reconstruction, mean and log variance of the code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fairness_checks.adapters.image_batches import seen
from fairness_checks.errors import InvalidPredictions

if TYPE_CHECKING:
    import torch

__all__ = ["NAMES", "name_of", "read_output"]

NAMES = {
    "reconstruction": ("reconstruction", "reconstructions", "recon", "recons", "recon_x", "x_recon", "x_hat"),
    "mean": ("mean", "mu", "latent_mean", "z_mean"),
    "log_variance": ("log_variance", "log_var", "logvar", "latent_log_variance", "z_log_var", "z_logvar"),
}
"""Under which keys or attributes a module's output is looked for."""


def read_output(
    output: Any, module: torch.nn.Module, batch: torch.Tensor, uncertainty: str | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the reconstruction and the log variance, which belong to this batch."""
    import torch

    parts = _parts(output, module, uncertainty)
    for part, tensor in parts.items():
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            raise InvalidPredictions(f"{name_of(module)}: {part} is {seen(tensor)}; a tensor of floats is needed")
    reconstruction, log_variance = parts["reconstruction"], parts.get("log_variance")
    if reconstruction.shape != batch.shape:
        raise InvalidPredictions(
            f"{name_of(module)}: reconstruction of shape {tuple(reconstruction.shape)} for images of shape "
            f"{tuple(batch.shape)}; both must be the same: reshape it in the module, or the images beforehand"
        )
    if log_variance is not None:
        mean = parts.get("mean", log_variance)
        if log_variance.shape != mean.shape or log_variance.shape[:1] != batch.shape[:1]:
            raise InvalidPredictions(
                f"{name_of(module)}: log variance of shape {tuple(log_variance.shape)}, mean of shape "
                f"{tuple(mean.shape)}; one row for each of the {len(batch)} images is needed, both of one shape"
            )
    return reconstruction, log_variance


def _parts(output: Any, module: torch.nn.Module, uncertainty: str | None) -> dict[str, Any]:
    """Find reconstruction, mean and log variance, by name or place; without uncertainty the first only."""
    import torch

    if isinstance(output, torch.Tensor):
        return {"reconstruction": output}
    if isinstance(output, tuple | list) and not hasattr(output, "_fields"):
        if output and (uncertainty is None or len(output) == 1):
            return {"reconstruction": output[0]}
        if len(output) == len(NAMES):
            return dict(zip(NAMES, output, strict=True))
        hint = "; or do without the last two: uncertainty=None" if output else ""
        raise InvalidPredictions(
            f"{name_of(module)} returned {len(output)} things ({', '.join(map(seen, output))}); return the "
            f"reconstruction, mean and log variance, in this order, or a mapping that names them{hint}"
        )
    wanted = ["reconstruction"] if uncertainty is None else list(NAMES)
    named = {part: _named(output, part, module) for part in wanted}
    for part, value in named.items():
        if value is None and part != "mean":
            hint = "" if part == "reconstruction" else "; or do without it: uncertainty=None"
            raise InvalidPredictions(
                f"{name_of(module)} returned {type(output).__name__} ({', '.join(_fields(output))}) without a {part}; "
                f"name it one of {', '.join(NAMES[part])}{hint}"
            )
    return {part: value for part, value in named.items() if value is not None}


def _named(output: object, part: str, module: torch.nn.Module) -> Any:
    """Return what a mapping or an object has under one of the names of a part, None if it has none."""
    if isinstance(output, Mapping):
        values = {name: output.get(name) for name in NAMES[part]}
    else:
        values = {name: getattr(output, name, None) for name in NAMES[part]}
        values = {name: value for name, value in values.items() if not callable(value)}  # such as an array's `mean`
    found = {name: value for name, value in values.items() if value is not None}
    if len({id(value) for value in found.values()}) > 1:
        raise InvalidPredictions(
            f"{name_of(module)} returned {type(output).__name__} with a {part} under each of {', '.join(found)}; keep "
            "one of these names"
        )
    return next(iter(found.values()), None)


def _fields(output: object) -> list[str]:
    """Name the keys of a mapping, the fields of a named tuple, of an object with slots or of any other."""
    if isinstance(output, Mapping):
        return list(map(str, output))
    homes = (getattr(output, home, None) for home in ("_fields", "__slots__", "__dict__"))
    return list(next(filter(None, homes), ()))


def name_of(module: object) -> str:
    """Return the name of a module's class, for messages."""
    return type(module).__name__
