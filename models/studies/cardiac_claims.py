"""The sentences of ``docs/cardiac.md`` that hold figures, written from the study's own tables.

Each is a part of a sentence as the page has it. Words that say how large or small a figure is stay the writer's; what
is counted and computed is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from models.studies.cardiac_page import SHORT, Frames, boosting_runs, learner_gap, one

__all__ = ["page_claims"]

HEART, CORONARY = SHORT
MISSED = "false_negative_rate"
SIDES = ("female", "male")
_SMALL = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
# Mix, feature set and metric of the gaps, beyond those of accuracy after training on women, that are below 0.05.
_OTHERS = [
    (CORONARY, "balanced", "with_sex", MISSED),
    (CORONARY, "balanced", "with_sex", "false_positive_rate"),
    (HEART, "female_only", "biochemical", "false_positive_rate"),
    (HEART, "female_only", "biochemical", "roc_auc"),
]


def page_claims(found: Frames) -> list[str]:
    """Return the claims of the page, section by section."""
    makers = [_in_short, _patients, _follow_up, _p_values, _oversampling, _feature_sets, _sureness]
    makers += [_learners, _complexity, _boosting, _builders]
    return [claim for make in makers for claim in make(found)]


def _gap(found: Frames, table: str, mix: str = "as_is", features: str = "with_sex", metric: str = MISSED) -> Any:
    return one(found["gaps"], data_set=table, training_mix=mix, feature_set=features, metric=metric)


def _setting(found: Frames, ending: str, table: str = HEART) -> Any:
    settings = found["settings"]
    return one(settings[settings["setting"].str.endswith(ending)], data_set=table)


def _if(holds: Any, claim: str) -> str:
    """Return a claim without figures if it holds, else one that no page has."""
    return claim if holds else f"no longer so: {claim}"


def _range(values: Any, digits: int = 0) -> str:
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


def _in_short(found: Frames) -> Iterator[str]:
    heart, coronary = _gap(found, HEART), _gap(found, CORONARY)
    yield f"The corrected test says p = {heart['p_corrected']:.2f} and p = {coronary['p_corrected']:.2f}"
    yield f"the paper's own says {heart['p_published']:.1g} and {coronary['p_published']:.0e}".replace("e-0", "e-")
    yield f"time alone is {_setting(found, 'time alone')['accuracy']:.1f} % accurate"
    yield f"everything but time {_setting(found, 'without time')['accuracy']:.1f} %"
    cells = found["agreement"].query("training_mix == 'all'")
    yield f"{cells['same_sign'].sum()} of {cells['cells'].sum()} gaps have the published sign"


def _patients(found: Frames) -> Iterator[str]:
    counts = {name: one(found["descriptives"], data_set=name, feature="patients") for name in SHORT}
    women = [int(counts[name]["female 1"]) for name in SHORT]
    yield f"{women[0]} women who died and {women[1]} who were ill"
    died, lived = (int(counts[HEART][f"male {outcome}"]) for outcome in (1, 0))
    yield f"{died} of {died + lived} men died, which is {100 * died / (died + lived):.2f} %"
    row = one(found["descriptives"], data_set=HEART, feature="creatinine_phosphokinase")
    yield f"{lived} men who survived have a mean creatinine phosphokinase of {row['male 0'].split()[0]}"
    survivors = lived + int(counts[HEART]["female 0"])
    everybody = survivors + died + women[0]
    yield f'Always saying "survived" is {100 * survivors / everybody:.1f} % accurate'


def _follow_up(found: Frames) -> Iterator[str]:
    who = {row["who"]: row for row in found["follow_up"].to_dict("records")}
    missed, caught = who["missed"], who["found"]
    yield f"misses, {missed['late']:.0f} % are after day 90 (median day {missed['median_day']:.0f})"
    yield f"it finds, {caught['late']:.0f} % (median day {caught['median_day']:.0f})"
    late = {sex: round(who[f"all, {sex}"]["late"] * who[f"all, {sex}"]["deaths"] / 100) for sex in SIDES}
    deaths = {sex: who[f"all, {sex}"]["deaths"] for sex in SIDES}
    yield f"{late['female']} of the {deaths['female']} women and {late['male']} of the {deaths['male']} men who died"
    yield f"after day 90. That is {who['all, female']['late']:.0f} and {who['all, male']['late']:.0f} %"
    without = _setting(found, "without time")
    yield f"interval {without['low']:.0f} to {without['high']:.0f}"
    yield from _other_mixes(found)
    first = found["oversampled_first"].query("feature_set == 'without_time' and training_mix == 'balanced'")
    right, wrong = (one(first, data_set=HEART, metric=metric) for metric in ("accuracy", MISSED))
    theirs = [
        one(found["models"], data_set=HEART, training_mix="balanced", group=sex, metric=metric)["published"]
        for metric in ("accuracy", MISSED)
        for sex in ("male", "female")
    ]
    yield f"{right['male']:.1f} % of men and {right['female']:.1f} % of women are right"
    yield f"{theirs[0]:.1f} and {theirs[1]:.1f} % published"
    yield f"{wrong['male']:.0f} and {wrong['female']:.0f} % are missed, published {theirs[2]:.0f} and {theirs[3]:.0f} %"


def _other_mixes(found: Frames) -> Iterator[str]:
    """How much less accurate models of the other mixes are, published and here."""
    accuracy = found["models"].query("data_set == @HEART and group == 'all' and metric == 'accuracy'")
    as_is, others = accuracy.iloc[0], accuracy.iloc[1:]
    missed = found["models"].query("data_set == @HEART and training_mix != 'as_is' and metric == @MISSED")["published"]
    yield f"are {_range(as_is['published'] - others['published'])} points less accurate than the as-is one"
    yield f"miss {_range(missed)} %"
    yield f"Ours lose {_range(as_is['mean'] - others['mean'])} points"


def _p_values(found: Frames) -> Iterator[str]:
    of_published = [_gap(found, name)["p_corrected_of_published"] for name in SHORT]
    yield f"would have p = {of_published[0]:.2f} (heart failure) and {of_published[1]:.2f}"
    women = found["gaps"].query("data_set == @CORONARY and training_mix == 'female_only' and metric == 'accuracy'")
    yield f"{_range(women['gap'].abs())} points less accurate for men"
    yield f"corrected p from {min(women['p_corrected']):.5f} to {max(women['p_corrected']):.4f}"
    yield f"published {_range(women['published'].abs())} points"
    yield _if((women["p_corrected"] < 0.05).all(), "That holds with every feature set")
    others = found["gaps"].query("p_corrected < 0.05").drop(index=women.index, errors="ignore")
    kinds = sorted(zip(*(others[key] for key in ("data_set", "training_mix", "feature_set", "metric")), strict=True))
    yield _if(kinds == _OTHERS, "Of the other four two are the FNR and the false positive rate of that table")
    gate = found["gaps"]["p_gate"].dropna()
    yield f"{(gate < 0.05).sum()} of {len(gate)} remain"


def _oversampling(found: Frames) -> Iterator[str]:
    ours = _gap(found, CORONARY, "balanced")
    first = one(
        found["oversampled_first"], data_set=CORONARY, training_mix="balanced", metric=MISSED, feature_set="with_sex"
    )
    theirs = {
        sex: one(found["models"], data_set=CORONARY, training_mix="balanced", group=sex, metric=MISSED)["published"]
        for sex in SIDES
    }
    yield f"we find women missed more often: {ours['female']:.0f} % against {ours['male']:.0f} %"
    yield f"With the fault it is {first['female']:.0f} against {first['male']:.0f} %"
    yield f"The paper finds {theirs['female']:.0f} against {theirs['male']:.0f} %"
    yield f"after oversampling is {abs(_gap(found, CORONARY, 'balanced', 'without_sex')['gap']):.1f} points"
    for name in SHORT:
        size = one(found["models"], data_set=name, training_mix="female_only", group="all", metric="accuracy")
        yield f"{size['n_train']} rows ({SHORT[name]}"


def _feature_sets(found: Frames) -> Iterator[str]:
    rows = [_gap(found, CORONARY, "as_is", name) for name in ("with_sex", "without_sex", "biochemical", "clinical")]
    theirs = [f"{row['published']:.1f}" for row in rows]
    yield f"{theirs[0]} with sex, {theirs[1]} without, {theirs[2]} biochemical, {theirs[3]} clinical"
    yield "Ours are " + ", ".join(f"{row['gap']:+.1f}" for row in rows)
    blood = _gap(found, CORONARY, "as_is", "biochemical", "accuracy")
    yield f"hardly predict coronary artery disease (accuracy {_range([blood['male'], blood['female']])} %)"


def _sureness(found: Frames) -> Iterator[str]:
    spread = [_gap(found, name)["sd"] / _gap(found, name)["repeats"] ** 0.5 for name in SHORT]
    yield f"a standard error of {_range(spread, 1)} points from the splits alone"
    settings = found["settings"][~found["settings"]["setting"].str.contains("time")]
    away = {name: (settings.query("data_set == @name")["gap"] - _gap(found, name)["published"]).abs() for name in SHORT}
    yield _if((away[HEART] < 4).all(), "Heart failure is within 4 points of the published gap in every row")
    beyond = away[CORONARY][_setting(found, "tuned, seed 2", CORONARY)["setting"] == settings["setting"]].iloc[0] - 4
    yield f"misses by {beyond:.1f} points with seed 2"
    tuned, default = (_setting(found, text, CORONARY) for text in ("(reported)", "defaults, seed 0"))
    same = max(
        abs(_setting(found, "(reported)", name)["accuracy"] - _setting(found, "defaults, seed 0", name)["accuracy"])
        for name in SHORT
    )
    yield f"The accuracy is that of the defaults to {same:.1f} points, in both tables"
    yield f"That choice alone moves the coronary gap by {abs(tuned['gap'] - default['gap']):.0f} points"


def _learners(found: Frames) -> Iterator[str]:
    mixes = ("as_is", "undersampled", "balanced", "female_only", "male_only")
    learners = ("random_forest", "gradient_boosting", "logistic_regression")
    gaps = pd.DataFrame([learner_gap(found, name, who, mix) for name in SHORT for who in learners for mix in mixes])
    as_is, fewer = (gaps[gaps["training_mix"] == mix]["gap"].to_numpy() for mix in ("as_is", "undersampled"))
    yield _if(
        (abs(fewer) > abs(as_is) - 1).all(), "Undersampling does not narrow the gap. It is as large as in the as-is"
    )
    low = gaps.query("p_corrected < 0.05")
    expected = f"where {0.05 * len(gaps):.1f} are expected by chance"
    yield f"Of {len(gaps)} gaps {_SMALL[len(low)]} have a corrected p below 0.05, {expected}"
    yield _if((low["data_set"] == CORONARY).all(), "All of them are in the second table with sex as a feature")
    none = f"By this project's gate none has ({_range(low['p_gate'], 2)})"
    yield _if((gaps["p_gate"] >= 0.05).all(), none)
    price = learner_gap(found, CORONARY, "logistic_regression", "female_only", "accuracy")
    dear = f"logistic regression is {abs(price['gap']):.0f} points less accurate for men (p < 0.001)"
    yield _if(price["gap"] < 0 and price["p_corrected"] < 0.001, dear)


def _complexity(found: Frames) -> Iterator[str]:
    def said(table: str, sex: str) -> str:
        row = one(found["complexity"], data_set=table, sex=sex)
        return f"{row['gain']:.1f} ({row['low']:.1f} to {row['high']:.1f})"

    for name in SHORT:
        row = [said(name, sex) for sex in (*SIDES, "female minus male")]
        yield f"{row[0]} for women, {row[1]} for men, {row[2]} for the difference"
    half = [found["noise_floor"].query("data_set == @name")["half"].mean() for name in SHORT]
    yield f"known to +/- {half[0]:.0f} and {half[1]:.0f} points"
    error = 100 - one(found["models"], data_set=HEART, training_mix="as_is", group="all", metric="accuracy")["mean"]
    yield f"the forest errs in {error:.0f} % of heart failure"


def _boosting(found: Frames) -> Iterator[str]:
    runs = {
        (model, features): boosting_runs(found, CORONARY, model, features)
        for model in ("gradient_boosting", "fagtb")
        for features in ("with_sex", "without_sex")
    }
    plain, fair = runs["gradient_boosting", "with_sex"], runs["fagtb", "with_sex"]
    narrower, cost = (
        [before[key] - after[key] for before, after in zip(plain, fair, strict=True)]
        for key in ("disp_fnr", "accuracy")
    )
    yield f"lowers the gap by {narrower[0]:.3f} for {cost[0]:.1f} points of accuracy (10 runs"
    yield f"by {narrower[1]:.3f} for {cost[1]:.1f} over 100"
    blind, both = runs["gradient_boosting", "without_sex"], runs["fagtb", "without_sex"]
    low = blind[0]["disp_fnr"] < fair[0]["disp_fnr"] and blind[1]["disp_fnr"] < fair[1]["disp_fnr"]
    yield _if(low, "Plain gradient boosting that never sees sex has a lower gap")
    yield _if(abs(both[1]["disp_fnr"] - blind[1]["disp_fnr"]) < 0.005, "gains nothing over plain boosting without it")
    yield f"is accuracy: {fair[1]['accuracy'] - blind[1]['accuracy']:.1f} points over 100 runs"
    for features in ("with_sex", "without_time"):
        before, after = (boosting_runs(found, HEART, model, features)[0] for model in ("gradient_boosting", "fagtb"))
        yield f"{before['disp_fnr']:.3f} to {after['disp_fnr']:.3f}"
    yield f"published {before['published_disp_fnr']:.2f} to {after['published_disp_fnr']:.2f}"


def _builders(found: Frames) -> Iterator[str]:
    agreement = [one(found["builders_correlation"], data_set=name) for name in SHORT]
    yield f"In {agreement[0]['below']} and {agreement[1]['below']} of {agreement[0]['redraws']} redraws"
    order = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")

    def ranked(table: str, feature: str) -> Any:
        row = one(found["builders"], data_set=table, feature=feature)
        return row | {sex: order[row[f"{sex}_rank"]] for sex in SIDES}

    creatinine, fraction, platelets = (
        ranked(HEART, name) for name in ("serum_creatinine", "ejection_fraction", "platelets")
    )
    oldpeak, rate = ranked(CORONARY, "oldpeak"), ranked(CORONARY, "max heart rate")
    yield f"Serum creatinine is {creatinine['female']} for women and {creatinine['male']} for men"
    yield f"Ejection fraction is {fraction['female']} and {fraction['male']}"
    yield f", platelets {platelets['female']} and {platelets['male']}"
    yield f", oldpeak {oldpeak['female']} and {oldpeak['male']}"
    yield f"serum creatinine by {abs(creatinine['difference']):.1f} (within a sex {creatinine['sd']:.1f})"
    yield f"maximal heart rate by {abs(rate['difference']):.1f} (within a sex {rate['sd']:.1f})"
    yield f"{rate['female']} for women and {rate['male']} for men"
    beyond = found["builders"][found["builders"]["difference"].abs() > found["builders"]["sd"]]
    yield _if(
        set(beyond["feature"]) == {"serum_creatinine", "max heart rate"},
        "Mean ranks differ by less than two forests of one sex do, with two exceptions",
    )
    rho = [_alike(found["shap"].query("data_set == @name")) for name in SHORT]
    yield f"Spearman {rho[0]:.2f} and {rho[1]:.2f}"
    sex = one(found["shap"], data_set=CORONARY, feature="sex")
    yield (
        f"{order[sex['female_rank']]} of eleven for women ({sex['female_mean_abs_shap']:.3f}) and "
        f"{order[sex['male_rank']]} for men ({sex['male_mean_abs_shap']:.3f})"
    )


def _alike(ranking: pd.DataFrame) -> float:
    return float(ranking["female_mean_abs_shap"].rank().corr(ranking["male_mean_abs_shap"].rank()))
