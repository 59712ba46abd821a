"""Other sources of the groups: agreement, measured tone, near-duplicates, and a study's findings grouped anew."""

from __future__ import annotations

import doctest
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats

from models.data.fitzpatrick17k import Fitzpatrick17k
from models.data.fitzpatrick17k_files import UnusableData
from models.data.images import LEVELS
from models.phantom.skin_phantom import skin_phantom
from models.studies import dermatology_labels, dermatology_tones
from models.studies.dermatology_data import data_record
from models.studies.dermatology_labels import agreement_rows, groups_by_source, main, regrouped_rows
from models.studies.dermatology_protocol import TONES, split
from models.studies.dermatology_record import changes_of
from models.studies.dermatology_store import MEASURES, load_study, save_study, write_arrays
from models.studies.dermatology_tones import near_duplicates, typology_angles
from models.vae_config import MIXES, VAEConfig

PROJECT = Path(__file__).parents[2]
KEPT = PROJECT / "models/studies/results/dermatology"
ENDS = ("low", "high")
CONFIG = VAEConfig.preset("cpu", image_size=16, train_images=20, test_images=8, repeats=3)
SKIN = {1: (235, 200, 180), 2: (225, 180, 155), 5: (110, 75, 55), 6: (80, 52, 40)}


@pytest.mark.parametrize("module", [dermatology_labels, dermatology_tones])
def test_the_examples_are_true(module):
    tried = doctest.testmod(module)
    assert tried.failed == 0
    assert tried.attempted > 0


def kept(folder, images):
    """A finished study whose errors are known: an image's MSE is its position, plus what the mix makes of it."""
    files = {}
    for (at, mix), repeat in ((pair, r) for pair in enumerate(MIXES) for r in range(CONFIG.repeats)):
        test = split(images.skin_tone, 8, 0, repeat).test
        arrays = {name: test.ravel() * 0.01 * (1 + at) + 0.001 * repeat for name in MEASURES}
        arrays["feature_error"] = np.full(16, np.nan)
        path = folder / "trainings" / f"{mix}-{repeat}.npz"
        path.parent.mkdir(exist_ok=True)
        one = {"seconds": 1.0, "cpu_seconds": 1.0, "images_per_second": 1.0, "device": "cpu", "precision": "float32"}
        pair = dict.fromkeys(("trained", "distinct"), np.array([10 * (tone in MIXES[mix]) for tone in TONES]))
        write_arrays(path, "key", {**arrays, **pair, "test": test, **{k: np.array(v) for k, v in one.items()}})
        files[mix, repeat] = path
    record = {
        "preset": "cpu",
        "changed": changes_of("cpu", CONFIG.describe()),
        "config": CONFIG.describe(),
        "test_images": 8,
        "seed": 0,
        "data": data_record(images),
        "label": "fitzpatrick_scale",
        **dict.fromkeys(("perceptual", "features", "device", "torch"), "none"),
    }
    save_study(folder, record, images, files)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder of pictures: plain skin with a little noise; one dark picture is there a second time, brighter."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(2)
    lines = ["md5hash,fitzpatrick_scale,fitzpatrick_centaur," + ",".join(LEVELS)]
    for i in range(60):
        kind = (1, 2, 5, 6)[i % 4]
        other = {7: -1, 10: 3, 11: 1}.get(i, kind)
        lines.append(f"{i:032x},{kind},{other},benign,mole,mole")
        pixels = np.array(SKIN[kind]) + rng.integers(-12, 13, (16, 16, 3))
        if i == 2:
            first = pixels
        if i == 6:
            pixels = first + 9
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{i:032x}.png")
        (folder / f"{i:032x}.png").rename(folder / f"{i:032x}.jpg")  # without loss, whatever the name
    (folder / "fitzpatrick17k.csv").write_text("\n".join([*lines, ""]))
    return folder


def test_each_source_groups_the_pictures_by_its_own_word(photographs):
    images = Fitzpatrick17k(photographs, check_md5=False).images(16)
    types = images.skin_type.copy()
    types[[7, 10, 11]] = 0, 3, 1
    groups = groups_by_source(images, types, typology_angles(images.pixels), near_duplicates(images.pixels))
    own = images.skin_tone.tolist()
    assert groups["study's label"].tolist() == own
    changed = own.copy()
    changed[7], changed[10], changed[11] = "neither", "neither", "light"
    assert groups["other label"].tolist() == changed
    changed[11] = "neither"
    assert groups["both labels"].tolist() == changed
    assert groups["measured tone"].tolist() == own  # pictures of nothing but skin of the type's colour
    alone = own.copy()
    alone[2] = alone[6] = "neither"
    assert groups["study's label, no near-duplicate"].tolist() == alone
    rows = agreement_rows(groups["study's label"], groups["other label"]).set_index("group")
    assert rows.loc["dark", ["images", "light", "dark"]].tolist() == pytest.approx([30, 1 / 30, 27 / 30])
    assert rows.loc["dark", "neither"] == pytest.approx(2 / 30)


