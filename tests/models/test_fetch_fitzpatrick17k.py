"""Images are fetched politely, whole or not at all, and failures are written down; the servers are real ones."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import email.utils
import hashlib
import io
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from models.data.fetch_fitzpatrick17k import Fetched, fetch, main
from models.data.fitzpatrick17k import Fitzpatrick17k
from models.data.fitzpatrick17k_files import UnusableData
from models.data.polite_http import Manners, Sites

HURRY = Manners("tester@example.org", delay=0, tries=3, backoff=0.01, patience=5)


class Answer(NamedTuple):
    content: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    cut: int = 0  # bytes that are announced and not sent
    before: float = 0.0  # seconds of silence first
    between: float = 0.0  # seconds between two bytes


class Asked(NamedTuple):
    path: str
    headers: dict[str, str]
    begun: float


class Site:
    """A real server whose answers a test sets; the last answer of a path is repeated, an unknown path is 404."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[Asked] = []
        self._lock = threading.Lock()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                begun = time.monotonic()
                with site._lock:
                    site.asked.append(Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, begun))
                    left = site.answers.get(self.path, [Answer(b"not here", 404)])
                    answer = left.pop(0) if len(left) > 1 else left[0]
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client gave up, as it should
                    self._send(answer)

            def _send(self, answer: Answer) -> None:
                time.sleep(answer.before)
                self.send_response(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.content) + answer.cut))
                self.end_headers()
                if not answer.between:
                    self.wfile.write(answer.content)
                    return
                for byte in answer.content:
                    self.wfile.write(bytes([byte]))
                    time.sleep(answer.between)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.name = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.name}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def count(self) -> dict[str, int]:
        counts: dict[str, int] = defaultdict(int)
        for asked in self.asked:
            counts[asked.path] += 1
        return dict(counts)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def site(monkeypatch) -> Iterator[Site]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    site = Site()
    yield site
    site.close()


@pytest.fixture
def other_site(site) -> Iterator[Site]:
    other = Site()
    yield other
    other.close()


def jpeg(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(file, "JPEG")
    return file.getvalue()


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class Job:
    """A table and the folder to fetch into."""

    def __init__(self, folder: Path) -> None:
        self.table = folder / "published.csv"
        self.folder = folder / "fetched"
        self.rows: list[tuple[str, str]] = []

    def add(self, content: bytes, url: str) -> str:
        self.rows.append((md5(content), url))
        return md5(content)

    def write(self) -> Path:
        header = "md5hash,fitzpatrick_scale,label,nine_partition_label,three_partition_label,url"
        lines = [
            f'{name},{(1, 5)[at % 2]},acne,inflammatory,benign,"{url}"' for at, (name, url) in enumerate(self.rows)
        ]
        self.table.write_text("\n".join([header, *lines]) + "\n")
        return self.table

    def fetch(self, limit: int | None = None, **manners: float) -> Fetched:
        return fetch(self.write(), self.folder, replace(HURRY, **manners), limit=limit)

    def failures(self) -> dict[str, str]:
        with (self.folder / "failures.csv").open(newline="") as file:
            return {row["md5hash"]: row["reason"] for row in csv.DictReader(file)}

    def images(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.folder / "images").iterdir()}


@pytest.fixture
def job(tmp_path) -> Job:
    return Job(tmp_path)


def serve(site: Site, job: Job, n: int, seed: int = 0) -> list[str]:
    """Put n images on a site and into the table."""
    names = []
    for i in range(seed, seed + n):
        site.answers[f"/{i}.jpg"] = [Answer(jpeg(i))]
        names.append(job.add(jpeg(i), f"{site.url}/{i}.jpg"))
    return names


def test_what_was_fetched_is_what_the_loader_reads(site, job):
    names = serve(site, job, 6)
    assert job.fetch() == Fetched(total=6, new=6)
    assert job.images() == {f"{name}.jpg": jpeg(i) for i, name in enumerate(names)}
    assert (job.folder / "failures.csv").read_text() == "md5hash,url,reason,permanent\n"
    images = Fitzpatrick17k(job.folder).images(24)
    assert (images.ids.tolist(), images.left_out) == (sorted(names), ())
    agent = "fairness-checks-fetch/1 (research data; contact: tester@example.org)"
    assert [asked.headers["user-agent"] for asked in site.asked] == [agent] * 7


