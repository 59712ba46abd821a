from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import vae as benchmark
from models.vae import build_vae
from models.vae_config import VAEConfig


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

    pixels = torch.zeros(config.batch_size, 3, 32, 32, dtype=torch.uint8)
    counted = benchmark.flop_an_image(pixels, config, torch.device("cpu"), None)
    # Backwards a convolution costs twice as much, but for those that images enter: nothing is asked of an image.
    assert 2.7 * sum(sizes) < counted <= 3.0 * sum(sizes)


def test_the_table_has_both_speeds(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["vae", "--device", "cpu", "--steps", "1"])
    monkeypatch.setattr(benchmark, "STRETCHES", 1)
    benchmark.main()
    lines = capsys.readouterr().out.splitlines()
    speeds = {words[0]: [float(word.replace(",", "")) for word in words[1:]] for words in map(str.split, lines[4:6])}
    assert speeds["plain"][2] == pytest.approx(speeds["ours"][0] / speeds["plain"][0], abs=0.02)
