"""An uncertainty that warns? ``python -m models.studies.dermatology_uncertainty --out FOLDER`` or ``--planted``.

Several uncertainties of the VAEs that a finished study kept (``--keep-networks``), each judged by `audit_uncertainty`:
does it warn of the group in which the errors are higher? With ``--planted`` on phantoms whose looks do not depend on
the group, where noise of known variance makes the errors of the dark ones higher; a few small VAEs are trained for it.
Writes ``uncertainties.md`` and ``uncertainties.csv``, of phantoms ``planted.md`` and ``planted.csv``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairness_checks import Predictions, audit_uncertainty
from fairness_checks.storage.files import write_atomically
from models.command_line import OneLineParser, at_least, in_a_sentence
from models.data.images import ImageSet
from models.perceptual import PerceptualLoss
from models.phantom.skin_phantom import skin_phantom
from models.studies.dermatology_data import study_images
from models.studies.dermatology_labels import photographs_of
from models.studies.dermatology_one import vgg_of
from models.studies.dermatology_protocol import TONES, Split, training_rows
from models.studies.dermatology_record import StudyIncomplete
from models.studies.dermatology_results import ERRORS, errors_of
from models.studies.dermatology_store import Measurements, load_study
from models.studies.markdown import csv_text, table
from models.train_vae import load_vae, train_vae
from models.vae import GaussianVAE
from models.vae_config import MIXES, VAEConfig
from models.vae_device import one_thread
from models.vae_measure import measure_images
from models.vae_uncertainty import Disagreement, decoder_variance, feature_distance, noise_sensitivity, reconstructed

__all__ = ["COSTS", "PLANTED", "judged", "main", "planted_rows", "study_rows"]

COSTS = {
    "latent SD": "nothing: it is encoded anyway",
    "divergence": "nothing",
    "decoder variance": "4 runs of the decoder",
    "noise sensitivity": "4 runs of the network",
    "disagreement": "as many networks, a run of each",
    "feature distance": "a run of VGG, its features of the training set",
}
"""What each costs for an image, beside its reconstruction."""

PLANTED = 0.010
LIMIT = 0.10
_OF_PHOTOGRAPHS, _OF_PHANTOMS = "uncertainties", "planted"
_NOISE = 0.10  # standard deviation of the logarithm of what the uncertainty that warns is multiplied by
_MEMBERS = 4
_SAME = 0.02  # relative; how far an image's error may lie from what another device measured
Floats = npt.NDArray[np.float64]
Timed = dict[str, float]


def judged(
    errors: npt.ArrayLike, uncertainty: npt.ArrayLike, tones: npt.ArrayLike, images: npt.ArrayLike
) -> dict[str, Any]:
    """Return what `audit_uncertainty` says of an uncertainty.

    Parameters
    ----------
    errors, uncertainty : array_like of float, shape (n,)
        Rows without an uncertainty (NaN) are left out; with none left in a group nothing is judged.
    tones : array_like of str
        Group of each row.
    images : array_like
        Which image it is of: rows of one image are no independent ones.

    Returns
    -------
    dict of str to Any
        rows; worse, the group with the higher errors; error_auc and uncertainty_auc, P(higher in it); mismatch, low,
        high and verdict at a limit of 0.10; light and dark, the rank correlation with the errors within each group.
    """
    known = ~np.isnan(np.asarray(uncertainty, dtype=np.float64))
    if lacking := sorted(set(TONES) - set(np.asarray(tones)[known].tolist())):
        none = dict.fromkeys(("error_auc", "uncertainty_auc", "mismatch", "low", "high", *TONES), np.nan)
        return {"rows": int(known.sum()), "worse": "", **none, "verdict": f"unknown for {' and '.join(lacking)}"}
    names = np.asarray(images)[known].astype(str)
    predictions = Predictions(
        error=np.asarray(errors, dtype=np.float64)[known],
        uncertainty=np.asarray(uncertainty, dtype=np.float64)[known],
        cluster=names if len(set(names.tolist())) < len(names) else None,
        sensitive_features={"skin_tone": np.asarray(tones)[known]},
    )
    record = audit_uncertainty(predictions, by="skin_tone", max_mismatch=LIMIT)
    within = {group.name[0]: group.also.get("spearman") for group in record.groups}
    return {
        "rows": int(known.sum()),
        "worse": record.first[0] if record.first else "",
        **{name: record.also.get(name) for name in ("error_auc", "uncertainty_auc")},
        "mismatch": record.estimate,
        "low": record.low,
        "high": record.high,
        "verdict": record.verdict,
        **within,
    }


def _uncertainties(
    vae: GaussianVAE, pixels: npt.NDArray[np.uint8], trained: npt.NDArray[np.uint8], features: PerceptualLoss | None
) -> tuple[dict[str, Floats], Timed]:
    """Return those that one network has, and how long each took."""
    asked: dict[str, Callable[[], Floats]] = {
        "decoder variance": lambda: decoder_variance(vae, pixels),
        "noise sensitivity": lambda: noise_sensitivity(vae, pixels),
    }
    if features is not None:
        asked["feature distance"] = lambda: feature_distance(features, trained, pixels)
    found, seconds = {}, {}
    for name, compute in asked.items():
        start = time.process_time()
        found[name] = compute()
        seconds[name] = time.process_time() - start
    return found, seconds


def study_rows(
    folder: Path, images: ImageSet, found: Measurements, mix: str, features: PerceptualLoss | None
) -> pd.DataFrame:
    """Return each uncertainty of the VAEs of a mix, judged by each error.

    An image that tests in several repeats is a cluster of rows. Networks disagree about an image as far as those do
    that did not train on it.

    Parameters
    ----------
    folder : Path
        Of a study that kept its networks.
    images : ImageSet
        Those that it is of.
    found : Measurements
        Its measurements.
    mix : str
        A name in `models.vae_config.MIXES`.
    features : PerceptualLoss, optional
        Without it there is no distance in features.

    Returns
    -------
    pandas.DataFrame
        uncertainty, value (the error), seconds (of processor an image), and what `judged` says.
    """
    at, config = found.mixes.index(mix), found.record["config"]
    tested = np.unique(found.test)
    place = np.searchsorted(tested, found.test.reshape(found.repeats, -1))  # (J, 2 m)
    networks, each, seconds = _network_files(folder, found, mix), [], dict.fromkeys(COSTS, 0.0)
    apart = Disagreement((len(tested), *images.pixels.shape[1:]))
    for repeat, path in enumerate(networks):
        vae, test = _network(path), found.test[repeat]
        pools = tuple(
            np.setdiff1d(np.flatnonzero(found.tones == tone), test[g]) for g, tone in enumerate(("light", "dark"))
        )
        rows = training_rows(
            Split(test, (pools[0], pools[1])), mix, config["train_images"], int(found.record["seed"]), repeat
        )
        own, took = _uncertainties(vae, images.pixels[test.ravel()], images.pixels[np.unique(rows)], features)
        own |= {"latent SD": found.latent_sd[at, repeat].ravel(), "divergence": found.kl[at, repeat].ravel()}
        each.append(own)
        start = time.process_time()
        again = reconstructed(vae, images.pixels[tested])
        apart.add(again, ~np.isin(tested, rows))
        took["disagreement"] = (time.process_time() - start) * test.size / len(tested) * len(networks)
        seconds = {name: seconds[name] + took.get(name, 0.0) for name in seconds}
        off = again[place[repeat]] - (images.pixels[test.ravel()] / np.float32(127.5) - 1)
        if not np.allclose(np.square(off).mean((1, 2, 3)), found.mse[at, repeat].ravel(), rtol=_SAME):
            raise StudyIncomplete(
                f"{path}: not the network that was measured: remove it, and run the study again with --keep-networks"
            )
    values = {name: np.concatenate([own[name] for own in each]) for name in COSTS if name in each[0]}
    values["disagreement"] = apart.variance()[place].ravel()
    tones, names = found.tones[found.test.ravel()], images.ids[found.test.ravel()]
    return pd.DataFrame(
        [
            {"uncertainty": name, "value": value, "seconds": seconds[name] / found.test.size}
            | judged(np.sqrt(np.maximum(getattr(found, value)[at].ravel(), 0.0)), values[name], tones, names)
            for value in errors_of(found)
            for name in COSTS
            if name in values
        ]
    )


def planted_rows(
    config: VAEConfig, seed: int = 0, planted: float = PLANTED, features: PerceptualLoss | None = None
) -> pd.DataFrame:
    """Return each uncertainty on phantoms with a planted gap, beside one that warns and one that is blind.

    Parameters
    ----------
    config : VAEConfig
        `train_images` phantoms, drawn with replacement, train each of four VAEs, and `test_images` of each tone test.
    seed : int
        Of phantoms and trainings.
    planted : float
        Variance of the noise that dark phantoms have and light ones do not.
    features : PerceptualLoss, optional
        Without it there is no distance in features.
    """
    each = config.train_images // 2 + config.test_images
    images = skin_phantom(each, each, size=config.image_size, seed=seed, mode="shuffled", planted_mse_gap=planted)
    light, dark = (np.flatnonzero(images.skin_tone == tone) for tone in ("light", "dark"))
    test = np.stack([light[: config.test_images], dark[: config.test_images]])
    pools = (light[config.test_images :], dark[config.test_images :])
    pixels, tones = images.pixels[test.ravel()], images.skin_tone[test.ravel()]
    apart = Disagreement(pixels.shape)
    values: dict[str, Floats] = {}
    seconds: Timed = {}
    errors = np.empty(0)
    for member in range(_MEMBERS):
        rows = training_rows(Split(test, pools), "B", config.train_images, seed, member)
        with one_thread("cpu"):
            vae = train_vae(images.pixels[rows], config, seed=1000 * seed + member, device="cpu").vae
        if member == 0:
            measured = measure_images(vae, pixels, device="cpu")
            errors = np.sqrt(measured.mse.astype(np.float64))
            values = {"latent SD": measured.latent_sd.astype(np.float64), "divergence": measured.kl.astype(np.float64)}
            own, seconds = _uncertainties(vae, pixels, images.pixels[np.unique(rows)], features)
            values |= own
        apart.add(reconstructed(vae, pixels), np.ones(len(pixels), dtype=bool))
    values["disagreement"] = apart.variance()
    rng = np.random.default_rng(seed)
    ordered = {name: values[name] for name in COSTS if name in values}
    warns = errors * np.exp(rng.normal(0.0, _NOISE, len(errors)))
    ordered |= {"(the error, with noise)": warns, "(the same, in another order)": rng.permutation(warns)}
    return pd.DataFrame(
        [
            {"uncertainty": name, "value": "mse", "seconds": seconds.get(name, 0.0) / len(pixels)}
            | judged(errors, value, tones, images.ids[test.ravel()])
            for name, value in ordered.items()
        ]
    )


def _network_files(folder: Path, found: Measurements, mix: str) -> list[Path]:
    files = {item["repeat"]: Path(item["file"]).stem for item in found.record["trainings"] if item["mix"] == mix}
    paths = [folder / "networks" / f"{files[repeat]}.safetensors" for repeat in sorted(files)]
    if missing := [path for path in paths if not path.is_file()]:
        raise StudyIncomplete(f"{missing[0]}: not there; run the study again with --keep-networks")
    return paths


def _network(path: Path) -> GaussianVAE:
    try:
        return load_vae(path)
    except ValueError as error:
        raise StudyIncomplete(f"{error}: remove it, and run the study again with --keep-networks") from None


def _page(title: str, rows: pd.DataFrame) -> str:
    shown = rows.assign(
        value=rows["value"].map(ERRORS),
        cost=[COSTS.get(name, "") for name in rows["uncertainty"]],
        seconds=[f"{1000 * seconds:.1f}" if seconds else "" for seconds in rows["seconds"]],
    )
    columns = {"uncertainty": "uncertainty", "value": "of", "worse": "worse group", "error_auc": "A_error"}
    columns |= {"uncertainty_auc": "A_uncertainty", "mismatch": "mismatch", "low": "95 % from", "high": "to"}
    columns |= {"verdict": "verdict", "light": "rank correlation, light", "dark": "dark", "cost": "cost an image"}
    return (
        "\n\n".join(
            [
                f"# {title}",
                f"A_x is P(x is higher in the worse group). The mismatch is A_error - A_uncertainty; it fails above "
                f"{LIMIT:.2f}: then the uncertainty does not warn of the gap. The rank correlation says whether it "
                "warns of single images, within a group.",
                table(shown, columns | {"seconds": "ms of a core"}),
            ]
        )
        + "\n"
    )


def _write(folder: Path, name: str, title: str, rows: pd.DataFrame) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / f"{name}.csv", csv_text(rows).encode(), durable=False)
    write_atomically(folder / f"{name}.md", _page(title, rows).encode(), durable=False)
    return folder / f"{name}.md"


def _of_study(options: argparse.Namespace) -> Path:
    found = load_study(options.out)
    config = VAEConfig.from_description(found.record["config"])
    if found.record["data"]["synthetic"]:
        images = study_images("phantoms", config, int(found.record["seed"]))
        if images.fingerprint() != found.record["data"]["fingerprint"]:
            raise StudyIncomplete(f"{options.out}: measured on other phantoms than this version generates")
    else:
        images = photographs_of(options.out, found, options.photographs)
    features = _features(config, options.vgg)
    rows = study_rows(options.out, images, found, options.mix, features)
    title = f"Which uncertainty warns, under {options.mix}?"
    return _write(
        options.out, _OF_PHOTOGRAPHS if options.mix == "B" else f"{_OF_PHOTOGRAPHS}-{options.mix}", title, rows
    )


def _of_phantoms(options: argparse.Namespace) -> Path:
    config = VAEConfig.preset("cpu", epochs=15, train_images=240, test_images=200)  # as in the default gate
    rows = planted_rows(config, options.seed, features=_features(config, options.vgg))
    return _write(options.out, _OF_PHANTOMS, "Which uncertainty warns of a planted gap?", rows)


def _features(config: VAEConfig, given: Path | None) -> PerceptualLoss | None:
    """Return the network whose features are compared; where there is none, say what is left out."""
    if (found := vgg_of(config, given).features) is None:
        sys.stderr.write("no weights of VGG19 or VGG16 at hand: without the feature distance; --vgg FILE names some\n")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge uncertainties from the command line; return 0, or 2 where it could not be done."""
    parser = OneLineParser(
        prog="python -m models.studies.dermatology_uncertainty", description="Which uncertainty warns for whom?"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of a finished study; of phantoms any folder")
    parser.add_argument("--planted", action="store_true", help="phantoms with a planted gap, in place of a study")
    parser.add_argument("--mix", choices=list(MIXES), default="B", help="VAEs of which mix (default: B)")
    parser.add_argument("--photographs", type=Path, metavar="PATH", help="folder or archive (default: FAIRNESS_DATA)")
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="weights of VGG19 or VGG16 (default: those at hand)")
    parser.add_argument("--seed", type=at_least(0), default=0, help="of the phantoms (default: 0)")
    options = parser.parse_args(arguments)
    run = _of_phantoms if options.planted else _of_study
    return in_a_sentence(lambda: sys.stdout.write(f"{run(options)}\n"))


if __name__ == "__main__":
    sys.exit(main())
