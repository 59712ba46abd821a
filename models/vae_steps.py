"""The steps of a training: batches, Adam, the look at the losses, and what a checkpoint brings back."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.perceptual import PerceptualLoss
from models.vae import GaussianVAE, LossTerms, VAEConfig, build_vae, loss_terms, scaled
from models.vae_files import Progress, read_checkpoint, write_checkpoint

__all__ = ["Report", "Training", "TrainingDiverged"]

Objective = Callable[[Tensor, Tensor, Sequence[Tensor] | None], LossTerms]
Report = Callable[[int, int, float], None]

STEPS_BETWEEN_LOOKS = 16
"""Steps after which the losses are fetched from the device: a wait too short to matter, a failure soon told."""

MOST_KEPT = 2**30
"""Bytes that the perceptual network's maps of the training images may take; with less they are computed once."""

WEIGHTS, ORDER, NOISE, FLIPS = range(4)
"""The random streams of a training. Each epoch seeds its own anew, so that a checkpoint holds no generator's state."""

_REMEDY = (
    "Lower learning_rate or perceptual_weight, or train with precision='float32'; a checkpoint, if any, still holds "
    "the epoch before"
)


class TrainingDiverged(RuntimeError):
    """A loss or a weight is no longer finite; the message names step, epoch and term."""


