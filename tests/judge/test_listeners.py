"""Who hears of a verdict, where those who listen do not end in the order in which they began."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from fairness_checks.judge.listeners import announced, listening


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["the first ends first", "the last ends first"])
def test_each_listener_goes_with_its_own_block(order):
    heard = ([], [])
    blocks = [listening(each.append) for each in heard]
    for block in blocks:
        block.__enter__()
    blocks[order[0]].__exit__(None, None, None)
    basis = SimpleNamespace(record="a record")
    assert announced(basis) == "a record"
    blocks[order[1]].__exit__(None, None, None)
    announced(basis)
    assert (heard[order[1]], heard[order[0]]) == ([basis], [])
