"""The trainings of the dermatology study: one VAE for each mix and repeat, measured and kept, several at a time.

Each process trains with one thread, so that the numbers do not depend on how many there are. What a training depends
on is the name of its file: a study that was killed goes on where it stopped, and a second one trains nothing.

Needs torch and NumPy.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for_end
from pathlib import Path

import torch

from fairness_checks.storage.code_digest import code_digest
from models import vae_device
from models.data.images import ImageSet
from models.studies import dermatology_one, dermatology_protocol
from models.studies.dermatology_one import Setup, Task, Vgg, measured, network_file, vgg_of
from models.studies.dermatology_protocol import images_per_test_set
from models.studies.dermatology_record import StudyIncomplete
from models.studies.dermatology_store import MEASURES, read_arrays, write_arrays
from models.vae_code import TRAINING
from models.vae_config import MIXES, VAEConfig

__all__ = ["Trainings", "run_trainings"]

Progress = Callable[[int, int, float], None]
_SECONDS_BETWEEN_LOOKS = 0.5


@dataclass(frozen=True, slots=True)
class Trainings:
    """What `run_trainings` did.

    Attributes
    ----------
    files : dict of (str, int) to Path
        File of each mix and repeat.
    trained : int
        How many were trained in this call; the others were there.
    seconds : float
        That the call took.
    test_images : int
        Images of each test set.
    perceptual, features : str
        Which network the perceptual loss has, and which the feature error is of.
    device : str
        "cpu" or "cuda".
    torch : str
        Its version.
    """

    files: dict[tuple[str, int], Path]
    trained: int
    seconds: float
    test_images: int
    perceptual: str
    features: str
    device: str
    torch: str


def run_trainings(
    images: ImageSet,
    config: VAEConfig,
    folder: Path,
    *,
    seed: int = 0,
    device: str = "auto",
    jobs: int | None = 1,
    compiled: bool = False,
    vgg: Path | None = None,
    keep_networks: bool = False,
    progress: Progress | None = None,
) -> Trainings:
    """Train what is not there yet.

    Parameters
    ----------
    images : ImageSet
        Of the configuration's size.
    config : VAEConfig
        Network, training, and size of the study.
    folder : Path
        Measurements are kept in ``trainings`` in it.
    seed : int
        0 or more.
    device : {"auto", "cpu", "cuda"}
        Where to train.
    jobs : int, optional
        Processes that train side by side; 1 is this one, None 2 on a CPU and 1 on a GPU.
    compiled : bool
        Whether torch.compile translates the steps first; see `models.train_vae.train_vae`.
    vgg : Path, optional
        File of VGG19's or VGG16's weights; see `models.perceptual.perceptual_loss`.
    keep_networks : bool
        Whether each trained network is kept, in ``networks`` in the folder; one that is not there is trained again.
    progress : callable, optional
        Called with trainings done, trainings in all, and seconds; first with those that were there.

    Raises
    ------
    TrainingDiverged
        A loss became NaN or infinite. What the other processes trained is kept.
    PerceptualWeightsError
        Weights that the configuration asks for are not at hand.
    StudyIncomplete
        A process that trained was killed. What was trained before is kept.
    """
    start = time.monotonic()
    on = vae_device.resolve_device(device).type
    networks = vgg_of(config, vgg)
    each = images_per_test_set(images.skin_tone, config.test_images)
    setup = Setup(
        images.pixels, images.skin_tone, images.synthetic, config, each, seed, on, compiled, vgg, keep_networks
    )
    tasks = _tasks(setup, images.fingerprint(), networks, folder / "trainings")
    damaged = [task for task in tasks if read_arrays(task.path, task.key) is None]
    for task in damaged:
        task.path.unlink(missing_ok=True)  # its absence tells that it is not done

    def is_missing(task: Task) -> bool:
        return not task.path.exists() or (keep_networks and not network_file(task).is_file())

    missing = [task for task in tasks if is_missing(task)]

    def report() -> None:
        if progress is not None:
            done = len(tasks) - sum(map(is_missing, missing))
            progress(done, len(tasks), time.monotonic() - start)

    report()
    side_by_side = jobs if jobs is not None else 2 if on == "cpu" else 1
    if side_by_side > 1 and len(missing) > 1:
        try:
            _train_apart(setup, missing, side_by_side, report)
        except BrokenProcessPool:
            raise StudyIncomplete(
                f"{folder}: a process that trained was killed, perhaps for want of memory; run the same command again, "
                "which trains only what is missing, with --jobs 1 if it happens again"
            ) from None
    else:
        _train_here(setup, missing, networks, report)
    files = {(task.mix, task.repeat): task.path for task in tasks}
    sources = (networks.loss_source, networks.features_source)
    return Trainings(files, len(missing), time.monotonic() - start, each, *sources, on, str(torch.__version__))


def _tasks(setup: Setup, fingerprint: str, networks: Vgg, folder: Path) -> list[Task]:
    folder.mkdir(parents=True, exist_ok=True)
    depends_on = {
        "code": code_digest(*TRAINING, dermatology_protocol, dermatology_one),
        "config": setup.config.describe_training(),
        "train_images": setup.config.train_images,
        "test_images": setup.test_images,
        "images": fingerprint,
        "seed": setup.seed,
        "perceptual": networks.loss_source,
        "features": networks.features_source,
        "measures": MEASURES,
        "torch": torch.__version__,
        "device": setup.device,
        "compiled": setup.compiled,
    }
    if setup.device == "cuda":  # one GPU computes in bfloat16 what another, on which the study goes on, does not
        depends_on["precision"] = vae_device.resolve_precision(setup.config.precision, torch.device("cuda"))
    tasks = []
    for repeat in range(setup.config.repeats):
        for mix, shares in MIXES.items():
            key = json.dumps({**depends_on, "mix": [mix, dict(shares)], "repeat": repeat}, sort_keys=True)
            digest = hashlib.sha256(key.encode()).hexdigest()[:16]
            tasks.append(Task(mix, repeat, folder / f"{mix}-{repeat:02d}-{digest}.npz", key))
    return tasks


def _train_here(setup: Setup, tasks: Sequence[Task], networks: Vgg, report: Callable[[], None]) -> None:
    with vae_device.one_thread(setup.device):
        for task in tasks:
            write_arrays(task.path, task.key, measured(setup, task, networks))
            report()


def _train_apart(setup: Setup, tasks: Sequence[Task], jobs: int, report: Callable[[], None]) -> None:
    """Share the tasks out to processes; each file that appears is a training done."""
    jobs = min(jobs, len(tasks))
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(_work, setup, tasks[job::jobs]) for job in range(jobs)]
        while wait(futures, _SECONDS_BETWEEN_LOOKS).not_done:
            report()
        report()
        for future in futures:
            future.result()


def _work(setup: Setup, tasks: Sequence[Task]) -> None:
    """Train in a process of its own."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with warnings.catch_warnings():  # what the network of the loss is was told once, by the process that asked
        warnings.simplefilter("ignore", UserWarning)
        networks = vgg_of(setup.config, setup.vgg)
    _train_here(setup, tasks, networks, lambda: None)


def _end_with_parent() -> None:
    """End this process when the one that started it was killed; it would otherwise wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_end([parent.sentinel])
        os._exit(1)
