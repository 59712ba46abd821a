"""Modules that change more than a flag with their mode, or have no mode that can be changed."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  (needs torch)

from fairness_checks import predictions_from_autoencoder  # noqa: E402
from fairness_checks.errors import InvalidPredictions  # noqa: E402

IMAGES = np.random.default_rng(0).random((6, 4), dtype=np.float32)
GROUPS = {"g": ["a", "b", "b"] * 2}


class Merging(nn.Linear):
    """Adds its correction to its weights for an evaluation and takes it off for a training, as LoRA does."""

    def __init__(self) -> None:
        super().__init__(4, 4)
        self.merged = False

    def train(self, mode=True):
        if mode == self.merged:
            self.weight.data += -0.5 if mode else 0.5
            self.merged = not mode
        return super().train(mode)


def judged(module):
    return predictions_from_autoencoder(module, IMAGES, sensitive_features=GROUPS).error


def net():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))


def brute_force(module):
    with torch.no_grad():
        return ((module(torch.from_numpy(IMAGES)).numpy() - IMAGES) ** 2).mean(axis=1) ** 0.5


@pytest.mark.parametrize("modes", [(True, True), (True, False), (False, True), (False, False)])
def test_work_that_a_mode_does_is_undone(modes):
    whole, part = modes
    module = nn.Sequential(Merging(), nn.Dropout())
    module.train(whole)
    module[0].train(part)
    before = copy.deepcopy(module)
    judged(module)
    assert [one.training for one in module.modules()] == [one.training for one in before.modules()]
    assert module[0].merged == before[0].merged
    np.testing.assert_allclose(module[0].weight.detach(), before[0].weight.detach(), atol=1e-6)


def test_flags_that_no_call_can_set_are_put_back():
    class AlwaysJudging(nn.Linear):
        def train(self, mode=True):
            return super().train(False)

    module = nn.Sequential(AlwaysJudging(4, 4), nn.Dropout())
    module[0].training = True
    judged(module)
    assert all(part.training for part in module.modules())


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")
def test_a_frozen_module_of_torchscript_is_judged():
    plain = net().eval()
    frozen = torch.jit.freeze(torch.jit.script(plain))
    np.testing.assert_allclose(judged(frozen), brute_force(plain), rtol=1e-5)
    around = nn.Sequential(frozen, nn.Dropout()).train()
    np.testing.assert_allclose(judged(around), brute_force(plain), rtol=1e-5)
    assert around.training
    assert around[1].training


def exported(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.export.export(module, (torch.from_numpy(IMAGES),)).module()


def test_an_exported_module_is_judged_as_it_was_exported():
    plain = net().eval()
    module = exported(plain)
    flags = [part.training for part in module.modules()]
    np.testing.assert_allclose(judged(module), brute_force(plain), rtol=1e-5)
    assert [part.training for part in module.modules()] == flags
    around = nn.Sequential(nn.Dropout(), module, nn.Dropout())
    np.testing.assert_allclose(judged(around), brute_force(plain), rtol=1e-5)
    assert around[0].training
    assert around[2].training


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.BatchNorm1d(4)], ids=["dropout", "norm"])
def test_a_module_exported_in_training_mode_is_refused(layer):
    module = exported(nn.Sequential(nn.Linear(4, 4), layer).train())
    for one in (module, nn.Sequential(nn.Identity(), module)):
        with pytest.raises(InvalidPredictions, match=r"^module: GraphModule is in training mode .*export it, in eval"):
            judged(one)


def test_a_module_that_cannot_leave_training_mode_is_refused():
    class Stuck(nn.Linear):
        def train(self, mode=True):
            raise NotImplementedError("no modes here")

    module = Stuck(4, 4)
    with pytest.raises(InvalidPredictions, match=r"^module: Stuck is in training mode .*\(no modes here\); make it"):
        judged(module)
    assert module.training
    module.training = False
    np.testing.assert_allclose(judged(module), brute_force(module), rtol=1e-5)


@pytest.mark.parametrize("device", [None, True, 1.5])
def test_what_names_no_device_is_refused(device):
    with pytest.raises(
        InvalidPredictions, match=rf"^device: {device}; give 'auto', a name such as 'cuda:0' or a torch"
    ):
        predictions_from_autoencoder(net(), IMAGES, sensitive_features=GROUPS, device=device)


def test_the_meta_device_which_forgets_all_values_is_refused():
    module = net()
    before = copy.deepcopy(module)
    with pytest.raises(InvalidPredictions, match=r"^device: meta has no values; give 'auto', 'cpu' or 'cuda'$"):
        predictions_from_autoencoder(module, IMAGES, sensitive_features=GROUPS, device="meta")
    assert torch.equal(module[0].weight, before[0].weight)
    with pytest.raises(InvalidPredictions, match=r"^module: Linear has parameters on the meta device; load their"):
        judged(nn.Linear(4, 4, device="meta"))
