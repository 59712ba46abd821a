"""Uncertainties of a trained VAE, one value an image: what it can say of its own error without seeing it.

Needs torch and NumPy.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.perceptual import PerceptualLoss
from models.vae import GaussianVAE, scaled
from models.vae_measure import evaluation_mode, in_batches

__all__ = ["Disagreement", "decoder_variance", "feature_distance", "noise_sensitivity", "reconstructed"]

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]
_BATCH = 200


def decoder_variance(vae: GaussianVAE, pixels: Pixels, *, samples: int = 4, seed: int = 0) -> Floats:
    """Return the variance of an image's reconstructions from draws of its latent Gaussian, mean over the pixels.

    Parameters
    ----------
    vae : GaussianVAE
        On a CPU.
    pixels : ndarray of uint8
        (n, 3, S, S).
    samples : int
        Draws, 2 or more; each costs one run of the decoder.
    seed : int
        Of the draws.

    Examples
    --------
    >>> from models.vae import VAEConfig, build_vae
    >>> vae = build_vae(VAEConfig.preset("cpu"), seed=0)
    >>> decoder_variance(vae, np.zeros((3, 3, 32, 32), dtype=np.uint8)).shape
    (3,)
    """
    generator = torch.Generator().manual_seed(seed)

    def spread(x: Tensor) -> Tensor:
        mean, log_variance = vae.encode(x)
        deviation = torch.exp(0.5 * log_variance)
        noise = (torch.randn(mean.shape, generator=generator) for _ in range(samples))
        return _variance(torch.stack([vae.decode(mean + deviation * each) for each in noise]))

    return _by_batch(vae, pixels, spread)


def noise_sensitivity(
    vae: GaussianVAE, pixels: Pixels, *, samples: int = 4, deviation: float = 0.1, seed: int = 0
) -> Floats:
    """Return the variance of the reconstructions of an image with noise added to it, mean over the pixels.

    Parameters
    ----------
    vae, pixels, samples, seed
        As for `decoder_variance`; each draw costs a run of the whole network.
    deviation : float
        Standard deviation of the noise, in pixels from -1 to 1.
    """
    generator = torch.Generator().manual_seed(seed)

    def spread(x: Tensor) -> Tensor:
        noise = (torch.randn(x.shape, generator=generator) for _ in range(samples))
        return _variance(torch.stack([vae(x + deviation * each)[0] for each in noise]))

    return _by_batch(vae, pixels, spread)


def reconstructed(vae: GaussianVAE, pixels: Pixels) -> npt.NDArray[np.float32]:
    """Return the reconstructions of images from the means of their codes, (n, 3, S, S), from -1 to 1."""
    with evaluation_mode(vae), torch.no_grad():
        return np.concatenate([vae(x)[0].numpy() for x in in_batches(vae, pixels, _BATCH)])


class Disagreement:
    """How far networks differ in their reconstructions of the same images; one network is added at a time.

    Parameters
    ----------
    shape : tuple of int
        Of the images, (n, 3, S, S).

    Examples
    --------
    >>> found = Disagreement((2, 3, 8, 8))
    >>> for value in (0.0, 1.0):
    ...     found.add(np.full((2, 3, 8, 8), value), np.array([True, value == 0]))
    >>> found.variance().tolist()
    [0.5, nan]
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._count = np.zeros(shape[0])
        self._mean = np.zeros(shape)
        self._squares = np.zeros(shape[0])

    def add(self, images: npt.NDArray[np.floating], counts: npt.NDArray[np.bool_]) -> None:
        """Add the reconstructions of a network, of those images that it may count for: it did not train on them."""
        self._count += counts
        off = np.where(counts[:, None, None, None], images - self._mean, 0.0)
        step = off / np.maximum(self._count, 1)[:, None, None, None]
        self._mean += step
        self._squares += (off * (off - step)).mean(axis=(1, 2, 3))

    def variance(self) -> Floats:
        """Return the variance over the networks, mean over the pixels; NaN for fewer than two networks."""
        return np.where(self._count > 1, self._squares / np.maximum(self._count - 1, 1), np.nan)


def feature_distance(network: PerceptualLoss, trained: Pixels, pixels: Pixels, *, nearest: int = 5) -> Floats:
    """Return how far images lie from a training set: mean distance to the nearest ones in a network's features.

    The features are the means over the pixels of each channel of the deepest map, and their distance is Euclidean.

    Parameters
    ----------
    network : PerceptualLoss
        Pre-trained, on a CPU.
    trained, pixels : ndarray of uint8
        (k, 3, S, S) and (n, 3, S, S).
    nearest : int
        Training images that count.
    """
    of_trained, of_images = (_features(network, part) for part in (trained, pixels))
    distances = torch.cdist(of_images, of_trained)
    return distances.topk(min(nearest, len(trained)), largest=False).values.mean(1).numpy().astype(np.float64)


def _features(network: PerceptualLoss, pixels: Pixels) -> Tensor:
    found = []
    for start in range(0, len(pixels), _BATCH):
        x = scaled(torch.tensor(np.ascontiguousarray(pixels[start : start + _BATCH])))
        found.append(network.target_maps(x)[-1].mean((2, 3)))
    return torch.cat(found).float()


def _variance(images: Tensor) -> Tensor:
    """Return the variance over the first axis, (k, B, 3, S, S) -> (B,)."""
    return images.var(0).flatten(1).mean(1)


def _by_batch(vae: GaussianVAE, pixels: Pixels, spread: Callable[[Tensor], Tensor]) -> Floats:
    with evaluation_mode(vae), torch.no_grad():
        return torch.cat([spread(x) for x in in_batches(vae, pixels, _BATCH)]).numpy().astype(np.float64)
