"""Parquet files as one table: the same as one file, or one error that names the file and the column."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairness_checks import InvalidPredictions, Predictions, audit
from fairness_checks.cli.main import main
from fairness_checks.errors import ConfigurationError
from fairness_checks.inputs import frame_sources, parquet_files
from fairness_checks.inputs.predictions import LazyPredictions
from fairness_checks.inputs.source import Source
from fairness_checks.inputs.source_reading import read_source

ROLES = {"y_true": "died", "y_score": "risk", "by": ["sex", "site"]}
ASKED = {"metric": "false_negative_rate", "by": "site", "max_difference": 0.05}


def visits(part):
    rng = np.random.default_rng(part)
    risk = rng.beta(2, 5, 500).round(3)
    died = (rng.random(500) < risk).astype(int)
    return pa.table({"died": died, "risk": risk, "sex": rng.choice(["f", "m"], 500), f"only_{part}": np.arange(500)})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for part in range(4):
        site = tmp_path / "visits" / f"site={'ab'[part % 2]}"
        site.mkdir(parents=True, exist_ok=True)
        pq.write_table(visits(part), site / f"part-{part}.parquet")
    return tmp_path / "visits"


def together():
    """All rows in memory."""
    parts = [visits(part).select(["died", "risk", "sex"]) for part in range(4)]
    table = pa.concat_tables(parts)
    return table.append_column("site", pa.array(np.repeat(["a", "b", "a", "b"], 500).tolist()))


PATHS = {
    "folder": lambda folder: folder,
    "pattern": lambda folder: str(folder / "*" / "*.parquet"),
    "all below": lambda folder: str(folder / "**" / "*.parquet"),
    "files": lambda folder: sorted(folder.rglob("*.parquet")),
    "folders": lambda folder: [folder / "site=a", folder / "site=b"],
}


@pytest.mark.parametrize("collect", [None, False])
@pytest.mark.parametrize("way", PATHS)
def test_files_of_a_folder_are_one_table(folder, way, collect):
    found = Predictions.from_parquet(PATHS[way](folder), **ROLES, collect=collect)
    assert isinstance(found, LazyPredictions) == (collect is False)
    assert audit(found, **ASKED) == audit(Predictions.from_frame(together(), **ROLES), **ASKED)


@pytest.mark.parametrize("name", ["_temporary/0/part-9", "site=a/.part-9", ".snapshot/site=a/part-9", "site=a/_part-9"])
def test_files_that_another_program_has_not_finished_are_left_out(folder, name):
    path = folder / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(visits(9), path)
    assert len(Predictions.from_parquet(folder, **ROLES)) == 2_000


@pytest.mark.parametrize("name", ["_delta_log/0.json", "one/metadata/v1.metadata.json", ".hoodie/hoodie.properties"])
def test_a_table_whose_files_hold_deleted_rows_is_refused(folder, name):
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text("{}")
    with pytest.raises(InvalidPredictions, match=r"^visits(/one)?: holds a table of .*, whose files have deleted"):
        Predictions.from_parquet(folder, **ROLES)


@pytest.mark.parametrize("pattern", ["visits/**/*.parquet", "visits/*/*.parquet", "visits/*"])
@pytest.mark.parametrize("name", ["_temporary/part-9.parquet", "site=a/_part-9.parquet", "_SUCCESS"])
def test_a_pattern_leaves_out_what_a_folder_does(folder, pattern, name):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(visits(9), folder / name)
    if pattern == "visits/*":
        for path in folder.glob("site=*"):
            path.rename(path.with_name(f"{path.name}.parquet"))  # Spark calls folders so
    features = ["sex"] if pattern == "visits/*" else ["sex", "site"]
    assert len(Predictions.from_parquet(pattern, **(ROLES | {"by": features}))) == 2_000


@pytest.mark.parametrize("paths", ["visits/*/*.parquet", "visits/site=a", "visits/site=a/*.parquet"])
def test_a_part_of_a_table_whose_files_hold_deleted_rows_is_refused(folder, paths):
    (folder / "_delta_log").mkdir()
    with pytest.raises(InvalidPredictions, match=r"^visits: holds a table of Delta Lake, whose files have deleted"):
        Predictions.from_parquet(paths, **ROLES)


AGAIN = {
    "absolute": lambda file: [file, file.absolute()],
    "by a folder and back": lambda file: [file, "visits/site=a/../site=a/part-0.parquet"],
    "symbolic link": lambda file: link(file, lambda new: new.symlink_to(file.absolute())),
    "hard link": lambda file: link(file, lambda new: new.hardlink_to(file)),
    "linked folder": lambda file: ["visits", link(file.parent, lambda new: new.symlink_to(file.parent.absolute()))[1]],
}


def link(file, make):
    new = file.with_name(f"linked-{file.name}")
    make(new)
    return [file, new]


@pytest.mark.parametrize("how", AGAIN)
def test_a_file_by_two_names_is_refused(folder, how):
    paths = AGAIN[how](folder.relative_to(folder.parent) / "site=a" / "part-0.parquet")
    with pytest.raises(InvalidPredictions, match=r"is there twice, as .*one file, whose rows would count twice"):
        Predictions.from_parquet(paths, **(ROLES | {"by": "sex"}))


@pytest.mark.parametrize("collect", [None, False])
@pytest.mark.parametrize("paths", ["sex=q/died=1", "sex=q/died=1/*.parquet", "sex=q/died=1/a.parquet"])
def test_folders_above_what_is_given_are_no_columns(tmp_path, monkeypatch, paths, collect):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sex=q" / "died=1").mkdir(parents=True)
    pq.write_table(visits(0), tmp_path / "sex=q" / "died=1" / "a.parquet")
    roles = ROLES | {"by": "sex"}
    found = Predictions.from_parquet(paths, **roles, collect=collect)
    asked = ASKED | {"by": "sex"}
    assert audit(found, **asked) == audit(Predictions.from_frame(visits(0), **roles), **asked)
    with pytest.raises(InvalidPredictions, match=r"there is no column 'site'|column 'site' is not in the frame"):
        Predictions.from_parquet(paths, **ROLES)


def test_a_column_of_folders_above_is_named(folder):
    with pytest.raises(InvalidPredictions, match=r"part-0\.parquet: there is no column 'site'; only folders below the"):
        Predictions.from_parquet("visits/site=a", **ROLES)


@pytest.mark.parametrize("column", ["site", "Site", "died"])
def test_a_folder_that_says_a_column_of_its_files_is_refused(folder, column):
    if column == "died":  # labels, too
        for path in folder.glob("site=*"):
            path.rename(path.with_name(f"died={int(path.name == 'site=a')}"))
    else:
        path = folder / "site=a" / "part-9.parquet"
        pq.write_table(visits(9).append_column(column, pa.array(["a"] * 500)), path)
    with pytest.raises(
        InvalidPredictions, match=rf"column '{column}' is in the file, and a folder {column}=\.\.\. says"
    ):
        Predictions.from_parquet(folder, **(ROLES | {"by": ["sex"] if column == "died" else ["sex", "site"]}))


def test_folders_that_say_other_columns_are_refused(folder):
    path = folder / "site=a" / "year=2024" / "part-9.parquet"
    path.parent.mkdir()
    pq.write_table(visits(9), path)
    message = r"part-9\.parquet: lies in folders site=\.\.\./year=\.\.\., other files in folders site=\.\.\.; write all"
    with pytest.raises(InvalidPredictions, match=message):
        Predictions.from_parquet(folder, **ROLES)


@pytest.mark.parametrize("name", ["x[1]", "v*", "a?", "q'", "{a,b}"])
@pytest.mark.parametrize("way", ["file", "folder", "folder of that name"])
def test_names_are_no_patterns(tmp_path, name, way):
    home = tmp_path / (name if way == "folder of that name" else "home")
    home.mkdir()
    for other_name in ("x1", "v2", "ab", "a"):
        (tmp_path / other_name).mkdir()
        pq.write_table(visits(1), tmp_path / other_name / "part.parquet")
        pq.write_table(visits(1), (home if way == "file" else tmp_path) / f"{other_name}.parquet")
    pq.write_table(visits(2), home / f"{name}.parquet")
    found = Predictions.from_parquet(
        home / f"{name}.parquet" if way == "file" else home, **(ROLES | {"by": "sex"}), collect=False
    )
    assert len(found) == 500
    assert audit(found, **(ASKED | {"by": "sex"})) == audit(
        Predictions.from_frame(visits(2), **(ROLES | {"by": "sex"})), **(ASKED | {"by": "sex"})
    )


TWINS = {
    "in another order": (["risk", "RISK"], r"column 'RISK' and 'risk' differ in letter case only"),
    "twice": (["risk", "risk"], r"column 'risk' is there twice; rename one of them"),
}


@pytest.mark.parametrize("case", TWINS)
def test_columns_that_duckdb_takes_for_one_are_refused(folder, case):
    names, message = TWINS[case]
    path = folder / "site=b" / "part-1.parquet"
    table = pq.read_table(path, partitioning=None)
    columns = [table["died"], pa.array([0.5] * 500), table["risk"], table["sex"]]
    pq.write_table(pa.table(columns, names=["died", *reversed(names), "sex"]), path)
    with pytest.raises(InvalidPredictions, match=rf"^visits/site=b/part-1\.parquet: {message}"):
        Predictions.from_parquet(folder, **ROLES)


def test_a_field_within_a_column_is_no_column(folder):
    path = folder / "site=b" / "part-1.parquet"
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.drop_columns("sex").append_column("meta", pa.array([{"sex": "f"}] * 500)), path)
    with pytest.raises(
        InvalidPredictions, match=r"^visits/site=b/part-1\.parquet: there is no column 'sex', which 3 of"
    ):
        Predictions.from_parquet(folder, **ROLES)


def test_a_column_may_have_the_name_of_ours(folder):
    for path in folder.rglob("*.parquet"):
        changed("sex", "fairness_checks_file")(path)
    found = Predictions.from_parquet(folder, **(ROLES | {"by": ["fairness_checks_file", "site"]}), collect=False)
    assert found.sensitive_features["fairness_checks_file"].groups == ("f", "m")


def test_types_of_whole_numbers_are_told_in_letters(folder):
    path = folder / "site=a" / "part-2.parquet"
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.set_column(0, "died", table["died"].cast(pa.int8())), path)
    message = (
        r"^visits/site=a/part-2\.parquet: column 'died' is of type INT32 INT_8, in the other files of type integer;"
    )
    with pytest.raises(InvalidPredictions, match=message):
        Predictions.from_parquet(folder, **ROLES)


def test_scores_of_16_bits_are_refused(folder):
    for path in folder.rglob("*.parquet"):
        changed("risk", values=lambda old: np.array(old, dtype=np.float16))(path)
    with pytest.raises(InvalidPredictions, match=r"part-0\.parquet: column 'risk' holds floats of 16 bits"):
        Predictions.from_parquet(folder, **ROLES, threshold=0.1)


@pytest.mark.parametrize("path", [None, b"visits", "", [None], 3])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(InvalidPredictions, match=r"^path: .* is no path; give a Parquet file"):
        Predictions.from_parquet(path, **ROLES)


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def without_schema(path):
    content = path.read_bytes()
    begin = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    path.write_bytes(content[:begin] + bytes(40) + content[begin + 40 :])


def changed(column, name=None, values=None):
    def change(path):
        table = pq.read_table(path, partitioning=None)
        at = table.column_names.index(column)
        new = table[column] if values is None else pa.array(values(table[column].to_pylist()))
        pq.write_table(table.set_column(at, name or column, new), path)

    return change


SPOILT = {
    "truncated": (cut, r"^visits/site=a/part-2\.parquet: is cut off: it does not end as Parquet does; write it again$"),
    "empty": (
        lambda path: path.write_bytes(b""),
        r"^visits/site=a/part-2\.parquet: the file is empty; write it again$",
    ),
    "a page that is not whole": (
        lambda path: path.write_bytes(path.read_bytes()[:60] + bytes(200) + path.read_bytes()[260:]),
        r"^visits/site=a/part-2\.parquet: cannot be read as Parquet: [^:]+; write it again$",
    ),
    "a footer that is none": (
        without_schema,
        r"^visits/site=a/part-2\.parquet: cannot be read as Parquet: [^:]+; write it again$",
    ),
    "no Parquet": (
        lambda path: path.write_text("died,risk,sex\n1,0.5,f\n"),
        r"^visits/site=a/part-2\.parquet: this is no Parquet; write it again, or name it by what it holds$",
    ),
    "encrypted": (
        lambda path: path.write_bytes(b"PARE" + path.read_bytes()[4:-4] + b"PARE"),
        r"^visits/site=a/part-2\.parquet: is encrypted Parquet, which is not read; ",
    ),
    "renamed column": (
        changed("risk", "score"),
        r"^visits/site=a/part-2\.parquet: there is no column 'risk', which 3 of 4 files have; was it renamed\?$",
    ),
    "changed type": (
        changed("risk", values=lambda old: [str(each) for each in old]),
        r"^visits/site=a/part-2\.parquet: column 'risk' is of type BYTE_ARRAY.*, in the other files of type DOUBLE",
    ),
    "one null label": (
        changed("died", values=lambda old: [None, *old[1:]]),
        r"^visits: y_true: 1 of 2,000 values of column 'died' is missing .*\(in visits/site=a/part-2\.parquet\)$",
    ),
    "NaN": (
        changed("risk", values=lambda old: [float("nan"), *old[1:]]),
        r"^visits: y_score: 1 of 2,000 values of column 'risk' is NaN.*\(in visits/site=a/part-2\.parquet\)$",
    ),
    "percentages": (
        changed("risk", values=lambda old: [100.0 * each for each in old]),
        r"values of column 'risk' are outside \[0, 1\].*\(in visits/site=a/part-2\.parquet\)$",
    ),
}


@pytest.mark.parametrize("collect", [None, False])
@pytest.mark.parametrize("case", SPOILT)
def test_one_bad_file_is_one_error_that_names_it(folder, case, collect):
    spoil, message = SPOILT[case]
    spoil(folder / "site=a" / "part-2.parquet")
    with pytest.raises(InvalidPredictions, match=message) as caught:
        Predictions.from_parquet("visits", **ROLES, collect=collect)
    assert str(caught.value).startswith("visits")


@pytest.mark.parametrize("collect", [None, False])
@pytest.mark.parametrize("path", ["visits", "visits/**/*.parquet"])
def test_files_and_folders_behind_links_are_read(folder, path, collect):
    right = audit(Predictions.from_parquet(folder, **ROLES), **ASKED)
    away = folder.parent / "away"
    (folder / "site=b").rename(away)
    (folder / "site=b").symlink_to(away)
    (folder / "site=a" / "part-0.parquet").rename(away.parent / "part")
    (folder / "site=a" / "part-0.parquet").symlink_to(away.parent / "part")
    assert audit(Predictions.from_parquet(path, **ROLES, collect=collect), **ASKED).groups == right.groups


def test_a_link_in_a_circle_is_named(folder):
    (folder / "site=a" / "more").symlink_to(folder)
    with pytest.raises(InvalidPredictions, match=r"^visits/site=a/more: leads to a folder that it lies in; remove"):
        Predictions.from_parquet("visits", **ROLES)


@pytest.mark.parametrize("name", ["part-2.parq", "part-2.parquet.partial", "part-2"])
def test_parquet_that_a_folder_would_leave_out_by_its_name_is_named(folder, name):
    path = folder / "site=a" / "part-2.parquet"
    path = path.rename(path.with_name(name))
    with pytest.raises(InvalidPredictions, match=rf"^visits/site=a/{name}: holds Parquet, and would be left out"):
        Predictions.from_parquet("visits", **ROLES)
    path = path.rename(path.with_name("part-2.PQ"))
    (folder / "README.md").write_text("what these files are")
    assert len(Predictions.from_parquet("visits", **ROLES)) == 2_000
    path.rename(path.with_name(f"_{name}"))
    assert len(Predictions.from_parquet("visits", **ROLES)) == 1_500


LOCKED = """
import json, os, sys
from pathlib import Path
from fairness_checks import InvalidPredictions, Predictions

