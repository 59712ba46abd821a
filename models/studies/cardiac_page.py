"""The tables of ``docs/cardiac.md``, written from the study's own tables, so that both can be held together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from models.studies.table_versions import QUOTED

__all__ = ["ON_THE_PAGE", "RESULTS", "Frames", "differences", "one", "page_tables", "read_frames"]

Frames = Mapping[str, pd.DataFrame]
"""The study's tables by the names of their CSV files."""

ON_THE_PAGE = (
    *("agreement", "builders", "builders_correlation", "complexity", "curves", "descriptives", "follow_up", "gaps"),
    *("learners", "mitigation", "models", "noise_floor", "oversampled_first", "settings", "shap", "versions"),
)
"""The study's tables that the page says something of."""

RESULTS = Path(__file__).parent / "results"
"""The tables that the page was written from."""

SHORT = {"heart_failure": "heart failure", "coronary_artery_disease": "coronary"}
LONG = {name: name.replace("_", " ") for name in SHORT}
LEARNERS = {
    "random_forest": "forest",
    "gradient_boosting": "gradient boosting",
    "logistic_regression": "logistic regression",
}
AS_IS = {"training_mix": "as_is", "feature_set": "with_sex"}


def read_frames(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the tables `ON_THE_PAGE` that a study has written into a folder."""
    return {name: pd.read_csv(folder / f"{name}.csv") for name in ON_THE_PAGE}


def differences(page: str, tables: Iterable[str], claims: Iterable[str]) -> list[str]:
    r"""Return the tables and the parts of sentences that a page does not hold.

    Tables are looked for as they are and whole, sentences whatever their line breaks and emphasis. A number at
    either end of a part is a whole one on the page: 5 is not held by 35, nor by 5.1.

    Examples
    --------
    >>> differences("FNR of\n**women**: 35 %.", ["| a |"], ["FNR of women: 35 %", "5 %", "FNR of men"])
    ['| a |', '5 %', 'FNR of men']
    """
    prose, blocks = _plain(page), f"\n\n{page}\n\n"
    lost = [table for table in tables if f"\n\n{table}\n\n" not in blocks]
    return lost + [claim for claim in claims if not _whole(_plain(claim)).search(prose)]


def _whole(claim: str) -> re.Pattern[str]:
    """Return what finds a text whose numbers at its ends are no parts of others."""
    before = r"(?<![\d-])(?<!\d[.,])" if claim[:1].isdigit() else ""
    after = r"(?![.,]?\d)" if claim[-1:].isdigit() else ""
    return re.compile(f"{before}{re.escape(claim)}{after}")


def _plain(text: str) -> str:
    """Return a text in one line, without emphasis."""
    return " ".join(text.replace("*", "").replace("`", "").split())


def one(frame: pd.DataFrame, **where: Any) -> dict[str, Any]:
    """Return the one row whose columns have these values."""
    for name, value in where.items():
        frame = frame[frame[name] == value]
    (row,) = frame.to_dict("records")
    return {str(name): value for name, value in row.items()}


def page_tables(found: Frames) -> list[str]:
    """Return the tables of the page as Markdown, in its order."""
    makers = (_first, _versions, _follow_up, _p_values, _oversampled_first, _settings, _learners, _curves, _noise_floor)
    return [make(found) for make in (*makers, _mitigation, _builders)]


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return cells of text as a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(line.replace("|  |", "| |").replace("|  |", "| |") for line in lines)


def _first(found: Frames) -> str:
    rows = []
    for name in SHORT:
        ours = [
            one(found["settings"], data_set=name, setting=setting)
            for setting in ("tuned, seed 0 (reported)", "defaults, plain splits")
        ]
        for group, metric, key, words in (
            ("all", "accuracy", "accuracy", f"{LONG[name]}: accuracy"),
            ("female", "false_negative_rate", "female", "FNR of women"),
            ("male", "false_negative_rate", "male", "FNR of men"),
        ):
            theirs = one(found["models"], data_set=name, training_mix="as_is", group=group, metric=metric)
            rows.append([words, f"{theirs['published']:.2f} %", *(f"{row[key]:.2f} %" for row in ours)])
        gap = one(found["gaps"], data_set=name, metric="false_negative_rate", **AS_IS)["published"]
        both = (f"{row['gap']:.2f} ({row['low']:.0f} to {row['high']:.0f})" for row in ours)
        rows.append(["men minus women (95 % interval)", f"{gap:.2f}", *both])
    return markdown(
        ["as is, all features, 100 splits", "published", "ours, tuned", "ours, defaults, plain splits"], rows
    )


def _versions(found: Frames) -> str:
    names = {
        "as it is": "all",
        "without cholesterol of 0": "without cholesterol of 0",
        "without copies": "without copies",
        "without copies and cholesterol of 0": "**without copies and cholesterol of 0: ours**",
    }
    rows = [["as quoted in the paper", "", f"{QUOTED['female']}", f"{QUOTED['male']}"]]
    for row in found["versions"].to_dict("records"):
        rows.append([names[row["version"]], f"{row['rows']:,}", f"{row['female']:.1f}", f"{row['male']:.1f}"])
    return markdown(["rows of the 1,190", "rows", "cholesterol, ill women", "ill men"], rows)


def _follow_up(found: Frames) -> str:
    settings = {"all features": "(reported)", "without `time`": "without time", "`time` alone": "time alone"}
    rows = []
    for words, ending in settings.items():
        frame = found["settings"][found["settings"]["setting"].str.endswith(ending)]
        row = one(frame, data_set="heart_failure")
        rates = [f"{row[key]:.1f} %" for key in ("accuracy", "female", "male")]
        rows.append([words, *rates, f"{row['gap']:.1f}"])
    return markdown(["heart failure, as is, 100 splits", "accuracy", "FNR women", "FNR men", "gap"], rows)


def _p_values(found: Frames) -> str:
    counts = {
        "as printed in the paper": "printed",
        "the paper's test on our repeats": "published_test",
        "corrected test on our repeats": "corrected",
    }
    parts = [one(found["agreement"], data_set=name, training_mix="all") for name in SHORT]
    cells = sum(part["cells"] for part in parts)
    rows = [
        [words, *(f"{part[f'significant_{key}']} of {part['cells']}" for part in parts)]
        for words, key in counts.items()
    ]
    return markdown([f"of {cells} gaps, p < 0.05", *LONG.values()], rows)


def _oversampled_first(found: Frames) -> str:
    rows = []
    for words, mix, metric in (
        ("balanced, accuracy", "balanced", "accuracy"),
        ("balanced, FNR", "balanced", "false_negative_rate"),
        ("women only, FNR", "female_only", "false_negative_rate"),
    ):
        row = one(
            found["oversampled_first"],
            data_set="coronary_artery_disease",
            training_mix=mix,
            metric=metric,
            feature_set="with_sex",
        )
        rows.append([words, *(f"{row[key]:+.1f}" for key in ("ours_training_part", "gap", "published"))])
    return markdown(["coronary artery disease, men minus women", "ours", "oversampled first", "published"], rows)


def _settings(found: Frames) -> str:
    rows = []
    for row in found["settings"].to_dict("records"):
        if "time" not in row["setting"]:
            words = f"{SHORT[row['data_set']]}: {row['setting'].replace(' (', ', ').replace(')', '')}"
            rates = (f"{row[key]:.1f} %" for key in ("accuracy", "male", "female"))
            rows.append([words, *rates, f"{row['gap']:.1f}"])
    head = ["as is, all features, 100 splits each", "accuracy", "FNR men", "FNR women", "gap, points"]
    return markdown(head, rows)


def _learners(found: Frames) -> str:
    mixes = {
        "as_is": "as is",
        "undersampled": "undersampled",
        "balanced": "balanced",
        "female_only": "women only",
        "male_only": "men only",
    }
    rows = [
        [f"{SHORT[name]}: {words}", *(_starred(learner_gap(found, name, learner, mix)) for mix in mixes)]
        for name in SHORT
        for learner, words in LEARNERS.items()
    ]
    return markdown(["", *mixes.values()], rows)


def learner_gap(
    found: Frames, table: str, learner: str, mix: str, metric: str = "false_negative_rate"
) -> dict[str, Any]:
    """Return the row of a learner's gap; the forest's other mixes are those of the first sweep."""
    where = {"data_set": table, "training_mix": mix, "metric": metric}
    if learner == "random_forest" and mix != "undersampled":
        return one(found["gaps"], feature_set="with_sex", **where)
    return one(found["learners"], learner=learner, **where)


def _starred(row: Mapping[str, Any]) -> str:
    return f"{row['gap']:.1f}" + ("*" if row["p_corrected"] < 0.05 else "")


def _curves(found: Frames) -> str:
    rows = []
    for name in SHORT:
        for size in sorted(found["curves"].query("data_set == @name")["n_train"].unique()):
            cells = [
                f"{one(found['curves'], data_set=name, learner=learner, sex=sex, n_train=size)['roc_auc']:.1f}"
                for learner in ("logistic_regression", "random_forest")
                for sex in ("female", "male")
            ]
            rows.append([LONG[name], str(size), *cells])
    return markdown(["area under the curve, %", "rows", "logistic, women", "men", "forest, women", "men"], rows)


def _noise_floor(found: Frames) -> str:
    rows, frame = [], found["noise_floor"]
    for (name, features), part in frame.groupby(["data_set", "feature_set"], sort=False):
        women, men = one(part, sex="female"), one(part, sex="male")
        words = LONG[str(name)] + (", without `time`" if str(features).endswith("time") else "")
        cells = (f"{row[key]:.1f} %" for key in ("nearest", "floor") for row in (women, men))
        rows.append([words, str(women["n"]), *cells])
    head = ["error of the nearest neighbour of one's own sex", "n", "women", "men", "bound, women", "bound, men"]
    return markdown(head, rows)


def _mitigation(found: Frames) -> str:
    names = {"gradient_boosting": "gradient boosting", "fagtb": "FAGTB"}
    rows = []
    for features, more in (("with_sex", ""), ("without_sex", ", sex not a feature")):
        pairs = {model: boosting_runs(found, "coronary_artery_disease", model, features) for model in names}
        if not more:
            for model, (few, _) in pairs.items():
                theirs = f"{few['published_accuracy']:.1f} %", f"{few['published_disp_fnr']:.2f}"
                rows.append([f"{names[model]}, published", *theirs, "", ""])
        for model, both in pairs.items():
            cells = (text for row in both for text in (f"{row['accuracy']:.1f} %", f"{row['disp_fnr']:.3f}"))
            rows.append([names[model] + more, *cells])
    head = ["coronary artery disease", "accuracy, 10 runs", "DispFNR, 10 runs", "accuracy, 100", "DispFNR, 100"]
    return markdown(head, rows)


def boosting_runs(found: Frames, table: str, model: str, features: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the rows of 10 and of 100 runs of a boosted model."""
    where = {"data_set": table, "model": model, "feature_set": features}
    return one(found["mitigation"], runs=10, **where), one(found["mitigation"], runs=100, **where)


def _builders(found: Frames) -> str:
    words = ("heart failure (52 patients a forest)", "coronary artery disease (91)")
    rows = []
    for name, text in zip(SHORT, words, strict=True):
        row = one(found["builders_correlation"], data_set=name)
        rows.append([text, *(f"{row[key]:.2f}" for key in ("across", "within", "within_female", "within_male"))])
    head = ["Spearman's correlation of rankings", "women with men", "within a sex", "among women", "among men"]
    return markdown(head, rows)
