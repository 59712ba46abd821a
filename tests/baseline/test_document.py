"""The baseline's JSON: its text, and every way in which a file that is there is not one."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairness_checks.baseline.document import Baseline, GroupEntry, OutcomesRef
from fairness_checks.baseline.reading import parse_baseline, read_baseline
from fairness_checks.baseline.text import baseline_text
from fairness_checks.errors import BaselineError
from fairness_checks.question.question import Question

FINGERPRINT = "f" * 64
NAMES = st.text(min_size=1, max_size=6) | st.sampled_from(["sex", "a, b", "a + b", 'a" by "b', "x within y", "of"])
FLOATS = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@pytest.fixture
def baseline(make):
    ref = OutcomesRef(
        file="fairness-baseline/sepsis_model-0123456789ab.npz",
        samples=3,
        sha256="0" * 64,
        fingerprint=FINGERPRINT,
        key="0123456789abcdef",
    )
    entries = (make.entry(), make.entry(metric="accuracy", limit_kind="min_value", verdict="inconclusive"))
    return make.baseline(
        sepsis_model=make.model(*entries, outcomes=ref, data_fingerprint=FINGERPRINT), other=make.model()
    )


@pytest.fixture
def path(tmp_path, baseline):
    path = tmp_path / "fairness-baseline.json"
    path.write_text(baseline_text(baseline), encoding="utf-8")
    return path


def test_what_is_read_is_what_was_written(path, baseline):
    assert read_baseline(path) == baseline
    assert baseline_text(read_baseline(path)) == path.read_text(encoding="utf-8")


def test_a_missing_file_is_none(tmp_path):
    assert read_baseline(tmp_path / "fairness-baseline.json") is None


def test_the_text_reads_well(make):
    odd = make.entry(
        by=("größe\u202e",),
        groups=(GroupEntry(name=("weiß",), n=1, events=None, value=0.1 + 0.2, variance=None, df=None),),
    )
    text = baseline_text(make.baseline(sepsis_model=make.model(odd)))
    json.loads(text)
    assert text.endswith("}\n")
    assert '"n": 1, "name": ["weiß"], ' in text
    assert '"value": 0.30000000000000004, ' in text
    assert '"gr\\u00f6\\u00dfe\\u202e"' in text  # what would reorder the line is escaped
    lines = text.splitlines()
    assert max(map(len, lines)) < 200
    inside = [line.strip().split(":")[0] for line in lines if line.startswith(" " * 10 + '"')]
    assert inside == sorted(inside)


def test_a_changed_group_is_one_changed_line_and_the_checksum(make):
    entry = make.entry()
    other = replace(entry, groups=(replace(entry.groups[0], events=174), entry.groups[1]))
    before, after = (baseline_text(make.baseline(m=make.model(e))).splitlines() for e in (entry, other))
    assert len(before) == len(after)
    changed = [old for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 2
    assert changed[0].lstrip().startswith('"checksum"')
    assert "female" in changed[1]


@pytest.mark.slow
@given(
    model=NAMES,
    by=st.lists(NAMES, min_size=1, max_size=3).map(tuple),
    numbers=st.lists(FLOATS, min_size=4, max_size=4),
    held=st.none() | st.floats(-1e70, 1e70),
    of=st.sampled_from(["", "disparity", "worst_group", "each_group"]),
)
def test_any_content_comes_back(make, model, by, numbers, held, of):
    estimate, low, high, value = numbers
    variance = None if of or value is None else abs(value)
    group = GroupEntry(name=by, n=0, events=0, value=value, variance=variance, df=None)
    entry = make.entry(by=by, of=of, estimate=estimate, low=low, high=high, ratchet_limit=held, groups=(group,))
    baseline = make.baseline(**{model: make.model(entry)})
    assert parse_baseline(baseline_text(baseline), "b.json") == baseline


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64(0.5)], ids=["nan", "inf", "numpy"])
def test_what_is_no_plain_number_is_not_written(make, value):
    with pytest.raises(BaselineError, match=r"baseline\.models\.sepsis_model\.checks.*\.estimate: "):
        baseline_text(make.baseline(sepsis_model=make.model(make.entry(estimate=value))))


# --- keys


def test_keys_are_those_of_the_specification():
    known = {
        ("subgroups", "false_negative_rate", ("sex",), "max_difference"): (
            "subgroups: false_negative_rate by sex, max_difference"
        ),
        ("sweep", "accuracy", ("sex",), "max_slope", (), "each", "dependence"): (
            "sweep: accuracy by sex, dependence, max_slope"
        ),
        ("sweep", "accuracy", ("sex",), "min_reduction", (), "each", "change", "", "half, equal"): (
            'sweep: accuracy by sex, change under "half, equal", min_reduction'
        ),
        ("subgroups", "accuracy", ("sex", "age_band"), "min_value", ("ward", "site"), "each"): (
            "subgroups: accuracy by sex + age_band within ward + site, min_value"
        ),
    }
    for key, text in known.items():
        assert Question(*key).line == text


def test_a_comparison_with_the_baseline_has_its_own_key(make):
    texts = {make.entry(check="regression", of=of).question.line for of in ("disparity", "worst_group", "each_group")}
    assert "regression: false_negative_rate by sex, of disparity, max_difference" in texts
    assert len(texts) == 3


KEYS = st.builds(
    Question,
    st.sampled_from(["subgroups", "sweep"]),
    NAMES,
    st.lists(NAMES, min_size=1, max_size=3).map(tuple),
    st.sampled_from(["max_difference", "min_value"]),
    st.lists(NAMES, max_size=2).map(tuple),
    st.sampled_from(["each", "combined"]),
    st.sampled_from(["", "each_mix", "dependence"]),
    st.sampled_from(["", "disparity", "each_group"]),
)


@given(KEYS, KEYS)
def test_different_checks_have_different_keys(one, other):
    if not one.control_features:
        one = one._replace(strata="each")  # without strata there is nothing to combine
    if not other.control_features:
        other = other._replace(strata="each")
    assert (one.line == other.line) == (one == other)
    assert one.line.isprintable()


# --- files that are there, and are not a baseline


def refused(path, message):
    with pytest.raises(BaselineError, match=message) as caught:
        read_baseline(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_cut_short_at_every_50th_byte(path):
    content = path.read_bytes()
    for length in range(0, len(content) - 1, 50):  # the last byte is the newline
        path.write_bytes(content[:length])
        assert "restore the file with git" in refused(path, rf"{path.name}:\d+: not JSON at column \d+: ")


def test_a_number_that_was_edited_by_hand(path):
    text = path.read_text(encoding="utf-8")
    for before, after in [
        ('"limit": 0.05', '"limit": 0.06'),
        ('"events": 173', '"events": 172'),
        ('"verdict": "inconclusive"', '"verdict": "pass"'),
        ('"samples": 3', '"samples": 4'),
        ('"numpy": "2.4.6"', '"numpy": "2.4.7"'),
        ('"key": "01', '"key": "02'),
    ]:
        assert before in text
        path.write_text(text.replace(before, after, 1), encoding="utf-8")
        message = refused(path, "checksum: the content is not what was written: something was edited by hand")
        assert "pytest --fairness --fairness-update-baseline" in message
    path.write_text(text.replace("\n", "\r\n").replace("  ", " "), encoding="utf-8")
    assert read_baseline(path) is not None  # white space is no content


def test_a_newer_schema(path):
    text = path.read_text(encoding="utf-8").replace('"schema": 2', '"schema": 3')
    path.write_text(re.sub(r'"written_by": ".*"', '"written_by": "pytest-fairness 3.1.0", "x": 0', text))
    refused(
        path,
        r"schema: 3, written by pytest-fairness 3\.1\.0; this is pytest-fairness \S+, which reads schema 1 to 2",
    )


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            '"limit": 0.05',
            '"limit": 0.05, "limit": 0.06',
            r"the key 'limit' stands twice in one object \(found on lines",
        ),
        ('"schema":', '"models": {}, "schema":', "the key 'models' stands twice"),
        ('"limit": 0.05', '"limit": "0.05"', r"models\.other\.checks\..*\.limit: Input should be a valid number"),
        ('"n": 412', '"n": 412.0', r"groups\.0\.n: Input should be a valid integer"),
        ('"n": 412', '"n": true', r"groups\.0\.n: Input should be a valid integer"),
        ('"n": 412', '"n": -412', r"groups\.0\.n: Input should be greater than or equal to 0"),
        ('"events": 173', '"events": -1', r"groups\.0\.events: Input should be greater than or equal to 0"),
        ('"variance": 0.000112', '"variance": -1.0', "variance: Input should be greater than or equal to 0"),
        ('"df": 1315.0', '"df": 0.0', "df: Input should be greater than 0"),
        ('"limit": 0.05', '"limit": NaN', "not readable as JSON: NaN"),
        ('"limit": 0.05', '"limit": 1e999', "limit: Input should be a finite number"),
        ('"limit": 0.05', '"limit": 0.05, "note": 1', r"\.note: Unexpected keyword argument"),
        ('"schema":', '"note": 1, "schema":', "note: Unexpected keyword argument"),
        ('"verdict": "pass"', '"verdict": "passed"', r"\.verdict: Input should be 'pass'"),
        ('"schema":', '"salt": "0", "schema":', "salt: String should match pattern"),
        ('"key": "01', '"key": "0', "outcomes.key: String should match pattern"),
        ('"schema": 2', '"schema": "2"', "schema: Input should be a valid integer"),
        (',\n  "schema": 2', "", "schema: Field required"),
        ('"fairness-baseline/sepsis', '"../sepsis', r"outcomes\.file: String should match pattern"),
        ('"fairness-baseline/sepsis', '"/etc/sepsis', r"outcomes\.file: String should match pattern"),
        ('"fairness-baseline/sepsis', '"a/../sepsis', r"outcomes\.file: String should match pattern"),
    ],
    ids=range(21),
)
def test_what_else_is_refused(path, before, after, message):
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    assert "restore the file with git" in refused(path, message)


@pytest.mark.parametrize("marker", ["<<<<<<< HEAD", "=======", ">>>>>>> branch", "||||||| base"])
def test_a_merge_conflict(path, marker):
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:4], marker, *lines[4:]]), encoding="utf-8")
    message = refused(path, rf"{path.name}:5: a merge conflict is unresolved")
    assert "git checkout --ours" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"[]", "holds no JSON object"),
        (b"\xff\xfe{}", "not UTF-8 at byte 0"),
        (b"[" * 100_000, "not readable as JSON|not JSON"),
        (b'{"schema": ' + b"1" * 5000 + b"}", "not readable as JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
    ],
    ids=["empty", "list", "utf16", "deep", "long", "bom"],
)
def test_what_is_no_baseline_at_all(path, content, message):
    path.write_bytes(content)
    refused(path, message)


def test_a_folder_in_its_place(tmp_path):
    refused(tmp_path, "cannot be read")


def test_an_entry_under_another_key(make, path):
    entry = make.entry()
    model = replace(make.model(entry), checks={"subgroups: accuracy by sex, max_difference": entry})
    path.write_text(baseline_text(make.baseline(m=model)), encoding="utf-8")
    refused(path, "'subgroups: accuracy by sex, max_difference' holds 'subgroups: false_negative_rate by sex")


@pytest.mark.parametrize(
    ("names", "events", "message"),
    [
        ([("female",), ("female",)], 1, "twice, or is no group by"),
        ([("female", "old"), ("male",)], 1, "twice, or is no group by"),
        ([(), ("male",)], 1, "twice, or is no group by"),
        ([("female",), ("male",)], 10**9, "1000000000 events of 412"),
    ],
    ids=["twice", "too long", "nothing", "events"],
)
def test_groups_that_no_run_has_written(make, path, names, events, message):
    groups = [replace(group, name=name) for group, name in zip(make.entry().groups, names, strict=True)]
    groups[0] = replace(groups[0], events=events)
    entry = make.entry(groups=tuple(groups))
    path.write_text(baseline_text(make.baseline(m=make.model(entry))), encoding="utf-8")
    refused(path, message)


MOMENTS = {"value": 0.4, "variance": 0.01, "df": 411.0, "centre": 0.41, "third": 1e-4, "extra": (0.02, -0.02)}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        *(({name: None}, f"{name} missing beside the other moments") for name in list(MOMENTS)[:-1]),
        (dict.fromkeys(["variance", "df", "centre", "third"]), "variance and df and centre and third missing"),
        ({"value": 1.2}, "value: 1.2 is no value of the metric"),
        ({"centre": -0.1}, "centre: -0.1 is no value of the metric"),
        ({"variance": 1e300}, "variance or extra: larger than any metric has"),
        ({"extra": (1e200, -1e200)}, "variance or extra: larger than any metric has"),
        ({"third": -0.0011}, "third: -0.0011 is more than a variance of 0.01 allows"),
        ({"variance": 1e-300}, "third: 0.0001 is more than a variance of 1e-300 allows"),
    ],
)
def test_moments_that_no_samples_have(make, path, changed, message):
    known = [replace(group, **MOMENTS) for group in make.entry().groups]
    of = {"check": "regression", "of": "disparity", "limit_kind": "max_worsening"}
    nothing = replace(known[0], **dict.fromkeys(["variance", "df", "centre", "third"]), extra=())
    for groups in ([known[0], known[1]], [nothing, known[1]]):
        entry = make.entry(groups=tuple(groups), **of)
        path.write_text(baseline_text(make.baseline(m=make.model(entry))), encoding="utf-8")
        assert read_baseline(path).models["m"].checks[entry.question.line] == entry
    entry = make.entry(groups=(known[0], replace(known[1], **changed)), **of)
    path.write_text(baseline_text(make.baseline(m=make.model(entry))), encoding="utf-8")
    refused(path, re.escape(f"groups: ['male']: {message}"))
    entry = make.entry(groups=tuple(known), ratchet_limit=-1e80, **of)
    path.write_text(baseline_text(make.baseline(m=make.model(entry))), encoding="utf-8")
    refused(path, "ratchet_limit: -1e[+]80 is no value of a metric")


@pytest.mark.parametrize(("strata", "stratum"), [("each", ("east",)), ("combined", ())])
def test_groups_have_a_stratum_unless_they_are_standardised_over_them(make, path, strata, stratum):
    groups = tuple(replace(group, name=(*stratum, *group.name)) for group in make.entry().groups)
    for written, other in ((strata, None), ({"each": "combined", "combined": "each"}[strata], "is no group by")):
        entry = make.entry(groups=groups, control_features=("ward",), strata=written)
        path.write_text(baseline_text(make.baseline(m=make.model(entry))), encoding="utf-8")
        if other is None:
            assert read_baseline(path).models["m"].checks[entry.question.line] == entry
        else:
            refused(path, other)


def test_outcomes_of_other_samples(path, baseline):
    model = replace(baseline.models["sepsis_model"], data_fingerprint="e" * 64)
    path.write_text(baseline_text(Baseline(models={"m": model})), encoding="utf-8")
    refused(path, "outcomes are of other samples")


def test_outcomes_whose_pseudonyms_nothing_made(path, baseline):
    model = baseline.models["sepsis_model"]
    model = replace(model, outcomes=replace(model.outcomes, key=None))
    path.write_text(baseline_text(Baseline(models={"m": model})), encoding="utf-8")
    refused(path, "models.m: its outcomes have neither a key nor a salt")
    path.write_text(baseline_text(Baseline(salt="0" * 32, models={"m": model})), encoding="utf-8")
    assert read_baseline(path).models == {"m": model}


def test_a_baseline_that_is_no_file_is_one_error(tmp_path, odd_file):
    odd_file.put(tmp_path / "fairness-baseline.json")
    with pytest.raises(BaselineError, match=rf"fairness-baseline\.json: cannot be read: {odd_file.says}"):
        read_baseline(tmp_path / "fairness-baseline.json")
