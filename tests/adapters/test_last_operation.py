"""What a module's last operation does to its range, for layers of every kind and however the module was compiled."""

from __future__ import annotations

import warnings

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  (needs torch)

from fairness_checks.adapters.last_operation import ending_of  # noqa: E402

IMAGES = torch.rand(4, 3, 8, 8)


def after(*layers):
    return nn.Sequential(nn.Conv2d(3, 4, 1), *layers).eval()


class Residual(nn.Module):
    def __init__(self, *layers) -> None:
        super().__init__()
        self.layers = after(*layers, nn.Conv2d(4, 3, 1))

    def forward(self, x):
        return torch.sigmoid(x) + self.layers(x)


class Strict(nn.Module):
    def forward(self, x):
        assert not torch.is_grad_enabled()
        return x


ENDINGS = {
    "convolution": (after(), "unbounded"),
    "transposed convolution": (after(nn.ConvTranspose2d(4, 3, 2, stride=2)), "unbounded"),
    "linear": (nn.Sequential(nn.Flatten(), nn.Linear(192, 192), nn.Unflatten(1, (3, 8, 8))), "unbounded"),
    "linear over pixels": (nn.Linear(8, 8, bias=False), "unbounded"),
    "batch norm": (after(nn.BatchNorm2d(4), nn.Dropout()), "unbounded"),
    "group norm": (after(nn.GroupNorm(2, 4)), "unbounded"),
    "upsampled": (after(nn.Upsample(scale_factor=2, mode="bilinear"), nn.PixelShuffle(2)), "unbounded"),
    "leaky": (after(nn.LeakyReLU()), "unbounded"),
    "a sum with something linear": (Residual(nn.Tanh()), "unbounded"),
    "sigmoid": (after(nn.Sigmoid()), "bounded"),
    "tanh": (after(nn.Tanh()), "bounded"),
    "rectified": (after(nn.ReLU(inplace=True)), "bounded"),
    "hard tanh, shuffled": (after(nn.Hardtanh(), nn.PixelShuffle(2)), "bounded"),
    "sigmoid, resized": (after(nn.Sigmoid(), nn.Upsample(scale_factor=2)), "bounded"),
    "softmax": (after(nn.Softmax(1)), "bounded"),
    "nothing": (nn.Identity(), "unknown"),
    "an operation that is not known": (after(nn.GELU()), "unknown"),
    "minds gradients": (Strict(), "unknown"),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_the_last_operation_is_found(name):
    module, ending = ENDINGS[name]
    assert ending_of(module, IMAGES) == ending
    with torch.no_grad():
        assert ending_of(module, IMAGES) == ending
    assert all(parameter.grad is None for parameter in module.parameters())


@pytest.mark.parametrize("name", ["convolution", "batch norm", "sigmoid", "tanh"])
@pytest.mark.parametrize("how", ["script", "trace", "export"])
def test_it_is_found_in_compiled_modules(name, how):
    module, ending = ENDINGS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if how == "export":  # of this number of images only
            compiled = torch.export.export(module, (IMAGES,)).module()
        else:
            compiled = torch.jit.script(module) if how == "script" else torch.jit.trace(module, IMAGES)
    assert ending_of(compiled, IMAGES) == ending
