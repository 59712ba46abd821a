"""Equation 2 against a slow loop over torchvision's own layers; which weights are taken, and which are refused."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
vgg = pytest.importorskip("torchvision.models.vgg")
safetensors_torch = pytest.importorskip("safetensors.torch")

from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from models import vgg_weights  # noqa: E402  (needs torch)
from models.perceptual import PerceptualWeightsError, _distance, perceptual_loss  # noqa: E402

MAPS = {"vgg19": 16, "vgg16": 13}
REAL = Path(os.environ.get("FAIRNESS_DATA", "no such folder")) / "vgg16_imagenet_features_fp16.npz"


def torchvision_features(kind, thinner=1):
    """torchvision's own layers, with weights large enough for every depth to count."""
    plan = [one if one == "M" else one // thinner for one in vgg.cfgs["E" if kind == "vgg19" else "D"]]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        features = vgg.make_layers(plan, batch_norm=False)
        for layer in features:
            if isinstance(layer, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(layer.weight)
                torch.nn.init.normal_(layer.bias, std=0.1)
    return features.eval()


def state_of(features):
    return {f"features.{name}": tensor.detach() for name, tensor in features.state_dict().items()}


def slow_equation_2(features, x, y):
    """Sum of squared differences of the maps that hooks saw, one map and one image at a time, in float64."""

    def maps_of(images):
        maps = []
        hooks = [
            # The ReLU that follows overwrites its input.
            layer.register_forward_hook(lambda _layer, _inputs, output: maps.append(output.clone().double().numpy()))
            for layer in features
            if isinstance(layer, torch.nn.Conv2d)
        ]
        mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
        deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
        with torch.no_grad():
            features(((images + 1) / 2 - mean) / deviation)
        for hook in hooks:
            hook.remove()
        return maps

    losses = []
    for one, other in zip(x, y, strict=True):
        total = 0.0
        for a, b in zip(maps_of(one[None]), maps_of(other[None]), strict=True):
            _, channels, height, width = a.shape
            total += ((a - b) ** 2).sum() / (2 * channels * height * width)
        losses.append(total)
    return losses


def images(count=3, side=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, side, side, generator=generator) * 2 - 1


@pytest.fixture(scope="module")
def networks():
    return {kind: torchvision_features(kind) for kind in MAPS}


@pytest.fixture(scope="module")
def files(networks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    for kind, features in networks.items():
        safetensors_torch.save_file(state_of(features), folder / f"{kind}.safetensors")
    return {kind: folder / f"{kind}.safetensors" for kind in MAPS}


@pytest.fixture(scope="module")
def small():
    return perceptual_loss("random", blocks=3, width=0.1)


@pytest.fixture
def nothing_there(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("FAIRNESS_DATA", raising=False)


@pytest.mark.parametrize(("kind", "asked"), [("vgg19", "auto"), ("vgg16", "vgg16")])
def test_it_is_equation_2_over_all_convolutions_of_torchvisions_network(networks, files, kind, asked):
    loss = perceptual_loss(asked, weights=files[kind])
    x, y = images(2, seed=1), images(2, seed=2)
    assert loss.maps == MAPS[kind]
    assert loss(x, y).shape == (2,)
    np.testing.assert_allclose(loss(x, y), slow_equation_2(networks[kind], x, y), rtol=1e-4)
    assert loss.pretrained
    digest = hashlib.sha256(files[kind].read_bytes()).hexdigest()
    assert loss.source == f"{kind.upper()}, weights of {kind}.safetensors (sha256 {digest[:12]}...)"


@pytest.mark.parametrize("kind", MAPS)
def test_the_published_form_is_the_mean_over_the_maps_of_images_as_they_are(networks, files, kind):
    loss = perceptual_loss("vgg", weights=files[kind], form="means")
    x, y = images(2, seed=1), images(2, seed=2)
    maps = {}
    for name, batch in (("x", x), ("y", y)):
        maps[name] = []
        for layer in networks[kind]:
            with torch.no_grad():
                batch = layer(batch.clone())  # its ReLUs overwrite their input
            if isinstance(layer, torch.nn.Conv2d):
                maps[name].append(batch.clone())
    each = [(a - b).square().flatten(1).mean(1) for a, b in zip(maps["x"], maps["y"], strict=True)]
    torch.testing.assert_close(loss(x, y), torch.stack(each).mean(0), rtol=1e-4, atol=0)
    assert loss.source.endswith("; mean over maps, input not normalised")


@pytest.mark.parametrize("form", ["sums", "means"])
def test_maps_that_were_taken_before_give_the_same_loss_and_gradient(form):
    loss = perceptual_loss("random", blocks=3, width=0.1, form=form)
    x, y = images(seed=1).requires_grad_(), images(seed=2)
    kept = loss.target_maps(y)
    (gradient,) = torch.autograd.grad(loss(x, y).sum(), x)
    again = loss(x, kept)
    torch.testing.assert_close(again, loss(x, y), rtol=0, atol=0)
    torch.testing.assert_close(torch.autograd.grad(again.sum(), x)[0], gradient, rtol=0, atol=0)
    assert not any(each.requires_grad for each in kept)


def test_sizes_that_are_not_a_power_of_two_are_as_in_torchvision(networks, files):
    loss = perceptual_loss("vgg16", weights=files["vgg16"])
    x, y = images(1, 45, seed=1)[..., :37], images(1, 45, seed=2)[..., :37]
    np.testing.assert_allclose(loss(x, y), slow_equation_2(networks["vgg16"], x, y), rtol=1e-4)


def test_fewer_blocks_are_the_first_terms_of_the_sum(networks, files):
    loss = perceptual_loss("vgg16", weights=files["vgg16"], blocks=2)
    x, y = images(1, seed=1), images(1, seed=2)
    assert loss.maps == 4
    assert loss.source.endswith(", first 2 of 5 blocks")
    np.testing.assert_allclose(loss(x, y), slow_equation_2(networks["vgg16"][:9], x, y), rtol=1e-4)


@pytest.mark.skipif(not REAL.is_file(), reason="FAIRNESS_DATA does not hold VGG16's ImageNet weights")
def test_the_published_float16_file_is_vgg16_of_imagenet(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    loss = perceptual_loss("auto")
    assert loss.source == "VGG16, ImageNet (float16 file, sha256 961b185e7f1c...)"
    assert loss.maps == 13
    assert loss.pretrained
    features = torchvision_features("vgg16")
    with np.load(REAL, allow_pickle=False) as arrays:
        state = {key.removeprefix("features."): torch.from_numpy(arrays[key]).float() for key in arrays.files}
    features.load_state_dict(state)
    x, y = images(2, seed=1), images(2, seed=2)
    np.testing.assert_allclose(loss(x, y), slow_equation_2(features, x, y), rtol=1e-4)


def test_equal_images_are_at_distance_0_and_the_order_does_not_matter(small):
    x, y = images(seed=1), images(seed=2)
    assert small(x, x).tolist() == [0.0, 0.0, 0.0]
    torch.testing.assert_close(small(x, y), small(y, x))
    assert (small(x, y) > 0).all()


def test_only_the_reconstruction_gets_a_gradient(small):
    x, y = images(seed=1).requires_grad_(), images(seed=2).requires_grad_()
    small(x, y).sum().backward()
    assert x.grad.abs().amax(dim=(1, 2, 3)).min() > 0
    assert y.grad is None
    assert all(not parameter.requires_grad and parameter.grad is None for parameter in small.parameters())


def test_the_gradient_is_that_of_finite_differences():
    loss = perceptual_loss("random", blocks=3, width=0.05).double()
    y = images(2, 4, seed=2).double()
    assert torch.autograd.gradcheck(lambda x: loss(x, y), images(2, 4, seed=1).double().requires_grad_())


def pair_of_maps(dtype, shape=(3, 5, 16, 16)):
    generator = torch.Generator().manual_seed(4)
    x, y = (torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for _ in range(2))
    return x.requires_grad_(), y


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
def test_the_distance_of_maps_and_its_gradient_are_those_of_a_direct_evaluation(dtype, layout):
    x, y = pair_of_maps(dtype)
    found = _distance(x.contiguous(memory_format=layout), y.contiguous(memory_format=layout))
    weights = torch.tensor([1.0, 0.0, 7.0], dtype=found.dtype)
    (gradient,) = torch.autograd.grad((found * weights).sum(), x)
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert gradient.dtype == dtype
    a, b = x.detach().double().requires_grad_(), y.double()
    direct = (a - b).square().mean(dim=(1, 2, 3))
    (expected,) = torch.autograd.grad((direct * weights).sum(), a)
    unit = torch.finfo(dtype).eps  # a difference and a product are rounded; errors of a sum cancel
    half = dtype in (torch.bfloat16, torch.float16)
    torch.testing.assert_close(found.double(), direct, rtol=unit / 10 if half else 1e-6, atol=0)
    smallest = torch.finfo(dtype).smallest_normal * unit if half else 0
    torch.testing.assert_close(gradient.double(), expected, rtol=2 * unit, atol=smallest)


def test_the_distances_gradient_is_that_of_finite_differences():
    x, y = pair_of_maps(torch.float64, (2, 3, 4, 4))
    assert torch.autograd.gradcheck(lambda x: _distance(x, y), x)
    with torch.no_grad():
        x.copy_(y)
    assert torch.autograd.gradcheck(lambda x: _distance(x, y), x)  # the norm alone has no gradient at 0


class Written(TorchDispatchMode):
    """Notes the types of all large tensors that an operation returns."""

    def __init__(self, numbers):
        super().__init__()
        self.numbers, self.seen = numbers, set()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        found = operation(*args, **(kwargs or {}))
        for each in found if isinstance(found, tuple | list) else [found]:
            if isinstance(each, torch.Tensor) and each.numel() >= self.numbers:
                self.seen.add(each.dtype)
        return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_no_map_is_written_in_a_wider_precision_than_its_own(dtype):
    x, y = (torch.empty(2, 64, 128, 128, dtype=dtype, device="meta") for _ in range(2))
    with Written(x.numel()) as written:
        _distance(x.requires_grad_(), y).sum().backward()
    assert written.seen == {dtype}


def test_no_map_is_written_in_a_wider_precision_by_a_gpus_autocast():
    """With tensors that are said to lie on a GPU, and hold nothing; there is no need of one."""
    was = torch.get_autocast_dtype("cuda")
    torch.set_autocast_enabled("cuda", True)
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    try:
        with FakeTensorMode():
            x, y = (torch.empty(2, 64, 128, 128, dtype=torch.bfloat16, device="cuda") for _ in range(2))
            with Written(x.numel() // 2) as written:
                found = _distance(x.requires_grad_(), y)
    finally:
        torch.set_autocast_enabled("cuda", False)
        torch.set_autocast_dtype("cuda", was)
    assert (found.dtype, written.seen) == (torch.float32, {torch.bfloat16})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_compiler_is_given_the_same_distance(dtype):
    x, y = pair_of_maps(dtype)
    translated = torch.compile(_distance, backend="aot_eager", fullgraph=True)
    found, plain = (torch.autograd.grad(function(x, y).sum(), x) for function in (translated, _distance))
    torch.compiler.reset()
    torch.testing.assert_close(found, plain, rtol=torch.finfo(dtype).eps, atol=0)


def test_images_of_a_batch_do_not_touch_each_other(small):
    x, y = images(4, seed=1), images(4, seed=2)
    alone = torch.cat([small(x[i : i + 1], y[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(small(x, y), alone)
    x.requires_grad_()
    small(x, y)[2].backward()
    assert [bool(gradient.any()) for gradient in x.grad] == [False, False, True, False]


def test_the_callers_images_are_not_written_to(small):
    x, y = images(seed=1), images(seed=2)
    kept = x.clone(), y.clone()
    small(x, y)
    assert torch.equal(x, kept[0])
    assert torch.equal(y, kept[1])


def test_half_precision_and_channels_last_change_only_the_rounding(small):
    x, y = images(seed=1).requires_grad_(), images(seed=2)
    exact = small(x, y)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = small(x.bfloat16(), y)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, rtol=0.03, atol=0)
    rounded.sum().backward()
    assert torch.isfinite(x.grad).all()
    last = {"memory_format": torch.channels_last}
    torch.testing.assert_close(small.to(**last)(x.to(**last), y.to(**last)), exact)


def test_it_stays_in_evaluation_mode_whatever_it_is_part_of(small):
    model = torch.nn.Sequential(small)
    model.train()
    assert model.training
    assert not any(module.training for module in small.modules())


@pytest.mark.parametrize("side", [32, 64])
def test_the_scale_of_random_maps_varies_no_more_with_depth_than_that_of_vgg16(side):
    """Mean squares of VGG16's maps on ImageNet's weights: 3.0 to 356 on such images, a factor of 118."""
    loss = perceptual_loss("random", width=0.25)
    squares = []
    for convolution in loss.convolutions:
        convolution.register_forward_hook(lambda _m, _i, output: squares.append(float(output.square().mean())))
    x = images(8, side)
    loss(x, x)
    assert len(squares) == 32
    assert 0.1 < min(squares) < max(squares) < 118 * min(squares)


def test_a_random_network_is_the_same_each_time_and_says_what_it_is():
    one, two = perceptual_loss("random", blocks=2, width=0.25), perceptual_loss("random", blocks=2, width=0.25)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert [tuple(c.weight.shape[:2]) for c in one.convolutions] == [(16, 3), (16, 16), (32, 16), (32, 32)]
    assert not one.pretrained
    assert perceptual_loss("random").source == "VGG19 layout, random weights, seed 0"
    assert perceptual_loss("random").maps == 16


def test_no_global_random_state_is_touched(files):
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002  (the state is what is looked at)
    perceptual_loss("random", width=0.1)(images(), images())
    perceptual_loss("vgg16", weights=files["vgg16"])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002


def test_none_is_no_loss():
    assert perceptual_loss("none") is None


# --- which weights


@pytest.fixture
def thin(monkeypatch):
    """Networks of an eighth of the channels: which file is taken does not depend on their number."""
    monkeypatch.setattr(vgg_weights, "_CHANNELS", (8, 16, 32, 64, 64))
    return {kind: torchvision_features(kind, thinner=8) for kind in MAPS}


@pytest.fixture
def published(thin, monkeypatch, tmp_path):
    """Fake published files, whose digests are known; returns where each belongs."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("FAIRNESS_DATA", str(tmp_path / "data"))
    cache, data = tmp_path / "torch" / "hub" / "checkpoints", tmp_path / "data"
    cache.mkdir(parents=True)
    data.mkdir()
    rows = []
    for one in vgg_weights._PUBLISHED:
        state = state_of(thin[one.kind])
        path = (cache if one.filename.endswith(".pth") else data) / one.filename
        if path.suffix == ".pth":
            torch.save({**state, "classifier.0.bias": torch.zeros(4)}, path)
        else:
            np.savez(path, **{key: tensor.numpy().astype(np.float16) for key, tensor in state.items()})
        rows.append(one._replace(sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    monkeypatch.setattr(vgg_weights, "_PUBLISHED", tuple(rows))
    return {one.filename: path for one in rows for path in (cache / one.filename, data / one.filename) if path.exists()}


def test_auto_takes_vgg19_then_vgg16_then_a_random_network_with_a_warning(published, thin):
    x, y = images(1, seed=1), images(1, seed=2)
    loss = perceptual_loss()
    assert (loss.source, loss.maps, loss.pretrained) == ("VGG19, ImageNet (torchvision)", 16, True)
    np.testing.assert_allclose(loss(x, y), slow_equation_2(thin["vgg19"], x, y), rtol=1e-4)
    assert perceptual_loss("vgg16").source.startswith("VGG16, ImageNet (float16 file")
    published["vgg19-dcbb9e9d.pth"].unlink()
    loss = perceptual_loss(width=0.1)
    assert (loss.source, loss.maps) == ("VGG16, ImageNet (float16 file, sha256 961b185e7f1c...)", 13)
    np.testing.assert_allclose(loss(x, y), slow_equation_2(thin["vgg16"], x, y), rtol=0.02)  # rounded to float16
    published["vgg16_imagenet_features_fp16.npz"].unlink()
    assert perceptual_loss().source == "VGG16, ImageNet (torchvision)"
    published["vgg16-397923af.pth"].unlink()
    with pytest.warns(UserWarning, match=r"vgg19-dcbb9e9d.pth in .*random network, not in those of ImageNet.*compared"):
        loss = perceptual_loss(width=0.1)
    assert (loss.source, loss.pretrained) == ("VGG19 layout, random weights, seed 0, width 0.1", False)


@pytest.mark.parametrize("kind", [*MAPS, "vgg"])
def test_a_kind_whose_weights_are_nowhere_is_an_error_that_says_where_they_belong(nothing_there, kind):
    with pytest.raises(
        PerceptualWeightsError, match=rf"'{kind}' .*{kind}(19)?-\w+\.pth in .*checkpoints.*give weights=.*random"
    ):
        perceptual_loss(kind)


def test_vgg_takes_vgg19_then_vgg16_and_never_a_random_network(published, monkeypatch):
    assert perceptual_loss("vgg").source == "VGG19, ImageNet (torchvision)"
    published["vgg19-dcbb9e9d.pth"].unlink()
    file = published["vgg16_imagenet_features_fp16.npz"]
    assert perceptual_loss("vgg").source.startswith("VGG16, ImageNet (float16 file")
    archive = file.with_name("photographs.zip")
    archive.write_bytes(b"")
    monkeypatch.setenv("FAIRNESS_DATA", str(archive))  # weights lie beside it
    assert perceptual_loss("vgg").source.startswith("VGG16, ImageNet (float16 file")
    file.unlink()
    published["vgg16-397923af.pth"].unlink()
    with pytest.raises(PerceptualWeightsError, match="no weights for 'vgg' were found"):
        perceptual_loss("vgg")


def test_without_any_weights_auto_warns_that_fairness_data_is_not_set(nothing_there):
    with pytest.warns(UserWarning, match=r"fp16\.npz in FAIRNESS_DATA, not set"):
        perceptual_loss(width=0.1, blocks=1)


@pytest.mark.parametrize("name", ["vgg19-dcbb9e9d.pth", "vgg16_imagenet_features_fp16.npz"])
def test_a_damaged_published_file_is_an_error_and_not_passed_over(published, name):
    path = published[name]
    if name.endswith(".npz"):
        published["vgg19-dcbb9e9d.pth"].unlink()
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(PerceptualWeightsError, match=rf"{re.escape(str(path))}: sha256 \w+, expected \w+: damaged"):
        perceptual_loss()


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_no_pickle_is_opened_unless_torchvision_published_it(monkeypatch, tmp_path):
    path, sprung = tmp_path / "vgg19.pth", tmp_path / "sprung"
    torch.save({"features.0.weight": Trap(sprung)}, path)
    with pytest.raises(
        PerceptualWeightsError, match=r"vgg19\.pth: sha256 \w+ is not that .*no other pickle .*safetensors"
    ):
        perceptual_loss("vgg19", weights=path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(vgg_weights, "_PUBLISHED", (vgg_weights._PUBLISHED[0]._replace(sha256=digest),))
    with pytest.raises(PerceptualWeightsError, match=r"cannot be read as \.pth"):
        perceptual_loss("vgg19", weights=path)
    assert not sprung.exists()
    objects = np.empty(1, dtype=object)
    objects[0] = Trap(sprung)
    np.savez(tmp_path / "vgg19.npz", **{"features.0.weight": objects})
    with pytest.raises(PerceptualWeightsError, match=r"vgg19\.npz cannot be read as \.npz: .*allow_pickle"):
        perceptual_loss("vgg19", weights=tmp_path / "vgg19.npz")
    assert not sprung.exists()
    with (tmp_path / "vgg19.npz").open("rb") as file, pytest.raises(pickle.UnpicklingError):
        pickle.load(file)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda state: state.pop("features.7.weight"), r"key features\.7\.weight is missing; 25 keys are there; VGG16"),
        (
            lambda state: state.update({"features.5.bias": torch.zeros(8)}),
            r"features\.5\.bias is \(8,\) of torch\.float32; \(16,\) of floats is expected; VGG16 under torchvision",
        ),
        (
            lambda state: state.update({"features.0.weight": torch.zeros(8, 3, 3, 3, dtype=torch.int8)}),
            r"features\.0\.weight is \(8, 3, 3, 3\) of torch\.int8",
        ),
        (
            lambda state: state.update({"features.2.bias": torch.full((8,), torch.nan)}),
            r"features\.2\.bias holds NaN or infinite numbers",
        ),
    ],
    ids=["missing", "shape", "integers", "nan"],
)
def test_weights_that_are_not_the_networks_are_named(thin, tmp_path, damage, message):
    state = state_of(thin["vgg16"])
    damage(state)
    path = tmp_path / "mine.safetensors"
    safetensors_torch.save_file(state, path)
    with pytest.raises(PerceptualWeightsError, match=re.escape(str(path)) + ": " + message):
        perceptual_loss("vgg16", weights=path)


def test_the_other_network_and_files_that_are_no_weights_are_refused(files, tmp_path):
    with pytest.raises(PerceptualWeightsError, match=r"vgg16\.safetensors: its keys are those of VGG16, not of VGG19"):
        perceptual_loss("vgg19", weights=files["vgg16"])
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(files["vgg16"].read_bytes()[:1_000_000])
    with pytest.raises(PerceptualWeightsError, match=r"cut\.safetensors cannot be read as \.safetensors: .*damaged"):
        perceptual_loss("auto", weights=cut)
    cut = tmp_path / "cut.npz"
    np.savez(cut, **{"features.0.weight": np.zeros((64, 3, 3, 3))})
    cut.write_bytes(cut.read_bytes()[:-100])
    with pytest.raises(PerceptualWeightsError, match=r"cut\.npz cannot be read as \.npz"):
        perceptual_loss("auto", weights=str(cut))
    with pytest.raises(PerceptualWeightsError, match=r"absent\.npz cannot be read: No such file"):
        perceptual_loss("auto", weights=tmp_path / "absent.npz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "vgg11"}, r"kind: 'vgg11' is not one of auto, vgg, vgg19, vgg16, random, none"),
        ({"kind": "random", "form": "mean"}, r"form: 'mean' is not one of sums, means"),
        ({"kind": "random", "weights": "x.npz"}, r"weights: kind 'random' reads no file"),
        ({"kind": "random", "blocks": 6}, r"blocks: 6 is not a whole number from 1 to 5"),
        ({"kind": "random", "blocks": 0}, r"blocks: 0"),
        ({"kind": "random", "width": 0.0}, r"width: 0\.0 is outside \(0, 1\]"),
        ({"kind": "random", "width": float("nan")}, r"width: nan"),
        ({"kind": "vgg16", "width": 0.5}, r"width: 0\.5 is for the random network"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        perceptual_loss(**arguments)


def test_images_that_cannot_be_compared_are_refused(small):
    assert small.smallest_side == 4
    with pytest.raises(ValueError, match=r"reconstruction: shape \(3, 3, 32, 32\), target: \(2, 3, 32, 32\)"):
        small(images(3), images(2))
    with pytest.raises(ValueError, match=r"shape \(3, 1, 32, 32\): colour images \(B, 3, H, W\)"):
        small(images()[:, :1], images()[:, :1])
    with pytest.raises(ValueError, match=r"images of 3 x 3 pixels: 4 x 4 are needed, or fewer blocks"):
        small(images(1, 3), images(1, 3))
    assert small(images(1, 4, seed=1), images(1, 4, seed=2)) > 0
