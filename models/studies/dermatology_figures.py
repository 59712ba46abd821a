"""Figures of the dermatology study. Needs ``matplotlib``.

Light skin is orange with strokes, dark skin is blue: told apart with every kind of colour vision, and in grey.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.studies.dermatology_conditions import FEWEST, LEVEL_NAMES
from models.studies.dermatology_protocol import TONES
from models.studies.dermatology_results import ERRORS
from models.studies.dermatology_store import Measurements
from models.vae_config import MIXES

__all__ = ["draw_boxes", "draw_conditions", "draw_prevalence", "draw_reconstructions", "draw_scatter"]

_COLOURS = {"light": "#E69F00", "dark": "#0072B2"}  # Okabe and Ito's, https://jfly.uni-koeln.de/color
_HATCH = {"light": "///", "dark": ""}
_OFFSET = {"light": -0.2, "dark": 0.2}
_MIX_NAMES = {"A": "A\nlight only", "B": "B\nhalf, half", "C": "C\ndark only"}
_MARKERS = {"A": ("o", "#D55E00"), "B": ("s", "#009E73"), "C": ("^", "#332288")}
_VALUES = {
    "mse": "mean squared error of an image\n(pixels in [-1, 1])",
    "mse_less_colour": "the same without\nits mean colour",
    "feature_error": "feature error of an image",
    "tone_shift": "shift of the tone\n(above 0: came out lighter)",
    "latent_sd": "mean standard deviation of\nan image's latent code",
}
_MOST_LABELS = 20
_KEY_COLUMNS = 4


def draw_boxes(path: Path, title: str, found: Measurements) -> None:
    """Write box plots of the errors, the shift of the tone and the latent standard deviation by mix and skin tone.

    A box has all test images of all repeats: quartiles and median, whiskers at 5 and 95 %; a point is the mean of
    one repeat.
    """
    shown = {name: label for name, label in _VALUES.items() if np.isfinite(getattr(found, name)).all()}
    columns = -(-len(shown) // 2)
    figure = _figure(4.4 * columns, 8.0)
    axes = figure.subplots(2, columns, squeeze=False).ravel()
    for ax in axes[len(shown) :]:
        ax.set_axis_off()
    for ax, (name, label) in zip(axes, shown.items(), strict=False):
        values = getattr(found, name)  # (M, J, 2, m)
        for g, tone in enumerate(TONES):
            places = np.arange(len(found.mixes)) + _OFFSET[tone]
            drawn = ax.boxplot(
                [values[i, :, g].ravel() for i in range(len(found.mixes))],
                positions=places,
                widths=0.34,
                whis=(5, 95),
                showfliers=False,
                patch_artist=True,
                manage_ticks=False,
                medianprops={"color": "black", "linewidth": 1.6},
            )
            for box in drawn["boxes"]:
                box.set(facecolor=_COLOURS[tone], alpha=0.55, hatch=_HATCH[tone], label=f"{tone} skin")
            means = values[:, :, g].mean(axis=2)  # (M, J)
            spread = np.linspace(-0.09, 0.09, found.repeats)
            for place, row in zip(places, means, strict=True):
                ax.scatter(place + spread, row, s=11, color="white", edgecolors="black", linewidths=0.7, zorder=3)
        ax.set_xticks(range(len(found.mixes)), [_MIX_NAMES[mix] for mix in found.mixes])
        ax.set_xlabel("training mix")
        ax.set_ylabel(label)
        ax.set_ylim(bottom=0 if name in ERRORS else None)
        if name == "tone_shift":
            ax.axhline(0, color="black", linestyle="--", linewidth=1)
        ax.grid(axis="y", alpha=0.3)
    handles, labels = axes[0].get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    figure.legend(once.values(), once.keys(), loc="outside upper right", ncols=2, frameon=False)
    n = found.repeats * found.test_images
    figure.suptitle(
        f"{title}\nn = {n:,} values a box: {found.test_images} test images in each of {found.repeats} repeats; "
        "points are means of repeats",
        fontsize=10,
        x=0.01,
        ha="left",
    )
    _save(figure, path)


def draw_prevalence(path: Path, title: str, prevalence: pd.DataFrame) -> None:
    """Write the share of each label among the images of either group, at the three levels of labels.

    At the finest level the labels whose shares differ most are shown.
    """
    parts = {name: prevalence[prevalence["level"] == name] for name in LEVEL_NAMES.values()}
    finest = LEVEL_NAMES["label"]
    gap = (parts[finest]["light_share"] - parts[finest]["dark_share"]).abs()
    kept = gap.sort_values(ascending=False, kind="stable").index[:_MOST_LABELS]
    all_labels, parts[finest] = len(parts[finest]), parts[finest].loc[kept]
    parts[finest] = parts[finest].iloc[np.argsort(-(parts[finest]["dark_share"] - parts[finest]["light_share"]))]
    figure = _figure(11.5, 6.4)
    grid = figure.add_gridspec(2, 2, height_ratios=[3, 9], width_ratios=[1, 1.15])
    axes = [figure.add_subplot(place) for place in (grid[0, 0], grid[1, 0], grid[:, 1])]
    for ax, (name, part) in zip(axes, parts.items(), strict=True):
        rows = np.arange(len(part))
        for tone in TONES:
            ax.barh(
                rows + _OFFSET[tone],
                100 * part[f"{tone}_share"],
                height=0.38,
                color=_COLOURS[tone],
                alpha=0.75,
                hatch=_HATCH[tone],
                edgecolor="white",
                label=f"{tone} skin (n = {prevalence.loc[prevalence['level'] == name, tone].sum():,})",
            )
        ax.set_yticks(rows, part["label"], fontsize=8, parse_math=False)
        ax.invert_yaxis()
        ax.grid(axis="x", alpha=0.3)
        chosen = f", the {len(part)} whose shares differ most" if len(part) < all_labels and name == finest else ""
        ax.set_title(f"{name.capitalize()} ({all_labels if name == finest else len(part)} labels{chosen})", fontsize=10)
    for ax in axes[1:]:
        ax.set_xlabel("share of the group's images, %")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(title)
    _save(figure, path)


def draw_conditions(path: Path, title: str, conditions: pd.DataFrame) -> None:
    """Write the MSE of each condition on dark skin against that on light skin, a panel for each mix.

    The dashed line is y = x. Numbers tell the conditions; the key below has their names and images.
    """
    shown = conditions[conditions["shown"]]
    mixes = list(dict.fromkeys(conditions["mix"])) or list(MIXES)  # where no condition is common to both groups
    names = shown[shown["mix"] == mixes[0]].sort_values("condition")
    number = {name: place for place, name in enumerate(names["condition"], start=1)}
    lines = -(-len(names) // _KEY_COLUMNS)
    figure = _figure(4.3 * len(mixes), 5.3 + 0.17 * lines)
    grid = figure.add_gridspec(2, len(mixes), height_ratios=[5, 0.17 * lines + 0.1])
    values = shown[["mse_light", "mse_dark"]].to_numpy()
    low, high = (values.min() / 1.2, values.max() * 1.2) if len(values) else (0.01, 0.1)
    for place, mix in enumerate(mixes):
        ax = figure.add_subplot(grid[0, place])
        part = shown[shown["mix"] == mix]
        ax.plot([low, high], [low, high], color="black", linestyle="--", linewidth=1, label="y = x", zorder=1)
        ax.scatter(part["mse_light"], part["mse_dark"], s=120, color="#006D52", edgecolors="white", alpha=0.85)
        for name, x, y in zip(part["condition"], part["mse_light"], part["mse_dark"], strict=True):
            ax.text(x, y, str(number[name]), color="white", fontsize=6.5, ha="center", va="center_baseline")
        ax.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
        ax.set_box_aspect(1)
        _plain_ticks(ax, low, high)
        above = int((part["mse_dark"] > part["mse_light"]).sum())
        ax.set_title(f"{_MIX_NAMES[mix].replace(chr(10), ': ')}\n{above} of {len(part)} above the line", fontsize=10)
        ax.set_xlabel("MSE on light skin")
        ax.set_ylabel("MSE on dark skin" if place == 0 else "")
        ax.grid(alpha=0.3, which="both")
        if place == 0:
            ax.legend(loc="upper left", frameon=False)
    _write_key(figure.add_subplot(grid[1, :]), names, lines)
    figure.suptitle(
        f"{title} (log scales; conditions with at least {FEWEST} tested images of either skin; in brackets: "
        "light + dark)",
        fontsize=11,
    )
    _save(figure, path)


def draw_scatter(path: Path, title: str, conditions: pd.DataFrame) -> None:
    """Write the MSE of each condition on dark skin against that on light skin, all mixes in one plot with y = x."""
    shown = conditions[conditions["shown"]]
    figure = _figure(6.4, 6.4)
    ax = figure.subplots()
    values = shown[["mse_light", "mse_dark"]].to_numpy()
    high = 1.05 * values.max() if len(values) else 0.1
    ax.plot([0, high], [0, high], color="black", linestyle="--", linewidth=1, label="y = x")
    for mix, part in shown.groupby("mix"):
        marker, colour = _MARKERS[str(mix)]
        name = _MIX_NAMES[str(mix)].replace("\n", ": ")
        ax.scatter(part["mse_light"], part["mse_dark"], marker=marker, color=colour, alpha=0.8, label=name)
    ax.set(xlim=(0, high), ylim=(0, high), xlabel="MSE on light skin", ylabel="MSE on dark skin")
    ax.set_box_aspect(1)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    figure.suptitle(f"{title}\n(at least {FEWEST} tested images of either skin)", fontsize=11)
    _save(figure, path)


def _write_key(ax: Any, names: pd.DataFrame, lines: int) -> None:
    """Write the names of the conditions with their numbers, in columns read downwards."""
    ax.set_axis_off()
    rows = zip(names["condition"], names["light"], names["dark"], strict=True)
    for place, (name, light, dark) in enumerate(rows):
        column, line = divmod(place, lines)
        at = (column / _KEY_COLUMNS, 1 - (line + 0.5) / lines)
        text = f"{place + 1}  {name} ({light} + {dark})"
        ax.text(*at, text, fontsize=8, va="center", transform=ax.transAxes, parse_math=False)


def draw_reconstructions(path: Path, title: str, examples: Mapping[str, npt.NDArray[np.uint8]]) -> None:
    """Write originals over their reconstructions under each mix; of generated images only.

    Parameters
    ----------
    path : Path
        Where to write.
    title : str
        Above the images.
    examples : mapping of str to ndarray of uint8
        "original" and each mix to (2, k, 3, S, S).
    """
    count = examples["original"].shape[1]
    figure = _figure(1.05 * 2 * count + 1.2, 1.12 * len(examples) + 0.5)
    axes = figure.subplots(len(examples), 1, squeeze=False)[:, 0]
    for ax, (name, images) in zip(axes, examples.items(), strict=True):
        row = _in_a_row(images)  # one picture a row: an axis for each image would take seconds
        ax.imshow(row, interpolation="nearest")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        label = "original" if name == "original" else _MIX_NAMES[name]
        ax.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
    for tone, middle in zip(TONES, (0.25, 0.75), strict=True):
        place = {"ha": "center", "transform": axes[0].transAxes}
        axes[0].text(middle, 1.03, f"{tone} skin", color=_COLOURS[tone], fontweight="bold", **place)
    figure.suptitle(title)
    _save(figure, path)


def _in_a_row(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return images (2, k, 3, S, S) beside each other with white between them, as (S, width, 3)."""
    gap = max(images.shape[-1] // 16, 1)
    around = [(0, 0), (0, 0), (0, 0), (0, 0), (gap, gap)]
    tiles = np.pad(images, around, constant_values=255)  # (2, k, 3, S, S + 2 gap)
    tiles = np.moveaxis(tiles, 2, -1)  # (2, k, S, S + 2 gap, 3)
    row: npt.NDArray[np.uint8] = np.concatenate(tiles.reshape(-1, *tiles.shape[2:]), axis=1)
    return row


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # no window, and no state of pyplot
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=120, metadata={"Software": None})  # no version in the file


def _plain_ticks(ax: Any, low: float, high: float) -> None:
    """Label a logarithmic axis of less than two decades with plain numbers."""
    from matplotlib.ticker import FixedLocator, FormatStrFormatter, NullFormatter

    steps = [step * 10.0**power for power in range(-5, 2) for step in (1, 2, 5)]
    ticks = [step for step in steps if low <= step <= high]
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter(FormatStrFormatter("%g"))
        axis.set_minor_formatter(NullFormatter())
