"""Autoencoders that this project did not write, against brute force; what is left as it was; what is refused."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import types
from typing import NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

from torch import nn  # noqa: E402  (needs torch)
from torch.utils import data  # noqa: E402

from fairness_checks import Predictions, audit, predictions_from_autoencoder  # noqa: E402
from fairness_checks.errors import InvalidPredictions  # noqa: E402


class Coded(NamedTuple):  # not in the order of a tuple
    mu: torch.Tensor
    logvar: torch.Tensor
    recon: torch.Tensor


class ResNetVAE(nn.Module):
    """torchvision's ResNet-18 as encoder, transposed convolutions as decoder; height and width multiples of 32."""

    def __init__(self) -> None:
        super().__init__()
        layers = list(torchvision.models.resnet18(weights=None).children())[:-2]
        self.encoder = nn.Sequential(*layers, nn.Conv2d(512, 16, 1))
        steps = [(8, 16), (16, 8), (8, 8), (8, 8), (8, 3)]
        self.decoder = nn.Sequential(*(nn.ConvTranspose2d(a, b, 4, stride=2, padding=1) for a, b in steps))
        self.biggest = 0

    def forward(self, x):
        self.biggest = max(self.biggest, len(x))
        assert not torch.is_grad_enabled()
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        return Coded(mu, logvar, self.decoder(mu))


class FullyConnected(nn.Module):
    """Of flattened 28 x 28 images; returns what `shape` makes of the three tensors."""

    def __init__(self, shape=lambda *parts: parts) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 32), nn.Dropout(0.5), nn.ReLU(inplace=True), nn.Linear(32, 10))
        self.decoder = nn.Linear(5, 784)
        self.shape = shape

    def forward(self, x):
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return self.shape(self.decoder(mean), mean, log_variance)


def seeded(make, *arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make(*arguments)


def brute_force(module, floats):
    """Root mean squared error and mean latent standard deviation, one image at a time."""
    module.eval()
    errors, spreads = [], []
    for one in floats:
        with torch.no_grad():
            parts = module(torch.as_tensor(one)[None])
        reconstruction, log_variance = (parts[2], parts[1]) if isinstance(parts, Coded) else (parts[0], parts[2])
        errors.append(((reconstruction.double().numpy()[0] - np.asarray(one, dtype=float)) ** 2).mean() ** 0.5)
        spreads.append(np.exp(log_variance.double().numpy() / 2).mean())
    return errors, spreads


@pytest.fixture(scope="module")
def resnet():
    return seeded(ResNetVAE)


@pytest.fixture(scope="module")
def skin():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (11, 3, 96, 64), dtype=np.uint8), np.array(["dark", "light"])[rng.integers(0, 2, 11)]


@pytest.fixture(scope="module")
def flat():
    return np.random.default_rng(1).random((30, 784), dtype=np.float32)


GROUPS = ["a", "b", "b"] * 10


def test_a_resnet_autoencoder_of_oblong_images_as_bytes(resnet, skin):
    pixels, tone = skin
    predictions = predictions_from_autoencoder(
        resnet, pixels, sensitive_features={"tone": tone}, scaling="[-1, 1]", batch_size=4
    )
    errors, spreads = brute_force(resnet, pixels.astype(np.float32) / 127.5 - 1)
    np.testing.assert_allclose(predictions.error, errors, rtol=1e-4)
    np.testing.assert_allclose(predictions.uncertainty, spreads, rtol=1e-4)
    assert predictions.sensitive_features["tone"].groups == ("dark", "light")
    assert predictions.y_true is None


