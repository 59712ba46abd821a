"""What this package is installed as: its name and version, and what its extras bring."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator
from contextlib import contextmanager

from fairness_checks.errors import MissingExtra

__all__ = ["DISTRIBUTION", "brought_by", "needing_extra", "package_version"]

DISTRIBUTION = "pytest-fairness"
"""As pip knows it; the package that is imported is `fairness_checks`."""


def package_version() -> str:
    """Return the version that is installed."""
    return importlib.metadata.version(DISTRIBUTION)


def brought_by(extra: str) -> tuple[str, ...]:
    """Return the distributions that an extra installs, as the package's own metadata say."""
    marked = re.compile(rf"""extra\s*==\s*['"]{re.escape(extra)}['"]""")
    wanted = (text for text in importlib.metadata.requires(DISTRIBUTION) or () if marked.search(text))
    return tuple(sorted(found[0] for text in wanted if (found := re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", text))))


@contextmanager
def needing_extra(what: str, extra: str) -> Iterator[None]:
    """Turn an import of something that is not installed into an error that says how to install it.

    Raises
    ------
    MissingExtra
        If a module that is imported within is not there.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == __package__:
            raise  # a mistake of ours
        raise MissingExtra(
            f"{what}: {error.name} is not installed. The extra `{extra}` brings {', '.join(brought_by(extra))}: "
            f"pip install '{DISTRIBUTION}[{extra}]'",
            name=error.name,
        ) from None