def test_a_second_run_asks_only_for_what_is_not_there(site, job):
    names = serve(site, job, 4)
    job.fetch()
    folder = job.folder / "images"
    (folder / f"{names[1]}.jpg").write_bytes(jpeg(1)[:-30])
    (folder / f"{names[2]}.jpg").rename(folder / f".{names[2]}.jpg.0123456789abcdef.tmp")  # as a kill leaves it
    site.asked.clear()
    assert job.fetch() == Fetched(total=4, kept=2, new=2)
    assert site.count() == {"/robots.txt": 1, "/1.jpg": 1, "/2.jpg": 1}
    assert job.images() == {f"{name}.jpg": jpeg(i) for i, name in enumerate(names)}
    site.asked.clear()
    assert job.fetch().kept == 4
    assert site.asked == [], "not even robots.txt"


def test_one_request_at_a_time_to_a_site_with_the_pause_between(site, other_site, job):
    serve(site, job, 5)
    serve(other_site, job, 5, seed=50)
    for each in (site, other_site):
        each.answers["/robots.txt"] = [Answer(status=404)]
        each.answers = {path: [answer._replace(before=0.05)] for path, (answer,) in each.answers.items()}
    assert job.fetch(delay=0.1).new == 10
    for each in (site, other_site):
        asked = sorted(each.asked, key=lambda asked: asked.begun)
        assert asked[0].path == "/robots.txt"
        assert all(later.begun - earlier.begun >= 0.14 for earlier, later in itertools.pairwise(asked))
    assert max(site.asked[0].begun, other_site.asked[0].begun) < min(site.asked[-1].begun, other_site.asked[-1].begun)


@pytest.mark.parametrize(("status", "form"), [(429, "seconds"), (503, "date")])
def test_retry_after_is_obeyed_in_both_forms(site, job, status, form):
    job.add(jpeg(0), f"{site.url}/0.jpg")
    date = int(time.time()) + 3  # whole seconds, as in a header
    wait = "1" if form == "seconds" else email.utils.formatdate(date, usegmt=True)
    site.answers["/0.jpg"] = [Answer(b"", status, (("Retry-After", wait),)), Answer(jpeg(0))]
    assert job.fetch().new == 1
    first, second = (asked.begun for asked in site.asked if asked.path == "/0.jpg")
    assert second - first > 0.9 if form == "seconds" else second > date - time.time() + time.monotonic() - 0.05


def test_a_site_that_asks_for_a_long_pause_is_left_alone(site, other_site, job):
    names = serve(site, job, 5)
    site.answers["/1.jpg"] = [Answer(b"", 429, (("Retry-After", "3600"),))]
    serve(other_site, job, 3, seed=50)
    assert job.fetch().new == 1 + 3
    assert site.count() == {"/robots.txt": 1, "/0.jpg": 1, "/1.jpg": 1}
    assert job.failures() == dict.fromkeys(names[1:], f"{site.name} asks to wait 3600 s: run again later")


def test_a_failure_that_may_pass_is_tried_again_with_longer_pauses(site, job):
    job.add(jpeg(0), f"{site.url}/0.jpg")
    site.answers["/0.jpg"] = [Answer(b"oops", 500), Answer(jpeg(0)[:200], cut=9), Answer(jpeg(0))]
    assert job.fetch(backoff=0.1).new == 1
    first, second = np.diff([asked.begun for asked in site.asked if asked.path == "/0.jpg"])
    assert first > 0.09
    assert second > 0.19


