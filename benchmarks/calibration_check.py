"""Whether `benchmarks.calibration` judges as `fairness_checks.audit` does: the same p-values for the same rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from benchmarks.calibration_evidence import Areas, Means
from benchmarks.calibration_gates import ALPHA, Evidence
from benchmarks.calibration_rates import Rates
from benchmarks.calibration_worlds import Array, Design, Samples
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.auditing import audit, audit_uncertainty
from fairness_checks.records.check_record import CheckRecord

__all__ = ["check_against_audit"]


def _rows_of_counts(evidence: Rates, groups: int) -> Samples:
    """Rows that have the counts of independent samples."""
    events, samples = (counts.ravel().astype(np.int64) for counts in evidence.counts)
    codes = np.repeat(np.arange(len(samples)), samples)
    position = np.arange(len(codes)) - np.searchsorted(codes, codes)
    return Samples(groups, codes, (position < events[codes]).astype(np.float64))


def _audited(evidence: Evidence, rows: Samples, data_set: int, limit: float) -> CheckRecord:
    """Ask the public function about one data set."""
    some = rows.part(data_set * rows.groups, (data_set + 1) * rows.groups)
    values, other = rows.values[some], np.zeros(0) if rows.other is None else rows.other[some]
    features = {"group": [f"{code:06d}" for code in rows.codes[some]]}
    cluster = None if rows.clusters is None else rows.clusters[some]
    if isinstance(evidence, Rates):
        given = Predictions(np.ones(len(values)), 1 - values, sensitive_features=features, cluster=cluster)
        return audit(given, metric="false_negative_rate", max_difference=limit)
    if isinstance(evidence, Means):
        given = Predictions(error=values, sensitive_features=features, cluster=cluster)
        return audit(given, metric="mean_error", max_difference=limit)
    if isinstance(evidence, Areas):
        scores = special.expit(values)
        given = Predictions(other, y_score=scores, sensitive_features=features, cluster=cluster)
        return audit(given, metric="roc_auc", max_difference=limit)
    uncertainty = np.exp(other)
    given = Predictions(error=np.exp(values), uncertainty=uncertainty, sensitive_features=features, cluster=cluster)
    return audit_uncertainty(given, max_mismatch=limit)


def check_against_audit(
    draw: Callable[[Design, int, np.random.Generator], Evidence], limit: float, disparities: Array, data_sets: int = 6
) -> None:
    """Compare p-values with `audit`'s, of pairs and of six groups, independent and clustered.

    Raises
    ------
    AssertionError
        If one that is below alpha here or there is not the same.
    """
    rng = np.random.default_rng(0)
    for groups, clustered in ((2, False), (6, False), (2, True), (6, True)):
        for disparity in disparities:
            design = Design((60, 90), groups, clustered, float(disparity))
            evidence = draw(design, data_sets, rng)
            rows = evidence.rows
            if rows is None:
                assert isinstance(evidence, Rates)  # the only kind that is simulated by counts
                rows = _rows_of_counts(evidence, groups)
            found = evidence.ours(limit)
            for s in range(data_sets):
                record = _audited(evidence, rows, s, limit)
                for ours, audited in (
                    (float(found.p_violation[s]), record.p_violation),
                    (float(found.p_compliance[s]), record.p_compliance),
                ):
                    assert audited is not None, f"{design}: {record.reason}"
                    same = abs(ours - audited) <= 1e-9 + 1e-6 * audited
                    assert same or min(ours, audited) >= ALPHA, f"{design}, data set {s}: {ours}, audit says {audited}"
