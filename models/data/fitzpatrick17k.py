"""Fitzpatrick17k: photographs of skin conditions with the Fitzpatrick skin type of each, read from where they lie.

Groh et al., CVPR Workshops 2021, https://doi.org/10.1109/CVPRW53098.2021.00201; CC BY-NC-SA 3.0. They are photographs
of patients and never part of this project: `models.data.fetch_fitzpatrick17k` fetches them where they were published.
About a fifth of them have a near-duplicate (https://doi.org/10.48550/arXiv.2505.11034); only equal ones are found.

Needs NumPy and Pillow.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from models.data.fitzpatrick17k_files import (
    ARCHIVES,
    LICENCE,
    SOURCE,
    Store,
    UnusableData,
    is_md5_of,
    opened,
)
from models.data.fitzpatrick17k_rows import SKIN_TYPE_LABELS, Row, repeated, rows_of, tones_of_types
from models.data.images import LEVELS, ImageSet, LeftOut
from models.data.photographs import decoded

__all__ = ["Fitzpatrick17k"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fitzpatrick17k:
    r"""The data set at one place, read by `images`.

    Parameters
    ----------
    root : path, optional
        A folder with ``fitzpatrick17k.csv`` and ``<md5hash>.jpg`` beside it, in ``images/`` or in
        ``data/finalfitz17k/``, or a zip archive laid out in the same way. Without it the folder FAIRNESS_DATA is
        searched: itself, ``fitzpatrick17k/`` in it, then `archives`, whose sha256 is checked.
    dark_types, light_types : collection of int
        Skin types of each group, 1 to 6. Rows of other types or of none are counted in `ImageSet.source`.
    check_md5 : bool, optional
        Whether an image whose content does not have the md5 that it is named by is corrupt. By default so in a
        folder, which holds the published files, and not in an archive, whose images were made smaller.
    keep_wrongly_labelled : bool
        Whether to use rows that the column ``qc`` marks as "3 Wrongly labelled".
    label : {"fitzpatrick_scale", "fitzpatrick_centaur"}
        Column with the skin types: the two that the data set was labelled by.
    archives : sequence of str
        Names in `models.data.fitzpatrick17k_files.ARCHIVES`; the first that is there is read, so the largest images.

    Raises
    ------
    ValueError
        Impossible skin types, or another label or archive.

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
    ...     images = Fitzpatrick17k(folder, check_md5=False).images(20)
    >>> images.pixels.shape, images.skin_tone.tolist(), images.left_out
    ((3, 3, 20, 20), ['light', 'dark', 'dark'], ())
    """

    root: str | os.PathLike[str] | None = None
    _: KW_ONLY
    dark_types: Collection[int] = (5, 6)
    light_types: Collection[int] = (1, 2)
    check_md5: bool | None = None
    keep_wrongly_labelled: bool = True
    label: str = SKIN_TYPE_LABELS[0]
    archives: Sequence[str] = tuple(ARCHIVES)

    def __post_init__(self) -> None:
        tones_of_types(self.light_types, self.dark_types)
        if self.label not in SKIN_TYPE_LABELS:
            raise ValueError(f"label={self.label!r}: give one of {', '.join(SKIN_TYPE_LABELS)}")
        if unknown := [name for name in self.archives if name not in ARCHIVES]:
            raise ValueError(f"archives: {unknown[0]!r} is none of {', '.join(ARCHIVES)}")

    def images(self, image_size: int) -> ImageSet:
        """Return the images of light and of dark skin, square and of one size, in the order of their md5hash.

        Parameters
        ----------
        image_size : int
            Pixels along an edge; `models.data.photographs.decoded` says how the middle square is reduced to it.

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
            A size that more than half of the images fall short of.
        """
        if image_size < 1:
            raise ValueError(f"image_size={image_size}: must be at least 1")
        tones = tones_of_types(self.light_types, self.dark_types)
        with opened(self.root, self.archives) as store:
            rows, unused = rows_of(store, tones, self.keep_wrongly_labelled, self.label)
            pixels = np.empty((len(rows), 3, image_size, image_size), dtype=np.uint8)
            check_md5 = store.original if self.check_md5 is None else self.check_md5
            faults, enlarged = _read_images(store, rows, pixels, check_md5)
        _refuse_ruins(store.name, faults, len(rows), enlarged, image_size)
        reasons = faults | repeated(rows, pixels, faults)
        used = [at for at in range(len(rows)) if at not in reasons]
        for tone in ("light", "dark"):
            if not any(rows[at].tone == tone for at in used):
                types = ", ".join(str(kind) for kind, its_tone in sorted(tones.items()) if its_tone == tone)
                raise UnusableData(
                    f"{store.name}: no image of {tone} skin (types {types} of {self.label}) is left; "
                    f"left out: {_counted(reasons.values())}; give other skin types or another label"
                )
        for new, old in enumerate(used):  # in place: a second array of this size would double the memory
            pixels[new] = pixels[old]
        notes = [f"{count:,} rows {why}" for why, count in unused.items()]
        notes += [f"{enlarged:,} enlarged"] * (enlarged > 0)
        notes += [f"skin types of column {self.label}"] * (self.label != SKIN_TYPE_LABELS[0])
        source = "; ".join([SOURCE, f"{store.name}: {len(used):,} images", *notes])
        _log.info("%s; left out %s", source, _counted(reasons.values()))
        return _image_set([rows[at] for at in used], pixels[: len(used)], source, _left_out(rows, reasons))


def _image_set(
    rows: Sequence[Row], pixels: npt.NDArray[np.uint8], source: str, left_out: tuple[LeftOut, ...]
) -> ImageSet:
    return ImageSet(
        name="fitzpatrick17k",
        pixels=pixels,
        skin_type=np.array([row.skin_type for row in rows], dtype=np.int8),
        skin_tone=np.array([row.tone for row in rows]),
        conditions={level: np.array([row.labels[i] for row in rows]) for i, level in enumerate(LEVELS)},
        ids=np.array([row.md5hash for row in rows]),
        synthetic=False,
        source=source,
        licence=LICENCE,
        left_out=left_out,
    )


def _left_out(rows: Sequence[Row], reasons: dict[int, str]) -> tuple[LeftOut, ...]:
    return tuple(LeftOut(rows[at].md5hash, reasons[at]) for at in sorted(reasons))


def _read_images(
    store: Store, rows: Sequence[Row], pixels: npt.NDArray[np.uint8], check_md5: bool
) -> tuple[dict[int, str], int]:
    """Fill `pixels`; return why a row has none, by position, and how many images were enlarged."""

    def read(at: int) -> tuple[str, bool]:
        try:
            content = store.read(rows[at].md5hash)
        except KeyError:
            return "missing", False
        except Exception as error:  # a damaged archive raises nearly anything
            return f"corrupt: {_why(error)}", False
        if check_md5 and not is_md5_of(rows[at].md5hash, content):
            return "corrupt: content does not match its md5", False
        try:
            pixels[at], enlarged = decoded(content, pixels.shape[-1])
        except MemoryError:
            raise
        except UnidentifiedImageError:  # its message holds an address in memory
            return "corrupt: not an image", False
        except Exception as error:
            return f"corrupt: {_why(error)}", False
        return "", enlarged

    Image.init()  # before the threads: Pillow loads its readers at first use
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # decoding releases the interpreter's lock
        done = list(pool.map(read, range(len(rows))))
    return {at: fault for at, (fault, _) in enumerate(done) if fault}, sum(enlarged for _, enlarged in done)


def _why(error: Exception) -> str:
    """Return what an error says; of the system's ones not the whole message, which holds a path of the machine."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


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


def _counted(reasons: Iterable[str]) -> str:
    kinds = Counter(reason.partition(":")[0] for reason in reasons)
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items())) or "none"
