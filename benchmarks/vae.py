"""Speed of the VAE's training beside a plain loop of the same network, and beside the arithmetic that the machine has.

``python -m benchmarks.vae [--preset NAME] [--device NAME] [--perceptual KIND] [--steps N] [--compiled]`` prints one
table of images a second, medians over five stretches of N steps after a warm-up, on phantoms of the preset's size:

- ours: `models.train_vae` as it is; on a GPU in bfloat16, channels last, with its images on the device
- plain: the loop of a tutorial; float32, eager, torch's own choice of algorithms and layout, images from the host batch
  by batch, the loss fetched each step. On a GPU once without and once with TF32, torch's default for convolutions

GFLOP an image counts the products of convolutions, forwards and backwards. The share of peak is of what a product of
large matrices reaches in the same precision, on the same device, in the same run. On a CPU both loops take one thread,
as a training does.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from models.command_line import at_least
from models.perceptual import Form, PerceptualWeightsError, perceptual_loss
from models.phantom.skin_phantom import skin_phantom
from models.train_vae import train_vae
from models.vae import build_vae, loss_terms, scaled
from models.vae_config import PERCEPTUAL_KINDS, PRESETS, VAEConfig
from models.vae_device import DEVICES, one_thread, resolve_device, resolve_precision, tf32_convolutions

STRETCHES = 5


def seconds_of(call: Callable[[], object], device: torch.device) -> float:
    """Return the median time of a call, after one that is not timed."""
    times = []
    for _ in range(STRETCHES + 1):
        start = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def _ours(
    pixels: npt.NDArray[np.uint8], config: VAEConfig, device: torch.device, loss: nn.Module | None, compiled: bool
) -> float:
    """Return the median time of an epoch of `train_vae`, after one that is not timed."""
    steps = len(pixels) // config.batch_size
    ends: list[float] = []

    def note(done: int, total: int, last: float) -> None:
        if done % steps == 0:
            ends.append(time.perf_counter())

    loss = copy.deepcopy(loss)  # a training lays it out anew, and the plain loop is to have torch's own layout
    epochs = replace(config, epochs=STRETCHES + 1)
    train_vae(pixels, epochs, seed=0, device=device.type, perceptual=loss, progress=note, compiled=compiled)
    return statistics.median(end - start for start, end in itertools.pairwise(ends))


def _plain(pixels: Tensor, config: VAEConfig, device: torch.device, loss: nn.Module | None) -> Callable[[], object]:
    """Return an epoch of the loop that one would write first."""
    vae = build_vae(config, 0).to(device).train()
    optimizer = torch.optim.Adam(vae.parameters(), lr=config.learning_rate)

    def epoch() -> float:
        total = 0.0
        for images in torch.randperm(len(pixels)).reshape(-1, config.batch_size):
            x = scaled(pixels[images]).contiguous().to(device)
            terms = loss_terms(vae, x, torch.randn(len(x), *config.latent_shape, device=device), loss)
            objective = terms.reconstruction + config.kl_weight * terms.kl + config.perceptual_weight * terms.perceptual
            optimizer.zero_grad()
            objective.mean().backward()  # type: ignore[no-untyped-call]  # torch gives it no types
            optimizer.step()
            total += objective.mean().item()
        return float(total)

    return epoch


def phantoms(config: VAEConfig, count: int) -> npt.NDArray[np.uint8]:
    """Return as many images as are asked for, of which a few differ: to make large ones takes longer than to train."""
    few = skin_phantom(8, 8, size=config.image_size, seed=0).pixels
    return np.resize(few, (count, *few.shape[1:]))


def flop_an_image(config: VAEConfig, loss: nn.Module | None) -> float:
    """Return the operations of a training step's convolutions, forwards and backwards, for one image."""
    meta = torch.device("meta")  # counts shapes alone, in no time and memory
    vae, count = build_vae(config, 0).to(meta).train(), config.batch_size
    x = torch.empty(count, 3, config.image_size, config.image_size, device=meta)
    seen = None if loss is None else copy.deepcopy(loss).to(meta)
    with FlopCounterMode(display=False) as counter:
        terms = loss_terms(vae, x, torch.empty(count, *config.latent_shape, device=meta), seen)
        sum(term.mean() for term in terms).backward()  # type: ignore[union-attr]
    return float(counter.get_total_flops() / count)


