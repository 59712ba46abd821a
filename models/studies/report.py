"""The study's tables -> one Markdown report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from models.studies.markdown import p_text, records, table
from models.studies.reference import CITATION

__all__ = ["StudyTables", "render"]


@dataclass(frozen=True, slots=True, eq=False)
class StudyTables:
    """What the study found; each frame is also a CSV file of that name.

    Parameters
    ----------
    targets, gaps, agreement, models, oversampled_first, mitigation, descriptives : pandas.DataFrame
        See the modules that make them.
    settings, follow_up, learners, curves, complexity, noise_floor, versions : pandas.DataFrame
        Likewise.
    builders, builders_correlation : pandas.DataFrame
        Rankings of forests of one sex, and how they agree.
    shap : pandas.DataFrame
        Rankings of both tables, column data_set in front.
    shap_correlation : mapping of str to float
        By table, Spearman's correlation of the rankings for women and men.
    parameters : pandas.DataFrame
        The forests' parameters by table and feature set.
    repeats : int
        Of the sweeps.
    tuned : bool
        Whether the parameters were searched for.
    """

    targets: pd.DataFrame
    gaps: pd.DataFrame
    agreement: pd.DataFrame
    models: pd.DataFrame
    oversampled_first: pd.DataFrame
    mitigation: pd.DataFrame
    descriptives: pd.DataFrame
    settings: pd.DataFrame
    follow_up: pd.DataFrame
    learners: pd.DataFrame
    curves: pd.DataFrame
    complexity: pd.DataFrame
    noise_floor: pd.DataFrame
    versions: pd.DataFrame
    builders: pd.DataFrame
    builders_correlation: pd.DataFrame
    shap: pd.DataFrame
    parameters: pd.DataFrame
    shap_correlation: Mapping[str, float]
    repeats: int
    tuned: bool


_GAP_COLUMNS = {
    "training_mix": "training mix",
    "feature_set": "features",
    "metric": "metric",
    "published": "published",
    "gap": "ours",
    "same_sign": "same sign",
    "low": "95 % from",
    "high": "to",
    "p_printed": "p printed",
    "p_published": "p, paper's test",
    "p_corrected": "p, corrected",
    "p_gate": "p, gate",
}


def render(found: StudyTables) -> str:
    """Return the report as Markdown; the same tables give the same text."""
    return (
        "\n\n".join(
            [
                "# The cardiac study, done again",
                f"Published figures: {CITATION}",
                f"{found.repeats} repeats at 0.7:0.3. Gaps are men minus women, in percentage points. Published "
                "numbers stand beside ours; nothing was tuned to them.",
                *_targets(found),
                *_settings(found),
                *_gaps(found),
                *_mixes(found),
                *_learners(found),
                *_complexity(found),
                *_mitigation(found),
                *_patients(found),
            ]
        )
        + "\n"
    )


def _targets(found: StudyTables) -> list[str]:
    columns = {"data_set": "data set", "what": "what", "published": "published", "ours": "ours", "within": "within"}
    tuning = "" if found.tuned else " Not tuned in this run: scikit-learn's defaults."
    return [
        "## As-is mix, all features",
        table(found.targets, columns | {"met": "met"}),
        f"Parameters of the forests, found once per table and feature set by `GridSearchCV`.{tuning}",
        table(
            found.parameters,
            {"data_set": "data set", "feature_set": "features"}
            | {name: name for name in found.parameters.columns if name not in ("data_set", "feature_set")},
        ),
    ]


def sentence(row: Mapping[str, Any]) -> str:
    """Return what the two kinds of p-value say about one gap, a row of `models.studies.agreement.beside_published`."""
    verdict = "does not show a gap" if row["p_corrected"] >= 0.05 else "shows a gap"
    return (
        f"{row['data_set'].replace('_', ' ')}: a gap of {row['gap']:.1f} points has p {_equals(row['p_published'])} by "
        f"the paper's test ({row['test_published']}) and p {_equals(row['p_corrected'])} by the corrected one, 95 % "
        f"interval {row['low']:.0f} to {row['high']:.0f}: this table alone {verdict}. The published gap of "
        f"{row['published']:.1f} points would have p {_equals(row['p_corrected_of_published'])} with the same spread."
    )


def _equals(p: float) -> str:
    return f"= {p:.1g}" if p < 0.001 else f"= {p_text(p)}"


def _settings(found: StudyTables) -> list[str]:
    return [
        "## The first table with other choices",
        "False negative rates and their gap, men minus women, with the corrected 95 % interval. `time` is the "
        "follow-up itself: no model for use may have it.",
        table(
            found.settings,
            _by_data_set("setting", "accuracy")
            | {"male": "FNR men", "female": "FNR women", "gap": "gap", "low": "95 % from", "high": "to"},
            digits=1,
        ),
        "When those died whom a forest of default parameters misses, and whom it finds (heart failure, all features):",
        table(
            found.follow_up,
            {"who": "who", "deaths": "deaths", "median_day": "median day", "late": "after day 90, %"},
            digits=0,
        ),
    ]


def _by_data_set(*names: str) -> dict[str, str]:
    return {name: name.replace("_", " ") for name in ("data_set", *names)}


def _learners(found: StudyTables) -> list[str]:
    return [
        "## Other learners over the mixes, all features",
        "scikit-learn's default parameters; the forest as tuned, its other mixes above. `p_gate` has the variance of "
        "this project's gate.",
        table(
            found.learners,
            _by_data_set("learner", "training_mix", "metric", "male", "female", "gap")
            | {"low": "95 % from", "high": "to", "p_corrected": "p, corrected", "p_gate": "p, gate"},
            digits=1,
        ),
    ]


def _complexity(found: StudyTables) -> list[str]:
    return [
        "## Does one sex need a more complex model?",
        "Trained on one sex and tested on the same, equally many rows, without sex as a feature.",
        table(found.curves, _by_data_set("learner", "sex", "n_train", "accuracy", "roc_auc"), digits=1),
        "What a complex learner has over logistic regression, in points of the area under the curve:",
        table(
            found.complexity,
            _by_data_set("learner", "sex", "gain") | {"low": "95 % from", "high": "to"},
            digits=1,
        ),
        "Noise floor: error of the nearest neighbour of the same sex in percent, and Cover and Hart's bound from it. "
        "It is a bound in the limit of many rows only.",
        table(
            found.noise_floor,
            _by_data_set("feature_set", "sex", "n")
            | {"rarer": "rarer outcome", "nearest": "nearest neighbour", "half": "+/-", "floor": "bound"},
            digits=1,
        ),
    ]


def _gaps(found: StudyTables) -> list[str]:
    key = found.gaps.query("training_mix == 'as_is' and feature_set == 'with_sex' and metric == 'false_negative_rate'")
    parts = [
        "## Gaps: published beside ours",
        "**100 overlapping splits of one table are not 100 independent samples.** The paper's test (Kolmogorov-"
        "Smirnov, then t or Mann-Whitney on the repeats' values) takes them for that, and its p-value falls with every "
        "further repeat. The corrected test (Nadeau and Bengio 2003) knows that they overlap; it decides. The last "
        "column has the variance of this project's gate, which also counts the overlap of training rows. False "
        "negative rate, as is, all features:",
        "\n".join(f"- {sentence(row)}" for row in records(key)),
        table(
            found.agreement,
            {
                "data_set": "data set",
                "training_mix": "training mix",
                "cells": "cells",
                "same_sign": "same sign",
                "spearman": "Spearman",
                "mean_absolute_difference": "mean difference, points",
                "significant_printed": "p < .05 printed",
                "significant_published_test": "ours, paper's test",
                "significant_corrected": "ours, corrected",
            },
        ),
    ]
    for data_set, rows in found.gaps.groupby("data_set", sort=False):
        parts += [f"### {str(data_set).replace('_', ' ').capitalize()}", table(rows, _GAP_COLUMNS)]
        parts += [f"![Values over the repeats]({data_set}.png)"]
    return parts


def _mixes(found: StudyTables) -> list[str]:
    return [
        "## Accuracy and false negative rate by sex, all features",
        table(
            found.models,
            {
                "data_set": "data set",
                "training_mix": "training mix",
                "group": "group",
                "metric": "metric",
                "published_n": "published n",
                "n_train": "our n",
                "published": "published",
                "published_sd": "SD",
                "mean": "ours",
                "sd": "our SD",
            },
        ),
        "## Oversampled before the split",
        "The published training sizes show that women were oversampled before the split, so that synthetic women test "
        "and neighbours of tested women train. This table repeats that fault on purpose; the sweep above never does.",
        table(
            found.oversampled_first,
            {
                "data_set": "data set",
                "training_mix": "training mix",
                "feature_set": "features",
                "metric": "metric",
                "published": "published",
                "ours_training_part": "ours",
                "gap": "oversampled first",
                "male": "its men",
                "female": "its women",
            },
        ),
    ]


def _mitigation(found: StudyTables) -> list[str]:
    return [
        "## Gradient boosting and FAGTB, 0.8:0.2",
        "Means over the first runs; gaps are absolute, as published, and so above 0 by chance alone.",
        table(
            found.mitigation,
            {
                "data_set": "data set",
                "model": "model",
                "feature_set": "features",
                "runs": "runs",
                "accuracy": "accuracy %",
                "disp_fpr": "DispFPR",
                "disp_fnr": "DispFNR",
                "gap_fnr": "FNR gap with its sign",
                "published_accuracy": "published accuracy",
                "published_disp_fpr": "DispFPR",
                "published_disp_fnr": "DispFNR",
            },
            digits=3,
        ),
    ]


def _patients(found: StudyTables) -> list[str]:
    parts = ["## Patients by sex and outcome", "Mean (SD) of what is measured, number (percent) of what is a category."]
    headings = {name: name for name in found.descriptives.columns if name != "data_set"}
    for data_set, rows in found.descriptives.groupby("data_set", sort=False):
        parts += [f"### {str(data_set).replace('_', ' ').capitalize()}", table(rows, headings)]
    parts += [
        "### Which rows of the coronary table",
        "Mean cholesterol of the ill, by sex; the paper quotes 279.2 and 247.5.",
        table(
            found.versions,
            {"version": "1,190 rows", "rows": "rows", "female": "women", "male": "men", "equal": "equal"},
        ),
        "## What forests of women and forests of men use",
        "Spearman's correlation of rankings by mean absolute SHAP value: forests of women against forests of men, and "
        "against others of their own sex, no patient shared by two forests.",
        table(
            found.builders_correlation,
            _by_data_set("redraws", "across", "within", "within_female", "within_male")
            | {"below": "redraws with across below within"},
        ),
    ]
    for data_set, rows in found.builders.groupby("data_set", sort=False):
        headings = {name: name.replace("_", " ") for name in rows.columns if name != "data_set"}
        parts += [f"### {str(data_set).replace('_', ' ').capitalize()}", table(rows, headings | {"sd": "SD within"})]
    parts += ["## Which features the forest uses, by sex", "Mean absolute SHAP value in the test part of one split."]
    for data_set, rows in found.shap.groupby("data_set", sort=False):
        name = str(data_set).replace("_", " ").capitalize()
        parts += [f"### {name}: rank correlation {found.shap_correlation[str(data_set)]:.2f}"]
        parts += [table(rows, {c: c.replace("_", " ") for c in rows.columns if c != "data_set"}, digits=4)]
    return parts
