"""Our numbers beside those of R's packages; `reference.R` made them and README.md says where conventions differ."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from fairness_checks import Predictions, audit
from fairness_checks.stats.clusters import cluster_cells
from fairness_checks.stats.disparity import judge_disparity, rates_violation
from fairness_checks.stats.estimates import estimates_compliance, estimates_violation
from fairness_checks.stats.few_clusters import freedom_of_samples, narrowed
from fairness_checks.stats.influence import auc_influence, rate_influence
from fairness_checks.stats.joint_estimates import contrasts, joint_estimates
from fairness_checks.stats.judge_estimates import judge_difference
from fairness_checks.stats.means import mean_estimates, means_violation
from fairness_checks.stats.mismatch import mismatch_by_group
from fairness_checks.stats.moments import moments_by_cluster, moments_by_group
from fairness_checks.stats.multiplicity import adjust
from fairness_checks.stats.proportions import clopper_pearson, exact_binomial_p, score_statistic
from fairness_checks.stats.ranking import auc_by_group, auc_estimates
from fairness_checks.stats.rao_scott import effective_counts
from fairness_checks.stats.rate_pairs import Pairs
from fairness_checks.stats.simultaneous import Family

HERE = Path(__file__).parent
FIRST, SECOND = np.array([0]), np.array([1])
WIDEST = 1.25  # times R's standard error, at most, where ours is the larger of two


def read(name):
    with (HERE / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def columns(rows, *names):
    """Return the columns as numbers where they are."""
    return [np.array([row[name] for row in rows]).astype(float) for name in names]


NUMBERS = {(row["data"], row["quantity"]): float(row["value"]) for row in read("numbers.csv")}
VISITS, SCORES, ERRORS, SCHOOLS = (read(f"{name}.csv") for name in ("visits", "scores", "errors", "schools"))


def r(data, quantity):
    return pytest.approx(NUMBERS[data, quantity], rel=1e-9)


def standard_error(one, other):
    return float(np.sqrt(one.variance + other.variance)[0])


class Visits:
    """Two groups of clustered samples: a and b."""

    def __init__(self, design):
        rows = [row for row in VISITS if row["design"] == design]
        codes = np.array([row["group"] == "b" for row in rows]).astype(int)
        clusters, self.value, self.event = columns(rows, "cluster", "value", "event")
        self.cells = cluster_cells(codes, 2, clusters.astype(int))

    def estimates(self, of):
        return mean_estimates(moments_by_cluster(self.cells, getattr(self, of)))

    def counts(self):
        return effective_counts(self.cells, self.event)


DESIGNS = ("single", "equal", "unequal", "one_large", "shared", "paired")
OUTCOMES = ("value", "event")


@pytest.mark.parametrize("of", OUTCOMES)
@pytest.mark.parametrize("design", ["single", "equal", "paired"])
def test_with_clusters_of_one_size_a_mean_has_the_variance_and_freedom_of_cr2(design, of):
    found = Visits(design).estimates(of)
    # Where samples of one cluster differ more than those of others, the variance components have none between.
    known = [group for group in (0, 1) if (design, of, group) != ("equal", "event", 1)]
    for group in known:
        name = f"{of} CR2 %s {'ab'[group]}"
        assert np.sqrt(found.variance[group]) == r(design, name % "se")
        assert found.freedom[group] == r(design, name % "freedom")


@pytest.mark.parametrize("of", OUTCOMES)
@pytest.mark.parametrize("design", DESIGNS)
def test_a_mean_of_unequal_clusters_is_never_surer_than_survey_and_cr2(design, of):
    found = Visits(design).estimates(of)
    for group, name in enumerate("ab"):
        error = np.sqrt(found.variance[group])
        assert error >= NUMBERS[design, f"{of} se {name}"] * (1.0 - 1e-9)
        assert error >= 0.995 * NUMBERS[design, f"{of} CR2 se {name}"]
        assert found.freedom[group] <= NUMBERS[design, f"{of} CR2 freedom {name}"] * 1.01
    difference = standard_error(*found.pairs(SECOND, FIRST))
    ratio = difference / NUMBERS[design, f"{of} se of the difference"]
    assert 1.0 - 1e-9 <= ratio <= WIDEST
    p = float(estimates_violation(found, FIRST, SECOND, 0.0)[0])
    assert p >= 0.99 * NUMBERS[design, f"{of} p"]


@pytest.mark.parametrize("of", OUTCOMES)
def test_pairs_of_one_sample_each_are_the_paired_test_of_cr2(of):
    found = Visits("paired").estimates(of)
    assert standard_error(*found.pairs(FIRST, SECOND)) == r("paired", f"{of} CR2 se of the difference")
    assert float(estimates_violation(found, FIRST, SECOND, 0.0)[0]) == r("paired", f"{of} CR2 p")


@pytest.mark.parametrize("design", DESIGNS)
def test_effective_counts_give_no_shorter_interval_than_korn_and_graubard(design):
    counts = Visits(design).counts()
    tail = narrowed(0.05, freedom_of_samples(counts.samples), counts.freedom)
    low, high = clopper_pearson(counts.events, counts.samples, tail)
    widest = {"unequal": 1.2, "shared": 1.2, "one_large": 1.65}.get(design, 1.03)
    for group, name in enumerate("ab"):
        theirs = [NUMBERS[design, f"event {end} {name}"] for end in ("low", "high")]
        ratio = (high[group] - low[group]) / (theirs[1] - theirs[0])
        assert ratio >= 0.98
        assert ratio <= widest


def schools(name):
    """Rows that have the sums of the districts' schools: by type their scores and awards."""
    codes, districts, scores, awards = [], [], [], []
    for row in SCHOOLS:
        if row["data"] == name:
            count, total, squares, events = (int(row[key]) for key in ("schools", "score", "squares", "awards"))
            pattern = np.linspace(-1.0, 1.0, count) if count > 1 else np.zeros(1)
            spread = max(squares - total**2 / count, 0.0) / max(pattern @ pattern, 1.0)
            codes += ["EHM".index(row["type"])] * count
            districts += [int(row["district"])] * count
            scores += (total / count + pattern * np.sqrt(spread)).tolist()
            awards += [True] * events + [False] * (count - events)
    return cluster_cells(np.array(codes), 3, np.array(districts)), np.array(scores), np.array(awards)