def test_flattened_digits_in_every_kind_of_output(flat):
    @dataclasses.dataclass(slots=True)
    class Slots:
        x_hat: torch.Tensor
        log_var: torch.Tensor

    @dataclasses.dataclass(slots=True)
    class MoreSlots(Slots):
        loss: float

    @dataclasses.dataclass
    class Properties:
        both: tuple

        @property
        def recon(self):
            return self.both[0]

        @property
        def logvar(self):
            return self.both[1]

        def mean(self):  # a method, as an array has it
            raise AssertionError

    shapes = {
        "tuple": lambda r, m, v: (r, m, v),
        "list": lambda r, m, v: [r, m, v],
        "mapping": lambda r, m, v: {"log_variance": v, "loss": None, "mean": m, "reconstruction": r},
        "named tuple": lambda r, m, v: Coded(m, v, r),
        "attributes": lambda r, m, v: types.SimpleNamespace(recon_x=r, mu=m, z_logvar=v),
        "slots": lambda r, m, v: Slots(r, v),
        "inherited slots": lambda r, m, v: MoreSlots(r, v, 1.0),
        "properties": lambda r, m, v: Properties((r, v)),
        "one under two names": lambda r, m, v: {"recon": r, "x_hat": r, "mu": m, "logvar": v},
    }
    errors, spreads = brute_force(seeded(FullyConnected), flat)
    for name, shape in shapes.items():
        module = seeded(FullyConnected, shape)
        predictions = predictions_from_autoencoder(module, flat, sensitive_features=GROUPS)
        np.testing.assert_allclose(predictions.error, errors, rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(predictions.uncertainty, spreads, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("shape", [lambda r, m, v: r, lambda r, m, v: (r,)], ids=["tensor", "tuple-of-1"])
def test_a_reconstruction_alone_has_no_uncertainty(flat, shape):
    predictions = predictions_from_autoencoder(seeded(FullyConnected, shape), flat, sensitive_features=GROUPS)
    assert predictions.uncertainty is None
    np.testing.assert_allclose(predictions.error, brute_force(seeded(FullyConnected), flat)[0], rtol=1e-5)


@pytest.mark.parametrize(
    "shape", [lambda r, m, v: (r, "x", m, v), lambda r, m, v: {"recon": r, "sigma": v.exp()}], ids=["tuple", "mapping"]
)
def test_without_uncertainty_only_the_reconstruction_is_read(flat, shape):
    module = seeded(FullyConnected, shape)
    predictions = predictions_from_autoencoder(module, flat, sensitive_features=GROUPS, uncertainty=None)
    assert predictions.uncertainty is None
    np.testing.assert_allclose(predictions.error, brute_force(seeded(FullyConnected), flat)[0], rtol=1e-5)


def test_the_metric_of_each_kind_of_error_is_the_mean_squared_error_of_the_group(flat):
    module = seeded(FullyConnected)
    errors = np.array(brute_force(module, flat)[0])
    by_hand = (errors**2)[np.array(GROUPS) == "b"].mean()
    for kind, metric in (("mse", "mean_error"), ("rmse", "mean_squared_error")):
        predictions = predictions_from_autoencoder(module, flat, sensitive_features={"g": GROUPS}, error=kind)
        record = audit(predictions, metric=metric, by="g", max_value=10.0)
        assert {group.name: group.rate for group in record.groups}[("b",)] == pytest.approx(by_hand, rel=1e-5)


# --- every kind of input


class Rows(data.Dataset):
    def __init__(self, images, labels=None) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row):
        return self.images[row] if self.labels is None else (self.images[row], self.labels[row])


INPUTS = {
    "tensor": torch.from_numpy,
    "double": lambda x: x.astype(np.float64),
    "big-endian": lambda x: x.astype(">f4"),
    "read-only, reversed twice": lambda x: np.frombuffer(x[::-1].tobytes(), dtype=x.dtype).reshape(x.shape)[::-1],
    "dataset": Rows,
    "labelled dataset": lambda x: Rows(torch.from_numpy(x), list(range(30))),
    "loader": lambda x: data.DataLoader(data.TensorDataset(torch.from_numpy(x), torch.arange(30)), batch_size=7),
    "generator": lambda x: (x[start : start + 9] for start in range(0, 30, 9)),
    "list of labelled arrays": lambda x: [(x[:20], "y"), (x[20:], "y")],
}


@pytest.mark.parametrize("kind", INPUTS)
def test_images_of_every_kind_are_read_in_order(flat, kind):
    module = seeded(FullyConnected)
    predictions = predictions_from_autoencoder(module, INPUTS[kind](flat), sensitive_features=GROUPS, batch_size=8)
    errors, spreads = brute_force(module, flat)
    np.testing.assert_allclose(predictions.error, errors, rtol=1e-5)
    np.testing.assert_allclose(predictions.uncertainty, spreads, rtol=1e-5)


def test_a_transform_replaces_the_scaling_of_bytes(flat):
    pixels = (flat * 255).astype(np.uint8)
    module = seeded(FullyConnected)
    predictions = predictions_from_autoencoder(
        module, pixels, sensitive_features=GROUPS, transform=lambda x: x.float() / 255
    )
    np.testing.assert_allclose(predictions.error, brute_force(module, pixels.astype(np.float32) / 255)[0], rtol=1e-5)


def test_a_transform_that_works_in_place_does_not_change_the_callers_images(flat):
    images = torch.from_numpy(flat.copy())
    module = seeded(FullyConnected)
    for _ in range(2):
        predictions = predictions_from_autoencoder(
            module, images, sensitive_features=GROUPS, transform=lambda x: x.mul_(2).sub_(1)
        )
        np.testing.assert_allclose(predictions.error, brute_force(module, flat * 2 - 1)[0], rtol=1e-5)
    np.testing.assert_array_equal(images, flat)


def test_modules_of_any_precision_and_without_parameters(flat):
    double = seeded(FullyConnected).double()
    predictions = predictions_from_autoencoder(double, flat, sensitive_features=GROUPS)
    np.testing.assert_allclose(predictions.error, brute_force(double, flat.astype(np.float64))[0], rtol=1e-12)
    half = predictions_from_autoencoder(seeded(FullyConnected).bfloat16(), flat, sensitive_features=GROUPS)
    np.testing.assert_allclose(half.error, predictions.error, rtol=0.05)
    assert predictions_from_autoencoder(nn.Identity(), flat, sensitive_features=GROUPS).error.tolist() == [0.0] * 30


def test_no_more_than_a_batch_is_seen_or_read_at_once(resnet):
    ahead = []

    def batches():
        for _ in range(5):
            ahead.append(resnet.seen)
            yield np.zeros((7, 3, 32, 32), dtype=np.uint8)

    resnet.biggest, resnet.seen = 0, 0
    counting = resnet.register_forward_hook(lambda *_: setattr(resnet, "seen", resnet.seen + 1))
    predictions = predictions_from_autoencoder(
        resnet, batches(), sensitive_features=["a"] * 35, scaling="[-1, 1]", batch_size=3
    )
    counting.remove()
    assert len(predictions) == 35
    assert resnet.biggest == 3
    assert ahead == [0, 3, 6, 9, 12]  # the next is asked for when the last was used up


# --- what is left as it was


def test_each_part_is_in_the_mode_where_it_was_and_learned_nothing(flat, resnet, skin):
    module = seeded(FullyConnected)
    module.train()
    module.decoder.eval()
    flags = [part.training for part in module.modules()]
    predictions = predictions_from_autoencoder(module, flat, sensitive_features=GROUPS)
    assert [part.training for part in module.modules()] == flags
    assert True in flags
    assert False in flags
    np.testing.assert_allclose(predictions.error, brute_force(module, flat)[0], rtol=1e-5)  # so dropout was off
    resnet.train()
    state = {name: tensor.clone() for name, tensor in resnet.state_dict().items()}
    predictions_from_autoencoder(resnet, skin[0], sensitive_features=skin[1], scaling="[-1, 1]")
    assert resnet.training
    assert all(torch.equal(tensor, state[name]) for name, tensor in resnet.state_dict().items())
    assert all(parameter.grad is None for parameter in resnet.parameters())
    assert torch.is_grad_enabled()


def test_all_is_put_back_after_a_failure_too(flat):
    module = seeded(FullyConnected).train()
    state = torch.get_rng_state()
    message = (
        r"^FullyConnected failed for images 0 to 7 \(Tensor of shape \(8, 700\), torch\.float32\): RuntimeError: .*"
    )
    with pytest.raises(InvalidPredictions, match=message) as caught:
        predictions_from_autoencoder(module, flat[:, :700], sensitive_features=GROUPS, batch_size=8)
    assert "shapes cannot be multiplied" in str(caught.value.__cause__)
    assert all(part.training for part in module.modules())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_module_that_draws_its_code_gives_the_same_numbers_each_time(flat):
    class Drawing(FullyConnected):
        def forward(self, x):
            mean, log_variance = self.encoder(x).chunk(2, dim=1)
            return self.decoder(mean + torch.randn_like(mean)), mean, log_variance

    module = seeded(Drawing)
    state = torch.get_rng_state()
    first = predictions_from_autoencoder(module, flat, sensitive_features=GROUPS).error
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    np.testing.assert_array_equal(first, predictions_from_autoencoder(module, flat, sensitive_features=GROUPS).error)
    other = predictions_from_autoencoder(module, flat, sensitive_features=GROUPS, seed=1).error
    assert (first != other).all()


def test_a_module_that_works_in_place_changes_neither_the_images_nor_its_error(flat):
    images = torch.from_numpy(flat.copy())
    predictions = predictions_from_autoencoder(nn.LeakyReLU(0.5, inplace=True), images - 0.5, sensitive_features=GROUPS)
    np.testing.assert_allclose(predictions.error, (np.minimum((flat - 0.5) / 2, 0) ** 2).mean(axis=1) ** 0.5, rtol=1e-5)

    class Emptying(nn.Module):
        def forward(self, x):
            return x.zero_()

    predictions_from_autoencoder(Emptying(), images, sensitive_features=GROUPS)
    np.testing.assert_array_equal(images, flat)


def test_another_device_is_for_this_call_only(flat):
    class Moved(FullyConnected):
        def to(self, place):
            places.append(str(place))
            return super().to(place)

    places = []
    module = seeded(Moved)
    predictions_from_autoencoder(module, flat, sensitive_features=GROUPS)
    assert places == []
    predictions_from_autoencoder(module, flat, sensitive_features=GROUPS, device="cpu:0")
    assert places == ["cpu:0", "cpu"]


# --- what is refused


def refused(message, module, images, **arguments):
    arguments = {"sensitive_features": {"g": GROUPS}} | arguments
    with pytest.raises(InvalidPredictions, match=message):
        predictions_from_autoencoder(module, images, **arguments)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            lambda r, m, v: (r[:, :700], m, v),
            r"^FullyConnected: reconstruction of shape \(30, 700\) for images of shape \(30, 784\); .*reshape",
        ),
        (lambda r, m, v: r.T, r"reconstruction of shape \(784, 30\) for images of shape \(30, 784\)"),
        (
            lambda r, m, v: (r, m),
            r"returned 2 things \(Tensor of shape \(30, 784\), torch\.float32, Tensor .*; return the reconstruction, .*"
            r"declare what they are: outputs=.*; or do without the last two: uncertainty=None \(images 0 to 29\)$",
        ),
        (lambda r, m, v: (), r"returned 0 things \(\)"),
        (
            lambda r, m, v: {"reconstruction": r, "mean": m, "sigma": v},
            r"returned dict \(reconstruction, mean, sigma\) without a log_variance; name it one of .*, or declare "
            r"what is there: outputs=.*'sigma': 'standard_deviation'.*None",
        ),
        (
            lambda r, m, v: {"reconstruction": r, "x_hat": r * 2, "log_variance": v},
            r"returned dict with a reconstruction under each of reconstruction, x_hat; keep one of these names, "
            r"or declare which it is: outputs=",
        ),
        (
            lambda r, m, v: types.SimpleNamespace(recon=r, mu=m, logvar=v, log_var=v.exp()),
            r"returned SimpleNamespace with a log_variance under each of log_var, logvar; keep one",
        ),
        (lambda r, m, v: types.SimpleNamespace(out=r), r"returned SimpleNamespace \(out\) without a reconstruction"),
        (lambda r, m, v: None, r"returned NoneType \(\) without a reconstruction"),
        (lambda r, m, v: (r, m, None), r"log_variance is NoneType; a tensor of floats is needed"),
        (lambda r, m, v: r.numpy(), r"returned ndarray \(\) without a reconstruction"),
        (lambda r, m, v: r.long(), r"reconstruction is Tensor of shape \(30, 784\), torch\.int64; a tensor of floats"),
        (lambda r, m, v: (r, m, v[:, :2]), r"log variance of shape \(30, 2\), mean of shape \(30, 5\)"),
        (lambda r, m, v: (r, m.mean(0), v.mean(0)), r"log variance of shape \(5,\), .*each of the 30 images"),
    ],
)
def test_an_output_that_is_none_is_described(flat, shape, message):
    refused(message, seeded(FullyConnected, shape), flat)


