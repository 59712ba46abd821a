"""Which worker of pytest-xdist runs which checks, so that a model is fitted once."""

# A model that is swept is trained by all workers together, which share the trainings (`storage.claims`): its checks go
# to all of them, as pytest-xdist deals tests out. Any other model may be fitted by its fixture, which nobody can share:
# its checks go to one worker. A worker that is lost hands on what it has not done.

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler.load import LoadScheduling

__all__ = ["one_fit_a_model"]


def one_fit_a_model(
    config: pytest.Config, log: Any, kept_together: Callable[[], Mapping[str, str]]
) -> LoadScheduling | None:
    """Return the scheduler of a run whose tests pytest-xdist deals out by load, as it does where nobody says how.

    `kept_together` returns models by the node ids of their tests.
    """
    if config.getoption("dist", "no") != "load":
        return None
    from xdist.scheduler.load import LoadScheduling

    model_of = kept_together()

    class ModelScheduling(LoadScheduling):  # type: ignore[misc]  # pytest-xdist has no types
        """Deals tests out by load, but those of one model together."""

        def _send_tests(self, node: Any, num: int) -> None:
            models = [model_of.get(name) for name in self.collection or ()]
            chosen = _first(self.pending, num, models)
            rest = set(self.pending) - set(chosen)
            self.pending[:] = [*chosen, *(test for test in self.pending if test in rest)]
            super()._send_tests(node, len(chosen))

    return ModelScheduling(config, log)


def _first(pending: Sequence[int], number: int, models: Sequence[str | None]) -> list[int]:
    """Return the next tests, so many where there are, and all others of the last one's model."""
    chosen: dict[int, None] = {}
    for test in pending:
        if len(chosen) >= number:
            break
        model = models[test]
        chosen |= dict.fromkeys([test] if model is None else [each for each in pending if models[each] == model])
    return list(chosen)
