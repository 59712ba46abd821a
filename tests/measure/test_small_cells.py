"""Groups that are hidden, and an attacker who adds up and subtracts all that is shown."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairness_checks.kinds.measured import Measured
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.measure.small_cells import Table, hidden_cells, is_small, small_details, table_of
from fairness_checks.stats.calibration_bins import CalibrationStatistics
from fairness_checks.stats.moments import MeanStatistics

BELOW = 11


def table(by, **samples):
    """Return a table of samples, its cells written with underscores: `f_black=5`."""
    return Table.of(tuple(by), {tuple(name.split("_")): n for name, n in samples.items()})


def hidden_in(tables, by):
    found = hidden_cells(tables, BELOW).of(by)
    return {tuple(dict(cell)[name] for name in by) for cell in found}


class Attacker:
    """Knows the published cells of all tables and the total, and solves for what is not published, in fractions."""

    def __init__(self, atoms, published, *, total):
        self.rows = {}  # by the place of the 1 that it begins with
        for cell in [*published, *([np.ones(atoms)] if total else [])]:
            rest = self._reduced(cell)
            lead = next((i for i, value in enumerate(rest) if value), None)
            if lead is not None:
                self.rows[lead] = [value / rest[lead] for value in rest]

    def _reduced(self, cell):
        rest = [Fraction(int(inside)) for inside in cell]
        for lead in range(len(rest)):
            if rest[lead] and lead in self.rows:
                factor = rest[lead]
                rest = [one - factor * other for one, other in zip(rest, self.rows[lead], strict=True)]
        return rest

    def knows(self, cell):
        """Say whether some sum of published cells is this one, exactly."""
        return not any(self._reduced(cell))


@pytest.mark.parametrize(
    ("given", "by", "expected"),
    [
        ([table(["sex"], f=5, m=300)], ["sex"], {("f",), ("m",)}),
        ([table(["sex"], f=300, m=300)], ["sex"], set()),
        ([table(["race"], a=500, b=40, c=5)], ["race"], {("b",), ("c",)}),
        ([table(["race"], a=500, b=40, c=6, d=5)], ["race"], {("c",), ("d",)}),  # together they are enough
        ([table(["race"], a=500, b=40, c=4, d=5)], ["race"], {("b",), ("c",), ("d",)}),
        ([table(["race"], a=500, b=0, c=400)], ["race"], set()),  # 0 is shown
        ([table(["race"], a=500, b=0, c=5)], ["race"], {("a",), ("c",)}),  # and protects nothing
    ],
    ids=["two", "none", "three", "enough", "not_enough", "zero", "zero_beside"],
)
def test_a_small_group_takes_another_one_with_it(given, by, expected):
    assert hidden_in(given, by) == expected


def test_a_cell_of_two_features_is_no_difference_of_the_coarser_group_and_its_other_cells():
    fine = table(["sex", "race"], f_a=300, f_b=100, f_c=5, m_a=200, m_b=90, m_c=80)
    coarse = table(["sex"], f=405, m=370)
    assert hidden_in([fine, coarse], ["sex", "race"]) == {("f", "c"), ("f", "b")}
    other = table(["race"], a=500, b=190, c=85)
    assert hidden_in([fine, coarse, other], ["race", "sex"]) == {("c", "f"), ("b", "f"), ("c", "m"), ("b", "m")}


def test_a_small_group_of_a_coarser_table_is_no_sum_of_a_finer_one():
    tables = [table(["sex", "race"], f_a=5, f_b=0, m_a=200, m_b=90), table(["sex"], f=5, m=290)]
    assert ("f",) in hidden_in(tables, ["sex"])
    assert ("f", "a") in hidden_in(tables, ["sex", "race"])


def test_where_nothing_is_shown_nothing_is_hidden():
    found = hidden_cells([], BELOW)
    assert (dict(found.cells), found.total) == ({}, False)


def test_the_total_goes_where_it_is_the_small_group():
    assert hidden_cells([table(["sex"], f=5)], BELOW).total
    assert hidden_cells([table(["sex"], f=3, m=4)], BELOW).total
    assert hidden_cells([table(["race"], a=1, b=0, c=1)], BELOW).total
    assert not hidden_cells([table(["sex"], f=5, m=300)], BELOW).total


def test_features_of_very_many_cells_lose_whole_tables():
    many = {f"v{i}": 50 for i in range(60)}
    tables = [table([name], **(many | ({"v0": 3} if name == "a" else {}))) for name in "abc"]
    found = hidden_cells(tables, BELOW)
    assert len(found.of(["a"])) == 60
    assert not found.of(["b"])


def test_events_that_are_few_hide_a_group_as_few_samples_do():
    counts = np.array([[100, 100, 5, 100], [100, 100, 100, 100]])
    found = table_of(MeasuredGroups(("sex",), (("f",), ("m",)), counts))
    assert [name for name, column in found.counts.items() if is_small(column, BELOW).any()] == ["fn"]
    assert len(hidden_cells([found], BELOW).of(["sex"])) == 2


def test_a_metric_that_leaves_few_samples_out_hides_the_group():
    counts = np.full((2, 4), 100)
    values = MeanStatistics(np.array([395, 400]), np.zeros(2), np.ones(2), np.zeros(2))
    measured = {"own": Measured(values, np.array([395, 400]))}
    assert len(hidden_cells([table_of(MeasuredGroups(("sex",), (("f",), ("m",)), counts))], BELOW).of(["sex"])) == 0
    found = table_of(MeasuredGroups(("sex",), (("f",), ("m",)), counts, measured))
    assert len(hidden_cells([found], BELOW).of(["sex"])) == 2


def test_bins_are_details():
    n = np.full((2, 10), 30)
    bins = CalibrationStatistics(n, MeanStatistics(n.ravel(), np.zeros(20), np.ones(20), np.ones(20)))
    groups = MeasuredGroups(("sex",), (("f",), ("m",)), np.full((2, 4), 75), {"expected_calibration_error": bins})
    assert not small_details(groups, BELOW)
    bins.samples[0, 3] = 4
    assert small_details(groups, BELOW)


@st.composite
def populations(draw):
    """Draw the cells of two or three features, some small, and of which features tables are shown."""
    sizes = draw(st.lists(st.integers(2, 3), min_size=2, max_size=3))
    cells = list(itertools.product(*(range(n) for n in sizes)))
    some = st.one_of(st.integers(0, 12), st.integers(11, 60), st.just(0))
    samples = draw(st.lists(some, min_size=len(cells), max_size=len(cells)))
    subsets = [c for n in range(1, len(sizes) + 1) for c in itertools.combinations(range(len(sizes)), n)]
    tables = draw(st.lists(st.sampled_from(subsets), min_size=1, max_size=4, unique=True))
    return cells, np.array(samples), tables


@settings(max_examples=150)
@given(populations())
def test_no_sum_or_difference_of_what_is_shown_is_a_small_group(population):
    cells, samples, shown = population
    places = {
        by: {
            name: np.array([tuple(cell[i] for i in by) == name for cell in cells])
            for name in {tuple(cell[i] for i in by) for cell in cells}
        }
        for by in shown
    }
    counted = {by: {name: int(samples[where].sum()) for name, where in places[by].items()} for by in shown}
    features = {by: tuple(f"f{i}" for i in by) for by in shown}
    tables = [Table.of(features[by], {tuple(map(str, name)): n for name, n in counted[by].items()}) for by in shown]
    found = hidden_cells(tables, BELOW)
    gone = {by: {name for name in places[by] if found.holds(features[by], tuple(map(str, name)))} for by in shown}
    published = [places[by][name] for by in shown for name in places[by] if name not in gone[by]]
    unknown = np.ones(len(cells), dtype=bool)
    for cell in published:
        unknown &= ~cell | (samples[cell].sum() > 0)  # what is shown to be 0 is known
    attacker = Attacker(int(unknown.sum()), [cell[unknown] for cell in published], total=not found.total)
    for by in shown:
        small = {name for name, n in counted[by].items() if 0 < n < BELOW}
        assert small <= gone[by]
        assert not [name for name in small if attacker.knows(places[by][name][unknown])]
    # One step of subtraction, as a reader does it: the whole, or a group, less the groups within.
    wholes = [] if found.total else [np.ones(len(cells), dtype=bool)]
    for whole, by in itertools.product([*wholes, *published], shown):
        within = {name: where for name, where in places[by].items() if not (where & ~whole).any()}
        if sum(int(where.sum()) for where in within.values()) == whole.sum():
            assert not 0 < sum(counted[by][name] for name in within.keys() & gone[by]) < BELOW
