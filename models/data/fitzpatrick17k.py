"""Fitzpatrick17k: photographs of skin conditions with the Fitzpatrick skin type of each, read from where they lie.

Groh et al., CVPR Workshops 2021, https://doi.org/10.1109/CVPRW53098.2021.00201; CC BY-NC-SA 3.0. They are photographs
of patients and never part of this project: `models.data.fetch_fitzpatrick17k` fetches them where they were published.
About a fifth of them have a near-duplicate (https://doi.org/10.48550/arXiv.2505.11034); only equal ones are found.

Needs NumPy and Pillow.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from models.data.fitzpatrick17k_files import (
    LICENCE,
    SOURCE,
    TABLE,
    Store,
    UnusableData,
    is_md5_of,
    opened,
    read_table,
)
from models.data.images import LEVELS, ImageSet, LeftOut
from models.data.photographs import decoded

__all__ = ["load_fitzpatrick17k"]

_SKIN_TYPE = ("fitzpatrick_scale", "fitzpatrick")  # the first version of the table has the second name
_log = logging.getLogger(__name__)


def load_fitzpatrick17k(
    root: str | os.PathLike[str] | None = None,
    *,
    image_size: int,
    dark_types: Collection[int] = (5, 6),
    light_types: Collection[int] = (1, 2),
    check_md5: bool | None = None,
    keep_wrongly_labelled: bool = True,
) -> ImageSet:
    r"""Return the images of light and of dark skin, square and of one size, in the order of their md5hash.

    Parameters
    ----------
    root : path, optional
        A folder with ``fitzpatrick17k.csv`` and ``<md5hash>.jpg`` beside it, in ``images/`` or in
        ``data/finalfitz17k/``, or a zip archive laid out in the same way. Without it the folder FAIRNESS_DATA is
        searched: itself, ``fitzpatrick17k/`` in it, then ``fitzpatrick17k_64px.zip``, whose sha256 is checked.
    image_size : int
        Pixels along an edge; `models.data.photographs.decoded` says how the middle square is reduced to it.
    dark_types, light_types : collection of int
        Skin types of each group, 1 to 6. Rows of other types or of none are counted in `ImageSet.source`.
    check_md5 : bool, optional
        Whether an image whose content does not have the md5 that it is named by is corrupt. By default so in a
        folder, which holds the published files, and not in an archive, whose images were made smaller.
    keep_wrongly_labelled : bool
        Whether to use rows that the column ``qc`` marks as "3 Wrongly labelled".

    Returns
    -------
    ImageSet
        `left_out` names each image that is missing, corrupt or repeated. Of images with equal pixels the first
        stays, or none where one is labelled light and another dark.

    Raises
    ------
    DataUnavailable
        Nothing is there.
    UnusableData
        Something else is there: a table without a column, more than half of the images missing or corrupt, none
        left in a group.
    ValueError
        Impossible skin types, or a size that more than half of the images fall short of.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rows = [f"{i:032x},{skin},acne,inflammatory,benign" for i, skin in enumerate((1, 5, 6, 3))]
    ...     header = "md5hash,fitzpatrick_scale,label,nine_partition_label,three_partition_label"
    ...     _ = Path(folder, "fitzpatrick17k.csv").write_text("\n".join([header, *rows]))
    ...     for i in range(3):
    ...         Image.new("RGB", (60, 40), (90 * i, 80, 70)).save(Path(folder, f"{i:032x}.jpg"))
    ...     images = load_fitzpatrick17k(folder, image_size=20, check_md5=False)
    >>> images.pixels.shape, images.skin_tone.tolist(), images.left_out
    ((3, 3, 20, 20), ['light', 'dark', 'dark'], ())
    """
    if image_size < 1:
        raise ValueError(f"image_size={image_size}: must be at least 1")
    tones = _tones(light_types, dark_types)
    with opened(root) as store:
        rows, unused = _rows(store, tones, keep_wrongly_labelled)
        pixels = np.empty((len(rows), 3, image_size, image_size), dtype=np.uint8)
        faults, enlarged = _read_images(store, rows, pixels, store.original if check_md5 is None else check_md5)
    _refuse_ruins(store.name, faults, len(rows), enlarged, image_size)
    reasons = faults | _repeated(rows, pixels, faults)
    used = [at for at in range(len(rows)) if at not in reasons]
    for tone in ("light", "dark"):
        if not any(rows[at].tone == tone for at in used):
            raise UnusableData(f"{store.name}: no image of {tone} skin is left; {_counted(reasons.values())}")
    for new, old in enumerate(used):  # in place: a second array of this size would double the memory
        pixels[new] = pixels[old]
    notes = [f"{count:,} rows {why}" for why, count in unused.items()] + ([f"{enlarged:,} enlarged"] * (enlarged > 0))
    source = "; ".join([SOURCE, f"{store.name}: {len(used):,} images", *notes])
    _log.info("%s; left out %s", source, _counted(reasons.values()))
    return ImageSet(
        name="fitzpatrick17k",
        pixels=pixels[: len(used)],
        skin_type=np.array([rows[at].skin_type for at in used], dtype=np.int8),
        skin_tone=np.array([rows[at].tone for at in used]),
        conditions={level: np.array([rows[at].labels[i] for at in used]) for i, level in enumerate(LEVELS)},
        ids=np.array([rows[at].md5hash for at in used]),
        synthetic=False,
        source=source,
        licence=LICENCE,
        left_out=tuple(LeftOut(rows[at].md5hash, reasons[at]) for at in sorted(reasons)),
    )


class _Row(NamedTuple):
    md5hash: str
    skin_type: int
    tone: str
    labels: tuple[str, ...]  # at each of LEVELS


def _tones(light_types: Collection[int], dark_types: Collection[int]) -> dict[int, str]:
    for name, types in (("light_types", light_types), ("dark_types", dark_types)):
        if not types or not set(types) <= set(range(1, 7)):
            raise ValueError(f"{name}={types!r}: name at least one skin type, 1 to 6")
    if both := sorted(set(light_types) & set(dark_types)):
        raise ValueError(f"skin type {both[0]} is both in light_types and in dark_types")
    return dict.fromkeys(light_types, "light") | dict.fromkeys(dark_types, "dark")


def _rows(store: Store, tones: dict[int, str], keep_wrongly_labelled: bool) -> tuple[list[_Row], Counter[str]]:
    """Return the rows of the two groups, sorted, and how many others there are for each reason."""
    where = f"{store.name}, {TABLE}"
    columns = [_SKIN_TYPE, *((level,) for level in LEVELS), *([] if keep_wrongly_labelled else [("qc",)])]
    rows: list[_Row] = []
    unused: Counter[str] = Counter()
    for number, row in enumerate(read_table(store.table, where, columns), start=1):
        text = row[_SKIN_TYPE[0]].strip()
        if text not in _SKIN_TYPES:
            raise UnusableData(f"{where}, row {number}: skin type {text!r} is none of {', '.join(_SKIN_TYPES)}")
        skin_type = _SKIN_TYPES[text]
        if skin_type == 0:
            unused["without a skin type"] += 1
        elif skin_type not in tones:
            unused["of other skin types"] += 1
        elif not keep_wrongly_labelled and row["qc"].strip().startswith("3"):
            unused["marked as wrongly labelled"] += 1
        else:
            rows.append(_Row(row["md5hash"], skin_type, tones[skin_type], tuple(row[level] for level in LEVELS)))
    return sorted(rows, key=lambda row: row.md5hash), unused


_SKIN_TYPES = {"-1": 0, "": 0} | {str(skin_type): skin_type for skin_type in range(1, 7)}


def _read_images(
    store: Store, rows: Sequence[_Row], pixels: npt.NDArray[np.uint8], check_md5: bool
) -> tuple[dict[int, str], int]:
    """Fill `pixels`; return why a row has none, by position, and how many images were enlarged."""

    def read(at: int) -> tuple[str, bool]:
        try:
            content = store.read(rows[at].md5hash)
        except KeyError:
            return "missing", False
        except Exception as error:  # a damaged archive raises nearly anything
            return f"corrupt: {error}", False
        if check_md5 and not is_md5_of(rows[at].md5hash, content):
            return "corrupt: content does not match its md5", False
        try:
            pixels[at], enlarged = decoded(content, pixels.shape[-1])
        except MemoryError:
            raise
        except UnidentifiedImageError:  # its message holds an address in memory
            return "corrupt: not an image", False
        except Exception as error:
            return f"corrupt: {error}", False
        return "", enlarged

    Image.init()  # before the threads: Pillow loads its readers at first use
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # decoding releases the interpreter's lock
        done = list(pool.map(read, range(len(rows))))
    return {at: fault for at, (fault, _) in enumerate(done) if fault}, sum(enlarged for _, enlarged in done)


def _refuse_ruins(name: str, faults: dict[int, str], total: int, enlarged: int, image_size: int) -> None:
    if 2 * len(faults) > total:
        raise UnusableData(
            f"{name}: {len(faults):,} of {total:,} images cannot be read ({_counted(faults.values())}; the first is "
            f"{faults[min(faults)]}). Fetch them with python -m models.data.fetch_fitzpatrick17k, and give "
            f"check_md5=False where they are not the published files but made from them"
        )
    if 2 * enlarged > total:
        raise ValueError(
            f"image_size={image_size}: {enlarged:,} of the {total:,} images in {name} are smaller; choose less"
        )


def _repeated(rows: Sequence[_Row], pixels: npt.NDArray[np.uint8], faults: Collection[int]) -> dict[int, str]:
    """Return why an image whose pixels another one has too is left out, by position."""
    alike: dict[bytes, list[int]] = {}
    for at in range(len(rows)):
        if at not in faults:
            alike.setdefault(hashlib.sha256(pixels[at].data).digest(), []).append(at)
    reasons: dict[int, str] = {}
    for first, *others in alike.values():
        for at in others:
            reasons[at] = _same_picture(rows[at], rows[first])
        contrary = [at for at in others if rows[at].tone != rows[first].tone]
        if contrary:  # nobody knows which group the picture belongs to
            reasons[first] = _same_picture(rows[first], rows[contrary[0]])
            reasons |= {at: f"{reasons[at]}; light and dark, so that none is used" for at in (first, *others)}
    return reasons


def _same_picture(row: _Row, other: _Row) -> str:
    same = "listed twice" if row.md5hash == other.md5hash else f"same picture as {other.md5hash}"
    here = (("skin_type", row.skin_type), *zip(LEVELS, row.labels, strict=True))
    there = (other.skin_type, *other.labels)
    unlike = [f"{name} {a}, there {b}" for (name, a), b in zip(here, there, strict=True) if a != b]
    return "; ".join([f"repeated: {same}", *unlike])


def _counted(reasons: Iterable[str]) -> str:
    kinds = Counter(reason.partition(":")[0] for reason in reasons)
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items())) or "none"
