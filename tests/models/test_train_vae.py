"""A training learns, is the same whatever happened around it, goes on after an interruption, and stops when it must."""

from __future__ import annotations

import copy
import doctest
import importlib.util
import os
import subprocess
import sys
import warnings
from dataclasses import astuple, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence

from models import train_vae as module
from models import vae_files, vae_steps
from models.perceptual import PerceptualLoss, perceptual_loss
from models.train_vae import (
    TrainingDiverged,
    load_vae,
    measure_images,
    reconstructions,
    save_vae,
    train_vae,
)
from models.vae import VAEConfig, build_vae

SMALL = VAEConfig.preset("cpu", image_size=16, widths=(4, 8), latent_channels=4, batch_size=8, epochs=4)
PUBLISHED = VAEConfig.preset(
    "published_small", image_size=16, widths=(8, 16), latent_channels=4, batch_size=8, epochs=2, precision="float32"
)


def discs(n, size=16, seed=0):
    """Images of a disc of one colour on a ground of another."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    middle, radius = rng.uniform(4, size - 4, size=(n, 2, 1, 1)), rng.uniform(2, 5, size=(n, 1, 1))
    inside = (rows - middle[:, 0]) ** 2 + (columns - middle[:, 1]) ** 2 < radius**2
    disc, ground = rng.integers(0, 256, size=(2, n, 3, 1, 1))
    return np.where(inside[:, None], disc, ground).astype(np.uint8)


def train(pixels, config=SMALL, seed=0, **options):
    return train_vae(pixels, config, seed=seed, device="cpu", **options)


def weights(trained):
    return {name: value.clone() for name, value in trained.vae.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def images():
    return discs(27)


class Stopped(Exception):
    """Somebody pulled the plug."""


class StopsAfter:
    """Progress that kills a training once it has taken some steps."""

    def __init__(self, steps):
        self.steps = steps

    def __call__(self, step, steps, loss):
        if step >= self.steps:
            raise Stopped


class Squares(nn.Module):
    source = "squares"

    def forward(self, reconstruction, target):
        return (reconstruction - target).square().flatten(1).mean(1)


class BreaksAt(nn.Module):
    """A perceptual loss that is `value` from the call of a number on."""

    def __init__(self, call, value):
        super().__init__()
        self.call, self.value, self.calls = call, value, 0

    def forward(self, reconstruction, target):
        self.calls += 1
        return (reconstruction - target).flatten(1).mean(1) * 0 + (self.value if self.calls >= self.call else 0.0)


class SlopeOfNaN(nn.Module):
    """Finite itself, with a gradient that is not: it spoils the weights."""

    def forward(self, reconstruction, target):
        return (reconstruction * 0).flatten(1).sum(1).abs().sqrt()


def test_the_examples_are_true():
    assert doctest.testmod(module).failed == doctest.testmod(vae_steps).failed == 0


def test_the_loss_falls_and_the_image_appears():
    pixels = discs(64)
    config = VAEConfig.preset("cpu", image_size=16, widths=(16, 32), batch_size=8, epochs=25)
    trained = train(pixels, config)
    first, last = trained.history[0], trained.history[-1]
    before, after = (terms.reconstruction + config.kl_weight * terms.kl for terms in (first, last))
    assert after < 0.5 * before
    spread = pixels / 127.5 - 1
    of_the_mean_image = np.mean((spread - spread.mean(axis=0)) ** 2)
    assert measure_images(trained.vae, pixels, device="cpu").mse.mean() < 0.5 * of_the_mean_image
    assert trained.steps == 25 * 8
    assert trained.images_per_second == pytest.approx(25 * 64 / trained.seconds)
    assert (trained.device, trained.precision, trained.vae.training) == ("cpu", "float32", False)


def test_the_first_step_is_adam_on_minus_the_elbo_plus_the_perceptual_loss():
    pixels = discs(8)  # one batch, one epoch: one step, whose order does not matter but for the noise
    config = replace(SMALL, epochs=1, kl_weight=0.25, perceptual_weight=3.0)
    seen = []

    class Spy(Squares):
        def forward(self, reconstruction, target):
            seen.append((reconstruction.detach().clone(), target.clone()))
            return super().forward(reconstruction, target)

    trained = train(pixels, config, perceptual=Spy())
    (reconstruction, target) = seen[0]
    expected = np.sort((pixels / 127.5 - 1).reshape(8, -1), axis=0)
    np.testing.assert_allclose(np.sort(target.flatten(1).numpy(), axis=0), expected, atol=1e-6)

    start = build_vae(config, vae_steps._stream_seed(0, vae_steps.WEIGHTS)).train()
    network = copy.deepcopy(start)
    mean, log_variance = network.encode(target)
    generator = torch.Generator().manual_seed(vae_steps._stream_seed(0, vae_steps.NOISE, 0))
    noise = torch.randn(8, *config.latent_shape, generator=generator)
    image = network.decode(mean + torch.exp(log_variance / 2) * noise)
    torch.testing.assert_close(image, reconstruction, rtol=1e-4, atol=1e-5)
    posterior = Independent(Normal(mean, torch.exp(log_variance / 2)), 3)
    prior = Independent(Normal(torch.zeros_like(mean), torch.ones_like(mean)), 3)
    error = 0.5 * ((image - target) ** 2).sum(dim=(1, 2, 3)).mean()
    kl = kl_divergence(posterior, prior).mean()
    perceptual = ((image - target) ** 2).mean()
    epoch = trained.history[0]
    assert epoch.reconstruction == pytest.approx(error.item(), rel=1e-5)
    assert epoch.kl == pytest.approx(kl.item(), rel=1e-5)
    assert epoch.perceptual == pytest.approx(perceptual.item(), rel=1e-5)

    (error + config.kl_weight * kl + 3.0 * perceptual).backward()
    for before, after in zip(start.named_parameters(), trained.vae.parameters(), strict=True):
        name, value = before
        gradient = network.get_parameter(name).grad
        # Adam's first step, by its definition: both moments are corrected to the gradient and its square.
        step = config.learning_rate * gradient / (gradient.abs() + 1e-8)
        clear = gradient.abs() > 1e-3  # the sign of a smaller gradient is a matter of rounding
        torch.testing.assert_close(after[clear], (value - step)[clear], rtol=1e-3, atol=1e-5)


def test_a_training_depends_on_the_seed_alone(images):
    global_state = torch.random.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002  # the global generator is what must not change
    first = weights(train(images))
    assert torch.equal(torch.random.get_rng_state(), global_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    torch.rand(7)
    other_work = train(discs(8, seed=5), seed=9)
    assert same(first, weights(train(images)))
    torch.random.set_rng_state(global_state)
    assert not same(first, weights(train(images, seed=1)))
    assert len(other_work.history) == SMALL.epochs


def test_each_epoch_sees_full_batches_of_different_images(images):
    batches = []

    class Spy(Squares):
        def forward(self, reconstruction, target):
            batches.append(target.flatten(1).sum(1).tolist())
            return super().forward(reconstruction, target)

    trained = train(images, perceptual=Spy())
    assert trained.steps == len(batches) == 4 * (27 // 8)
    epochs = [[*a, *b, *c] for a, b, c in zip(*[iter(batches)] * 3, strict=True)]
    assert all(len(set(epoch)) == 24 for epoch in epochs)  # no image twice
    assert len({tuple(epoch) for epoch in epochs}) == 4  # and a new order each time


def test_exact_statistics_are_those_of_the_training_images_and_their_mean_codes():
    pixels = discs(8)
    trained = train(pixels)
    running = train(pixels, replace(SMALL, exact_statistics=False))
    assert all(torch.equal(a, b) for a, b in zip(trained.vae.parameters(), running.vae.parameters(), strict=True))
    network, inputs = copy.deepcopy(trained.vae).train(), {}
    norms = {name: part for name, part in network.named_modules() if isinstance(part, nn.BatchNorm2d)}
    for name, norm in norms.items():
        norm.register_forward_pre_hook(lambda part, args, name=name: inputs.update({name: args[0].double()}))
    with torch.no_grad():
        mean, _ = network.encode(torch.tensor(pixels / 127.5 - 1, dtype=torch.float32))
        network.decode(mean)
    assert len(inputs) == 8
    for name, values in inputs.items():
        part = trained.vae.get_submodule(name)
        torch.testing.assert_close(part.running_mean.double(), values.mean((0, 2, 3)), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(part.running_var.double(), values.var((0, 2, 3)), rtol=1e-4, atol=1e-4)
        assert part.momentum == 0.1
        assert not torch.equal(part.running_mean, running.vae.get_submodule(name).running_mean)


def test_fewer_images_than_a_batch_are_one_batch():
    assert train(discs(5)).steps == SMALL.epochs


def test_read_only_pixels_are_accepted(images):
    expected = weights(train(images))
    images.setflags(write=False)
    assert same(expected, weights(train(images)))


@pytest.mark.parametrize("steps", [1, 3, 6, 9])
def test_an_interrupted_training_ends_as_an_undisturbed_one(images, tmp_path, steps):
    undisturbed = train(images, perceptual=Squares())
    path = tmp_path / "vae.safetensors"
    with pytest.raises(Stopped):
        train(images, perceptual=Squares(), checkpoint=path, progress=StopsAfter(steps))
    epochs_told = []
    resumed = train(
        images,
        perceptual=Squares(),
        checkpoint=path,
        progress=lambda step, steps, loss: epochs_told.append(step // 3),
    )
    assert epochs_told == list(range(-(-steps // 3) + 1, 5))  # the finished epochs are not trained again
    assert same(weights(undisturbed), weights(resumed))
    assert resumed.history == undisturbed.history
    assert resumed.steps == undisturbed.steps
    assert [file.name for file in tmp_path.iterdir()] == ["vae.safetensors"]  # no temporary file is left


def test_a_finished_training_is_read_back(images, tmp_path):
    path = tmp_path / "vae.safetensors"
    finished = train(images, checkpoint=path)
    again = train(images, checkpoint=path, progress=StopsAfter(0))
    assert same(weights(finished), weights(again))
    assert (again.history, again.seconds) == (finished.history, finished.seconds)


def test_a_failed_write_leaves_the_checkpoint_before(images, tmp_path, monkeypatch):
    path = tmp_path / "vae.safetensors"
    with pytest.raises(Stopped):
        train(images, checkpoint=path, progress=StopsAfter(3))
    before = path.read_bytes()

    def full(descriptor, mode):
        os.write(descriptor, b"half")
        os.close(descriptor)
        raise OSError("no space left on device")

    monkeypatch.setattr("models.vae_files.os.fdopen", full)
    with pytest.raises(OSError, match="no space left"):
        train(images, checkpoint=path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"seed": 1}, "another seed"),
        ({"pixels": discs(27, seed=1)}, "another training images"),
        ({"config": replace(SMALL, learning_rate=1e-4)}, "another configuration"),
        ({"perceptual": Squares()}, "another perceptual loss"),
        ({"precision": "bfloat16"}, "another precision"),
    ],
)
def test_the_checkpoint_of_another_training_is_replaced(images, tmp_path, changes, reason):
    path = tmp_path / "vae.safetensors"
    train(images, checkpoint=path)
    arguments = {"pixels": images, **changes}
    with pytest.warns(UserWarning, match=f"not used, the training starts anew: it is of {reason}"):
        trained = train(**arguments, checkpoint=path)
    assert same(weights(trained), weights(train(**arguments)))
    assert same(weights(trained), weights(train(**arguments, checkpoint=path)))  # without a warning now


def test_a_place_where_no_checkpoint_can_be_is_told_before_the_training(images, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, error in (
        (tmp_path / "nope" / "x.safetensors", FileNotFoundError),
        (tmp_path, IsADirectoryError),
        (tmp_path / "pipe", FileExistsError),
    ):
        message = r"there is no folder .*nope: make it first|is (a folder|no regular file): give"
        with pytest.raises(error, match=message):
            train(images, checkpoint=path, progress=StopsAfter(0))
    assert list(tmp_path.iterdir()) == [tmp_path / "pipe"]


def test_paths_may_be_text(images, tmp_path):
    path = str(tmp_path / "vae.safetensors")
    finished = train(images, checkpoint=path)
    assert same(weights(finished), weights(train(images, checkpoint=path, progress=StopsAfter(0))))
    save_vae(finished.vae, path)
    assert same(finished.vae.state_dict(), load_vae(path).state_dict())


def test_repeats_of_the_study_do_not_make_another_training(images, tmp_path):
    path = tmp_path / "vae.safetensors"
    train(images, checkpoint=path)
    train(images, replace(SMALL, repeats=3), checkpoint=path)


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "header only", "one bit"])
def test_a_damaged_checkpoint_is_replaced(images, tmp_path, damage):
    path = tmp_path / "vae.safetensors"
    expected = weights(train(images, checkpoint=path))
    content = bytearray(path.read_bytes())
    content[-50] ^= 1
    sound = path.read_bytes()
    wrong = {"cut": sound[: len(sound) // 2], "empty": b"", "text": b"hello", "header only": sound[:8]}
    path.write_bytes(wrong.get(damage, bytes(content)))
    with pytest.warns(UserWarning, match="checkpoint not used, the training starts anew"):
        trained = train(images, checkpoint=path)
    assert same(weights(trained), expected)


def test_a_file_of_something_else_is_replaced(images, tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "vae.safetensors"
    save_file({"weight": torch.zeros(2, dtype=torch.bfloat16)}, path)
    with pytest.warns(UserWarning, match="version None is not '1'"):
        train(images, checkpoint=path)
    with pytest.raises(ValueError, match="not a network that save_vae wrote"):
        load_vae(path)  # a checkpoint is no network


def test_without_safetensors_it_trains_and_says_once_that_nothing_is_kept(images, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    vae_files.checkpoints_possible.cache_clear()
    try:
        with pytest.warns(UserWarning, match="safetensors is not installed: no checkpoint"):
            trained = train(images, checkpoint=tmp_path / "a.safetensors")
        train(images, checkpoint=tmp_path / "b.safetensors")  # warnings are errors here: none comes
    finally:
        vae_files.checkpoints_possible.cache_clear()
    assert not list(tmp_path.iterdir())
    assert len(trained.history) == SMALL.epochs


@pytest.mark.parametrize(("call", "value"), [(2, float("nan")), (5, float("inf"))])
def test_a_loss_that_is_not_finite_stops_the_training(images, tmp_path, call, value):
    path = tmp_path / "vae.safetensors"
    broken = BreaksAt(call, value)
    epoch = (call - 1) // 3 + 1
    message = rf"step {call} \(epoch {epoch}\): the perceptual loss is {value}\. Lower learning_rate or"
    with pytest.raises(TrainingDiverged, match=message):
        train(images, perceptual=broken, checkpoint=path)
    assert path.exists() == (epoch > 1)  # the broken epoch is never kept


class Features(nn.Module):
    """A perceptual loss with weights of its own, some of which learn, and parts in either mode."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 2, 3)
        self.second = nn.Conv2d(2, 2, 1).requires_grad_(False)
        self.dropped = nn.Dropout()
        self.still = nn.Dropout().eval()

    def forward(self, reconstruction, target):
        one, other = (self.dropped(self.second(self.first(x))) for x in (reconstruction, target))
        return (one - other).square().flatten(1).mean(1)


