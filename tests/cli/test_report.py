"""`fairness-checks report`: which evidence is rendered, where it is written, and the exit codes."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest

from fairness_checks.cli.main import main
from fairness_checks.report.evidence import write_evidence
from fairness_checks.report.formats import FORMATS
from tests.report.sample_evidence import check, record, renamed
from tests.report.sample_evidence import evidence as sample


@pytest.fixture
def evidence():
    return sample(check(1, record(42)))


@pytest.fixture
def place(evidence, tmp_path):
    path = tmp_path / "out" / "evidence.json"
    path.parent.mkdir()
    path.write_text(write_evidence(evidence), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("given", ["file", "folder"])
def test_every_format_is_printed_or_written_the_same(place, tmp_path, capfd, name, given):
    path = place if given == "file" else place.parent
    assert main(["report", "--format", name, str(path)]) == 0
    printed = capfd.readouterr().out
    assert main(["report", "--format", name, str(path), "-o", str(tmp_path / "form")]) == 0
    assert (tmp_path / "form").read_bytes() == printed.encode()
    assert capfd.readouterr() == ("", "")


def test_formats_have_files_of_their_own_and_the_evidence_is_written_first():
    files = [form.file for form in FORMATS.values()]
    assert len(set(files)) == len(files)
    assert files[0] == "evidence.json"
    assert next(iter(FORMATS.values())).in_folder


@pytest.mark.parametrize("name", FORMATS)
def test_a_run_that_did_not_come_to_its_end_is_rendered_and_said(place, evidence, tmp_path, capsys, name):
    place.write_text(write_evidence(dataclasses.replace(evidence, complete=False, exit_code=1)), encoding="utf-8")
    assert main(["report", "--format", name, str(place), "-o", str(tmp_path / "form")]) == 1
    assert capsys.readouterr().err == (
        f"fairness-checks report: {place}: the run did not come to its end, and proves nothing\n"
    )
    assert (tmp_path / "form").stat().st_size


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_is_made_of_what_was_changed(place, tmp_path, capsys, name):
    plain = json.loads(place.read_text(encoding="utf-8")) | {"totals": {"pass": 3}}
    place.write_text(json.dumps(plain), encoding="utf-8")
    assert main(["report", "--format", name, str(place), "-o", str(tmp_path / "form")]) == 1
    assert capsys.readouterr().err.startswith(f"fairness-checks report: {place}: the file was changed after it was")
    assert not (tmp_path / "form").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file; write it with: pytest --fairness"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b"{", "not JSON"),
        (b"[]", "no evidence of a run"),
        (b'{"schema": 99, "models": []}', "schema: 99; this version reads schema 2"),
        (b'{"schema": 2, "models": []}', "complete: Field required"),
    ],
)
def test_what_cannot_be_read_is_one_line(place, tmp_path, capsys, content, said):
    place.unlink()
    if content is not None:
        place.write_bytes(content)
    assert main(["report", "--format", "json", str(place), "-o", str(tmp_path / "form")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"fairness-checks report: {place}: {said}")
    assert err.count("\n") == 1
    assert not (tmp_path / "form").exists()


def test_what_cannot_be_written_is_one_line_and_leaves_nothing(place, tmp_path, capsys):
    assert main(["report", "--format", "json", str(place), "-o", str(tmp_path / "no" / "form")]) == 2
    assert capsys.readouterr().err == (
        f"fairness-checks report: {tmp_path / 'no' / 'form'}: cannot be written: No such file or directory\n"
    )
    assert main(["report", "--format", "json", str(place), "-o", str(tmp_path)]) == 2
    assert "is a folder, not a regular file" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


@pytest.mark.parametrize("link", [None, "symlink_to", "hardlink_to"])
@pytest.mark.parametrize("over", ["evidence", "subject"])
def test_what_a_form_is_of_is_not_written_over(place, tmp_path, capsys, link, over):
    model = tmp_path / "model.onnx"
    model.write_bytes(b"weights")
    path = place if over == "evidence" else model
    before = path.read_bytes()
    if link is not None:
        getattr(tmp_path / "other", link)(path)
    output = path if link is None else tmp_path / "other"
    assert main(["report", "--format", "in-toto", str(place), "--subject", str(model), "-o", str(output)]) == 2
    assert f"{output}: would be written over" in capsys.readouterr().err
    assert path.read_bytes() == output.read_bytes() == before


def _of_record(**other):
    return lambda run: dataclasses.replace(
        run,
        models=(
            dataclasses.replace(
                run.models[0],
                checks=tuple(
                    dataclasses.replace(each, record=dataclasses.replace(each.record, **other))
                    for each in run.models[0].checks
                ),
            ),
        ),
    )


CONTRADICTIONS = {
    "a group that decides and is not there": _of_record(first=("nobody",)),
    "no groups": _of_record(groups=()),
    "no day": lambda run: dataclasses.replace(run, run=dataclasses.replace(run.run, day="some day")),
    "a rate beyond numbers": lambda run: _of_record(
        groups=tuple(dataclasses.replace(group, rate=1e308) for group in run.records[0].groups)
    )(run),
    "statistics that are not there": lambda run: dataclasses.replace(
        run,
        models=(
            dataclasses.replace(
                run.models[0],
                checks=tuple(dataclasses.replace(each, statistics="0" * 16) for each in run.models[0].checks),
            ),
        ),
    ),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("change", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_evidence_that_contradicts_itself_is_one_error_or_rendered(place, evidence, tmp_path, capsys, name, change):
    place.write_text(write_evidence(change(evidence)), encoding="utf-8")
    code = main(["report", "--format", name, str(place), "-o", str(tmp_path / "form")])
    said = capsys.readouterr().err
    assert (tmp_path / "form").exists() is (code == 0)
    assert said == "" if code == 0 else said.startswith(f"fairness-checks report: {place}: ") and said.count("\n") == 1


def test_contradictions_are_found_by_some_form(place, evidence, tmp_path, capsys):
    for change in CONTRADICTIONS.values():
        place.write_text(write_evidence(change(evidence)), encoding="utf-8")
        codes = [main(["report", "--format", name, str(place), "-o", str(tmp_path / "form")]) for name in FORMATS]
        assert 2 in codes
    assert "its parts contradict each other (" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--subject", "--subject goes with --format in-toto or cyclonedx"),
        ("--model", "--model goes with --format chai"),
    ],
)
def test_an_option_that_a_format_does_not_take_is_refused(place, capsys, option, said):
    with pytest.raises(SystemExit, match="2"):
        main(["report", "--format", "json", str(place), option, str(place)])
    assert said in capsys.readouterr().err


def test_subjects_are_named_with_their_sha256(place, tmp_path, capsys):
    model = tmp_path / "model.onnx"
    model.write_bytes(b"weights" * 300_000)
    assert main(["report", "--format", "in-toto", str(place), "--subject", str(model), "--subject", str(place)]) == 0
    subjects = json.loads(capsys.readouterr().out)["subject"]
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (place, model, place)]
    assert [each["name"] for each in subjects] == ["evidence.json", "model.onnx", place.as_posix()]
    assert [each["digest"] for each in subjects] == [{"sha256": digest} for digest in digests]
    assert main(["report", "--format", "in-toto", str(place), "--subject", str(tmp_path / "no")]) == 2
    assert f"--subject {tmp_path / 'no'}: cannot be read" in capsys.readouterr().err


def test_a_card_is_of_the_model_that_is_named(place, evidence, capsys):
    both = dataclasses.replace(evidence, models=(*evidence.models, *renamed(evidence, "stroke").models))
    place.write_text(write_evidence(both), encoding="utf-8")
    assert main(["report", "--format", "chai", str(place)]) == 2
    assert f"{place}: name one of its models with --model (allowed: sepsis, stroke)" in capsys.readouterr().err
    assert main(["report", "--format", "chai", str(place), "--model", "strok"]) == 2
    assert "no evidence of the model 'strok'; did you mean 'stroke'?" in capsys.readouterr().err
    assert main(["report", "--format", "chai", str(place), "--model", "stroke"]) == 0
    said = capsys.readouterr().out
    assert "<ModelName>stroke</ModelName>" in said
    assert "sepsis" not in said
