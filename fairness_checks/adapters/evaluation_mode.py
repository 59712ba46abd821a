"""A torch module in evaluation mode, on a device and with a random state, for as long as it is judged."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fairness_checks.adapters.autoencoder_output import name_of
from fairness_checks.errors import InvalidPredictions

if TYPE_CHECKING:
    import torch

__all__ = ["evaluating"]


@contextlib.contextmanager
def evaluating(module: torch.nn.Module, device: torch.device | str, seed: int) -> Iterator[torch.device]:
    """Set evaluation mode, device and random state; put all of them back."""
    import torch

    homes = {tensor.device for tensor in (*module.parameters(), *module.buffers())}
    home = next(iter(homes), torch.device("cpu"))
    if any(place.type == "meta" for place in homes):
        raise InvalidPredictions(
            f"module: {name_of(module)} has parameters on the meta device; load their values first"
        )
    # A frozen part of TorchScript has no mode.
    training = {part: part.training for part in module.modules() if hasattr(part, "training")}
    try:
        place = home if device == "auto" else torch.device(device)
        if len(homes) > 1 and device != "auto":
            raise InvalidPredictions(
                f"device: {name_of(module)} is spread over {', '.join(sorted(map(str, homes)))}; leave it "
                "there (device='auto')"
            )
        if place.type == "meta":
            raise InvalidPredictions(f"device: {device!s} has no values; give 'auto', 'cpu' or 'cuda'")
        if place != home:
            module.to(place)
    except (RuntimeError, AssertionError, NotImplementedError) as problem:
        module.to(home)
        raise InvalidPredictions(f"device: {name_of(module)} cannot be run on {device!s}: {problem}") from problem
    try:
        with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
            torch.default_generator.manual_seed(seed)
            if place.type == "cuda":
                with torch.cuda.device(place):
                    torch.cuda.manual_seed(seed)
            if any(training.values()):
                _evaluate(module)
            yield place
    finally:
        _restore(training)
        if place != home:
            module.to(home)


def _evaluate(module: torch.nn.Module) -> None:
    """Set evaluation mode, but for parts that have one for good, as those of torch.export do."""
    try:
        module.eval()
    except NotImplementedError:
        for part in module.modules():
            try:
                part.eval()
            except NotImplementedError as problem:
                if _trains(part):
                    raise InvalidPredictions(
                        f"module: {name_of(part)} is in training mode and cannot leave it ({problem}); make it, or "
                        "export it, in evaluation mode"
                    ) from problem


def _trains(part: torch.nn.Module) -> bool:
    """Say whether a part is in training mode; of one by torch.export only the operations tell, not its flag."""
    import torch

    if not isinstance(part, torch.fx.GraphModule):
        return part.training
    graphs = (inner.graph for inner in part.modules() if isinstance(inner, torch.fx.GraphModule))
    return any(_node_trains(node) for graph in graphs for node in graph.nodes)


def _node_trains(node: torch.fx.Node) -> bool:
    """Say whether an operation, such as dropout or batch normalisation, was written down as one of a training."""
    schema = getattr(node.target, "_schema", None)
    for place, argument in enumerate(schema.arguments if schema is not None else ()):
        if argument.name in ("train", "training"):
            value = node.args[place] if place < len(node.args) else node.kwargs.get(argument.name)
            return value is True
    return False


def _restore(training: dict[torch.nn.Module, bool]) -> None:
    """Set each part to the mode where it was, parents before their parts."""
    for part, flag in training.items():
        if part.training != flag:
            with contextlib.suppress(NotImplementedError):
                part.train(flag)  # rather than the flag alone: where a mode merges weights, it must take them apart
    for part, flag in training.items():  # the parts whose parent set them last
        part.training = flag
