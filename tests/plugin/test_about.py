"""What a model and its data are: in the table, in JUnit, in the text of a failure; and `--fairness-device`."""

from __future__ import annotations

import pytest

from fairness_checks import CheckRecord, InvalidPredictions, Predictions, audit

MODELS = """
from fairness_checks import Predictions, fairness_model
from fairness_checks.sweep import DataSet, TrainableModel

ABOUT = {"data": "synthetic phantoms", "preset": "tiny"}
ERROR, SKIN = [0.9, 0.8, 0.95, 0.85, 0.7] * 40 + [0.1, 0.2, 0.3, 0.15, 0.12] * 40, ["dark"] * 200 + ["light"] * 200


@fairness_model
def images():
    return Predictions(error=ERROR, sensitive_features={"skin": SKIN}, about=ABOUT)


@fairness_model
def trained(fairness_device):
    def predict(fitted, test):
        return Predictions(error=test.features["error"], sensitive_features=test.sensitive_features)

    data = DataSet({"error": ERROR, "row": range(400)}, None, {"skin": SKIN})
    return TrainableModel(data, lambda train, rng: None, predict, "1", about={**ABOUT, "device": fairness_device})
"""
CHECK = "{metric: mean_absolute_error, by: skin, max_difference: 0.10}"
SWEEP = "{by: skin, mixes: {as_is: as_is}, repeats: 5, checks: [{metric: mean_absolute_error, gap: each_mix, max_difference: 0.1}]}"  # noqa: E501


@pytest.fixture
def gate(project):
    project.write("conftest.py", MODELS)
    project.write(
        "thresholds.yaml",
        f"version: 1\nmodels:\n  images: {{subgroups: [{CHECK}]}}\n"
        f"  trained:\n    subgroups: [{CHECK}]\n    sweep: {SWEEP}\n",
    )
    return project


def test_table_junit_and_failure_say_what_the_data_are(gate):
    result = gate.gate("--junitxml", "junit.xml", "--fairness-device", "cpu")
    result.stdout.fnmatch_lines(
        [
            "*About images: data: synthetic phantoms; preset: tiny.",
            "images",
            "images: data: synthetic phantoms; preset: tiny",
            "trained: data: synthetic phantoms; device: cpu; preset: tiny",
        ]
    )
    cases = gate.junit()
    assert len(cases) == 3
    for case in cases.values():
        found = gate.properties(case)
        assert found["fairness.about.data"] == "synthetic phantoms"
        assert CheckRecord.from_json(found["fairness.record"]).about["preset"] == "tiny"


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"Data set": "x"}, "name 'Data set'"),
        ({"data": 3}, "about\\['data'\\]: 3 must be text"),
        ({"data": " "}, "must be text that is not empty"),
    ],
)
def test_only_names_and_text_are_kept(about, message):
    with pytest.raises(InvalidPredictions, match=message):
        Predictions([0, 1], [0, 1], sensitive_features=["f", "m"], about=about)


def test_a_record_without_words_has_none():
    predictions = Predictions([0, 1] * 20, [0, 1] * 20, sensitive_features=["f", "m"] * 20)
    assert audit(predictions, metric="accuracy", max_difference=0.1).about == {}


def test_a_device_that_is_not_there_is_said_so(gate):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    result = gate.gate_in_subprocess("--fairness-device", "cuda")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*trained: device: 'cuda', but torch sees no CUDA device*"])
    assert gate.gate_in_subprocess("--fairness-device", "tpu").ret == pytest.ExitCode.USAGE_ERROR
