"""The network of the code that the dermatology study names, written anew from its description.

A convolution to few channels; four levels, each a residual block that keeps its width and a strided one that doubles
it; a residual block at the bottom; convolutions of 1 x 1 to mean and log variance. The decoder mirrors the encoder with
copied pixels and ends in tanh. Blocks are pre-activated (He, Zhang, Ren, Sun, ECCV 2016,
https://doi.org/10.1007/978-3-319-46493-0_38) by batch normalisation and ELU, and half as wide within as at their wider
end. What the description leaves open is chosen as in that paper: where a block changes shape its short cut starts at
the activated map, and the last block's sum is activated before it is read.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.vae_base import GaussianVAE, elu
from models.vae_config import VAEConfig

__all__ = ["PublishedVAE"]

EPSILON = 1e-4  # of batch normalisation


class Block(nn.Module):
    """Pre-activated residual block: (B, inputs, H, W) -> (B, outputs, H, W), or half or twice as high and wide.

    Parameters
    ----------
    inputs, outputs : int
        Channels. A block that does not change them keeps the size, one with more of them halves it, one with fewer
        doubles it.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        inner = max(inputs, outputs) // 2
        stride = 2 if outputs > inputs else 1
        self.doubles = outputs < inputs
        self.first_norm = nn.BatchNorm2d(inputs, eps=EPSILON)
        self.first = nn.Conv2d(inputs, inner, 3, stride=stride, padding=1)
        self.second_norm = nn.BatchNorm2d(inner, eps=EPSILON)
        self.second = nn.Conv2d(inner, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        active = elu(self.first_norm(x))
        if self.doubles:
            active = functional.interpolate(active, scale_factor=2.0)  # the nearest pixel, copied
        short = x if self.skip is None else self.skip(active)
        found: Tensor = self.second(elu(self.second_norm(self.first(active)))) + short
        return found


class PublishedVAE(GaussianVAE):
    """Encoder and decoder; shapes for the preset ``published``, images of 128 x 128 and latent codes of 8 x 8 x 64.

    Parameters
    ----------
    config : VAEConfig
        Image size, widths behind each halving, and latent channels.

    Examples
    --------
    >>> with torch.device("meta"):
    ...     vae = PublishedVAE(VAEConfig.preset("published"))
    >>> round(sum(weights.numel() for weights in vae.parameters()) / 1e6, 1)
    56.7
    >>> mean, log_variance = vae.encode(torch.zeros(2, 3, 128, 128, device="meta"))
    >>> tuple(mean.shape), tuple(vae.decode(mean).shape)
    ((2, 64, 8, 8), (2, 3, 128, 128))
    """

    def __init__(self, config: VAEConfig) -> None:
        super().__init__(config)
        widths = (config.widths[0] // 2, *config.widths)  # 64, 128, 256, 512, 1024
        steps, bottom, latent = list(pairwise(widths)), widths[-1], config.latent_channels
        self.from_pixels = nn.Conv2d(3, widths[0], 3, padding=1)
        self.down = nn.Sequential(
            *(Block(*ends) for narrow, wide in steps for ends in ((narrow, narrow), (narrow, wide)))
        )
        self.bottom = Block(bottom, bottom)
        self.to_mean = nn.Conv2d(bottom, latent, 1)
        self.to_log_variance = nn.Conv2d(bottom, latent, 1)
        self.from_latent = nn.Conv2d(latent, bottom, 1)
        self.top = Block(bottom, bottom)
        back = reversed(steps)
        self.up = nn.Sequential(*(Block(*ends) for narrow, wide in back for ends in ((wide, narrow), (narrow, narrow))))
        self.to_pixels = nn.Conv2d(widths[0], 3, 3, padding=1)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the latent Gaussian of images; log variances are not bounded."""
        features = elu(self.bottom(self.down(self.from_pixels(x))))  # (B, 1024, 8, 8)
        return self.to_mean(features).float(), self.to_log_variance(features).float()  # (B, 64, 8, 8) each

    def decode(self, z: Tensor) -> Tensor:
        """Return the mean image of latent codes: (B, C, s, s) -> (B, 3, S, S) of float32, in (-1, 1)."""
        features = self.up(self.top(self.from_latent(z)))  # (B, 64, 128, 128)
        return torch.tanh(self.to_pixels(elu(features)).float())  # (B, 3, 128, 128)
