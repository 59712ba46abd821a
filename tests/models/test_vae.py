"""The network has the study's shapes, and its loss is minus ELBO plus the perceptual loss, term by term."""

from __future__ import annotations

import doctest
import json
import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence
from torch.nn import functional

from models import vae as vae_module
from models import vae_base, vae_config, vae_device, vae_files, vae_measure, vae_published
from models.vae import VAE, VAEConfig, build_vae, elu, kl_to_prior, loss_terms, scaled
from models.vae_config import MIXES, PRESETS
from models.vae_device import resolve_device, resolve_precision, tf32_convolutions
from models.vae_measure import measure_images, reconstructions
from models.vae_published import PublishedVAE

CPU = VAEConfig.preset("cpu")


def random_images(n, size=32, seed=0):
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


class MeanDifference(nn.Module):
    """A perceptual loss that can be computed by hand."""

    def forward(self, reconstruction, target):
        return (reconstruction - target).flatten(1).mean(1).square()


@pytest.mark.parametrize(
    "module", [vae_module, vae_base, vae_config, vae_device, vae_files, vae_measure, vae_published]
)
def test_the_examples_are_true(module):
    assert doctest.testmod(module).failed == 0


def around_zero(dtype):
    """Numbers of either sign and every size, among them those whose exponential rounds to 1."""
    tiny = torch.logspace(-40, 2, 2000, dtype=torch.float64)
    edges = torch.tensor([0.0, -0.0, torch.inf, -torch.inf, torch.nan], dtype=torch.float64)
    return torch.cat([tiny, -tiny, torch.randn(5000, dtype=torch.float64), edges]).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_elu_is_that_of_torch_but_for_the_last_bit_of_one(dtype):
    x = around_zero(dtype)
    unit = torch.finfo(dtype).eps
    torch.testing.assert_close(elu(x), functional.elu(x), rtol=0, atol=unit, equal_nan=True)
    assert torch.equal(elu(x)[x > 0], x[x > 0])
    ours, theirs = (x.clone().requires_grad_() for _ in range(2))
    elu(ours).sum().backward()
    functional.elu(theirs).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=unit, equal_nan=True)


