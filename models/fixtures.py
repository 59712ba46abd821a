"""The models that the gate of this repository judges: six of cardiac patients, one of images of skin.

The root conftest imports this module in every pytest run, so that what is heavy is imported by the fixtures
themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairness_checks import fairness_model

if TYPE_CHECKING:
    from fairness_checks.sweep import TrainableModel

SENSITIVE_FEATURES = ["sex", "age_band"]


@fairness_model(sensitive_features=SENSITIVE_FEATURES)
def heart_failure_random_forest() -> TrainableModel:
    """Death within follow-up, by a random forest; 299 patients."""
    from models.cardiac import cardiac_model
    from models.data.heart import load_heart_failure
    from models.random_forest import random_forest

    return cardiac_model(load_heart_failure(), random_forest)


@fairness_model(sensitive_features=SENSITIVE_FEATURES)
def heart_failure_gradient_boosting() -> TrainableModel:
    """Death within follow-up, by gradient boosting; 299 patients."""
    from models.cardiac import cardiac_model
    from models.data.heart import load_heart_failure
    from models.gradient_boosting import gradient_boosting

    return cardiac_model(load_heart_failure(), gradient_boosting)


@fairness_model(sensitive_features=SENSITIVE_FEATURES)
def heart_failure_fair_boosting() -> TrainableModel:
    """Death within follow-up, by fair adversarial gradient tree boosting; 299 patients."""
    from models.cardiac import cardiac_model
    from models.data.heart import load_heart_failure
    from models.fagtb import fair_boosting

    return cardiac_model(load_heart_failure(), fair_boosting)


@fairness_model(sensitive_features=SENSITIVE_FEATURES)
def heart_disease_random_forest() -> TrainableModel:
    """Coronary artery disease, by a random forest; 746 patients."""
    from models.cardiac import cardiac_model
    from models.data.heart import load_heart_disease
    from models.random_forest import random_forest

    return cardiac_model(load_heart_disease(), random_forest)


@fairness_model(sensitive_features=SENSITIVE_FEATURES)
def heart_disease_gradient_boosting() -> TrainableModel:
    """Coronary artery disease, by gradient boosting; 746 patients."""
    from models.cardiac import cardiac_model
    from models.data.heart import load_heart_disease
    from models.gradient_boosting import gradient_boosting

    return cardiac_model(load_heart_disease(), gradient_boosting)


@fairness_model(sensitive_features=SENSITIVE_FEATURES)
def heart_disease_fair_boosting() -> TrainableModel:
    """Coronary artery disease, by fair adversarial gradient tree boosting; 746 patients."""
    from models.cardiac import cardiac_model
    from models.data.heart import load_heart_disease
    from models.fagtb import fair_boosting

    return cardiac_model(load_heart_disease(), fair_boosting)


@fairness_model(sensitive_features=["skin_tone", "skin_type", "condition_of_3", "condition_of_9", "condition"])
def skin_vae(fairness_device: str) -> TrainableModel:
    """Images of skin through a variational autoencoder: photographs from FAIRNESS_DATA, else generated phantoms."""
    from models.skin import skin_images, skin_model
    from models.vae_config import VAEConfig

    config = VAEConfig.preset("cpu", epochs=15)  # of the time that a gate may take; the study trains longer
    perceptual = None
    if config.perceptual != "none":  # torch, which a run that trains nothing does without
        from models.perceptual import perceptual_loss

        perceptual = perceptual_loss(config.perceptual, device=fairness_device)
    return skin_model(
        skin_images(config.image_size), config, device=fairness_device, perceptual=perceptual, preset="cpu, 15 epochs"
    )
