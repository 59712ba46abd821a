"""The dermatology study, done again: ``python -m models.studies.dermatology [--preset NAME] [--data KIND]``.

VAEs trained on three mixes of light and dark skin, ten times each, and how well they reconstruct either. First the
trainings, which need torch, NumPy and Pillow alone, so that they can be done on another machine; then the
verdicts of this project, tables, figures and ``report.md``. What was trained is kept and not trained again. Images are
photographs if ``FAIRNESS_DATA`` holds them, and generated phantoms else. See ``docs/dermatology.md``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from fairness_checks.errors import FairnessError
from fairness_checks.sweep.progress import ProgressLine
from models.command_line import OneLineParser, at_least
from models.data.fitzpatrick17k_rows import SKIN_TYPE_LABELS
from models.studies.dermatology_record import changes_of
from models.studies.dermatology_store import save_study
from models.vae_config import PERCEPTUAL_KINDS, PRESETS, VAEConfig

__all__ = ["QUICK", "main", "measure", "report"]

QUICK: dict[str, Any] = {"repeats": 2, "epochs": 2, "train_images": 64, "test_images": 20}
"""What ``--quick`` changes in a preset: for tests and CI; nothing is learned."""

DARK_TYPES = {"5,6": (5, 6), "4,5,6": (4, 5, 6)}
"""The dark skin types of the published experiment, and those of another sentence of the paper."""

TWICE_AS_MANY = ("published_small", "4,5,6")
"""Where the archive has enough dark photographs for test sets of twice the preset's size."""

OF_A_GPU = ("published", "paper")
"""Presets of 128 pixels, one training of which takes hours on a CPU."""

_DARK = "5,6"

_OURS = ("fairness_checks", "models")
_CHANGES = ("perceptual", "kl_weight", "repeats", "test_images", "exact_statistics")
_OF_PHOTOGRAPHS = ("photographs", "dark_types", "label")


def measure(options: argparse.Namespace) -> Path:
    """Train and measure what is not there yet, and return the folder of the study."""
    from models.studies.dermatology_data import data_record, study_images  # here: the report needs no torch
    from models.studies.dermatology_training import run_trainings

    config = _config(options)
    images = study_images(
        options.data,
        config,
        options.seed,
        photographs=options.photographs,
        dark_types=DARK_TYPES[options.dark_types or _DARK],
        label=options.label or SKIN_TYPE_LABELS[0],
    )
    kind = "phantoms" if images.synthetic else "photographs"
    others = [f"dark-{options.dark_types.replace(',', '')}"] if options.dark_types not in (None, _DARK) else []
    others += [options.label] if options.label not in (None, SKIN_TYPE_LABELS[0]) else []
    folder: Path = options.out or Path("build/dermatology") / "-".join([kind, options.preset, *others])
    if options.device == "auto" and not options.quick and options.preset in OF_A_GPU:
        _warn_without_gpu(options.preset)
    line = ProgressLine(sys.stderr, f"dermatology {options.preset}, {kind}")
    done = run_trainings(
        images,
        config,
        folder,
        seed=options.seed,
        device=options.device,
        jobs=options.jobs,
        compiled=options.compiled,
        vgg=options.vgg,
        keep_networks=options.keep_networks,
        progress=line,
    )
    record = {
        "preset": options.preset,
        "changed": changes_of(options.preset, config.describe()),
        "config": config.describe(),
        "test_images": done.test_images,
        "seed": options.seed,
        "data": data_record(images),
        "label": options.label or SKIN_TYPE_LABELS[0],
        "perceptual": done.perceptual,
        "features": done.features,
        "device": done.device,
        "torch": done.torch,
    }
    save_study(folder, record, images, done.files)
    sys.stdout.write(
        f"{len(images):,} {'phantoms' if images.synthetic else 'photographs'} of {images.size} x {images.size} pixels; "
        f"test sets of {done.test_images} + {done.test_images}; perceptual loss: {done.perceptual}; "
        f"feature error: {done.features}\n"
        f"{done.trained} VAEs trained, {len(done.files) - done.trained} were there; {done.seconds:.0f} s, "
        f"on {done.device}, torch {done.torch}\n"
    )
    return folder


def report(folder: Path) -> None:
    """Write tables, figures and ``report.md`` from the measurements in a folder, and print the verdicts.

    Where a library of the project is not installed, say so and where the measurements are.

    Raises
    ------
    StudyIncomplete
        The folder holds no finished measurements.
    """
    try:
        from models.studies.dermatology_report import write_report
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in _OURS:
            raise
        sys.stdout.write(
            f"No report was written, because {error.name} is not installed here. The measurements are kept in "
            f"{folder}; where the project is installed with the extra `studies`, this writes the report from them:\n"
            f"python -m models.studies.dermatology --report-only --out {folder}\n"
        )
        return
    lines = write_report(folder)
    sys.stdout.write("\n".join([*lines, str(folder / "report.md"), ""]))


