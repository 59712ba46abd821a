"""The report of the dermatology study as Markdown; the same measurements give the same text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from fairness_checks.records.check_record import CheckRecord
from fairness_checks.report.text import headline
from models.studies.dermatology_conditions import FEWEST
from models.studies.dermatology_findings import Finding, StudyTables
from models.studies.dermatology_record import preset_in_words
from models.studies.dermatology_results import ERRORS, overlap
from models.studies.dermatology_store import Measurements
from models.studies.markdown import table

__all__ = ["has_grid", "kind_of_images", "render"]

_SPREAD = {"low": "95 % from", "high": "to", "p_corrected": "p, corrected"}


def render(found: Measurements, tables: StudyTables, records: Sequence[CheckRecord], shown: Sequence[Finding]) -> str:
    """Return the report.

    Parameters
    ----------
    found : Measurements
        What was measured.
    tables : StudyTables
        Made of it.
    records : sequence of CheckRecord
        The verdicts.
    shown : sequence of Finding
        The published findings beside ours.
    """
    parts = [
        "# The dermatology study, done again",
        *_setting(found),
        *_findings(shown),
        *_verdicts(found, records),
        *_means(found, tables),
        *_conditions(tables),
        *_within(tables),
    ]
    return "\n\n".join(parts) + "\n"


def has_grid(found: Measurements) -> bool:
    """Say whether pictures may be drawn: never of photographs, whatever the files hold."""
    return bool(found.record["data"]["synthetic"] and found.examples)


def kind_of_images(found: Measurements) -> str:
    """Return in words what the images are and their size."""
    size = found.record["data"]["image_size"]
    kind = "synthetic phantoms" if found.record["data"]["synthetic"] else "photographs"
    return f"{kind}, {size} x {size} pixels"


def _setting(found: Measurements) -> list[str]:
    record, data = found.record, found.record["data"]
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in data["left_out"].items()) or "none"
    kind = "**Generated images, no photographs.**" if data["synthetic"] else "**Photographs of patients.**"
    pictures = (
        "The pictures in this report are generated ones."
        if data["synthetic"]
        else "No picture of a photograph, nor of a reconstruction of one, is drawn or kept anywhere."
    )
    rows: list[tuple[str, Any]] = [
        (
            "images",
            f"{data['light']:,} light, {data['dark']:,} dark, {data['image_size']} x {data['image_size']} pixels",
        ),
        ("source", data["source"]),
        ("licence", data["licence"]),
        ("left out", left_out),
        ("preset", preset_in_words(record)),
        ("configuration", ", ".join(f"{name} {value}" for name, value in record["config"].items())),
        ("test sets", _test_sets(found)),
        ("skin types", _skin_types(record)),
        ("perceptual loss", record["perceptual"]),
        ("feature error", record["features"]),
        ("device", f"{', '.join(found.devices)}, {', '.join(found.precisions)}; torch {record['torch']}"),
        ("trainings", _trainings(found)),
    ]
    return [
        "## What was done",
        f"{kind} {pictures} {found.repeats} repeats; in each a test set of either skin tone, then training sets drawn "
        "with replacement from the other images: A light only, B half and half, C dark only. MSE, the pixel error, is "
        "of pixels in [-1, 1]; less colour, it is that of images without their mean colours. The feature error is the "
        "mean squared difference of the feature maps of a pre-trained network. The shift of the tone is reconstruction "
        "less image, above 0 where it came out lighter. The latent standard deviation (SD) is the mean over an image's "
        "latent code.",
        "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]),
    ]


def _skin_types(record: Mapping[str, Any]) -> str:
    types = record["data"]["skin_types"]
    said = ", ".join(f"{tone} {'-'.join(map(str, kinds))}" for tone, kinds in types.items())
    return said if record["data"]["synthetic"] else f"{said}, by the column {record['label']}"


def _test_sets(found: Measurements) -> str:
    asked, used = found.record["config"]["test_images"], found.test_images
    sets = f"{used} images of either skin tone"
    if asked == used:
        return sets
    return f"{sets}, not the preset's {asked}: at most a third of the smaller group tests"


def _trainings(found: Measurements) -> str:
    seconds, speed, spent = found.seconds, found.images_per_second, found.cpu_seconds
    return (
        f"{seconds.size} VAEs, {seconds.sum():.0f} s of training, {seconds.mean():.1f} s each; processor time "
        f"{spent.sum():.0f} s, {spent.mean():.1f} s each, with measuring; "
        f"{speed.mean():,.0f} images/s in each process ({speed.min():,.0f} to {speed.max():,.0f})"
    )


def _findings(shown: Sequence[Finding]) -> list[str]:
    frame = pd.DataFrame(shown).assign(verdict=[f"**{item.verdict}**" for item in shown])
    headings = {"name": "", "published": "published", "measure": "measured by", "ours": "ours", "verdict": "verdict"}
    rules = dict.fromkeys(f"- {item.name.partition(' ')[0]}: {item.rule}." for item in shown)
    return [
        "## What the study found, and what we see",
        f"{sum(item.met for item in shown)} of {len(shown)} rows are met. Intervals are corrected 95 % intervals over "
        "the repeats. What is not met is contradicted where an interval, a test or every mean says the opposite, and "
        "not settled else. A finding counts as met when:",
        "\n".join(rules),
        table(frame, headings),
    ]


def _verdicts(found: Measurements, records: Sequence[CheckRecord]) -> list[str]:
    return [
        "## Verdicts of the gate",
        "\n".join(f"- **{record.verdict}**: {headline(record)}" for record in records),
        "The limits show what limits do; they are no clinical advice. 0.005 is 1 dB of the peak signal-to-noise ratio "
        f"at an MSE of 0.02. Tests: {'; '.join(dict.fromkeys(record.method for record in records))}.",
        _assumed(found),
    ]


def _assumed(found: Measurements) -> str:
    n_train, n_test = overlap(found)
    smaller = min(found.sizes.values())
    shared = f"{100 * found.test_images / smaller:.0f} %"
    return (
        f"**What is assumed of the overlap of repeats.** Of {smaller:,} images of the smaller group "
        f"{found.test_images} test, so that two repeats share {shared} of them on average. The corrected test takes "
        f"this for both groups ({n_test:,} test and {n_train:,} training images, ratio {n_test / n_train:.2f}), which "
        f"is too much for a larger group, hence on the safe side. Training sets overlap as well: {_repeated(found)}. "
        "Nadeau and Bengio's correction does not count that apart, so that it may still be too small where the choice "
        "of training images makes the difference."
    )


def _repeated(found: Measurements) -> str:
    """Say how many different images of each group its own mix trains on."""
    alone = {"light": "A", "dark": "C"}
    said = []
    for g, (tone, mix) in enumerate(alone.items()):
        at = found.mixes.index(mix)
        said.append(
            f"{found.trained[at, 0, g]} {tone} images under {mix} are {found.distinct[at, :, g].mean():.0f} different "
            f"ones of {found.sizes[tone] - found.test_images:,}"
        )
    return " and ".join(said)


def _means(found: Measurements, tables: StudyTables) -> list[str]:
    parts = [
        "## MSE and latent SD by mix and skin tone",
        "![Box plots](boxes.png)",
        table(
            tables.means,
            {
                "mix": "mix",
                "skin_tone": "skin",
                "share": "share",
                "mse": "MSE",
                "mse_sd": "SD over repeats",
                "mse_less_colour": "less colour",
                "feature_error": "features",
                "tone_shift": "shift of the tone",
                "latent_sd": "latent SD",
                "latent_sd_sd": "SD over repeats",
                "kl": "KL, nats",
            },
            digits=4,
        ),
        "Dark minus light, with the corrected test, and the paper's own (Kolmogorov-Smirnov, then t or Mann-Whitney), "
        "which takes repeats for independent, which makes p too small, and images for unpaired, which makes it larger:",
        table(
            _named(tables.gaps),
            {"value": "of", "case": "mix", "dark": "dark", "light": "light", "gap": "difference"}
            | _SPREAD
            | {"p_published": "p, paper's test", "test": "which"},
            digits=4,
        ),
        *_changes(tables),
    ]
    if has_grid(found):
        parts += ["![Generated images over their reconstructions](reconstructions.png)"]
    return parts


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the value that each is of in words."""
    return rows.assign(value=rows["value"].map(ERRORS | {"latent_sd": "latent SD"}))


