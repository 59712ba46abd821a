"""What a gate leaves behind when it is killed, runs five times at once, or has no room: ``python -m benchmarks.kills``.

A scratch project has a sweep, a baseline, pseudonyms and a JUnit file. First it runs undisturbed. Then, in rounds that
each begin with nothing, processes are killed at random moments, with and without workers; after each kill all that a
run keeps must be readable: baseline, outcomes, key, every line of the sweeps. After each round, and after five updates
at once, and after runs whose files could not grow, the next run must say the same numbers as the undisturbed one.

JUnit files are pytest's own, which writes them at the end and not whole: those that a kill cut are counted.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from xml.etree import ElementTree as ET

from benchmarks.sweep_project import MODEL
from fairness_checks import CheckRecord
from fairness_checks.baseline.outcomes_file import read_arrays
from fairness_checks.baseline.reading import read_baseline
from fairness_checks.baseline.secret_key import VARIABLE, find_key
from fairness_checks.errors import FairnessError
from fairness_checks.report.junit import RECORD_PROPERTY
from fairness_checks.storage.entries import unpacked
from fairness_checks.storage.keyed import Log

ROOT = Path(__file__).parents[1]
MODELS = f"""{MODEL}

@fairness_model
def fixed():
    rng = np.random.default_rng(1)
    sex = np.repeat(["female", "male"], 500)
    score = rng.random(1000)
    truth = rng.random(1000) < score
    return Predictions(truth, y_score=score, sensitive_features={{"sex": sex}}, sample_id=10_000 + np.arange(1000))
"""
LIMITS = """
version: 1
models:
  swept:
    sweep:
      by: sex
      mixes: {as_is: as_is, half: {female: 0.5, male: 0.5}, men: {male: 1.0}}
      repeats: 12
      checks: [{metric: accuracy, gap: each_mix, max_difference: 0.9}]
    regression: [{metric: accuracy, by: sex, max_worsening: 0.5}]
  fixed:
    regression:
      - {metric: false_negative_rate, by: sex, max_worsening: 0.1}
      - {metric: roc_auc, by: sex, max_worsening: 0.1, of: each_group}
"""
UPDATE = "--fairness-update-baseline"
RUNS = ((UPDATE,), ("--fairness-jobs=2",), (UPDATE, "-n2"), ("-n2",), (UPDATE, "--fairness-jobs=2"), ())


class Project:
    """A scratch project.

    Parameters
    ----------
    folder : Path
        Made, and filled.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.baseline = folder / "fairness-baseline.json"
        folder.mkdir()
        for name, text in (("conftest.py", MODELS), ("thresholds.yaml", LIMITS), ("pytest.ini", "[pytest]\n")):
            (folder / name).write_text(text, encoding="utf-8")

    def start(self, *arguments: str, most: int | None = None) -> subprocess.Popen[str]:
        """Start a gate in a session of its own; with `most`, no file of it can grow beyond so many bytes."""
        environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
        environment |= {"OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "xdist", "-p", "fairness_checks.plugin", "--fairness"]

        def limited() -> None:
            if most is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

        return subprocess.Popen(
            [*command, *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=limited,  # this process has one thread
        )

    def run(self, *arguments: str, most: int | None = None) -> tuple[int, str]:
        """Run a gate to its end; return its exit code and what it printed."""
        with self.start(*arguments, most=most) as process:
            out, _ = process.communicate()
            return process.returncode, out

    def numbers(self) -> list[str]:
        """Update the baseline, compare with it, and return the records of the comparison without their dates."""
        for arguments in ((UPDATE,), ("--junitxml=junit.xml",)):
            code, out = self.run(*arguments)
            if code != 0:
                raise SystemExit(f"{self.folder}: an undisturbed run ended with {code}:\n{out}")
        found = []
        for node in ET.parse(self.folder / "junit.xml").iter("property"):
            if node.get("name") == RECORD_PROPERTY:
                record = CheckRecord.from_json(str(node.get("value")))
                if record.regression is not None:
                    record = dataclasses.replace(
                        record, regression=dataclasses.replace(record.regression, baseline_date=None)
                    )
                found.append(record.to_json())
        return sorted(found)

    def problems(self) -> list[str]:
        """Say what cannot be read of all that runs have left, and what has no place there."""
        found = []
        try:
            find_key(self.baseline)
            baseline = read_baseline(self.baseline)
            for model in baseline.models.values() if baseline is not None else ():
                if model.outcomes is not None:
                    read_arrays(self.folder / model.outcomes.file, model.outcomes)
        except FairnessError as error:
            found.append(str(error))
        for log in self.folder.rglob("*.log"):
            content = log.read_bytes()
            lines = content[: content.rfind(b"\n") + 1].splitlines(keepends=True)
            if len(Log(log).read()[0]) != len(lines):
                found.append(f"{log}: {len(lines)} lines, of which {len(Log(log).read()[0])} are whole and of a key")
        found += [str(file) for file in self.folder.rglob("*.entry") if unpacked(file.read_bytes()) is None]
        ignore = self.folder / ".gitignore"
        # The key's line, then the lock's: each is there whole or not at all.
        wanted = [".fairness-baseline.key\n", ".fairness-baseline.json.lock\n"]
        ignored = ignore.read_text(encoding="utf-8").splitlines(keepends=True) if ignore.exists() else []
        if ignored != wanted[: len(ignored)]:
            found.append(f"{ignore}: {ignored}")
        return found

    def junit_is_cut(self) -> bool:
        """Say whether pytest's file is there and no XML."""
        try:
            ET.parse(self.folder / "killed.xml")
        except FileNotFoundError:
            return False
        except ET.ParseError:
            return True
        return False


def took(project: Project, arguments: tuple[str, ...]) -> float:
    """Return how many seconds a run takes where nothing has been kept."""
    shutil.rmtree(project.folder / ".pytest_cache")
    begun = time.monotonic()
    project.run(*arguments)
    return time.monotonic() - begun


def killed(project: Project, seconds: Mapping[tuple[str, ...], float], rng: random.Random, turn: int) -> str:
    """Kill a run after a random time, alone or with its workers; say what became of it."""
    arguments = RUNS[turn % len(RUNS)]
    (project.folder / "killed.xml").unlink(missing_ok=True)
    with project.start(*arguments, "--junitxml=killed.xml") as process:
        with suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0.0, 1.1 * seconds[arguments]))
            return "ended before"
        if rng.random() < 0.5:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
        with suppress(ProcessLookupError):  # workers that outlive it have a moment to do what they do
            time.sleep(0.2)
            os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()  # type: ignore[union-attr]  # it is a pipe
    return "killed"


