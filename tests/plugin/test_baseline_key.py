"""Pseudonyms under pytest: with the key, without it, with another, and of a baseline that still has a salt."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from fairness_checks import CheckRecord
from fairness_checks.baseline.fingerprint import Pseudonyms
from fairness_checks.baseline.secret_key import VARIABLE

OLD = Path(__file__).parents[1] / "baseline" / "schema_1"
UPDATE = "--fairness-update-baseline"
ONE, OTHER = "0f" * 32, "a1" * 32


class Gate:
    def __init__(self, project, monkeypatch):
        monkeypatch.delenv(VARIABLE, raising=False)
        self.project = project
        self.file, self.key = project.path / "fairness-baseline.json", project.path / ".fairness-baseline.key"
        project.write("conftest.py", (OLD / "models.py").read_text(encoding="utf-8"))
        project.write("thresholds.yaml", (OLD / "thresholds.yaml").read_text(encoding="utf-8"))

    def run(self, *arguments):
        gate = self.project.gate_in_subprocess if "-n" in arguments else self.project.gate
        return gate("--junitxml=junit.xml", *arguments)

    def document(self):
        return json.loads(self.file.read_text(encoding="utf-8"))

    def refs(self):
        return {name: model["outcomes"] for name, model in self.document()["models"].items()}

    def pairing(self, model="sepsis_model"):
        case = self.project.junit()[f"test_regression[{model}-sex-false_negative_rate]"]
        record = CheckRecord.from_json(self.project.properties(case)["fairness.record"])
        return record.regression.paired, record.regression.pairing


@pytest.fixture
def gate(project, monkeypatch):
    return Gate(project, monkeypatch)


@pytest.fixture
def old(gate):
    """A baseline as version 0.1.0 wrote it, schema 1: with a salt, and ids hashed under it."""
    shutil.copy(OLD / "fairness-baseline.json", gate.file)
    shutil.copytree(OLD / "fairness-baseline", gate.file.with_suffix(""))
    return gate


@pytest.mark.parametrize("arguments", [(), ("-n", "2")])
def test_the_first_update_makes_a_key_and_says_so(gate, arguments):
    result = gate.run(UPDATE, *arguments)
    assert result.ret == 0
    (key,) = {ref["key"] for ref in gate.refs().values()}
    result.stdout.fnmatch_lines([f"*commit it. Its pseudonyms have a new key, {key}, in .fairness-baseline.key: *"])
    assert (gate.project.path / ".gitignore").read_text().splitlines() == [
        ".fairness-baseline.key",
        ".fairness-baseline.json.lock",
    ]
    assert gate.run(*arguments).ret == 0
    assert gate.pairing() == (True, "the same 120 samples as in the baseline")
    again = gate.run(UPDATE)
    again.stdout.fnmatch_lines(["fairness-baseline.json: 2 checks written; commit it"])
    assert {ref["key"] for ref in gate.refs().values()} == {key}


def test_without_the_key_comparisons_are_not_paired_and_the_record_says_why(gate):
    gate.run(UPDATE)
    (key,) = {ref["key"] for ref in gate.refs().values()}
    gate.key.unlink()
    gate.run()
    where = "$FAIRNESS_BASELINE_KEY or .fairness-baseline.key"
    assert gate.pairing() == (False, f"the key {key} of the baseline's pseudonyms is not here; give it by {where}")
    assert not gate.key.exists()


def test_without_the_key_nothing_is_updated_and_none_is_made(gate):
    gate.run(UPDATE)
    before = gate.file.read_bytes()
    gate.key.unlink()
    result = gate.run(UPDATE)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*its pseudonyms were made with the key *, which is not here. Give it as *"])
    assert gate.file.read_bytes() == before
    assert not gate.key.exists()


def test_another_key_is_not_taken_for_other_patients(gate, monkeypatch):
    monkeypatch.setenv(VARIABLE, ONE)
    assert gate.run(UPDATE).ret == 0
    (first,) = {ref["key"] for ref in gate.refs().values()}
    assert not gate.key.exists()
    monkeypatch.setenv(VARIABLE, OTHER)
    told = " ".join(gate.run().stdout.str().split())
    assert told.count("sepsis_model: not paired: the baseline's pseudonyms were made with the key ") == 1
    paired, why = gate.pairing()
    assert not paired
    assert why.startswith(f"the baseline's pseudonyms were made with the key {first}, and $FAIRNESS_BASELINE_KEY holds")
    result = gate.run(UPDATE)
    result.stdout.fnmatch_lines([f"*Its pseudonyms have another key now: *, was {first}"])
    gate.run()
    assert gate.pairing()[0]


def test_a_filtered_update_under_another_key_leaves_the_rest_under_its_own(gate, monkeypatch):
    monkeypatch.setenv(VARIABLE, ONE)
    gate.run(UPDATE)
    before = gate.refs()
    monkeypatch.setenv(VARIABLE, OTHER)
    gate.run(UPDATE, "-k", "stroke_model")
    assert gate.refs()["sepsis_model"] == before["sepsis_model"]
    assert gate.refs()["stroke_model"]["key"] != before["stroke_model"]["key"]
    gate.run()
    assert [gate.pairing(model)[0] for model in ("sepsis_model", "stroke_model")] == [False, True]


@pytest.mark.parametrize("text", ["", "short"])
def test_a_key_that_is_none_is_a_usage_error(gate, text):
    gate.run(UPDATE)
    gate.key.write_text(text)
    for arguments in ((), (UPDATE,)):
        result = gate.run(*arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*.fairness-baseline.key: holds *; a key is 64 hexadecimal digits*"])


def test_an_old_baseline_is_compared_with_as_before(old):
    before = old.file.read_bytes()
    assert old.run().ret == 0
    assert old.pairing() == (True, "the same 120 samples as in the baseline")
    assert old.file.read_bytes() == before
    assert not old.key.exists()


def test_an_old_baseline_is_written_anew_by_the_next_update(old):
    salted = {ref["sha256"] for ref in old.refs().values()}
    result = old.run(UPDATE)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*Its pseudonyms have a new key, *"])
    document = old.document()
    assert (document["schema"], "salt" in document) == (2, False)
    assert all(ref["key"] for ref in old.refs().values())
    assert not salted & {ref["sha256"] for ref in old.refs().values()}
    assert len(list(old.file.with_suffix("").iterdir())) == 2
    old.run()
    assert old.pairing() == (True, "the same 120 samples as in the baseline")


def test_the_salt_stays_until_the_last_outcomes_that_need_it_are_written_anew(old):
    salt = old.document()["salt"]
    old.run(UPDATE, "-k", "stroke_model")
    assert old.document()["salt"] == salt
    assert [bool(ref["key"]) for ref in old.refs().values()] == [False, True]
    old.run()
    assert [old.pairing(model)[0] for model in ("sepsis_model", "stroke_model")] == [True, True]
    old.run(UPDATE, "-k", "sepsis_model")
    assert "salt" not in old.document()


def test_ids_are_found_by_trying_under_a_salt_and_not_without_the_key(old):
    """1,000 to 1,119 are the ids of the old baseline; all that is committed is tried as a key."""

    def found(secrets):
        with np.load(old.project.path / old.refs()["sepsis_model"]["file"]) as arrays:
            stored = set(arrays["ids"].tolist())
        guesses = np.arange(5000).astype(str)
        return max(len(stored & set(Pseudonyms(secret).of(guesses).tolist())) for secret in secrets)

    assert found([bytes.fromhex(old.document()["salt"])]) == 120
    old.run(UPDATE)
    committed = [value for value in json.dumps(old.document()).split('"') if 8 <= len(value) <= 64]
    tried = [value.encode() for value in committed]
    tried += [bytes.fromhex(value) for value in committed if re.fullmatch("([0-9a-f]{2})+", value)]
    assert len(tried) > 20
    assert found(tried) == 0
