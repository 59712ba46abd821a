"""The script for a GPU on a CPU: each part at toy size, and what becomes of parts that fail, crash or hang."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import gpu, gpu_parts
from models.studies import dermatology
from models.studies.dermatology_store import write_arrays
from models.vae_config import VAEConfig
from tests.builders import instead

STAND_IN = """
import json, os, signal, subprocess, sys, time
part, arguments = sys.argv[1], sys.argv[2:]
value = dict(each.split("=", 1) for each in arguments if "=" in each)
def write(**record):
    with open(value["--out"], "w") as file:
        json.dump(record, file)
print(f"this is {part}, of {float(value['--seconds']):.0f} s")
if part == "machine":
    write(error=None, lines=["a machine"], device=value["--device"])
elif part == "tests":
    write(error="it did not come to its end", lines=["half"])
    raise SystemExit("pytest is not here")
elif part == "parity":
    write(error="it did not come to its end", lines=["half"])
    os.kill(os.getpid(), signal.SIGSEGV)
elif part == "speed":
    write(error="it did not come to its end", lines=["half"])
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with open(value["--out"] + ".new", "w") as file:
        file.write(str(started.pid))
    os.rename(value["--out"] + ".new", value["--out"] + ".pid")
    time.sleep(600)
elif part == "study":
    os.makedirs(value["--study"] + "/trainings", exist_ok=True)
    with open(value["--study"] + "/trainings/A-00-0.npz", "w") as file:
        file.write("measured")
    write(error=None, lines=["one"])
