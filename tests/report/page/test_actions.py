"""What a reader can do: retrain where a sweep shows a narrower gap, and collect first what settles most for least."""

from __future__ import annotations

import dataclasses

import pytest

from fairness_checks.report.evidence import FailureEvidence
from fairness_checks.report.page.actions import actions_of, first_steps
from fairness_checks.report.page.cards import cards_of
from tests.report.page.runs import ALIKE, BIASED, TINY, Page, page_of, record_of, run_of
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


def steps(*records, **given):
    run = run_of(*records, **given)
    cards = cards_of(run)
    return list(first_steps(run, cards))


FAILED, OPEN, KEPT = record_of(BIASED, "a"), record_of(TINY, "b"), record_of(ALIKE, "c")
WAIVED = record_of(BIASED, "d", waived=True)
PROVE = record_of(TINY, "e", burden_of_proof="compliance")
APPROVAL = (
    "Not approved: to 1 of 2 questions the data give no answer. Do not use b until they do, unless Dr. B "
    "accepts that this is open."
)


def test_a_reader_of_the_head_alone_knows_what_to_do():
    assert steps(FAILED) == ["Do not use a until what exceeds its limit is mended, or is accepted for a time by Dr. B."]
    assert steps(KEPT) == ["Nothing, until the model, its data or the limits change: then run it again."]
    assert steps(WAIVED) == ["Mend what is waived by 2027-03-01, when the first waiver ends."]
    no_approval, collect = steps(OPEN, KEPT)
    assert no_approval == APPROVAL
    assert collect.startswith("For an answer, collect more samples. What is nearest to a failure: b: ")
    more = (n - 12 for n in max(OPEN.needed_samples, OPEN.needed_samples_if_equal))
    of_whom = " and ".join(
        f"{n:,} more with sex={g} whose label is 1" for n, g in zip(more, ("female", "male"), strict=True)
    )
    assert f"Plan for {of_whom}: so many settle it with a chance of about 80%, whether the groups" in collect
    hold, collect = steps(PROVE)
    assert hold == "Do not use e until the data show each limit kept: that is the burden of proof here."
    assert collect.startswith("For an answer, collect more samples.")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"complete": False}, "Run it again: a run that did not come to its end answers nothing."),
        (
            {"failures": (FailureEvidence(test="t", text="why"),)},
            "For who keeps the checks: mend what failed for another reason than a verdict; listed under Summary.",
        ),
        ({"whole": False}, None),
        ({"exit_code": 3}, None),
    ],
    ids=["cut", "other-failure", "part", "red-exit"],
)
def test_nothing_is_left_to_do_only_after_a_whole_green_run(given, said):
    assert steps(KEPT, **given) == ([] if said is None else [said])


def test_models_are_named_once_and_only_a_few():
    many = [record_of(BIASED, name) for name in ("a", "b", "c", "d")]
    assert steps(*many[:3])[0].startswith("Do not use a, b, c until")
    assert steps(*many)[0].startswith("Do not use these 4 models until")


def test_what_is_waived_is_told_beside_what_fails_of_the_same_metric():
    stricter = dataclasses.replace(record_of(BIASED, "d"), limit=0.05)
    failed, _ = cards_of(run_of(stricter, WAIVED))
    assert failed.beside == f"Waived is another check alone, not this one: {cards_of(run_of(WAIVED))[0].title[3:]}."
    assert failed.beside in Page(page_of(run_of(stricter, WAIVED))).visible
    assert not cards_of(run_of(FAILED, WAIVED))[0].beside


def test_whether_groups_differ_at_all_is_told_beside_what_is_open():
    (card,) = cards_of(run_of(OPEN))
    assert card.numbers.endswith(
        "(sex=female: 4 of 12; sex=male: 3 of 12 positives). Whether they differ at all is open, too."
    )
    seen = record_of({"female": (19, 66), "male": (16, 106)}, "b")
    assert (seen.verdict, seen.low > 0.0) == ("inconclusive", True)
    assert cards_of(run_of(seen))[0].numbers.endswith("That they differ is seen, how far is not.")
    assert "differ" not in cards_of(run_of(FAILED))[0].numbers