def test_the_gradients_of_elu_are_those_of_its_differences():
    x = torch.linspace(-3, 3, 20, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(elu, x)
    assert torch.autograd.gradgradcheck(elu, x)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_elu_keeps_the_layout_and_leaves_its_input_alone(layout):
    x = torch.randn(2, 3, 4, 5).to(memory_format=layout)
    before = x.clone()
    assert elu(x).is_contiguous(memory_format=layout)
    assert torch.equal(x, before)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_elu_of_half_precision_is_computed_in_float32(dtype):
    x = around_zero(torch.float32).to(dtype)
    assert torch.equal(elu(x).nan_to_num(), elu(x.float()).to(dtype).nan_to_num())
    assert elu(x).dtype == dtype


def test_elu_is_torchs_own_where_a_compiler_joins_operations():
    x = around_zero(torch.float32)
    compiled = torch.compile(elu, backend="aot_eager")
    torch.testing.assert_close(compiled(x), functional.elu(x), rtol=0, atol=0, equal_nan=True)


def test_a_network_in_bfloat16_computes_what_it_did():
    vae, x = build_vae(CPU, seed=0), random_images(4)
    noise = torch.zeros(4, *CPU.latent_shape)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = vae(x, noise)[0]
    half.square().mean().backward()
    assert torch.allclose(half, vae(x, noise)[0], atol=0.1)
    assert all(weights.grad.isfinite().all() for weights in vae.parameters() if weights.grad is not None)


def test_the_latent_code_of_the_study():
    paper = build_vae(VAEConfig.preset("paper"), seed=0).eval()
    with torch.no_grad():
        reconstruction, mean, log_variance = paper(random_images(2, 128))
    assert mean.shape == log_variance.shape == (2, 64, 8, 8)
    assert reconstruction.shape == (2, 3, 128, 128)


@pytest.mark.parametrize(
    ("preset", "latent"),
    [
        ("paper", (64, 8, 8)),
        ("small", (16, 8, 8)),
        ("cpu", (4, 8, 8)),
        ("published", (64, 8, 8)),
        ("published_small", (64, 2, 2)),
    ],
)
def test_the_latent_code_of_each_preset(preset, latent):
    assert VAEConfig.preset(preset).latent_shape == latent


def counted(widths, latent):
    """Count parameters from the layers' definition, not from the network."""

    def block(i, o):
        return 9 * i * o + 2 * o + 9 * o * o + 2 * o + i * o + o

    down = sum(block(i, o) for i, o in zip((3, *widths), widths, strict=False))
    back = widths[::-1]
    up = sum(block(i, o) for i, o in zip(back, (*back[1:], back[-1]), strict=True))
    last = widths[-1]
    return down + up + 2 * (last * latent + latent) + latent * last + last + 27 * back[-1] + 3


def counted_as_published(widths, latent):
    """Count parameters of the published network from its description."""

    def block(i, o):
        inner = max(i, o) // 2
        skip = 9 * i * o + o if i != o else 0
        return 2 * i + 9 * i * inner + inner + 2 * inner + 9 * inner * o + o + skip

    widths = (widths[0] // 2, *widths)
    steps = list(pairwise(widths))
    levels = sum(block(a, a) + block(a, b) + block(b, a) + block(a, a) for a, b in steps)
    first, last = widths[0], widths[-1]
    heads = 2 * (last * latent + latent) + latent * last + last
    return levels + 2 * block(last, last) + heads + 27 * first + first + 27 * first + 3


@pytest.mark.parametrize("name", PRESETS)
def test_number_of_parameters(name):
    config = VAEConfig.preset(name)
    with torch.device("meta"):
        network = PublishedVAE(config) if name.startswith("published") else VAE(config)
    count = counted_as_published if name.startswith("published") else counted
    assert sum(p.numel() for p in network.parameters()) == count(config.widths, config.latent_channels)


def test_the_published_network_has_as_many_parameters_as_the_published_codes():
    config = VAEConfig.preset("published")
    assert counted_as_published(config.widths, config.latent_channels) == 56_712_067  # 56.7 million


@pytest.mark.parametrize("layer", [nn.Conv2d, nn.BatchNorm2d])
def test_the_layers_of_the_published_network(layer):
    with torch.device("meta"):
        network = PublishedVAE(VAEConfig.preset("published"))
    found = [each for each in network.modules() if isinstance(each, layer)]
    if layer is nn.BatchNorm2d:
        assert {norm.eps for norm in found} == {1e-4}
        assert len(found) == 2 * 18  # four levels of two blocks in either half, and one at the bottom of either
        return
    kernels = Counter(each.kernel_size for each in found)
    assert kernels == {(3, 3): 2 * 18 + 8 + 2, (1, 1): 3}  # with eight short cuts, the first and the last
    assert sum(each.stride == (2, 2) for each in found) == 2 * 4
    widths = [block.first.out_channels for block in network.down]
    assert widths == [32, 64, 64, 128, 128, 256, 256, 512]
    assert [block.first.out_channels for block in network.up] == [512, 256, 256, 128, 128, 64, 64, 32]


def test_the_published_network_written_out():
    """A level and the bottom, layer by layer, against functions of torch."""
    config = VAEConfig.preset("published_small", image_size=16, widths=(8,), latent_channels=2)
    network = build_vae(config, seed=3).train()
    assert isinstance(network, PublishedVAE)
    x, noise = random_images(4, 16), torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(1))

    def normed(norm, x):
        return functional.elu(functional.batch_norm(x, None, None, norm.weight, norm.bias, training=True, eps=1e-4))

    def through(block, x, stride=1, doubles=False):
        active = normed(block.first_norm, x)
        if doubles:
            active = active.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        inner = normed(block.second_norm, functional.conv2d(active, *block.first.parameters(), stride, 1))
        short = x if block.skip is None else functional.conv2d(active, *block.skip.parameters(), stride, 1)
        return functional.conv2d(inner, *block.second.parameters(), 1, 1) + short

    code = functional.conv2d(x, *network.from_pixels.parameters(), 1, 1)
    code = through(network.bottom, through(network.down[1], through(network.down[0], code), stride=2))
    mean, log_variance = (
        functional.conv2d(functional.elu(code), *head.parameters())
        for head in (network.to_mean, network.to_log_variance)
    )
    image = functional.conv2d(mean + torch.exp(log_variance / 2) * noise, *network.from_latent.parameters())
    image = through(network.top, image)
    image = through(network.up[1], through(network.up[0], image, doubles=True))
    image = torch.tanh(functional.conv2d(functional.elu(image), *network.to_pixels.parameters(), 1, 1))
    for found, expected in zip(network(x, noise), (image, mean, log_variance), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_published_log_variance_is_not_bounded_and_its_output_is():
    network = build_vae(VAEConfig.preset("published_small"), seed=0).eval()
    nn.init.constant_(network.to_log_variance.bias, 40.0)
    nn.init.constant_(network.to_pixels.bias, 50.0)
    assert network.encode(random_images(1))[1].min() > 30
    assert network.decode(torch.zeros(1, 64, 2, 2)).max() == 1


def test_the_published_loss_is_of_means():
    config = VAEConfig.preset("published_small", widths=(4, 8), latent_channels=3)
    network = build_vae(config, seed=2).eval()
    x, noise = random_images(4), torch.randn(4, *config.latent_shape, generator=torch.Generator().manual_seed(3))
    terms = loss_terms(network, x, noise, MeanDifference())
    mean, log_variance = network.encode(x)
    image = network.decode(mean + noise * torch.exp(log_variance).sqrt())
    squares = [functional.mse_loss(a, b) for a, b in zip(image, x, strict=True)]
    torch.testing.assert_close(terms.reconstruction, torch.stack(squares))
    prior = Normal(torch.zeros_like(mean), 1.0)
    each = kl_divergence(Normal(mean, torch.exp(0.5 * log_variance)), prior)
    torch.testing.assert_close(terms.kl, each.mean(dim=(1, 2, 3)))
    torch.testing.assert_close(
        terms.perceptual, torch.stack([(a - b).mean() ** 2 for a, b in zip(image, x, strict=True)])
    )


def test_kl_is_that_of_torch_distributions():
    generator = torch.Generator().manual_seed(1)
    mean, log_variance = torch.randn(2, 5, 16, 8, 8, generator=generator, dtype=torch.float64)
    posterior = Independent(Normal(mean, torch.exp(0.5 * log_variance)), 3)
    prior = Independent(Normal(torch.zeros_like(mean), torch.ones_like(mean)), 3)
    torch.testing.assert_close(kl_to_prior(mean, log_variance), kl_divergence(posterior, prior))


def test_the_loss_is_minus_the_elbo_less_a_constant():
    network = build_vae(CPU, seed=2).eval()
    x, noise = random_images(4), torch.randn(4, *CPU.latent_shape, generator=torch.Generator().manual_seed(3))
    terms = loss_terms(network, x, noise, MeanDifference())
    mean, log_variance = network.encode(x)
    z = Normal(mean, torch.exp(0.5 * log_variance)).loc + noise * torch.exp(log_variance).sqrt()
    image = network.decode(z)
    log_likelihood = Normal(image, 1.0).log_prob(x).sum(dim=(1, 2, 3))
    constant = 0.5 * np.log(2 * np.pi) * 3 * 32 * 32
    torch.testing.assert_close(terms.reconstruction, -log_likelihood - constant, rtol=1e-4, atol=0.05)
    by_hand = torch.stack([(a - b).mean() ** 2 for a, b in zip(image, x, strict=True)])
    torch.testing.assert_close(terms.perceptual, by_hand)
    assert loss_terms(network, x, noise).perceptual.tolist() == [0, 0, 0, 0]


def test_evaluation_uses_the_mean_and_training_a_sample():
    network = build_vae(CPU, seed=0).eval()
    x = random_images(3)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        once, mean, log_variance = network(x)
        torch.testing.assert_close(once, network.decode(mean))
        noise = torch.ones_like(mean)
        torch.testing.assert_close(network(x, noise)[0], network.decode(mean + log_variance.exp().sqrt()))
        network.train()
        assert not torch.equal(network(x)[0], network(x)[0])
        assert torch.equal(network(x, noise)[0], network(x, noise)[0])


def test_log_variance_stays_in_range_and_keeps_its_gradient():
    network = build_vae(CPU, seed=0).eval()
    nn.init.zeros_(network.to_log_variance.weight)
    for raw in (-1e4, -100.0, 0.0, 0.5, 100.0, 1e4):
        nn.init.constant_(network.to_log_variance.bias, raw)
        network.zero_grad()
        log_variance = network.encode(random_images(1))[1]
        assert log_variance.abs().max() <= 10
        log_variance.sum().backward()
        assert network.to_log_variance.bias.grad.min() > 0


def test_the_output_is_not_bounded():
    network = build_vae(CPU, seed=0).eval()
    nn.init.constant_(network.to_pixels.bias, 5.0)
    assert network.decode(torch.zeros(1, *CPU.latent_shape)).mean() > 3


def test_scaled_pixels_span_minus_one_to_one():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    expected = np.arange(256) / 127.5 - 1
    np.testing.assert_allclose(scaled(pixels).flatten().numpy(), expected, atol=1e-6)


def test_weights_depend_on_the_seed_and_leave_the_global_generator_alone():
    before = torch.random.get_rng_state()
    first, again, other = (build_vae(CPU, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.to_mean.weight, other.to_mean.weight)


def test_the_preset_of_the_published_code():
    published = VAEConfig.preset("published")
    assert (published.image_size, published.batch_size, published.learning_rate) == (128, 64, 1e-4)
    assert (published.kl_weight, published.perceptual_weight, published.loss) == (1, 1, "means")
    assert (published.flips, published.last_batch, published.gradient_norm) == (True, True, 10)
    assert not published.exact_statistics
    assert math.ceil(published.train_images / published.batch_size) * published.epochs == 405
    small = VAEConfig.preset("published_small")
    assert math.ceil(small.train_images / small.batch_size) * small.epochs == 405
    assert [4 * width for width in small.widths] == list(published.widths)
    same = ("learning_rate", "epochs", "loss", "network", "flips", "last_batch", "gradient_norm", "perceptual")
    assert all(getattr(small, name) == getattr(published, name) for name in same)


def test_the_preset_of_the_paper():
    paper = VAEConfig.preset("paper")
    assert (paper.epochs, paper.batch_size, paper.learning_rate, paper.perceptual) == (15, 64, 1e-4, "vgg19")
    assert not paper.exact_statistics  # the protocol knows of none
    assert (paper.train_images, paper.test_images, paper.repeats) == (1668, 500, 10)
    assert MIXES["A"] == {"light": 1.0}
    assert MIXES["B"] == {"light": 0.5, "dark": 0.5}
    assert MIXES["C"] == {"dark": 1.0}


@pytest.mark.parametrize("name", PRESETS)
def test_a_configuration_survives_json(name):
    config = VAEConfig.preset(name)
    assert VAEConfig.from_description(json.loads(json.dumps(config.describe()))) == config
    assert "repeats" not in config.describe_training()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs is 0: give a whole number of at least 1"),
        ({"batch_size": 2.5}, "batch_size is 2.5: give a whole number"),
        ({"repeats": True}, "repeats is True: give a whole number"),
        ({"widths": [8, 16]}, r"widths is \[8, 16\]: give a tuple"),
        ({"widths": ()}, "widths is .*give a tuple"),
        ({"widths": (8, 0)}, "widths is 0: give a whole number"),
        ({"image_size": 30}, "image_size is 30, .*give a multiple of 4, or fewer widths"),
        (
            {"image_size": 4, "widths": (4, 8), "batch_size": 1},
            r"batch_size is 1, .*latent map is 1 x 1 \(image_size 4, 2 widths\): .* give two images or more",
        ),
        ({"learning_rate": 1.0}, "learning_rate is 1.0: give a number above 0 and below 1"),
        ({"learning_rate": "1e-3"}, "learning_rate is '1e-3': give a number"),
        ({"learning_rate": float("nan")}, "learning_rate is nan: give a number"),
        ({"perceptual_weight": -1}, "perceptual_weight is -1: give a number at least 0"),
        ({"perceptual_weight": float("inf")}, "perceptual_weight is inf: give a number"),
        ({"exact_statistics": 1}, "exact_statistics is 1: give True or False"),
        ({"flips": "yes"}, "flips is 'yes': give True or False"),
        ({"last_batch": None}, "last_batch is None: give True or False"),
        ({"network": "publisht"}, r"network is 'publisht': give one of own, published \(did you mean published\?\)"),
        ({"loss": "mean"}, r"loss is 'mean': give one of sums, means \(did you mean means\?\)"),
        ({"precision": "float16"}, "precision is 'float16': give one of auto, float32, bfloat16"),
        ({"gradient_norm": 0.0}, "gradient_norm is 0.0: give a number above 0, or None"),
        ({"network": "published", "widths": (8, 31)}, "widths is 31: its blocks are half as wide within"),
        ({"perceptual": "vgg18"}, r"perceptual is 'vgg18': give one of .* \(did you mean vgg1"),
    ],
)
def test_a_value_out_of_range_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        VAEConfig.preset("cpu", **changes)


@pytest.mark.parametrize(("image_size", "batch_size"), [(4, 2), (8, 1)])
def test_two_values_a_channel_are_enough(image_size, batch_size):
    VAEConfig.preset("cpu", image_size=image_size, widths=(4, 8), batch_size=batch_size)


def test_an_unknown_preset_is_named():
    with pytest.raises(ValueError, match=r"preset is 'papers': give one of .* \(did you mean paper\?\)"):
        VAEConfig.preset("papers")


def test_devices_and_precisions(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == resolve_device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="--fairness-device cpu"):
        resolve_device("cuda")
    with pytest.raises(ValueError, match="device is 'gpu': give one of auto, cpu, cuda"):
        resolve_device("gpu")
    with pytest.raises(ValueError, match="precision is 'half'"):
        resolve_precision("half", torch.device("cpu"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == resolve_device("cuda") == torch.device("cuda")
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_precision("auto", torch.device("cpu")) == "float32"


@pytest.mark.parametrize(("native", "taken"), [(True, "bfloat16"), (False, "float32")])
def test_bfloat16_is_taken_where_it_is_not_emulated(native, taken, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or native)
    assert resolve_precision("auto", torch.device("cuda")) == taken
    assert resolve_precision("bfloat16", torch.device("cuda")) == "bfloat16"  # as it was asked for
    assert resolve_precision("auto", torch.device("cpu")) == "float32"


def tf32_of_convolutions():
    cudnn = torch.backends.cudnn
    return cudnn.conv.fp32_precision == "tf32" if hasattr(cudnn, "conv") else cudnn.allow_tf32


@pytest.mark.parametrize("before", [True, False])
def test_tf32_of_convolutions_is_switched_alone_and_back(before):
    with tf32_convolutions(before):
        others = torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision()
        for allowed in (False, True):
            with tf32_convolutions(allowed):
                assert tf32_of_convolutions() is allowed
            assert tf32_of_convolutions() is before
            with pytest.raises(ZeroDivisionError), tf32_convolutions(allowed):
                _ = 1 // 0
            assert tf32_of_convolutions() is before
        cudnn = torch.backends.cudnn
        assert (cudnn.enabled, cudnn.benchmark, torch.get_float32_matmul_precision()) == others


@pytest.mark.parametrize("measure", [measure_images, reconstructions])
def test_what_is_measured_is_of_float32_and_not_of_tf32(measure):
    network, seen = build_vae(VAEConfig.preset("cpu", widths=(2,)), seed=0), []
    network.register_forward_hook(lambda *_: seen.append(tf32_of_convolutions()))
    with tf32_convolutions(True):
        measure(network, np.zeros((1, 3, 32, 32), dtype=np.uint8), device="cpu")
        assert tf32_of_convolutions()
    assert seen == [False]


@pytest.mark.parametrize("name", ["small", "cpu"])
def test_a_reduced_preset_keeps_the_proportions_of_the_paper(name):
    paper, reduced = VAEConfig.preset("paper"), VAEConfig.preset(name)
    shares = [np.prod(each.latent_shape) / (3 * each.image_size**2) for each in (paper, reduced)]
    assert shares[0] == shares[1] == 1 / 12
    assert reduced.kl_weight == reduced.perceptual_weight == (reduced.image_size / paper.image_size) ** 2
