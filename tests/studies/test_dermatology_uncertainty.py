"""Uncertainties of kept networks: against plain loops, and on phantoms whose gap was planted."""

from __future__ import annotations

import dataclasses
import doctest
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fairness_checks.errors import InvalidPredictions
from models import vae_uncertainty
from models.perceptual import perceptual_loss
from models.phantom.skin_phantom import skin_phantom
from models.studies import dermatology_uncertainty
from models.studies.dermatology_data import study_images
from models.studies.dermatology_protocol import split, training_rows
from models.studies.dermatology_record import StudyIncomplete
from models.studies.dermatology_store import load_study
from models.studies.dermatology_uncertainty import COSTS, judged, main, planted_rows, study_rows
from models.train_vae import load_vae
from models.vae import build_vae
from models.vae_uncertainty import Disagreement, decoder_variance, feature_distance, noise_sensitivity, reconstructed
from tests.studies import finished_study

PROJECT = Path(__file__).parents[2]
KEPT = PROJECT / "models/studies/results/dermatology"
TINY = dataclasses.replace(finished_study.TINY, train_images=24)
pytestmark = pytest.mark.usefixtures("no_photographs_and_no_weights")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    finished_study.keep(folder, study_images("phantoms", TINY), TINY, keep_networks=True)
    return folder


@pytest.mark.parametrize("module", [vae_uncertainty, dermatology_uncertainty])
def test_the_examples_are_true(module):
    assert doctest.testmod(module).failed == 0


def test_a_decoder_that_is_sure_varies_not_and_one_that_is_not_by_its_spread():
    vae = build_vae(TINY, seed=0)
    pixels = skin_phantom(3, 2, size=16).pixels
    sure, unsure = (decoder_variance(vae, pixels, samples=64, seed=1) for _ in range(2))
    assert np.array_equal(sure, unsure)
    assert (sure > 0).all()
    encode = vae.encode
    vae.encode = lambda x: (encode(x)[0], torch.full_like(encode(x)[1], -60.0))
    assert (decoder_variance(vae, pixels) < 1e-12).all()
    assert (noise_sensitivity(vae, pixels) > 0).all()
    assert (noise_sensitivity(vae, pixels, deviation=0.0) == 0).all()


def test_networks_disagree_by_the_variance_over_those_that_may_count():
    rng = np.random.default_rng(0)
    made = rng.normal(size=(5, 7, 3, 4, 4))
    counts = rng.random((5, 7)) < 0.6
    counts[:, 0], counts[:, 1] = [True, False, False, False, False], False
    apart = Disagreement((7, 3, 4, 4))
    for images, may in zip(made, counts, strict=True):
        apart.add(images, may)
    for at, found in enumerate(apart.variance()):
        chosen = made[counts[:, at], at]
        assert np.isnan(found) if len(chosen) < 2 else found == pytest.approx(chosen.var(axis=0, ddof=1).mean())


def test_what_was_trained_on_is_near_and_another_picture_far():
    network = perceptual_loss("random", blocks=3, width=0.25)
    pixels = skin_phantom(8, 8, size=16, seed=2).pixels
    distances = feature_distance(network, pixels[:10], np.concatenate([pixels[:10], 255 - pixels[10:]]), nearest=1)
    assert distances[:10] == pytest.approx(np.zeros(10), abs=1e-3)
    assert (distances[10:] > 1e-2).all()


def test_the_table_of_a_study_is_that_of_networks_that_did_not_train_on_the_image(study):
    found, images = load_study(study), study_images("phantoms", TINY)
    rows = study_rows(study, images, found, "B", None)
    assert set(rows["uncertainty"]) == set(COSTS) - {"feature distance"}
    assert len(rows) == 2 * 5  # no feature error, no network for it
    networks = [load_vae(next((study / "networks").glob(f"B-{r:02d}-*"))) for r in range(3)]
    trained = [set(training_rows(split(found.tones, 12, 0, r), "B", 24, 0, r).tolist()) for r in range(3)]
    values = []
    for repeat, at in ((r, i) for r in range(3) for i in found.test[r].ravel().tolist()):
        assert at not in trained[repeat]
        chosen = [
            reconstructed(network, images.pixels[at][None])[0].astype(float)
            for network, rows_of in zip(networks, trained, strict=True)
            if at not in rows_of
        ]
        values.append(np.var(chosen, axis=0, ddof=1).mean() if len(chosen) > 1 else np.nan)
    tested = found.test.ravel()
    errors = np.sqrt(found.mse[1].ravel())
    expected = judged(errors, values, found.tones[tested], images.ids[tested])
    row = rows[(rows["uncertainty"] == "disagreement") & (rows["value"] == "mse")].iloc[0]
    assert row["rows"] == np.isfinite(values).sum()
    assert row["uncertainty_auc"] == pytest.approx(expected["uncertainty_auc"], abs=0.01)  # ties in the last digits
    latent = rows[(rows["uncertainty"] == "latent SD") & (rows["value"] == "mse")].iloc[0]
    pairs = found.latent_sd[1][:, 1].ravel()[:, None] - found.latent_sd[1][:, 0].ravel()
    area = (pairs > 0).mean() + (pairs == 0).mean() / 2
    assert latent["uncertainty_auc"] == pytest.approx(area if latent["worse"] == "dark" else 1 - area)


