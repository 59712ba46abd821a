"""What a VAE is and how it is trained: the presets of the dermatology study.

Needs the standard library alone, so that a configuration can be checked where torch is not installed.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

__all__ = ["MIXES", "PERCEPTUAL_KINDS", "PRESETS", "VAEConfig"]

PERCEPTUAL_KINDS = ("auto", "vgg", "vgg19", "vgg16", "random", "none")
NETWORKS = ("own", "published")
LOSSES = ("sums", "means")
PRECISIONS = ("auto", "float32", "bfloat16")

MIXES: Mapping[str, Mapping[str, float]] = {
    "A": {"light": 1.0},
    "B": {"light": 0.5, "dark": 0.5},
    "C": {"dark": 1.0},
}
"""The training mixes of the study, the same in every preset: shares of the skin tones among the training images."""

COUNTS = ("image_size", "latent_channels", "epochs", "batch_size", "train_images", "test_images", "repeats")
SWITCHES = ("exact_statistics", "flips", "last_batch")
WORDS: Mapping[str, tuple[str, ...]] = {
    "perceptual": PERCEPTUAL_KINDS,
    "network": NETWORKS,
    "loss": LOSSES,
    "precision": PRECISIONS,
}
OF_THE_STUDY = ("train_images", "test_images", "repeats")
"""Fields that say how often and on which images to train, and leave one training on given images as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VAEConfig:
    """A network, its training and the size of the study around it.

    Attributes
    ----------
    image_size : int
        Pixels along an edge; a multiple of 2^k for k widths.
    widths : tuple of int
        Channels after each of the encoder's k blocks, of which each halves the image; the decoder mirrors them.
    latent_channels : int
        Channels of the latent code.
    epochs, batch_size : int
        Passes over the training images; images a step: at least 2 where the latent map is one number a channel.
    learning_rate : float
        Of Adam, above 0 and below 1.
    train_images : int
        Images that each training set draws, with replacement.
    test_images : int
        Images of each test set, one set a skin tone.
    repeats : int
        Independent draws of test and training sets.
    perceptual : {"auto", "vgg", "vgg19", "vgg16", "random", "none"}
        Network whose features the perceptual loss compares; "vgg" takes VGG19 where its weights are at hand, else
        VGG16; "auto" takes a random one where neither is.
    kl_weight : float
        Factor of the divergence from the prior, above 0. With a loss of sums, a pixel of an image reduced to a
        quarter of its edge stands for 16 of the original's, and with a weight of 1/16 its squared error counts for
        them: the balance between pixels and latent code is then that of the full size.
    perceptual_weight : float
        Factor of the perceptual loss, at least 0. With a loss of sums, that one is a mean over each map all the same:
        reduced presets weigh it as they weigh the divergence.
    exact_statistics : bool
        Whether batch normalisation's means and variances are taken anew after the last epoch, from the training
        images and the means of their codes, as an evaluation uses them (Wu and Johnson 2021, section 3,
        https://doi.org/10.48550/arXiv.2105.07576), in place of running averages over the last steps. After a few
        hundred steps those averages are off: they spread the error between trainings and tell nothing of the weights.
    network : {"own", "published"}
        `models.vae.VAE`, of this project, or `models.vae_published.PublishedVAE`, of the code that the paper names.
    loss : {"sums", "means"}
        "sums": half the squared error summed over pixels, the divergence summed over the latent code, both in nats,
        and equation 2, which sums over feature maps. "means", the published code's: the squared error's mean over
        pixels, the divergence's over the latent code, and the mean over the feature maps.
    flips : bool
        Whether each image is mirrored, left to right, with a chance of a half each time that it trains.
    last_batch : bool
        Whether an epoch ends with a smaller batch of what is left, or leaves that out.
    gradient_norm : float, optional
        Longest gradient of a step, all weights together; a longer one is shortened to it.
    precision : {"auto", "float32", "bfloat16"}
        Of a training that asks for no other; see `models.vae_device.resolve_precision`.

    Raises
    ------
    ValueError
        If a value is out of range; the message names field, value and remedy.

    Examples
    --------
    >>> VAEConfig.preset("paper").latent_shape
    (64, 8, 8)
    >>> VAEConfig.preset("cpu", epochs=2).epochs
    2
    """

    image_size: int
    widths: tuple[int, ...]
    latent_channels: int
    epochs: int
    batch_size: int
    learning_rate: float
    train_images: int
    test_images: int
    repeats: int
    perceptual: str
    kl_weight: float
    perceptual_weight: float
    exact_statistics: bool
    network: str = "own"
    loss: str = "sums"
    flips: bool = False
    last_batch: bool = False
    gradient_norm: float | None = None
    precision: str = "auto"

    def __post_init__(self) -> None:
        for name in COUNTS:
            _require_count(name, getattr(self, name))
        self._require_widths()
        self.require_spread(self.batch_size)
        _require_number("learning_rate", self.learning_rate, "above 0 and below 1", lambda value: 0 < value < 1)
        _require_number("kl_weight", self.kl_weight, "above 0 and at most 1", lambda value: 0 < value <= 1)
        weight = self.perceptual_weight
        _require_number("perceptual_weight", weight, "at least 0 and finite", lambda value: 0 <= value < math.inf)
        for name in SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} is {getattr(self, name)!r}: give True or False")
        for name, allowed in WORDS.items():
            if (word := getattr(self, name)) not in allowed:
                raise ValueError(f"{name} is {word!r}: give {_one_of(word, allowed)}")
        if self.gradient_norm is not None:
            _require_number("gradient_norm", self.gradient_norm, "above 0, or None", lambda value: 0 < value < math.inf)

    def _require_widths(self) -> None:
        widths: object = self.widths
        if not isinstance(widths, tuple) or not widths:
            raise ValueError(f"widths is {widths!r}: give a tuple of channels, one for each halving, such as (32, 64)")
        for width in widths:
            _require_count("widths", width)
            if self.network == "published" and width % 2:
                raise ValueError(f"widths is {width!r}: its blocks are half as wide within; give even numbers")
        factor = 2 ** len(widths)
        if self.image_size % factor:
            raise ValueError(
                f"image_size is {self.image_size}, which {len(widths)} blocks (widths {widths}) cannot halve so often: "
                f"give a multiple of {factor}, or fewer widths"
            )

    def require_spread(self, images: int) -> None:
        """Refuse batches in which batch normalisation would have one value a channel, which has no variance.

        Parameters
        ----------
        images : int
            In a batch.

        Raises
        ------
        ValueError
            If it is one image, and its latent map one number a channel.
        """
        edge = self.latent_shape[-1]
        if images * edge**2 < 2:
            raise ValueError(
                f"batch_size is {self.batch_size}, and a batch is of one image whose latent map is 1 x 1 "
                f"(image_size {self.image_size}, {len(self.widths)} widths): batch normalisation needs two values a "
                "channel, so give two images or more, a larger image_size or fewer widths"
            )

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """Return the configuration of a name in `PRESETS`, with some fields changed.

        Raises
        ------
        ValueError
            If there is no preset of that name, or a changed value is out of range.
        """
        if name not in PRESETS:
            raise ValueError(f"preset is {name!r}: give {_one_of(name, tuple(PRESETS))}")
        return cls(**{**asdict(PRESETS[name]), **changes})

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Self:
        """Return the configuration that `describe` described, from JSON too.

        Examples
        --------
        >>> config = VAEConfig.preset("small")
        >>> VAEConfig.from_description(config.describe()) == config
        True
        """
        return cls(**{**description, "widths": tuple(description["widths"])})

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Return channels, height and width of a latent code."""
        edge = self.image_size // 2 ** len(self.widths)
        return self.latent_channels, edge, edge

    def describe(self) -> dict[str, Any]:
        """Return all fields as plain builtins, for records and JSON."""
        return {**asdict(self), "widths": list(self.widths)}

    def describe_training(self) -> dict[str, Any]:
        """Return the fields on which one training on given images depends, as plain builtins."""
        return {name: value for name, value in self.describe().items() if name not in OF_THE_STUDY}


def _require_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} is {value!r}: give a whole number of at least 1")


def _require_number(name: str, value: object, allowed: str, accepts: Callable[[float], bool]) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not accepts(value):
        raise ValueError(f"{name} is {value!r}: give a number {allowed}")


def _one_of(value: object, allowed: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(str(value), allowed, n=1)
    return f"one of {', '.join(allowed)}" + (f" (did you mean {near[0]}?)" if near else "")


PUBLISHED = VAEConfig(
    image_size=128,
    widths=(128, 256, 512, 1024),
    latent_channels=64,
    epochs=15,
    batch_size=64,
    learning_rate=1e-4,
    train_images=1668,
    test_images=500,
    repeats=10,
    perceptual="vgg",
    kl_weight=1.0,
    perceptual_weight=1.0,
    exact_statistics=False,
    network="published",
    loss="means",
    flips=True,
    last_batch=True,
    gradient_norm=10.0,
)

PAPER = replace(
    PUBLISHED,
    widths=(64, 128, 256, 512),
    perceptual="vgg19",
    network="own",
    loss="sums",
    flips=False,
    last_batch=False,
    gradient_norm=None,
)

PRESETS: Mapping[str, VAEConfig] = {
    # Network, loss and steps of the code that the paper names: 56.7 million parameters, 405 steps.
    "published": PUBLISHED,
    # The same at 32 pixels, a quarter as wide, 405 steps of 16: a minute of one CPU thread, most of it VGG16's.
    "published_small": replace(
        PUBLISHED,
        image_size=32,
        widths=(32, 64, 128, 256),
        batch_size=16,
        train_images=432,
        test_images=100,
        precision="bfloat16",
    ),
    # The published protocol with a network and weights of the loss that are this project's: 7.5 million parameters,
    # and sums over pixels and latents. A nat of divergence weighs about a hundred times more than in the preset above.
    "paper": PAPER,
    # Thumbnails on one GPU, or on a CPU overnight; network and weights are this project's. Fewer steps than in the
    # paper, so larger ones.
    "small": replace(
        PAPER,
        image_size=64,
        widths=(32, 64, 128),
        latent_channels=16,
        batch_size=32,
        learning_rate=1e-3,
        train_images=800,
        test_images=200,
        kl_weight=(64 / 128) ** 2,
        perceptual_weight=(64 / 128) ** 2,
        perceptual="vgg",
        exact_statistics=True,
    ),
    # Network and weights are this project's. A training of 1,000 images takes half a minute on one thread. Epochs:
    # until ten more gain less on unseen images of mix B than one measurement scatters; the gate, with 240 images, takes
    # 15. Few steps, so the rate is thirty times the paper's; few channels where the map is large; latent maps of 8 x 8
    # as in the paper. Both reductions keep the proportions of `paper`: a latent number for twelve of the image's,
    # `kl_weight`, `perceptual_weight`.
    "cpu": replace(
        PAPER,
        image_size=32,
        widths=(8, 32),
        latent_channels=4,
        epochs=40,
        batch_size=16,
        learning_rate=3e-3,
        train_images=1000,
        test_images=100,
        kl_weight=(32 / 128) ** 2,
        perceptual_weight=(32 / 128) ** 2,
        perceptual="none",
        exact_statistics=True,
    ),
}
