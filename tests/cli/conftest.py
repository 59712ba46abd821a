"""Baselines, as those of the room of that name are made."""

from tests.baseline.conftest import make  # noqa: F401 - a fixture
