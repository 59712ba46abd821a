"""The dermatology study, small: its protocol, what a killed study keeps, its numbers against plain loops."""

from __future__ import annotations

import csv
import dataclasses
import doctest
import errno
import hashlib
import io
import itertools
import json
import math
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from fairness_checks import Predictions, audit
from models import vgg_weights
from models.data.fitzpatrick17k_files import UnusableData
from models.data.images import LEVELS
from models.data.sources import DataUnavailable
from models.perceptual import perceptual_loss
from models.phantom.skin_phantom import skin_phantom
from models.skin import skin_images
from models.studies import (
    dermatology,
    dermatology_conditions,
    dermatology_data,
    dermatology_findings,
    dermatology_one,
    dermatology_protocol,
    dermatology_record,
    dermatology_report,
    dermatology_results,
    dermatology_standardised,
    dermatology_store,
    dermatology_training,
)
from models.studies.dermatology_conditions import FEWEST, condition_rows, distance_to_chance
from models.studies.dermatology_data import data_record, study_images
from models.studies.dermatology_protocol import fit_seed, images_per_test_set, split, training_rows
from models.studies.dermatology_record import StudyIncomplete, changes_of, preset_in_words
from models.studies.dermatology_report import write_report
from models.studies.dermatology_results import sweep_results
from models.studies.dermatology_standardised import standardised_rows
from models.studies.dermatology_store import load_study
from models.studies.dermatology_training import run_trainings
from models.train_vae import load_vae
from models.vae_config import MIXES, VAEConfig
from tests.studies.finished_study import TINY, keep

pytestmark = pytest.mark.usefixtures("no_photographs_and_no_weights")
TIMES = ("seconds", "cpu_seconds", "images_per_second", "sha256")  # the last is of the others too
TONES = np.array(["dark"] * 40 + ["light"] * 100)


def phantoms():
    return skin_phantom(44, 40, size=16, seed=3)


def arrays_of(path):
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def same_numbers(path, other):
    one, two = arrays_of(path), arrays_of(other)
    return one.keys() == two.keys() and all(
        np.array_equal(one[name], two[name], equal_nan=one[name].dtype.kind == "f") for name in one if name not in TIMES
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    keep(folder, phantoms())
    return folder


@pytest.fixture(scope="module")
def reported(study):
    pytest.importorskip("matplotlib")
    return write_report(study)


@pytest.mark.parametrize(
    "module",
    [
        dermatology_conditions,
        dermatology_data,
        dermatology_findings,
        dermatology_protocol,
        dermatology_record,
        dermatology_results,
        dermatology_standardised,
        dermatology_store,
    ],
)
def test_the_examples_are_true(module):
    tried = doctest.testmod(module)
    assert tried.failed == 0
    assert tried.attempted > 0


@pytest.mark.parametrize("repeat", range(4))
def test_test_images_never_train_and_none_tests_twice(repeat):
    drawn = split(TONES, 13, seed=5, repeat=repeat)
    assert [set(TONES[rows]) for rows in drawn.test] == [{"light"}, {"dark"}]
    assert len(set(drawn.test.ravel().tolist())) == 26
    for mix in MIXES:
        rows = training_rows(drawn, mix, 400, seed=5, repeat=repeat)
        assert not set(rows.tolist()) & set(drawn.test.ravel().tolist())
    everything = np.concatenate([*drawn.test, *drawn.pools])
    assert sorted(everything.tolist()) == list(range(len(TONES)))


def test_mixes_have_the_shares_of_the_study_and_draw_with_replacement():
    drawn = split(TONES, 13, seed=0, repeat=0)
    for mix, dark in (("A", 0), ("B", 834), ("C", 1668)):
        rows = training_rows(drawn, mix, 1668, seed=0, repeat=0)
        assert Counter(TONES[rows].tolist()) == Counter({"light": 1668 - dark, "dark": dark})
    # 1,668 draws with replacement from 27: each about 62 times, and no image without a draw but by a 10^-26 chance.
    times = np.bincount(training_rows(drawn, "C", 1668, seed=0, repeat=0), minlength=len(TONES))[drawn.pools[1]]
    assert stats.chisquare(times).pvalue > 1e-4
    few = training_rows(drawn, "A", 20, seed=0, repeat=0)  # from 87: without replacement there would be 20
    assert any(len(set(training_rows(drawn, "A", 20, 0, r).tolist())) < 20 for r in range(5))
    assert len(few) == 20


def test_draws_differ_between_repeats_mixes_and_seeds_and_are_the_same_again():
    def draws(seed, repeat):
        drawn = split(TONES, 13, seed, repeat)
        return drawn.test.tolist(), *(training_rows(drawn, mix, 30, seed, repeat).tolist() for mix in MIXES)

    told = [draws(seed, repeat) for seed, repeat in itertools.product(range(2), range(3))]
    assert told == [draws(seed, repeat) for seed, repeat in itertools.product(range(2), range(3))]
    for part in zip(*told, strict=True):
        assert len({str(rows) for rows in part}) == 6
    seeds = {fit_seed(mix, seed, repeat) for mix in MIXES for seed in range(2) for repeat in range(3)}
    assert len(seeds) == 18


def test_a_third_of_the_smaller_group_tests_at_most():
    assert images_per_test_set(TONES, 12) == 12
    assert images_per_test_set(TONES, 500) == 13
    with pytest.raises(ValueError, match="3 images of dark skin: at least 6"):
        images_per_test_set(np.array(["light"] * 50 + ["dark"] * 3), 12)


def test_every_mix_of_a_repeat_has_the_same_test_images_and_its_own_training_images(study):
    files = json.loads((study / "study.json").read_text())["trainings"]
    assert len(files) == 9
    tones = phantoms().skin_tone
    for repeat in range(3):
        expected = split(tones, 12, seed=0, repeat=repeat)
        for item in (item for item in files if item["repeat"] == repeat):
            arrays = arrays_of(study / item["file"])
            assert np.array_equal(arrays["test"], expected.test)
            rows = training_rows(expected, item["mix"], 20, seed=0, repeat=repeat)
            assert arrays["trained"].tolist() == [(tones[rows] == tone).sum() for tone in ("light", "dark")]
            assert arrays["distinct"].sum() == len(set(rows.tolist()))
            assert arrays["images_per_second"] > 0


def test_a_file_holds_what_training_and_measuring_by_hand_give(study):
    from models.train_vae import measure_images, train_vae

    images = phantoms()
    drawn = split(images.skin_tone, 12, seed=0, repeat=1)
    rows = training_rows(drawn, "B", 20, seed=0, repeat=1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        trained = train_vae(images.pixels[rows], TINY, seed=fit_seed("B", 0, 1), device="cpu")
        found = measure_images(trained.vae, images.pixels[drawn.test.ravel()], device="cpu")
    finally:
        torch.set_num_threads(threads)
    (path,) = (study / "trainings").glob("B-01-*.npz")
    for name in dermatology_store.MEASURES:
        assert np.array_equal(arrays_of(path)[name], getattr(found, name), equal_nan=True), name


def test_processes_change_no_number(study, tmp_path):
    done = keep(tmp_path, phantoms(), dataclasses.replace(TINY, repeats=1), jobs=2)
    assert done.trained == 3
    for path in done.files.values():
        assert same_numbers(path, study / "trainings" / path.name)


def test_a_killed_study_goes_on_and_a_whole_one_trains_nothing(study, tmp_path, monkeypatch):
    images, measured = phantoms(), dermatology_training.measured
    started = []

    def killed(setup, task, loss):
        started.append(task)
        if len(started) == 3:
            raise KeyboardInterrupt
        return measured(setup, task, loss)

    monkeypatch.setattr(dermatology_training, "measured", killed)
    with pytest.raises(KeyboardInterrupt):
        keep(tmp_path, images)
    with pytest.raises(StudyIncomplete, match="not measured to its end"):
        load_study(tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "trainings").iterdir()}
    assert len(before) == 2
    monkeypatch.setattr(dermatology_training, "measured", measured)
    steps = []
    assert keep(tmp_path, images, progress=lambda *told: steps.append(told[:2])).trained == 7
    assert steps == [(done, 9) for done in range(2, 10)]
    for name, content in before.items():
        assert (tmp_path / "trainings" / name).read_bytes() == content
    assert all(same_numbers(path, study / "trainings" / path.name) for path in (tmp_path / "trainings").iterdir())
    monkeypatch.setattr(dermatology_training, "measured", None)  # nothing is trained
    assert keep(tmp_path, images).trained == 0


def test_networks_that_are_asked_for_later_cost_no_measurement(study, tmp_path, monkeypatch):
    folder = tmp_path / "study"
    shutil.copytree(study, folder)
    before = {path.name: path.read_bytes() for path in (folder / "trainings").iterdir()}

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(dermatology_training, "measured", killed)
    steps = []
    with pytest.raises(KeyboardInterrupt):
        keep(folder, phantoms(), keep_networks=True, progress=lambda *told: steps.append(told[:2]))
    assert steps == [(0, 9)]
    assert {path.name: path.read_bytes() for path in (folder / "trainings").glob("*.npz")} == before
    assert load_study(folder).repeats == 3


class Deadly:
    """Ends the process that reads it from a pipe."""

    def __reduce__(self):
        return os._exit, (9,)


def test_a_killed_process_is_told_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(dermatology_training, "_work", Deadly())
    with pytest.raises(StudyIncomplete, match=r"a process that trained was killed, perhaps.*with --jobs 1"):
        run_trainings(phantoms(), TINY, tmp_path, device="cpu", jobs=2)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "of another training", "edited"])