def _changes(tables: StudyTables) -> list[str]:
    return [
        "Change of a group's error as its share grows from 0 to 1:",
        table(
            _named(tables.slopes),
            {"value": "of", "skin_tone": "skin", "slope": "slope"}
            | _SPREAD
            | {"falls_in": "falls at each step in", "lower_in": "lower with all than with none in", "repeats": "of"},
            4,
        ),
        "Shift of the tone, reconstruction less image, under A less under C:",
        table(
            tables.tones,
            {"skin_tone": "skin", "of_a": "A", "of_c": "C", "shift": "difference"}
            | _SPREAD
            | {"lighter_in": "above 0 in", "repeats": "of"},
            4,
        ),
        "P(higher in a dark image than in a light one), of the error and of the model's uncertainty:",
        table(
            _named(tables.areas),
            {
                "value": "of",
                "mix": "mix",
                "error_auc": "A_error",
                "uncertainty_auc": "A_uncertainty",
                "gap": "difference",
            }
            | _SPREAD,
            digits=3,
        ),
    ]


def _conditions(tables: StudyTables) -> list[str]:
    return [
        "## Conditions",
        "![Prevalence](prevalence.png)",
        "Distance of the groups' prevalences (total variation: the share of one group whose label would have to "
        "change), and its mean when the labels are dealt at random, which is the larger the more labels there are:",
        table(
            tables.distances,
            {"level": "level", "labels": "labels", "distance": "distance", "by_chance": "by chance", "p_chance": "p"},
            digits=3,
        ),
        f"MSE of each condition with {FEWEST} tested images or more in both groups (`conditions.csv`):",
        "![MSE by condition, the mixes in one](scatter.png)",
        "![MSE by condition](conditions.png)",
    ]


def _within(tables: StudyTables) -> list[str]:
    return [
        "## Skin tone or condition?",
        "Dark minus light within conditions, as if both groups showed them alike (direct standardisation, by the "
        "gate's `control_features` with `strata: combined`, in each repeat). A condition is compared where each group "
        "has two of its test images or more; `same images` is the gap of those as they are, and `conditions make` what "
        "is left of it when the gap within conditions is taken away. Labels know nothing of how far a condition has "
        "gone, nor of camera and light:",
        table(
            _named(tables.standardised),
            {"value": "of", "mix": "mix", "level": "level", "all": "all images", "compared": "share compared"}
            | {"crude": "same images", "gap": "within conditions"}
            | {"low": "95 % from", "high": "to"}
            | {"explained": "conditions make", "explained_low": "95 % from", "explained_high": "to"},
            digits=4,
        ),
    ]
