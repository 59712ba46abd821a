"""A dermatology study at toy size, done and kept as the command keeps one."""

from __future__ import annotations

from models.studies.dermatology_data import data_record
from models.studies.dermatology_record import changes_of
from models.studies.dermatology_store import save_study
from models.studies.dermatology_training import run_trainings
from models.vae_config import VAEConfig

TINY = VAEConfig.preset(
    "cpu",
    image_size=16,
    widths=(4, 8),
    latent_channels=4,
    epochs=1,
    batch_size=8,
    train_images=20,
    test_images=12,
    repeats=3,
)


def keep(folder, images, config=TINY, **options):
    """Measure, and write what the report reads; the trainings of this call."""
    folder.mkdir(exist_ok=True)
    done = run_trainings(images, config, folder, device="cpu", **options)
    record = {
        "preset": "cpu",
        "changed": changes_of("cpu", config.describe()),
        "config": config.describe(),
        "test_images": done.test_images,
        "seed": 0,
        "data": data_record(images),
        "label": "fitzpatrick_scale",
        "perceptual": done.perceptual,
        "features": done.features,
        "device": done.device,
        "torch": done.torch,
    }
    save_study(folder, record, images, done.files)
    return done
