"""Training mixes: the shares of the groups that a model learns from. Nothing here loads NumPy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from fairness_checks.errors import ConfigurationError, did_you_mean
from fairness_checks.plain import JSON
from fairness_checks.sweep.apportion import largest_remainder

__all__ = [
    "MIXES",
    "Mix",
    "NamedMix",
    "Shares",
    "as_is_mix",
    "common_size",
    "is_balanced",
    "mix_key",
    "parse_mix",
    "require_change",
    "require_groups",
]

_SUM_TOLERANCE = 1e-6  # shares are written by hand: 0.333333 three times is meant to be 1

NamedMix: TypeAlias = Literal["as_is", "oversample", "undersample"]


@dataclass(frozen=True, slots=True)
class Shares:
    """Rows drawn so that the groups have given shares.

    Parameters
    ----------
    shares : mapping of str to float
        Share of each group, 0 to 1, together 1. A group that is not named has none.
    replace : bool
        Whether a row may be drawn more than once.

    Raises
    ------
    ConfigurationError
        If a share is no number in [0, 1], or the shares do not add up to 1.

    Examples
    --------
    >>> Shares({"light": 0.5, "dark": 0.5}).replace
    False
    """

    shares: Mapping[str, float]
    replace: bool = False

    def __post_init__(self) -> None:
        for group, share in self.shares.items():
            if type(share) not in (int, float) or not 0.0 <= share <= 1.0:
                raise ConfigurationError(f"group {group!r}: share {share!r} must be a number from 0 to 1")
        total = math.fsum(self.shares.values())
        if abs(total - 1.0) > _SUM_TOLERANCE:
            raise ConfigurationError(
                f"shares add up to {total:g}, not to 1; write the share of every group that is to be trained on"
            )
        if not isinstance(self.replace, bool):
            raise ConfigurationError(f"replace: {self.replace!r} must be true or false")
        object.__setattr__(self, "shares", {str(group): float(share) for group, share in self.shares.items()})

    def counts(self, groups: Iterable[str], size: int) -> dict[str, int]:
        """Return how many rows of each group make up `size` rows."""
        names = tuple(groups)
        counts = largest_remainder([self.shares.get(name, 0.0) for name in names], size)
        return dict(zip(names, counts, strict=True))


Mix: TypeAlias = NamedMix | Shares
MIXES: tuple[NamedMix, ...] = get_args(NamedMix)


def parse_mix(name: str, value: Any) -> Mix:
    """Read a mix as thresholds.yaml has it.

    Parameters
    ----------
    name : str
        The mix's own name, for messages.
    value : str, mapping or Mix
        "as_is", "oversample" or "undersample"; shares by group; or ``{shares: {...}, replace: true}``.

    Raises
    ------
    ConfigurationError
        If it is none of these; the message names the key, the value and what is allowed.

    Examples
    --------
    >>> parse_mix("balanced", "oversample")
    'oversample'
    >>> parse_mix("equal", {"f": 0.5, "m": 0.5})
    Shares(shares={'f': 0.5, 'm': 0.5}, replace=False)
    """
    where = f"mixes.{name}"
    if isinstance(value, Shares):
        return value
    if isinstance(value, Mapping) and value:
        options: dict[str, Any] = dict(value) if isinstance(value.get("shares"), Mapping) else {"shares": dict(value)}
        for key in options:
            if key not in ("shares", "replace"):
                raise ConfigurationError(f"{where}: key {key!r}; {did_you_mean(str(key), ('shares', 'replace'))}")
        try:
            return Shares(**options)
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}: {error}") from None
    for known in MIXES:
        if value == known:
            return known
    raise ConfigurationError(
        f"{where}: {value!r}; {did_you_mean(str(value), MIXES)}, or shares by group such as {{female: 0.5, male: 0.5}}"
    )


def require_groups(name: str, mix: Mix, by: str, groups: Iterable[str]) -> None:
    """Raise ConfigurationError where shares name a group that the data set does not have."""
    for group in mix.shares if isinstance(mix, Shares) else ():
        if group not in (names := tuple(groups)):
            raise ConfigurationError(f"mixes.{name}: {group!r} is no group of {by!r}; {did_you_mean(group, names)}")


def is_balanced(mix: Mix) -> bool:
    """Say whether a mix gives all the groups that it trains on the same share, and trains on two or more."""
    if isinstance(mix, Shares):
        shares = [share for share in mix.shares.values() if share > 0.0]
        return len(shares) > 1 and max(shares) - min(shares) < _SUM_TOLERANCE
    return mix != "as_is"


def as_is_mix(mixes: Mapping[str, Mix]) -> str | None:
    """Return the name of the mix that changes nothing, which others are compared with; None if there is none."""
    return next((name for name, mix in mixes.items() if mix == "as_is"), None)


def require_change(mixes: Mapping[str, Mix], mix: str | None) -> str:
    """Return the mix that a change is from; ConfigurationError where a mix, or any, cannot be compared with it."""
    before = as_is_mix(mixes)
    if before is None:
        raise ConfigurationError("gap: change is judged against the data as they are; add the mix `as_is: as_is`")
    others = [name for name in mixes if name != before]
    if not others:
        raise ConfigurationError("gap: change needs a mix beside as_is; add for example `equal: oversample`")
    if mix is not None and mix not in others:
        raise ConfigurationError(f"mix: {mix!r} is no mix to compare with {before}; {did_you_mean(mix, others)}")
    return before


def mix_key(mix: Mix) -> JSON:
    """Return a mix as plain builtins: equal exactly where mixes are."""
    if isinstance(mix, Shares):
        return {"shares": dict(sorted(mix.shares.items())), "replace": mix.replace}
    return mix


def common_size(mixes: Iterable[Mix], available: Mapping[str, int]) -> int:
    """Return the training size that all mixes of shares have: the largest that needs no row twice."""
    # Only shares drawn without replacement have a say; 0 where a group that a mix needs has no row.
    limits = [
        math.floor(available.get(group, 0) / share + 1e-9)
        for mix in mixes
        if isinstance(mix, Shares) and not mix.replace
        for group, share in mix.shares.items()
        if share > 0.0
    ]
    return min(limits, default=sum(available.values()))
