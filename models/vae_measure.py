"""What a trained VAE makes of images: error, uncertainty and the reconstruction itself, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.vae import GaussianVAE, VAEConfig, kl_to_prior, scaled
from models.vae_device import resolve_device, tf32_convolutions

__all__ = ["ImageMeasurements", "evaluation_mode", "in_batches", "measure_images", "reconstructions", "require_pixels"]

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class ImageMeasurements:
    """One value an image, (n,) of float32 each.

    Attributes
    ----------
    mse : ndarray
        Mean over channels and pixels of the squared error of the reconstruction; pixels in [-1, 1].
    mse_less_colour : ndarray
        The same for what is left of image and reconstruction without their mean colours: `mse` less the mean over the
        channels of the squared error of the channel's mean.
    tone_shift : ndarray
        Mean over channels and pixels of reconstruction less image: above 0 where it came out lighter.
    feature_error : ndarray
        Of the perceptual loss that was given; NaN without one.
    latent_sd : ndarray
        Mean over the latent code of the encoder's standard deviation: the model's own uncertainty.
    kl : ndarray
        Divergence of the encoder's Gaussian from the prior, in nats.
    """

    mse: Floats
    mse_less_colour: Floats
    tone_shift: Floats
    feature_error: Floats
    latent_sd: Floats
    kl: Floats


def measure_images(
    vae: GaussianVAE,
    pixels: Pixels,
    *,
    device: str = "auto",
    batch_size: int = 256,
    perceptual: nn.Module | None = None,
) -> ImageMeasurements:
    """Return error and uncertainty of images, reconstructed from the mean of their latent Gaussian.

    Memory on the device does not grow with the number of images.

    Parameters
    ----------
    vae : GaussianVAE
        Moved to the device and left there; the mode of each part, training or evaluation, stays.
    pixels : ndarray of uint8
        (n, 3, S, S), 0 to 255; n may be 0.
    device : {"auto", "cpu", "cuda"}
        Where to compute, in float32; TF32 would move an image's error by up to 0.1 percent.
    batch_size : int
        Images at a time; changes no value but for the last bits.
    perceptual : Module, optional
        Called with reconstructions and images, (B, 3, S, S) each, returns (B,). Moved to the device.

    Returns
    -------
    ImageMeasurements
        In the order of `pixels`.

    Raises
    ------
    ValueError
        If the pixels have another type or shape than the network takes.

    Examples
    --------
    >>> from models.vae import build_vae
    >>> vae = build_vae(VAEConfig.preset("cpu"), seed=0)
    >>> measure_images(vae, np.zeros((5, 3, 32, 32), dtype=np.uint8), device="cpu").mse.shape
    (5,)
    """
    rows = [torch.empty(6, 0)]
    with _evaluation(vae, device):
        if perceptual is not None:
            perceptual.to(resolve_device(device))
        for x in in_batches(vae, pixels, batch_size):
            reconstruction, mean, log_variance = vae(x)
            error = reconstruction - x
            mse = error.square().flatten(1).mean(1)  # (B,)
            colour = error.flatten(2).mean(2)  # (B, 3)
            less_colour = mse - colour.square().mean(1)
            seen = torch.full_like(mse, torch.nan) if perceptual is None else perceptual(reconstruction, x)
            latent_sd = torch.exp(0.5 * log_variance).flatten(1).mean(1)  # (B,)
            kl = kl_to_prior(mean, log_variance)
            rows.append(torch.stack([mse, less_colour, colour.mean(1), seen, latent_sd, kl]).cpu())
    values: Floats = torch.cat(rows, dim=1).numpy()
    return ImageMeasurements(*values)


def reconstructions(vae: GaussianVAE, pixels: Pixels, *, device: str = "auto", batch_size: int = 256) -> Pixels:
    """Return the images as the network gives them back, rounded and clipped: (n, 3, S, S) of uint8.

    Parameters, errors and memory are those of `measure_images`.

    Examples
    --------
    >>> from models.vae import build_vae
    >>> vae = build_vae(VAEConfig.preset("cpu"), seed=0)
    >>> reconstructions(vae, np.zeros((5, 3, 32, 32), dtype=np.uint8), device="cpu").shape
    (5, 3, 32, 32)
    """
    images: Pixels = np.empty_like(pixels)
    done = 0
    with _evaluation(vae, device):
        for x in in_batches(vae, pixels, batch_size):
            levels = vae(x)[0].add(1).mul(127.5).round().clamp(0, 255)  # (B, 3, S, S)
            images[done : done + len(x)] = levels.to(torch.uint8).cpu().numpy()
            done += len(x)
    return images


def require_pixels(pixels: npt.NDArray[np.generic], config: VAEConfig) -> None:
    """Check that images are what a network of this configuration takes.

    Raises
    ------
    ValueError
        If they are not uint8 of shape (n, 3, S, S).

    Examples
    --------
    >>> require_pixels(np.zeros((1, 3, 32, 32), dtype=np.uint8), VAEConfig.preset("cpu"))
    """
    size = config.image_size
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (3, size, size):
        raise ValueError(
            f"pixels are {pixels.dtype} of shape {pixels.shape}: give uint8 of shape (n, 3, {size}, {size}), "
            "for example ImageSet.at_size(...).pixels, or another image_size"
        )


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Put a network in evaluation mode for a time; then each of its parts is in the mode that it was in before.

    Examples
    --------
    >>> network = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    >>> with evaluation_mode(network):
    ...     [part.training for part in network.modules()]
    [False, False, False]
    >>> [part.training for part in network.modules()]
    [True, True, False]
    """
    modes = [(part, part.training) for part in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for part, training in modes:  # not `train`, which would set all parts of a part
            part.training = training


@contextmanager
def _evaluation(vae: GaussianVAE, device: str) -> Iterator[None]:
    vae.to(resolve_device(device))
    with evaluation_mode(vae), torch.no_grad(), tf32_convolutions(False):
        yield


def in_batches(vae: GaussianVAE, pixels: Pixels, batch_size: int) -> Iterator[Tensor]:
    """Yield images on a network's device, (B, 3, S, S) of -1 to 1 each."""
    require_pixels(pixels, vae.config)
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}: give at least 1")
    device = next(vae.parameters()).device
    for start in range(0, len(pixels), batch_size):
        batch = np.ascontiguousarray(pixels[start : start + batch_size])
        yield scaled(torch.tensor(batch, device=device))
