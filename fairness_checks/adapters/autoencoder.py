"""Predictions of any torch module that reconstructs its input; torch is imported when the function is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from fairness_checks.adapters.autoencoder_output import name_of, read_output
from fairness_checks.adapters.evaluation_mode import evaluating
from fairness_checks.adapters.image_batches import as_input, batches, seen
from fairness_checks.errors import InvalidPredictions, did_you_mean
from fairness_checks.inputs.alignment import require_aligned
from fairness_checks.predictions import Predictions
from fairness_checks.sensitive import encode_features, first_rows

if TYPE_CHECKING:
    import torch

__all__ = ["predictions_from_autoencoder"]

_ERRORS = ("rmse", "mse")
Floats = npt.NDArray[np.float64]


def predictions_from_autoencoder(
    module: torch.nn.Module,
    images: Any,
    *,
    sensitive_features: Any,
    device: torch.device | str = "auto",
    batch_size: int = 64,
    cluster: Any = None,
    sample_id: Any = None,
    error: Literal["rmse", "mse"] = "rmse",
    uncertainty: Literal["latent_sd"] | None = "latent_sd",
    transform: Callable[[torch.Tensor], torch.Tensor] | None = None,
    seed: int = 0,
    about: Mapping[str, str] | None = None,
) -> Predictions:
    """Reconstruct held-out images; the error of each is its reconstruction's, the uncertainty its latent spread.

    The module runs in evaluation mode, without gradients, one batch on the device at a time. Afterwards each of its
    parts is in the mode and on the device where it was. A module of ``torch.export`` runs as it was exported, which
    must have been in evaluation mode.

    Parameters
    ----------
    module : torch.nn.Module
        Takes a batch of images and returns, all for the same batch:

        - a mapping, named tuple or object with the reconstruction under one of the names in `NAMES` (for instance
          "reconstruction", "mean", "log_variance"), in any order;
        - a tuple or list of three: reconstruction, mean, log variance;
        - the reconstruction alone: there is no uncertainty then.
    images : Tensor, ndarray, Dataset, DataLoader or iterable of batches
        n images of any size and number of dimensions, in the order of `sensitive_features`. Of a Dataset's or
        DataLoader's tuples the first item is the image. A list is an iterable of batches, as a generator is: read as
        it comes, cut where a batch is larger than `batch_size`. uint8 becomes ``x / 127.5 - 1``, in [-1, 1]; floats
        stay as they are; both get the dtype of the module's parameters.
    sensitive_features : frame, mapping, series or array_like
        One row an image; see `Predictions`.
    device : device or str
        "auto": where the module's parameters are. Another one: the module is moved there for this call.
    batch_size : int
        Most images that the module sees at once.
    cluster : array_like, shape (n,), optional
        Which images belong together, such as the patient of each; see `Predictions`.
    sample_id : array_like, shape (n,), optional
        Names of the images, for comparisons with a baseline; see `Predictions`.
    error : {"rmse", "mse"}
        "rmse": root of the squared difference of image and reconstruction averaged over all pixels and channels, in
        the units that the module sees, so that the metric ``mean_squared_error`` is the mean of the images' mean
        squared errors. "mse": without the root, so that ``mean_error`` is.
    uncertainty : "latent_sd" or None
        The standard deviation ``exp(log_variance / 2)`` averaged over the latent code; None: only the reconstruction
        is read, the first of a tuple.
    transform : callable, optional
        Replaces the scaling of uint8: called with a copy of each batch as it was given, on the device, returns what
        the module takes.
    seed : int
        A module that draws its latent code also in evaluation mode draws from this seed; its results then depend on
        `batch_size`. The global random state is as before afterwards.
    about : mapping of str to str, optional
        What module and images are, such as "data": "synthetic"; in every record. See `Predictions`.

    Returns
    -------
    Predictions
        With `error`, and `uncertainty` unless there is none.

    Raises
    ------
    InvalidPredictions
        If the module is not one or returned something else than the above, the reconstruction's shape is not the
        image's, anything is NaN, infinite or masked, the numbers or the row labels of images and of sensitive features
        differ, nothing was given, or a DataLoader shuffles; the message says what was seen.

    Examples
    --------
    >>> import torch
    >>> images = torch.tensor([[0.0, 1.0], [0.5, 0.5], [0.2, 0.4]])
    >>> halves = torch.nn.Linear(2, 2, bias=False)
    >>> _ = torch.nn.init.eye_(halves.weight).data.mul_(0.5)
    >>> predictions_from_autoencoder(halves, images, sensitive_features={"tone": ["a", "b", "b"]}).errors().round(4)
    array([0.3536, 0.25  , 0.1581])
    """
    import torch

    _check_arguments(module, batch_size, error, uncertainty, device)
    given = {"images": images, "cluster": cluster, "sample_id": sample_id, "sensitive_features": sensitive_features}
    require_aligned(given)
    expected = {name: len(feature.codes) for name, feature in encode_features(sensitive_features).items()}
    if isinstance(images, torch.Tensor | np.ndarray) and images.ndim:  # others are counted when all were read
        _refuse_lengths(len(images), expected)
    measured: list[Floats] = []
    with evaluating(module, device, seed) as place, torch.no_grad():
        for number, raw in enumerate(batches(images, batch_size)):
            batch = as_input(raw.to(place), module, transform)
            try:
                output = module(batch.clone())  # a layer that works in place must not change what it is compared with
            except Exception as problem:
                problem.add_note(f"{name_of(module)} was given batch {number} of images: {seen(batch)}")
                raise
            measured.append(_measure(batch, *read_output(output, module, batch, uncertainty)))
    if not measured:
        raise InvalidPredictions("images: 0 images; there is nothing to evaluate")
    columns = np.concatenate(measured).T
    _refuse_lengths(columns.shape[1], expected)
    _refuse_not_finite(columns, module)
    errors = columns[1] if error == "mse" else np.sqrt(columns[1])
    spreads = columns[2] if len(columns) > 2 else None
    return Predictions(
        error=errors,
        uncertainty=spreads,
        sensitive_features=sensitive_features,
        cluster=cluster,
        sample_id=sample_id,
        about=about,
    )


def _check_arguments(module: object, batch_size: object, error: str, uncertainty: str | None, device: object) -> None:
    import torch

    if not isinstance(module, torch.nn.Module):
        raise InvalidPredictions(f"module: {seen(module)} is not a torch.nn.Module; give an instance of one")
    if not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise InvalidPredictions(f"batch_size: {batch_size!r} is not a whole number from 1 on")
    if error not in _ERRORS:
        raise InvalidPredictions(f"error: {error!r}; {did_you_mean(str(error), _ERRORS)}")
    if uncertainty not in ("latent_sd", None):
        raise InvalidPredictions(f"uncertainty: {uncertainty!r}; allowed: 'latent_sd', None")
    if not isinstance(device, str | int | torch.device) or isinstance(device, bool):
        raise InvalidPredictions(f"device: {device!r}; give 'auto', a name such as 'cuda:0' or a torch.device")


def _refuse_lengths(images: int, expected: dict[str, int]) -> None:
    if any(count != images for count in expected.values()):
        counts = ", ".join(f"sensitive_features[{name!r}] {count}" for name, count in expected.items())
        raise InvalidPredictions(f"lengths differ: images {images}, {counts}")


def _refuse_not_finite(columns: Floats, module: torch.nn.Module) -> None:
    what = ("images", f"{name_of(module)}: reconstruction", f"{name_of(module)}: exp(log_variance / 2)")
    for name, column in zip(what, columns, strict=False):
        bad = ~np.isfinite(column)
        if bad.any():
            counted = f"{np.count_nonzero(bad)} of {len(bad)} images"
            raise InvalidPredictions(f"{name}: NaN, infinite or too large in {counted}: {first_rows(bad)}")


def _measure(batch: torch.Tensor, reconstruction: torch.Tensor, log_variance: torch.Tensor | None) -> Floats:
    """Return 0 for a finite image (else NaN), its error and its uncertainty, shape (B, 3); (B, 2) without the last."""
    import torch

    def wide(values: torch.Tensor) -> torch.Tensor:
        return values.to(torch.promote_types(values.dtype, torch.float32))

    columns = [wide(batch) * 0.0, (wide(reconstruction) - wide(batch)).square()]
    if log_variance is not None:
        columns.append((wide(log_variance) / 2).exp())
    means = [column.reshape(len(batch), -1).mean(dim=1).cpu().numpy() for column in columns]
    return np.stack(means, axis=1, dtype=np.float64)
