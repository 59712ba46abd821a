"""A fairness gate for clinical machine learning: ``pytest --fairness``.

Everything public is here and is imported when it is first used, so that pytest pays nothing for a plugin that is off.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairness_checks.adapters.autoencoder import predictions_from_autoencoder
    from fairness_checks.adapters.classifier import predictions_from_classifier
    from fairness_checks.errors import ConfigurationError, FairnessError, InvalidPredictions, RecordError
    from fairness_checks.inputs.predictions import Predictions
    from fairness_checks.judge.auditing import audit, audit_uncertainty
    from fairness_checks.judge.part_measuring import measure_part
    from fairness_checks.judge.part_statistics import PartStatistics, merge_parts
    from fairness_checks.kinds.group_statistics import GroupStatistics
    from fairness_checks.planning.detectable import plan_detectable
    from fairness_checks.planning.sample_size import SamplePlan, plan_sample_size
    from fairness_checks.plugin.discovery import fairness_model
    from fairness_checks.question.metrics import METRICS, Metric
    from fairness_checks.question.own_metrics import fairness_metric
    from fairness_checks.records.check_record import CheckRecord
    from fairness_checks.records.parts import GroupRecord
    from fairness_checks.storage.cache import FittedCache

_HOMES = {
    "CheckRecord": "records.check_record",
    "ConfigurationError": "errors",
    "FairnessError": "errors",
    "FittedCache": "storage.cache",
    "GroupRecord": "records.parts",
    "GroupStatistics": "kinds.group_statistics",
    "InvalidPredictions": "errors",
    "METRICS": "question.metrics",
    "Metric": "question.metrics",
    "PartStatistics": "judge.part_statistics",
    "Predictions": "inputs.predictions",
    "RecordError": "errors",
    "audit": "judge.auditing",
    "audit_uncertainty": "judge.auditing",
    "fairness_metric": "question.own_metrics",
    "fairness_model": "plugin.discovery",
    "SamplePlan": "planning.sample_size",
    "measure_part": "judge.part_measuring",
    "merge_parts": "judge.part_statistics",
    "plan_detectable": "planning.detectable",
    "plan_sample_size": "planning.sample_size",
    "predictions_from_autoencoder": "adapters.autoencoder",
    "predictions_from_classifier": "adapters.classifier",
}

__all__ = [
    "METRICS",
    "CheckRecord",
    "ConfigurationError",
    "FairnessError",
    "FittedCache",
    "GroupRecord",
    "GroupStatistics",
    "InvalidPredictions",
    "Metric",
    "PartStatistics",
    "Predictions",
    "RecordError",
    "SamplePlan",
    "audit",
    "audit_uncertainty",
    "fairness_metric",
    "fairness_model",
    "measure_part",
    "merge_parts",
    "plan_detectable",
    "plan_sample_size",
    "predictions_from_autoencoder",
    "predictions_from_classifier",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from fairness_checks.distribution import package_version

        return package_version()
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