@pytest.mark.parametrize("steps", [2, 99])
def test_a_perceptual_loss_is_given_back_as_it_was(images, steps):
    features = Features()
    modes = [part.training for part in features.modules()]
    before = copy.deepcopy(features.state_dict())
    config = replace(SMALL, perceptual_weight=50.0)
    try:
        trained = train(images, config, perceptual=features, progress=StopsAfter(steps))
    except Stopped:
        assert steps == 2
    else:
        assert not same(weights(trained), weights(train(images, config)))  # its gradient reaches the network
    assert [part.training for part in features.modules()] == modes
    assert all(weight.grad is None for weight in features.parameters())
    assert [weight.requires_grad for weight in features.parameters()] == [True, True, False, False]
    assert same(features.state_dict(), before)


def test_a_long_epoch_is_stopped_before_its_end():
    broken = BreaksAt(2, float("nan"))
    with pytest.raises(TrainingDiverged, match=r"step 2 \(epoch 1\)"):
        train(discs(8 * 40), perceptual=broken)
    assert broken.calls == vae_steps.STEPS_BETWEEN_LOOKS


def test_a_gradient_that_is_not_finite_shows_in_the_next_step(images):
    broken = r"step 2 \(epoch 1\): the reconstruction loss is nan and kl loss is nan"
    with pytest.raises(TrainingDiverged, match=broken):
        train(images, perceptual=SlopeOfNaN())


