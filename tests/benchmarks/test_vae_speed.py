from __future__ import annotations

import itertools
import re
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import vae as benchmark
from models import vae_steps
from models.perceptual import perceptual_loss
from models.vae import build_vae, loss_terms
from models.vae_config import VAEConfig
from tests.builders import instead


def test_operations_are_those_of_the_convolutions():
    config = VAEConfig.preset("cpu")
    sizes = []  # operations of each convolution, forwards

    def note(module, inputs, output):
        taps = np.prod(module.kernel_size) * module.in_channels
        sizes.append(2 * taps * output[0].numel())

    vae = build_vae(config, 0)
    for module in vae.modules():
        assert not isinstance(module, nn.Linear | nn.ConvTranspose2d), "counted in another way"
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(note)
    vae(torch.zeros(2, 3, 32, 32), torch.zeros(2, *config.latent_shape))

    counted = benchmark.flop_an_image(config, None)
    # Backwards a convolution costs twice as much, but for those that images enter: nothing is asked of an image.
    assert 2.7 * sum(sizes) < counted <= 3.0 * sum(sizes)


def run(monkeypatch, *options):
    """Let each look at the clock be 10 us later after the one before it than that was: no machine decides a speed."""
    looks = itertools.accumulate(itertools.count(1))
    monkeypatch.setattr(benchmark, "time", instead(time, perf_counter=lambda: 1e-5 * next(looks)))
    monkeypatch.setattr(sys, "argv", ["vae", "--device", "cpu", "--steps", "1", *options])
    monkeypatch.setattr(benchmark, "STRETCHES", 1)
    benchmark.main()


def test_the_table_has_both_speeds(monkeypatch, capsys):
    run(monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    speeds = {words[0]: [float(word.replace(",", "")) for word in words[1:]] for words in map(str.split, lines[4:6])}
    images = VAEConfig.preset("cpu").batch_size
    assert speeds["ours"][0] == round(images / 2e-5)
    assert speeds["plain"][0] == round(images / 6e-5)
    assert speeds["plain"][2] == 3.0


def test_each_loop_has_the_layout_and_the_library_that_it_would_have_outside_of_a_benchmark(monkeypatch, capsys):
    def noting(seen):
        def note(vae, x, noise, loss, target=None):
            weights = loss.convolutions[0].weight
            cudnn = torch.backends.cudnn
            seen.add((weights.is_contiguous(memory_format=torch.channels_last), cudnn.enabled, cudnn.benchmark))
            return loss_terms(vae, x, noise, loss, target)

        return note

    ours, plain = set(), set()
    monkeypatch.setattr(vae_steps, "loss_terms", noting(ours))
    monkeypatch.setattr(benchmark, "loss_terms", noting(plain))
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)  # whatever it is, it stays
    run(monkeypatch, "--perceptual", "random")
    assert ours == {(True, True, True)}
    assert plain == {(False, True, True)}


@pytest.mark.parametrize("preset", ["paper", "published"])
def test_the_presets_of_the_paper_have_their_share_of_peak_and_their_ratio(preset, monkeypatch, capsys):
    """At the size of a thumbnail: what is printed of a GPU, but for TF32."""
    small = replace(VAEConfig.preset(preset), image_size=16, widths=(4, 8), latent_channels=2, batch_size=4)
    monkeypatch.setattr(benchmark, "PRESETS", {preset: small})
    monkeypatch.setattr(benchmark.VAEConfig, "preset", lambda name: small)
    monkeypatch.setattr(benchmark, "peak", lambda *_: 1e12)
    thin = perceptual_loss("random", width=0.05, form=small.loss)
    monkeypatch.setattr(benchmark, "perceptual_loss", lambda *_, **__: thin)
    run(monkeypatch, "--preset", preset, "--perceptual", "random")
    said = capsys.readouterr().out
    ours = float(re.search(r"^ours +([\d,]+)", said, re.MULTILINE)[1].replace(",", ""))
    flop = benchmark.flop_an_image(small, thin)
    assert f"GFLOP an image: {flop / 1e9:.3f}" in said
    share = float(re.search(r"share of the 1.00 TFLOP a second of a product of matrices: ([\d.]+)", said)[1])
    assert share == pytest.approx(ours * flop / 1e12, abs=0.006)
    assert share > 0.1


def test_weights_that_are_not_at_hand_are_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("FAIRNESS_DATA", raising=False)
    with pytest.raises(SystemExit):
        run(monkeypatch, "--preset", "paper")
    assert re.search(r"no weights for 'vgg19' were found.*as fast is --perceptual random", capsys.readouterr().err)


@pytest.mark.parametrize("steps", ["0", "-1"])
def test_less_than_a_step_is_refused_by_name(steps, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, f"--steps={steps}")
    assert f"argument --steps: {steps}: must be 1 or more" in capsys.readouterr().err