def test_a_planted_gap_is_warned_of_by_the_error_itself_and_not_by_its_shuffle():
    config = dataclasses.replace(TINY, epochs=4, train_images=40, test_images=120)
    rows = planted_rows(config, planted=0.03).set_index("uncertainty")
    assert set(rows["worse"]) == {"dark"}
    assert rows.loc["(the error, with noise)", "verdict"] == "pass"
    assert rows.loc["(the same, in another order)", "verdict"] == "fail"
    assert rows.loc["(the error, with noise)", ["light", "dark"]].astype(float).min() > 0.5
    assert set(COSTS) - {"feature distance"} < set(rows.index)


def test_another_network_in_the_place_of_one_that_was_measured_is_told(study, tmp_path):
    shutil.copytree(study, tmp_path, dirs_exist_ok=True)
    paths = sorted((tmp_path / "networks").glob("B-*"))
    paths[1].write_bytes(paths[0].read_bytes())
    with pytest.raises(StudyIncomplete, match=rf"{paths[1].name}: not the network that was measured: remove it"):
        study_rows(tmp_path, study_images("phantoms", TINY), load_study(tmp_path), "B", None)


def test_an_uncertainty_that_no_image_of_a_group_has_is_not_judged_and_an_infinite_one_refused():
    errors, tones = np.arange(1.0, 41.0), np.repeat(["light", "dark"], 20)
    for lacking, said in (("light", "unknown for light"), (None, "unknown for dark and light")):
        known = np.where(tones == lacking, np.nan, errors) if lacking else np.full(40, np.nan)
        row = judged(errors, known, tones, np.arange(40))
        assert (row["rows"], row["verdict"]) == (np.isfinite(known).sum(), said)
        assert np.isnan([row[name] for name in ("mismatch", "low", "high", "light", "dark")]).all()
    assert row.keys() == judged(errors, errors, tones, np.arange(40)).keys()
    with pytest.raises(InvalidPredictions, match="uncertainty: 1 of 40 values is NaN or infinite"):
        judged(errors, np.where(errors == 7, np.inf, errors), tones, np.arange(40))


def test_the_command_writes_its_page_and_says_what_is_missing(study, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert main(["--out", str(study)]) == 0
    page = (study / "uncertainties.md").read_text()
    assert page.startswith("# Which uncertainty warns, under B?")
    assert "| disagreement | pixel error |" in page
    assert len(pd.read_csv(study / "uncertainties.csv")) == 10
    capsys.readouterr()
    for path in (study / "networks").glob("C-01-*"):
        path.unlink()
    assert main(["--out", str(study), "--mix", "C"]) == 2
    assert "not there; run the study again with --keep-networks" in capsys.readouterr().err
    assert main(["--out", str(tmp_path)]) == 2
    assert "not there; the study was not measured to its end" in capsys.readouterr().err
    (tmp_path / "file").write_text("no folder")
    assert main(["--out", str(tmp_path / "file")]) == 2
    assert "Not a directory" in capsys.readouterr().err
    assert main(["--planted", "--out", str(tmp_path), "--vgg", str(tmp_path / "gone.npz")]) == 2
    assert "gone.npz cannot be read" in capsys.readouterr().err
    (path,) = (study / "networks").glob("A-01-*")
    path.write_bytes(b"damaged")
    assert main(["--out", str(study), "--mix", "A"]) == 2
    told = capsys.readouterr().err
    assert f"{path}: not a network that save_vae wrote" in told
    assert told.count("\n") == 2
    assert told.startswith(
        "no weights of VGG19 or VGG16 at hand: without the feature distance; --vgg FILE names some\n"
    )


def test_the_page_has_the_rows_of_the_kept_tables():
    page = (PROJECT / "docs/dermatology.md").read_text(encoding="utf-8")
    studied = pd.read_csv(KEPT / "uncertainties.csv").query("value == 'mse'")
    assert set(studied["uncertainty"]) == set(COSTS)
    for row in studied.to_dict("records"):
        mismatch = f"{row['mismatch']:.2f} [{row['low']:.2f}, {row['high']:.2f}] | {row['verdict']}"
        told = f"| {row['uncertainty']} | {row['uncertainty_auc']:.2f} | {mismatch} "
        assert f"{told}| {row['light']:.2f}, {row['dark']:.2f} |" in page
    for row in pd.read_csv(KEPT / "planted.csv").to_dict("records"):
        mismatch = f"{row['mismatch']:.2f} [{row['low']:.2f}, {row['high']:.2f}] | {row['verdict']}"
        assert f"| {row['uncertainty']} | {mismatch} |" in page