def test_a_gradient_that_is_not_finite_in_the_last_step_ends_no_training(images, tmp_path):
    path = tmp_path / "vae.safetensors"
    with pytest.raises(TrainingDiverged, match=r"after step 1 \(epoch 1\): weights are NaN"):
        train(images[:8], perceptual=SlopeOfNaN(), checkpoint=path)
    assert not path.exists()


@pytest.fixture
def translated(monkeypatch):
    """Have torch.compile capture graphs as it does, and run them without a compiler."""
    translate = torch.compile
    monkeypatch.setattr(torch, "compile", lambda step, **how: translate(step, backend="aot_eager", **how))
    yield
    torch.compiler.reset()


@pytest.mark.parametrize("config", [SMALL, PUBLISHED], ids=["own", "published"])
def test_a_compiled_step_learns_the_same(config, images, tmp_path, translated):
    config = replace(config, exact_statistics=False)  # the batches that were counted show in running averages
    loss = perceptual_loss("random", blocks=1, width=0.1, form=config.loss)
    path = tmp_path / "vae.safetensors"
    compiled = train(images, config, compiled=True, perceptual=loss, checkpoint=path)
    eager = train(images, config, perceptual=loss)
    for name, theirs in weights(eager).items():
        # Before a normalisation a shift has no gradient but rounding, which Adam makes a step of full length.
        if not name.endswith(("bias", "running_mean")):
            torch.testing.assert_close(weights(compiled)[name], theirs, rtol=1e-4, atol=1e-4)
    for ours, theirs in zip(compiled.history, eager.history, strict=True):
        assert astuple(ours) == pytest.approx(astuple(theirs), rel=1e-4)
    assert compiled.seconds_of_translating > 0 == eager.seconds_of_translating
    with pytest.warns(UserWarning, match="another compilation"):
        train(images, config, perceptual=loss, checkpoint=path)


