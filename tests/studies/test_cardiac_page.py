"""docs/cardiac.md says what the study found, and the command line says where it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairness_checks.sweep import DataSet
from models.data.sources import DataUnavailable
from models.studies import cardiac
from models.studies.cardiac_claims import page_claims
from models.studies.cardiac_data import FEATURE_SETS, TABLES, WITHOUT_SEX, load_table
from models.studies.cardiac_page import ON_THE_PAGE, RESULTS, differences, page_tables, read_frames
from models.studies.complexity import noise_floor
from models.studies.descriptives import describe
from models.studies.oversampled_first import oversampled_first
from models.studies.table_versions import cholesterol_rows

PAGE = Path(__file__).parents[2] / "docs" / "cardiac.md"


@pytest.fixture(scope="module")
def found() -> dict[str, pd.DataFrame]:
    return read_frames(RESULTS)


@pytest.fixture(scope="module")
def data() -> dict[str, DataSet]:
    try:
        return {name: load_table(name) for name in TABLES}
    except DataUnavailable as error:
        pytest.skip(str(error))


def lost(found: dict[str, pd.DataFrame]) -> list[str]:
    return differences(PAGE.read_text(encoding="utf-8"), page_tables(found), page_claims(found))


def test_the_page_says_what_the_study_found(found):
    assert lost(found) == []


@pytest.mark.parametrize("name", ON_THE_PAGE)
def test_the_page_is_held_to_every_table_of_the_study(found, name):
    numbers = found[name].select_dtypes("number").columns
    changed = found[name].copy()
    if name == "descriptives":  # text
        changed["female 1"] = changed["female 1"].replace("34", "35")
    elif name in ("builders", "shap"):
        changed["female_rank"] = changed["female_rank"].max() + 1 - changed["female_rank"]
    else:
        changed[numbers] = changed[numbers] * np.where(changed[numbers].dtypes == "int64", 1, 1.2)
        changed = changed.assign(**{key: changed[key] + 1 for key in ("same_sign", "below") if key in changed})
    assert lost(found | {name: changed}) != []


@pytest.mark.parametrize("said", ["135", "35.2", "-35", "0.35", "1,35", "35,000"])
def test_a_number_is_not_held_by_another_that_has_its_digits(said):
    assert differences(f"They miss {said}, we know.", [], ["35", "They miss 35", "35, we know"]) != []
    assert differences(f"They miss {said}, we know.", [], [said, f"They miss {said}", f"{said}, we know"]) == []


@pytest.mark.parametrize("change", ["{table}\n| d | 9 % |", "| a | b |\n{table}", "> {table}"])
def test_a_table_with_more_than_the_study_found_is_another(change):
    table = "| a | b |\n|---|---|\n| c | 1 % |"
    assert differences(f"# Page\n\n{table}\n\nText", [table], []) == differences(table, [table], []) == []
    assert differences(f"# Page\n\n{change.format(table=table)}\n\nText", [table], []) == [table]


def test_a_claim_that_no_longer_holds_is_no_sentence_of_the_page(found):
    gaps = found["gaps"].copy()
    gaps["p_corrected"] = 0.5  # nothing is shown any more
    assert any(claim.startswith("no longer so: That holds with every") for claim in page_claims(found | {"gaps": gaps}))


def test_what_needs_no_training_is_found_again(found, data):
    described = pd.DataFrame([row for name in TABLES for row in describe(name, data[name])]).astype(str)
    kept = pd.read_csv(RESULTS / "descriptives.csv", dtype=str, keep_default_na=False)
    pd.testing.assert_frame_equal(described, kept)
    pd.testing.assert_frame_equal(pd.DataFrame(cholesterol_rows()), found["versions"], rtol=1e-5)
    table = "coronary_artery_disease"
    floor = pd.DataFrame(noise_floor(table, WITHOUT_SEX, data[table], FEATURE_SETS[table][WITHOUT_SEX]))
    kept = found["noise_floor"].query("data_set == @table").reset_index(drop=True)
    pd.testing.assert_frame_equal(floor, kept, rtol=1e-5)


def test_synthetic_women_are_healthier_than_women(data):
    ill = [oversampled_first(table).outcome[len(table) :].mean() for table in data.values()]
    women = [table.outcome[table.sensitive_features["sex"].to_numpy() == "female"].mean() for table in data.values()]
    sentence = f"{100 * ill[0]:.0f} % of them are ill in either table, of the real women {100 * women[0]:.0f} and"
    assert differences(PAGE.read_text(encoding="utf-8"), [], [sentence, f"and {100 * women[1]:.0f} %"]) == []
    assert round(ill[0], 2) == round(ill[1], 2)


def test_no_two_patients_are_alike(data):
    assert not any(table.features.duplicated().any() for table in data.values())


def test_a_full_study_says_what_the_page_has_otherwise(found, tmp_path):
    for name, frame in found.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    (line,) = cardiac.page_report(tmp_path)
    assert line.startswith("docs/cardiac.md: all 11 tables and ")
    changed = found["versions"].assign(female=1.0)
    changed.to_csv(tmp_path / "versions.csv", index=False)
    head, table = cardiac.page_report(tmp_path)
    assert head.endswith("sentences 1 are not found again. They would be:")
    assert table.splitlines()[3] == "| all | 1,190 | 1.0 | 185.0 |"


# The command line


def refuses(*_: object) -> None:
    raise DataUnavailable("heart.csv was found at none of these places:\n  FAIRNESS_DATA is not set")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "0"], "argument --jobs: 0: must be 1 or more"),
        (["--jobs", "two"], "argument --jobs: invalid"),
        (["--out", __file__], f"--out {__file__} is a file: give a folder"),
    ],
)
def test_wrong_arguments_are_named(capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        cardiac.main(arguments)
    assert message in capsys.readouterr().err


def test_data_that_cannot_be_had_end_the_study_in_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cardiac, "load_table", refuses)
    assert cardiac.main(["--out", str(tmp_path / "new")]) == 2
    assert capsys.readouterr().err == "heart.csv was found at none of these places:\n  FAIRNESS_DATA is not set\n"


def test_a_folder_that_cannot_be_made_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cardiac.main(["--quick", "--out", str(tmp_path / "file" / "study")]) == 2
    error = capsys.readouterr().err
    assert str(tmp_path / "file") in error
    assert "Traceback" not in error