def test_a_damaged_file_is_trained_again(study, tmp_path, damage):
    config = dataclasses.replace(TINY, repeats=1)
    first = keep(tmp_path, phantoms(), config)
    path, other = first.files["A", 0], first.files["C", 0]
    content = path.read_bytes()
    middle = content.index(b"mse.npy") + 200
    edited = io.BytesIO()  # a sound archive of other numbers
    np.savez(edited, **{name: values / 2 if name == "mse" else values for name, values in arrays_of(path).items()})
    path.write_bytes(
        {
            "cut": content[:-100],
            "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "empty": b"",
            "of another training": other.read_bytes(),
            "edited": edited.getvalue(),
        }[damage]
    )
    with pytest.raises(StudyIncomplete, match="missing or damaged"):
        load_study(tmp_path)
    untouched = other.read_bytes()
    assert keep(tmp_path, phantoms(), config).trained == 1
    assert same_numbers(path, study / "trainings" / path.name)
    assert other.read_bytes() == untouched


def forged(folder, at, **changed):
    """Put other arrays in the place of a training, as if they had been measured."""
    record = json.loads((folder / "study.json").read_text())
    path = folder / record["trainings"][at]["file"]
    arrays = arrays_of(path) | changed
    dermatology_store.write_arrays(path, str(arrays.pop("key")), {n: v for n, v in arrays.items() if n != "sha256"})
    record["trainings"][at]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "study.json").write_text(json.dumps(record))
    return path


@pytest.mark.parametrize("name", ["mse", "latent_sd", "feature_error"])
def test_a_measure_of_some_images_alone_is_told_and_drops_no_finding(study, tmp_path, name):
    shutil.copytree(study, tmp_path, dirs_exist_ok=True)
    values = np.full(24, np.nan) if name == "feature_error" else np.full(24, 0.1)
    assert forged(tmp_path, 4, **{name: values}).is_file()
    assert load_study(tmp_path).repeats == 3
    values[5] = 0.1 if name == "feature_error" else np.nan
    path = forged(tmp_path, 4, **{name: values})
    with pytest.raises(StudyIncomplete, match=rf"{path}: {name} is NaN or infinite of \d+ of 24 images; remove"):
        load_study(tmp_path)
    path.unlink()
    assert keep(tmp_path, phantoms()).trained == 1
    assert load_study(tmp_path).repeats == 3


@pytest.mark.parametrize(
    ("what", "pair", "message"),
    [
        ("repeat", (("B", 0), ("B", 1)), "trainings of other test images than its own"),
        ("mix", (("A", 1), ("C", 1)), "trainings of another mix called A"),
        ("mix", (("B", 2), ("C", 2)), "trainings of another mix called B"),
    ],
)
def test_a_record_whose_trainings_are_exchanged_is_told(study, tmp_path, what, pair, message):
    shutil.copytree(study, tmp_path, dirs_exist_ok=True)
    record = json.loads((study / "study.json").read_text())
    one, other = (item for item in record["trainings"] if (item["mix"], item["repeat"]) in pair)
    one[what], other[what] = other[what], one[what]
    (tmp_path / "study.json").write_text(json.dumps(record))
    with pytest.raises(StudyIncomplete, match=message):
        load_study(tmp_path)


def test_a_mix_that_stands_for_two_is_told(study, tmp_path):
    shutil.copytree(study, tmp_path, dirs_exist_ok=True)
    record = json.loads((study / "study.json").read_text())
    of = {(item["mix"], item["repeat"]): item for item in record["trainings"]}
    for repeat in range(3):
        of["B", repeat] |= {name: of["A", repeat][name] for name in ("file", "sha256")}
    (tmp_path / "study.json").write_text(json.dumps(record))
    with pytest.raises(StudyIncomplete, match="trainings of another mix called B"):
        load_study(tmp_path)