class Training:
    """One training: its state between epochs, and how it goes on. Parameters are those of `train_vae`, resolved.

    Attributes
    ----------
    vae : GaussianVAE
        The network, in training mode.
    batch_size, steps_an_epoch : int
        Images a step, steps an epoch.
    losses : Tensor of float64
        (epochs, 3); mean of each loss term in each finished epoch.
    seconds : float
        Spent so far, translating not counted in.
    seconds_of_translating : float
        That torch.compile took.
    """

    def __init__(
        self,
        pixels: npt.NDArray[np.uint8],
        config: VAEConfig,
        seed: int,
        device: torch.device,
        precision: str,
        perceptual: nn.Module | None,
        progress: Report | None,
        compiled: bool,
    ) -> None:
        self.config, self.seed, self.device, self.progress = config, seed, device, progress
        vae = build_vae(config, _stream_seed(seed, WEIGHTS))
        self.vae = vae.to(device).to(memory_format=torch.channels_last).train()
        self.optimizer = torch.optim.Adam(self.vae.parameters(), lr=config.learning_rate, fused=True)
        self.data = torch.tensor(np.ascontiguousarray(pixels), device=device)  # (n, 3, S, S) of uint8
        self.batch_size = min(config.batch_size, len(pixels))
        left_over = config.last_batch and len(pixels) % self.batch_size > 0
        self.steps_an_epoch = len(pixels) // self.batch_size + left_over
        self.images_an_epoch = len(pixels) if left_over else self.steps_an_epoch * self.batch_size
        self.losses = torch.empty(0, 3, dtype=torch.float64)  # a row an epoch
        self.seconds, self.seconds_of_translating = 0.0, 0.0
        self.precision, self.compiled = precision, compiled
        perceptual = _rounded(perceptual, precision)
        objective = _objective(self.vae, perceptual, device, precision)
        self.objective: Objective = torch.compile(objective, dynamic=False) if compiled else objective
        self.perceptual = perceptual
        self.targets: list[Tensor] | None = None

    def finish(self, checkpoint: Path | None, identity: Mapping[str, str]) -> None:
        """Train the epochs that a checkpoint does not hold."""
        begun = read_checkpoint(checkpoint, self.vae, self.optimizer, identity) if checkpoint else None
        if begun is not None:
            self.losses, self.seconds = begun.losses, begun.seconds
        if len(self.losses) < self.config.epochs:
            start = time.perf_counter()
            self.targets = self.target_maps()
            self.seconds += time.perf_counter() - start
            if self.compiled:
                self.translate()
        for epoch in range(len(self.losses), self.config.epochs):
            start = time.perf_counter()
            losses = self.epoch(epoch)
            self.losses = torch.cat([self.losses, losses.mean(0, keepdim=True)])
            self.seconds += time.perf_counter() - start
            self.require_finite_weights(epoch)
            if checkpoint:
                write_checkpoint(checkpoint, self.vae, self.optimizer, Progress(self.losses, self.seconds), identity)
            self.report(epoch, losses)
        self.targets = None
        if self.config.exact_statistics:
            self.take_statistics()

    def translate(self) -> None:
        """Have torch.compile translate both directions for each size of a batch, and leave all else as it was."""
        start = time.perf_counter()
        buffers = [(buffer, buffer.clone()) for buffer in self.vae.buffers()]  # batch normalisation counts each batch
        for size in sorted({self.batch_size, len(self.batches(0)[-1])}):
            noise = torch.zeros(size, *self.config.latent_shape, device=self.device)
            maps = None if self.targets is None else [each[:size] for each in self.targets]
            self.loss(self.objective(scaled(self.data[:size]), noise, maps)).backward()  # type: ignore[no-untyped-call]
        self.optimizer.zero_grad()
        for buffer, before in buffers:
            buffer.copy_(before)
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        self.seconds_of_translating = time.perf_counter() - start

    @torch.no_grad()
    def target_maps(self) -> list[Tensor] | None:
        """Return the perceptual network's maps of all training images, then of their mirror images, if few enough."""
        if not isinstance(self.perceptual, PerceptualLoss):
            return None
        views = [self.data, self.data.flip(-1)] if self.config.flips else [self.data]
        kept: list[Tensor] = []
        for at, images in enumerate(torch.split(torch.cat(views), self.batch_size)):
            with _autocast(self.device, self.precision):
                maps = self.perceptual.target_maps(scaled(images))
            if at == 0:
                size = sum(each[0].numel() * each.element_size() for each in maps)
                if size * len(views) * len(self.data) > MOST_KEPT:
                    return None
                count = len(views) * len(self.data)
                kept = [each.new_empty(count, *each.shape[1:]) for each in maps]
            for whole, part in zip(kept, maps, strict=True):
                whole[at * self.batch_size : at * self.batch_size + len(part)] = part
        return kept

    def require_finite_weights(self, epoch: int) -> None:
        """Raise where the last step of an epoch left weights that are no numbers, before anything is kept of them."""
        if not all(bool(weights.isfinite().all()) for weights in self.vae.parameters()):
            raise TrainingDiverged(
                f"training stopped after step {(epoch + 1) * self.steps_an_epoch} (epoch {epoch + 1}): weights are NaN "
                f"or infinite, though the losses were not. {_REMEDY}"
            )

    @torch.no_grad()
    def take_statistics(self) -> None:
        """Set batch normalisation's means and variances to those of the training images and their mean codes."""
        norms = [module for module in self.vae.modules() if isinstance(module, nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain average over the batches
        no_noise = torch.zeros(self.batch_size, *self.config.latent_shape, device=self.device)
        for images in self.batches(self.config.epochs):
            with _autocast(self.device, self.precision):
                self.vae(scaled(self.data[images]), no_noise[: len(images)])
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    def batches(self, epoch: int) -> Sequence[Tensor]:
        """Return which images each step of an epoch takes, (batch,) each, on the device."""
        generator = torch.Generator().manual_seed(_stream_seed(self.seed, ORDER, epoch))
        order = torch.randperm(len(self.data), generator=generator)
        return torch.split(order[: self.images_an_epoch].to(self.device), self.batch_size)

    def flipped(self, epoch: int) -> Tensor | None:
        """Return which images an epoch mirrors, (n,) of bool on the device; None where none ever is."""
        if not self.config.flips:
            return None
        generator = torch.Generator().manual_seed(_stream_seed(self.seed, FLIPS, epoch))
        return torch.randint(2, (len(self.data),), generator=generator, dtype=torch.bool).to(self.device)

    def epoch(self, epoch: int) -> Tensor:
        """Train one epoch and return the terms of the loss of each step, (steps, 3) of float64."""
        by_noise = torch.Generator(self.device).manual_seed(_stream_seed(self.seed, NOISE, epoch))
        steps, flipped = self.steps_an_epoch, self.flipped(epoch)
        terms = torch.empty(steps, 3, device=self.device)  # stays on the device between looks
        seen = torch.empty(0, 3, dtype=torch.float64)
        for step, images in enumerate(self.batches(epoch)):
            noise = torch.randn(len(images), *self.config.latent_shape, generator=by_noise, device=self.device)
            x, view = self.data[images], images
            if flipped is not None:
                mirrored = flipped[images]
                x = torch.where(mirrored[:, None, None, None], x.flip(-1), x)
                view = images + len(self.data) * mirrored
            maps = None if self.targets is None else [each[view] for each in self.targets]
            terms[step] = self.step(scaled(x), noise, maps)
            if (step + 1) % STEPS_BETWEEN_LOOKS == 0 or step + 1 == steps:
                seen = torch.cat([seen, terms[len(seen) : step + 1].cpu().double()])
                _require_finite(seen, epoch, epoch * steps)
                if step + 1 < steps:
                    self.report(epoch, seen)
        return seen

    def step(self, x: Tensor, noise: Tensor, target: Sequence[Tensor] | None = None) -> Tensor:
        """Take one step of Adam and return the terms of the loss, (3,), without waiting for them."""
        terms = self.objective(x, noise, target)
        self.optimizer.zero_grad()
        self.loss(terms).backward()  # type: ignore[no-untyped-call]  # torch gives it no types
        if self.config.gradient_norm is not None:
            nn.utils.clip_grad_norm_(self.vae.parameters(), self.config.gradient_norm)
        self.optimizer.step()
        return torch.stack([term.detach().mean() for term in terms])

    def loss(self, terms: LossTerms) -> Tensor:
        """Return the weighted sum of the terms, the mean over the images of a batch."""
        weighted_kl = self.config.kl_weight * terms.kl
        return (terms.reconstruction + weighted_kl + self.config.perceptual_weight * terms.perceptual).mean()

    def report(self, epoch: int, losses: Tensor) -> None:
        """Tell the caller how far the training is; `losses` are those of the epoch's steps so far, (steps, 3)."""
        if self.progress is not None:
            weights = losses.new_tensor([1, self.config.kl_weight, self.config.perceptual_weight])
            done = epoch * self.steps_an_epoch + len(losses)
            self.progress(done, self.config.epochs * self.steps_an_epoch, float(losses[-1] @ weights))


def _objective(vae: GaussianVAE, perceptual: nn.Module | None, device: torch.device, precision: str) -> Objective:
    def objective(x: Tensor, noise: Tensor, target: Sequence[Tensor] | None = None) -> LossTerms:
        with _autocast(device, precision):
            return loss_terms(vae, x, noise, perceptual, target)

    return objective


def _rounded(perceptual: nn.Module | None, precision: str) -> nn.Module | None:
    """Return a loss whose weights are rounded once; autocast rounds weights that do not learn anew at each use."""
    if precision != "bfloat16" or not isinstance(perceptual, PerceptualLoss):
        return perceptual
    perceptual = copy.deepcopy(perceptual)
    perceptual.convolutions.to(torch.bfloat16)
    return perceptual


def _autocast(device: torch.device, precision: str) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def _require_finite(losses: Tensor, epoch: int, steps_before: int) -> None:
    bad = ~losses.isfinite()
    if not bad.any():
        return
    step = int(bad.any(1).nonzero()[0])
    named = zip(LossTerms._fields, bad[step].tolist(), losses[step].tolist(), strict=True)
    terms = " and ".join(f"{name} loss is {value}" for name, is_bad, value in named if is_bad)
    raise TrainingDiverged(
        f"training stopped at step {steps_before + step + 1} (epoch {epoch + 1}): the {terms}. {_REMEDY}"
    )


def _stream_seed(seed: int, stream: int, epoch: int = 0) -> int:
    return int(np.random.SeedSequence([seed, stream, epoch]).generate_state(1, np.uint64)[0] >> np.uint64(1))