@pytest.mark.parametrize("pair", ["E-H", "E-M", "H-M"])
@pytest.mark.parametrize("name", ["apiclus1", "apiclus2", "apisrs", "apistrat"])
def test_districts_with_schools_of_several_types_are_compared_as_survey_does(name, pair):
    cells, scores, awards = schools(name)
    first, second = (np.array(["EHM".index(part)]) for part in pair.split("-"))
    found = mean_estimates(moments_by_cluster(cells, scores))
    assert cells.spanning
    assert float((found.value[first] - found.value[second])[0]) == r(name, f"difference api00 {pair}")
    ratio = standard_error(*found.pairs(first, second)) / NUMBERS[name, f"se api00 {pair}"]
    assert 1.0 <= ratio <= WIDEST

    counts = effective_counts(cells, awards)
    sides = counts.events[first], counts.samples[first], counts.events[second], counts.samples[second]
    together = Pairs(*sides).joined(counts.shared[first, second])
    p1, p2 = together.x1 / together.n1, together.x2 / together.n2
    assert float((p1 - p2)[0]) == r(name, f"difference award {pair}")
    error = np.sqrt(p1 * (1.0 - p1) / together.n1 + p2 * (1.0 - p2) / together.n2)
    assert 0.995 <= float(error[0]) / NUMBERS[name, f"se award {pair}"] <= WIDEST


