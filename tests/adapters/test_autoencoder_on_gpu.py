"""What the adapter measures on a GPU is what it measures on a CPU; needs no more than the adapter, to travel."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  (needs torch)

from fairness_checks import predictions_from_autoencoder  # noqa: E402

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")


class Convolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2, padding=1), nn.ELU(), nn.Conv2d(64, 64, 3, padding=1)
        )
        self.decoder = nn.ConvTranspose2d(32, 3, 4, stride=2, padding=1)

    def forward(self, x):
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return self.decoder(mean), mean, log_variance


class Products(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(3 * 32 * 32, 512), nn.Linear(256, 3 * 32 * 32)

    def forward(self, x):
        mean, log_variance = self.encoder(x.flatten(1)).chunk(2, dim=1)
        return self.decoder(mean).reshape(x.shape), mean, log_variance


@pytest.fixture
def rounding_allowed():
    """Allow torch less than float32 wherever it can be allowed."""
    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("medium")
    yield
    torch.backends.cudnn.allow_tf32 = before[0]
    torch.set_float32_matmul_precision(before[1])


@pytest.mark.filterwarnings("ignore:Please use the new API settings:UserWarning")
@pytest.mark.parametrize("kind", [Convolutions, Products])
def test_on_a_gpu_the_numbers_are_those_of_the_cpu(kind, rounding_allowed):
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        module, images = kind(), torch.rand(30, 3, 32, 32)
    for weights in module.parameters():
        weights.data.mul_(8)  # so that the error is the reconstruction's
    groups = {"tone": ["light", "dark"] * 15}
    here = predictions_from_autoencoder(module, images, sensitive_features=groups)
    there = predictions_from_autoencoder(module, images, sensitive_features=groups, device="cuda")
    assert next(module.parameters()).device.type == "cpu"
    stays = predictions_from_autoencoder(module.cuda(), images, sensitive_features=groups)
    assert next(module.parameters()).device.type == "cuda"
    for other in (there, stays):  # TF32 moves errors by 5e-5 (products) and 2e-4 (convolutions)
        np.testing.assert_allclose(other.error, here.error, rtol=1e-5)
        np.testing.assert_allclose(other.uncertainty, here.uncertainty, rtol=1e-4)