def _warn_without_gpu(preset: str) -> None:
    from models.vae_device import resolve_device

    if resolve_device("auto").type == "cpu":
        sys.stderr.write(
            f"No GPU is here, and on a CPU one training of --preset {preset} takes hours: --preset published_small is "
            "for CPUs; --device cpu leaves this line out\n"
        )


def _config(options: argparse.Namespace) -> VAEConfig:
    config = VAEConfig.preset(options.preset, **(QUICK if options.quick else {}))
    if (options.preset, options.dark_types) == TWICE_AS_MANY and not options.quick:
        config = replace(config, test_images=2 * config.test_images)
    asked = {name: getattr(options, name) for name in _CHANGES}
    return replace(config, **{name: value for name, value in asked.items() if value is not None})


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="python -m models.studies.dermatology", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--preset", choices=list(PRESETS), default="cpu", help="size of the study (default: cpu)")
    parser.add_argument(
        "--data",
        choices=("auto", "photographs", "phantoms"),
        default="auto",
        help="which images (default: photographs if FAIRNESS_DATA holds them, else phantoms)",
    )
    parser.add_argument("--photographs", type=Path, metavar="PATH", help="folder or archive (default: FAIRNESS_DATA)")
    parser.add_argument(
        "--dark-types",
        choices=list(DARK_TYPES),
        metavar="|".join(DARK_TYPES),
        help="skin types of dark skin (default: 5,6)",
    )
    parser.add_argument("--label", choices=SKIN_TYPE_LABELS, help="whose skin types (default: fitzpatrick_scale)")
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="weights of VGG19 or VGG16 (default: those at hand)")
    parser.add_argument("--out", type=Path, help="where to write (default: build/dermatology/DATA-PRESET)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: a GPU, if any")
    parser.add_argument("--jobs", type=at_least(1), help="trainings side by side (default: 2 on a CPU, 1 on a GPU)")
    parser.add_argument("--compiled", action="store_true", help="translate the steps by torch.compile first")
    parser.add_argument("--perceptual", choices=PERCEPTUAL_KINDS, help="network of the loss (default: the preset's)")
    parser.add_argument(
        "--kl-weight",
        type=_weight,
        help="factor of the divergence, such as 1/256 (default: the preset's)",
    )
    parser.add_argument(
        "--exact-statistics",
        action=argparse.BooleanOptionalAction,
        help="batch normalisation's statistics taken anew after the last epoch (default: the preset's)",
    )
    parser.add_argument("--test-images", type=at_least(2), help="of each test set (default: the preset's)")
    parser.add_argument(
        "--keep-networks", action="store_true", help="keep the trained networks, which takes disk space"
    )
    repeats = at_least(2, "a spread over repeats needs 2 or more")
    parser.add_argument("--repeats", type=repeats, help="2 or more (default: the preset's)")
    parser.add_argument("--seed", type=at_least(0), default=0, help="of all draws, 0 or more (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="2 repeats of 2 epochs on 64 images: for tests and CI")
    parser.add_argument(
        "--no-report", action="store_true", help="train and measure alone; --report-only then writes the report"
    )
    parser.add_argument(
        "--report-only", action="store_true", help="write the report from what --out holds, and train nothing"
    )
    return parser


def _weight(text: str) -> float:
    try:
        value = float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text}: must be a number above 0 and at most 1, such as 0.0625 or 1/16")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study from the command line; return 0, or 2 where it could not be done."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.report_only and options.out is None:
        parser.error("--report-only needs --out, the folder that holds the measurements")
    if options.report_only and options.no_report:
        parser.error("--report-only and --no-report together leave nothing to do: give one of them")
    if given := [name for name in _OF_PHOTOGRAPHS if getattr(options, name) is not None]:
        if options.data == "phantoms":
            parser.error(f"--{given[0].replace('_', '-')} is for photographs, and --data asks for phantoms")
        options.data = "photographs"
    if options.device == "cuda" and not options.report_only:
        from models.vae_device import resolve_device

        try:
            resolve_device("cuda")
        except ValueError as error:
            parser.error(str(error))
    try:
        if options.out is not None and options.out.is_file():
            parser.error(f"--out {options.out} is a file: give a folder")
        folder = options.out if options.report_only else measure(options)
        if not options.no_report:
            report(folder)
    except (FairnessError, RuntimeError) as error:
        # RuntimeError: weights that are missing, a training that diverged, a study that is not complete.
        if type(error).__module__.partition(".")[0] not in _OURS:  # an error of the program, not of what it was given
            raise
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:  # a full disk, a folder that may not be written: nothing that a traceback would tell
        place = error.filename or options.out or "build/dermatology"  # a full disk names no file
        sys.stderr.write(f"{place}: {error.strerror or error}; what was trained is kept: mend this and run it again\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