"""


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    """Put a program in the place of the parts that needs no torch and behaves badly.

    Time passes for one that hangs alone, all that it has once it does: no machine is too busy to start it.
    """
    program = tmp_path / "parts.py"
    program.write_text(STAND_IN)
    monkeypatch.setattr(gpu, "PROGRAM", (sys.executable, str(program)))
    out, now = tmp_path / "out", [0.0]

    class Part(subprocess.Popen):
        def wait(self, timeout=None):
            if timeout is not None and "speed" in self.args:
                while not (out / "speed.json.pid").exists():
                    assert self.poll() is None
                    time.sleep(0.01)
                now[0] += timeout
                timeout = 0.0
            return super().wait(timeout)

    monkeypatch.setattr(gpu, "subprocess", instead(subprocess, Popen=Part))
    monkeypatch.setattr(gpu, "time", instead(time, monotonic=lambda: now[0]))
    return out


def main(out, *more):
    return gpu.main(["--out", str(out), "--study", str(out.with_name("study")), *more])


def test_a_part_that_fails_crashes_or_hangs_is_recorded_and_the_next_goes_on(stand_ins, capsys):
    assert main(stand_ins) == 1
    records = {name: json.loads((stand_ins / f"{name}.json").read_text()) for name in gpu.LIMITS}
    assert {name: record["error"] for name, record in records.items()} == {
        "machine": None,
        "tests": "exit code 1",
        "parity": "exit code -11",
        "speed": "stopped after 110 s",
        "profile": "it wrote nothing",
        "study": None,
    }
    assert records["machine"]["device"] == "cuda"
    assert records["tests"]["output"] == ["this is tests, of 110 s", "pytest is not here"]
    assert records["speed"]["lines"] == ["half"]
    assert records["machine"]["output"] == []
    with zipfile.ZipFile(stand_ins / gpu.ARCHIVE) as archive:
        assert archive.read("study/trainings/A-00-0.npz") == b"measured"
        assert json.loads(archive.read("parity.json"))["error"] == "exit code -11"
        assert len(archive.namelist()) == 7
    shown = capsys.readouterr().out
    assert "speed: stopped after 110 s, 110 s" in shown
    assert "  a machine" in shown
    assert not list(stand_ins.glob(".*"))
    pid = int((stand_ins / "speed.json.pid").read_text())
    assert not _runs(pid)  # what a part has started ends with it


def _runs(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_the_time_is_for_all_parts_together(stand_ins, monkeypatch):
    monkeypatch.setattr(gpu, "LAST_SECONDS", 55.0)
    assert main(stand_ins, "--minutes", "1", "--parts", "study", "speed", "profile") == 1
    errors = [json.loads((stand_ins / f"{name}.json").read_text())["error"] for name in ("speed", "profile", "study")]
    assert errors == ["stopped after 5 s", *["left out: 0 s were left"] * 2]


def test_the_study_of_another_run_goes_on(stand_ins, tmp_path):
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("machine.json", "{}")
        archive.writestr("study/labels.npz", "labels")
        archive.writestr("study/study.json", "{}")
        archive.writestr("study/trainings/B-00-0.npz", "of before")
        archive.writestr("study/trainings/../../../outside.npz", "outside")
        archive.writestr("study/../outside.npz", "outside")
    main(stand_ins, "--parts", "study", "--resume", str(other))
    with zipfile.ZipFile(stand_ins / gpu.ARCHIVE) as archive:
        assert sorted(archive.namelist()) == [
            "study.json",
            "study/labels.npz",
            "study/trainings/A-00-0.npz",
            "study/trainings/B-00-0.npz",
        ]
    assert not list(tmp_path.rglob("outside.npz"))


def test_an_archive_that_is_none_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(tmp_path, "--resume", str(tmp_path / "nothing.zip"))
    assert "nothing.zip: not there, or no ZIP archive" in capsys.readouterr().err


# --- the parts


@pytest.fixture
def options(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.vae.STRETCHES", 1)
    return argparse.Namespace(device=torch.device("cpu"), toy=True, study=tmp_path / "study", seconds=60.0)


def ran(part, options, tmp_path):
    record = gpu_parts.Record(tmp_path / f"{part}.json")
    gpu_parts.PARTS[part](record, options)
    record.end()
    return json.loads(record.path.read_text())


def test_the_parts_are_those_of_the_script():
    assert list(gpu_parts.PARTS) == list(gpu.LIMITS)


def test_machine(options, tmp_path):
    found = ran("machine", options, tmp_path)
    assert found["torch"] == torch.__version__
    assert min(found[f"tflop_a_second_{how}"] for how in ("bfloat16", "TF32", "float32")) > 0
    assert torch.get_float32_matmul_precision() == "highest"


def test_parity_sees_rounding_and_refuses_more(options, tmp_path, monkeypatch):
    found = ran("parity", options, tmp_path)
    for name in gpu_parts.PRESETS_BY_SIZE:
        assert found[name]["float32"]["gradient"] == found[name]["measured"] == 0
        assert 1e-4 < found[name]["bfloat16"]["reconstruction"] < 0.05
    monkeypatch.setattr(gpu_parts, "PRESETS_BY_SIZE", ("cpu",))
    one_pass = gpu_parts.one_pass

    def spoiled(config, loss, pixels, device, how):
        seen, network = one_pass(config, loss, pixels, device, how)
        return {**seen, "gradient": seen["gradient"] * (float("nan") if how == "TF32" else 1)}, network

    monkeypatch.setattr(gpu_parts, "one_pass", spoiled)
    with pytest.raises(RuntimeError, match=r"^further from the CPU than rounding explains: cpu in TF32$"):
        ran("parity", options, tmp_path)


def test_speed(options, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_parts, "PRESETS_BY_SIZE", ("published", "cpu"))
    found = ran("speed", options, tmp_path)
    for name in ("published", "cpu"):
        assert set(found[name]["images_per_second"]) == {"ours", "plain"}
        assert found[name]["share_of_peak"] > 0
    assert found["published"]["flop_an_image"] > found["cpu"]["flop_an_image"] / 100 > 0


def test_profile(options, tmp_path):
    found = ran("profile", options, tmp_path)
    kernels = found["published"]["kernels"]
    assert any("convolution" in row["kernel"] for row in kernels)
    shown = sum(row["ms"] for row in kernels) + found["published"]["ms_of_the_others"]
    assert shown == pytest.approx(found["published"]["ms_busy"])


def test_tests_are_told_by_their_outcome(options, tmp_path, monkeypatch):
    outcomes = "\n".join(
        f"tests/a.py::test_{n} {said} [ 33%]" for n, said in enumerate(["PASSED", "FAILED", "SKIPPED (x)"])
    )
    monkeypatch.setattr(gpu_parts, "PYTEST", (sys.executable, "-c", f"print({outcomes!r}); raise SystemExit(1)"))
    with pytest.raises(RuntimeError, match="pytest ended with 1; 3 tests had an outcome"):
        ran("tests", options, tmp_path)
    found = json.loads((tmp_path / "tests.json").read_text())
    assert found["outcomes"] == {
        "tests/a.py::test_0": "passed",
        "tests/a.py::test_1": "failed",
        "tests/a.py::test_2": "skipped",
    }


@pytest.mark.parametrize("killed", [False, True])
def test_study_keeps_what_was_trained_and_records_whole_repeats(options, tmp_path, monkeypatch, killed):
    """The command in this process; where it is killed, by the time after its last training."""
    asked = []

    def run(command, *, check, timeout):
        assert command[:3] == [sys.executable, "-m", "models.studies.dermatology"]
        asked.append(command[3:])
        assert dermatology.main(command[3:]) == 0
        if killed and len(asked) == 1:
            (options.study / "study.json").unlink()
            raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(gpu_parts, "subprocess", instead(subprocess, run=run))
    for name, value in {"epochs": 1, "train_images": 16, "test_images": 8}.items():
        monkeypatch.setitem(dermatology.QUICK, name, value)
    monkeypatch.delenv("FAIRNESS_DATA", raising=False)
    options.study.mkdir()
    (options.study / "study.json").write_text("of an earlier run")
    found = ran("study", options, tmp_path)
    assert (found["trained"], found["complete"]) == (6, 2)
    assert set(found["A"]) == {"light", "dark", "of_each_repeat"}
    assert found["images_per_second_of_a_training"] > 0
    assert len(asked) == 1 + killed
    assert json.loads((options.study / "study.json").read_text())["config"]["repeats"] == 2


@pytest.mark.parametrize("preset", ["published", "paper"])
def test_the_study_is_of_the_preset_that_is_asked_for(preset, options, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        gpu_parts, "subprocess", instead(subprocess, run=lambda command, **_: asked.append(command[3:]))
    )
    options.toy, options.preset = False, preset
    with pytest.raises(RuntimeError, match="no training came to its end"):
        ran("study", options, tmp_path)
    (command,) = asked
    config = dermatology_config(command)
    assert config.perceptual == "vgg"
    assert (config.test_images, config.repeats, config.epochs, config.image_size) == (100, 10, 15, 128)


def dermatology_config(command):
    """What the study makes of a command line."""
    return dermatology._config(dermatology._parser().parse_args(command))


def test_a_training_of_another_study_does_not_count(tmp_path):
    (tmp_path / "trainings").mkdir()
    values = {"mse": np.ones((2, 3)), "latent_sd": np.ones((2, 3)), "seconds": np.array(1.0)}
    asked = VAEConfig.preset("published")
    kept = [("A", "old", asked), ("B", "old", asked), ("A", "new", asked), ("C", "new", asked)]
    kept += [("B", "new", VAEConfig.preset("paper"))]  # written last
    for number, (mix, code, config) in enumerate(kept):
        path = tmp_path / "trainings" / f"{mix}-00-{code}-{number}.npz"
        key = json.dumps({"code": code, "config": config.describe_training(), "mix": [mix, {}], "repeat": 0})
        write_arrays(path, key, {**values, "images_per_second": np.array(2.0)})
        os.utime(path, (number, number))
    done = gpu_parts.trainings(tmp_path, asked)
    assert set(done) == {("A", 0), ("C", 0)}
    assert gpu_parts.summary(done)["images_per_second_of_a_training"] == 2
    assert gpu_parts.trainings(tmp_path, VAEConfig.preset("small")) == {}
    assert gpu_parts.trainings(tmp_path / "nothing", asked) == gpu_parts.summary({}) == {}


def test_the_time_of_a_part_runs_from_when_it_was_started(tmp_path, monkeypatch):
    left = []
    monkeypatch.setitem(gpu_parts.PARTS, "machine", lambda record, options: left.append(options.seconds))
    given = {"out": tmp_path / "machine.json", "study": tmp_path, "device": "cpu", "preset": "published"}
    given |= {"began": time.monotonic() - 20, "seconds": 60}
    monkeypatch.setattr(sys, "argv", ["parts", "machine", *(f"--{name}={value}" for name, value in given.items())])
    assert gpu_parts.main() == 0
    assert left[0] <= 40
