"""All that is asked of a GPU, within minutes: ``python -m benchmarks.gpu --out FOLDER [--minutes 8]``.

For a machine with one GPU, torch, NumPy, SciPy, Pillow, and pytest for the tests, without internet and without the
rest of this project's libraries. ``FAIRNESS_DATA`` names the folder of photographs and of VGG16's weights. In this
order:

- machine: versions; what products of matrices and a copy reach
- tests: those that need a GPU
- parity: each preset's network, loss and gradient on the GPU in float32, TF32 and bfloat16 beside the CPU's
- speed: images a second of each preset beside plain eager float32
- profile: what the steps of a training spend their time on, kernel by kernel
- study: as many trainings of `published`, or ``--preset paper``, as fit. A second run goes on where the first stopped:
  ``--parts study``, with ``--resume results.zip`` on another machine; ``--report-only`` of the study writes its report

Each part has a process and a limit of its own: one that fails, crashes or hangs is recorded, and the next goes on.
After each, ``FOLDER/PART.json`` is written, and ``FOLDER/results.zip`` with all of these and what the study measured.
The exit code is 1 where a part failed. ``--toy`` rehearses all of it on a CPU, in seconds and at no size.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fairness_checks.storage.files import write_atomically
from models.command_line import at_least

LIMITS: Mapping[str, float | None] = {
    "machine": 45,
    "tests": 110,
    "parity": 60,
    "speed": 110,
    "profile": 45,
    "study": None,
}
"""The parts in their order, and the most seconds of each; None is all that is left."""

LAST_SECONDS = 8.0
"""Kept for the archive and the summary."""

LEAST_SECONDS = 5.0
"""A part that would have less is left out."""

PROGRAM = (sys.executable, "-m", "benchmarks.gpu_parts")
ROOT = Path(__file__).resolve().parents[1]
ARCHIVE = "results.zip"
UNFINISHED = "it did not come to its end"  # of a part, until it says otherwise
TAIL = 30  # lines of a part's output that are kept


def run_parts(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Run each part in a process of its own, and return its record by name."""
    end = time.monotonic() + 60 * options.minutes - LAST_SECONDS
    options.out.mkdir(parents=True, exist_ok=True)
    if options.resume is not None:
        unpack(options.resume, options.study)
    records = {}
    for name in options.parts:
        (options.out / f"{name}.json").unlink(missing_ok=True)  # of an earlier run
        left = end - time.monotonic()
        limit = min(left, LIMITS[name] or left)
        if limit < LEAST_SECONDS:
            record: dict[str, Any] = {"error": f"left out: {max(left, 0):.0f} s were left"}
        else:
            record = run_part(name, limit, options)
        records[name] = record
        write_json(options.out / f"{name}.json", record)
        pack(options.out, options.study)
        print(f"{name}: {record.get('error') or 'done'}, {record.get('seconds', 0):.0f} s", flush=True)
    return records


def run_part(name: str, limit: float, options: argparse.Namespace) -> dict[str, Any]:
    """Run one part, and return what it wrote, with its time and, where it did not come to its end, the reason."""
    start = time.monotonic()
    path, log = options.out / f"{name}.json", options.out / f".{name}.log"
    given = {"out": path, "study": options.study, "device": options.device, "preset": options.preset}
    given |= {"began": start, "seconds": limit}
    command = [*PROGRAM, name, *(f"--{key}={value}" for key, value in given.items())]
    command += ["--toy"] if options.toy else []
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with log.open("wb") as output:
        part = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            problem = {0: None}.get(part.wait(limit), f"exit code {part.returncode}")
        except subprocess.TimeoutExpired:
            problem = f"stopped after {limit:.0f} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(part.pid, signal.SIGKILL)  # and whatever it started
            part.wait()
    said = log.read_text(errors="replace").splitlines()[-TAIL:]
    log.unlink()
    record = json.loads(path.read_text()) if path.is_file() else {}
    error = record.get("error", "it wrote nothing")
    if error == UNFINISHED or (problem and not error):
        error = problem or error
    return {**record, "error": error, "seconds": time.monotonic() - start, "output": said if error else []}


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record, whole or not at all."""
    write_atomically(path, f"{json.dumps(record, indent=1)}\n".encode(), durable=False)


def pack(folder: Path, study: Path) -> None:
    """Write the archive anew: the records of the parts, and the folder of the study."""
    temporary = folder / f".{ARCHIVE}.tmp"
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.glob("*.json")):
            archive.write(path, path.name)
        for path in sorted(study.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                archive.write(path, f"study/{path.relative_to(study).as_posix()}")
    temporary.replace(folder / ARCHIVE)


def unpack(archive: Path, study: Path) -> None:
    """Bring back what the study of another run measured; a training that is not of this study is not used by it."""
    with zipfile.ZipFile(archive) as kept:
        for name in kept.namelist():
            parts = Path(name).parts
            if parts[0] == "study" and parts[1:-1] in ((), ("trainings",)) and parts[-1].endswith(".npz"):
                target = study.joinpath(*parts[1:])
                target.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(target, kept.read(name), durable=False)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="where records and archive are written")
    where = Path("build/gpu_study")  # not in --out: machines that are lent bring few files back
    parser.add_argument("--study", type=Path, default=where, help="where the study is kept (default: %(default)s)")
    parser.add_argument(
        "--resume", type=Path, metavar="ZIP", help="results.zip of another run, with whose study to go on"
    )
    parser.add_argument("--minutes", type=at_least(1), default=8, help="for all parts together (default: 8)")
    parser.add_argument("--parts", nargs="+", choices=LIMITS, default=list(LIMITS), help="which (default: all)")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="default: cuda")
    parser.add_argument("--preset", choices=("published", "paper"), default="published", help="of the study")
    parser.add_argument("--toy", action="store_true", help="rehearse: tiny networks, phantoms")
    options = parser.parse_args(arguments)
    if options.resume is not None and not zipfile.is_zipfile(options.resume):
        parser.error(f"--resume {options.resume}: not there, or no ZIP archive")
    options.out, options.study = options.out.resolve(), options.study.resolve()  # the parts run in the project's folder
    options.parts = [name for name in LIMITS if name in options.parts]
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts and print what came of them; return 1 where one failed."""
    options = parse(arguments)
    records = run_parts(options)
    for name, record in records.items():
        print("\n".join(["", name, *(f"  {line}" for line in record.get("lines", []))]))
    print(f"\n{options.out / ARCHIVE}")
    return int(any(record["error"] for record in records.values()))


if __name__ == "__main__":
    sys.exit(main())
