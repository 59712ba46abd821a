"""Images are fetched politely, whole or not at all, and failures are written down; the server is a real one."""

from __future__ import annotations

import csv
import email.utils
import hashlib
import http.client
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

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from models.data.fetch_fitzpatrick17k import fetch, main
from models.data.fetch_manners import AGENT, Manners
from models.data.fetch_progress import Fetched
from models.data.fetch_robots import Robots
from models.data.fitzpatrick17k import Fitzpatrick17k
from models.data.fitzpatrick17k_files import UnusableData

HURRY = Manners("tester@example.org", delay=0, timeout=0.3, longest=2, tries=3, backoff=0.01, patience=5, give_up=4)


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
    ended: float


class Site:
    """A real server whose answers a test sets; the last answer of a path is repeated, an unknown path is 404."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[Asked] = []
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                begun = time.monotonic()
                with site._lock:
                    site.at_once += 1
                    site.most_at_once = max(site.most_at_once, site.at_once)
                    left = site.answers.get(self.path, [Answer(b"not here", 404)])
                    answer = left.pop(0) if len(left) > 1 else left[0]
                try:
                    self._send(answer)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the client gave up, as it should
                finally:
                    with site._lock:
                        site.at_once -= 1
                        site.asked.append(Asked(self.path, dict(self.headers), begun, time.monotonic()))

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

    def fetch(self, manners: Manners = HURRY, limit: int | None = None, again: bool = False) -> Fetched:
        return fetch(self.write(), self.folder, manners, limit=limit, again=again)

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
    for i in range(n):
        content = jpeg(seed + i)
        site.answers[f"/{seed + i}.jpg"] = [Answer(content)]
        names.append(job.add(content, f"{site.url}/{seed + i}.jpg"))
    return names


def test_what_was_fetched_is_what_the_loader_reads(site, job):
    names = serve(site, job, 6)
    done = job.fetch()
    assert (done.total, done.kept, done.new, done.failures) == (6, 0, 6, [])
    assert job.images() == {f"{name}.jpg": jpeg(i) for i, name in enumerate(names)}
    assert (job.folder / "failures.csv").read_text() == "md5hash,url,reason,permanent\n"
    images = Fitzpatrick17k(job.folder).images(24)
    assert (images.ids.tolist(), images.left_out) == (sorted(names), ())


def test_every_request_says_who_asks(site, job):
    serve(site, job, 2)
    job.fetch()
    assert len(site.asked) == 3
    for asked in site.asked:
        assert asked.headers["User-Agent"] == "fairness-checks-fetch/1 (research data; contact: tester@example.org)"


def test_a_second_run_asks_only_for_what_is_not_there(site, job):
    names = serve(site, job, 4)
    job.fetch()
    folder = job.folder / "images"
    (folder / f"{names[1]}.jpg").write_bytes(jpeg(1)[:-30])
    (folder / f"{names[2]}.jpg").rename(folder / f".{names[2]}.jpg.0123456789abcdef.tmp")  # as a kill leaves it
    site.asked.clear()
    done = job.fetch()
    assert (done.kept, done.new, done.failures) == (2, 2, [])
    assert site.count() == {"/robots.txt": 1, "/1.jpg": 1, "/2.jpg": 1}
    assert job.images() == {f"{name}.jpg": jpeg(i) for i, name in enumerate(names)}
    site.asked.clear()
    assert job.fetch().kept == 4
    assert site.asked == [], "not even robots.txt"


def test_one_request_at_a_time_to_a_site_with_the_pause_between(site, other_site, job):
    serve(site, job, 5)
    serve(other_site, job, 5, seed=50)
    begun = time.monotonic()
    assert job.fetch(Manners("tester@example.org", delay=0.1)).new == 10
    assert time.monotonic() - begun < 1.0, "two sites are asked at the same time"
    for each in (site, other_site):
        assert each.most_at_once == 1
        asked = sorted(each.asked, key=lambda asked: asked.begun)
        assert asked[0].path == "/robots.txt"
        for earlier, later in itertools.pairwise(asked):
            assert later.begun - earlier.begun >= 0.09


@pytest.mark.parametrize(("status", "form"), [(429, "seconds"), (503, "date")])
def test_retry_after_is_obeyed_in_both_forms(site, job, status, form):
    content = jpeg(0)
    name = job.add(content, f"{site.url}/0.jpg")
    # A date has whole seconds: two from now is between one and two seconds away.
    wait = "1" if form == "seconds" else email.utils.formatdate(time.time() + 2, usegmt=True)
    site.answers["/0.jpg"] = [Answer(b"", status, (("Retry-After", wait),)), Answer(content)]
    assert job.fetch().new == 1
    first, second = (asked for asked in site.asked if asked.path == "/0.jpg")
    assert 0.9 < second.begun - first.ended < 2.5
    assert list(job.images()) == [f"{name}.jpg"]


def test_a_site_that_asks_for_a_long_pause_is_left_alone(site, other_site, job):
    names = serve(site, job, 5)
    site.answers["/1.jpg"] = [Answer(b"", 429, (("Retry-After", "3600"),))]
    serve(other_site, job, 3, seed=50)
    done = job.fetch()
    assert done.new == 1 + 3
    assert site.count() == {"/robots.txt": 1, "/0.jpg": 1, "/1.jpg": 1}
    assert job.failures() == dict.fromkeys(names[1:], f"{site.name} asks to wait 3600 s: run again later")


def test_a_failure_that_may_pass_is_tried_again_with_longer_pauses(site, job):
    content = jpeg(0)
    job.add(content, f"{site.url}/0.jpg")
    site.answers["/0.jpg"] = [Answer(b"oops", 500), Answer(b"oops", 502), Answer(content)]
    assert job.fetch(Manners("tester@example.org", delay=0, backoff=0.1, tries=3)).new == 1
    times = [asked.begun for asked in site.asked if asked.path == "/0.jpg"]
    first, second = np.diff(times)
    assert 0.09 < first < 0.19
    assert 0.19 < second < 0.39


@pytest.mark.parametrize(
    ("answer", "reason", "tries"),
    [
        (Answer(b"gone", 404), "HTTP 404", 1),
        (Answer(b"no", 403), "HTTP 403", 1),
        (Answer(b"oops", 500), r"HTTP 500 (3 tries)", 3),
        (Answer(jpeg(1)[:200], cut=len(jpeg(1)) - 200), "cut off after 200 of", 3),
        (Answer(jpeg(2)), "another content than the published one", 1),
        (Answer(b"<html>moved</html>"), "another content than the published one: 18 bytes", 1),
        (Answer(jpeg(1), before=0.6), "timed out", 3),
        (Answer(b"x" * 2000), "longer than 1500 bytes", 1),
        (Answer(b"", 304), "HTTP 304", 1),
        (Answer(b"", 302), "HTTP 302", 1),
    ],
    ids=["404", "403", "500", "cut", "wrong", "html", "silent", "long", "304", "nowhere"],
)
def test_what_fails_is_named_with_its_reason_and_leaves_no_file(site, job, answer, reason, tries):
    names = serve(site, job, 1)
    bad = job.add(jpeg(1), f"{site.url}/bad.jpg")
    site.answers["/bad.jpg"] = [answer]
    names += serve(site, job, 1, seed=7)
    manners = Manners("t@example.org", delay=0, timeout=0.2, tries=3, backoff=0.01, largest=1500)
    done = job.fetch(manners)
    assert (done.new, [failure.md5hash for failure in done.failures]) == (2, [bad])
    assert reason in job.failures()[bad]
    assert done.failures[0].url == f"{site.url}/bad.jpg"
    assert set(job.images()) == {f"{name}.jpg" for name in names}
    deadline = time.monotonic() + 2
    while (
        site.count().get("/bad.jpg") != tries and time.monotonic() < deadline
    ):  # the server notes a request at its end
        time.sleep(0.01)
    assert site.count()["/bad.jpg"] == tries


def test_a_trickle_is_given_up_although_it_never_falls_silent(site, job):
    job.add(jpeg(1), f"{site.url}/slow.jpg")
    site.answers["/slow.jpg"] = [Answer(jpeg(1), between=0.05)]
    begun = time.monotonic()
    done = job.fetch(Manners("t@example.org", delay=0, timeout=0.5, longest=0.2, tries=2, backoff=0.01))
    assert time.monotonic() - begun < 2
    assert "TimeoutError: not there after 0.2 s (2 tries)" in done.failures[0].reason


def test_content_of_the_right_md5_that_is_no_image_is_not_kept(site, job):
    text = b"<html>published as it is</html>"
    name = job.add(text, f"{site.url}/text.jpg")
    site.answers["/text.jpg"] = [Answer(text)]
    half = jpeg(3)[:300]
    other = job.add(half, f"{site.url}/half.jpg")
    site.answers["/half.jpg"] = [Answer(half)]
    job.fetch()
    assert job.failures() == {name: "not an image: UnidentifiedImageError", other: "not an image: OSError"}
    assert job.images() == {}


def test_a_site_that_does_not_answer_is_given_up(job):
    closed = Site()
    closed.close()
    for i in range(8):
        job.add(jpeg(i), f"{closed.url}/{i}.jpg")
    done = job.fetch()
    assert len(done.failures) == 8
    assert "robots.txt" in done.failures[0].reason
    assert "Connection refused" in done.failures[0].reason


def test_after_failures_in_a_row_a_site_is_left_alone(site, job):
    serve(site, job, 1)
    for i in range(8):
        job.add(jpeg(100 + i), f"{site.url}/bad{i}.jpg")
        site.answers[f"/bad{i}.jpg"] = [Answer(b"", 500)]
    done = job.fetch()
    assert sum(count for path, count in site.count().items() if "bad" in path) == HURRY.give_up * HURRY.tries
    assert "failed 4 times in a row (HTTP 500): run again later" in done.failures[-1].reason
    assert len(done.failures) == 8


ROBOTS = b"User-agent: *\nDisallow: /private/\n\nUser-agent: fairness-checks-fetch\nDisallow: /ours/\nCrawl-delay: 1\n"


def test_robots_txt_is_obeyed_by_name_path_and_delay(site, job):
    site.answers["/robots.txt"] = [Answer(ROBOTS)]
    barred = job.add(jpeg(0), f"{site.url}/ours/0.jpg")
    site.answers["/ours/0.jpg"] = [Answer(jpeg(0))]
    job.add(jpeg(1), f"{site.url}/private/1.jpg")  # our own group of rules replaces the one for all
    site.answers["/private/1.jpg"] = [Answer(jpeg(1))]
    begun = time.monotonic()
    assert job.fetch().new == 1
    assert time.monotonic() - begun > 0.9
    assert job.failures() == {barred: f"robots.txt of {site.url} does not allow it"}
    assert site.count() == {"/robots.txt": 1, "/private/1.jpg": 1}


@pytest.mark.parametrize(("status", "fetched"), [(404, 3), (410, 3), (403, 0), (401, 0), (500, 0), (429, 0)])
def test_without_robots_txt_all_is_allowed_and_nothing_where_it_cannot_be_had(site, job, status, fetched):
    serve(site, job, 3)
    site.answers["/robots.txt"] = [Answer(b"Disallow", status)]
    done = job.fetch()
    assert done.new == fetched
    if not fetched:
        assert "does not allow it: it could not be read (HTTP" in done.failures[0].reason
        assert set(site.count()) == {"/robots.txt"}


def moved(to: str, status: int = 301) -> list[Answer]:
    return [Answer(b"moved", status, (("Location", to),))]


def test_redirects_are_followed_as_the_other_site_allows(site, other_site, job):
    other_site.answers["/robots.txt"] = [Answer(b"User-agent: *\nDisallow: /closed/\n")]
    for i, (to, status) in enumerate([("/a.jpg", 301), (f"{other_site.url}/b.jpg", 302), ("../c.jpg?x=1 2", 308)]):
        job.add(jpeg(i), f"{site.url}/old/{i}.jpg")
        site.answers[f"/old/{i}.jpg"] = moved(to, status)
    site.answers["/a.jpg"] = [Answer(jpeg(0))]
    other_site.answers["/b.jpg"] = [Answer(jpeg(1))]
    site.answers["/c.jpg?x=1%202"] = [Answer(jpeg(2))]
    names = {}
    for path, to in {"barred": f"{other_site.url}/closed/d.jpg", "loop": "/loop", "file": "file:///etc/hosts"}.items():
        names[path] = job.add(path.encode(), f"{site.url}/{path}")
        site.answers[f"/{path}"] = moved(to)
    done = job.fetch()
    assert done.new == 3
    assert job.failures() == {
        names["barred"]: f"robots.txt of {other_site.url} does not allow it",
        names["loop"]: "more than 5 redirects",
        names["file"]: "not an HTTP address: 'file:///etc/hosts'",
    }
    assert set(other_site.count()) == {"/robots.txt", "/b.jpg"}


@pytest.mark.parametrize("to", ["http://[half", "http://half[/"])
def test_a_redirect_to_no_address_is_a_failure_and_ends_nothing(site, job, to):
    name = job.add(b"gone", f"{site.url}/gone.jpg")
    site.answers["/gone.jpg"] = moved(to)
    serve(site, job, 2)
    assert job.fetch().new == 2
    assert job.failures() == {name: f"not an HTTP address: '{to}'"}


@pytest.fixture
def example_org(site, monkeypatch) -> Site:
    """Return the site, reached as example.org at its usual ports; what TLS would hide goes over the wire as it is."""
    connect = socket.create_connection

    def to_site(address: tuple[str, int], *arguments: object, **options: object) -> socket.socket:
        ours = address[0].lower().rstrip(".") == "example.org" and address[1] in {80, 443}
        return connect(site.server.server_address if ours else address, *arguments, **options)

    monkeypatch.setattr(socket, "create_connection", to_site)
    monkeypatch.setattr(http.client.HTTPSConnection, "connect", http.client.HTTPConnection.connect)
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return site


def requests(site: Site, delay: float) -> list[str]:
    """Return the paths in the order that they were asked for, never two at once and with the pause between two."""
    assert site.most_at_once == 1
    asked = sorted(site.asked, key=lambda asked: asked.begun)
    for earlier, later in itertools.pairwise(asked):
        assert later.begun - earlier.begun >= 0.9 * delay, (earlier.path, later.path)
    return [each.path for each in asked]


@pytest.mark.parametrize("second", ["https://example.org", "http://EXAMPLE.org:80", "https://example.org.:443"])
def test_a_host_has_one_queue_over_http_and_https(example_org, job, second):
    for i in range(6):
        example_org.answers[f"/{i}.jpg"] = [Answer(jpeg(i), before=0.03)]
        job.add(jpeg(i), f"{('http://example.org', second)[i % 2]}/{i}.jpg")
    assert job.fetch(Manners("t@example.org", delay=0.1)).new == 6
    paths = requests(example_org, 0.1)
    assert paths.count("/robots.txt") == 2, "one for each scheme and port"
    assert [path for path in paths if path != "/robots.txt"] == [f"/{i}.jpg" for i in range(6)]


def test_redirects_to_the_https_of_a_host_wait_their_turn(example_org, other_site, job):
    for i in range(4):
        came_from = (example_org, other_site)[i % 2]  # the second has a thread of its own
        job.add(jpeg(i), f"{('http://example.org', other_site.url)[i % 2]}/{i}.jpg")
        came_from.answers[f"/{i}.jpg"] = moved(f"https://example.org/new/{i}.jpg")
        example_org.answers[f"/new/{i}.jpg"] = [Answer(jpeg(i), before=0.03)]
    assert job.fetch(Manners("t@example.org", delay=0.1)).new == 4
    assert sorted(requests(example_org, 0.1)) == sorted(
        ["/robots.txt", "/robots.txt", "/0.jpg", "/2.jpg", *(f"/new/{i}.jpg" for i in range(4))]
    )


def test_each_of_http_and_https_has_its_own_robots_txt(example_org, job):
    example_org.answers["/robots.txt"] = [Answer(b"User-agent: *\nDisallow: /0\n"), Answer(b"")]
    example_org.answers["/0.jpg"] = [Answer(jpeg(0))]
    example_org.answers["/1.jpg"] = moved("https://example.org/0.jpg")
    barred = job.add(jpeg(1), "http://example.org/0.jpg")
    job.add(jpeg(0), "http://example.org/1.jpg")
    assert job.fetch().new == 1
    assert job.failures() == {barred: "robots.txt of http://example.org does not allow it"}


def test_what_failed_permanently_is_asked_for_again_on_request_only(site, job, capsys):
    serve(site, job, 1)
    bad = {"404": Answer(b"", 404), "410": Answer(b"", 410), "other": Answer(jpeg(99)), "long": Answer(b"x" * 4000)}
    passing = {"500": Answer(b"", 500), "403": Answer(b"", 403)}
    for name, answer in (bad | passing).items():
        site.answers[f"/{name}.jpg"] = [answer]
        job.add(name.encode(), f"{site.url}/{name}.jpg")
    manners = replace(HURRY, tries=1, largest=3000)
    first = job.fetch(manners)
    listed = (job.folder / "failures.csv").read_text()
    assert (len(first.failures), first.skipped) == (6, 0)
    for _ in range(2):
        site.asked.clear()
        done = job.fetch(manners)
        assert site.count() == {"/robots.txt": 1, "/500.jpg": 1, "/403.jpg": 1}
        assert (done.failures, done.kept, done.skipped) == (first.failures, 1, 4)
        assert (job.folder / "failures.csv").read_text() == listed
    site.answers["/404.jpg"] = [Answer(b"404")]  # still no image, but the published content
    arguments = [str(job.table), str(job.folder), "--contact", "t@example.org", "--delay", "0"]
    site.answers["/500.jpg"] = site.answers["/403.jpg"]
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
    assert job.fetch().failures[0].permanent
    (job.folder / "images" / f"{name}.jpg").write_bytes(jpeg(0))
    assert (job.fetch().kept, job.failures()) == (1, {})
    moved_job = Job(tmp_path / "moved")
    moved_job.folder.mkdir(parents=True)
    (moved_job.folder / "failures.csv").write_text(
        f"md5hash,url,reason,permanent\n{name},{site.url}/gone.jpg,HTTP 404,yes\n"
    )
    assert serve(site, moved_job, 1) == [name]
    assert moved_job.fetch().new == 1


def test_a_run_that_ends_early_keeps_the_failures_that_it_did_not_come_to(site, job):
    names = [job.add(b"%d" % i, f"{site.url}/gone{i}.jpg") for i in range(4)]
    job.fetch()
    listed = (job.folder / "failures.csv").read_text()
    assert list(job.failures()) == names
    job.fetch(limit=2)
    assert (job.folder / "failures.csv").read_text() == listed


def test_failures_of_the_first_version_are_asked_for_once_more_and_another_file_is_refused(site, job):
    name = job.add(b"0", f"{site.url}/gone.jpg")
    job.folder.mkdir()
    (job.folder / "failures.csv").write_text(f"md5hash,url,reason\n{name},{site.url}/gone.jpg,HTTP 404\n")
    assert [job.fetch().skipped for _ in range(2)] == [0, 1]
    (job.folder / "failures.csv").write_text("my notes\n")
    with pytest.raises(UnusableData, match=r"failures\.csv: no column 'md5hash'"):
        job.fetch()


@pytest.mark.parametrize("robots", ["Request-rate: 4/1", "Crawl-delay: 0\nRequest-rate: 240/1m"])
def test_the_longest_of_the_pauses_is_kept(site, job, robots):
    site.answers["/robots.txt"] = [Answer(f"User-agent: *\n{robots}\n".encode())]
    serve(site, job, 2)
    assert job.fetch(Manners("t@example.org", delay=0.05)).new == 2
    assert requests(site, 0.25) == ["/robots.txt", "/0.jpg", "/1.jpg"]


@pytest.mark.parametrize(
    ("robots", "pause"),
    [
        ("", 0),
        ("User-agent: *\nDisallow: /", 0),
        ("User-agent: *\nCrawl-delay: 7", 7),
        ("User-agent: *\r\ncrawl-delay : 2.5\r\nDisallow: /a", 3),
        ("User-agent: *\nCrawl-delay: .2", 1),
        ("User-agent: *\nRequest-rate: 3/10", 10 / 3),
        ("User-agent: *\nRequest-rate: 1/5m 0600-0845", 300),
        ("User-agent: *\nRequest-rate: 1/2H", 7200),
        ("User-agent: *\nRequest-rate: 0/10", float("inf")),
        ("User-agent: *\nRequest-rate: often\nCrawl-delay: later", 0),
        ("User-agent: *\nCrawl-delay: 4\nRequest-rate: 1/9", 9),
        ("User-agent: *\nCrawl-delay: 9\nRequest-rate: 1/4", 9),
        ("User-agent: *\nCrawl-delay: 9\n\nUser-agent: fairness-checks-fetch\nDisallow: /a", 0),
    ],
)
def test_the_pause_that_a_robots_txt_asks_for(robots, pause):
    assert Robots(robots, AGENT).pause == pytest.approx(pause)


@pytest.mark.parametrize(
    ("robots", "asked"),
    [("Crawl-delay: 61", "61"), ("Request-rate: 1/1h", "3600"), ("Request-rate: 0/1", "inf")],
    ids=["61", "1/1h", "0/1"],
)
def test_a_host_that_asks_for_too_long_a_pause_is_left_alone(site, other_site, job, robots, asked):
    site.answers["/robots.txt"] = [Answer(f"User-agent: *\n{robots}\n".encode())]
    names = serve(site, job, 3)
    serve(other_site, job, 2, seed=50)
    assert job.fetch().new == 2
    message = (
        f"robots.txt of {site.url} asks for {asked} s between two requests: left alone unless --delay is that long"
    )
    assert job.failures() == dict.fromkeys(names, message)
    assert site.count() == {"/robots.txt": 1}
    assert not any(failure.permanent for failure in job.fetch().failures)


@pytest.mark.parametrize("line", [b"Disallow: //[", "Crawl-delay: \u00b2".encode()], ids=["address", "number"])
def test_a_robots_txt_that_nobody_understands_allows_nothing(site, other_site, job, line):
    site.answers["/robots.txt"] = [Answer(b"User-agent: *\n" + line)]
    serve(site, job, 2)
    serve(other_site, job, 2, seed=50)
    done = job.fetch()
    assert done.new == 2
    assert done.failures[0].reason.startswith(f"robots.txt of {site.url} does not allow it: it could not be read (")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_hides_no_rule(site, job, mark):
    site.answers["/robots.txt"] = [Answer(mark + b"User-agent: *\nDisallow: /\n")]
    serve(site, job, 1)
    assert job.fetch().new == 0


def test_a_robots_txt_that_never_ends_allows_nothing(site, job):
    site.answers["/robots.txt"] = [Answer(b"#" * 3000)]
    serve(site, job, 1)
    assert "(longer than 2000 bytes)" in job.fetch(replace(HURRY, largest=2000)).failures[0].reason


def test_two_sites_that_send_each_other_their_robots_txt_do_not_block_a_run(site, other_site, job):
    site.answers["/robots.txt"] = moved(f"{other_site.url}/robots.txt")
    other_site.answers["/robots.txt"] = moved(f"{site.url}/robots.txt")
    serve(site, job, 2)
    serve(other_site, job, 2, seed=50)
    assert len(job.fetch().failures) == 4


def test_addresses_that_are_none_are_failures_and_never_opened(tmp_path, job):
    secret = tmp_path / "secret"
    secret.write_bytes(jpeg(0))
    expected = {
        job.add(b"1", ""): "the table has no address",
        job.add(jpeg(0), secret.as_uri()): f"not an HTTP address: '{secret.as_uri()}'",
        job.add(b"3", "http://[half"): "not an HTTP address: 'http://[half'",
        job.add(b"4", "ftp://example.org/1.jpg"): "not an HTTP address: 'ftp://example.org/1.jpg'",
        job.add(b"5", "image.jpg"): "not an HTTP address: 'image.jpg'",
    }
    job.fetch()
    assert job.failures() == expected
    assert list(expected) == list(job.failures()), "in the order of the table"


def test_a_limit_is_a_number_of_rows(site, job):
    serve(site, job, 5)
    done = job.fetch(limit=2)
    assert (done.total, done.new) == (2, 2)
    assert set(site.count()) == {"/robots.txt", "/0.jpg", "/1.jpg"}
    assert (job.fetch().kept, job.fetch().kept) == (2, 5)


def test_the_folder_keeps_one_table_and_serves_one_run(site, job):
    serve(site, job, 1)
    job.fetch()
    assert (job.folder / "fitzpatrick17k.csv").read_bytes() == job.table.read_bytes()
    serve(site, job, 1, seed=3)
    with pytest.raises(UnusableData, match="another table than the given one"):
        job.fetch()
    with FileLock(job.folder / ".fetch.lock"), pytest.raises(UnusableData, match="another run fetches into it"):
        job.fetch()


def test_a_table_without_addresses_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("md5hash,fitzpatrick_scale\n")
    with pytest.raises(UnusableData, match=r"t\.csv: no column 'url'; it has md5hash, fitzpatrick_scale"):
        fetch(tmp_path / "t.csv", tmp_path / "folder", HURRY)
    assert not (tmp_path / "folder").exists()


def test_a_disk_that_cannot_be_written_ends_the_run(site, job, monkeypatch):
    names = serve(site, job, 3)
    job.fetch(limit=1)
    (job.folder / "images" / f"{names[1]}.jpg").mkdir()
    with pytest.raises(OSError, match="is a folder, not a regular file"):
        job.fetch()


def test_exit_status_progress_and_the_reason(site, job, capsys):
    serve(site, job, 2)
    arguments = [str(job.write()), str(job.folder), "--contact", "tester@example.org", "--delay", "0"]
    assert main(arguments) == 0
    assert capsys.readouterr().err.splitlines()[-1] == "2 of 2: 0 there, 2 fetched, 0 failed"
    job.add(b"", f"{site.url}/none.jpg")
    other = [arguments[0], f"{job.folder}-2", *arguments[2:]]
    job.write()
    assert main(other) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-2:] == ["3 of 3: 0 there, 2 fetched, 1 failed", f"why: {job.folder}-2/failures.csv"]
    assert main(arguments) == 2
    assert "another table" in capsys.readouterr().err
    assert main([*other, "--limit", "2"]) == 0


@pytest.mark.parametrize(
    "wrong", [[], ["--contact", "me"], ["--contact", "a@b\r\nX: y"], ["--contact", "a@b", "--delay", "-1"]]
)
def test_a_run_without_a_contact_or_with_nonsense_does_not_start(job, wrong, capsys):
    with pytest.raises(SystemExit) as caught:
        main([str(job.table), str(job.folder), *wrong])
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err
    assert not job.folder.exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_was_stopped_leaves_whole_files_and_goes_on(site, job, how):
    names = serve(site, job, 12)
    half = Answer(jpeg(4), between=0.02)  # still on its way when the run is stopped
    site.answers["/4.jpg"] = [half]
    command = [sys.executable, "-m", "models.data.fetch_fitzpatrick17k", str(job.write()), str(job.folder)]
    process = subprocess.Popen(
        [*command, "--contact", "tester@example.org", "--delay", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    try:
        deadline = time.monotonic() + 15
        while "/3.jpg" not in site.count() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.3)
        process.send_signal(how)
        _, errors = process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    whole = {f"{name}.jpg" for name in names[:4]}
    assert set(job.images()) == whole
    if how == signal.SIGINT:
        assert errors.splitlines()[-1] == "interrupted; run again to go on"
        assert job.failures() == {}
    site.answers["/4.jpg"] = [Answer(jpeg(4))]
    done = job.fetch()
    assert (done.kept, done.new, done.failures) == (4, 8, [])
    assert job.images() == {f"{name}.jpg": jpeg(i) for i, name in enumerate(names)}
