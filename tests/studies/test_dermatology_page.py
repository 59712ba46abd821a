"""The tables of docs/dermatology.md are those of the study that is kept in models/studies/results/dermatology."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from models.studies.dermatology_findings import VERDICTS, StudyTables, findings

PROJECT = Path(__file__).parents[2]
KEPT = PROJECT / "models/studies/results/dermatology"
PAGE = (PROJECT / "docs/dermatology.md").read_text(encoding="utf-8")

DIGITS = {"mse": 4, "mse_less_colour": 4, "feature_error": 2, "tone_shift": 3, "latent_sd": 3}
NAMES = {
    "mse": "pixel error",
    "mse_less_colour": "less colour",
    "feature_error": "features",
    "tone_shift": "shift of the tone",
    "latent_sd": "latent SD",
}
ERRORS = list(NAMES)[:3]
CASES = {
    "B": "under B",
    "worst case (dark A, light C)": "worst case against worst case",
    "best case (dark C, light A)": "best case against best case",
}


def rows(name):
    return pd.read_csv(KEPT / f"{name}.csv")


def row_of(name, **where):
    """Return the one row of a table that has these values."""
    found = rows(name)
    for column, value in where.items():
        found = found[found[column] == value]
    (row,) = found.to_dict("records")
    return row


def number(value, measure, sign=""):
    return f"{value:{sign}.{DIGITS[measure]}f}"


def interval(row, column, measure):
    return f"{number(row[column], measure)} [{number(row['low'], measure)}, {number(row['high'], measure)}]"


def means():
    for measure, name in NAMES.items():
        for tone in ("light", "dark"):
            own = {mix: row_of("mse_by_mix", mix=mix, skin_tone=tone)[measure] for mix in "ABC"}
            sign = "+" if measure == "tone_shift" else ""
            yield f"| {name}, {tone} | " + " | ".join(number(own[mix], measure, sign) for mix in "ABC") + " |"


def slopes():
    for measure in ERRORS:
        cells = []
        for tone in ("light", "dark"):
            row = row_of("slopes", value=measure, skin_tone=tone)
            cells.append(f"{interval(row, 'slope', measure)}, {row['lower_in']} of {row['repeats']}")
        yield f"| {NAMES[measure]} | {' | '.join(cells)} |"


def gaps():
    for case, name in CASES.items():
        cells = []
        for measure in ERRORS:
            cells.append(interval(row_of("gaps", value=measure, case=case), "gap", measure))
        yield f"| {name} | {' | '.join(cells)} |"


def others():
    for row in rows("tones").to_dict("records"):
        shift = f"{interval(row, 'shift', 'tone_shift')}, {row['lighter_in']} of {row['repeats']}"
        yield f"| {row['skin_tone']} | {row['of_a']:+.3f} | {row['of_c']:+.3f} | {shift} |"
    for mix in "ABC":
        row = row_of("gaps", value="latent_sd", case=mix)
        dark, light = (number(row[tone], "latent_sd") for tone in ("dark", "light"))
        yield f"| {mix} | {dark} | {light} | {interval(row, 'gap', 'latent_sd')} |"
    for measure in ERRORS:
        row = row_of("uncertainty", value=measure, mix="B")
        area = f"{row['gap']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
        yield f"| {NAMES[measure]} | {row['error_auc']:.2f} | {row['uncertainty_auc']:.2f} | {area} |"
    for row in rows("prevalence_distances").to_dict("records"):
        yield f"| {row['level']} | {row['labels']} | {row['distance']:.2f} | {row['by_chance']:.2f} |"
    shown = rows("conditions").query("shown")
    for mix, part in shown.groupby("mix"):
        distance = (part["mse_dark"] - part["mse_light"]).abs().mean()
        yield f"| {mix} | {distance:.4f} | {(part['mse_dark'] > part['mse_light']).sum()} of {len(part)} |"


@pytest.mark.parametrize("table", [means, slopes, gaps, others])
def test_each_row_of_the_page_is_what_the_kept_tables_say(table):
    expected = list(table())
    assert len(expected) >= 3
    assert [line for line in expected if line not in PAGE] == []


def test_the_study_that_is_kept_is_the_one_that_the_page_tells_of():
    record = json.loads((KEPT / "study.json").read_text())
    assert (record["preset"], record["changed"], record["seed"]) == ("published_small", {}, 0)
    assert record["config"]["repeats"] == 10
    data = record["data"]
    assert (data["light"], data["dark"], data["skin_types"]) == (2126, 432, {"light": [1, 2], "dark": [5, 6]})
    assert record["features"] == record["perceptual"]
    assert record["features"].startswith("VGG16, ImageNet")


def test_every_finding_is_told_with_its_verdict():
    kept = rows("findings").to_dict("records")
    told = [(row, row["verdict"] if row["verdict"] == "met" else f"**{row['verdict']}**") for row in kept]
    assert [line for row, word in told if (line := f"| {row['name']} | {row['measure']} | {word} |") not in PAGE] == []
    own = [row["verdict"] for row in kept if row["measure"] not in ("pixel error less colour", "feature error")]
    counts = [own.count(verdict) for verdict in VERDICTS]
    assert f"{counts[0]} of {len(own)} rows are met**" in PAGE
    assert f"{counts[1]} are contradicted, {counts[2]} are not settled" in PAGE


def test_the_kept_findings_are_what_the_rules_say_of_the_kept_tables():
    names = ("mse_by_mix", "gaps", "slopes", "tones", "uncertainty", "prevalence", "prevalence_distances")
    tables = StudyTables(*map(rows, (*names, "conditions", "within_conditions")))
    assert [item._asdict() for item in findings(tables)] == rows("findings").astype({"name": str}).to_dict("records")