def test_districts_are_judged_so_by_audit():
    cells, scores, awards = schools("apistrat")
    kept = cells.group[cells.of_row] != 1  # E and M
    features = {"type": np.array(list("EHM"))[cells.group[cells.of_row]][kept]}
    districts = cells.cluster[cells.of_row][kept]
    given = Predictions(error=scores[kept], sensitive_features=features, cluster=districts)
    record = audit(given, metric="mean_error", max_difference=0.0)
    assert record.estimate == r("apistrat", "difference api00 E-M")
    assert NUMBERS["apistrat", "p api00 E-M"] <= record.p_violation <= 2.0 * NUMBERS["apistrat", "p api00 E-M"]
    given = Predictions(np.ones(kept.sum()), awards[kept], sensitive_features=features, cluster=districts)
    record = audit(given, metric="true_positive_rate", max_difference=0.0)
    assert record.verdict == "fail"  # as survey has it
    assert NUMBERS["apistrat", "p award E-M"] <= record.p_violation <= 2.0 * NUMBERS["apistrat", "p award E-M"]


def areas(of):
    label, score = columns(SCORES, "label", of)
    codes = np.array([row["group"] == "b" for row in SCORES]).astype(int)
    return codes, label == 1.0, score


@pytest.mark.parametrize("of", ["old", "new"])
def test_areas_have_the_variance_of_proc(of):
    codes, labels, scores = areas(of)
    found = auc_by_group(codes, 2, labels, scores)
    plain = found.s10 / found.positives + found.s01 / found.negatives
    tested = auc_estimates(found).variance
    for group, name in enumerate("ab"):
        assert found.auc[group] == r("scores", f"area {of} {name}")
        assert plain[group] == r("scores", f"variance {of} {name}")
        assert 1.0 < tested[group] / plain[group] < 1.1  # one pseudo-sample a class


def test_two_independent_areas_are_compared_as_proc_does():
    codes, labels, scores = areas("new")
    found = auc_by_group(codes, 2, labels, scores)
    variance = found.s10 / found.positives + found.s01 / found.negatives
    t = (found.auc[0] - found.auc[1]) / np.sqrt(variance.sum())
    assert t == r("scores", "unpaired t new")
    ours = auc_estimates(found)
    assert 0.95 < (ours.value[0] - ours.value[1]) / np.sqrt(ours.variance.sum()) / t < 1.0


@pytest.mark.parametrize("group", [0, 1])
def test_two_areas_of_the_same_samples_are_compared_as_proc_does(group):
    codes, labels, old = areas("old")
    *_, new = areas("new")
    some = codes == group
    of_old, of_new = (auc_influence(labels[some], scores[some], pseudo=False) for scores in (old, new))
    joint = joint_estimates([of_new], [of_old], paired=True)
    name = "ab"[group]
    assert joint.covariance[0, 1] == r("scores", f"covariance {name}")
    assert np.diag(joint.covariance).tolist() == [r("scores", f"variance {of} {name}") for of in ("new", "old")]
    found = contrasts(joint, np.eye(1), np.eye(1))
    total = np.array([1.0, -1.0]) @ joint.covariance @ np.array([1.0, -1.0])
    assert float(found.value[0, 0] / np.sqrt(total)) == r("scores", f"paired z {name}")
    assert float(found.proven[0, 0]) >= np.sqrt(total)  # widened against skewness


def test_a_mismatch_is_procs_paired_test_of_two_areas():
    codes, error, uncertainty = areas("old")[0], *columns(SCORES, "error", "uncertainty")
    found = mismatch_by_group(codes, 2, error, uncertainty)
    # pROC's direction: group b, the cases, is the higher one.
    assert (found.error_auc[1, 0], found.uncertainty_auc[1, 0]) == (
        r("scores", "error area"),
        r("scores", "uncertainty area"),
    )
    variance = found.variance[1, 0] + found.variance[0, 1] + found.covariance[0, 1]
    assert (found.error_auc[1, 0] - found.uncertainty_auc[1, 0]) / np.sqrt(variance) == r("scores", "mismatch z")