def kills(
    folder: Path,
    count: int,
    a_round: int,
    right: Sequence[str],
    seconds: Mapping[tuple[str, ...], float],
    seed: int,
) -> Counter[str]:
    """Kill runs, and return what was seen."""
    seen: Counter[str] = Counter({"killed": 0, "rounds": 0, "unreadable": 0, "other numbers": 0, "ended before": 0})
    rng, project = random.Random(seed), None
    while seen["killed"] < count:
        if project is None or seen["killed"] % a_round == 0:
            project = Project(folder / f"round-{seen['rounds']}")
            seen["rounds"] += 1
        for _ in range(min(a_round, count - seen["killed"])):
            while (end := killed(project, seconds, rng, seen["killed"])) != "killed":
                seen[end] += 1
            seen["killed"] += 1
            for problem in (found := project.problems()):
                sys.stderr.write(f"{problem}\n")
            seen["unreadable"] += bool(found)
            seen["cut JUnit files"] += project.junit_is_cut()
        seen["other numbers"] += project.numbers() != right
        leftovers = [file for file in project.folder.rglob("*.tmp") if ".pytest_cache" not in file.parts]
        seen["leftovers after the next run"] += len(leftovers)
    return seen


def at_once(folder: Path, count: int, right: Sequence[str]) -> Counter[str]:
    """Update a baseline by several runs at once, first where there is none, then again."""
    project = Project(folder / "at-once")
    seen: Counter[str] = Counter({"unreadable": 0, "other numbers": 0})
    for _ in range(2):
        running = [project.start(UPDATE) for _ in range(count)]
        for process in running:
            out, _ = process.communicate()
            seen[f"exit {process.returncode}"] += 1
            if process.returncode:
                sys.stderr.write(out)
        seen["unreadable"] += bool(project.problems())
    seen["other numbers"] += project.numbers() != right
    return seen


def no_room(folder: Path, right: Sequence[str]) -> Counter[str]:
    """Update where files cannot grow, then where the file system is full, then undisturbed."""
    seen: Counter[str] = Counter({"unreadable": 0, "other numbers": 0, "tracebacks": 0, "green": 0})
    for most in (64, 1_000, 3_000, 10_000, 30_000):
        _judge_no_room(Project(folder / f"limit-{most}"), most, right, seen)
    for kilobytes in (16, 32, 64, 128):
        with _small_disk(folder / f"disk-{kilobytes}", kilobytes) as disk:
            if disk is None:
                seen["disks that could not be mounted"] += 1
                continue
            _judge_no_room(Project(disk / "project"), None, right, seen, disk)
    return seen


def _judge_no_room(
    project: Project, most: int | None, right: Sequence[str], seen: Counter[str], disk: Path | None = None
) -> None:
    code, out = project.run(UPDATE, most=most)
    seen["runs"] += 1
    seen["green"] += code == 0 and not project.baseline.exists()
    if "Traceback" in out or "INTERNALERROR" in out:
        seen["tracebacks"] += 1
        sys.stderr.write(out)
    found = project.problems()
    for problem in found:
        sys.stderr.write(f"{problem}\n")
    seen["unreadable"] += bool(found)
    if disk is not None:
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
    seen["other numbers"] += project.numbers() != right


@contextmanager
def _small_disk(folder: Path, kilobytes: int) -> Iterator[Path | None]:
    """Mount a file system of some size, as only root may; None where it cannot be."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was seen; return 1 where something was unreadable, or said other numbers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--round", type=int, default=10, help="kills before a run that is not disturbed")
    parser.add_argument("--at-once", type=int, default=5, help="updates at once; 0 for none")
    parser.add_argument("--no-room", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="fairness-kills-") as name:
        folder = Path(name)
        undisturbed = Project(folder / "undisturbed")
        right = undisturbed.numbers()
        seconds: dict[tuple[str, ...], float] = {arguments: took(undisturbed, arguments) for arguments in RUNS}
        print(
            f"{len(right)} records; undisturbed runs take {min(seconds.values()):.1f} to {max(seconds.values()):.1f} s"
        )
        found = {f"{options.kills} kills": kills(folder, options.kills, options.round, right, seconds, options.seed)}
        if options.at_once:
            found[f"{options.at_once} updates at once"] = at_once(folder, options.at_once, right)
        if options.no_room:
            found["no room"] = no_room(folder, right)
    for label, seen in found.items():
        print(f"{label}: {', '.join(f'{what} {count}' for what, count in seen.items())}")
    bad = ("unreadable", "other numbers", "tracebacks", "green", "leftovers after the next run")
    return int(any(seen[what] for seen in found.values() for what in bad))


if __name__ == "__main__":
    sys.exit(main())
