"""The convolutional variational autoencoder of this project for the dermatology study, and the terms of its loss.

An encoder gives each image a Gaussian over a small map of latent channels, a decoder gives a latent code a Gaussian
of unit variance over pixels, and the prior is standard normal (Kingma and Welling, ICLR 2014,
https://doi.org/10.48550/arXiv.1312.6114). Residual blocks (He et al., CVPR 2016,
https://doi.org/10.1109/CVPR.2016.90) halve or double the map; batch normalisation and ELU throughout.

The output is linear, without tanh: it is the mean of a Gaussian, whose squared error is then the exact log likelihood,
and its gradient is the same for a dark, a medium and a bright pixel. Tanh flattens it towards black and white, which
would slow what the study measures, the learning of dark skin, by the choice of the output alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.vae_base import GaussianVAE, elu
from models.vae_config import VAEConfig
from models.vae_published import PublishedVAE

__all__ = ["VAE", "GaussianVAE", "LossTerms", "VAEConfig", "build_vae", "elu", "kl_to_prior", "loss_terms", "scaled"]

LOG_VARIANCE_BOUND = 10.0
"""Log variances lie in (-10, 10): standard deviations between 0.007 and 148, whose squares no precision loses."""


class LossTerms(NamedTuple):
    """The three terms of the loss of each image, (B,) each; the loss is their sum, `perceptual` times its weight.

    Attributes
    ----------
    reconstruction : Tensor
        Half the squared error, summed over channels and pixels in [-1, 1]: minus the log likelihood, in nats, less a
        constant. Where the configuration's loss is of means: the squared error's mean over channels and pixels.
    kl : Tensor
        Kullback-Leibler divergence of the encoder's Gaussian from the prior, in nats; of means: nats a latent number.
    perceptual : Tensor
        What the perceptual module returns; 0 without one.
    """

    reconstruction: Tensor
    kl: Tensor
    perceptual: Tensor


class DownBlock(nn.Module):
    """Residual block that halves height and width: (B, inputs, H, W) -> (B, outputs, H/2, W/2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        # Batch normalisation has a shift of its own, so the convolutions before it need no bias.
        self.first = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        short = self.skip(functional.avg_pool2d(x, 2))  # (B, outputs, H/2, W/2)
        x = elu(self.first_norm(self.first(x)))  # (B, outputs, H/2, W/2)
        return elu(self.second_norm(self.second(x)) + short)


class UpBlock(nn.Module):
    """Residual block that doubles height and width: (B, inputs, H, W) -> (B, outputs, 2 H, 2 W)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        # A convolution of 1 x 1 and the copying of pixels commute: on the small map it costs a quarter.
        short = functional.interpolate(self.skip(x), scale_factor=2.0)  # (B, outputs, 2 H, 2 W)
        x = functional.interpolate(x, scale_factor=2.0)  # (B, inputs, 2 H, 2 W)
        x = elu(self.first_norm(self.first(x)))  # (B, outputs, 2 H, 2 W)
        return elu(self.second_norm(self.second(x)) + short)


class VAE(GaussianVAE):
    """Encoder and decoder; shapes for the preset ``paper``, images of 128 x 128 and latent codes of 8 x 8 x 64.

    Parameters
    ----------
    config : VAEConfig
        Image size, widths of the blocks and latent channels.

    Examples
    --------
    >>> vae = VAE(VAEConfig.preset("paper")).eval()
    >>> mean, log_variance = vae.encode(torch.zeros(2, 3, 128, 128))
    >>> tuple(mean.shape), tuple(vae.decode(mean).shape)
    ((2, 64, 8, 8), (2, 3, 128, 128))
    """

    def __init__(self, config: VAEConfig) -> None:
        super().__init__(config)
        widths = config.widths
        self.down = nn.Sequential(*(DownBlock(*pair) for pair in zip((3, *widths), widths, strict=False)))
        self.to_mean = nn.Conv2d(widths[-1], config.latent_channels, 1)
        self.to_log_variance = nn.Conv2d(widths[-1], config.latent_channels, 1)
        self.from_latent = nn.Conv2d(config.latent_channels, widths[-1], 1)
        back = widths[::-1]
        self.up = nn.Sequential(*(UpBlock(*pair) for pair in zip(back, (*back[1:], back[-1]), strict=True)))
        self.to_pixels = nn.Conv2d(back[-1], 3, 3, padding=1)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the latent Gaussian of images; log variances lie in (-10, 10)."""
        features = elu(self.down(x))  # (B, 512, 8, 8)
        mean = self.to_mean(features).float()  # (B, 64, 8, 8)
        raw = self.to_log_variance(features).float()  # (B, 64, 8, 8)
        # A clamp has no gradient outside its range, and tanh soon none; that of softsign fades by the square only.
        return mean, raw / (1 + raw.abs() / LOG_VARIANCE_BOUND)

    def decode(self, z: Tensor) -> Tensor:
        """Return the mean image of latent codes: (B, C, s, s) -> (B, 3, S, S) of float32, unbounded."""
        features = self.up(elu(self.from_latent(z)))  # (B, 64, 128, 128)
        pixels: Tensor = self.to_pixels(features).float()  # (B, 3, 128, 128)
        return pixels


def build_vae(config: VAEConfig, seed: int) -> GaussianVAE:
    """Return a new network on the CPU whose weights depend on the seed alone; torch's global generator stays as it is.

    Examples
    --------
    >>> one, same = (build_vae(VAEConfig.preset("cpu"), seed=3) for _ in range(2))
    >>> bool((one.to_pixels.weight == same.to_pixels.weight).all())
    True
    """
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would seed every GPU's generator as well, which the fork does not bring back.
        torch.default_generator.manual_seed(seed)
        return PublishedVAE(config) if config.network == "published" else VAE(config)


def scaled(pixels: Tensor) -> Tensor:
    """Return pixels of 0 to 255 in [-1, 1], as float32 in the memory order in which convolutions are fastest.

    Examples
    --------
    >>> scaled(torch.tensor([[[[0]], [[51]], [[255]]]], dtype=torch.uint8)).flatten().tolist()
    [-1.0, -0.6000000238418579, 1.0]
    """
    return pixels.float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)


