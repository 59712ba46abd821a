"""Which tests belong to the gate; loaded with the plugin, so that it loads nothing."""

from __future__ import annotations

import pytest

__all__ = ["is_fairness_test"]


def is_fairness_test(item: pytest.Item) -> bool:
    """Say whether a test belongs to the gate: by the `fairness` mark or fixture."""
    return item.get_closest_marker("fairness") is not None or "fairness" in getattr(item, "fixturenames", ())
