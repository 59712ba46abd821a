"""Who says who is dark? ``python -m models.studies.dermatology_labels --out FOLDER [--photographs PATH]``.

Fitzpatrick17k has skin types of two teams of annotators, and the pictures have a tone that can be measured. This says
how far the three agree, counts near-duplicates, and gives the gaps of a finished study (FOLDER) with its test images
put into groups by each source. That is done post hoc: the VAEs were trained with the groups of the study, and no test
image is added. ``python -m models.studies.dermatology --label fitzpatrick_centaur`` trains anew by the second label.

Writes ``labels.md`` and CSV tables into FOLDER. Needs no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairness_checks.storage.files import write_atomically
from models.command_line import OneLineParser, in_a_sentence
from models.data.fitzpatrick17k import Fitzpatrick17k
from models.data.fitzpatrick17k_files import TABLE, opened, read_table
from models.data.fitzpatrick17k_rows import SKIN_TYPE_LABELS, skin_type_of
from models.data.images import ImageSet
from models.studies.dermatology_protocol import TONES
from models.studies.dermatology_record import StudyIncomplete
from models.studies.dermatology_results import ERRORS, errors_of, over_repeats, overlap
from models.studies.dermatology_store import Measurements, load_study
from models.studies.dermatology_tones import (
    DARKEST_LIGHT,
    LIGHTEST_DARK,
    NearDuplicates,
    near_duplicates,
    typology_angles,
)
from models.studies.markdown import csv_text, table
from models.vae_config import MIXES

__all__ = ["agreement_rows", "groups_by_source", "main", "photographs_of", "regrouped_rows", "write_labels"]

Groups = npt.NDArray[np.str_]
_NEITHER = "neither"
_CASES = {mix: (mix, mix) for mix in MIXES} | {"worst case": ("A", "C"), "best case": ("C", "A")}
"""Mixes of the dark and of the light images."""


def agreement_rows(one: npt.ArrayLike, other: npt.ArrayLike) -> pd.DataFrame:
    """Return how the images of each group by one source are grouped by another.

    Parameters
    ----------
    one, other : array_like of str, shape (n,)
        "light", "dark" or something else.

    Returns
    -------
    pandas.DataFrame
        group (by one), images, and the shares that are light, dark and neither by the other.

    Examples
    --------
    >>> agreement_rows(["dark", "dark", "light"], ["dark", "neither", "light"])["dark"].tolist()
    [0.0, 0.5]
    """
    first, second = np.asarray(one), np.asarray(other)
    rows = []
    for tone in TONES:
        said = second[first == tone]
        shares = {name: float((said == name).mean()) if len(said) else float("nan") for name in TONES}
        rows.append({"group": tone, "images": len(said), **shares, _NEITHER: 1.0 - sum(shares.values())})
    return pd.DataFrame(rows)


def groups_by_source(
    images: ImageSet,
    second_types: npt.NDArray[np.int8],
    angles: npt.NDArray[np.float64],
    near: NearDuplicates,
    dark_types: Sequence[int] = (5, 6),
) -> dict[str, Groups]:
    """Return the group of each image by each source.

    Parameters
    ----------
    images : ImageSet
        Of the study; their tones are those of its own label.
    second_types : ndarray of int
        Skin type of each by the other label; 0 where it has none.
    angles : ndarray of float
        Their `typology_angles`.
    near : NearDuplicates
        Among them.
    dark_types : sequence of int
        The study's.

    Returns
    -------
    dict of str to ndarray of str
        The study's label; the other label; both where they agree; the measured tone; and the study's label without
        images that have a near-duplicate.
    """
    own = images.skin_tone
    other = np.where(np.isin(second_types, dark_types), "dark", np.where(np.isin(second_types, (1, 2)), "light", ""))
    measured = np.where(angles > DARKEST_LIGHT, "light", np.where(angles <= LIGHTEST_DARK, "dark", ""))
    alone = np.where(near.any_of(len(images)), "", own)
    groups = {"study's label": own, "other label": other, "both labels": np.where(own == other, own, "")}
    groups |= {"measured tone": measured, "study's label, no near-duplicate": alone}
    return {name: np.where(np.isin(tone, TONES), tone, _NEITHER) for name, tone in groups.items()}


def regrouped_rows(found: Measurements, groups: Mapping[str, Groups]) -> pd.DataFrame:
    """Return dark minus light under each mix, worst and best case, and slopes, with the test images grouped anew.

    Parameters
    ----------
    found : Measurements
        Of a study.
    groups : mapping of str to ndarray of str
        Group of each image of the data set by each source; images of other groups are left out.

    Returns
    -------
    pandas.DataFrame
        source, value, of (a mix, a case, or the slope of a group over its share by the study's label), light and dark
        (test images a repeat, on average), gap with its corrected interval and p_corrected. The overlap of repeats is
        the study's.
    """
    rows = []
    for source, tones in groups.items():
        tested = tones[found.test.reshape(found.repeats, -1)]  # (J, 2 m)
        member = np.stack([tested == tone for tone in TONES])  # (2, J, 2 m)
        sizes = {tone: float(member[g].sum(axis=1).mean()) for g, tone in enumerate(TONES)}
        for value in errors_of(found):
            errors = getattr(found, value).reshape(len(found.mixes), found.repeats, -1)
            with np.errstate(invalid="ignore", divide="ignore"):  # a repeat without an image of the group: NaN
                means = (errors[:, None] * member).sum(axis=3) / member.sum(axis=2)  # (M, 2, J)
            at = {mix: means[i] for i, mix in enumerate(found.mixes)}
            series = {name: at[dark][1] - at[light][0] for name, (dark, light) in _CASES.items()}
            for g, tone in enumerate(TONES):
                share = np.array([MIXES[mix].get(tone, 0.0) for mix in found.mixes])
                weights = (share - share.mean()) / ((share - share.mean()) ** 2).sum()
                series[f"slope of {tone}"] = weights @ means[:, g]
            rows += [
                {"source": source, "value": value, "of": name, **sizes, **over_repeats(each, overlap(found))}
                for name, each in series.items()
            ]
    return pd.DataFrame(rows)


def _second_types(images: ImageSet, photographs: Path | None, label: str) -> npt.NDArray[np.int8]:
    with opened(photographs) as store:
        where = f"{store.name}, {TABLE}"
        rows = read_table(store.table, where, [(label,)])
    types = {
        row["md5hash"]: skin_type_of(row[label], f"{where}, row {number}, {label}")
        for number, row in enumerate(rows, start=1)
    }
    return np.array([types[name] for name in images.ids.tolist()], dtype=np.int8)


def photographs_of(folder: Path, found: Measurements, photographs: Path | None = None) -> ImageSet:
    """Return the photographs that a study in a folder is of, read from where they lie.

    Raises
    ------
    StudyIncomplete
        It is of phantoms, or of other photographs than those at hand.
    """
    record = found.record
    if record["data"]["synthetic"]:
        raise StudyIncomplete(
            f"{folder}: a study of phantoms, whose skin types nobody labelled: give one of photographs"
        )
    types = record["data"]["skin_types"]
    kept = Fitzpatrick17k(photographs, light_types=types["light"], dark_types=types["dark"], label=record["label"])
    try:
        images = kept.images(record["data"]["image_size"])
    except ValueError as error:  # most are smaller than that
        raise StudyIncomplete(
            f"{folder}: measured on larger photographs: {error}, or name those by --photographs"
        ) from None
    if images.fingerprint() != record["data"]["fingerprint"]:
        raise StudyIncomplete(f"{folder}: measured on other photographs than those at hand: name them by --photographs")
    return images


def _render(
    found: Measurements,
    images: ImageSet,
    types: npt.NDArray[np.int8],
    angles: npt.NDArray[np.float64],
    near: NearDuplicates,
    frames: Mapping[str, pd.DataFrame],
) -> str:
    off = np.abs(images.skin_type.astype(int) - types)[types > 0]
    alike = f": the same one in {(off == 0).mean():.1%}, at most one off in {(off <= 1).mean():.1%}" if len(off) else ""
    gaps = frames["labels_gaps"].assign(value=frames["labels_gaps"]["value"].map(ERRORS))
    parts = [
        "# Who says who is dark?",
        f"{len(images):,} photographs, groups by `{found.record['label']}`; {len(off):,} have a type by the other "
        f"label{alike}.",
        "Groups by the study's label, and what other sources say of them (shares):",
        table(
            frames["labels_agreement"],
            {"source": "by", "group": "study's group", "images": "images", "light": "light", "dark": "dark"}
            | {_NEITHER: "neither"},
            3,
        ),
        _of_tones(images, angles),
        _of_near_duplicates(found, images, near),
        "## The findings by each source",
        "Post hoc: the VAEs were trained by the study's label, and its test images are put into groups anew.",
        table(
            gaps.assign(**{tone: gaps[tone].map("{:.1f}".format) for tone in TONES}),
            {"source": "groups by", "value": "of", "of": "dark minus light", "light": "light images", "dark": "dark"}
            | {"gap": "difference or slope", "low": "95 % from", "high": "to", "p_corrected": "p, corrected"},
            4,
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _of_tones(images: ImageSet, angles: npt.NDArray[np.float64]) -> str:
    measured = {tone: angles[(images.skin_tone == tone) & np.isfinite(angles)] for tone in TONES}
    medians = ", ".join(f"{tone} {np.median(of):.0f}" if len(of) else f"{tone} none" for tone, of in measured.items())
    return (
        "Measured tone: the individual typology angle of the median lightness and yellowness of those pixels that a "
        f"rule takes for skin. Light is above {DARKEST_LIGHT:g} degrees, dark at most {LIGHTEST_DARK:g}. Medians by "
        f"the study's label: {medians}. {int(np.isnan(angles).sum())} pictures have too few such pixels. Exposure and "
        "lesions move it."
    )


def _of_near_duplicates(found: Measurements, images: ImageSet, near: NearDuplicates) -> str:
    tones = images.skin_tone
    having = near.any_of(len(images))
    each = ", ".join(f"{int(having[tones == tone].sum())} {tone}" for tone in TONES)
    mixed = int((tones[near.pairs[:, 0]] != tones[near.pairs[:, 1]]).sum())
    leaks = ", ".join(f"{tone} {share:.1%}" for tone, share in zip(TONES, _in_pool(found, near.pairs), strict=True))
    return (
        f"Near-duplicates: {len(near.pairs):,} pairs of {int(having.sum()):,} pictures ({each}); {mixed} pairs are "
        f"light and dark. Of a test set these have one among the images that may train: {leaks}."
    )


def _in_pool(found: Measurements, pairs: npt.NDArray[np.intp]) -> list[float]:
    """Return the share of each test set that has a near-duplicate outside both test sets of its repeat."""
    shares = []
    for repeat in found.test:
        tests = np.zeros(len(found.tones), dtype=bool)
        tests[repeat.ravel()] = True
        leaks = np.zeros(len(found.tones), dtype=bool)
        for one, other in (pairs.T, pairs.T[::-1]):
            leaks[one[~tests[other]]] = True
        shares.append(leaks[repeat].mean(axis=1))
    return [float(share) for share in np.mean(shares, axis=0)]


def write_labels(folder: Path, photographs: Path | None = None) -> Path:
    """Write ``labels.md`` and its tables into the folder of a finished study of photographs; return its path."""
    found = load_study(folder)
    images = photographs_of(folder, found, photographs)
    (other,) = (name for name in SKIN_TYPE_LABELS if name != found.record["label"])
    types = _second_types(images, photographs, other)
    angles, near = typology_angles(images.pixels), near_duplicates(images.pixels)
    groups = groups_by_source(images, types, angles, near, found.record["data"]["skin_types"]["dark"])
    agreement = [
        agreement_rows(images.skin_tone, groups[name]).assign(source=name) for name in ("other label", "measured tone")
    ]
    frames = {"labels_agreement": pd.concat(agreement), "labels_gaps": regrouped_rows(found, groups)}
    for name, frame in frames.items():
        write_atomically(folder / f"{name}.csv", csv_text(frame).encode(), durable=False)
    write_atomically(folder / "labels.md", _render(found, images, types, angles, near, frames).encode(), durable=False)
    return folder / "labels.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page from the command line; return 0, or 2 where it could not be done."""
    parser = OneLineParser(
        prog="python -m models.studies.dermatology_labels", description="What changes where others say who is dark."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of a finished study of photographs")
    parser.add_argument("--photographs", type=Path, metavar="PATH", help="folder or archive (default: FAIRNESS_DATA)")
    options = parser.parse_args(arguments)
    return in_a_sentence(lambda: sys.stdout.write(f"{write_labels(options.out, options.photographs)}\n"))


if __name__ == "__main__":
    sys.exit(main())
