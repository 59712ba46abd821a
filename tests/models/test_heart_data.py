"""The two tables are those of the study, and a file that cannot be had is one clear error."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import re
import subprocess
import sys
import threading
import urllib.error
import zipfile
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from models.data import DATASETS, heart, sources
from models.data.heart import HeartTable, load_heart_disease, load_heart_failure
from models.data.sources import DataFile, DataUnavailable, Member, read_verified
from tests.builders import instead

CONTENT = b"age,sex\n60,1\n"
OTHER = b"age,sex\n61,1\n"
FILE = DataFile(
    filename="table.csv",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    source="A registry, https://example.org",
    licence="CC BY 4.0",
    archive=Member("https://example.org/table.zip", "table.csv"),
    package=Member("some_package==1.0", "some_package/table.csv"),
)


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return buffer.getvalue()


_DEFLATED = zlib.compress(CONTENT, wbits=-15)
DAMAGED = archive(**{"table.csv": CONTENT}).replace(_DEFLATED, b"\xff" * len(_DEFLATED))


class Network:
    """Stands for the two fetchers; counts what was asked for."""

    def __init__(self) -> None:
        self.archive: bytes | Exception = urllib.error.URLError("name or service not known")
        self.wheel: bytes | Exception = OSError("no matching distribution found")
        self.asked: list[str] = []

    def wheel_of(self, package: str) -> bytes:
        return self.answer(package, self.wheel)

    def answer(self, address: str, content: bytes | Exception) -> bytes:
        self.asked.append(address)
        if isinstance(content, Exception):
            raise content
        return content


@pytest.fixture
def network(monkeypatch, tmp_path) -> Network:
    """No network, an empty cache and no folder of the user's."""
    network = Network()
    monkeypatch.setattr(sources, "download", lambda address: network.answer(address, network.archive))
    monkeypatch.setattr(sources, "download_wheel", network.wheel_of)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home-cache"))
    monkeypatch.delenv("FAIRNESS_DATA", raising=False)
    return network


def cached(tmp_path: Path) -> Path:
    return tmp_path / "home-cache" / "fairness_checks" / "data" / FILE.filename


def counts(table: HeartTable) -> dict[str, tuple[int, int]]:
    """Return (patients, with the outcome) for each sex."""
    return {
        sex: (int((table.sex == sex).sum()), int(table.outcome[table.sex == sex].sum())) for sex in ("female", "male")
    }


def test_heart_failure_has_the_published_counts():
    table = load_heart_failure()
    assert table.features.shape == (299, 12)
    assert counts(table) == {"female": (105, 34), "male": (194, 62)}
    assert "time" in table.features
    assert "DEATH_EVENT" not in table.features


def test_heart_disease_is_reduced_to_the_rows_of_the_study():
    whole = heart._read("heart_disease")
    assert [len(whole), len(whole.drop_duplicates())] == [1190, 918]
    table = load_heart_disease()
    assert table.features.shape == (746, 11)
    assert counts(table) == {"female": (182, 40), "male": (564, 316)}
    assert "target" not in table.features
    assert (table.features["cholesterol"] > 0).all()


@pytest.mark.parametrize("load", [load_heart_failure, load_heart_disease])
def test_no_row_has_the_features_of_another(load):
    assert not load().features.duplicated().any()


@pytest.mark.parametrize("load", [load_heart_failure, load_heart_disease])
def test_a_table_is_aligned_complete_and_says_where_it_comes_from(load):
    table = load()
    assert dataclasses.is_dataclass(table)
    assert table.outcome.dtype == np.int8
    assert set(np.unique(table.outcome)) == {0, 1}
    assert not table.features.isna().any(axis=None)
    np.testing.assert_array_equal(table.features.index, np.arange(len(table.outcome)))
    np.testing.assert_array_equal(table.sex == "male", table.features["sex"] == 1)
    np.testing.assert_array_equal(table.age_band == "under 60", table.features["age"] < 60)
    assert set(np.unique(table.age_band)) == {"under 60", "60 and over"}
    assert (table.sha256, table.licence) == (DATASETS[table.name].sha256, "CC BY 4.0")
    assert "https://doi.org/" in table.source