def read(path):
    return Predictions.from_parquet(path, y_true="died", y_score="risk", by="sex")

assert len(read("visits")) == 2_000
for path, locked, _ in json.loads(sys.argv[1]):
    Path(locked).chmod(0)
    if is_root := os.getuid() == 0:  # who may read all
        os.setresuid(65534, 65534, 0)
    try:
        print(read(path))
    except InvalidPredictions as error:
        print(error)
    if is_root:
        os.setresuid(0, 0, 0)
    Path(locked).chmod(0o755)
"""
NOT_READ = [
    ("visits", "visits/site=b", "visits/site=b: the folder cannot be read: Permission denied; let it be read, or name"),
    ("visits/*/*.parquet", "visits/site=b", "visits/site=b: the folder cannot be read: Permission denied"),
    ("visits/**/*.parquet", "visits/site=b", "visits/site=b: the folder cannot be read: Permission denied"),
    ("visits/*/part-1.parquet", "visits", "visits: the folder cannot be read: Permission denied"),
    ("visits", "visits/site=b/part-1.parquet", "visits/site=b/part-1.parquet: cannot be read: Permission denied"),
    ("visits/site=b/part-1.parquet", "visits", "visits/site=b/part-1.parquet: cannot be read: Permission denied"),
]


@pytest.mark.skipif(os.name == "nt", reason="files are locked in other ways")
def test_what_may_not_be_read_is_named_and_not_left_out(folder):
    with tempfile.TemporaryDirectory() as open_to_all:
        Path(open_to_all).chmod(0o755)
        shutil.copytree(folder, Path(open_to_all) / "visits")
        command = [sys.executable, "-c", LOCKED, json.dumps(NOT_READ)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=open_to_all)
    assert done.returncode == 0, done.stderr
    for line, (*_, message) in zip(done.stdout.splitlines(), NOT_READ, strict=True):
        assert line.startswith(message)


def test_text_in_the_place_of_scores(folder):
    for path in folder.rglob("*.parquet"):
        changed("risk", values=lambda old: [str(each) for each in old])(path)
    with pytest.raises(InvalidPredictions, match=r"^visits: y_score: column 'risk' holds String; numbers are needed"):
        Predictions.from_parquet("visits", **ROLES)


def test_what_is_not_there_is_named(folder):
    with pytest.raises(InvalidPredictions, match=r"^visits/site=c/part-4\.parquet: there is no such file"):
        Predictions.from_parquet([*folder.rglob("*.parquet"), "visits/site=c/part-4.parquet"], **ROLES)
    with pytest.raises(InvalidPredictions, match=r"^visits/\*\.parquet: no Parquet file is there"):
        Predictions.from_parquet("visits/*.parquet", **ROLES)
    with pytest.raises(InvalidPredictions, match="path: names no file"):
        Predictions.from_parquet([], **ROLES)
    with pytest.raises(InvalidPredictions, match="visits: y_score: column 'rsk' is not in the frame; did you mean"):
        Predictions.from_parquet("visits", **(ROLES | {"y_score": "rsk"}))


def in_its_place(path):
    """Other values in a file of the same size, which says that it is as old as the first."""
    state, content = path.stat(), bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


LATER = {
    "replaced": lambda path: pq.write_table(visits(1).slice(0, 400), path),
    "replaced by as many bytes of the same time": in_its_place,
    "gone": Path.unlink,
}


@pytest.mark.parametrize("how", LATER)
def test_a_file_that_changes_in_between_fails_what_is_asked_next(folder, how):
    found = Predictions.from_parquet("visits", **ROLES, collect=False)
    LATER[how](folder / "site=b" / "part-1.parquet")
    with pytest.raises(InvalidPredictions, match=rf"^visits/site=b/part-1\.parquet: .*{how.split()[0]}.*run again"):
        audit(found, metric="brier_score", by="sex", max_difference=0.1)


def test_a_source_whose_files_change_before_they_are_read_is_refused(folder, monkeypatch):
    def late(*_):
        pq.write_table(visits(8), folder / "site=a" / "part-0.parquet")

    monkeypatch.setattr(frame_sources, "_positive", late)
    with pytest.raises(InvalidPredictions, match=r"part-0\.parquet: was replaced while it was read"):
        read_source(Source(file="visits", y_true="died", y_score="risk"), folder.parent, ["sex", "site"])


@pytest.mark.parametrize("whole", [True, False])
def test_the_digest_is_of_all_bytes_or_called_what_it_is_of(folder, monkeypatch, whole):
    if not whole:
        monkeypatch.setattr(parquet_files, "_WHOLE", 1)
        monkeypatch.setattr(parquet_files, "_END", 500)
    source = Source(file="visits", y_true="died", y_score="risk")
    path = folder / "site=a" / "part-0.parquet"

    def digest():
        about = dict(read_source(source, folder.parent, ["site"]).about)
        return about.pop("files"), *about.popitem(), *about

    before = digest()
    assert before[1] == ("files_sha256" if whole else "files_sizes_and_ends_sha256")
    pages = path.read_bytes()
    assert len(pages) > 2_000
    column = pq.ParquetFile(path).metadata.row_group(0).column(3)  # one that nobody reads
    at = column.dictionary_page_offset + 100
    path.write_bytes(pages[:at] + bytes([pages[at] ^ 1]) + pages[at + 1 :])
    assert (digest() != before) == whole


def scratch_folders(tmp_path):
    return [path for path in tmp_path.iterdir() if path.name.startswith("fairness-duckdb-")]


@pytest.mark.parametrize("collect", [None, False])
def test_duckdb_has_a_folder_of_its_own_that_goes_with_the_rows(folder, tmp_path, monkeypatch, collect):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = Predictions.from_parquet("visits", **ROLES, collect=collect)
    audit(found, metric="brier_score", by="sex", max_difference=0.1)
    if collect is False:
        (scratch,) = scratch_folders(tmp_path)
        assert scratch.stat().st_mode & 0o777 == 0o700
        other = Predictions.from_parquet("visits", **ROLES, collect=False)
        assert len(scratch_folders(tmp_path)) == 2, "each its own"
        (scratch / "spilt").write_text("rows")
        parquet_files._remove(str(scratch), os.getpid() + 1)  # what a forked process leaves is still the other's
        assert len(scratch_folders(tmp_path)) == 2
        del other
    del found
    gc.collect()
    assert not scratch_folders(tmp_path)


def test_a_source_is_a_pattern_a_folder_or_a_function(folder):
    right = audit(Predictions.from_frame(together(), **ROLES), **ASKED)
    columns = {"y_true": "died", "y_score": "risk"}
    (folder.parent / "warehouse.py").write_text(
        "import duckdb\n\ndef scored():\n    return duckdb.sql(\"select * from read_parquet('visits/*/*.parquet')\")\n"
    )
    for given in ({"file": "visits"}, {"file": "visits/*/*.parquet"}, {"python": "warehouse:scored"}):
        found = read_source(Source(**given, **columns), folder.parent, ["sex", "site"])
        assert audit(found, **ASKED).groups == right.groups
        assert set(found.about) == ({"python"} if "python" in given else {"files", "files_sha256"})
    before = read_source(Source(file="visits", **columns), folder.parent, ["site"]).about["files_sha256"]
    pq.write_table(visits(7), folder / "site=b" / "part-1.parquet")
    after = read_source(Source(file="visits", **columns), folder.parent, ["site"]).about["files_sha256"]
    (folder / "site=b").rename(folder / "site=c")
    renamed = read_source(Source(file="visits", **columns), folder.parent, ["site"]).about["files_sha256"]
    assert len({before, after, renamed}) == 3


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("absent:scored", "python: absent: there is no module 'absent' in .*, beside the file of limits, and none"),
        ("brokn_house:fails", "python: brokn_house: there is no module .*; did you mean 'broken_house'[?]"),
        ("broken_house:number.of", "python: broken_house:number.of: there is no 'of'"),
        ("broken_house:numbre", "python: broken_house:numbre: there is no 'numbre'; did you mean 'number'[?]"),
        ("broken_house:imports", "python: broken_house:imports: ModuleNotFoundError: No module named 'absent'"),
        ("broken_house:fails", "python: broken_house:fails: RuntimeError: the warehouse is closed"),
        ("broken_house:number", "python: broken_house:number: frame: int is no frame that narwhals reads"),
    ],
)
def test_a_function_that_gives_no_frame_is_named(folder, function, message, monkeypatch):
    monkeypatch.delitem(sys.modules, "broken_house", raising=False)  # of the folder of another test
    (folder.parent / "broken_house.py").write_text(
        "def fails():\n    raise RuntimeError('the warehouse is closed')\n\ndef number():\n    return 3\n\n"
        "def imports():\n    import absent\n"
    )
    with pytest.raises(InvalidPredictions, match=f"^{message}"):
        read_source(Source(python=function, y_true="died", y_score="risk"), folder.parent, ["sex"])


EXITS = {
    "function": "def scored():\n    raise SystemExit(0)\n",
    "import": "import sys\nsys.exit(0)\n",
    "lazy map": """
