"""Batches through a torch module that reconstructs them: what is kept of each image, and what is refused of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from fairness_checks.adapters.autoencoder_output import Declared, Output, name_of, read_output
from fairness_checks.adapters.image_batches import as_input
from fairness_checks.adapters.image_loaders import said, seen
from fairness_checks.adapters.image_scaling import GIVEN, TRANSFORM, ranges, refuse_other_scale
from fairness_checks.adapters.last_operation import ending_of
from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.sensitive import first_rows
from fairness_checks.typing import Array

if TYPE_CHECKING:
    import torch

__all__ = ["Reconstructions"]


_ORDER = ("highest of mean", "lowest of mean", "share of positive log variances")
_LOG_VARIANCE_AT_MOST, _LOG_VARIANCE_GOES_BELOW, _MEANS_ABOVE_ZERO = 0.1, -0.5, 0.2


class Reconstructions:
    """Images that a module reconstructed, batch after batch; a few numbers of each are kept."""

    def __init__(
        self,
        module: torch.nn.Module,
        uncertainty: str | None,
        meanings: Declared | None,
        scaling: str | None,
        transform: Callable[[torch.Tensor], torch.Tensor] | None,
    ) -> None:
        self._module, self._uncertainty, self._meanings = module, uncertainty, meanings
        self._scaling, self._transform = scaling, transform
        self._kept: list[dict[str, Array]] = []
        self._done = 0
        self._batch: list[torch.Tensor] = []
        self._dtype: torch.dtype | None = None

    def __len__(self) -> int:
        return self._done

    def add(self, raw: torch.Tensor) -> None:
        """Reconstruct a batch that is on the module's device; nothing of it is kept but numbers of each image."""
        self._dtype = raw.dtype if self._dtype is None else self._dtype
        if raw.is_floating_point() != self._dtype.is_floating_point:
            raise InvalidPredictions(
                f"images: from image {self._done} on {raw.dtype}, {self._dtype} before; give all in one scale and dtype"
            )
        batch = self._input(raw)
        output = self._output(batch)
        columns = _columns(batch, output)
        if self._kept and columns.keys() != self._kept[0].keys():
            raise InvalidPredictions(
                f"{name_of(self._module)} returned other parts for {self._images(batch)} than for those before; return "
                "the same always"
            )
        self._kept.append(columns)
        self._batch = self._batch or [batch]
        self._done += len(batch)

    def found(self) -> dict[str, Array]:
        """Return "error", the mean squared error of each image, and "uncertainty" unless there is none."""
        columns = {name: np.concatenate([part[name] for part in self._kept]) for name in self._kept[0]}
        module = name_of(self._module)
        self._refuse_not_finite(columns)
        if _ORDER[0] in columns:
            _refuse_other_order(module, *(columns[name] for name in _ORDER))
        scale = np.array([column for name, column in columns.items() if name.startswith("range ")])
        kind = self._scaling or GIVEN if self._transform is None else TRANSFORM
        integers = self._dtype is not None and not self._dtype.is_floating_point
        refuse_other_scale(scale, module, kind, integers, lambda: ending_of(self._reconstruct, *self._batch))
        return {name: columns[name] for name in ("error", "uncertainty") if name in columns}

    def _images(self, batch: torch.Tensor) -> str:
        last = self._done + len(batch) - 1
        return f"images {self._done} to {last}" if len(batch) > 1 else f"image {last}"

    def _input(self, raw: torch.Tensor) -> torch.Tensor:
        try:
            return as_input(raw, self._module, self._scaling, self._transform)
        except InvalidPredictions:
            raise
        except Exception as problem:
            raise InvalidPredictions(
                f"transform: failed for {self._images(raw)} ({seen(raw)}): {said(problem)}"
            ) from problem

    def _output(self, batch: torch.Tensor) -> Output:
        try:  # a layer that works in place must not change what its output is compared with
            output = self._module(batch.clone())
        except Exception as problem:
            self._refuse_failed(batch, problem)
        try:
            return read_output(output, self._module, batch, self._uncertainty, self._meanings)
        except InvalidPredictions as problem:
            raise InvalidPredictions(f"{problem} ({self._images(batch)})") from None

    def _refuse_failed(self, batch: torch.Tensor, problem: Exception) -> NoReturn:
        hint = ""
        if batch.ndim == 4 and batch.shape[-1] in (1, 3, 4) and batch.shape[1] not in (1, 3, 4):
            hint = "; channels stand last: where the module takes them first, give images.transpose(0, 3, 1, 2)"
        elif isinstance(problem, MemoryError) or type(problem).__name__ == "OutOfMemoryError":
            hint = "; give a smaller batch_size"
        raise InvalidPredictions(
            f"{name_of(self._module)} failed for {self._images(batch)} ({seen(batch)}): {said(problem)}{hint}"
        ) from problem

    def _reconstruct(self, batch: torch.Tensor) -> torch.Tensor:
        return read_output(self._module(batch), self._module, batch, None, self._meanings).reconstruction

    def _refuse_not_finite(self, columns: dict[str, Array]) -> None:
        module = name_of(self._module)
        what = {"finite": "images", "error": f"{module}: reconstruction"}
        what["uncertainty"] = f"{module}: standard deviation of the code"
        for name, words in what.items():
            bad = ~np.isfinite(columns.get(name, np.zeros(1)))
            if bad.any():
                more = ", or negative as a variance" if name == "uncertainty" else ""
                counted = f"{np.count_nonzero(bad)} of {len(bad)} images"
                raise InvalidPredictions(f"{words}: NaN, infinite or too large{more} in {counted}: {first_rows(bad)}")


