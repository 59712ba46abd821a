"""What the records of the skin model say of its training and its images, and what is kept of it depends on."""

from __future__ import annotations

import subprocess
import sys

import pytest
from torch import nn

from fairness_checks.judge.evaluation import evaluate
from fairness_checks.judge.verdict import audit_model
from fairness_checks.question.checks import Check, Settings
from models import skin
from models.phantom.skin_phantom import skin_phantom
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


def test_what_is_kept_depends_on_images_configuration_device_and_loss():
    def identity(images=(2, 2), device="cpu", perceptual=None, **options):
        config = VAEConfig.preset("cpu", **options)
        model = skin.skin_model(
            skin_phantom(*images, size=config.image_size), config, device=device, perceptual=perceptual
        )
        found = model.identity()
        assert found.unseen == ()
        return found.key

    assert {"torch", "numpy"} <= set(identity()["libraries"])
    keys = [
        identity(),
        identity(images=(2, 3)),
        identity(device="cuda"),
        identity(epochs=3),
        identity(perceptual=nn.Linear(2, 2)),
        identity(perceptual=Distance()),
    ]
    assert all(keys.count(key) == 1 for key in keys)
    assert identity() == keys[0]
    assert identity(perceptual=Distance(), perceptual_weight=0.0) == identity(perceptual_weight=0.0)


def test_out_of_fold_and_in_its_records_the_images_are_scaled_as_in_its_training(tmp_path):
    config = VAEConfig.preset("cpu", perceptual_weight=0.0, epochs=1)
    model = skin.skin_model(skin_phantom(8, 8, size=config.image_size), config)
    checks = [Check("mean_squared_error", ("skin_tone",), "max_difference", 1.0)]
    for _ in range(2):  # the second time from the cache
        found = evaluate("skin_vae", model, checks, None, seed=0, cache=tmp_path)
        (record,) = audit_model("skin_vae", found, checks, Settings())
        assert record.inputs.scaling == "[-1, 1]"


def test_what_is_kept_is_found_without_torch():
    program = """
import sys
from models.phantom.skin_phantom import skin_phantom
from models.skin import skin_model
from models.vae_config import VAEConfig
config = VAEConfig.preset("cpu")
found = skin_model(skin_phantom(2, 2, size=config.image_size), config).identity()
print("torch" in found.key["libraries"], found.unseen, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True () False\n"
