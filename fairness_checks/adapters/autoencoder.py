"""Predictions of any torch module that reconstructs its input; torch is imported when the function is called."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import InvalidPredictions, did_you_mean
from fairness_checks.predictions import Predictions
from fairness_checks.sensitive import encode_features, first_rows

if TYPE_CHECKING:
    import torch

__all__ = ["predictions_from_autoencoder"]

NAMES = {
    "reconstruction": ("reconstruction", "reconstructions", "recon", "recons", "recon_x", "x_recon", "x_hat"),
    "mean": ("mean", "mu", "latent_mean", "z_mean"),
    "log_variance": ("log_variance", "log_var", "logvar", "latent_log_variance", "z_log_var", "z_logvar"),
}
"""Under which keys or attributes a module's output is looked for."""

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
    error: Literal["rmse", "mse"] = "rmse",
    uncertainty: Literal["latent_sd"] | None = "latent_sd",
    transform: Callable[[torch.Tensor], torch.Tensor] | None = None,
    seed: int = 0,
) -> Predictions:
    """Reconstruct held-out images; the error of each is its reconstruction's, the uncertainty its latent spread.

    The module runs in evaluation mode, without gradients, one batch on the device at a time. Afterwards each of its
    parts is in the mode and on the device where it was.

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
    error : {"rmse", "mse"}
        "rmse": root of the squared difference of image and reconstruction averaged over all pixels and channels, in
        the units that the module sees, so that the metric ``mean_squared_error`` is the mean of the images' mean
        squared errors. "mse": without the root, so that ``mean_error`` is.
    uncertainty : "latent_sd" or None
        The standard deviation ``exp(log_variance / 2)`` averaged over the latent code; None: only the reconstruction
        is read, the first of a tuple.
    transform : callable, optional
        Replaces the scaling of uint8: called with each batch as it was given, on the device, returns what the module
        takes.
    seed : int
        A module that draws its latent code also in evaluation mode draws from this seed; its results then depend on
        `batch_size`. The global random state is as before afterwards.

    Returns
    -------
    Predictions
        With `error`, and `uncertainty` unless there is none.

    Raises
    ------
    InvalidPredictions
        If the module is not one or returned something else than the above, the reconstruction's shape is not the
        image's, anything is NaN or infinite, the numbers of images and of sensitive features differ, nothing was
        given, or a DataLoader shuffles; the message says what was seen.

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

    _check_arguments(module, batch_size, error, uncertainty)
    expected = {name: len(feature.codes) for name, feature in encode_features(sensitive_features).items()}
    if isinstance(images, torch.Tensor | np.ndarray) and images.ndim:  # others are counted when all were read
        _refuse_lengths(len(images), expected)
    measured: list[Floats] = []
    with _evaluating(module, device, seed) as place, torch.no_grad():
        for number, raw in enumerate(_batches(images, batch_size)):
            batch = _as_input(raw.to(place), module, transform)
            try:
                output = module(batch.clone())  # a layer that works in place must not change what it is compared with
            except Exception as problem:
                problem.add_note(f"{_name(module)} was given batch {number} of images: {_seen(batch)}")
                raise
            measured.append(_measure(batch, *_read(output, module, batch, uncertainty)))
    if not measured:
        raise InvalidPredictions("images: 0 images; there is nothing to evaluate")
    columns = np.concatenate(measured).T
    _refuse_lengths(columns.shape[1], expected)
    _refuse_not_finite(columns, module)
    errors = columns[1] if error == "mse" else np.sqrt(columns[1])
    spreads = columns[2] if len(columns) > 2 else None
    return Predictions(error=errors, uncertainty=spreads, cluster=cluster, sensitive_features=sensitive_features)


def _check_arguments(module: object, batch_size: object, error: str, uncertainty: str | None) -> None:
    import torch

    if not isinstance(module, torch.nn.Module):
        raise InvalidPredictions(f"module: {_seen(module)} is not a torch.nn.Module; give an instance of one")
    if not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise InvalidPredictions(f"batch_size: {batch_size!r} is not a whole number from 1 on")
    if error not in _ERRORS:
        raise InvalidPredictions(f"error: {error!r}; {did_you_mean(str(error), _ERRORS)}")
    if uncertainty not in ("latent_sd", None):
        raise InvalidPredictions(f"uncertainty: {uncertainty!r}; allowed: 'latent_sd', None")


def _refuse_lengths(images: int, expected: dict[str, int]) -> None:
    if any(count != images for count in expected.values()):
        counts = ", ".join(f"sensitive_features[{name!r}] {count}" for name, count in expected.items())
        raise InvalidPredictions(f"lengths differ: images {images}, {counts}")


def _refuse_not_finite(columns: Floats, module: torch.nn.Module) -> None:
    what = ("images", f"{_name(module)}: reconstruction", f"{_name(module)}: exp(log_variance / 2)")
    for name, column in zip(what, columns, strict=False):
        bad = ~np.isfinite(column)
        if bad.any():
            counted = f"{np.count_nonzero(bad)} of {len(bad)} images"
            raise InvalidPredictions(f"{name}: NaN, infinite or too large in {counted}: {first_rows(bad)}")


@contextlib.contextmanager
def _evaluating(module: torch.nn.Module, device: torch.device | str, seed: int) -> Iterator[torch.device]:
    """Set evaluation mode, device and random state; put all of them back."""
    import torch

    homes = {tensor.device for tensor in (*module.parameters(), *module.buffers())}
    home = next(iter(homes), torch.device("cpu"))
    training = {part: part.training for part in module.modules()}
    try:
        place = home if device == "auto" else torch.device(device)
        if len(homes) > 1 and device != "auto":
            raise InvalidPredictions(
                f"device: {_name(module)} is spread over {', '.join(sorted(map(str, homes)))}; leave it "
                "there (device='auto')"
            )
        if place != home:
            module.to(place)
    except (RuntimeError, AssertionError, NotImplementedError) as problem:
        module.to(home)
        raise InvalidPredictions(f"device: {_name(module)} cannot be run on {device!s}: {problem}") from problem
    try:
        with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
            torch.default_generator.manual_seed(seed)
            if place.type == "cuda":
                with torch.cuda.device(place):
                    torch.cuda.manual_seed(seed)
            module.eval()
            yield place
    finally:
        for part, flag in training.items():
            part.training = flag
        if place != home:
            module.to(home)


def _batches(images: Any, batch_size: int) -> Iterator[torch.Tensor]:
    """Cut whatever was given into tensors of at most `batch_size` images, one at a time."""
    import torch

    for item in _wholes(images, batch_size):
        whole = item[0] if isinstance(item, tuple | list) and item else item
        if not (isinstance(whole, torch.Tensor | np.ndarray) and whole.ndim):
            raise InvalidPredictions(
                f"images: a batch is {_seen(whole)}; give tensors or arrays of shape (batch, ...), or tuples that "
                "start with one"
            )
        for start in range(0, len(whole), batch_size):
            part = whole[start : start + batch_size]
            if isinstance(part, np.ndarray):  # copied, as torch takes neither a read-only array nor a swapped one
                if part.dtype.kind not in "biuf":
                    raise InvalidPredictions(f"images: dtype {part.dtype}; give uint8 or floats")
                part = torch.from_numpy(np.array(part, dtype=part.dtype.newbyteorder("="), order="C"))
            yield part


def _wholes(images: Any, batch_size: int) -> Iterable[Any]:
    import torch
    from torch.utils import data

    if isinstance(images, torch.Tensor | np.ndarray):
        return [images]
    if isinstance(images, data.DataLoader):
        samplers = (images.sampler, getattr(images.batch_sampler, "sampler", None))
        shuffling = (data.RandomSampler, data.SubsetRandomSampler, data.WeightedRandomSampler)
        if any(isinstance(sampler, shuffling) for sampler in samplers):
            raise InvalidPredictions(
                "images: the DataLoader shuffles, and images would get the sensitive features of others; make it "
                "with shuffle=False"
            )
        return images
    if isinstance(images, data.Dataset):
        return data.DataLoader(images, batch_size=batch_size)
    if isinstance(images, Iterable) and not isinstance(images, str | bytes | Mapping):
        return images
    raise InvalidPredictions(f"images: {_seen(images)}; give a tensor, an array, a Dataset, a DataLoader or batches")


def _as_input(
    raw: torch.Tensor, module: torch.nn.Module, transform: Callable[[torch.Tensor], torch.Tensor] | None
) -> torch.Tensor:
    import torch

    if transform is not None:
        made: Any = transform(raw)
        if not isinstance(made, torch.Tensor) or not made.is_floating_point() or made.shape[:1] != raw.shape[:1]:
            raise InvalidPredictions(
                f"transform: returned {_seen(made)} for {_seen(raw)}; a tensor of floats for the same images is needed"
            )
        batch = made
    elif raw.dtype == torch.uint8:
        batch = raw.float() / 127.5 - 1.0
    elif raw.is_floating_point():
        batch = raw
    else:
        raise InvalidPredictions(f"images: dtype {raw.dtype}; give uint8 or floats, or a transform")
    dtypes = (parameter.dtype for parameter in module.parameters() if parameter.is_floating_point())
    return batch.to(next(dtypes, batch.dtype))


def _read(
    output: Any, module: torch.nn.Module, batch: torch.Tensor, uncertainty: str | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the reconstruction and the log variance, which belong to this batch."""
    import torch

    parts = _parts(output, module, uncertainty)
    for part, tensor in parts.items():
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            raise InvalidPredictions(f"{_name(module)}: {part} is {_seen(tensor)}; a tensor of floats is needed")
    reconstruction, log_variance = parts["reconstruction"], parts.get("log_variance")
    if reconstruction.shape != batch.shape:
        raise InvalidPredictions(
            f"{_name(module)}: reconstruction of shape {tuple(reconstruction.shape)} for images of shape "
            f"{tuple(batch.shape)}; both must be the same: reshape it in the module, or the images beforehand"
        )
    if log_variance is not None:
        mean = parts.get("mean", log_variance)
        if log_variance.shape != mean.shape or log_variance.shape[:1] != batch.shape[:1]:
            raise InvalidPredictions(
                f"{_name(module)}: log variance of shape {tuple(log_variance.shape)}, mean of shape "
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
        raise InvalidPredictions(
            f"{_name(module)} returned {len(output)} things ({', '.join(map(_seen, output))}); return the "
            "reconstruction, mean and log variance, in this order, or a mapping that names them"
        )
    named: Mapping[str, Any] = output if isinstance(output, Mapping) else _fields(output)
    wanted = ["reconstruction"] if uncertainty is None else list(NAMES)
    found = {part: named[name] for part in wanted for name in NAMES[part] if named.get(name) is not None}
    for part in wanted:
        if part not in found and part != "mean":
            hint = "" if part == "reconstruction" else "; or do without it: uncertainty=None"
            raise InvalidPredictions(
                f"{_name(module)} returned {type(output).__name__} ({', '.join(map(str, named))}) without a {part}; "
                f"name it one of {', '.join(NAMES[part])}{hint}"
            )
    return found


def _fields(output: object) -> dict[str, Any]:
    """Return the fields of a named tuple, of an object with slots or of any other."""
    homes = (getattr(output, home, None) for home in ("_fields", "__slots__", "__dict__"))
    return {name: getattr(output, name, None) for name in next(filter(None, homes), ())}


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


def _name(module: object) -> str:
    return type(module).__name__


def _seen(value: object) -> str:
    """Name what was seen instead of what is needed: its type, and the shape of an array."""
    shape = getattr(value, "shape", None)
    described = type(value).__name__ if not isinstance(value, type) else f"class {value.__name__}"
    return described if shape is None else f"{described} of shape {tuple(shape)}, {getattr(value, 'dtype', '')}"