def test_images_whose_numbers_are_not_finite_are_named(flat):
    def spoil(value):
        def shape(r, m, v):
            rows = torch.arange(len(r))
            r[(rows == 1).nonzero()] = value
            return r, m, v

        return shape

    for value in (torch.nan, torch.inf, 1e30):
        message = (
            r"^FullyConnected: reconstruction: NaN, infinite or too large in 3 of 30 images: "
            r"rows 1, 11, 21 \(by position, from 0\)$"
        )
        refused(message, seeded(FullyConnected, spoil(value)), flat, batch_size=10)
    huge = (
        r"code: NaN, infinite or too large, or negative as a variance in 30 of 30 images: rows 0, 1, 2, 3, 4, \.\.\. "
        r"\(by position, from 0\)$"
    )
    refused(huge, seeded(FullyConnected, lambda r, m, v: (r, m, v * 0 + 1e4)), flat)
    bad = flat.copy()
    bad[17, 5] = np.nan
    refused(
        r"^images: NaN, infinite or too large in 1 of 30 images: row 17 \(by position, from 0\)$",
        seeded(FullyConnected),
        bad,
    )


def test_lengths_that_differ_are_refused_before_the_module_runs_where_they_are_known(flat):
    class Untouched(nn.Module):
        def forward(self, x):
            raise AssertionError

    message = r"^lengths differ: images 29, sensitive_features\['g'\] 30"
    refused(message, Untouched(), flat[:29])
    refused(message, seeded(FullyConnected), iter([flat[:29]]))
    refused(r"lengths differ: error 30, .*cluster 29", seeded(FullyConnected), flat, cluster=range(29))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (iter([]), r"^images: 0 images; there is nothing to evaluate"),
        ("images.npz", r"^images: str; give a tensor, an array, a Dataset, a DataLoader or batches"),
        (np.float32(3.0), r"^images: float32 of shape \(\), float32; give"),
        (
            [{"image": 1}],
            r"^images: from image 0 on, a batch is int; give tensors or arrays of shape \(batch, \.\.\.\)",
        ),
        (
            np.zeros((30, 784), dtype=np.int64),
            r'^images: dtype torch\.int64, and nothing says .*: write scaling="as given"',
        ),
        (np.full((30, 784), "x"), r"^images: dtype <U1; give uint8 or floats"),
        (np.zeros((30, 784), dtype=np.longdouble), rf"^images: dtype {np.dtype('g')}; give uint8 or floats of 16, 32 "),
    ],
)
def test_what_is_no_image_is_refused(images, message):
    refused(message, seeded(FullyConnected), images)


