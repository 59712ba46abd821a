"""Model fixtures, and metrics of the user's own: how a project declares them, and which the file of limits can see."""

# Importing this module imports pytest and nothing heavy.

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import pytest

from fairness_checks.errors import ConfigurationError

if TYPE_CHECKING:
    from fairness_checks.question.metrics import Metric

__all__ = [
    "MODEL_MARK",
    "BelowModel",
    "conftests",
    "discover_metrics",
    "discover_models",
    "fairness_model",
    "models_below",
    "visible",
]

MODEL_MARK = "__fairness_model__"
_RESERVED = frozenset(
    {"fairness", "fairness_cache", "fairness_device", "fairness_record", "fairness_waiver", "request"}
)


@overload
def fairness_model(function: Callable[..., Any]) -> Any: ...
@overload
def fairness_model(*, sensitive_features: Sequence[str] | None = None) -> Callable[[Callable[..., Any]], Any]: ...
def fairness_model(
    function: Callable[..., Any] | None = None, *, sensitive_features: Sequence[str] | None = None
) -> Any:
    """Turn a function that returns `Predictions` into a session-scoped fixture that the gate discovers.

    Parameters
    ----------
    function : callable
        The fixture function, in a conftest.py or a plugin; its name is the model's name. It may request any
        session-scoped fixture.
    sensitive_features : sequence of str, optional
        Features that the predictions will hold. Declared, a misspelt feature in thresholds.yaml is found before any
        model is fitted; undeclared, when this model's predictions arrive.

    Examples
    --------
    ::

        @fairness_model(sensitive_features=["sex"])
        def sepsis_model(holdout):
            return Predictions(holdout.y, y_score=holdout.score, sensitive_features={"sex": holdout.sex})
    """
    if function is None:
        names = [sensitive_features] if isinstance(sensitive_features, str) else sensitive_features
        declared = None if names is None else tuple(names)
        return functools.partial(_as_fixture, declared=declared)
    return _as_fixture(function, declared=None)


def _as_fixture(function: Any, declared: tuple[str, ...] | None) -> Any:
    if not callable(function) or isinstance(function, type) or not hasattr(function, "__name__"):
        raise pytest.UsageError(
            f"@fairness_model: {function!r} is no function with a name, which is the model's; write @fairness_model "
            'or @fairness_model(sensitive_features=["sex"]) above a def'
        )
    if function.__name__ in _RESERVED:
        raise pytest.UsageError(
            f"@fairness_model {function.__name__}: the name is taken; not allowed: {', '.join(sorted(_RESERVED))}"
        )
    # On the function itself: pytest's fixture definition takes its attributes over, and its FixtureDef holds it.
    setattr(function, MODEL_MARK, (declared,))
    try:
        return pytest.fixture(scope="session")(function)
    except ValueError:
        raise pytest.UsageError(
            f"@fairness_model {function.__name__}: it makes a fixture itself; remove the line @pytest.fixture"
        ) from None


def discover_models(config: pytest.Config, config_path: Path) -> dict[str, tuple[str, ...] | None]:
    """Return the model fixtures that the file of limits can see, with the features that they declare."""
    # Fixtures live in plugins and in conftest.py files; of the latter, those beside or above the file count.
    models: dict[str, tuple[str, ...] | None] = {}
    for name, value in visible(config, config_path):
        # Some module attributes answer any getattr; only the instance's own mark counts.
        if (mark := getattr(value, "__dict__", {}).get(MODEL_MARK)) is not None:
            models[name] = mark[0]
    return dict(sorted(models.items()))


def visible(config: pytest.Config, config_path: Path) -> Iterator[tuple[str, object]]:
    """Yield (name, value) of all that plugins hold, and conftest.py files beside or above the file of limits."""
    for plugin in config.pluginmanager.get_plugins():
        if getattr(plugin, "__name__", "").startswith("_pytest."):  # most of them, and none of a project's
            continue
        file = _conftest(plugin)
        if file is None or file.parent in config_path.parents:
            yield from list(getattr(plugin, "__dict__", {}).items())


def _conftest(plugin: object) -> Path | None:
    file = getattr(plugin, "__file__", None) or ""
    return Path(file) if os.path.basename(file) == "conftest.py" else None  # noqa: PTH119  # asked of every plugin


def conftests(config: pytest.Config) -> list[Path]:
    """Return each conftest.py that has been loaded."""
    return sorted(file for file in map(_conftest, config.pluginmanager.get_plugins()) if file is not None)


class BelowModel(NamedTuple):
    """A model fixture of a conftest.py in a folder below the file of limits."""

    declared: tuple[str, ...] | None
    folder: Path
    value: object


def models_below(config: pytest.Config, config_path: Path, named: Collection[str] = ()) -> dict[str, BelowModel]:
    """Return the models of loaded conftest.py files below the file that it sees none of the name of beside or above."""
    # Two of a name that the file names are a ConfigurationError; of others nobody asks which it is.
    above = discover_models(config, config_path)
    found: dict[str, BelowModel] = {}
    for file, name, value in _below(config, config_path):
        if name in above or (mark := getattr(value, "__dict__", {}).get(MODEL_MARK)) is None:
            continue
        model = found.setdefault(name, BelowModel(mark[0], file.parent, value))
        if model.folder != file.parent and name in named:
            places = " and ".join(str(folder / "conftest.py") for folder in (model.folder, file.parent))
            raise ConfigurationError(
                f"@fairness_model: two models are called {name}: {places}; give one of them another name"
            )
    return dict(sorted(found.items()))


def _below(config: pytest.Config, config_path: Path) -> Iterator[tuple[Path, str, object]]:
    for plugin in config.pluginmanager.get_plugins():
        file = _conftest(plugin)
        if file is not None and config_path.parent in file.parent.parents:
            yield from ((file, name, value) for name, value in list(vars(plugin).items()))


def discover_metrics(config: pytest.Config, config_path: Path) -> dict[str, Metric]:
    """Return the metrics of the user's own that the file of limits can see, by name; from where models come."""
    from fairness_checks.question.own_metrics import registered

    metrics: dict[str, Metric] = {}
    below = (value for _, _, value in _below(config, config_path))
    for value in (*(value for _, value in visible(config, config_path)), *below):
        if (metric := registered(value)) is not None:
            other = metrics.setdefault(metric.name, metric)
            if other.per_sample is not metric.per_sample:
                places = " and ".join(_place(each.per_sample) for each in (other, metric))
                raise ConfigurationError(
                    f"@fairness_metric: two metrics are called {metric.name}: {places}; give one of them another name"
                )
    return metrics


def _place(function: object) -> str:
    code = getattr(function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)
