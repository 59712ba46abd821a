"""The perceptual part of the dermatology VAE's loss: how far two images lie apart in the feature maps of a VGG network.

Equation 2 of the study, over the feature maps phi_l, of C x H x W numbers each, of all convolutions l of VGG19::

    loss(x, y) = sum over l of  1 / (2 C_l H_l W_l) * || phi_l(x) - phi_l(y) ||^2

The study says "at the output of each of its 16 convolutions"; the maps are therefore taken directly after the
convolution, before its ReLU. The code that the study names weighs them otherwise: the mean over the maps of each map's
mean squared difference, and images in [-1, 1] go into the network as they are, without ImageNet's means and deviations.
The networks: Simonyan, Zisserman, https://doi.org/10.48550/arXiv.1409.1556; such a loss for a VAE: Hou, Shen, Sun, Qiu,
WACV 2017, https://doi.org/10.1109/WACV.2017.131.

`models.vgg_weights` finds and reads the networks' weights.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from models.vgg_weights import (
    BLOCKS,
    Convolution,
    PerceptualWeightsError,
    find_weights,
    places,
    read_weights,
    vgg_layout,
)

__all__ = ["KINDS", "Kind", "PerceptualLoss", "PerceptualWeightsError", "perceptual_loss"]

Kind = Literal["auto", "vgg", "vgg19", "vgg16", "random", "none"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Form = Literal["sums", "means"]
FORMS: tuple[Form, ...] = get_args(Form)

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's red, green, blue, in [0, 1]
_SEED = 0  # of the random network


class _MeanSquare(torch.autograd.Function):
    """Mean squared difference of each image's maps, (B, C, h, w) twice -> (B,): one difference and one norm.

    Maps stay in their own precision, both ways: copies in float32 would be half of a step's traffic at 128 pixels.
    The sum is of float32 at least. Only the first map has a gradient.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        difference = x - y  # neither map is kept: the caller overwrites both
        ctx.save_for_backward(difference)
        wide = torch.promote_types(x.dtype, torch.float32)
        norm: Tensor = torch.linalg.vector_norm(difference, dim=(1, 2, 3), dtype=wide)
        return norm.square() / difference[0].numel()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (difference,) = ctx.saved_tensors
        each = (gradient * (2 / difference[0].numel())).reshape(-1, 1, 1, 1)
        return torch.mul(difference, each, out=torch.empty_like(difference)), None  # rounded once, without a copy


def _distance(x: Tensor, y: Tensor) -> Tensor:
    """Return the mean squared difference of each image's maps; a compiler joins the operations itself."""
    if torch.compiler.is_compiling():
        difference = x - y
        wide = torch.promote_types(x.dtype, torch.float32)
        return difference.to(wide).square().mean(dim=(1, 2, 3))
    found: Tensor = _MeanSquare.apply(x, y)
    return found