def test_the_findings_of_a_regrouped_study_are_those_of_plain_loops(photographs, tmp_path):
    images = Fitzpatrick17k(photographs, check_md5=False).images(16)
    kept(tmp_path, images)
    found = load_study(tmp_path)
    rng = np.random.default_rng(0)
    tones = rng.choice(["light", "dark", "neither"], len(images))
    rows = regrouped_rows(found, {"own": images.skin_tone, "drawn": tones})
    assert len(rows) == 2 * 2 * 7  # no feature error was measured
    for source, group in (("own", images.skin_tone), ("drawn", tones)):
        part = rows[(rows["source"] == source) & (rows["value"] == "mse")].set_index("of")
        for name, (dark_mix, light_mix) in {"B": "BB", "worst case": "AC", "best case": "CA"}.items():
            gaps = []
            for repeat in range(3):
                means = {}
                for tone, mix in (("dark", dark_mix), ("light", light_mix)):
                    factor = 1 + list(MIXES).index(mix)
                    chosen = [at for at in found.test[repeat].ravel().tolist() if group[at] == tone]
                    means[tone] = sum(0.01 * at * factor + 0.001 * repeat for at in chosen) / len(chosen)
                gaps.append(means["dark"] - means["light"])
            half = stats.t.ppf(0.975, 2) * math.sqrt(np.var(gaps, ddof=1) * (1 / 3 + 8 / 22))
            assert part.loc[name, "gap"] == pytest.approx(np.mean(gaps), rel=1e-9)
            assert part.loc[name, "high"] - part.loc[name, "low"] == pytest.approx(2 * half, rel=1e-6)
    nobody = regrouped_rows(found, {"nobody": np.full(len(images), "neither")})
    assert nobody["gap"].isna().all()


def test_lightness_and_yellowness_are_those_of_the_standard():
    # sRGB's primaries under D65, as printed by Lindbloom.
    found = dermatology_tones._lab(np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]).T.astype(float))
    np.testing.assert_allclose(found, [[53.24, 87.74, 32.30, 100], [67.20, 83.18, -107.86, 0]], atol=0.05)


def test_darker_skin_has_the_smaller_angle():
    plain = np.array([SKIN[kind] for kind in (1, 2, 5, 6)], dtype=np.uint8)[:, :, None, None]
    angles = typology_angles(np.broadcast_to(plain, (4, 3, 8, 8)))
    assert (np.diff(angles) < 0).all()
    assert angles[1] > 41
    assert angles[2] <= 10


@pytest.mark.parametrize(("change", "found"), [("brighter", True), ("noisier", True), ("other", False)])
def test_a_near_duplicate_is_the_same_picture_in_another_light(change, found):
    pictures = skin_phantom(30, 30, size=32, seed=1).pixels
    rng = np.random.default_rng(3)
    second = {
        "brighter": np.clip(pictures[5].astype(int) * 1.1 + 5, 0, 255),
        "noisier": np.clip(pictures[5] + rng.normal(0, 2, pictures[5].shape), 0, 255),
        "other": 255 - pictures[5],
    }[change].astype(np.uint8)
    pairs = near_duplicates(np.concatenate([pictures, second[None]])).pairs.tolist()
    assert ([5, 60] in pairs) == found


