"""Does the gate find a gap that was planted, and none where there is none? ``python -m benchmarks.planted [--quick]``.

For each seed, phantoms whose appearance does not depend on the group (mode "shuffled"), once as they are and once with
a planted gap in mean squared error; a VAE is trained on a half-and-half mix, with the pixel loss, and judged on
phantoms it has not seen. `--preset cpu` is the gate's training (32 pixels, 240 images), `--preset small` that preset's
(64 pixels, 800 images). Then its uncertainty is replaced: by one that warns (the error itself, times noise), and by the
same numbers in another order, which are blind. Printed: in how many seeds each check fails, is inconclusive and passes.
"""

from __future__ import annotations

import argparse
import platform
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context

import numpy as np
import torch

from fairness_checks import CheckRecord, Predictions, audit, audit_uncertainty, predictions_from_autoencoder
from models.phantom.skin_phantom import skin_phantom
from models.train_vae import train_vae
from models.vae_config import VAEConfig

GAP, LIMIT, MISMATCH = 0.010, 0.005, 0.10
NETWORKS = {
    "cpu": VAEConfig.preset("cpu", epochs=15, train_images=240, test_images=200),  # as in the gate
    "small": VAEConfig.preset("small", perceptual="none"),
}
NOISE = 0.10  # standard deviation of the logarithm of what the warning uncertainty is multiplied by

Verdicts = dict[str, str]


def judge(predictions: Predictions) -> CheckRecord:
    """Judge the difference in mean squared error."""
    return audit(predictions, metric="mean_squared_error", by="skin_tone", max_difference=LIMIT)


def mismatch(predictions: Predictions, uncertainty: np.ndarray) -> str:
    """Judge whether an uncertainty warns of the errors."""
    tones = predictions.feature("skin_tone")
    groups = np.array(tones.groups)[tones.codes]
    changed = Predictions(error=predictions.errors(), uncertainty=uncertainty, sensitive_features={"skin_tone": groups})
    return audit_uncertainty(changed, by="skin_tone", max_mismatch=MISMATCH).verdict


def one_seed(seed: int, planted: float, config: VAEConfig) -> tuple[float, Verdicts]:
    """Train and judge one model; return the difference seen, dark minus light, and the verdicts."""
    torch.set_num_threads(1)
    trained = config.train_images // 2  # of each tone
    each = trained + config.test_images
    images = skin_phantom(each, each, size=config.image_size, seed=seed, mode="shuffled", planted_mse_gap=planted)
    test = np.concatenate([np.flatnonzero(images.skin_tone == tone)[trained:] for tone in ("light", "dark")])
    train = np.setdiff1d(np.arange(len(images)), test)
    vae = train_vae(images.pixels[train], config, seed=seed, device="cpu").vae
    found = predictions_from_autoencoder(
        vae, images.pixels[test], sensitive_features={"skin_tone": images.skin_tone[test]}, scaling="[-1, 1]"
    )
    rng = np.random.default_rng(seed)
    warning = found.errors() * np.exp(rng.normal(0.0, NOISE, len(found)))
    record = judge(found)
    light, dark = (record.group((tone,)).rate or 0.0 for tone in ("light", "dark"))
    return dark - light, {
        f"mean_squared_error <= {LIMIT}": record.verdict,
        "mismatch <= 0.10, latent standard deviation": mismatch(found, found.uncertainties()),
        "mismatch <= 0.10, an uncertainty that warns": mismatch(found, warning),
        "mismatch <= 0.10, the same made blind": mismatch(found, rng.permutation(warning)),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--preset", choices=NETWORKS, default="cpu", help="network and training (default cpu)")
    parser.add_argument("--quick", action="store_true", help="3 seeds instead of 20")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    options = parser.parse_args()
    seeds = range(3 if options.quick else 20)
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "scipy", "pytest-fairness"))
    config = NETWORKS[options.preset]
    command = f"python -m benchmarks.planted --preset {options.preset}"
    print(f"{command}, {date.today()}; Python {platform.python_version()}, {packages}")
    print(f"{len(seeds)} seeds each, {config}\n")
    print(f"{'planted':>7} {'seen (mean, range)':<26} {'check':<46} {'fail':>5} {'inconclusive':>13} {'pass':>5}")
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for planted in (0.0, GAP):
            results = list(pool.map(partial(one_seed, planted=planted, config=config), seeds))
            seen = [difference for difference, _ in results]
            span = f"{np.mean(seen):.4f} ({min(seen):.4f} to {max(seen):.4f})"
            for check in results[0][1]:
                counts = Counter(verdicts[check] for _, verdicts in results)
                print(
                    f"{planted:>7.3f} {span:<26} {check:<46} {counts['fail']:>5} {counts['inconclusive']:>13} "
                    f"{counts['pass']:>5}",
                    flush=True,
                )
                span = ""


if __name__ == "__main__":
    main()
