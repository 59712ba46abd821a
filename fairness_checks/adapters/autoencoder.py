"""Predictions of any torch module that reconstructs its input; torch is imported when the function is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fairness_checks.adapters.autoencoder_output import declared
from fairness_checks.adapters.evaluation_mode import evaluating
from fairness_checks.adapters.full_precision import full_precision
from fairness_checks.adapters.image_batches import batches
from fairness_checks.adapters.image_loaders import seen
from fairness_checks.adapters.image_scaling import GIVEN, SCALINGS, TRANSFORM, Scaling
from fairness_checks.adapters.reconstructions import Reconstructions
from fairness_checks.errors import InvalidPredictions, did_you_mean
from fairness_checks.inputs.alignment import require_aligned
from fairness_checks.inputs.predictions import Predictions, like
from fairness_checks.inputs.sensitive import encode_features
from fairness_checks.typing import ImageScaling

if TYPE_CHECKING:
    import torch

__all__ = ["predictions_from_autoencoder"]

_ERRORS = ("rmse", "mse")


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
    scaling: Scaling | None = None,
    transform: Callable[[torch.Tensor], torch.Tensor] | None = None,
    outputs: Sequence[str | None] | Mapping[Any, str] | None = None,
    seed: int = 0,
    about: Mapping[str, str] | None = None,
) -> Predictions:
    """Reconstruct held-out images; the error of each is its reconstruction's, the uncertainty its latent spread.

    The module runs in evaluation mode, without gradients, one batch on the device at a time, and products of float32
    are of float32, also on a GPU that may use TF32 for them. Afterwards each of its parts is in the mode and on the
    device where it was. A module of ``torch.export`` runs as it was exported, which must have been in evaluation mode.

    Parameters
    ----------
    module : torch.nn.Module
        Takes a batch of images and returns, all for the same batch:

        - a mapping, named tuple or object with the reconstruction under one of the names in `NAMES` (for instance
          "reconstruction", "mean", "log_variance"), in any order;
        - a tuple or list of three: reconstruction, mean, log variance;
        - the reconstruction alone: there is no uncertainty then;
        - anything else, as `outputs` declares it.
    images : Tensor, ndarray, Dataset, DataLoader, list or iterable of batches
        n images of any size and number of dimensions, in the order of `sensitive_features`. Of tuples the first item
        is the image; of mappings the one called "image", "images", "img", "pixel_values" or "x". A list of n is of
        images; any other, and a generator, is an iterable of batches: read as it comes, cut where a batch is larger
        than `batch_size`. What the module sees has the dtype of its parameters.
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
    scaling : {"[-1, 1]", "[0, 1]", "as given"}, optional
        What pixels of 0 to 255 become, as in the module's training: ``x / 127.5 - 1``, ``x / 255`` or ``x``. Needed
        for whole numbers; floats stay as they are where it is left out. In every record.
    transform : callable, optional
        Instead of `scaling`: called with a copy of each batch as it was given, on the device, returns what the module
        takes.
    outputs : sequence of str or mapping, optional
        What the module returns: "reconstruction", "mean", and one of "log_variance", "variance" and
        "standard_deviation" (of the latent code). By place, None for what is not read: ``("reconstruction",
        "log_variance", "mean")``; or by key, attribute or place: ``{"x_hat": "reconstruction", "sigma":
        "standard_deviation"}``. Mean and log variance have one shape: nothing else can tell them apart.
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
        If the module is not one, fails, or returned something else than the above; the reconstruction's shape is not
        the image's; an image cannot be read, anything is NaN, infinite or masked; the numbers or the row labels of
        images and of sensitive features differ, nothing was given, or a DataLoader shuffles; nothing says how whole
        numbers are scaled, or the whole set shows another scale than the module's: reconstructions that stay in
        [0, 1] where images do not, go far below 0 where no image does, or are the images but for a scale. The message
        says what was seen, in which images, and what to write.

    Warns
    -----
    RuntimeWarning
        If another scale is likely and not certain.

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

    _check_arguments(module, batch_size, error, uncertainty, device, seed)
    scaled = _scaling(scaling, transform)
    meanings = declared(outputs, uncertainty)
    given = {"images": images, "cluster": cluster, "sample_id": sample_id, "sensitive_features": sensitive_features}
    require_aligned(given)
    expected = {name: len(feature.codes) for name, feature in encode_features(sensitive_features).items()}
    rows = next(iter(expected.values()))
    if isinstance(images, torch.Tensor | np.ndarray) and images.ndim:  # others are counted when all were read
        _refuse_lengths(len(images), expected)
    with evaluating(module, device, seed) as place, full_precision():
        reconstructed = Reconstructions(module, uncertainty, meanings, scaling, transform)
        with torch.no_grad():
            for raw in batches(images, int(batch_size), rows):
                reconstructed.add(raw.to(place))
        if not len(reconstructed):
            raise InvalidPredictions("images: 0 images; there is nothing to evaluate")
        _refuse_lengths(len(reconstructed), expected, "; images one by one go into a list, or a loader of batches")
        found = reconstructed.found()
    made = Predictions(
        error=found["error"] if error == "mse" else np.sqrt(found["error"]),
        uncertainty=found.get("uncertainty"),
        sensitive_features=sensitive_features,
        cluster=cluster,
        sample_id=sample_id,
        about=about,
    )
    return like(made, scaling=scaled)


def _check_arguments(
    module: object, batch_size: object, error: str, uncertainty: str | None, device: object, seed: object
) -> None:
    import torch

    if not isinstance(module, torch.nn.Module):
        raise InvalidPredictions(f"module: {seen(module)} is not a torch.nn.Module; give an instance of one")
    if not isinstance(batch_size, int | np.integer) or isinstance(batch_size, bool) or batch_size < 1:
        raise InvalidPredictions(f"batch_size: {batch_size!r} is not a whole number from 1 on")
    if error not in _ERRORS:
        raise InvalidPredictions(f"error: {error!r}; {did_you_mean(str(error), _ERRORS)}")
    if uncertainty not in ("latent_sd", None):
        raise InvalidPredictions(f"uncertainty: {uncertainty!r}; allowed: 'latent_sd', None")
    if not isinstance(device, str | int | torch.device) or isinstance(device, bool):
        raise InvalidPredictions(f"device: {device!r}; give 'auto', a name such as 'cuda:0' or a torch.device")
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        raise InvalidPredictions(f"seed: {seed!r} is not a whole number from 0 on")


def _scaling(scaling: Scaling | None, transform: object) -> ImageScaling:
    """Return how the module's input comes from the images, for the records."""
    if scaling is not None and scaling not in tuple(SCALINGS):
        raise InvalidPredictions(f"scaling: {scaling!r}; {did_you_mean(str(scaling), SCALINGS)}")
    if transform is None:
        return scaling or GIVEN
    if scaling is not None:
        raise InvalidPredictions(
            f"scaling: {scaling!r} beside a transform, which takes its place; leave one of them out"
        )
    if not callable(transform):
        raise InvalidPredictions(f"transform: {transform!r} is not callable; give a function of a batch")
    return TRANSFORM


def _refuse_lengths(images: int, expected: dict[str, int], hint: str = "") -> None:
    if any(count != images for count in expected.values()):
        counts = ", ".join(f"sensitive_features[{name!r}] {count}" for name, count in expected.items())
        raise InvalidPredictions(f"lengths differ: images {images}, {counts}{hint}")