def _columns(batch: torch.Tensor, output: Output) -> dict[str, Array]:
    """Return what is kept of each image, by name; "finite" is 0, and NaN of an image that is not."""
    import torch

    def wide(values: torch.Tensor) -> torch.Tensor:
        return values.to(batch.device, torch.promote_types(values.dtype, torch.float32))  # of a module on several

    def mean(values: torch.Tensor) -> torch.Tensor:
        return values.reshape(len(batch), -1).mean(dim=1)

    images, reconstruction = wide(batch), wide(output.reconstruction)
    columns = {"finite": mean(images * 0.0), "error": mean((reconstruction - images).square())}
    columns |= {f"range {place}": column for place, column in enumerate(ranges(images, reconstruction))}
    if (spread := output.standard_deviation()) is not None:
        columns["uncertainty"] = mean(wide(spread))
    if output.by_place and output.mean is not None and output.spread is not None:
        code, log_variance = (wide(part).reshape(len(batch), -1) for part in (output.mean, output.spread))
        columns |= dict(zip(_ORDER, (code.amax(1), code.amin(1), mean((log_variance > 0).float())), strict=True))
    together = torch.stack(list(columns.values())).cpu().numpy().astype(np.float64)  # one copy from the device
    return dict(zip(columns, together, strict=True))


def _refuse_other_order(module: str, highest: Array, lowest: Array, positive: Array) -> None:
    """Refuse a tuple whose second and third part look like log variance and mean, not like mean and log variance."""
    # A log variance hardly exceeds that of the prior, 0; means have both signs.
    swapped = highest.max() <= _LOG_VARIANCE_AT_MOST and lowest.min() < _LOG_VARIANCE_GOES_BELOW
    if swapped and positive.mean() > _MEANS_ABOVE_ZERO:
        raise InvalidPredictions(
            f"{module}: the second of three, taken as the mean, never exceeds {highest.max():.3g}, and "
            f"{positive.mean():.0%} of the third, taken as the log variance, is positive, as if they stood the other "
            'way round; declare them: outputs=("reconstruction", "log_variance", "mean"), or, if they are what they '
            'were taken as, outputs=("reconstruction", "mean", "log_variance")'
        )