def errors(design, *groups):
    """Codes and values of the groups; of all where none is named."""
    rows = [row for row in ERRORS if row["design"] == design and (not groups or row["group"] in groups)]
    names = sorted({row["group"] for row in rows})
    return rows, np.array([names.index(row["group"]) for row in rows]), len(names)


@pytest.mark.parametrize("design", ["equal", "unequal"])
def test_two_means_are_compared_by_welchs_test(design):
    rows, codes, groups = errors(design, "a", "d")
    moments = moments_by_group(codes, groups, *columns(rows, "value"))
    found = mean_estimates(moments)
    p = float(estimates_violation(found, FIRST, SECOND, 0.0)[0])
    assert p == r(design, "welch p")
    assert float(estimates_compliance(found, FIRST, SECOND, 1.0)[0]) == r(design, "welch p within 1")
    judged = judge_difference(found, 0.0, 0.05, largest=np.inf, method="")
    assert judged.p_violation == r(design, "welch p")
    assert judged.high == pytest.approx(NUMBERS[design, "welch high"], abs=1e-3)
    # Of symmetric errors the correction for skewness takes little.
    assert p <= float(means_violation(moments, FIRST, SECOND, 0.0)[0]) <= 1.5 * p


@pytest.mark.parametrize("design", ["equal", "unequal"])
def test_the_largest_of_many_pairs_is_adjusted_as_multcomp_does_or_more(design):
    rows, codes, groups = errors(design)
    found = mean_estimates(moments_by_group(codes, groups, *columns(rows, "value")))
    first, second = np.triu_indices(groups, 1)
    scale = np.hypot(*np.sqrt(found.variance[[first, second]]))
    z = np.abs(found.value[first] - found.value[second]) / scale
    assert z.max() == r(design, "largest z")
    known = judge_difference(
        type(found)(found.value, found.variance, np.full(groups, np.inf)), 0.0, 0.05, largest=np.inf, method=""
    )
    # Tukey and Kramer's rule, which needs no random numbers, is at most a little above the joint distribution.
    assert known.p_violation == pytest.approx(NUMBERS[design, "studentised range p"], rel=1e-6)
    assert 1.0 <= known.p_violation / NUMBERS[design, "max-t p"] < 1.1


def test_of_equal_deviations_max_t_is_multcomps():
    z = NUMBERS["equal", "largest z, one variance"]
    p = np.full(6, 0.9)
    p[0] = 2.0 * special.ndtr(-z)
    found = Family(np.ones(4), 0.0).p_value(p, np.full(6, np.sqrt(2.0)))
    assert found == pytest.approx(NUMBERS["equal", "max-t p, one variance"], abs=1e-4)


@pytest.mark.parametrize("design", ["equal", "unequal"])
def test_values_standardised_over_strata_have_the_difference_and_error_of_a_linear_model(design):
    rows, *_ = errors(design, "a", "d")
    features = {key: [row[key] for row in rows] for key in ("group", "stratum")}
    given = Predictions(error=columns(rows, "value")[0], sensitive_features=features)
    asked = {"by": "group", "control_features": "stratum", "strata": "combined"}
    record = audit(given, metric="mean_error", max_difference=0.0, **asked)
    assert record.estimate == r(design, "standardised difference")
    error = np.sqrt(sum(group.standard_error**2 for group in record.groups))
    assert error == r(design, "standardised se")