def kl_to_prior(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, variance) || N(0, I)) of each image, in nats, summed over the latent code: (B, ...) -> (B,).

    ``0.5 * sum(mean^2 + variance - 1 - log variance)``, Kingma and Welling, appendix B.

    Examples
    --------
    >>> kl_to_prior(torch.tensor([[1.0, 2.0]]), torch.zeros(1, 2)).tolist()
    [2.5]
    """
    each = mean.square() + log_variance.exp() - 1 - log_variance
    return 0.5 * each.flatten(1).sum(1)


def loss_terms(
    vae: GaussianVAE,
    x: Tensor,
    noise: Tensor,
    perceptual: nn.Module | None = None,
    target: Sequence[Tensor] | None = None,
) -> LossTerms:
    """Return the terms of the loss, minus ELBO and perceptual loss, of each image.

    Parameters
    ----------
    vae : GaussianVAE
        Or a compiled one; its configuration says whether the terms are sums or means.
    x : Tensor
        (B, 3, S, S); pixels in [-1, 1].
    noise : Tensor
        (B, C, s, s); standard normal.
    perceptual : Module, optional
        Called with reconstruction and target, both (B, 3, S, S); returns (B,).
    target : sequence of Tensor, optional
        What it is called with in place of `x`: see `models.perceptual.PerceptualLoss.target_maps`.

    Examples
    --------
    >>> vae = VAE(VAEConfig.preset("cpu"))
    >>> terms = loss_terms(vae, torch.zeros(2, 3, 32, 32), torch.zeros(2, *vae.config.latent_shape))
    >>> [tuple(term.shape) for term in terms]
    [(2,), (2,), (2,)]
    """
    reconstruction, mean, log_variance = vae(x, noise)
    squares, kl = (reconstruction - x).square().flatten(1), kl_to_prior(mean, log_variance)
    if vae.config.loss == "means":
        error, kl = squares.mean(1), kl / mean[0].numel()
    else:
        error = 0.5 * squares.sum(1)
    if perceptual is None:
        return LossTerms(error, kl, torch.zeros_like(error))
    seen = perceptual(reconstruction, x if target is None else target).float()
    return LossTerms(error, kl, seen)