def peak(device: torch.device, precision: str, edge: int | None = None) -> float:
    """Return the operations a second of a product of large matrices, of as many rows as `edge`."""
    edge = edge or (8192 if device.type == "cuda" else 2048)
    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    a, b = (torch.randn(edge, edge, device=device, dtype=kind) for _ in range(2))
    return 2.0 * edge**3 / seconds_of(lambda: a @ b, device)


@dataclass(frozen=True, slots=True)
class Speeds:
    """What `speeds` measured.

    Attributes
    ----------
    images_per_second : dict of str to float
        Of "ours" first, then of the plain loops.
    flop_an_image : float
        Operations of a step's convolutions for one image.
    precision : str
        In which ours computes.
    """

    images_per_second: dict[str, float]
    flop_an_image: float
    precision: str


def speeds(
    config: VAEConfig, loss: nn.Module | None, device: torch.device, *, steps: int, compiled: bool = False
) -> Speeds:
    """Measure the training of a configuration beside plain loops, on phantoms, in stretches of as many steps."""
    pixels = phantoms(config, config.batch_size * steps)
    on_host = torch.from_numpy(pixels)
    with one_thread(device.type):
        found = {"ours": len(pixels) / _ours(pixels, config, device, loss, compiled)}
        epoch = _plain(on_host, config, device, loss)
        for tf32 in (False, True) if device.type == "cuda" else (False,):
            with tf32_convolutions(tf32):
                found["plain, TF32" if tf32 else "plain"] = len(pixels) / seconds_of(epoch, device)
    return Speeds(found, flop_an_image(config, loss), resolve_precision(config.precision, device))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, default="cpu")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--perceptual", choices=PERCEPTUAL_KINDS, help="network of the loss (default: the preset's)")
    parser.add_argument("--steps", type=at_least(1), default=30, metavar="N", help="of a stretch (default 30)")
    parser.add_argument("--compiled", action="store_true", help="translate our step by torch.compile first")
    arguments = parser.parse_args()
    config = VAEConfig.preset(arguments.preset)
    device = resolve_device(arguments.device)
    try:
        loss = perceptual_loss(arguments.perceptual or config.perceptual, device=device, form=cast(Form, config.loss))
    except PerceptualWeightsError as error:
        parser.error(f"{error}; as fast is --perceptual random")
    found = speeds(config, loss, device, steps=arguments.steps, compiled=arguments.compiled)
    ours, flop = found.images_per_second["ours"], found.flop_an_image
    with one_thread(device.type):
        most = peak(device, found.precision)

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{platform.machine()} CPU, one thread"
    print(f"python -m benchmarks.vae; torch {torch.__version__}; {name}")
    print(f"preset {arguments.preset}: {config.image_size} pixels, batches of {config.batch_size}, {found.precision}")
    print(f"perceptual loss: {getattr(loss, 'source', 'none')}{'; compiled' if arguments.compiled else ''}")
    print(f"{'':<14}{'images a second':>16} {'TFLOP a second':>16} {'ours / this':>12}")
    for what, speed in found.images_per_second.items():
        print(f"{what:<14}{speed:>16,.0f} {speed * flop / 1e12:>16.3f} {ours / speed:>12.2f}")
    print(f"share of the {most / 1e12:.2f} TFLOP a second of a product of matrices: {ours * flop / most:.2f}")
    print(f"GFLOP an image: {flop / 1e9:.3f}")


if __name__ == "__main__":
    main()