def test_translating_a_step_is_not_time_of_training(images, monkeypatch):
    clock, sizes = [0.0], []

    def translator(step, **how):
        def translated(x, *more):
            if len(x) not in sizes:  # a translation a shape, at its first call
                sizes.append(len(x))
                clock[0] += 1000
            return step(x, *more)

        return translated

    monkeypatch.setattr(torch, "compile", translator)
    monkeypatch.setattr(vae_steps, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    monkeypatch.setattr(vae_steps.Training, "report", lambda self, *_: clock.__setitem__(0, clock[0] + 1))
    step = vae_steps.Training.step
    monkeypatch.setattr(
        vae_steps.Training, "step", lambda self, *each: (clock.__setitem__(0, clock[0] + 0.5), step(self, *each))[1]
    )
    trained = train(images, PUBLISHED, compiled=True)
    assert sorted(sizes) == [3, 8]
    assert (trained.seconds_of_translating, trained.seconds) == (2000, 0.5 * trained.steps)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize("compiled", [False, True])
def test_a_gpu_trains_in_bfloat16_and_resumes(images, tmp_path, compiled):
    # Without safetensors, as on a machine that is lent, a training that was stopped begins anew.
    kept = {"checkpoint": tmp_path / "vae.safetensors"} if importlib.util.find_spec("safetensors") else {}
    options = {"seed": 0, "device": "cuda", "compiled": compiled}
    with warnings.catch_warnings(record=True) as told:  # the compiler has advice, on TF32 and on itself
        warnings.simplefilter("always")
        undisturbed = train_vae(images, SMALL, **options)
        with pytest.raises(Stopped):
            train_vae(images, SMALL, **options, **kept, progress=StopsAfter(7))
        resumed = train_vae(images, SMALL, **options, **kept)
    assert not [each for each in told if "checkpoint" in str(each.message)]
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    assert undisturbed.precision == resumed.precision == ("bfloat16" if native else "float32")
    assert undisturbed.device == torch.cuda.get_device_name()
    ours, theirs = (measure_images(each.vae, images, device="cuda").mse for each in (resumed, undisturbed))
    np.testing.assert_allclose(ours, theirs, rtol=0.05)  # cuDNN's sums differ in their last bits


def test_progress_is_told_steps_and_loss(images):
    told = []
    trained = train(discs(8 * 20), progress=lambda *args: told.append(args))
    assert [step for step, _, _ in told] == [16, 20, 36, 40, 56, 60, 76, 80]
    assert {steps for _, steps, _ in told} == {trained.steps}
    assert all(type(loss) is float and loss > 0 for _, _, loss in told)


def test_bfloat16_trains_on_a_cpu_too(images):
    half, full = train(images, precision="bfloat16"), train(images, precision="float32")
    assert half.precision == "bfloat16"
    assert {parameter.dtype for parameter in half.vae.parameters()} == {torch.float32}
    assert not same(weights(half), weights(full))
    for one, other in zip(half.history, full.history, strict=True):
        assert one.reconstruction == pytest.approx(other.reconstruction, rel=0.05)


@pytest.mark.parametrize(
    ("pixels", "seed", "message"),
    [
        (discs(4).astype(np.float32), 0, r"pixels are float32 .*give uint8 of shape \(n, 3, 16, 16\)"),
        (discs(4, size=32), 0, r"shape \(4, 3, 32, 32\): give uint8"),
        (discs(4)[0], 0, r"shape \(3, 16, 16\): give uint8"),
        (discs(0), 0, "0 images and seed 0: give at least one image"),
        (discs(4), -1, "seed of at least 0"),
    ],
)
def test_what_cannot_be_trained_is_named(pixels, seed, message):
    with pytest.raises(ValueError, match=message):
        train(pixels, seed=seed)


def test_one_image_with_a_latent_code_of_one_place_cannot_be_trained():
    config = replace(SMALL, image_size=4)
    with pytest.raises(ValueError, match="batch_size is 8, and a batch is of one image whose latent map is 1 x 1"):
        train(discs(1)[..., :4, :4], config)
    assert train(discs(9)[..., :4, :4], config).steps == 4  # the one left over waits for the next epoch


def test_measurements_are_those_of_each_image_alone(images):
    vae = train(images).vae.train()
    measured = measure_images(vae, images, device="cpu", batch_size=10)
    assert vae.training  # as it was
    vae.eval()
    for index in range(len(images)):
        x = torch.tensor(images[index : index + 1] / 127.5 - 1, dtype=torch.float32)
        with torch.no_grad():
            mean, log_variance = vae.encode(x)
            image = vae.decode(mean)
        posterior = Independent(Normal(mean, torch.exp(log_variance / 2)), 3)
        prior = Independent(Normal(torch.zeros_like(mean), torch.ones_like(mean)), 3)
        assert measured.mse[index] == pytest.approx(float(np.mean((image - x).numpy() ** 2)), rel=1e-4)
        assert measured.latent_sd[index] == pytest.approx(float(posterior.base_dist.scale.mean()), rel=1e-4)
        assert measured.kl[index] == pytest.approx(float(kl_divergence(posterior, prior)), rel=1e-3)
        levels = np.clip(np.rint((image.numpy()[0] + 1) * 127.5), 0, 255)
        assert np.abs(reconstructions(vae, images[index : index + 1], device="cpu")[0] - levels).max() <= 1
    assert {values.dtype for values in (measured.mse, measured.latent_sd, measured.kl)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("measure", [measure_images, reconstructions])
def test_measuring_leaves_each_part_in_its_mode(images, measure):
    vae = build_vae(SMALL, seed=0).train()
    vae.down[0].first_norm.eval()  # somebody holds its statistics
    modes = [part.training for part in vae.modules()]
    measure(vae, images, device="cpu")
    assert [part.training for part in vae.modules()] == modes
    with pytest.raises(ValueError, match="batch_size is 0"):
        measure(vae, images, device="cpu", batch_size=0)
    assert [part.training for part in vae.modules()] == modes


def test_measuring_takes_a_batch_at_a_time(images):
    vae = build_vae(SMALL, seed=0)
    sizes = []
    vae.register_forward_pre_hook(lambda module, args: sizes.append(len(args[0])))
    in_parts = measure_images(vae, images, device="cpu", batch_size=10)
    assert sizes == [10, 10, 7]
    np.testing.assert_allclose(in_parts.mse, measure_images(vae, images, device="cpu").mse, rtol=1e-5)
    assert measure_images(vae, images[:0], device="cpu").mse.shape == (0,)
    assert reconstructions(vae, images[:0], device="cpu").shape == (0, 3, 16, 16)
    with pytest.raises(ValueError, match="batch_size is 0"):
        measure_images(vae, images, device="cpu", batch_size=0)


def test_a_saved_network_measures_the_same(images, tmp_path):
    vae = train(images).vae
    save_vae(vae, tmp_path / "vae.safetensors")
    loaded = load_vae(tmp_path / "vae.safetensors")
    assert loaded.config == vae.config
    assert not loaded.training
    np.testing.assert_allclose(
        measure_images(loaded, images, device="cpu").mse, measure_images(vae, images, device="cpu").mse, rtol=1e-5
    )
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_vae(tmp_path / "none.safetensors")


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16, torch.float64])
def test_a_network_of_another_precision_is_not_saved(tmp_path, precision):
    path = tmp_path / "vae.safetensors"
    with pytest.raises(ValueError, match=rf"weights are {precision}: save it as vae\.float\(\)"):
        save_vae(build_vae(SMALL, seed=0).to(precision), path)
    assert not path.exists()
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        save_vae(build_vae(SMALL, seed=0), tmp_path / "nope" / "vae.safetensors")


