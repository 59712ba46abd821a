"""Violin plots of a sweep: a metric's values over the repeats, by sex, mix and feature set. Needs ``matplotlib``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.sweep import SweepResults
from models.studies.gaps import SEXES, values

__all__ = ["draw_violins"]

_COLOURS = {"male": "#1f77b4", "female": "#d95f02"}
_ALPHA = 0.55
_OFFSET = {"male": 0.19, "female": -0.19}


def draw_violins(
    path: Path, title: str, results: SweepResults, metrics: Sequence[str], mixes: Sequence[str], sets: Sequence[str]
) -> None:
    """Write a PNG file: a row for each metric, a column for each feature set, two violins for each mix.

    Parameters
    ----------
    path : Path
        Where to write.
    title : str
        Above the plots.
    results : SweepResults
        At least two repeats.
    metrics, mixes, sets : sequence of str
        What to draw, in this order. Undefined values are left out.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # no window, and no state of pyplot
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(sets), 2.9 * len(metrics)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(metrics), len(sets), sharex=True, sharey="row", squeeze=False)
    for row, metric in zip(axes, metrics, strict=True):
        for ax, feature_set in zip(row, sets, strict=True):
            for place, mix in enumerate(mixes):
                for sex, found in zip(SEXES, values(results, metric, mix, feature_set), strict=True):
                    _violin(ax, found[np.isfinite(found)], place, sex)
            ax.set_xticks(range(len(mixes)), [mix.replace("_", " ") for mix in mixes], fontsize=8)
            ax.grid(axis="y", alpha=0.3)
        row[0].set_ylabel(metric.replace("_", " "))
    for ax, feature_set in zip(axes[0], sets, strict=True):
        ax.set_title(feature_set.replace("_", " "))
    for sex, colour in _COLOURS.items():
        axes[0][0].plot([], [], color=colour, linewidth=6, alpha=_ALPHA, label=sex)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside right upper")
    figure.suptitle(title)
    figure.savefig(path, dpi=110, metadata={"Software": None})  # no version in the file


def _violin(ax: Any, values: npt.NDArray[np.float64], place: int, sex: str) -> None:
    body = ax.violinplot(values, [place + _OFFSET[sex]], widths=0.36, showmeans=True, showextrema=False)
    for part in body["bodies"]:
        part.set(facecolor=_COLOURS[sex], alpha=_ALPHA)
    body["cmeans"].set_color(_COLOURS[sex])
