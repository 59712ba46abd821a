"""The parts of `benchmarks.gpu`, each run in a process of its own; imports no more than is said there to be needed."""

from __future__ import annotations

import argparse
import copy
import json
import os
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu import UNFINISHED, write_json
from benchmarks.vae import peak, phantoms, seconds_of, speeds
from models.perceptual import Form, PerceptualLoss, perceptual_loss
from models.studies.dermatology import QUICK
from models.vae import build_vae, loss_terms, scaled
from models.vae_config import VAEConfig
from models.vae_device import fastest_convolutions, resolve_device, resolve_precision, tf32_convolutions
from models.vae_measure import measure_images
from models.vae_steps import Training
from models.vgg_weights import find_weights

PYTEST = (
    *(sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-W", "error"),
    *("-W", "default::DeprecationWarning", "-W", "default::FutureWarning"),  # of that machine's libraries to each other
)
TESTS = ("tests/adapters/test_autoencoder_on_gpu.py", "tests/models/test_train_vae.py")
PRESETS_BY_SIZE = ("published", "paper", "published_small", "small", "cpu")
BOUNDS = {"float32": (1e-4, 1e-2), "TF32": (1e-2, 0.2), "bfloat16": (0.1, 0.5)}
"""How far reconstruction and gradient may be from the CPU's in float32, as parts of their length. Rounding did this to
`published_small` on a CPU: 2e-6 and 1e-3 (another library's sums), 2e-3 and 0.05 (10 bits, as TF32), 0.015 and 0.15;
a wrong layout or a missing term does far more."""

LAST_SECONDS = 30.0
"""Of the study: after its last training the record of what is complete is written."""

ASKED = ("--perceptual", "vgg", "--data", "photographs", "--test-images", "100")
"""Of the study: VGG16 where VGG19's weights are not at hand; test sets as large as those of the reported study."""

KERNELS = 25
"""Of a profile, the longest ones."""


class Record:
    """What a part found, written anew whenever something is added to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: dict[str, Any] = {"error": UNFINISHED, "lines": []}

    def add(self, line: str, **found: Any) -> None:
        """Add values, and the line that is printed of them."""
        self.found |= found
        self.found["lines"].append(line)
        write_json(self.path, self.found)

    def end(self, error: str | None = None) -> None:
        """Say that there is no more to come."""
        self.found["error"] = error
        write_json(self.path, self.found)


def machine(record: Record, options: argparse.Namespace) -> None:
    """Say what the machine is, and what it reaches."""
    device = options.device
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    versions = {"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": cudnn}
    about: dict[str, Any] = {"device": "cpu", "python": sys.version.split()[0], **versions}
    if device.type == "cuda":
        seen = torch.cuda.get_device_properties(device)
        about |= {"device": seen.name, "capability": f"{seen.major}.{seen.minor}", "gib": seen.total_memory / 2**30}
        about["native_bfloat16"] = torch.cuda.is_bf16_supported(including_emulation=False)
    record.add(", ".join(f"{name} {value}" for name, value in about.items()), **about)
    edge = 64 if options.toy else None
    before = torch.get_float32_matmul_precision()
    for how, precision, products in (
        ("bfloat16", "bfloat16", "highest"),
        ("TF32", "float32", "high"),
        ("float32", "float32", "highest"),
    ):
        torch.set_float32_matmul_precision(products)
        rate = peak(device, precision, edge) / 1e12
        record.add(f"product of matrices, {how}: {rate:,.1f} TFLOP a second", **{f"tflop_a_second_{how}": rate})
    torch.set_float32_matmul_precision(before)
    numbers = torch.randn(2**16 if options.toy else 2**30, device=device)
    copied = torch.empty_like(numbers)
    rate = 2 * numbers.nbytes / seconds_of(lambda: copied.copy_(numbers), device) / 1e12
    record.add(f"copy: {rate:.2f} TB a second, read and written", terabytes_a_second=rate)


def tests(record: Record, options: argparse.Namespace) -> None:
    """Run the tests that need a GPU, with warnings as errors and nothing of this project's set-up."""
    files = TESTS[:1] if options.toy else TESTS
    command = [*PYTEST, "-c", "/dev/null", "--noconftest", "--rootdir", ".", "-k", "gpu", *files]
    outcomes: dict[str, str] = {}
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # whatever else is installed there
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            sys.stdout.write(line)
            if found := re.match(r"(\S+::\S+) (PASSED|FAILED|ERROR|SKIPPED)", line):
                outcomes[found[1]] = found[2].lower()
                record.add(f"{found[2].lower()} {found[1]}", outcomes=outcomes)
    if running.returncode or not outcomes:
        raise RuntimeError(f"pytest ended with {running.returncode}; {len(outcomes)} tests had an outcome")
    if "passed" not in outcomes.values() and options.device.type == "cuda":
        raise RuntimeError("no test ran")


def parity(record: Record, options: argparse.Namespace) -> None:
    """Compare networks, losses and gradients with those of the CPU in float32."""
    failed = []
    for name in PRESETS_BY_SIZE:
        config = sized(name, options.toy)
        loss = loss_of(config, options.toy)
        pixels = phantoms(config, 4)
        reference, network = one_pass(config, loss, pixels, torch.device("cpu"), "float32")
        found: dict[str, Any] = {}
        for how, bounds in BOUNDS.items():
            ours, _ = one_pass(config, loss, pixels, options.device, how)
            off = {what: distance(ours[what], reference[what]) for what in reference}
            within = off["reconstruction"] < bounds[0] and off["gradient"] < bounds[1]  # never of NaN
            found[how] = {**off, "within": within}
            failed += [] if within else [f"{name} in {how}"]
        here, there = (measure_images(network, pixels, device=on).mse for on in ("cpu", options.device.type))
        found["measured"] = float(np.max(np.abs(there / here - 1)))
        failed += [] if found["measured"] < BOUNDS["float32"][0] else [f"{name}, measured"]
        told = [f"{how} {found[how]['reconstruction']:.1e} {found[how]['gradient']:.1e}" for how in BOUNDS]
        told.append(f"error of an image {found['measured']:.1e}")
        record.add(f"{name}: reconstruction, gradient: {', '.join(told)}", **{name: found})
    if failed:
        raise RuntimeError(f"further from the CPU than rounding explains: {'; '.join(failed)}")


def one_pass(
    config: VAEConfig, loss: PerceptualLoss | None, pixels: Any, device: torch.device, how: str
) -> tuple[dict[str, Tensor], Any]:
    """Return reconstruction, terms of the loss and gradient of a new network's first step, and the network."""
    vae = build_vae(config, 0).to(device).to(memory_format=torch.channels_last).train()
    perceptual = copy.deepcopy(loss).to(device).to(memory_format=torch.channels_last) if loss is not None else None
    seen: dict[str, Tensor] = {}
    vae.register_forward_hook(lambda module, given, made: seen.update(reconstruction=made[0].detach()))
    x = scaled(torch.from_numpy(pixels)).to(device)
    noise = torch.randn(len(x), *config.latent_shape, generator=torch.Generator().manual_seed(0)).to(device)
    with tf32_convolutions(how == "TF32"):
        with torch.autocast(device.type, torch.bfloat16, enabled=how == "bfloat16"):
            terms = loss_terms(vae, x, noise, perceptual)
        weighted = terms.reconstruction + config.kl_weight * terms.kl + config.perceptual_weight * terms.perceptual
        weighted.mean().backward()  # type: ignore[no-untyped-call]
    seen |= {name: term.detach() for name, term in terms._asdict().items() if name != "reconstruction"}
    seen["error"] = terms.reconstruction.detach()
    gradients = [weights.grad.flatten() for weights in vae.parameters() if weights.grad is not None]
    seen["gradient"] = torch.cat(gradients)
    return {name: value.double().cpu() for name, value in seen.items()}, vae


def distance(found: Tensor, expected: Tensor) -> float:
    """Return how far something is from what is expected, as a part of the length of that; 0 where both are 0."""
    off, length = float((found - expected).norm()), float(expected.norm())
    return off / length if length else off


def speed(record: Record, options: argparse.Namespace) -> None:
    """Time trainings beside plain loops."""
    most = {how: peak(options.device, how, 64 if options.toy else None) for how in ("bfloat16", "float32")}
    for name in PRESETS_BY_SIZE:
        config = sized(name, options.toy)
        steps = 1 if options.toy else 8 if config.image_size > 64 else 30
        loss = loss_of(config, options.toy)
        if loss is not None:
            loss = loss.to(options.device)
        found = speeds(config, loss, options.device, steps=steps)
        ours = found.images_per_second["ours"]
        share = ours * found.flop_an_image / most[found.precision]
        ratios = {what: ours / each for what, each in found.images_per_second.items() if what != "ours"}
        told = ", ".join(f"{ratio:.2f} times {what}" for what, ratio in ratios.items())
        record.add(
            f"{name}, {found.precision}: {ours:,.0f} images a second, {share:.2f} of peak, {told}",
            **{
                name: {
                    "images_per_second": found.images_per_second,
                    "flop_an_image": found.flop_an_image,
                    "precision": found.precision,
                    "share_of_peak": share,
                    "perceptual": getattr(loss, "source", "none"),
                }
            },
        )


def profile(record: Record, options: argparse.Namespace) -> None:
    """Say what the steps of a training spend their time on."""
    for name in ("published", "published_small"):
        found = profiled(sized(name, options.toy), options.device, 1 if options.toy else 3, options.toy)
        told = f"{found['ms_a_step']:.1f} ms a step, {found['ms_busy']:.1f} of them in {found['calls']:.0f} kernels"
        record.add(f"{name}: {told}", **{name: found})
        for row in found["kernels"][:8]:
            record.add(f"  {row['ms']:8.2f} ms {row['calls']:6.1f} calls  {row['kernel'][:80]}")


def profiled(config: VAEConfig, device: torch.device, steps: int, toy: bool) -> dict[str, Any]:
    """Return the time of a step, and of its kernels, or of torch's operations on a CPU; two epochs come before."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiling

    on_gpu = device.type == "cuda"
    loss = loss_of(config, toy)
    if loss is not None:
        loss = loss.to(device).to(memory_format=torch.channels_last)
    pixels = phantoms(config, config.batch_size * steps)
    run = Training(pixels, config, 0, device, resolve_precision(config.precision, device), loss, None, False)
    with fastest_convolutions(device):
        run.targets = run.target_maps()
        run.epoch(0)
        start = time.perf_counter()
        run.epoch(1)
        wall = (time.perf_counter() - start) / steps
        with profiling(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]) as seen:
            run.epoch(2)
    rows = []
    for event in seen.key_averages():
        spent = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        is_kernel = str(event.device_type).endswith("CUDA") == on_gpu and not event.is_user_annotation
        if spent > 0 and is_kernel:
            rows.append({"kernel": event.key[:200], "calls": event.count / steps, "ms": spent / 1e3 / steps})
    rows.sort(key=lambda row: -row["ms"])
    return {
        "ms_a_step": 1e3 * wall,
        "ms_busy": sum(row["ms"] for row in rows),
        "calls": sum(row["calls"] for row in rows),
        "kernels": rows[:KERNELS],
        "ms_of_the_others": sum(row["ms"] for row in rows[KERNELS:]),
        "gib": torch.cuda.max_memory_allocated(device) / 2**30 if on_gpu else None,
    }


def study(record: Record, options: argparse.Namespace) -> None:
    """Train as many VAEs of the study as fit, and leave a record of the repeats that are complete."""
    toy = ("--preset", "cpu", "--quick", "--data", "phantoms")
    asked = toy if options.toy else ("--preset", options.preset, *ASKED)
    command = [sys.executable, "-m", "models.studies.dermatology", "--no-report", "--out", str(options.study), *asked]
    command += ["--device", options.device.type, "--jobs", "1"]  # one keeps a GPU busy at these sizes
    (options.study / "study.json").unlink(missing_ok=True)  # of fewer repeats
    end = time.monotonic() + options.seconds - LAST_SECONDS
    problem = None
    try:
        subprocess.run(command, check=True, timeout=max(1.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        pass  # what was trained is kept, as of any study that is killed
    except subprocess.CalledProcessError as error:
        problem = f"exit code {error.returncode}"
    config = VAEConfig.preset("cpu", **QUICK) if options.toy else VAEConfig.preset(options.preset, perceptual="vgg")
    done = trainings(options.study, config)
    complete = sum(all((mix, repeat) in done for mix in "ABC") for repeat in range(len(done)))
    record.add(
        f"{len(done)} VAEs trained, {complete} repeats complete", **summary(done), trained=len(done), complete=complete
    )
    if problem:
        raise RuntimeError(f"the study ended with {problem}")
    if complete >= 2 and not (options.study / "study.json").is_file():
        subprocess.run([*command, "--repeats", str(complete)], check=True, timeout=LAST_SECONDS)
    if not done:
        raise RuntimeError("no training came to its end in the time")


def trainings(folder: Path, config: VAEConfig) -> dict[tuple[str, int], dict[str, Any]]:
    """Return the trainings of a configuration, by mix and repeat; of several studies that have it, the last to write.

    Other studies' may lie beside them.
    """
    paths = sorted((folder / "trainings").glob("*.npz"), key=lambda path: path.stat().st_mtime)
    found: dict[str, dict[tuple[str, int], dict[str, Any]]] = {}
    of_the_last = ""
    for path in paths:
        with np.load(path, allow_pickle=False) as arrays:
            key = json.loads(str(arrays["key"]))
            if key["config"] != config.describe_training():
                continue
            place = (key.pop("mix")[0], key.pop("repeat"))
            of_the_last = json.dumps(key, sort_keys=True)
            kept = {name: arrays[name] for name in ("mse", "latent_sd", "seconds", "images_per_second")}
        found.setdefault(of_the_last, {})[place] = kept
    return found.get(of_the_last, {})


def summary(done: Mapping[tuple[str, int], Mapping[str, Any]]) -> dict[str, Any]:
    """Return means over repeats: of each mix the errors of light and dark skin, and what a training took."""
    found: dict[str, Any] = {}
    for mix in sorted({mix for mix, _ in done}):
        these = [each for (name, _), each in done.items() if name == mix]
        errors = [each["mse"].reshape(2, -1).mean(axis=1).tolist() for each in these]
        light, dark = np.mean(errors, axis=0).tolist()
        found[mix] = {"light": light, "dark": dark, "of_each_repeat": errors}
    for name in ("seconds", "images_per_second"):
        if done:
            found[f"{name}_of_a_training"] = float(np.mean([each[name] for each in done.values()]))
    return found


def sized(name: str, toy: bool) -> VAEConfig:
    """Return a preset, or something of its kind that a rehearsal computes in no time."""
    config = VAEConfig.preset(name)
    if not toy:
        return config
    widths = tuple(4 * 2**level for level in range(min(2, len(config.widths))))
    return replace(config, image_size=16, widths=widths, latent_channels=2, batch_size=4, epochs=3)


def loss_of(config: VAEConfig, toy: bool) -> PerceptualLoss | None:
    """Return the perceptual loss, with the weights of ImageNet where they are at hand, else with random ones."""
    form = cast(Form, config.loss)
    if toy:
        return perceptual_loss("random", width=0.05, blocks=2, form=form)
    if config.perceptual in ("none", "random"):
        return perceptual_loss(config.perceptual, form=form)
    return perceptual_loss(config.perceptual if find_weights(config.perceptual) else "random", form=form)


PARTS: Mapping[str, Callable[[Record, argparse.Namespace], None]] = {
    part.__name__: part for part in (machine, tests, parity, speed, profile, study)
}


def main() -> int:
    """Run one part; the record says what came of it, and the exit code whether it came to its end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--study", type=Path, required=True)
    parser.add_argument("--began", type=float, required=True, help="when, by a clock that all processes share")
    parser.add_argument("--seconds", type=float, required=True, help="from then on")
    parser.add_argument("--device", required=True)
    parser.add_argument("--preset", required=True)
    parser.add_argument("--toy", action="store_true")
    options = parser.parse_args()
    options.seconds -= time.monotonic() - options.began  # imports alone take seconds
    record = Record(options.out)
    try:
        options.device = resolve_device(options.device)
        PARTS[options.part](record, options)
    except Exception as error:
        traceback.print_exc()
        record.end(f"{type(error).__name__}: {error}")
        return 1
    record.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