def test_the_command_writes_the_page_and_refuses_what_it_cannot_read(photographs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("models.data.fitzpatrick17k.is_md5_of", lambda *_: True)
    images = Fitzpatrick17k(photographs).images(16)
    kept(tmp_path, images)
    assert main(["--out", str(tmp_path), "--photographs", str(photographs)]) == 0
    page = (tmp_path / "labels.md").read_text()
    assert "60 photographs, groups by `fitzpatrick_scale`; 59 have a type by the other label" in page
    assert "Near-duplicates: 1 pairs of 2 pictures (0 light, 2 dark); 0 pairs are light and dark." in page
    assert "| other label | dark | 30 | 0.033 | 0.900 | 0.067 |" in page
    assert len(pd.read_csv(tmp_path / "labels_gaps.csv")) == 5 * 2 * 7
    capsys.readouterr()
    for name, message in (("phantoms", "a study of phantoms"), ("others", "measured on other photographs")):
        folder = tmp_path / name
        folder.mkdir()
        other = skin_phantom(30, 30, size=16) if name == "phantoms" else images.take(range(50))
        kept(folder, other)
        assert main(["--out", str(folder), "--photographs", str(photographs)]) == 2
        assert message in capsys.readouterr().err
    assert main(["--out", str(tmp_path / "nothing"), "--photographs", str(photographs)]) == 2
    assert "not there" in capsys.readouterr().err
    record = json.loads((tmp_path / "study.json").read_text())
    record["data"]["image_size"] = 1024
    (tmp_path / "study.json").write_text(json.dumps(record))
    assert main(["--out", str(tmp_path), "--photographs", str(photographs)]) == 2
    told = capsys.readouterr().err
    assert "measured on larger photographs: image_size=1024: 60 of the 60 images" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("word", ["5.0", "V", "7", "\u00b2"])
def test_a_second_label_that_cannot_be_read_is_told_and_not_taken_for_none(photographs, tmp_path, word):
    for path in photographs.glob("*.jpg"):
        (tmp_path / path.name).symlink_to(path)
    lines = (photographs / "fitzpatrick17k.csv").read_text().splitlines()
    cells = lines[3].split(",")
    lines[3] = ",".join([*cells[:2], word, *cells[3:]])
    (tmp_path / "fitzpatrick17k.csv").write_text("\n".join(lines))
    images = Fitzpatrick17k(tmp_path, check_md5=False).images(16)
    with pytest.raises(UnusableData, match=rf"row 3, fitzpatrick_centaur: skin type '{word}' is none of -1, , 1, 2"):
        dermatology_labels._second_types(images, tmp_path, "fitzpatrick_centaur")


@pytest.mark.filterwarnings("error")
def test_a_second_label_that_nobody_gave_is_told(photographs, tmp_path):
    images = Fitzpatrick17k(photographs, check_md5=False).images(16)
    kept(tmp_path, images)
    found, types = load_study(tmp_path), np.zeros(len(images), dtype=np.int8)
    angles, near = np.full(len(images), np.nan), near_duplicates(images.pixels)
    groups = groups_by_source(images, types, angles, near)
    agreement = agreement_rows(images.skin_tone, groups["other label"]).assign(source="other label")
    frames = {"labels_agreement": agreement, "labels_gaps": regrouped_rows(found, groups)}
    page = dermatology_labels._render(found, images, types, angles, near, frames)
    assert "; 0 have a type by the other label.\n" in page
    assert "nan" not in page


@pytest.mark.filterwarnings("error")
def test_pictures_of_no_skin_have_no_tone_and_are_counted():
    images = skin_phantom(3, 3, size=16)
    grey = np.broadcast_to(images.pixels[:, :1], images.pixels.shape)
    angles = typology_angles(grey)
    assert np.isnan(angles).all()
    said = dermatology_labels._of_tones(images, angles)
    assert "light none, dark none. 6 pictures have too few such pixels" in said


def page_rows():
    """Rows of the tables in docs/dermatology.md, made of the tables that are kept."""
    names = {"mse": "pixel error", "mse_less_colour": "less colour", "feature_error": "features"}
    digits = {"mse": 4, "mse_less_colour": 4, "feature_error": 2}

    def interval(row):
        return " [".join(
            [f"{row['gap']:.{digits[row['value']]}f}", ", ".join(f"{row[e]:.{digits[row['value']]}f}" for e in ENDS)]
        )

    within = pd.read_csv(KEPT / "within_conditions.csv").query("level == 'conditions'")
    for row in within.to_dict("records"):
        crude = " | ".join(f"{row[name]:.{digits[row['value']]}f}" for name in ("all", "crude"))
        yield f"| {names[row['value']]}, {row['mix']} | {crude} | {interval(row)}] |"
    for source, part in pd.read_csv(KEPT / "labels_gaps.csv").query("of == 'B'").groupby("source"):
        rows = part.set_index("value", drop=False).to_dict("index")
        sizes = f"{rows['mse']['light']:.0f} + {rows['mse']['dark']:.0f}"
        yield f"| {source} | {sizes} | " + " | ".join(f"{interval(rows[value])}]" for value in names) + " |"


def test_the_page_has_the_rows_of_the_kept_tables():
    page = (PROJECT / "docs/dermatology.md").read_text(encoding="utf-8")
    expected = list(page_rows())
    assert len(expected) == 14
    assert [row for row in expected if row not in page] == []
