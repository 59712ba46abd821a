"""Error rates and detection of the checks against a baseline, by simulation of patients with a known worsening.

``python -m benchmarks.regression [--quick] [--draws N] [--only levels|detection|patients]`` prints three tables.

At the limit: the true worsening is the limit exactly. For each question the share of data sets that fail, false alarms,
and that pass, wrong too, each at the worst of several truths (`truths`). Old and new agree in most samples:

- rate: one sample in a hundred changes each way, beyond the true worsening
- mean: lognormal errors (sigma 1), correlated by 0.98 between the models; the limit is five times as large
- area: binormal scores with n positives and n negatives, correlated by 0.95
- clusters: rates of patients with one to four samples; latent intraclass correlation 0.3, change within patients too
- spanning: as clusters, but every patient has samples in all groups

Unpaired, two independent sets of patients. Detection: a false negative rate of 0.20 becomes 0.23 in one of two groups,
at n positives a group and different shares of samples that change back and forth. Patients: one group of K patients
with many images each, all of one number, of Pareto sizes or one six times as large; each image changes by itself, or
whole patients turn. Shares that fail and that pass, at the limit and for detection, beside a t test of patients' means.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import scipy
from scipy import special

from fairness_checks.stats.clusters import Integers
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.influence import Influence, auc_influence, mean_influence, rate_influence
from fairness_checks.stats.joint_estimates import JointEstimates, joint_estimates
from fairness_checks.stats.worsening import worsening_of_disparity, worsening_of_each_group, worsening_of_worst_group
from fairness_checks.typing import Array

ALPHA, SEED, CHANGED = 0.05, 5, 0.01
QUESTIONS = ("each_group", "worst_group", "disparity")
Booleans = npt.NDArray[np.bool_]
Drawn = tuple[Influence, Influence, Integers, Integers]
Draw = Callable[[np.random.Generator, int, float, float, bool], Drawn]


def judge(question: str, joint: JointEstimates, limit: float, *, lower_is_better: bool = True) -> Inference:
    """Answer one question."""
    if question == "each_group":
        return worsening_of_each_group(joint, limit, ALPHA, lower_is_better=lower_is_better).inference
    if question == "worst_group":
        return worsening_of_worst_group(joint, limit, ALPHA, lower_is_better=lower_is_better).inference
    return worsening_of_disparity(joint, limit, ALPHA).inference


def truths(question: str, groups: int, limit: float, base: float, gap: float) -> dict[str, tuple[Array, Array]]:
    """Old and new values of the groups, higher is worse, whose worsening is the limit."""
    same, first = np.full(groups, base), np.eye(groups)[0]
    half = (np.arange(groups) < groups // 2).astype(float)
    if question == "each_group":
        others = 0.5 * gap * (1.0 - first)
        return {"all": (same, same + limit), "one": (same, same + limit * first - others)}
    if question == "worst_group":
        clear = same - gap * (1.0 - first)
        return {
            "all": (same, same + limit),
            "one": (clear, clear + limit * first),
            "other": (clear, np.roll(clear, 1) + limit * np.roll(first, 1)),
            "many": (same, same + limit * half),
        }
    return {
        "fair": (same, same + limit * first),
        "one": (same + gap * first, same + (gap + limit) * first),
        "other": (same + gap * first, same + (gap + limit) * np.roll(first, 1)),
        "many": (same + gap * half, same + (gap + limit) * half),
    }


def _binary(old: Booleans, new: Booleans) -> Drawn:
    everyone = [np.full(len(x), True) for x in (old, new)]
    none = np.zeros(0, dtype=np.int64)
    return rate_influence(new, everyone[1]), rate_influence(old, everyone[0]), none, none


def draw_rate(
    rng: np.random.Generator, n: int, old: float, new: float, paired: bool, changed: float = CHANGED
) -> Drawn:
    """Events of n samples of a group."""
    if not paired:
        return _binary(np.arange(n) < rng.binomial(n, old), np.arange(n) < rng.binomial(n, new))
    up, down = max(new - old, 0.0) + changed, max(old - new, 0.0) + changed
    cells = rng.multinomial(n, [old - down, down, up, 1.0 - old - up])
    return _binary(np.repeat([True, True, False, False], cells), np.repeat([True, False, True, False], cells))


def draw_mean(rng: np.random.Generator, n: int, old: float, new: float, paired: bool) -> Drawn:
    """Lognormal errors of n samples."""
    z = rng.standard_normal((2, n))
    if paired:
        z[1] = 0.98 * z[0] + np.sqrt(1.0 - 0.98**2) * z[1]
    values = np.exp(z - 0.5)
    none = np.zeros(0, dtype=np.int64)
    return mean_influence(new * values[1]), mean_influence(old * values[0]), none, none


def draw_area(rng: np.random.Generator, n: int, old: float, new: float, paired: bool) -> Drawn:
    """Scores of n positives and n negatives; the area is 1 less the given value."""
    labels = np.arange(2 * n) < n
    z = rng.standard_normal((2, 2 * n))
    if paired:
        z[1] = 0.95 * z[0] + np.sqrt(1.0 - 0.95**2) * z[1]
    shift = np.sqrt(2.0) * special.ndtri([[1.0 - old], [1.0 - new]])
    scores = z + shift * labels
    none = np.zeros(0, dtype=np.int64)
    return auc_influence(labels, scores[1]), auc_influence(labels, scores[0]), none, none


def _patients(rng: np.random.Generator, n: int) -> Integers:
    sizes = np.arange(n) % 4 + 1
    return np.repeat(np.arange(n), sizes)[:n]


def draw_clusters(
    rng: np.random.Generator, n: int, old: float, new: float, paired: bool, of_patient: Array | None = None
) -> Drawn:
    """Events of n samples of patients with one to four each."""
    who = _patients(rng, n)
    effect = rng.standard_normal((4, n)) if of_patient is None else of_patient
    latent: list[Array] = []
    for model, (patient, change) in enumerate(((effect[0], effect[1]), (effect[2], effect[3]))):
        if model == 1 and paired:
            patient = effect[0]
        fresh = np.sqrt(0.3) * patient[who] + np.sqrt(0.7) * rng.standard_normal(n)
        shared = latent[0] if model == 1 and paired else fresh
        own = np.sqrt(0.3) * change[who] + np.sqrt(0.7) * rng.standard_normal(n)
        latent.append(fresh if model == 0 else 0.995 * shared + np.sqrt(1.0 - 0.995**2) * own)
    events = [z < special.ndtri(p) for z, p in zip(latent, (old, new), strict=True)]
    everyone = np.full(n, True)
    return rate_influence(events[1], everyone, who), rate_influence(events[0], everyone, who), who, who


def draw_joint(
    kind: str, rng: np.random.Generator, n: int, old: Array, new: Array, paired: bool, changed: float = CHANGED
) -> JointEstimates:
    """Draw the samples of all groups."""
    if kind == "spanning":
        effect = rng.standard_normal((4, n))
        drawn = [draw_clusters(rng, n, o, v, paired, effect) for o, v in zip(old, new, strict=True)]
    elif kind == "rate":
        drawn = [draw_rate(rng, n, o, v, paired, changed) for o, v in zip(old, new, strict=True)]
    else:
        drawn = [DRAWS[kind](rng, n, o, v, paired) for o, v in zip(old, new, strict=True)]
    after, before, who, past = (list(x) for x in zip(*drawn, strict=True))
    if kind not in ("clusters", "spanning"):
        return joint_estimates(after, before, paired=paired)
    apart = 0 if kind == "spanning" else n
    who = [codes + g * apart for g, codes in enumerate(who)]
    past = who if paired else [codes + g * apart + n * len(who) for g, codes in enumerate(past)]
    return joint_estimates(after, before, paired=paired, clusters=who, old_clusters=past)


DRAWS: Mapping[str, Draw] = {"mean": draw_mean, "area": draw_area, "clusters": draw_clusters}
LIMITS = {"mean": 5.0}  # of the values, which are about 1
BASES: Mapping[str, tuple[float, float]] = {"mean": (1.0, 0.5)}


def levels(kind: str, groups: int, n: int, limit: float, paired: bool, draws: int) -> list[tuple[float, float]]:
    """Print and return false alarms and wrong passes at the limit for each question, at the worst truth."""
    base, gap = BASES.get(kind, (0.2, 0.1))
    limit *= LIMITS.get(kind, 1.0)
    worst = []
    for question in QUESTIONS:
        shares = []
        for old, new in truths(question, groups, limit, base, gap).values():
            rng = np.random.default_rng(SEED)
            found = [
                judge(question, draw_joint(kind, rng, n, old, new, paired), limit, lower_is_better=kind != "area")
                for _ in range(draws)
            ]
            shares.append([np.mean([getattr(f, p) <= ALPHA for f in found]) for p in ("p_violation", "p_compliance")])
        worst.append((float(np.max(shares, axis=0)[0]), float(np.max(shares, axis=0)[1])))
    row = "   ".join(f"{fail:6.3f} {passed:5.3f}" for fail, passed in worst)
    print(
        f"{kind:>9} {'paired' if paired else 'unpaired':>8} {groups:2d} {n:5d} {limit:5.2f} {draws:5d}   {row}",
        flush=True,
    )
    return worst


def cells() -> Iterator[tuple[str, bool, int, int, float]]:
    """Yield kind, whether paired, groups, samples (or positives) a group, and limit of each cell of the first table."""
    for kind in ("rate", "mean", "area", "clusters", "spanning"):
        for paired in (True, False):
            for n in (20, 50, 200, 2_000) if kind == "rate" else (20, 200):
                for limit in (0.0, 0.02) if kind == "rate" else (0.02,):
                    yield kind, paired, 2, n, limit
            for groups in (3, 6) if kind == "rate" else (6,):
                yield kind, paired, groups, 200, 0.02


def print_levels(draws: int) -> None:
    """Print the first table."""
    print("at the limit, worst truth: share that fails, share that passes")
    heads = "   ".join(f"{question:>12}" for question in QUESTIONS)
    print(f"{'kind':>9} {'':>8} {'G':>2} {'n':>5} {'limit':>5} {'draws':>5}   {heads}")
    highest: dict[str, float] = {}
    beyond = 0
    for kind, paired, groups, n, limit in cells():
        sets = draws if groups == 2 else draws // 2
        rates = np.array(levels(kind, groups, n, limit, paired, sets))
        beyond += int(np.sum(rates > ALPHA + 3.0 * np.sqrt(ALPHA * (1.0 - ALPHA) / sets)))
        highest[kind] = max(highest.get(kind, 0.0), float(rates.max()))
    print(
        "highest:", ", ".join(f"{kind} {rate:.3f}" for kind, rate in highest.items()), f"; beyond the bound: {beyond}"
    )


def print_detection(draws: int) -> None:
    """Print the second table."""
    print(f"detection of 0.20 -> 0.23 in the first of two groups, {draws} data sets; share that fails")
    print(f"{'other':>5} {'n':>5} {'changed':>7} {'limit':>5} {'question':>11}   paired unpaired ratio")
    for other in (0.20, 0.12):
        for n in (500, 1_000, 2_000):
            for changed in (0.0, 0.01, 0.03):
                for limit in (0.0, 0.01):
                    detection(np.array([other, other]), n, changed, limit, draws)


def detection(others: Array, n: int, changed: float, limit: float, draws: int) -> None:
    """Print how often each question finds the planted worsening, from the same data sets."""
    old, new = others.copy(), others.copy()
    old[0], new[0] = 0.20, 0.23
    shares = np.zeros((2, len(QUESTIONS)))
    for paired in (1, 0):
        rng = np.random.default_rng(SEED)
        for _ in range(draws):
            joint = draw_joint("rate", rng, n, old, new, bool(paired), changed)
            shares[paired] += [judge(question, joint, limit).p_violation <= ALPHA for question in QUESTIONS]
    for question, (apart, together) in zip(QUESTIONS, (shares / draws).T, strict=True):
        ratio = together / apart if apart else np.inf
        row = f"{others[1]:5.2f} {n:5d} {changed:7.2f} {limit:5.2f} {question:>11}"
        print(f"{row}   {together:6.3f} {apart:8.3f} {ratio:5.1f}", flush=True)


def draw_patients(rng: np.random.Generator, sizes: Integers, change: float, turning: float) -> tuple[Array, Drawn]:
    """Return the patients' mean changes, and a rate of 0.2 that rises; a share of `turning` patients turns wholly.

    Without any, each image changes by itself: one in fifty each way, beyond the rise.
    """
    who = np.repeat(np.arange(len(sizes)), sizes)
    latent = np.sqrt(0.3) * rng.standard_normal(len(sizes))[who] + np.sqrt(0.7) * rng.standard_normal(len(who))
    old, chance = latent < special.ndtri(0.2), rng.random(len(who))
    if turning:
        new = old | (rng.random(len(sizes)) < turning)[who]
    else:
        new = np.where(old, chance >= 0.1, chance < (0.02 + change) / 0.8)
    everyone = np.full(len(who), True)
    after, before = (rate_influence(values, everyone, who) for values in (new, old))
    return np.bincount(who, weights=new * 1.0 - old) / sizes, (after, before, who, who)


# True change, share of patients that turn, and limit; at the limit where the first and the last are equal.
_PATIENTS = ((0.02, 0.0, 0.02), (0.024, 0.03, 0.024), (0.03, 0.0, 0.0), (0.0, 0.0, 0.02))
_FEW_PATIENTS = ((0.06, 0.0, 0.06), (0.16, 0.2, 0.16), (0.06, 0.0, 0.0), (0.0, 0.0, 0.03), (0.0, 0.0, 0.06))


def print_patients(draws: int) -> None:
    """Print the third table."""
    print(f"one group of patients with many images, {draws} data sets; ours and a t test of the patients' means")
    print(f"{'sizes':>7} {'K':>4} {'change':>7} {'turning':>7} {'limit':>6}   fail pass   t: fail pass")
    for kind in ("equal", "pareto", "one"):
        for count, images in ((10, 20), (25, 10), (60, 10), (100, 10)):
            for change, turning, limit in (*_PATIENTS, *(_FEW_PATIENTS if count == 10 else ())):
                rng, shares = np.random.default_rng(SEED), np.zeros(4)
                for _ in range(draws):
                    sizes = np.full(count, images)
                    if kind == "pareto":
                        sizes = np.minimum(images * (0.5 + 0.5 * rng.pareto(1.5, count)), 10 * images).astype(np.int64)
                    elif kind == "one":
                        sizes[0] = 6 * images
                    means, (new, old, who, _) = draw_patients(rng, sizes, change, turning)
                    joint = joint_estimates([new], [old], paired=True, clusters=[who])
                    found, error = judge("each_group", joint, limit), max(means.std(ddof=1), 1e-12) / np.sqrt(count)
                    t = float((means.mean() - limit) / error)
                    tails = special.stdtr(count - 1.0, -t), special.stdtr(count - 1.0, t)
                    shares += np.array([found.p_violation, found.p_compliance, *tails]) <= ALPHA
                row = " ".join(f"{share:5.3f}" for share in shares / draws)
                print(f"{kind:>7} {count:4d} {change:7.3f} {turning:7.2f} {limit:6.3f}   {row}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="100 data sets a cell")
    parser.add_argument("--draws", type=int, default=2_000, help="data sets a cell; half for more than two groups")
    parser.add_argument("--only", choices=("levels", "detection", "patients"), help="one of the tables")
    asked = parser.parse_args()
    versions = f"Python {platform.python_version()} numpy {np.__version__} scipy {scipy.__version__}"
    print(f"python -m benchmarks.regression, {datetime.date.today()}, {os.cpu_count()} cores; {versions}")
    print(f"alpha {ALPHA}, bound alpha + 3 standard errors, seed {SEED}")
    if asked.only in (None, "patients"):
        print_patients(100 if asked.quick else min(asked.draws, 500))
    if asked.only in (None, "detection"):
        print_detection(100 if asked.quick else min(asked.draws, 500))
    if asked.only in (None, "levels"):
        print_levels(100 if asked.quick else asked.draws)


if __name__ == "__main__":
    main()
