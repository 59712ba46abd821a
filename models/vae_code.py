"""The modules on whose code a trained VAE depends: part of the keys under which trainings are kept."""

from __future__ import annotations

from models import (
    perceptual,
    train_vae,
    vae,
    vae_base,
    vae_config,
    vae_device,
    vae_measure,
    vae_published,
    vae_steps,
    vgg_weights,
)

__all__ = ["TRAINING"]

TRAINING = (
    perceptual,
    train_vae,
    vae,
    vae_base,
    vae_config,
    vae_device,
    vae_measure,
    vae_published,
    vae_steps,
    vgg_weights,
)
