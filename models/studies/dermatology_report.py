"""The report of the dermatology study: tables, figures and ``report.md`` from the measurements in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from fairness_checks.records.check_record import CheckRecord
from fairness_checks.report.text import headline
from models.studies import dermatology_figures as figures
from models.studies.dermatology_conditions import condition_rows, distance_rows, prevalence_rows
from models.studies.dermatology_findings import StudyTables, findings
from models.studies.dermatology_results import (
    area_rows,
    gap_rows,
    mean_rows,
    slope_rows,
    sweep_results,
    tone_rows,
    verdicts,
)
from models.studies.dermatology_standardised import standardised_rows
from models.studies.dermatology_store import Measurements, load_study
from models.studies.dermatology_text import has_grid, kind_of_images, render
from models.studies.markdown import csv_text

__all__ = ["study_tables", "write_report"]


def write_report(folder: Path) -> list[str]:
    """Write ``report.md``, CSV tables and figures into the folder of the study; return the verdicts and findings.

    All are written apart first and then put in place, so that a full disk leaves the report before as it was.

    Raises
    ------
    StudyIncomplete
        The folder holds no finished measurements.
    """
    found = load_study(folder)
    results = sweep_results(found)
    records = verdicts(found, results)
    tables = study_tables(found)
    shown = findings(tables)
    with TemporaryDirectory(prefix=".report.", suffix=".tmp", dir=folder) as apart:
        new = Path(apart)
        for name, frame in (_frames(tables, records) | {"findings": pd.DataFrame(shown)}).items():
            (new / f"{name}.csv").write_bytes(csv_text(frame).encode())
        _draw(new, found, tables)
        (new / "report.md").write_text(render(found, tables, records, shown), encoding="utf-8")
        for path in new.iterdir():
            path.replace(folder / path.name)
    lines = [f"{record.verdict.upper()}: {headline(record)}" for record in records]
    return lines + [f"finding {item.name}, {item.measure}, {item.verdict}: {item.ours}" for item in shown]


def study_tables(found: Measurements) -> StudyTables:
    """Return all tables of the report."""
    prevalence = prevalence_rows(found)
    return StudyTables(
        means=mean_rows(found),
        gaps=gap_rows(found),
        slopes=slope_rows(found),
        tones=tone_rows(found),
        areas=area_rows(found),
        prevalence=prevalence,
        distances=distance_rows(prevalence),
        conditions=condition_rows(found),
        standardised=standardised_rows(found),
    )


def _frames(tables: StudyTables, records: Sequence[CheckRecord]) -> dict[str, pd.DataFrame]:
    judged = [
        {
            "verdict": record.verdict,
            "metric": record.metric,
            "gap": record.sweep.gap if record.sweep else "",
            "limit_kind": record.limit_kind,
            "limit": record.limit,
            "estimate": record.estimate,
            "low": record.low,
            "high": record.high,
            "p_adjusted": record.p_adjusted,
            "p_compliance": record.p_compliance,
            "headline": headline(record),
        }
        for record in records
    ]
    return {
        "mse_by_mix": tables.means,
        "gaps": tables.gaps,
        "slopes": tables.slopes,
        "tones": tables.tones,
        "uncertainty": tables.areas,
        "prevalence": tables.prevalence,
        "prevalence_distances": tables.distances,
        "conditions": tables.conditions,
        "within_conditions": tables.standardised,
        "verdicts": pd.DataFrame(judged),
    }


def _draw(folder: Path, found: Measurements, tables: StudyTables) -> None:
    what = kind_of_images(found).capitalize()
    figures.draw_boxes(folder / "boxes.png", f"{what}, reconstructed by a VAE", found)
    figures.draw_prevalence(folder / "prevalence.png", f"{what}: prevalence by skin tone", tables.prevalence)
    figures.draw_conditions(folder / "conditions.png", f"{what}: MSE by condition", tables.conditions)
    figures.draw_scatter(folder / "scatter.png", f"{what}: MSE by condition", tables.conditions)
    if has_grid(found):
        title = "Generated images and their reconstructions, by training mix"
        figures.draw_reconstructions(folder / "reconstructions.png", title, found.examples)
