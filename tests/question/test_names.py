from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from fairness_checks.question.checks import Check
from fairness_checks.question.names import node_id, slug

AWKWARD = [
    "age band",
    "age_band",
    "age-band",
    "age+band",
    "a, b",
    "[a](b)",
    "Größe",
    "Große",
    "日本語",
    "日本国",
    "x" * 200,
    "x" * 201,
    "",
    " ",
    "and",
    "not",
    "Sex",
    "sex",
    "a/b\\c",
    "a::b",
    "'quoted\"",
    "new\nline",
    "\ud800",
]


@pytest.mark.parametrize("name", ["sex", "age_band", "A1", "_", "x" * 40, "None", "android"])
def test_a_plain_name_stays(name):
    assert slug(name) == name


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("Café au lait", "Cafe_au_lait__"),
        ("ﬁ", "fi__"),
        ("x" * 41, "x" * 28 + "__"),
        ("日本", "____"),
        ("and", "and__"),
    ],
)
def test_another_name_is_transliterated_cut_and_hashed(name, start):
    assert re.fullmatch(re.escape(start) + "[0-9a-f]{10}", slug(name))


def test_the_hash_is_that_of_the_true_name_on_every_machine():
    # sha256(b"age band"), from coreutils' sha256sum
    assert slug("age band") == "age_band__5af2a3aaea"


def test_names_that_differ_in_case_are_hashed_apart():
    assert slug("Age band").lower() != slug("age band")


def test_a_name_that_imitates_a_hashed_one_does_not_clash():
    assert slug(slug("age band")) != slug("age band")


@given(text=st.text())
@example(text="x" * 200)
def test_alphabet_and_length(text):
    assert re.fullmatch(r"[A-Za-z0-9_]{1,40}", slug(text))


NEARLY_EQUAL = st.text(alphabet="aAäÄ _-é\u0301e,", min_size=0, max_size=6)


@given(first=st.one_of(st.text(), NEARLY_EQUAL), second=st.one_of(st.text(), NEARLY_EQUAL))
@example(first="é", second="e\u0301")
@example(first="ﬁ", second="fi")
def test_different_names_get_different_slugs(first, second):
    assume(first != second)
    assert slug(first) != slug(second)


FEATURES = st.lists(st.one_of(st.sampled_from(AWKWARD[:12]), NEARLY_EQUAL), min_size=1, max_size=3, unique=True)
CHECKS = st.builds(
    Check,
    st.sampled_from(["false_negative_rate", "accuracy"]),
    FEATURES.map(tuple),
    st.sampled_from(["max_difference", "min_ratio", "max_value", "min_value"]),
    st.just(0.5),
)
QUESTIONS = st.lists(st.tuples(NEARLY_EQUAL, CHECKS), max_size=12, unique_by=lambda pair: (pair[0], pair[1].question))


@given(questions=QUESTIONS)
def test_node_ids_are_unique_and_ascii(questions):
    ids = [node_id(model, check) for model, check in questions]
    assert len(set(ids)) == len(questions)
    assert all(re.fullmatch(r"[A-Za-z0-9_+-]+", one) for one in ids)


@pytest.mark.parametrize(
    ("by", "kind", "expected"),
    [
        (("sex",), "max_difference", "sepsis_model-sex-false_negative_rate"),
        (("sex", "age_band"), "max_difference", "sepsis_model-sex+age_band-false_negative_rate"),
        (("sex",), "min_ratio", "sepsis_model-sex-false_negative_rate-min_ratio"),
        (("sex",), "max_value", "sepsis_model-sex-false_negative_rate-max_value"),
        (("sex",), "min_value", "sepsis_model-sex-false_negative_rate-min_value"),
    ],
)
def test_node_id(by, kind, expected):
    assert node_id("sepsis_model", Check("false_negative_rate", by, kind, 0.5)) == expected


@pytest.fixture
def select(pytester):
    """Collect one test for each awkward feature, and say which features a -k expression selects."""
    ids = [node_id("a model", Check("accuracy", (name, "age_band"), "max_difference", 0.1)) for name in AWKWARD[2:]]
    ids.append(node_id("sepsis_model", Check("false_negative_rate", ("sex", "age_band"), "min_ratio", 0.8)))
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.parametrize("one", {ids!r}, ids={ids!r})
        def test_subgroups(one):
            pass
        """
    )

    def selected(expression):
        _, hooks = pytester.inline_genitems("-k", expression, "-p", "no:cacheprovider")
        (finished,) = hooks.getcalls("pytest_collection_finish")
        return [item.callspec.params["one"] for item in finished.session.items]

    return ids, selected


def test_k_selects_each_check_alone(select):
    ids, selected = select
    assert len(ids) == len(set(ids))
    for one in ids:  # -k does not tell "Sex" from "sex"; a node id does
        assert selected(f"test_subgroups[{one}]") == [other for other in ids if other.lower() == one.lower()]
    assert len({one.lower() for one in ids}) == len(ids) - 1


def test_k_takes_the_words_of_an_id(select):
    ids, selected = select
    assert selected("age_band and false_negative_rate") == ids[-1:]
    assert selected("sex+age_band and min_ratio") == ids[-1:]
    assert selected("sepsis_model-sex+age_band-false_negative_rate-min_ratio") == ids[-1:]
    assert selected("a_model") == ids[:-1]


def test_names_and_configuration_load_no_numpy():
    code = (
        "import sys, fairness_checks.config.loading, fairness_checks.question.names;"
        "print([name for name in ('numpy', 'scipy', 'pytest') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