import polars as pl

def leave(frame):
    raise SystemExit(0)

def scored():
    rows = pl.DataFrame({"died": [0, 1], "risk": [0.2, 0.8], "site": ["a", "b"]})
    return rows.lazy().map_batches(leave, schema=rows.schema)
""",
}


@pytest.mark.parametrize("command", ["audit", "statistics"])
@pytest.mark.parametrize("where", EXITS)
def test_a_function_that_exits_judges_nothing_and_is_an_error(tmp_path, monkeypatch, capsys, where, command):
    monkeypatch.chdir(tmp_path)
    module = f"leaving_{list(EXITS).index(where)}_{command}"
    (tmp_path / f"{module}.py").write_text(EXITS[where])
    (tmp_path / "thresholds.yaml").write_text(
        f"""
version: 1
models:
  pooled:
    source: {{python: "{module}:scored", y_true: died, y_score: risk}}
    subgroups: [{{metric: roc_auc, by: site, max_difference: 0.2}}]
"""
    )
    more = ["-o", "part.json"] if command == "statistics" else []
    assert main([command, "--config", "thresholds.yaml", *more]) == 2
    assert f"python: {module}:scored" in capsys.readouterr().err
    assert not (tmp_path / "part.json").exists()


def test_a_module_of_that_name_which_is_another_file_is_refused(tmp_path, monkeypatch):
    source = Source(python="shadowed_house:scored", y_true="died", y_score="risk")
    rows = {"died": [0, 1], "risk": [0.1, 0.9], "sex": ["f", "m"]}
    told = f"import polars\n\ndef scored():\n    return polars.DataFrame({rows})\n"
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "shadowed_house.py").write_text(told)
    (tmp_path / "two" / "time.py").write_text(told)
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert len(read_source(source, tmp_path / "one", ["sex"])) == 2
    with pytest.raises(InvalidPredictions, match=r"shadowed_house: is a module of one/shadowed_house\.py already, so"):
        read_source(source, tmp_path / "two", ["sex"])
    with pytest.raises(InvalidPredictions, match=r"time: is a module of Python itself already, so that two/time\.py"):
        read_source(dataclasses.replace(source, python="time:scored"), tmp_path / "two", ["sex"])


@pytest.mark.parametrize("given", [{"file": "visits"}, {"file": "one.parquet"}, {"python": "small_house:scored"}])
def test_a_source_says_whether_rows_stay_in_their_engine(folder, given, monkeypatch):
    monkeypatch.delitem(sys.modules, "small_house", raising=False)
    pq.write_table(together(), folder.parent / "one.parquet")
    (folder.parent / "small_house.py").write_text(
        "import duckdb\n\ndef scored():\n    return duckdb.read_parquet('one.parquet')\n"
    )
    source = Source(**given, y_true="died", y_score="risk")
    right = audit(Predictions.from_frame(together(), **ROLES), **ASKED)
    for collect in (None, True, False):
        found = read_source(dataclasses.replace(source, collect=collect), folder.parent, ["sex", "site"])
        assert isinstance(found, LazyPredictions) is (collect is False)
        assert audit(found, **ASKED).groups == right.groups


def test_a_file_that_a_function_cannot_read_is_named_with_the_model(folder, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "torn_house", raising=False)
    (folder.parent / "torn.parquet").write_bytes((folder / "site=b" / "part-1.parquet").read_bytes()[:-9])
    (folder.parent / "torn_house.py").write_text(
        "import polars\n\ndef scored():\n    return polars.scan_parquet('torn.parquet')\n"
    )
    path = folder.parent / "thresholds.yaml"
    path.write_text(LIMITS.replace("warehouse_of_all", "torn_house"))
    assert main(["audit", "--config", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fairness-checks audit: pooled: python: torn_house:scored: frame: polars.LazyFrame failed")
    assert "ComputeError" in line


def test_what_is_for_single_files_is_refused(folder):
    source = Source(file="visits", y_true="died", y_score="risk", bins={"risk": (0.5,)})
    with pytest.raises(ConfigurationError, match="visits: bins is for a single file"):
        read_source(source, folder.parent, ["sex", "risk"])


LIMITS = """
version: 1
models:
  pooled:
    source: {python: "warehouse_of_all:scored", y_true: died, y_score: risk, positive: 1}
    subgroups: [{metric: accuracy, by: site, max_difference: 0.2}]
  sites:
    source: {file: visits, y_true: died, y_score: risk}
    subgroups: [{metric: accuracy, by: site, max_difference: 0.2}]
"""


def test_a_file_of_limits_names_them(folder, capsys):
    (folder.parent / "warehouse_of_all.py").write_text(
        textwrap.dedent("""
        import polars as pl

        def scored():
            return pl.scan_parquet("visits/**/*.parquet", hive_partitioning=True, missing_columns="insert",
                                   extra_columns="ignore")
        """)
    )
    path = folder.parent / "thresholds.yaml"
    path.write_text(LIMITS)
    assert main(["audit", "--config", str(path)]) == 0, capsys.readouterr().out
    assert "2 pass" in capsys.readouterr().out
    for wrong, message in (
        ("python: scored", "source.python: is 'scored'; write module:function"),
        ("y_score: risk", "source.file: is missing; write"),
    ):
        source = wrong if wrong.startswith("y_score") else f"{wrong}, y_score: risk"
        path.write_text(LIMITS.replace("file: visits, y_true: died, y_score: risk", f"{source}, y_true: died"))
        assert main(["audit", "--config", str(path)]) == 2
        assert message in " ".join(capsys.readouterr().err.split())
