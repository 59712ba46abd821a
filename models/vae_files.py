"""Networks and unfinished trainings in files: safetensors, which cannot run code, written whole or not at all.

The tensors' sha256 stands in the metadata, so that a damaged file is told from a sound one.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.vae import GaussianVAE, VAEConfig, build_vae

__all__ = [
    "Progress",
    "checkpoints_possible",
    "load_vae",
    "read_checkpoint",
    "require_place",
    "save_vae",
    "write_checkpoint",
]

VERSION = "1"
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
ADAM_KEYS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training has come.

    Attributes
    ----------
    losses : Tensor of float64
        (epochs, 3); mean of each loss term in each finished epoch.
    seconds : float
        Spent so far.
    """

    losses: Tensor
    seconds: float


@cache
def checkpoints_possible() -> bool:
    """Return whether safetensors is installed; the first call warns where it is not."""
    try:
        import safetensors.torch  # noqa: F401  # asked for here, used below
    except ImportError:
        warnings.warn("safetensors is not installed: no checkpoint of a training is kept", stacklevel=2)
        return False
    return True


def require_place(path: Path | str) -> Path:
    """Return the path of a file that can be written: its folder is there, and it is no folder itself.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, FileExistsError
        Otherwise; the last where something is there that is no regular file.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}: make it first")
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder: give the path of a file in it")
    if path.exists() and not path.is_file():
        raise FileExistsError(f"{path}: is no regular file: give another path")
    return path


def save_vae(vae: GaussianVAE, path: Path | str) -> None:
    """Write a network with its configuration.

    Parameters
    ----------
    vae : GaussianVAE
        On any device, in float32, in which alone it computes.
    path : Path or str
        Replaced if present; its folder must exist.

    Raises
    ------
    ValueError
        If its weights have another precision, which `load_vae` would not bring back.
    FileNotFoundError, IsADirectoryError
        If there is no such folder, or a folder of that name.
    ModuleNotFoundError
        If safetensors is not installed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> vae = build_vae(VAEConfig.preset("cpu"), seed=0)
    >>> with TemporaryDirectory() as folder:
    ...     save_vae(vae, Path(folder) / "vae.safetensors")
    ...     same = load_vae(Path(folder) / "vae.safetensors")
    >>> bool((vae.to_mean.weight == same.to_mean.weight).all())
    True
    """
    path, state = require_place(path), vae.state_dict()
    others = {str(value.dtype) for value in state.values() if value.is_floating_point()} - {str(torch.float32)}
    if others:
        raise ValueError(f"{path}: the network's weights are {', '.join(sorted(others))}: save it as vae.float()")
    _write(path, dict(state), {"config": json.dumps(vae.config.describe())})


def load_vae(path: Path | str, device: str = "cpu") -> GaussianVAE:
    """Return a network that `save_vae` wrote, in float32 and evaluation mode.

    Parameters
    ----------
    path : Path or str
        The file.
    device : str
        A torch device.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    ValueError
        If it is damaged, or of something else.
    ModuleNotFoundError
        If safetensors is not installed.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        tensors, metadata = _read(path)
        vae = build_vae(VAEConfig.from_description(json.loads(metadata["config"])), seed=0)
        vae.load_state_dict(tensors)
    except (_Unusable, KeyError, TypeError, ValueError, RuntimeError) as problem:
        raise ValueError(f"{path}: not a network that save_vae wrote ({problem})") from problem
    return vae.to(device).eval()


def write_checkpoint(
    path: Path, vae: GaussianVAE, optimizer: torch.optim.Adam, progress: Progress, identity: Mapping[str, str]
) -> None:
    """Write all that a training needs to go on after an epoch.

    Parameters
    ----------
    path : Path
        Replaced if present.
    vae : GaussianVAE
        The network.
    optimizer : Adam
        Of all its parameters, after at least one step.
    progress : Progress
        Finished epochs.
    identity : mapping of str to str
        What the training depends on; `read_checkpoint` accepts the file for an equal one only.
    """
    tensors = {f"model.{name}": value for name, value in vae.state_dict().items()}
    for name, parameter in vae.named_parameters():
        tensors |= {f"adam.{name}.{key}": optimizer.state[parameter][key] for key in ADAM_KEYS}
    _write(path, tensors | {"losses": progress.losses}, {**identity, "seconds": repr(progress.seconds)})


def read_checkpoint(
    path: Path, vae: GaussianVAE, optimizer: torch.optim.Adam, identity: Mapping[str, str]
) -> Progress | None:
    """Bring network and optimizer to where a checkpoint was written; see `write_checkpoint`.

    Returns
    -------
    Progress or None
        None if there is no file, or one that cannot be used, which a warning tells: then nothing was changed.
    """
    if not path.exists():
        return None
    try:
        tensors, metadata = _read(path)
        for key, value in identity.items():
            if metadata.get(key) != value:
                raise _Unusable(f"it is of another {key.replace('_', ' ')}")
        progress = Progress(tensors.pop("losses"), float(metadata["seconds"]))
        _require_same_tensors(tensors, vae)
    except (_Unusable, KeyError, TypeError, ValueError) as problem:
        warnings.warn(f"{path}: checkpoint not used, the training starts anew: {problem}", stacklevel=3)
        return None
    vae.load_state_dict({name: tensors[f"model.{name}"] for name in vae.state_dict()})
    for name, parameter in vae.named_parameters():
        step, *moments = (tensors[f"adam.{name}.{key}"] for key in ADAM_KEYS)
        # Adam's fused step walks through memory: its moments must lie in memory as the parameter does.
        laid = [torch.empty_like(parameter, requires_grad=False).copy_(moment) for moment in moments]
        optimizer.state[parameter] = dict(zip(ADAM_KEYS, (step.to(parameter.device), *laid), strict=True))
    return progress


class _Unusable(Exception):
    """A file that is damaged or of something else."""


def _require_same_tensors(tensors: Mapping[str, Tensor], vae: GaussianVAE) -> None:
    expected = {f"model.{name}": value.shape for name, value in vae.state_dict().items()}
    for name, value in vae.named_parameters():
        expected |= {f"adam.{name}.{key}": torch.Size() if key == "step" else value.shape for key in ADAM_KEYS}
    if {name: value.shape for name, value in tensors.items()} != expected:
        raise _Unusable("it holds other tensors")


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    from safetensors.torch import save

    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    content = save(plain, {**metadata, "version": VERSION, "sha256": _digest(plain)})
    # As fairness_checks.storage.files does it, without which these files travel to a machine with a GPU.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, _CREATE, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():  # a pipe would keep it waiting
        raise _Unusable("it is no regular file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    except (SafetensorError, OSError) as problem:
        raise _Unusable(str(problem)) from problem
    if metadata.get("version") != VERSION:
        raise _Unusable(f"version {metadata.get('version')!r} is not {VERSION!r}")
    if metadata.get("sha256") != _digest(tensors):
        raise _Unusable("its content is damaged")
    return tensors, metadata


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array: Any = tensors[name].numpy()
        digest.update(repr((name, array.dtype.str, array.shape)).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