def test_a_file_of_tensors_that_numpy_lacks_is_replaced(images, tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "vae.safetensors"
    save_file({"weight": torch.zeros(2, dtype=torch.bfloat16)}, path, {"version": vae_files.VERSION})
    with pytest.warns(UserWarning, match="checkpoint not used, the training starts anew"):
        train(images, checkpoint=path)


def test_training_needs_no_more_than_torch_and_numpy():
    banned = ("pandas", "narwhals", "sklearn", "fairness_checks", "safetensors", "PIL")
    code = f"import sys, models.train_vae; print([name for name in {banned} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class Recorder(Squares):
    """Keeps what it was called with."""

    def __init__(self):
        super().__init__()
        self.targets = []

    def forward(self, reconstruction, target):
        self.targets.append(target.clone())
        return super().forward(reconstruction, target)


def test_each_image_is_mirrored_half_of_the_time_and_anew_in_each_epoch():
    pixels, seen = discs(40), Recorder()
    train(pixels, replace(PUBLISHED, epochs=6), perceptual=seen)
    plain = torch.from_numpy(pixels).float() / 127.5 - 1
    views = {False: plain, True: plain.flip(-1)}
    drawn = []
    for epoch in range(6):
        batch = torch.cat(seen.targets[5 * epoch : 5 * epoch + 5])
        far = {view: torch.cdist(batch.flatten(1), each.flatten(1), p=1) for view, each in views.items()}
        both = torch.stack([far[False], far[True]])  # (2, seen, images)
        place = both.amin(0).argmin(1)
        assert both.amin((0, 2)).max() < 1e-3  # each is an image or its mirror image, nothing else
        assert sorted(place.tolist()) == list(range(40))
        drawn.append(both.argmin(0)[range(40), place][place.argsort()])
    share = torch.stack(drawn).double().mean().item()
    assert abs(share - 0.5) < 3.5 * (0.25 / 240) ** 0.5
    assert len({tuple(each.tolist()) for each in drawn}) == 6


def test_the_last_batch_is_of_what_is_left():
    seen = Recorder()
    trained = train(discs(27), PUBLISHED, perceptual=seen)
    assert [len(target) for target in seen.targets] == [8, 8, 8, 3] * 2
    assert trained.steps == 8
    assert trained.images_per_second == pytest.approx(2 * 27 / trained.seconds)
    assert train(discs(27), replace(PUBLISHED, last_batch=False)).steps == 6
    one_image = replace(PUBLISHED, image_size=4, flips=False)
    with pytest.raises(ValueError, match="a batch is of one image whose latent map is 1 x 1"):
        train(discs(9, size=16)[:, :, :4, :4], one_image)


@pytest.mark.parametrize("longest", [1e-3, 1e3])
def test_a_gradient_that_is_too_long_is_shortened(longest, monkeypatch):
    lengths = []
    step = torch.optim.Adam.step

    def looked_at(self, *args):
        gradients = [weights.grad.flatten() for group in self.param_groups for weights in group["params"]]
        lengths.append(torch.cat(gradients).norm().item())
        return step(self, *args)

    monkeypatch.setattr(torch.optim.Adam, "step", looked_at)
    train(discs(8), replace(PUBLISHED, epochs=1, gradient_norm=longest))
    (found,) = lengths
    train(discs(8), replace(PUBLISHED, epochs=1, gradient_norm=None))
    assert found == pytest.approx(min(lengths[1], longest), rel=1e-3)


@pytest.mark.parametrize("flips", [True, False])
def test_target_maps_are_computed_once_and_change_nothing(flips, monkeypatch):
    loss = perceptual_loss("random", blocks=2, width=0.1, form="means")
    config, computed = replace(PUBLISHED, flips=flips), []
    of_images = PerceptualLoss.forward

    def looked_at(self, reconstruction, target):
        computed.append(isinstance(target, torch.Tensor))
        return of_images(self, reconstruction, target)

    monkeypatch.setattr(PerceptualLoss, "forward", looked_at)
    once = train(discs(27), config, perceptual=loss)
    assert computed == [False] * once.steps
    monkeypatch.setattr(vae_steps, "MOST_KEPT", 0)
    again = train(discs(27), config, perceptual=loss)
    assert computed[once.steps :] == [True] * once.steps
    for name, value in weights(once).items():
        torch.testing.assert_close(again.vae.state_dict()[name], value, rtol=1e-3, atol=1e-4)


def test_sums_and_means_are_not_mixed():
    with pytest.raises(ValueError, match=r"perceptual loss is of sums, .* loss of means: .*form='means'"):
        train(discs(8), PUBLISHED, perceptual=perceptual_loss("random", blocks=1, width=0.1))


def test_the_precision_is_the_configurations_unless_another_is_asked_for():
    config = replace(PUBLISHED, precision="bfloat16", epochs=1)
    assert train(discs(8), config).precision == "bfloat16"
    assert train(discs(8), config, precision="float32").precision == "float32"
    assert train(discs(8), replace(config, precision="auto")).precision == "float32"


def test_an_interrupted_training_of_the_published_kind_goes_on_bit_for_bit(tmp_path):
    pixels, path = discs(27), tmp_path / "vae.safetensors"
    whole = train(pixels, replace(PUBLISHED, epochs=3))
    with pytest.raises(Stopped):
        train(pixels, replace(PUBLISHED, epochs=3), checkpoint=path, progress=StopsAfter(5))
    assert same(weights(train(pixels, replace(PUBLISHED, epochs=3), checkpoint=path)), weights(whole))


def test_a_published_network_survives_its_file(tmp_path):
    trained = train(discs(8), replace(PUBLISHED, epochs=1))
    save_vae(trained.vae, tmp_path / "vae.safetensors")
    again = load_vae(tmp_path / "vae.safetensors")
    assert type(again) is type(trained.vae)
    assert same(again.state_dict(), trained.vae.state_dict())
