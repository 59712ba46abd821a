"""Node ids: ASCII names that pytest's ``-k`` accepts, whatever a feature or a model is called."""

# Reports show true names; only ids and file names use these.

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from fairness_checks.question.checks import Check
from fairness_checks.question.waivers import Waiver

__all__ = ["check_name", "node_id", "slug", "waiver_ids", "waiver_names"]

_LENGTH = 40
_DIGITS = 10  # 40 bits: a clash within a thousand names has probability 5e-7
_PLAIN = re.compile(rf"[A-Za-z0-9_]{{1,{_LENGTH}}}")
_LOOKS_HASHED = re.compile(rf".*__[0-9a-f]{{{_DIGITS}}}")
_OPERATORS = {"and", "not", "or"}  # words of a -k expression


def slug(text: str) -> str:
    """Return an ASCII name of at most 40 characters in ``[A-Za-z0-9_]``; different texts get different names."""
    # A text that is such a name already stays as it is, unless it is an operator of `-k` or ends as if it carried a
    # hash. Any other is transliterated, cut, and told apart by a hash of itself, the same on every machine.
    if _PLAIN.fullmatch(text) and not _LOOKS_HASHED.fullmatch(text) and text not in _OPERATORS:
        return text
    # "é" becomes "e" and an accent; the accent goes, a letter without such a form becomes "_".
    letters = (letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    name = re.sub(r"[^A-Za-z0-9_]", "_", "".join(letters))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{name[: _LENGTH - _DIGITS - 2]}__{digest}"


def node_id(model: str, check: Check) -> str:
    """Return the id of a check among all checks of all models, as pytest shows it between brackets."""
    # `-` and `+` never occur within a slug, so that the parts cannot run into each other; pytest's `-k` takes both as
    # part of a word. It ignores case, so that features named Sex and sex are selected together.
    parts = [slug(model), "+".join(slug(feature) for feature in check.by)]
    if check.question.check != "uncertainty":
        parts.append(check.metric)
    if check.gap is not None:
        parts += [check.gap] if check.mix is None else [check.gap, slug(check.mix)]
    elif check.of is not None:
        parts += [check.of] if check.of != "disparity" else []
    elif check.limit_kind not in ("max_difference", "max_mismatch"):
        parts.append(check.limit_kind)
    return "-".join([*parts, *_within(check.control_features, check.strata)])


def check_name(model: str, check: Check) -> str:
    """Return the name of a check as a test, behind the file of limits in its node id."""
    return f"test_{check.question.check}[{node_id(model, check)}]"


def waiver_names(waivers: Iterable[Waiver]) -> list[str]:
    """Return the name of each waiver as a test."""
    return [f"test_waiver[{name}]" for name in waiver_ids(waivers)]


def waiver_ids(waivers: Iterable[Waiver]) -> list[str]:
    """Return the id of each waiver, with which ``-k`` finds it as it finds the checks that it names."""
    # Waivers that name the same are told apart by their number.
    seen: Counter[str] = Counter()
    ids = []
    for waiver in waivers:
        parts = [waiver.check, slug(waiver.model), "+".join(map(slug, waiver.by))]
        parts += [] if waiver.check == "uncertainty" else [waiver.metric]
        mix = None if waiver.mix is None else slug(waiver.mix)
        parts += [word for word in (waiver.gap, mix, waiver.of, waiver.limit) if word]
        name = "-".join([*parts, *_within(waiver.control_features, waiver.strata)])
        seen[name] += 1
        ids.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return ids


def _within(control_features: Iterable[str], strata: str | None) -> list[str]:
    features = "+".join(map(slug, control_features))
    return [f"{'combined_over' if strata == 'combined' else 'within'}+{features}"] if features else []
