"""Weights of VGG networks: where published files lie, and reading them without unpickling.

torchvision publishes its weights as ``.pth`` only. Such a file is opened if, and only if, its sha256 is that of the
published file, and then by torch's restricted unpickler. All other weights come as ``.safetensors`` (needs
``safetensors``) or ``.npz``.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

__all__ = ["BLOCKS", "Convolution", "PerceptualWeightsError", "find_weights", "places", "read_weights", "vgg_layout"]

BLOCKS = 5  # of every VGG network; a pooling between two blocks halves the maps
_CHANNELS = (64, 128, 256, 512, 512)  # of each block
_ANY = ("auto", "vgg")  # kinds that take whichever network is at hand
_CONVOLUTIONS = {"vgg19": (2, 2, 4, 4, 4), "vgg16": (2, 2, 3, 3, 3)}  # in each block


class _Published(NamedTuple):
    kind: str
    filename: str
    sha256: str
    source: str


_PUBLISHED = (  # in the order in which "auto" looks for them
    _Published(
        "vgg19",
        "vgg19-dcbb9e9d.pth",
        "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
        "VGG19, ImageNet (torchvision)",
    ),
    _Published(
        "vgg16",
        "vgg16_imagenet_features_fp16.npz",
        "961b185e7f1c071d51a3dc41f13aa4614f6f9f40a172f2597a3e462d82479dd7",
        "VGG16, ImageNet (float16 file, sha256 961b185e7f1c...)",
    ),
    _Published(
        "vgg16",
        "vgg16-397923af.pth",
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        "VGG16, ImageNet (torchvision)",
    ),
)


class PerceptualWeightsError(RuntimeError):
    """Weights were not found, are damaged, or are not those of the network that was asked for."""


class Convolution(NamedTuple):
    """A convolution of a VGG network."""

    key: str  # torchvision's name of it: features.N
    shape: tuple[int, int, int, int]  # of its weights
    halved: bool  # whether a pooling comes before it


def vgg_layout(kind: str, blocks: int = BLOCKS, width: float = 1.0) -> list[Convolution]:
    """Return the convolutions of the first blocks; torchvision numbers all layers, ReLUs and poolings included."""
    layout: list[Convolution] = []
    channels, number = 3, 0
    for block in range(blocks):
        wanted = max(1, round(width * _CHANNELS[block]))
        for place in range(_CONVOLUTIONS[kind][block]):
            layout.append(Convolution(f"features.{number}", (wanted, channels, 3, 3), block > 0 and place == 0))
            channels = wanted
            number += 2
        number += 1
    return layout


def _where(kind: str) -> list[tuple[_Published, Path | None]]:
    """Return the published files of a kind, each with the folder where it is looked for.

    FAIRNESS_DATA may also name the archive of photographs: weights lie beside it.
    """
    given = os.environ.get("FAIRNESS_DATA")
    folder = Path(given) if given else None
    if folder is not None and folder.is_file():
        folder = folder.parent
    places = {".pth": Path(torch.hub.get_dir()) / "checkpoints", ".npz": folder}
    return [(one, places[Path(one.filename).suffix]) for one in _PUBLISHED if kind in (*_ANY, one.kind)]


def find_weights(kind: str) -> Path | None:
    """Return the first published file of a kind that is at hand, None if there is none."""
    paths = (folder / one.filename for one, folder in _where(kind) if folder is not None)
    return next((path for path in paths if path.is_file()), None)


def places(kind: str) -> str:
    """Return where the published files of a kind are looked for, for messages."""
    return "; ".join(f"{one.filename} in {folder or 'FAIRNESS_DATA, not set'}" for one, folder in _where(kind))


class Weights(NamedTuple):
    """Weights of a network under torchvision's names, which network it is, and who published them."""

    kind: str
    tensors: Mapping[str, Tensor]
    source: str


def read_weights(path: Path, kind: str) -> Weights:
    """Read the weights of a file and check that they are all there.

    Parameters
    ----------
    path : Path
        ``.safetensors``, ``.npz``, or a ``.pth`` that torchvision published.
    kind : {"auto", "vgg", "vgg19", "vgg16"}
        The network that is wanted.

    Raises
    ------
    PerceptualWeightsError
        If the file is missing, damaged, another pickle or of another network.
    """
    try:
        content = path.read_bytes()  # read once: what was verified is what is used
    except OSError as error:
        raise PerceptualWeightsError(f"{path} cannot be read: {error.strerror}; give the path of a file") from error
    digest = hashlib.sha256(content).hexdigest()
    published = _verified(path, digest)
    tensors = _parsed(path, content)
    # Layer 16 is a convolution in VGG19 and a pooling in VGG16.
    found = "vgg19" if "features.16.weight" in tensors else "vgg16"
    if kind not in (*_ANY, found):
        raise PerceptualWeightsError(
            f"{path}: its keys are those of {found.upper()}, not of {kind.upper()}; ask for {found!r} or another file"
        )
    for key, shape, _ in vgg_layout(found):
        _check_weights(path, tensors, f"{key}.weight", shape, found)
        _check_weights(path, tensors, f"{key}.bias", shape[:1], found)
    return Weights(found, tensors, published or f"{found.upper()}, weights of {path.name} (sha256 {digest[:12]}...)")


def _verified(path: Path, digest: str) -> str | None:
    """Return the source of a published file, None for another; refuse a damaged one and any other pickle."""
    for one in _PUBLISHED:
        if digest == one.sha256:
            return one.source
        if path.name == one.filename:
            raise PerceptualWeightsError(
                f"{path}: sha256 {digest}, expected {one.sha256}: damaged or only partly there; fetch it again"
            )
    if path.suffix not in (".safetensors", ".npz"):
        raise PerceptualWeightsError(
            f"{path}: sha256 {digest} is not that of a file that torchvision published, and no other pickle is "
            "opened; write its features.* tensors to a .safetensors file (safetensors.torch.save_file)"
        )
    return None


def _parsed(path: Path, content: bytes) -> Mapping[str, Tensor]:
    try:
        if path.suffix == ".npz":
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return {key: torch.from_numpy(arrays[key]) for key in arrays.files if key.startswith("features.")}
        if path.suffix == ".safetensors":
            from safetensors.torch import load

            return load(content)
        weights: Mapping[str, Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        return weights
    except ImportError:
        raise
    except Exception as error:  # of zipfile, zlib, safetensors or torch; all mean the same here
        raise PerceptualWeightsError(
            f"{path} cannot be read as {path.suffix}: {error}; it is damaged or only partly there: fetch it again"
        ) from error


def _check_weights(path: Path, weights: Mapping[str, Tensor], key: str, shape: tuple[int, ...], kind: str) -> None:
    remedy = f"{kind.upper()} under torchvision's names is needed, without batch normalisation"
    if key not in weights:
        raise PerceptualWeightsError(f"{path}: key {key} is missing; {len(weights)} keys are there; {remedy}")
    tensor = weights[key]
    if tuple(tensor.shape) != shape or not tensor.is_floating_point():
        raise PerceptualWeightsError(
            f"{path}: {key} is {tuple(tensor.shape)} of {tensor.dtype}; {shape} of floats is expected; {remedy}"
        )
    if not bool(torch.isfinite(tensor).all()):
        raise PerceptualWeightsError(f"{path}: {key} holds NaN or infinite numbers; fetch the file again")