def test_the_folder_of_the_user_comes_first(network, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRNESS_DATA", str(tmp_path))
    (tmp_path / "table.csv").write_bytes(CONTENT)
    assert read_verified(FILE) == CONTENT
    assert network.asked == []
    assert not cached(tmp_path).exists()


def test_the_archive_is_fetched_once_and_kept(network, tmp_path):
    network.archive = archive(**{"table.csv": CONTENT, "readme.txt": b"other"})
    assert read_verified(FILE) == read_verified(FILE) == CONTENT
    assert network.asked == ["https://example.org/table.zip"]
    assert cached(tmp_path).read_bytes() == CONTENT
    assert [path.name for path in cached(tmp_path).parent.iterdir()] == [FILE.filename]


def test_the_package_is_the_last_resort(network, tmp_path):
    network.wheel = archive(**{"some_package/table.csv": CONTENT, "some_package/__init__.py": b"1/0"})
    assert read_verified(FILE) == CONTENT
    assert network.asked == ["https://example.org/table.zip", "some_package==1.0"]
    assert cached(tmp_path).read_bytes() == CONTENT


def test_another_content_is_passed_over_everywhere_and_replaced_in_the_cache(network, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRNESS_DATA", str(tmp_path))
    (tmp_path / "table.csv").write_bytes(OTHER)
    cached(tmp_path).parent.mkdir(parents=True)
    cached(tmp_path).write_bytes(OTHER)
    network.archive = archive(**{"table.csv": OTHER})
    network.wheel = archive(**{"some_package/table.csv": CONTENT})
    assert read_verified(FILE) == CONTENT
    assert cached(tmp_path).read_bytes() == CONTENT
    assert (tmp_path / "table.csv").read_bytes() == OTHER, "a file of the user's is never written"


def test_an_unwritable_cache_does_not_lose_what_was_fetched(network, tmp_path):
    (tmp_path / "home-cache").write_text("in the way")
    network.archive = archive(**{"table.csv": CONTENT})
    assert read_verified(FILE) == CONTENT


def test_one_error_lists_every_place_with_its_reason_and_the_remedy(network, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRNESS_DATA", str(tmp_path))
    (tmp_path / "table.csv").write_bytes(OTHER)
    network.archive = archive(**{"something else.csv": CONTENT})
    with pytest.raises(DataUnavailable) as caught:
        read_verified(FILE)
    lines = str(caught.value).splitlines()
    assert lines[0] == "table.csv was found at none of these places:"
    assert f"FAIRNESS_DATA={tmp_path}: another content: sha256 {hashlib.sha256(OTHER).hexdigest()}" in lines[1]
    assert "UCI archive https://example.org/table.zip: There is no item named 'table.csv'" in lines[2]
    assert "Python index, package some_package==1.0: no matching distribution found" in lines[3]
    assert "set FAIRNESS_DATA to the folder that holds it" in lines[4]
    assert FILE.source in lines[5]
    assert "CC BY 4.0" in lines[5]
    assert len(lines) == 6


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_the_real_files_have_their_places_named(network, name):
    with pytest.raises(DataUnavailable) as caught:
        read_verified(DATASETS[name])
    message = str(caught.value)
    assert "FAIRNESS_DATA: not set" in message
    assert ("UCI archive: does not hold this file" in message) == (name == "heart_disease")
    assert DATASETS[name].package.container in message


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"<html>", "not a zip file"),
        (DAMAGED, "decompressing data"),
        (archive(**{"table.csv": OTHER}), "does not match the known hash"),
        (TimeoutError("timed out"), "timed out"),
    ],
    ids=["html", "damaged", "another content", "timeout"],
)
def test_whatever_the_archive_answers_the_next_place_is_tried(network, tmp_path, broken, reason):
    network.archive = broken
    with pytest.raises(DataUnavailable, match=reason):
        read_verified(FILE)
    assert network.asked == ["https://example.org/table.zip", "some_package==1.0"]
    assert not any(cached(tmp_path).parent.iterdir()), "nothing half-written"


def test_without_pooch_the_files_of_the_user_are_read_and_else_it_is_named(network, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(DataUnavailable, match=r"UCI archive .*: import of pooch halted"):
        read_verified(FILE)
    monkeypatch.setenv("FAIRNESS_DATA", str(tmp_path))
    (tmp_path / "table.csv").write_bytes(CONTENT)
    assert read_verified(FILE) == CONTENT


class Archive(BaseHTTPRequestHandler):
    """Serves one zip archive."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/table.zip" else 404)
        self.end_headers()
        self.wfile.write(archive(**{"table.csv": CONTENT}))

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def test_an_archive_comes_over_http_and_why_one_does_not_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home-cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("FAIRNESS_DATA", raising=False)
    monkeypatch.setattr(sources, "download_wheel", Network().wheel_of)
    with ThreadingHTTPServer(("127.0.0.1", 0), Archive) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(DataUnavailable, match=f"UCI archive {url}/gone.zip: 404 .*Not Found"):
            read_verified(dataclasses.replace(FILE, archive=Member(f"{url}/gone.zip", "table.csv")))
        served = dataclasses.replace(FILE, archive=Member(f"{url}/table.zip", "table.csv"))
        assert read_verified(served) == CONTENT
        server.shutdown()
    assert read_verified(served) == CONTENT, "kept"
    cached(tmp_path).unlink()
    with pytest.raises(DataUnavailable) as caught:
        read_verified(served)
    assert re.search(r"/table\.zip: .*Connection refused", str(caught.value).splitlines()[2])
    assert "0x" not in str(caught.value)


def test_a_wheel_is_downloaded_by_pip_without_running_anything(monkeypatch):
    def pip(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        assert command[1:4] == ["-m", "pip", "download"]
        assert {"--no-deps", "--only-binary", ":all:", "some_package==1.0"} <= set(command)
        Path(command[command.index("--dest") + 1], "some_package-1.0-py3-none-any.whl").write_bytes(b"wheel")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(sources, "subprocess", instead(subprocess, run=pip))
    assert sources.download_wheel("some_package==1.0") == b"wheel"


def test_the_reason_of_a_failed_wheel_is_the_last_line_of_pip(monkeypatch):
    def pip(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: No matching distribution\n")

    monkeypatch.setattr(sources, "subprocess", instead(subprocess, run=pip))
    with pytest.raises(OSError, match=r"^ERROR: No matching distribution$"):
        sources.download_wheel("some_package==1.0")


def test_a_slow_index_is_given_up(monkeypatch):
    def pip(command: list[str], **options: object) -> None:
        raise subprocess.TimeoutExpired(command, 60)

    monkeypatch.setattr(sources, "subprocess", instead(subprocess, run=pip))
    with pytest.raises(OSError, match="no answer within 60 s"):
        sources.download_wheel("some_package==1.0")