class PerceptualLoss(nn.Module):
    """The loss for a frozen network: its parameters never learn, and it is always in evaluation mode.

    Made by `perceptual_loss`. Keep it beside the model that learns: registered as a part of that one, its weights
    would be saved with it.

    Attributes
    ----------
    source : str
        Which network and weights: for records and figures.
    pretrained : bool
        Whether the weights were learned, that is, read from a file.
    form : {"sums", "means"}
        Equation 2, or the published code's mean over the maps.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        layout: list[Convolution],
        weights: Mapping[str, Tensor],
        *,
        source: str,
        pretrained: bool,
        form: Form = "sums",
    ) -> None:
        super().__init__()
        self.source = source + ("; mean over maps, input not normalised" if form == "means" else "")
        self.pretrained = pretrained
        self.form = form
        self.convolutions = nn.ModuleList(_frozen_convolution(weights, one) for one in layout)
        self._halved = tuple(one.halved for one in layout)
        mean, deviation = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (_MEAN, _DEVIATION))
        self.register_buffer("scale", 0.5 / deviation, persistent=False)  # [-1, 1] to [0, 1] is part of the same step
        self.register_buffer("shift", (0.5 - mean) / deviation, persistent=False)
        self.eval()

    @property
    def maps(self) -> int:
        """Number of feature maps that are compared: 16 for VGG19, 13 for VGG16."""
        return len(self.convolutions)

    @property
    def smallest_side(self) -> int:
        """Smallest height and width of an image, in pixels: 16, unless the network was cut to fewer blocks."""
        return int(2 ** sum(self._halved))

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, whatever the module that this one is part of is set to."""
        return super().train(False)

    def target_maps(self, target: Tensor) -> list[Tensor]:
        """Return the maps of images, to be given to `forward` in place of them; in the precision of the moment."""
        with torch.no_grad():
            return [each.clone() for each in self._maps(target)]  # the next step of the network overwrites it

    def forward(self, reconstruction: Tensor, target: Tensor | Sequence[Tensor]) -> Tensor:
        """Return the loss of each image.

        Terms are added up as the network runs, so that no list of feature maps is held; the target's maps carry no
        graph. Where the convolutions run in half precision (autocast), differences are of that precision and sums of
        float32.

        Parameters
        ----------
        reconstruction : Tensor, shape (B, 3, H, W)
            Red, green, blue in [-1, 1]; values outside are not clipped. Gradients flow to it.
        target : Tensor, shape (B, 3, H, W), or sequence of Tensor
            The images themselves, in [-1, 1], or their `target_maps`; no gradient flows to them.

        Returns
        -------
        Tensor, shape (B,)
            0 or more; 0 for equal images.

        Raises
        ------
        ValueError
            If shapes differ, are not those of colour images, or the images are smaller than `smallest_side`.
        """
        if isinstance(target, Tensor):
            self._check(reconstruction, target)
            maps: Iterable[Tensor] = self._maps(target.detach())
        else:
            maps = target
        share = 1 / self.maps if self.form == "means" else 1 / 2
        loss = torch.zeros(len(reconstruction), device=reconstruction.device)  # (B,)
        for x, y in zip(self._maps(reconstruction), maps, strict=True):
            loss = loss + _distance(x, y) * share
        return loss

    def _maps(self, images: Tensor) -> Iterator[Tensor]:
        """Yield the map of each convolution, (B, C, h, w), which the step to the next one overwrites."""
        x = images.to(self.scale.dtype)
        if self.form == "sums":
            x = x * self.scale + self.shift  # (B, 3, H, W)
        for place, (convolution, halved) in enumerate(zip(self.convolutions, self._halved, strict=True)):
            if place:  # in place: neither a convolution nor the subtraction needs its map for the gradient
                x = functional.relu_(x)
            if halved:
                x = functional.max_pool2d(x, 2)
            x = convolution(x)
            yield x

    def _check(self, reconstruction: Tensor, target: Tensor) -> None:
        if reconstruction.shape != target.shape:
            raise ValueError(f"reconstruction: shape {tuple(reconstruction.shape)}, target: {tuple(target.shape)}")
        if target.ndim != 4 or target.shape[1] != 3:
            raise ValueError(f"shape {tuple(target.shape)}: colour images (B, 3, H, W) are needed")
        side = self.smallest_side
        if min(target.shape[2:]) < side:
            height, width = target.shape[2:]
            raise ValueError(f"images of {height} x {width} pixels: {side} x {side} are needed, or fewer blocks")


