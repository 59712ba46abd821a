"""Jobs of this repository: `nox --list`. Each makes the environment that it needs."""

from __future__ import annotations

import nox

nox.options.sessions = ["lint", "fast"]
nox.options.reuse_existing_virtualenvs = True


@nox.session
def lint(session: nox.Session) -> None:
    """Look at style, format, spelling and import contracts; no torch."""
    session.install("-e", ".[test,lint]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("typos")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the whole, which need every library."""
    session.install("-e", ".[dev]")
    session.run("mypy")


@nox.session
def fast(session: nox.Session) -> None:
    """Run the fast tests, without torch."""
    session.install("-e", ".[test]")
    session.run("pytest", "-m", "not slow", "-n", "2", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests."""
    session.install("-e", ".[dev]")
    session.run("pytest", "-n", "2", "--dist", "loadfile", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure which lines and branches of fairness_checks tests run: at least 95 %."""
    session.install("-e", ".[dev]")
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "combine", success_codes=[0, 1])
    session.run("coverage", "report")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into build/docs without warnings, and look whether its links lead somewhere."""
    session.install("-e", ".[docs,sweep]")
    session.run("python", "docs/write_reference.py")
    session.run("python", "-m", "sphinx", "-q", "-W", "--keep-going", "-n", "docs", "build/docs")
    session.run("python", "docs/check_links.py", "build/docs")


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the fast tests with the lowest versions that pyproject.toml declares."""
    session.run("bash", ".ci/lowest", external=True)