def test_no_images_at_all_are_refused():
    message = r"^images: 0 images"
    refused(message, seeded(FullyConnected), np.zeros((0, 784)), sensitive_features={"g": np.array([], dtype=str)})


@pytest.mark.parametrize(
    "loader",
    [
        lambda rows: data.DataLoader(rows, batch_size=8, shuffle=True),
        lambda rows: data.DataLoader(
            rows, batch_sampler=data.BatchSampler(data.RandomSampler(rows), 8, drop_last=False)
        ),
        lambda rows: data.DataLoader(rows, sampler=data.WeightedRandomSampler([1.0] * 30, 30)),
    ],
    ids=["shuffle", "batch_sampler", "weighted"],
)
def test_a_loader_that_shuffles_is_refused(flat, loader):
    refused(r"^images: the DataLoader shuffles, .*shuffle=False", seeded(FullyConnected), loader(Rows(flat)))


def test_arguments_that_cannot_be_used_are_refused(flat):
    module = seeded(FullyConnected)
    refused(r"^module: function is not a torch\.nn\.Module; give an instance", lambda x: x, flat)
    refused(r"^module: class FullyConnected is not a torch\.nn\.Module", FullyConnected, flat)
    refused(r"^batch_size: 0 is not a whole number from 1 on", module, flat, batch_size=0)
    refused(r"^batch_size: 2\.5", module, flat, batch_size=2.5)
    refused(r"^error: 'mee'; did you mean 'mse'\? \(allowed: mse, rmse\)", module, flat, error="mee")
    refused(r"^uncertainty: 'entropy'; allowed: 'latent_sd', None", module, flat, uncertainty="entropy")
    refused(r"^device: FullyConnected cannot be run on gpu: ", module, flat, device="gpu")
    refused(
        r"^transform: returned Tensor of shape \(784,\), .* for Tensor of shape \(30, 784\)",
        module,
        flat,
        transform=lambda x: x[0],
    )
    if not torch.cuda.is_available():
        refused(r"^device: FullyConnected cannot be run on cuda: ", module, flat, device="cuda")
    assert next(module.parameters()).device.type == "cpu"
    with pytest.raises(InvalidPredictions, match=re.escape("no feature given")):
        predictions_from_autoencoder(module, flat, sensitive_features={})


def test_neither_the_package_nor_the_adapter_imports_torch_before_it_is_called():
    code = (
        "import sys, fairness_checks, fairness_checks.adapters.autoencoder\n"
        "fairness_checks.predictions_from_autoencoder\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_clusters_names_and_what_the_data_are_are_kept(flat):
    images = flat[:6]
    more = {"cluster": [0, 0, 1, 1, 2, 2], "sample_id": list("abcdef"), "about": {"data": "synthetic"}}
    tones = {"tone": list("llldda")}
    found = predictions_from_autoencoder(seeded(FullyConnected), images, sensitive_features=tones, **more)
    direct = Predictions(error=np.ones(6), sensitive_features=tones, **more)
    assert found.about == {"data": "synthetic"}
    assert np.array_equal(found.cluster, direct.cluster)
    assert np.array_equal(found.sample_id, direct.sample_id)
