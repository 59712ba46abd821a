"""What the dermatology study keeps in its folder: arrays of numbers and JSON, written whole or not at all.

Nothing is unpickled. A file that is damaged, or of something else, counts as missing.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.storage.files import open_regular, write_atomically
from models.data.images import LEVELS, ImageSet
from models.studies.dermatology_protocol import TONES
from models.studies.dermatology_record import FORMAT, PAGES, RECORD, REMEDY, StudyIncomplete, read_record, same_study
from models.vae_config import MIXES

__all__ = ["MEASURES", "Measurements", "load_study", "read_arrays", "save_study", "write_arrays"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

MEASURES = ("mse", "mse_less_colour", "tone_shift", "feature_error", "latent_sd", "kl")
"""What is kept of each test image; see `models.vae_measure.ImageMeasurements`."""

_KEY = "key"
_DIGEST = "sha256"
_MAY_LACK = ("feature_error",)  # where no pre-trained network was at hand: NaN of all images
_LABELS = "labels.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Measurements:
    """All measurements of a study: M mixes, J repeats, skin tones light and dark, m test images of each.

    Attributes
    ----------
    record : mapping of str to Any
        What was done: preset, configuration, data, perceptual loss, torch.
    tones : ndarray of str, shape (n,)
        Skin tone of each image of the data set.
    conditions : mapping of str to ndarray of str
        Labels (n,) at each of `models.data.images.LEVELS`.
    mixes : tuple of str
        Names of the mixes.
    test : ndarray of int, shape (J, 2, m)
        Positions of the test images in the data set.
    mse : ndarray, shape (M, J, 2, m)
        Mean squared error of each test image; pixels in [-1, 1].
    mse_less_colour, tone_shift, feature_error : ndarray, shape (M, J, 2, m)
        The same without the mean colour, reconstruction less image, and distance in the features of a VGG network, NaN
        where none was at hand; see `models.vae_measure.ImageMeasurements`.
    latent_sd : ndarray, shape (M, J, 2, m)
        Mean standard deviation of its latent code.
    kl : ndarray, shape (M, J, 2, m)
        Divergence of its latent code from the prior, in nats.
    trained, distinct : ndarray of int, shape (M, J, 2)
        Training images of each skin tone, and how many different ones.
    seconds, images_per_second : ndarray, shape (M, J)
        Of each training.
    cpu_seconds : ndarray, shape (M, J)
        Processor time of its process, with what was measured.
    devices, precisions : tuple of str
        On which devices, and in which precision, was trained.
    examples : mapping of str to ndarray of uint8
        "original" and each mix to a few test images of the first repeat, (2, k, 3, S, S); empty for photographs.
    """

    record: Mapping[str, Any]
    tones: npt.NDArray[np.str_]
    conditions: Mapping[str, npt.NDArray[np.str_]]
    mixes: tuple[str, ...]
    test: npt.NDArray[np.int64]
    mse: Floats
    mse_less_colour: Floats
    tone_shift: Floats
    feature_error: Floats
    latent_sd: Floats
    kl: Floats
    trained: npt.NDArray[np.int64]
    distinct: npt.NDArray[np.int64]
    seconds: Floats
    images_per_second: Floats
    cpu_seconds: Floats
    devices: tuple[str, ...]
    precisions: tuple[str, ...]
    examples: Mapping[str, npt.NDArray[np.uint8]]

    @property
    def repeats(self) -> int:
        """Return the number of repeats."""
        return int(self.mse.shape[1])

    @property
    def test_images(self) -> int:
        """Return the number of images in each test set."""
        return int(self.mse.shape[3])

    @property
    def sizes(self) -> dict[str, int]:
        """Return the number of images of each skin tone in the data set."""
        return {tone: int((self.tones == tone).sum()) for tone in TONES}


def write_arrays(path: Path, key: str, arrays: Mapping[str, Array]) -> None:
    """Write arrays with the text that says what they are and their sha256; the same arrays give the same bytes."""
    content = io.BytesIO()
    members: dict[str, Any] = {_KEY: np.array(key), **arrays}
    members[_DIGEST] = np.array(_digest(members))
    np.savez(content, **members)
    write_atomically(path, content.getvalue(), durable=False)


def read_arrays(path: Path, key: str | None = None) -> dict[str, Array] | None:
    """Return what `write_arrays` wrote; None if it is missing, damaged, edited or of another key than the one given.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_arrays(Path(folder, "a.npz"), "of this", {"x": np.arange(3)})
    ...     read_arrays(Path(folder, "a.npz"), "of this"), read_arrays(Path(folder, "a.npz"), "of that")
    ({'x': array([0, 1, 2])}, None)
    """
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as stored:
            if key is not None and str(stored[_KEY]) != key:
                return None
            members = {name: stored[name] for name in stored.files}
            if str(members.pop(_DIGEST)) != _digest(members):
                return None
            return {name: values for name, values in members.items() if name != _KEY}
    except Exception:  # damaged bytes raise nearly anything; all of it means: not there
        return None


def save_study(
    folder: Path, record: Mapping[str, Any], images: ImageSet, trainings: Mapping[tuple[str, int], Path]
) -> None:
    """Write what the report needs besides the measurements: labels, and which file is which training.

    Where the folder held another study, the `PAGES` that were made of that one go: they would stand beside this one's.

    Parameters
    ----------
    folder : Path
        Of the study.
    record : mapping of str to Any
        Plain builtins.
    images : ImageSet
        Its skin tones and conditions are kept; pixels and names are not.
    trainings : mapping of (str, int) to Path
        File of each mix and repeat, within the folder.
    """
    labels = {"skin_tone": images.skin_tone, **{level: images.conditions[level] for level in LEVELS}}
    files = [
        {"mix": mix, "repeat": repeat, "file": path.relative_to(folder).as_posix(), "sha256": _sha256(path)}
        for (mix, repeat), path in trainings.items()
    ]
    whole = {"format": FORMAT, **record, "trainings": files}
    told = folder / RECORD
    if told.exists() and not same_study(told, whole):
        for pattern in PAGES:
            for page in folder.glob(pattern):
                page.unlink(missing_ok=True)
    write_arrays(folder / _LABELS, images.fingerprint(), labels)
    write_atomically(told, f"{json.dumps(whole, indent=1, sort_keys=True)}\n".encode(), durable=False)


def load_study(folder: Path) -> Measurements:
    """Read the measurements that a folder holds; neither images nor torch are needed.

    Raises
    ------
    StudyIncomplete
        A file is missing or is not what was measured.
    """
    record = read_record(folder)
    labels = read_arrays(folder / _LABELS, record["data"]["fingerprint"])
    if labels is None:
        raise StudyIncomplete(f"{folder / _LABELS}: missing or damaged; {REMEDY}")
    mixes = tuple(dict.fromkeys(item["mix"] for item in record["trainings"]))
    found = {(item["mix"], item["repeat"]): _training(folder, item) for item in record["trainings"]}
    repeats = sorted({repeat for _, repeat in found})

    def of(name: str, *shape: int) -> Array:
        each = np.array([[found[mix, repeat][name] for repeat in repeats] for mix in mixes])
        return each.reshape(len(mixes), len(repeats), *shape)

    def words(name: str) -> tuple[str, ...]:
        return tuple(sorted({str(arrays[name]) for arrays in found.values()}))

    test = of("test", 2, -1)
    if (test != test[0]).any() or (labels["skin_tone"][test[0]] != np.array(TONES)[:, None]).any():
        raise StudyIncomplete(f"{folder / RECORD}: trainings of other test images than its own; {REMEDY}")
    trained = of("trained", 2)
    for own, mix in zip(trained, mixes, strict=True):
        if any(((own[:, g] > 0) != (MIXES[mix].get(tone, 0) > 0)).any() for g, tone in enumerate(TONES)):
            raise StudyIncomplete(f"{folder / RECORD}: trainings of another mix called {mix}; {REMEDY}")
    firsts = {mix: found[mix, repeats[0]] for mix in mixes if "reconstructed" in found[mix, repeats[0]]}
    examples = {mix: arrays["reconstructed"] for mix, arrays in firsts.items()}
    return Measurements(
        record=record,
        tones=labels["skin_tone"],
        conditions={level: labels[level] for level in LEVELS},
        mixes=mixes,
        test=test[0],
        **{name: of(name, 2, -1).astype(np.float64) for name in MEASURES},
        trained=trained,
        distinct=of("distinct", 2),
        seconds=of("seconds"),
        images_per_second=of("images_per_second"),
        cpu_seconds=of("cpu_seconds"),
        devices=words("device"),
        precisions=words("precision"),
        examples={"original": firsts[mixes[0]]["original"], **examples} if firsts else {},
    )


def _training(folder: Path, item: Mapping[str, Any]) -> dict[str, Array]:
    path = folder / item["file"]
    arrays = read_arrays(path)
    if arrays is None or _sha256(path) != item["sha256"] or not {*MEASURES, "test"} <= set(arrays):
        raise StudyIncomplete(f"{path}: missing or damaged; run the study again, which trains this one anew")
    for name in MEASURES:
        known = np.isfinite(arrays[name])
        if not (known.all() or (name in _MAY_LACK and np.isnan(arrays[name]).all())):
            raise StudyIncomplete(
                f"{path}: {name} is NaN or infinite of {known.size - known.sum()} of {known.size} images; remove the "
                "file and run the study again, which trains this one anew; where it stays so, with another --seed"
            )
    return arrays


def _digest(members: Mapping[str, Array]) -> str:
    digest = hashlib.sha256()
    for name in sorted(members):
        values = np.ascontiguousarray(members[name])
        digest.update(repr((name, values.dtype.str, members[name].shape)).encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