@pytest.mark.parametrize(
    ("answer", "reason", "tries"),
    [
        (Answer(b"gone", 404), "HTTP 404", 1),
        (Answer(b"no", 403), "HTTP 403", 1),
        (Answer(b"oops", 500), "HTTP 500 (3 tries)", 3),
        (Answer(jpeg(1)[:200], cut=100), "RemoteProtocolError: peer closed connection", 3),
        (Answer(jpeg(2)), "another content than the published one", 1),
        (Answer(b"x" * 2000), "longer than 1500 bytes", 1),
        (Answer(b"", 302), "HTTP 302", 1),
        (
            Answer(b"", 301, (("Location", "http://half:port/"),)),
            "RemoteProtocolError: Invalid URL in location header",
            3,
        ),
    ],
    ids=["404", "403", "500", "cut", "wrong", "long", "nowhere", "no address"],
)
def test_what_fails_is_named_with_its_reason_and_leaves_no_file(site, job, answer, reason, tries):
    names = serve(site, job, 1)
    bad = job.add(jpeg(1), f"{site.url}/bad.jpg")
    site.answers["/bad.jpg"] = [answer]
    names += serve(site, job, 1, seed=7)
    assert job.fetch(largest=1500) == Fetched(total=3, new=2)
    assert list(job.failures()) == [bad]
    assert job.failures()[bad].startswith(reason)
    assert set(job.images()) == {f"{name}.jpg" for name in names}
    assert site.count()["/bad.jpg"] == tries


@pytest.mark.parametrize(
    ("answer", "manners", "reason"),
    [
        (Answer(jpeg(1), before=3), {"timeout": 1.0}, "ReadTimeout (3 tries)"),
        (Answer(jpeg(1), between=0.05), {"longest": 1.0}, "not there after 1 s (3 tries)"),
    ],
    ids=["silence", "a trickle"],
)
def test_what_takes_too_long_is_given_up(site, job, answer, manners, reason):
    site.answers |= {"/robots.txt": [Answer()], "/slow.jpg": [answer]}
    name = job.add(jpeg(1), f"{site.url}/slow.jpg")
    job.fetch(**manners)  # robots.txt has three tries, too, to come in time
    assert job.failures() == {name: reason}


def test_content_of_the_right_md5_that_is_no_image_is_not_kept(site, job):
    half = jpeg(3)[:300]
    site.answers |= {"/text.jpg": [Answer(b"<html>")], "/half.jpg": [Answer(half)]}
    text, other = job.add(b"<html>", f"{site.url}/text.jpg"), job.add(half, f"{site.url}/half.jpg")
    job.fetch()
    assert job.failures() == {text: "not an image: UnidentifiedImageError", other: "not an image: OSError"}
    assert job.images() == {}


def test_a_host_that_is_down_is_given_up(job):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there, nor can until the end
        url = "http://{}:{}".format(*closed.getsockname())
        names = [job.add(jpeg(i), f"{url}/{i}.jpg") for i in range(8)]
        assert job.fetch() == Fetched(total=8)
    reason = f"robots.txt of {url} does not allow it: it could not be read (ConnectError: "
    assert [failure.startswith(reason) for failure in job.failures().values()] == [True] * len(names)


def test_after_failures_in_a_row_a_site_is_left_alone(site, job):
    serve(site, job, 1)
    names = [job.add(jpeg(100 + i), f"{site.url}/bad{i}.jpg") for i in range(8)]
    site.answers |= {f"/bad{i}.jpg": [Answer(b"", 500)] for i in range(8)}
    job.fetch(give_up=4)
    assert sum(count for path, count in site.count().items() if "bad" in path) == 4 * 3
    assert job.failures()[names[-1]] == f"{site.name} failed 4 times in a row (HTTP 500): run again later"
    assert len(job.failures()) == 8


def test_robots_txt_is_obeyed_by_name_path_and_delay(site, job):
    rules = (
        "User-agent: *\nDisallow: /private/\n\nUser-agent: fairness-checks-fetch\nDisallow: /ours/\nCrawl-delay: 0.5\n"
    )
    site.answers |= {"/robots.txt": [Answer(b"\xef\xbb\xbf" + rules.encode())], "/private/1.jpg": [Answer(jpeg(1))]}
    barred = job.add(jpeg(0), f"{site.url}/ours/0.jpg")
    job.add(jpeg(1), f"{site.url}/private/1.jpg")  # our own group of rules replaces the one for all
    assert job.fetch().new == 1
    assert job.failures() == {barred: f"robots.txt of {site.url} does not allow it"}
    first, second = site.asked
    assert (first.path, second.path) == ("/robots.txt", "/private/1.jpg")
    assert second.begun - first.begun > 0.45


