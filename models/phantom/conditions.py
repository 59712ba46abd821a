"""Conditions that the skin phantom shows: how each looks, to which classes it belongs, and how common it is.

The names of conditions and classes are those of Fitzpatrick17k (Groh et al. 2021,
https://doi.org/10.1109/CVPRW53098.2021.00201). The looks are caricatures of textbook descriptions, enough to give
images of one condition something in common; nothing medical follows from them. Shares of the classes are near those
of the data set, the rare ones raised. NumPy alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.data.images import LEVELS

__all__ = ["CLASS_SHARE", "CONDITIONS", "PARTITION", "Condition", "condition_labels", "condition_shares"]

PARTITION = {
    "inflammatory": "non-neoplastic",
    "genodermatoses": "non-neoplastic",
    "benign dermal": "benign",
    "benign epidermal": "benign",
    "benign melanocyte": "benign",
    "malignant epidermal": "malignant",
    "malignant melanoma": "malignant",
    "malignant cutaneous lymphoma": "malignant",
    "malignant dermal": "malignant",
}
"""The class of three to which each class of nine belongs."""

CLASS_SHARE = {
    "inflammatory": 0.50,
    "genodermatoses": 0.07,
    "benign dermal": 0.09,
    "benign epidermal": 0.08,
    "benign melanocyte": 0.05,
    "malignant epidermal": 0.09,
    "malignant melanoma": 0.06,
    "malignant cutaneous lymphoma": 0.03,
    "malignant dermal": 0.03,
}
"""Share of each class of nine among the images; the same in both groups, as is nearly so in the photographs."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Looks and prevalence of one condition; lengths are fractions of the image's edge.

    Attributes
    ----------
    name, nine : str
        Finest label and class of nine.
    share : float
        Weight within its class, before `tilt`.
    tilt : float
        Above 0 more common on dark skin, below 0 on light skin; see `condition_shares`.
    count : tuple of int
        Fewest and most lesions; a single one stands near the middle, several are scattered.
    radius : tuple of float
        Smallest and largest radius of a lesion.
    melanin, blood : float
        Change of the logarithm of the two fractions inside; melanin below 0 is loss of pigment.
    ragged, soft : float
        Irregularity of the border (0 an ellipse, 1 ragged); width of the border over the radius.
    hollow : float
        1 fades the middle: a ring.
    scale, crust : float
        Cover with white scale, in flakes; brown-black crust or ulcer in the middle (0 to 1).
    relief : float
        Height: shades the flank away from the light and lets the top shine; below 0 a dent.
    mottle : float
        Uneven pigment inside.
    elongation : float
        Ratio of the longer to the shorter axis, at most.
    """

    name: str
    nine: str
    share: float
    tilt: float
    count: tuple[int, int]
    radius: tuple[float, float]
    melanin: float = 0.0
    blood: float = 0.0
    ragged: float = 0.3
    soft: float = 0.25
    hollow: float = 0.0
    scale: float = 0.0
    crust: float = 0.0
    relief: float = 0.0
    mottle: float = 0.3
    elongation: float = 1.5


_INFLAMED, _GENE = "inflammatory", "genodermatoses"
_DERMAL, _EPIDERMAL, _MOLE = "benign dermal", "benign epidermal", "benign melanocyte"
_CARCINOMA, _MELANOMA = "malignant epidermal", "malignant melanoma"
_LYMPHOMA, _SARCOMA = "malignant cutaneous lymphoma", "malignant dermal"

# fmt: off
CONDITIONS: tuple[Condition, ...] = (
    Condition("psoriasis", _INFLAMED, 5, -0.4, (1, 4), (0.13, 0.30), 0.25, 1.3, 0.6, 0.15, scale=0.7, relief=0.5),
    Condition("eczema", _INFLAMED, 4, 0.3, (1, 3), (0.18, 0.38), 0.45, 0.9, 1.0, 0.7, scale=0.15, mottle=0.8),
    Condition("acne vulgaris", _INFLAMED, 3, -0.2, (5, 10), (0.025, 0.055), 0.35, 1.5, 0.2, 0.6, relief=0.5),
    Condition("folliculitis", _INFLAMED, 3, 0.6, (6, 10), (0.018, 0.04), 0.6, 1.3, 0.1, 0.6, crust=0.2, relief=0.6),
    Condition("rosacea", _INFLAMED, 2, -1.0, (1, 2), (0.25, 0.45), 0.0, 1.0, 1.0, 0.9, mottle=0.9),
    Condition("urticaria", _INFLAMED, 2, -0.3, (2, 7), (0.07, 0.18), -0.1, 0.8, 0.8, 0.2, hollow=0.4, relief=0.6),
    Condition("lichen planus", _INFLAMED, 3, 0.5, (4, 10), (0.04, 0.09), 0.8, 1.0, 0.4, 0.2, scale=0.2, relief=0.4),
    Condition("pityriasis rosea", _INFLAMED, 2, 0.2, (4, 9), (0.05, 0.11), 0.25, 1.0, 0.2, 0.3, hollow=0.6, scale=0.3,
              elongation=2.2),
    Condition("prurigo nodularis", _INFLAMED, 2, 0.9, (3, 8), (0.04, 0.08), 1.0, 1.0, 0.3, 0.3, crust=0.6, relief=1.0),
    Condition("vitiligo", _INFLAMED, 2, 0.5, (1, 5), (0.10, 0.30), -1.8, 0.1, 0.9, 0.15, mottle=0.1),
    Condition("neurofibromatosis", _GENE, 2, 0.1, (3, 9), (0.04, 0.10), 0.25, 0.4, 0.1, 0.4, relief=1.2),
    Condition("ichthyosis vulgaris", _GENE, 2, 0.4, (1, 2), (0.40, 0.60), 0.3, 0.1, 0.6, 0.8, scale=0.8, mottle=0.5),
    Condition("seborrheic keratosis", _EPIDERMAL, 3, -0.1, (1, 3), (0.08, 0.20), 1.3, 0.2, 0.4, 0.1, scale=0.15,
              relief=1.0, mottle=0.6),
    Condition("epidermal nevus", _EPIDERMAL, 2, -0.2, (1, 4), (0.08, 0.22), 1.1, 0.1, 0.9, 0.2, relief=0.8, mottle=0.6,
              elongation=4.0),
    Condition("keloid", _DERMAL, 3, 1.0, (1, 2), (0.12, 0.26), 0.25, 0.9, 0.6, 0.15, relief=1.6, elongation=3.0),
    Condition("dermatofibroma", _DERMAL, 2, -0.4, (1, 1), (0.07, 0.14), 0.9, 0.6, 0.2, 0.5, relief=0.5),
    Condition("pyogenic granuloma", _DERMAL, 2, -0.5, (1, 1), (0.07, 0.15), 0.0, 2.4, 0.2, 0.1, crust=0.3, relief=1.6),
    Condition("naevocytic nevus", _MOLE, 3, -0.5, (1, 2), (0.05, 0.13), 1.5, 0.0, 0.2, 0.25, relief=0.4),
    Condition("congenital nevus", _MOLE, 2, 0.3, (1, 2), (0.18, 0.36), 1.4, 0.0, 0.7, 0.15, relief=0.3, mottle=0.7),
    Condition("basal cell carcinoma", _CARCINOMA, 3, -0.8, (1, 1), (0.08, 0.20), 0.1, 1.2, 0.3, 0.15, hollow=0.3,
              crust=0.5, relief=1.2),
    Condition("squamous cell carcinoma", _CARCINOMA, 3, 0.5, (1, 1), (0.10, 0.26), 0.3, 1.5, 0.6, 0.2, scale=0.4,
              crust=0.8, relief=1.3, mottle=0.6),
    Condition("actinic keratosis", _CARCINOMA, 2, -0.9, (2, 7), (0.04, 0.10), 0.2, 1.0, 0.8, 0.4, scale=0.6),
    Condition("superficial spreading melanoma ssm", _MELANOMA, 3, -0.4, (1, 1), (0.12, 0.26), 1.8, 0.4, 1.0, 0.1,
              relief=0.3, mottle=1.2, elongation=2.0),
    Condition("lentigo maligna", _MELANOMA, 2, -0.6, (1, 1), (0.16, 0.30), 1.2, 0.1, 1.2, 0.2, mottle=1.4),
    Condition("acral lentiginous melanoma", _MELANOMA, 1, 1.0, (1, 1), (0.14, 0.28), 1.9, 0.1, 1.1, 0.15, crust=0.3,
              mottle=1.0, elongation=2.0),
    Condition("mycosis fungoides", _LYMPHOMA, 1, 0.0, (2, 6), (0.09, 0.24), 0.35, 1.1, 0.8, 0.25, scale=0.3,
              mottle=0.6),
    Condition("kaposi sarcoma", _SARCOMA, 1, 0.0, (2, 7), (0.05, 0.13), 1.0, 1.8, 0.5, 0.15, relief=0.7),
)
# fmt: on
"""One row is one condition."""


def condition_shares(tone: str, prevalence_gap: float) -> npt.NDArray[np.float64]:
    """Return the probability of each condition, in the order of `CONDITIONS`.

    P(condition | tone) = P(class of nine) w exp(+-gap tilt) / sum over the class, + for dark and - for light skin:
    the classes of three and of nine are equally common in both groups whatever the gap.

    Parameters
    ----------
    tone : str
        "light" or "dark".
    prevalence_gap : float
        0: the conditions are equally common too; 1: the odds of two conditions differ between the groups by up to
        e^4; may be larger.

    Examples
    --------
    >>> keloid = [row.name for row in CONDITIONS].index("keloid")
    >>> [float(condition_shares(tone, 0.5)[keloid].round(3)) for tone in ("light", "dark")]
    [0.024, 0.055]
    """
    sign = 1.0 if tone == "dark" else -1.0
    weight = np.array([row.share * np.exp(sign * prevalence_gap * row.tilt) for row in CONDITIONS])
    nine = np.array([row.nine for row in CONDITIONS])
    shares = np.zeros(len(CONDITIONS))
    for name, share in CLASS_SHARE.items():
        members = nine == name
        shares[members] = share * weight[members] / weight[members].sum()
    return shares


def condition_labels(codes: npt.NDArray[np.intp]) -> dict[str, npt.NDArray[np.str_]]:
    """Return the labels at each of `LEVELS` of images whose conditions are `codes`, positions in `CONDITIONS`.

    Examples
    --------
    >>> {level: labels.tolist() for level, labels in condition_labels(np.array([0])).items()}
    {'three_partition_label': ['non-neoplastic'], 'nine_partition_label': ['inflammatory'], 'label': ['psoriasis']}
    """
    columns = (
        [PARTITION[row.nine] for row in CONDITIONS],
        [row.nine for row in CONDITIONS],
        [row.name for row in CONDITIONS],
    )
    return {level: np.array(column)[codes] for level, column in zip(LEVELS, columns, strict=True)}