def test_pages_of_another_study_do_not_stay_beside_this_one(tmp_path, monkeypatch):
    monkeypatch.setattr(dermatology_report, "_draw", lambda *_: None)
    config = dataclasses.replace(TINY, repeats=2)
    keep(tmp_path, phantoms(), config)
    write_report(tmp_path)
    reported = {path.name for path in tmp_path.iterdir() if path.suffix in (".csv", ".md")}
    drawn = {"boxes.png", "conditions.png", "prevalence.png", "reconstructions.png", "scatter.png"}
    others = {"labels.md", "labels_agreement.csv", "labels_gaps.csv", "uncertainties.md", "uncertainties-A.csv"}
    of_nobody = {"planted.csv", "notes.md", "mine.png"}
    for name in drawn | others | of_nobody:
        (tmp_path / name).write_text("")

    def there():
        return {path.name for path in tmp_path.iterdir()} - {"trainings", "study.json", "labels.npz"}

    record = json.loads((tmp_path / "study.json").read_text())
    record["data"]["source"] += ", by another name"
    (tmp_path / "study.json").write_text(json.dumps(record))
    next((tmp_path / "trainings").glob("C-01-*")).unlink()
    assert keep(tmp_path, phantoms(), config).trained == 1  # the same study, whatever the times
    assert there() == reported | drawn | others | of_nobody
    keep(tmp_path, phantoms(), TINY)
    assert there() == of_nobody


def test_what_a_training_depends_on_names_its_file(study, tmp_path):
    def names(images=None, seed=0, **changes):
        config = dataclasses.replace(TINY, repeats=1, **changes)
        setup = dermatology_training.Setup(None, None, True, config, 12, seed, "cpu")
        networks = dermatology_one.Vgg(None, None)
        tasks = dermatology_training._tasks(setup, images or phantoms().fingerprint(), networks, tmp_path)
        return {task.path.name for task in tasks}

    stored = {path.name for path in (study / "trainings").iterdir()}
    assert names() <= stored  # of fewer repeats: nothing is trained again
    assert not names(seed=1) & stored
    assert not names(images="other") & stored
    assert not names(epochs=2) & stored
    assert not names(train_images=21) & stored


def test_a_study_of_one_precision_does_not_go_on_in_another(tmp_path, monkeypatch):
    """GPUs that lack bfloat16 take float32 where the configuration says auto."""

    def dependence(device, *, native, **changes):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
        config = dataclasses.replace(TINY, repeats=1, **changes)
        setup = dermatology_training.Setup(None, None, True, config, 12, 0, device)
        first, *_ = dermatology_training._tasks(setup, "images", dermatology_one.Vgg(None, None), tmp_path)
        known = json.loads(first.key)
        del known["code"]  # of which the function put in place here is a part
        return known

    assert dependence("cuda", native=True) != dependence("cuda", native=False)
    assert dependence("cpu", native=True) == dependence("cpu", native=False)
    asked = [dependence("cuda", native=native, precision="float32") for native in (True, False)]
    assert asked[0] == asked[1]


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def plain_measurements(folder):
    """Read the files without the study's code: {(mix, repeat): {name: array}}."""
    trainings = json.loads((folder / "study.json").read_text())["trainings"]
    return {(item["mix"], item["repeat"]): arrays_of(folder / item["file"]) for item in trainings}


def mean_of(values):
    return math.fsum(float(value) for value in values) / len(values)