@pytest.mark.parametrize(("status", "fetched"), [(404, 2), (410, 2), (403, 0), (401, 0), (500, 0), (429, 0)])
def test_without_robots_txt_all_is_allowed_and_nothing_where_it_cannot_be_had(site, job, status, fetched):
    serve(site, job, 2)
    site.answers["/robots.txt"] = [Answer(b"Disallow", status)]
    assert job.fetch().new == fetched
    if not fetched:
        assert all("does not allow it: it could not be read (HTTP" in why for why in job.failures().values())
        assert set(site.count()) == {"/robots.txt"}


@pytest.mark.parametrize(("rule", "asked"), [("Crawl-delay: 61", "61"), ("Request-rate: 1/1h", "3600")])
def test_a_host_that_asks_for_too_long_a_pause_is_left_alone(site, job, rule, asked):
    site.answers["/robots.txt"] = [Answer(f"User-agent: *\n{rule}\n".encode())]
    names = serve(site, job, 3)
    told = f"robots.txt of {site.url} asks for {asked} s between two requests: left alone unless --delay is that long"
    for _ in range(2):
        assert job.fetch() == Fetched(total=3), "not permanent: asked again by each run"
        assert job.failures() == dict.fromkeys(names, told)
    assert site.count() == {"/robots.txt": 2}


def moved(to: str, status: int = 301) -> list[Answer]:
    return [Answer(b"moved", status, (("Location", to),))]


def test_redirects_are_followed_as_the_other_site_allows(site, other_site, job):
    other_site.answers["/robots.txt"] = [Answer(b"User-agent: *\nDisallow: /closed/\n")]
    for i, (to, status) in enumerate([("/a.jpg", 301), (f"{other_site.url}/b.jpg", 302), ("../c.jpg?x=1 2", 308)]):
        job.add(jpeg(i), f"{site.url}/old/{i}.jpg")
        site.answers[f"/old/{i}.jpg"] = moved(to, status)
    site.answers |= {"/a.jpg": [Answer(jpeg(0))], "/c.jpg?x=1%202": [Answer(jpeg(2))]}
    other_site.answers["/b.jpg"] = [Answer(jpeg(1))]
    names = {}
    for path, to in {"barred": f"{other_site.url}/closed/d.jpg", "loop": "/loop", "file": "file:///etc/hosts"}.items():
        names[path] = job.add(path.encode(), f"{site.url}/{path}")
        site.answers[f"/{path}"] = moved(to)
    assert job.fetch().new == 3
    failures = job.failures()
    assert failures[names["barred"]] == f"robots.txt of {other_site.url} does not allow it"
    assert failures[names["loop"]] == "more than 5 redirects"
    assert failures[names["file"]].startswith("not an HTTP address: 'file://")
    assert set(other_site.count()) == {"/robots.txt", "/b.jpg"}


def test_two_sites_that_send_each_other_their_robots_txt_do_not_block_a_run(site, other_site, job):
    site.answers["/robots.txt"] = moved(f"{other_site.url}/rules")
    other_site.answers |= {"/robots.txt": moved(f"{site.url}/rules"), "/rules": moved(f"{site.url}/robots.txt")}
    serve(site, job, 2)
    serve(other_site, job, 2, seed=50)
    assert job.fetch() == Fetched(total=4, new=2), "the other site's rules are absent: 404"


def test_a_host_has_one_queue_over_http_and_https_and_a_robots_txt_for_each():
    asked: list[tuple[float, str]] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.append((time.monotonic(), str(request.url)))
        await asyncio.sleep(0.02)
        if request.url.path == "/robots.txt":
            rule = {"https": "Disallow: /barred", "http": "Request-rate: 600/1m"}[request.url.scheme]
            return httpx.Response(200, text=f"User-agent: *\n{rule}")
        return (
            httpx.Response(301, headers={"Location": f"https://example.org{request.url.path}"})
            if (request.url.scheme == "http")
            else httpx.Response(200, content=b"there")
        )

    async def run() -> list[object]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            sites = Sites(Manners("t@example.org", delay=0.01), client)
            urls = ["http://example.org/a", "https://EXAMPLE.org.:443/b", "http://example.org:80/barred"]
            return await asyncio.gather(*map(sites.get, urls), return_exceptions=True)

    first, second, barred = asyncio.run(run())
    assert (first, second, str(barred)) == (b"there", b"there", "robots.txt of https://example.org does not allow it")
    assert all(later[0] - earlier[0] >= 0.02 for earlier, later in itertools.pairwise(asked)), "never two at once"
    paced = [at for at, url in asked if not url.endswith("robots.txt")]
    assert all(later - earlier > 0.09 for earlier, later in itertools.pairwise(paced)), "as the one robots.txt asks"


