"""What the records and the cache of the skin model say of its training."""

from __future__ import annotations

import json

import pytest
from torch import nn

from fairness_checks.adapters import autoencoder
from models import skin
from models.data.skin_phantom import skin_phantom
from models.vae_config import VAEConfig


class Distance(nn.Module):
    source = "a distance of this test"

    def forward(self, reconstruction, target):
        return (reconstruction - target).square().mean(dim=(1, 2, 3))


@pytest.mark.parametrize(
    ("weight", "perceptual", "source"),
    [(1.0, Distance(), Distance.source), (0.0, Distance(), "none"), (1.0, None, "none")],
    ids=["weighed", "without-weight", "without"],
)
def test_the_record_names_the_perceptual_loss_that_was_part_of_the_loss(weight, perceptual, source):
    config = VAEConfig.preset("cpu", perceptual_weight=weight)
    model = skin.skin_model(skin_phantom(2, 2, size=config.image_size), config, perceptual=perceptual)
    assert model.about["perceptual_loss"] == source
    assert json.loads(model.version)["perceptual"] == source


def test_a_cached_evaluation_depends_on_all_of_the_adapter():
    used = {autoencoder.__name__}
    for module in skin._JUDGING:
        used |= {value.__module__ for value in vars(module).values() if "adapters." in getattr(value, "__module__", "")}
    assert used == {module.__name__ for module in skin._JUDGING}