def test_rates_over_strata_of_one_size_are_those_of_mantel_and_haenszel():
    rows, *_ = errors("equal", "a", "d")
    features = {key: [row[key] for row in rows] for key in ("group", "stratum")}
    event = columns(rows, "event")[0]
    given = Predictions(np.ones(len(event)), event, sensitive_features=features)
    asked = {"by": "group", "control_features": "stratum", "strata": "combined"}
    record = audit(given, metric="true_positive_rate", max_difference=0.0, **asked)
    # Equal sizes: one set of weights. Both variances are those at no difference.
    z = special.ndtri(1.0 - record.p_violation / 2.0)
    assert z == pytest.approx(np.sqrt(NUMBERS["equal", "Mantel-Haenszel chi-square"]), rel=0.05)


RATES = sorted({data for data, quantity in NUMBERS if quantity == "Fisher p"})


@pytest.mark.parametrize("counts", RATES)
def test_rates_have_rs_intervals_and_tests(counts):
    x1, n1, x2, n2 = map(int, counts.split())
    z = float(score_statistic(*(np.array([float(n)]) for n in (x1, n1, x2, n2)), 0.0, "difference")[0])
    pooled = z**2 * (n1 + n2) / (n1 + n2 - 1.0)  # Miettinen and Nurminen's factor, which prop.test has not
    assert pooled == r(counts, "pooled chi-square")
    above, below = exact_binomial_p(x2, n2, 0.2)
    assert (above, below) == (r(counts, "binomial p above 0.2"), r(counts, "binomial p below 0.2"))
    low, high = clopper_pearson(np.array([x2]), np.array([n2]), 0.05)
    assert (low[0], high[0]) == (r(counts, "Clopper-Pearson low"), r(counts, "Clopper-Pearson high"))


@pytest.mark.parametrize("counts", RATES)
def test_the_unconditional_test_is_no_more_careful_than_fishers(counts):
    x1, n1, x2, n2 = (np.array([float(n)]) for n in counts.split())
    p = float(rates_violation(Pairs(x1, n1, x2, n2), 0.0, "difference")[0])
    assert 0.3 * NUMBERS[counts, "Fisher p"] < p < NUMBERS[counts, "Fisher p"]
    events, samples = np.concatenate([x1, x2]), np.concatenate([n1, n2])
    assert judge_disparity(events, samples, 0.0, "difference", 0.05).p_violation == pytest.approx(p)


@pytest.mark.parametrize("counts", sorted({data for data, quantity in NUMBERS if quantity == "McNemar exact p"}))
def test_a_rate_under_two_models_is_compared_as_mcnemar_does_with_bonett_and_prices_samples(counts):
    cells = np.array([int(n) for n in counts.split()])
    new_wrong, old_wrong = (np.repeat(flags, cells) == 1 for flags in ([0, 1, 0, 1], [0, 0, 1, 1]))
    everyone = np.ones(cells.sum(), dtype=bool)
    new, old = (rate_influence(wrong, everyone) for wrong in (new_wrong, old_wrong))
    joint = joint_estimates([new], [old], paired=True)
    n, gained, lost = cells.sum() + 2, cells[1] + 1, cells[2] + 1
    variance = ((gained + lost) / n - ((gained - lost) / n) ** 2) / (n - 1)
    change = np.array([1.0, -1.0])
    # Theirs draws the difference towards 0 by the pseudo-samples; ours does not.
    assert change @ joint.covariance @ change == pytest.approx(variance, rel=0.015)
    z = (new.centre - old.centre) / np.sqrt(variance)
    theirs = np.sqrt(NUMBERS[counts, "McNemar chi-square"]) * np.sign(cells[1] - cells[2])
    assert abs(z - theirs) < 0.15 * max(abs(theirs), 1.0)


@pytest.mark.parametrize("correction", ["holm", "benjamini_hochberg"])
def test_adjusted_p_values_are_those_of_p_adjust(correction):
    raw = [0.001, 0.04, 0.012, 0.012, 0.3, 0.00004, 0.049, 0.7]
    expected = [NUMBERS["adjusted", f"{correction} {place}"] for place in range(1, len(raw) + 1)]
    assert adjust(raw, correction) == pytest.approx(expected, rel=1e-9)