def test_what_failed_permanently_is_asked_for_again_on_request_only(site, job, capsys):
    serve(site, job, 1)
    bad = {"404": Answer(b"", 404), "410": Answer(b"", 410), "other": Answer(jpeg(99)), "long": Answer(b"x" * 4000)}
    passing = {"500": Answer(b"", 500), "403": Answer(b"", 403)}
    for name, answer in (bad | passing).items():
        site.answers[f"/{name}.jpg"] = [answer]
        job.add(name.encode(), f"{site.url}/{name}.jpg")
    assert job.fetch(tries=1, largest=3000) == Fetched(total=7, new=1)
    listed = (job.folder / "failures.csv").read_text()
    site.asked.clear()
    assert job.fetch(tries=1, largest=3000) == Fetched(total=7, kept=1, skipped=4)
    assert site.count() == {"/robots.txt": 1, "/500.jpg": 1, "/403.jpg": 1}
    assert (job.folder / "failures.csv").read_text() == listed
    site.answers["/404.jpg"] = [Answer(b"404")]  # still no image, but the published content
    site.answers["/500.jpg"] = site.answers["/403.jpg"]
    arguments = [str(job.table), str(job.folder), "--contact", "t@example.org", "--delay", "0"]
    assert main(arguments) == 1
    assert capsys.readouterr().err.splitlines()[-3:] == [
        "7 of 7: 1 there, 0 fetched, 6 failed",
        "4 of the failed not asked for: permanent; --again asks for them",
        f"why: {job.folder}/failures.csv",
    ]
    site.asked.clear()
    assert main([*arguments, "--again"]) == 1
    assert set(site.count()) == {"/robots.txt", *(f"/{name}.jpg" for name in bad | passing)}
    assert "not asked for" not in capsys.readouterr().err
    assert job.failures()[md5(b"404")] == "not an image: UnidentifiedImageError"


def test_a_file_that_is_there_now_or_another_address_is_no_old_failure(tmp_path, site, job):
    name = job.add(jpeg(0), f"{site.url}/gone.jpg")
    assert [job.fetch().skipped for _ in range(2)] == [0, 1]
    listed = (job.folder / "failures.csv").read_text()
    (job.folder / "images" / f"{name}.jpg").write_bytes(jpeg(0))
    assert (job.fetch().kept, job.failures()) == (1, {})
    moved_job = Job(tmp_path / "moved")
    moved_job.folder.mkdir(parents=True)
    (moved_job.folder / "failures.csv").write_text(listed)
    assert serve(site, moved_job, 1) == [name]
    assert (moved_job.fetch().new, moved_job.failures()) == (1, {})


def test_a_run_that_ends_early_keeps_the_failures_that_it_did_not_come_to(site, job):
    names = [job.add(b"%d" % i, f"{site.url}/gone{i}.jpg") for i in range(4)]
    job.fetch()
    listed = (job.folder / "failures.csv").read_text()
    assert list(job.failures()) == names, "in the order of the table"
    job.fetch(limit=2)
    assert (job.folder / "failures.csv").read_text() == listed
    (job.folder / "failures.csv").write_text("my notes\n")
    with pytest.raises(UnusableData, match=r"failures\.csv: no column 'md5hash'"):
        job.fetch()


def test_addresses_that_are_none_are_failures_and_never_opened(tmp_path, job):
    secret = tmp_path / "secret"
    secret.write_bytes(jpeg(0))
    expected = {job.add(b"1", ""): "the table has no address"}
    for url in (secret.as_uri(), "http://", "ftp://example.org/1.jpg", "image.jpg", "http://half:port/"):
        expected[job.add(url.encode(), url)] = f"not an HTTP address: '{url}'"
    job.fetch()
    assert job.failures() == expected