def perceptual_loss(
    kind: str = "auto",
    *,
    weights: Path | str | None = None,
    device: torch.device | str = "cpu",
    blocks: int = BLOCKS,
    width: float = 1.0,
    form: Form = "sums",
) -> PerceptualLoss | None:
    """Return the perceptual loss of the best network at hand. Leaves the global random state alone.

    Parameters
    ----------
    kind : {"auto", "vgg", "vgg19", "vgg16", "random", "none"}
        "vgg19" is the study's. It and "vgg16" read `weights`, else torchvision's file in the cache of ``torch.hub``,
        or for VGG16 ``vgg16_imagenet_features_fp16.npz`` in the folder ``FAIRNESS_DATA``, or beside that file. "vgg"
        takes VGG19, else VGG16. "auto" takes VGG19, else VGG16, else warns and takes "random": VGG19's layout with
        fixed random weights (He, Zhang, Ren, Sun, ICCV 2015, https://doi.org/10.1109/ICCV.2015.123). "none" is no
        perceptual loss.
    weights : Path or str, optional
        A file with the convolutions of VGG19 or VGG16 under torchvision's names (``features.0.weight``, ...):
        ``.safetensors``, ``.npz``, or a ``.pth`` that torchvision published. Its other keys are not used.
    device : device or str
        Where the network is placed.
    blocks : int
        How many of the 5 blocks are used, the first ones; 5 is equation 2. Fewer cost less and see less far.
    width : float in (0, 1]
        Part of the channels that the random network has in each block; pre-trained networks have all.
    form : {"sums", "means"}
        Equation 2, on images normalised by ImageNet's means and deviations; or the published code's, the mean over
        the maps of images in [-1, 1] as they are.

    Returns
    -------
    PerceptualLoss or None
        None for kind "none".

    Raises
    ------
    ValueError
        An argument is out of range or does not fit `kind`.
    PerceptualWeightsError
        The weights are missing, damaged, or of another network; names file, key and remedy.

    Warns
    -----
    UserWarning
        "auto" found no pre-trained weights.

    Examples
    --------
    >>> loss = perceptual_loss("random", blocks=2, width=0.25)
    >>> loss.source, loss.pretrained, loss.maps
    ('VGG19 layout, random weights, seed 0, width 0.25, first 2 of 5 blocks', False, 4)
    >>> images = torch.zeros(2, 3, 32, 32)
    >>> loss(images, images)
    tensor([0., 0.])
    """
    _check_arguments(kind, weights, blocks, width, form)
    if kind == "none":
        return None
    if kind == "random":
        return _random(blocks, width, form).to(device)
    path = find_weights(kind) if weights is None else Path(weights)
    if path is not None:
        return _pretrained(path, kind, blocks, form).to(device)
    if kind != "auto":
        raise PerceptualWeightsError(
            f"no weights for {kind!r} were found ({places(kind)}); put the file there, give weights= (in the study "
            '--vgg FILE), or ask for a network that learned nothing, "random" (in the study --perceptual random)'
        )
    warnings.warn(
        f"no pre-trained VGG was found ({places(kind)}): the perceptual loss measures distances in the features of "
        "a random network, not in those of ImageNet. Reconstructions are at best sharper than with pixels alone, "
        "and losses cannot be compared with published ones. Put a file there or give weights=; "
        'kind="random" takes the random network without this warning',
        UserWarning,
        stacklevel=2,
    )
    return _random(blocks, width, form).to(device)


def _check_arguments(kind: str, weights: Path | str | None, blocks: int, width: float, form: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind: {kind!r} is not one of {', '.join(KINDS)}")
    if form not in FORMS:
        raise ValueError(f"form: {form!r} is not one of {', '.join(FORMS)}")
    if weights is not None and kind in ("random", "none"):
        raise ValueError(
            f"weights: kind {kind!r} reads no file; leave {weights} out, or ask for auto, vgg, vgg19 or vgg16"
        )
    if blocks not in range(1, BLOCKS + 1):
        raise ValueError(f"blocks: {blocks!r} is not a whole number from 1 to {BLOCKS}")
    if not 0.0 < width <= 1.0:
        raise ValueError(f"width: {width!r} is outside (0, 1]")
    if width != 1.0 and kind in ("vgg", "vgg19", "vgg16"):
        raise ValueError(f"width: {width:g} is for the random network; a pre-trained one has all of its channels")


def _frozen_convolution(weights: Mapping[str, Tensor], one: Convolution) -> nn.Conv2d:
    # On the device "meta" nothing is drawn: the usual initialisation would move the global random state.
    convolution = nn.Conv2d(one.shape[1], one.shape[0], 3, padding=1, device="meta")
    convolution.weight = nn.Parameter(weights[f"{one.key}.weight"].float(), requires_grad=False)
    convolution.bias = nn.Parameter(weights[f"{one.key}.bias"].float(), requires_grad=False)
    return convolution


def _cut(blocks: int) -> str:
    return "" if blocks == BLOCKS else f", first {blocks} of {BLOCKS} blocks"


def _random(blocks: int, width: float, form: Form) -> PerceptualLoss:
    """He initialisation: the maps neither vanish nor grow with depth, so that every depth counts."""
    rng = np.random.default_rng(_SEED)
    weights: dict[str, Tensor] = {}
    layout = vgg_layout("vgg19", blocks, width)
    for key, shape, _ in layout:
        drawn = rng.standard_normal(shape, dtype=np.float32)
        weights[f"{key}.weight"] = torch.from_numpy(drawn) * (2.0 / (9 * shape[1])) ** 0.5
        weights[f"{key}.bias"] = torch.zeros(shape[0])
    source = f"VGG19 layout, random weights, seed {_SEED}" + (f", width {width:g}" if width != 1.0 else "")
    return PerceptualLoss(layout, weights, source=source + _cut(blocks), pretrained=False, form=form)


def _pretrained(path: Path, kind: str, blocks: int, form: Form) -> PerceptualLoss:
    weights = read_weights(path, kind)
    used = vgg_layout(weights.kind, blocks)
    return PerceptualLoss(used, weights.tensors, source=weights.source + _cut(blocks), pretrained=True, form=form)
