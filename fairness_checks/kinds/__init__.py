"""How each kind of metric is inferred: one module a kind, one row in `KINDS`."""

# A metric of the kind "largest_of" is not here: `findings.finding` puts it together from its components.

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fairness_checks.kinds.balanced_accuracy import BalancedAccuracy
from fairness_checks.kinds.calibration_error import CalibrationError
from fairness_checks.kinds.kind import Kind
from fairness_checks.kinds.mean import Mean
from fairness_checks.kinds.mismatch import UncertaintyMismatch
from fairness_checks.kinds.proportion import Proportion
from fairness_checks.kinds.ranking import Ranking

__all__ = ["KINDS", "Kind"]

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "balanced_accuracy": BalancedAccuracy(),
        "calibration_error": CalibrationError(),
        "mean": Mean(),
        "proportion": Proportion(),
        "ranking": Ranking(),
        "uncertainty_mismatch": UncertaintyMismatch(),
    }
)