def test_the_folder_keeps_one_table_and_serves_one_run(site, job):
    serve(site, job, 2)
    assert job.fetch(limit=1) == Fetched(total=1, new=1)
    assert (job.folder / "fitzpatrick17k.csv").read_bytes() == job.table.read_bytes()
    with FileLock(job.folder / ".fetch.lock"), pytest.raises(UnusableData, match="another run fetches into it"):
        job.fetch()
    (job.folder / "images" / f"{md5(jpeg(1))}.jpg").mkdir()
    with pytest.raises(OSError, match="is a folder, not a regular file"):  # as a full disk: no fault of an image
        job.fetch()
    serve(site, job, 1, seed=3)
    with pytest.raises(UnusableData, match="another table than the given one"):
        job.fetch()


def test_a_table_without_addresses_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("md5hash,fitzpatrick_scale\n")
    with pytest.raises(UnusableData, match=r"t\.csv: no column 'url'; it has md5hash, fitzpatrick_scale"):
        fetch(tmp_path / "t.csv", tmp_path / "folder", HURRY)
    assert not (tmp_path / "folder").exists()


def test_exit_status_and_the_last_line(site, job, capsys):
    serve(site, job, 2)
    arguments = [str(job.write()), str(job.folder), "--contact", "tester@example.org", "--delay", "0"]
    assert main(arguments) == 0
    assert capsys.readouterr().err.splitlines()[-1] == "2 of 2: 0 there, 2 fetched, 0 failed"
    job.add(b"", f"{site.url}/none.jpg")
    job.write()
    assert main(arguments) == 2
    assert "another table than the given one" in capsys.readouterr().err
    assert main(["missing.csv", *arguments[1:]]) == 2
    assert capsys.readouterr().err == "[Errno 2] No such file or directory: 'missing.csv'\n"


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["--contact", "me"],
        ["--contact", "a@b\r\nX: y"],
        *(["--contact", "a@b", *bad] for bad in (["--delay", "-1"], ["--delay", "nan"], ["--limit", "0"])),
    ],
)
def test_a_run_without_a_contact_or_with_nonsense_does_not_start(job, wrong, capsys):
    with pytest.raises(SystemExit) as caught:
        main([str(job.table), str(job.folder), *wrong])
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err
    assert not job.folder.exists()


@pytest.mark.parametrize("proxy", ["ftp://localhost", "http://localhost:port"])
def test_a_proxy_that_cannot_be_used_is_one_line(site, job, proxy, monkeypatch, capsys):
    serve(site, job, 1)
    monkeypatch.setenv("HTTP_PROXY", proxy)
    assert main([str(job.write()), str(job.folder), "--contact", "tester@example.org"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("HTTP_PROXY, HTTPS_PROXY or ALL_PROXY cannot be used: ")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_was_stopped_leaves_whole_files_and_goes_on(site, job, how):
    names = serve(site, job, 12)
    site.answers["/1.jpg"] = [Answer(b"", 404)]
    site.answers["/4.jpg"] = [Answer(jpeg(4), between=0.05)]  # still on its way when the run is stopped
    command = [sys.executable, "-m", "models.data.fetch_fitzpatrick17k", str(job.write()), str(job.folder)]
    process = subprocess.Popen(
        [*command, "--contact", "tester@example.org", "--delay", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    try:
        while "/4.jpg" not in site.count() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(0.2)
        process.send_signal(how)
        _, errors = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL), errors
    assert set(job.images()) == {f"{names[i]}.jpg" for i in (0, 2, 3)}
    assert job.failures() == {names[1]: "HTTP 404"}, "what is known is not asked for again"
    if how == signal.SIGINT:
        assert errors.splitlines()[-1] == "interrupted; run again to go on"
    site.answers["/4.jpg"] = [Answer(jpeg(4))]
    site.asked.clear()
    assert job.fetch() == Fetched(total=12, kept=3, new=8, skipped=1)
    assert "/0.jpg" not in site.count()
    assert job.images() == {f"{name}.jpg": jpeg(i) for i, name in enumerate(names) if i != 1}