def corrected(values, smaller, tested):
    """Nadeau and Bengio's 95 % interval, written out."""
    count, mean = len(values), mean_of(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    half = stats.t.ppf(0.975, count - 1) * math.sqrt(variance * (1 / count + tested / (smaller - tested)))
    return mean - half, mean + half


@pytest.mark.usefixtures("reported")
def test_the_report_has_the_numbers_that_plain_loops_give(study):
    plain = plain_measurements(study)
    where = {"light": slice(0, 12), "dark": slice(12, 24)}

    def mean(name, mix, repeat, tone):
        return mean_of(plain[mix, repeat][name][where[tone]])

    for row in rows_of(study / "mse_by_mix.csv"):
        for name in ("mse", "mse_less_colour", "tone_shift", "latent_sd", "kl"):
            expected = [mean(name, row["mix"], repeat, row["skin_tone"]) for repeat in range(3)]
            assert float(row[name]) == pytest.approx(mean_of(expected), rel=1e-5)
            assert float(row[f"{name}_sd"]) == pytest.approx(np.std(expected, ddof=1), rel=1e-4)
    cases = {"A": "AA", "B": "BB", "C": "CC", "worst case (dark A, light C)": "AC", "best case (dark C, light A)": "CA"}
    rows = rows_of(study / "gaps.csv")
    assert len(rows) == 15  # no feature error: no pre-trained network is needed here
    for row in rows:
        dark, light = cases[row["case"]]
        gaps = [mean(row["value"], dark, r, "dark") - mean(row["value"], light, r, "light") for r in range(3)]
        low, high = corrected(gaps, smaller=40, tested=12)
        assert float(row["gap"]) == pytest.approx(mean_of(gaps), rel=1e-4)
        assert (float(row["low"]), float(row["high"])) == pytest.approx((low, high), rel=1e-4)
    for row in rows_of(study / "slopes.csv"):
        share = {"A": 0.0, "B": 0.5, "C": 1.0} if row["skin_tone"] == "dark" else {"A": 1.0, "B": 0.5, "C": 0.0}
        slopes = [
            np.polyfit(list(share.values()), [mean(row["value"], mix, r, row["skin_tone"]) for mix in share], 1)[0]
            for r in range(3)
        ]
        assert float(row["slope"]) == pytest.approx(mean_of(slopes), rel=1e-4)
        none, everything = (next(mix for mix in share if share[mix] == at) for at in (0.0, 1.0))
        lower = [
            mean(row["value"], everything, r, row["skin_tone"]) < mean(row["value"], none, r, row["skin_tone"])
            for r in range(3)
        ]
        assert int(row["lower_in"]) == sum(lower)
    for row in rows_of(study / "tones.csv"):
        shifts = [
            mean("tone_shift", "A", r, row["skin_tone"]) - mean("tone_shift", "C", r, row["skin_tone"])
            for r in range(3)
        ]
        assert float(row["shift"]) == pytest.approx(mean_of(shifts), rel=1e-4, abs=1e-6)
        assert (float(row["low"]), float(row["high"])) == pytest.approx(corrected(shifts, 40, 12), rel=1e-3)
        assert int(row["lighter_in"]) == sum(shift > 0 for shift in shifts)
    for row in rows_of(study / "uncertainty.csv"):
        for name, column in ((row["value"], "error_auc"), ("latent_sd", "uncertainty_auc")):
            areas = []
            for repeat in range(3):
                values = plain[row["mix"], repeat][name]
                pairs = itertools.product(values[where["dark"]], values[where["light"]])
                areas.append(mean_of([(dark > light) + 0.5 * (dark == light) for dark, light in pairs]))
            assert float(row[column]) == pytest.approx(mean_of(areas), rel=1e-5)


def test_the_verdicts_are_those_of_the_same_numbers(study):
    found = load_study(study)
    plain = plain_measurements(study)
    results = sweep_results(found)
    records = {(r.metric, r.sweep.gap): r for r in dermatology_results.verdicts(found, results)}
    gaps = {
        mix: mean_of([plain[mix, r]["mse"][12:].mean() - plain[mix, r]["mse"][:12].mean() for r in range(3)])
        for mix in MIXES
    }
    balanced = records["mean_squared_error", "equal_representation"]
    assert balanced.estimate == pytest.approx(abs(gaps["B"]), rel=1e-5)
    assert balanced.sweep.test_train_ratio == pytest.approx(12 / 28)  # of the 40 dark images, not of all 84
    shown = records["mean_squared_error", "each_mix"]
    assert shown.estimate == pytest.approx(abs(gaps[shown.sweep.first_mix]), rel=1e-5)
    assert {r.groups["light"].train for r in results.of("B", "all")} == {10}
    assert {r.groups["dark"].real for r in results.of("A", "all")} == {0}
    assert len(records) == len(dermatology_results.CHECKS)


def test_conditions_are_counted_and_averaged_by_image(study):
    images, plain = phantoms(), plain_measurements(study)
    expected = {}
    for mix in MIXES:
        of_image = {}
        for repeat in range(3):
            arrays = plain[mix, repeat]
            for image, value in zip(arrays["test"].ravel().tolist(), arrays["mse"].tolist(), strict=True):
                of_image.setdefault(image, []).append(value)
        for image, values in of_image.items():
            key = (str(images.conditions[LEVELS[-1]][image]), mix, str(images.skin_tone[image]))
            expected.setdefault(key, []).append(mean_of(values))
    rows = condition_rows(load_study(study))
    both = {key[:2] for key in expected} & {(c, m) for c, m, t in expected if (c, m, "light") in expected}
    both = {pair for pair in both if (*pair, "dark") in expected and (*pair, "light") in expected}
    assert {(row.condition, row.mix) for row in rows.itertuples()} == both
    for row in rows.itertuples():
        light, dark = (expected[row.condition, row.mix, tone] for tone in ("light", "dark"))
        assert (row.light, row.dark) == (len(light), len(dark))
        assert (row.mse_light, row.mse_dark) == pytest.approx((mean_of(light), mean_of(dark)), rel=1e-6)
        assert row.shown == (min(len(light), len(dark)) >= FEWEST)
    prevalence = dermatology_conditions.prevalence_rows(load_study(study))
    for level, name in dermatology_conditions.LEVEL_NAMES.items():
        counted = Counter(zip(images.conditions[level].tolist(), images.skin_tone.tolist(), strict=True))
        part = prevalence[prevalence["level"] == name]
        assert {(row.label, row.light, row.dark) for row in part.itertuples()} == {
            (label, counted[label, "light"], counted[label, "dark"]) for label, _ in counted
        }


def test_chance_is_that_of_shuffled_labels():
    light, dark = [30, 10, 5, 3, 2], [8, 9, 1, 1, 6]
    labels = np.repeat(np.tile(np.arange(5), 2), [*light, *dark])
    is_dark = np.arange(len(labels)) >= sum(light)
    rng = np.random.default_rng(8)
    drawn = []
    for _ in range(3000):
        shuffled = rng.permutation(labels)
        shares = [np.bincount(shuffled[side], minlength=5) / side.sum() for side in (is_dark, ~is_dark)]
        drawn.append(0.5 * np.abs(shares[0] - shares[1]).sum())
    found = distance_to_chance(light, dark)
    assert found.distance == pytest.approx(0.5 * np.abs(np.divide(light, 50) - np.divide(dark, 25)).sum())
    error = np.std(drawn) * math.sqrt(1 / 3000 + 1 / 2000)
    assert abs(found.by_chance - np.mean(drawn)) < 4 * error
    assert abs(found.p - np.mean(np.array(drawn) >= found.distance - 1e-12)) < 0.02


def planted(dark_error=1.0, dark_latent=0.0, darker=0.01):
    """Measurements that show every finding, unless told otherwise."""
    rng = np.random.default_rng(1)
    level = {("A", 0): 0.010, ("B", 0): 0.015, ("C", 0): 0.025, ("A", 1): 0.035, ("B", 1): 0.022, ("C", 1): 0.018}
    mse = np.array([[[level[mix, g] * (dark_error if g else 1.0) for g in range(2)]] * 4 for mix in MIXES])
    mse = mse[..., None] * rng.normal(1, 0.02, (3, 4, 2, 30))
    latent = np.array([0.9, 0.8, 0.7])[:, None, None, None] + rng.normal(0, 0.02, (3, 4, 2, 30))
    latent[:, :, 1] += dark_latent
    tones = np.repeat(["light", "dark"], [300, 150])
    fine = np.where(tones == "light", np.arange(450) % 5, np.arange(450) % 2).astype(str)
    rows = np.arange(120).reshape(4, 1, 30)
    return dermatology_store.Measurements(
        record={"seed": 0, "data": {"synthetic": True, "source": "planted"}},
        tones=tones,
        conditions={LEVELS[0]: np.array(["x"] * 450), LEVELS[1]: np.array(["x"] * 450), LEVELS[2]: fine},
        mixes=tuple(MIXES),
        test=np.concatenate([rows, 300 + rows], axis=1),
        mse=mse,
        mse_less_colour=0.6 * mse,
        feature_error=200 * mse,
        tone_shift=rng.normal(0, 0.001, mse.shape) - darker * np.arange(3)[:, None, None, None],
        latent_sd=latent,
        kl=np.ones_like(mse),
        trained=np.full((3, 4, 2), 50),
        distinct=np.full((3, 4, 2), 40),
        seconds=np.ones((3, 4)),
        images_per_second=np.ones((3, 4)),
        cpu_seconds=np.ones((3, 4)),
        devices=("cpu",),
        precisions=("float32",),
        examples={},
    )


def verdicts_of(found):
    from models.studies.dermatology_report import study_tables

    return {(item.name, item.measure): item.verdict for item in dermatology_findings.findings(study_tables(found))}


def met(found):
    return {key: verdict == "met" for key, verdict in verdicts_of(found).items()}


def test_findings_are_met_where_they_were_planted_and_not_elsewhere():
    every = met(planted())
    of_errors = {"2 light", "2 dark", "3a", "3b", "3c", "4c"}
    assert {name for name, _ in every} == of_errors | {"1", "4a", "4b", "5a", "5b", "6 dark", "6 light"}
    assert {measure for name, measure in every if name in of_errors} == set(dermatology_results.ERRORS.values())
    assert len(every) == 3 * len(of_errors) + 7
    assert {name for name, is_met in every.items() if not is_met} == set()

    def not_met(found):
        return {name for (name, _), is_met in met(found).items() if not is_met}

    easier = met(planted(dark_error=0.5))  # now dark skin is the easier one
    assert not any(easier[name, of] for name, of in easier if name in ("3a", "3b", "3c", "4c"))
    verdicts = verdicts_of(planted(dark_error=0.5))
    assert {verdicts[name, of] for name, of in verdicts if name in ("3a", "3b", "3c", "4c")} == {"contradicted"}
    assert {verdicts_of(planted(darker=0.0))[f"6 {tone}", "shift of the tone"] for tone in ("light", "dark")} == {
        "not settled"
    }
    assert verdicts_of(planted(dark_latent=0.2))["4b", "latent SD"] == "contradicted"
    assert not_met(planted(dark_latent=0.2)) == {"4b", "4c"}
    assert "1" in not_met(planted(dark_error=3.0))
    assert not_met(planted(darker=0.0)) == {"6 dark", "6 light"}


def test_a_measure_that_was_not_taken_is_left_out_and_not_met():
    found = dataclasses.replace(planted(), feature_error=np.full((3, 4, 2, 30), np.nan))
    assert "feature error" not in {measure for _, measure in met(found)}
    assert dermatology_results.errors_of(found) == ("mse", "mse_less_colour")


def test_phantoms_are_shown_and_the_report_is_the_same_again(study, reported):
    before = {path.name: path.read_bytes() for path in study.iterdir() if path.is_file()}
    assert {"report.md", "mse_by_mix.csv", "conditions.csv", "prevalence.csv", "verdicts.csv"} <= set(before)
    assert {"boxes.png", "prevalence.png", "conditions.png", "scatter.png", "reconstructions.png"} <= set(before)
    text = before["report.md"].decode()
    assert "**Generated images, no photographs.**" in text
    assert "ratio 0.43" in text
    assert all(line.partition(": ")[2] in text for line in reported if not line.startswith("finding"))
    assert write_report(study) == reported
    assert {path.name: path.read_bytes() for path in study.iterdir() if path.is_file()} == before
    found = load_study(study)
    assert np.array_equal(found.examples["original"], phantoms().pixels[found.test[0][:, :6]])


def test_of_photographs_no_picture_is_kept(tmp_path):
    pytest.importorskip("matplotlib")
    photographs = dataclasses.replace(phantoms(), synthetic=False, name="photographs", source="a test")
    keep(tmp_path, photographs, dataclasses.replace(TINY, repeats=2))
    write_report(tmp_path)
    pictures = {path.name for path in tmp_path.rglob("*") if path.suffix not in (".csv", ".md", ".json", ".npz")}
    assert pictures == {"trainings", "boxes.png", "prevalence.png", "conditions.png", "scatter.png"}
    for path in tmp_path.rglob("*.npz"):
        for name, values in arrays_of(path).items():
            assert values.dtype != np.uint8, name
            assert values.ndim < 3, name  # no image has fewer axes
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert not any(name.encode() in content for name in photographs.ids.tolist())
    text = (tmp_path / "report.md").read_text()
    assert "No picture of a photograph" in text
    assert "reconstructions.png" not in text


def test_groups_without_a_condition_in_common_are_reported(tmp_path):
    pytest.importorskip("matplotlib")
    images = phantoms()
    labels = np.where(images.skin_tone == "light", "$x^$ of light", "$}")  # no formulas
    images = dataclasses.replace(images, conditions=dict.fromkeys(LEVELS, labels))
    keep(tmp_path, images, dataclasses.replace(TINY, repeats=2))
    told = "\n".join(write_report(tmp_path))
    assert "finding 5b, pixel error, not settled: 0 conditions: none to compare" in told
    assert rows_of(tmp_path / "conditions.csv") == []
    assert {row["gap"] for row in rows_of(tmp_path / "within_conditions.csv")} == {""}
    assert (tmp_path / "scatter.png").stat().st_size > 1000


def photographs_in(folder, size, count=14):
    """Write a data set in the published layout, of generated images."""
    images = skin_phantom(count, count, size=size, seed=1)
    lines = ["md5hash,fitzpatrick_scale,label,nine_partition_label,three_partition_label"]
    for i, pixels in enumerate(images.pixels):
        path = folder / "new.jpg"
        Image.fromarray(np.moveaxis(pixels, 0, -1)).save(path, quality=95)
        name = hashlib.md5(path.read_bytes()).hexdigest()
        path.rename(folder / f"{name}.jpg")
        lines.append(f"{name},{images.skin_type[i]},{images.conditions['label'][i]},b,c")
    (folder / "fitzpatrick17k.csv").write_text("\n".join(lines))


def test_photographs_come_first_and_are_never_enlarged(tmp_path, monkeypatch):
    config = VAEConfig.preset("paper", image_size=32, widths=(4, 8, 16), train_images=9, test_images=3)
    monkeypatch.delenv("FAIRNESS_DATA", raising=False)
    images = study_images("auto", config)
    assert (len(images), images.synthetic) == (24, True)
    with pytest.raises(DataUnavailable):
        study_images("photographs", config)
    photographs_in(tmp_path, size=32)
    monkeypatch.setenv("FAIRNESS_DATA", str(tmp_path))
    images = study_images("auto", config)
    assert (images.name, images.size, images.synthetic) == ("fitzpatrick17k", 32, False)
    assert study_images("phantoms", config).synthetic
    with pytest.raises(ValueError, match="photos"):
        study_images("photos", config)
    with pytest.raises(UnusableData, match=r"too small for this preset: image_size=64: .* \(--photographs\)"):
        study_images("auto", dataclasses.replace(config, image_size=64))


def test_the_dark_types_and_the_label_that_are_asked_for_are_read(tmp_path):
    photographs_in(tmp_path, size=32)
    table = tmp_path / "fitzpatrick17k.csv"
    lines = table.read_text().splitlines()
    other = ["fitzpatrick_centaur", *(["5"] * 20), *(["4"] * 4), *(["1"] * 4)]
    table.write_text("\n".join(f"{line},{word}" for line, word in zip(lines, other, strict=True)))
    config = VAEConfig.preset("cpu")
    kept = study_images("photographs", config, photographs=tmp_path, label="fitzpatrick_centaur")
    assert data_record(kept)["skin_types"] == {"light": [1], "dark": [5]}
    assert data_record(kept)["dark"] == 20
    wider = study_images("photographs", config, photographs=tmp_path, label="fitzpatrick_centaur", dark_types=(4, 5, 6))
    assert data_record(wider)["skin_types"] == {"light": [1], "dark": [4, 5]}


BLOCKED = """
import sys
for name in ("pandas", "matplotlib", "narwhals", "pydantic", "joblib", "scipy", "sklearn", "torchvision"):
    sys.modules[name] = None  # importing it raises ModuleNotFoundError
from models.studies.dermatology import main
sys.exit(main(sys.argv[1:]))
"""


def test_trainings_travel_to_where_the_project_is_not_installed(tmp_path, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    command = ["--quick", "--data", "phantoms", "--out", str(tmp_path), "--jobs", "1", "--device", "cpu"]
    run = subprocess.run([sys.executable, "-c", BLOCKED, *command], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "6 VAEs trained, 0 were there" in run.stdout
    assert f"The measurements are kept in {tmp_path}" in run.stdout
    assert not (tmp_path / "report.md").exists()
    monkeypatch.setattr(dermatology_report, "_draw", lambda *_: None)  # figures take seconds, and others draw them
    assert dermatology.main(["--report-only", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.endswith(f"{tmp_path / 'report.md'}\n")
    said = "| preset | cpu, with epochs 2, repeats 2, test_images 20, train_images 64 |"
    assert said in (tmp_path / "report.md").read_text()
    reported = []
    monkeypatch.setattr(dermatology, "report", reported.append)
    assert dermatology.main(command) == 0  # the same command would write it too, and trains nothing
    assert reported == [tmp_path]
    assert "0 VAEs trained, 6 were there" in capsys.readouterr().out


def test_the_command_refuses_what_cannot_be_done(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("FAIRNESS_DATA", raising=False)
    assert dermatology.main(["--report-only", "--out", str(tmp_path)]) == 2
    assert "not measured to its end" in capsys.readouterr().err
    assert dermatology.main(["--data", "photographs", "--out", str(tmp_path)]) == 2
    assert "FAIRNESS_DATA" in capsys.readouterr().err
    (tmp_path / "file").write_text("no folder")
    is_a_file = ["--out", str(tmp_path / "file")]
    for wrong, said in (
        (["--report-only"], "needs --out"),
        (["--repeats", "1"], "2 or more"),
        (["--jobs", "0"], "1 or more"),
        (["--seed", "-1"], "-1: must be 0 or more"),
        (["--test-images", "1"], "2 or more"),
        (["--data", "phantoms", "--dark-types", "4,5,6"], "--dark-types is for photographs"),
        (["--data", "phantoms", "--photographs", "x"], "--photographs is for photographs"),
        (is_a_file, "is a file: give a folder"),
        (["--report-only", *is_a_file], "is a file: give a folder"),
    ):
        with pytest.raises(SystemExit) as refused:
            dermatology.main(wrong)
        assert refused.value.code == 2
        assert said in capsys.readouterr().err
    below = tmp_path / "file" / "below"
    assert dermatology.main(["--quick", "--data", "phantoms", "--device", "cpu", "--out", str(below)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(str(below))
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "folder", "said"),
    [
        (["--report-only", "--no-report", "--out", "x"], "", "leave nothing to do"),
        (["--device", "cuda"], "", "run with --device cpu (in the gate --fairness-device cpu) or auto"),
        (["--preset", "none"], "", "invalid choice: 'none'"),
    ],
)
def test_options_that_cannot_be_used_are_told_in_a_line(arguments, folder, said, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setenv("FAIRNESS_DATA", folder)
    with pytest.raises(SystemExit) as refused:
        dermatology.main(arguments)
    assert refused.value.code == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert "--help" in told


def test_a_misspelt_place_of_the_photographs_is_never_taken_for_none(tmp_path, monkeypatch, capsys):
    missing = tmp_path / "dta"
    monkeypatch.setenv("FAIRNESS_DATA", str(missing))
    assert dermatology.main(["--out", str(tmp_path / "study")]) == 2
    told = capsys.readouterr().err
    assert f"FAIRNESS_DATA={missing}: there is no such file or folder; correct or unset it" in told
    with pytest.raises(UnusableData, match="no such file or folder"):
        skin_images(32, 5)  # of the gate
    assert dermatology.main(["--photographs", str(missing), "--out", str(tmp_path / "study")]) == 2
    assert f"{missing}: there is no such file or folder; correct it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("preset", "device", "warned"),
    [("published", "auto", True), ("published", "cpu", False), ("published_small", "auto", False)],
)
def test_hours_on_a_cpu_are_told_before_the_first_training(preset, device, warned, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setenv("FAIRNESS_DATA", "")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(dermatology_data, "skin_phantom", lambda *_, **__: phantoms())
    command = ["--data", "phantoms", "--preset", preset, "--device", device, "--out", str(tmp_path / "out")]
    assert dermatology.main(command) == 2  # no weights are at hand
    assert ("takes hours" in capsys.readouterr().err) is warned


@pytest.mark.parametrize(
    ("size", "count", "message"),
    [(32, 5, "5 images of light skin: at least 6 of each"), (16, 14, "photographs too small for this preset")],
)
def test_photographs_that_cannot_be_used_are_told_in_a_line(tmp_path, monkeypatch, capsys, size, count, message):
    photographs_in(tmp_path, size, count)
    monkeypatch.setenv("FAIRNESS_DATA", str(tmp_path))
    assert dermatology.main(["--quick", "--device", "cpu", "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("weight", ["0", "2", "1/0", "nan", "a sixteenth"])
def test_the_command_refuses_a_weight_of_the_divergence_that_is_none(weight, capsys):
    with pytest.raises(SystemExit):
        dermatology.main(["--kl-weight", weight])
    assert f"{weight}: must be a number above 0 and at most 1" in capsys.readouterr().err


def test_the_weight_of_the_divergence_can_be_given_as_a_fraction(tmp_path, monkeypatch):
    monkeypatch.setattr(dermatology, "report", lambda folder: None)
    command = ["--quick", "--data", "phantoms", "--device", "cpu", "--kl-weight", "1/256", "--out", str(tmp_path)]
    assert dermatology.main(command) == 0
    record = json.loads((tmp_path / "study.json").read_text())
    assert record["config"]["kl_weight"] == 1 / 256
    assert record["changed"] == {**dermatology.QUICK, "kl_weight": 1 / 256}


def asked(*arguments):
    return dermatology._config(dermatology._parser().parse_args(arguments))


def test_the_command_changes_a_preset():
    small = VAEConfig.preset("published_small")
    assert asked("--preset", "published_small") == small
    assert asked("--preset", "published_small", "--exact-statistics").exact_statistics
    assert not asked("--preset", "cpu", "--no-exact-statistics").exact_statistics
    assert asked("--preset", "published_small", "--dark-types", "5,6").test_images == 100
    assert asked("--preset", "published_small", "--dark-types", "4,5,6").test_images == 200
    assert asked("--preset", "published_small", "--dark-types", "4,5,6", "--test-images", "50").test_images == 50


@pytest.mark.parametrize("preset", ["small", "paper", "published", "published_small"])
def test_a_preset_whose_weights_are_not_at_hand_is_refused_in_a_line(preset, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("FAIRNESS_DATA", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(dermatology_data, "skin_phantom", lambda *_, **__: phantoms())  # of the full size: a minute
    command = ["--data", "phantoms", "--preset", preset, "--device", "cpu", "--out", str(tmp_path / "out")]
    assert dermatology.main(command) == 2
    told = capsys.readouterr().err.splitlines()
    assert "no weights for 'vgg" in told[-1]
    assert "--vgg FILE" in told[-1]
    assert sum(not line.startswith("dermatology") for line in told) == 1
    assert dermatology.main([*command, "--vgg", str(tmp_path / "gone.npz")]) == 2
    assert "gone.npz cannot be read" in capsys.readouterr().err.splitlines()[-1]
    assert not list((tmp_path / "out").rglob("*.npz"))


def test_photographs_smaller_than_the_preset_are_refused_in_a_line(tmp_path, capsys):
    photographs_in(tmp_path, size=64)
    for preset in ("paper", "published"):
        assert (
            dermatology.main(["--preset", preset, "--photographs", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
        )
        told = capsys.readouterr().err
        assert "photographs too small for this preset: image_size=128: 28 of the 28 images" in told
        assert told.count("\n") == 1


def test_weights_that_are_named_give_loss_and_feature_error(tmp_path, monkeypatch):
    monkeypatch.setattr(vgg_weights, "_CHANNELS", (4, 4, 4, 4, 4))
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for one in vgg_weights.vgg_layout("vgg16"):
        tensors[f"{one.key}.weight"] = torch.randn(one.shape, generator=generator).numpy()
        tensors[f"{one.key}.bias"] = torch.zeros(one.shape[0]).numpy()
    path = tmp_path / "mine.npz"
    np.savez(path, **tensors)
    for preset, in_loss in (("published_small", True), ("cpu", False)):
        networks = dermatology_one.vgg_of(VAEConfig.preset(preset), path)
        assert (networks.loss is networks.features) == in_loss
        assert networks.features_source.startswith("VGG16, weights of mine.npz")
        assert (networks.loss_source == "none") == (not in_loss)
    config = dataclasses.replace(TINY, repeats=2)
    done = keep(tmp_path / "study", phantoms(), config, vgg=path, keep_networks=True)
    found = load_study(tmp_path / "study")
    assert found.record["features"].startswith("VGG16, weights of mine.npz")
    file = done.files["B", 1]
    network = load_vae(tmp_path / "study" / "networks" / f"{file.stem}.safetensors")
    x = torch.from_numpy(phantoms().pixels[found.test[1].ravel()]).float() / 127.5 - 1
    with torch.no_grad():
        image = network(x)[0]
        expected = perceptual_loss("vgg", weights=path, form="means")(image, x)
    np.testing.assert_allclose(found.feature_error[1, 1].ravel(), expected, rtol=1e-3)
    np.testing.assert_allclose(found.tone_shift[1, 1].ravel(), (image - x).mean((1, 2, 3)), atol=1e-5)
    plain = (image - image.mean((2, 3), keepdim=True)) - (x - x.mean((2, 3), keepdim=True))
    np.testing.assert_allclose(found.mse_less_colour[1, 1].ravel(), plain.square().mean((1, 2, 3)), atol=1e-5)
    (tmp_path / "study" / "networks" / f"{file.stem}.safetensors").unlink()
    assert keep(tmp_path / "study", phantoms(), config, vgg=path, keep_networks=True).trained == 1


def test_the_gap_within_conditions_is_the_gates_own_and_that_of_plain_sums(study):
    found, images = load_study(study), phantoms()
    rows = standardised_rows(found)
    assert len(rows) == 2 * len(MIXES) * len(LEVELS)  # no feature error here
    level = LEVELS[0]
    row = rows[(rows["value"] == "mse") & (rows["mix"] == "B") & (rows["level"] == "three classes")].iloc[0]
    plain, within, crude = plain_measurements(study), [], []
    for repeat in range(3):
        arrays = plain["B", repeat]
        tested = arrays["test"].ravel()
        labels, tones = images.conditions[level][tested], images.skin_tone[tested]
        errors = arrays["mse"].astype(float)
        features = {"skin_tone": tones, "class": labels}
        record = audit(
            Predictions(error=np.sqrt(errors), sensitive_features=features),
            metric="mean_squared_error",
            by="skin_tone",
            control_features="class",
            strata="combined",
            max_difference=1.0,
            min_group_size=1,
        )
        told = {group.name: group.rate for group in record.groups}
        cells = {
            (name, tone): errors[(labels == name) & (tones == tone)]
            for name, tone in itertools.product(set(labels), ("light", "dark"))
        }
        used = [name for name in set(labels) if min(len(cells[name, tone]) for tone in ("light", "dark")) >= 2]
        count = {name: sum(len(cells[name, tone]) for tone in ("light", "dark")) for name in used}
        gap = math.fsum(count[name] * (cells[name, "dark"].mean() - cells[name, "light"].mean()) for name in used)
        within.append(gap / sum(count.values()))
        assert told["dark",] - told["light",] == pytest.approx(within[-1], rel=1e-9)
        same = np.isin(labels, used)
        crude.append(errors[same & (tones == "dark")].mean() - errors[same & (tones == "light")].mean())
    explained = np.subtract(crude, within)
    assert (row["gap"], row["crude"]) == pytest.approx((mean_of(within), mean_of(crude)), rel=1e-9)
    assert (row["low"], row["high"]) == pytest.approx(corrected(within, 40, 12), rel=1e-6)
    assert row["explained"] == pytest.approx(mean_of(explained), rel=1e-6, abs=1e-12)
    assert (row["explained_low"], row["explained_high"]) == pytest.approx(corrected(explained, 40, 12), rel=1e-6)


@pytest.mark.parametrize("of_tone", [0.0, 0.01])
def test_a_gap_that_is_the_conditions_goes_and_one_that_is_the_tones_stays(of_tone):
    rng = np.random.default_rng(4)
    found = planted()
    hard = rng.random(len(found.tones)) < np.where(found.tones == "dark", 0.8, 0.3)
    fine = np.where(hard, "hard", "easy")
    test = np.stack([np.stack([rng.permutation(300)[:100], 300 + rng.permutation(150)[:100]]) for _ in range(6)])
    errors = 0.02 + 0.03 * hard[test] + of_tone * np.array([0.0, 1.0])[:, None] + rng.normal(0, 0.002, test.shape)
    measures = dict.fromkeys(("mse", "mse_less_colour"), np.stack([errors] * 3))
    measures["feature_error"] = np.full((3, 6, 2, 100), np.nan)
    conditions = {LEVELS[0]: np.array(["x"] * 450), LEVELS[1]: fine, LEVELS[2]: np.arange(450).astype(str)}
    rows = standardised_rows(dataclasses.replace(found, test=test, conditions=conditions, **measures))
    rows = rows[(rows["value"] == "mse") & (rows["mix"] == "B")].set_index("level")
    one, nine, alone = (rows.loc[name] for name in ("three classes", "nine classes", "conditions"))
    assert one["gap"] == pytest.approx(one["all"], rel=1e-9)  # of one class there is nothing to set right
    assert abs(one["explained"]) < 1e-12
    assert nine["all"] > 0.012 + of_tone
    assert nine["low"] < of_tone < nine["high"]
    assert nine["high"] - nine["low"] < 0.004
    assert nine["explained"] == pytest.approx(0.015, abs=0.004)
    assert nine["compared"] == 1.0
    assert alone["compared"] == 0.0  # each image has a condition of its own
    assert np.isnan(alone[["gap", "low", "crude", "explained"]].astype(float)).all()


def test_a_repeat_whose_groups_share_no_condition_is_left_out_of_each_mean():
    found = planted()
    rng = np.random.default_rng(2)
    test = np.stack([np.stack([rng.permutation(250)[:30], 300 + rng.permutation(150)[:30]]) for _ in range(10)])
    test[0, 0] = 250 + np.arange(30)  # those light images alone show "y"
    errors = rng.random((3, 10, 2, 30))
    measures = dict.fromkeys(("mse", "mse_less_colour", "feature_error"), errors)
    fine = np.where((np.arange(450) >= 250) & (np.arange(450) < 300), "y", "x")
    conditions = dict.fromkeys(LEVELS, fine)
    row = standardised_rows(dataclasses.replace(found, test=test, conditions=conditions, **measures)).iloc[0]
    gaps = (errors[0, :, 1] - errors[0, :, 0]).mean(-1)
    assert row["all"] == pytest.approx(gaps.mean())
    assert (row["crude"], row["gap"]) == pytest.approx((gaps[1:].mean(),) * 2)
    assert row["explained"] == pytest.approx(0.0, abs=1e-12)
    assert row["compared"] == pytest.approx(0.9)


def test_what_was_changed_in_a_preset_is_said():
    asked = VAEConfig.preset("cpu", kl_weight=1 / 256, repeats=2).describe()
    record = {"preset": "cpu", "changed": changes_of("cpu", asked)}
    assert preset_in_words(record) == "cpu, with kl_weight 1/256, repeats 2"
    plain = VAEConfig.preset("small").describe()
    assert preset_in_words({"preset": "small", "changed": changes_of("small", plain)}) == "small"
    assert preset_in_words({"preset": "small", "changed": {"learning_rate": 0.1}}) == "small, with learning_rate 0.1"


def without(*keys):
    def take_out(record):
        for key in keys[:-1]:
            record = record[key]
        del record[keys[-1]]

    return take_out


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without("config"), r"it lacks config\.image_size, config\.test_images, config\.repeats; run the study again"),
        (without("features"), r"it lacks features; run the study again"),
        (lambda record: record.update(format=1), r"format 1, not 2: run the study again"),
        (without("data", "left_out"), r"it lacks data\.left_out; run the study again"),
        (without("torch"), r"it lacks torch; run the study again"),
        (without("trainings", 2), r"it lacks the training of mix C in repeat 0; run the study again"),
        (without("trainings", 2, "sha256"), r"damaged \('sha256'\); run the study again"),
        (without("format"), r"damaged \('format'\); run the study again"),
        (lambda record: record.update(data=[]), r"it lacks data\.fingerprint, "),
        (lambda record: record.update(seed="x"), r"damaged \(seed is 'x', no int\); run the study again"),
        (lambda record: record["data"].update(left_out=None), r"damaged \(left_out is None, no dict\)"),
        (
            lambda record: record["data"].update(skin_types={"light": 1}),
            r"damaged \(skin_types is \{'light': 1\}: types",
        ),
        (without("config", "widths"), r"damaged \('widths'\)"),
        (lambda record: record["config"].update(epochs=0), r"damaged \(epochs is 0: give a whole number"),
        (lambda record: record["config"].update(colour=1), r"damaged \(.*unexpected keyword argument 'colour'"),
        (lambda record: record["trainings"][0].update(mix="D"), r"damaged \(trainings that are of no mix.*'D', 0"),
        (lambda record: [record.pop(key) for key in set(record) - {"format"}], "it lacks preset, label, perceptual"),
    ],
)
def test_a_record_that_lacks_something_is_told_and_no_report_begun(study, tmp_path, capsys, damage, message):
    record = json.loads((study / "study.json").read_text())
    damage(record)
    (tmp_path / "study.json").write_text(json.dumps(record))
    assert dermatology.main(["--report-only", "--out", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    with pytest.raises(StudyIncomplete, match=message):
        load_study(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["study.json"]


def test_a_full_disk_leaves_the_report_before_and_is_told_in_a_line(study, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "study"
    shutil.copytree(study, folder)
    monkeypatch.setattr(dermatology_report, "_draw", lambda *_: None)
    write_report(folder)
    for path in folder.glob("*.csv"):
        path.write_text("of the report before")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(dermatology_report, "render", full)
    assert dermatology.main(["--report-only", "--out", str(folder)]) == 2
    assert capsys.readouterr().err == (
        f"{folder}: No space left on device; what was trained is kept: mend this and run it again\n"
    )
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {"trainings"}


@pytest.mark.parametrize("error", [ValueError, KeyError, TypeError, RuntimeError])
def test_a_bug_shows_as_itself(monkeypatch, tmp_path, error):
    def broken(folder):
        raise error("a bug")

    monkeypatch.setattr(dermatology, "report", broken)
    with pytest.raises(error, match="a bug"):
        dermatology.main(["--report-only", "--out", str(tmp_path)])


def test_a_bug_is_not_taken_for_a_missing_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "models.studies.dermatology_report", None)
    with pytest.raises(ModuleNotFoundError):
        dermatology.report(Path())
