"""What a reader can do: retrain where a sweep shows a narrower gap, and collect first what settles most for least."""

from __future__ import annotations

import dataclasses

import pytest

from fairness_checks.report.page.actions import actions_of
from fairness_checks.report.page.cards import cards_of
from tests.report.page.runs import BIASED, TINY, Page, page_of, record_of, run_of
from tests.report.test_sweep_text import TWO, answered, change_to, mix_row


def of_answers(*answers, **given):
    """Record of a sweep that shows such changes of the gap under mixes beside the data as they are."""
    changed = [mix_row(f"mix{n}", TWO, change=change_to(answer)) for n, answer in enumerate(answers)]
    return answered(mix_row("as_is", TWO), *changed, **given)


@pytest.mark.parametrize(
    ("answers", "narrows"),
    [
        (("closes",), True),
        (("open", "narrows"), True),
        (("open",), False),
        (("widens", "open"), False),
        (("reverses",), False),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else None,
)
def test_retraining_is_told_by_what_the_mixes_are_shown_to_do(answers, narrows):
    run = run_of(of_answers(*answers))
    (told,) = actions_of(cards_of(run)).retrain
    assert told.narrows is narrows
    visible = Page(page_of(run)).visible
    assert ("another training mix is shown to narrow the gap." in visible) is narrows
    assert ("No training mix is shown to narrow the gap of" in visible) is not narrows
    assert ("A gap also narrows where only the group that does better gets worse" in visible) is narrows
    assert not any(word in visible for word in ("shown to help", "mix helps"))


def test_checks_with_one_answer_are_told_once_and_those_without_are_not_known():
    other = dataclasses.replace(of_answers("closes"), limit=0.2)
    found = actions_of(cards_of(run_of(of_answers("closes"), other, record_of(BIASED, "unswept"))))
    assert [told.card.model for told in found.retrain] == ["forest"]
    assert found.unknown == (("unswept", "false_negative_rate"),)


def test_a_sweep_of_one_metric_answers_nothing_for_another():
    other = record_of(BIASED, "forest", asked=("accuracy", "max_difference", 0.1))
    found = actions_of(cards_of(run_of(of_answers("closes"), other)))
    assert found.unknown == (("forest", "accuracy"),)


def test_what_needs_the_fewest_samples_stands_first():
    sizes = {"many": (4_000, 4_000), "few": (40, 40), "unknown": None}
    unsettled = [dataclasses.replace(record_of(TINY, name), needed_samples=size) for name, size in sizes.items()]
    assert [card.model for card in actions_of(cards_of(run_of(*unsettled))).collect] == ["few", "many", "unknown"]
