"""Files over HTTP from sites that owe us nothing: as their robots.txt allows, one request at a time, with pauses.

Needs the standard library alone.
"""

from __future__ import annotations

import email.utils
import http.client
import threading
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin, urlsplit
from urllib.robotparser import RobotFileParser

__all__ = ["AGENT", "Manners", "Refused", "Sites", "Stopped"]

AGENT = "fairness-checks-fetch"  # the name that a robots.txt may address
REDIRECTS = 5
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses that another try may mend


class Refused(Exception):
    """A file could not be had; the message says why, and `status` is that of the answer, 0 where there was none."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class Stopped(Exception):
    """The run was told to stop."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How a run behaves; times in seconds.

    Attributes
    ----------
    contact : str
        Mail address or page of the person who fetches, sent with each request.
    delay : float
        Pause between the end of a request and the next one to the same site; longer where its robots.txt asks for it.
    timeout : float
        Longest silence.
    longest : float
        Longest time for one file.
    tries : int
        Requests for one file, where the failure may pass.
    backoff : float
        Pause before the second try; twice as long before each further one. The site's Retry-After comes first.
    patience : float
        Longest Retry-After that is waited for; past it the site is left alone.
    give_up : int
        Files in a row whose tries all failed, after which a site is left alone.
    largest : int
        Bytes of one file.
    """

    contact: str
    delay: float = 1.0
    timeout: float = 30.0
    longest: float = 300.0
    tries: int = 4
    backoff: float = 2.0
    patience: float = 600.0
    give_up: int = 10
    largest: int = 64 * 2**20

    def headers(self) -> dict[str, str]:
        """Return the headers of each request.

        Examples
        --------
        >>> Manners("someone@example.org").headers()["User-Agent"]
        'fairness-checks-fetch/1 (research data; contact: someone@example.org)'
        """
        return {"User-Agent": f"{AGENT}/1 (research data; contact: {self.contact})", "Accept-Encoding": "identity"}


class Sites:
    """The sites that a run talks to; may be used by several threads.

    Parameters
    ----------
    manners : Manners
        How to behave.
    stop : threading.Event
        Set to end all waiting; `get` then raises `Stopped`.
    """

    def __init__(self, manners: Manners, stop: threading.Event) -> None:
        self._manners = manners
        self._stop = stop
        self._opener = urllib.request.build_opener(_AsTheyCome)
        self._sites: dict[str, _Site] = {}
        self._lock = threading.Lock()

    def get(self, url: str) -> bytes:
        """Return the content at an address, over at most five redirects, each as its own site's robots.txt allows.

        Raises
        ------
        Refused
            It could not be had: not allowed, an error status, no answer, cut off, too long; the message says which.
        Stopped
            The run was told to stop.
        """
        return self._follow(url, obey=True)

    def _follow(self, url: str, *, obey: bool) -> bytes:
        for _ in range(1 + REDIRECTS):
            url = quote(url, safe="!#$%&'()*+,/:;=?@[]~")  # the table has addresses with blanks
            site = self._site(url)
            if obey and not self._rules(site).can_fetch(AGENT, url):
                raise Refused(f"robots.txt of {site.address} does not allow it{site.why_barred}")
            answer = self._request(site, url)
            if answer.status == 413:
                raise Refused(f"longer than {self._manners.largest} bytes", answer.status)
            if answer.status == 200:
                return answer.content
            if answer.status not in {301, 302, 303, 307, 308} or "Location" not in answer.headers:
                raise Refused(f"HTTP {answer.status}", answer.status)
            url = urljoin(url, answer.headers["Location"])
        raise Refused(f"more than {REDIRECTS} redirects")

    def _site(self, url: str) -> _Site:
        try:
            parts = urlsplit(url)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError
        except ValueError:
            raise Refused(f"not an HTTP address: {url!r}") from None
        with self._lock:
            address = f"{parts.scheme}://{parts.netloc.lower()}"
            return self._sites.setdefault(address, _Site(address, delay=self._manners.delay))

    def _rules(self, site: _Site) -> RobotFileParser:
        """Return the site's robots.txt; without one all is allowed, and nothing when it cannot be had."""
        with site.rules_lock:  # never taken while a site's `lock` is held, so that no two threads wait for each other
            if site.rules is None:
                rules = RobotFileParser()
                try:
                    text = self._follow(f"{site.address}/robots.txt", obey=False).decode("utf-8", "replace")
                    rules.parse(text.splitlines())
                except Refused as refusal:
                    if 400 <= refusal.status < 500 and refusal.status not in {401, 403}:
                        rules.parse([])
                    else:
                        rules.parse(["User-agent: *", "Disallow: /"])
                        site.why_barred = f": it could not be read ({refusal})"
                with site.lock:
                    site.delay = max(self._manners.delay, float(rules.crawl_delay(AGENT) or 0))
                    site.free_at = max(site.free_at, time.monotonic() + site.delay)
                site.rules = rules
            return site.rules

    def _request(self, site: _Site, url: str) -> _Answer:
        """Return the answer to a request, after as many tries as it takes and the manners allow."""
        manners = self._manners
        with site.lock:
            for attempt in range(manners.tries):
                if site.closed:
                    raise Refused(site.closed)
                self._sleep(site.free_at - time.monotonic())
                pause = manners.backoff * 2**attempt
                try:
                    answer = self._exchange(url)
                except (OSError, http.client.HTTPException, ValueError) as error:
                    reason = f"{type(error).__name__}: {error}"
                else:
                    if answer.status not in RETRIED:
                        site.in_a_row = 0
                        site.free_at = time.monotonic() + site.delay
                        return answer
                    reason = f"HTTP {answer.status}"
                    pause = _retry_after(answer.headers) or pause
                site.free_at = time.monotonic() + max(site.delay, pause)
                if pause > manners.patience:
                    site.closed = f"{site.address} asks to wait {pause:.0f} s: run again later"
            site.in_a_row += 1
            if site.in_a_row >= manners.give_up and not site.closed:
                site.closed = f"{site.address} failed {site.in_a_row} times in a row ({reason}): run again later"
            raise Refused(f"{reason} ({manners.tries} tries)")

    def _exchange(self, url: str) -> _Answer:
        """Send one request; what fails is an OSError, an HTTPException or a ValueError."""
        ends = time.monotonic() + self._manners.longest
        request = urllib.request.Request(url, headers=self._manners.headers())
        with self._opener.open(request, timeout=self._manners.timeout) as response:
            content = bytearray()
            while chunk := response.read1(2**16):
                content += chunk
                if len(content) > self._manners.largest:
                    return _Answer(413, {}, b"")  # another try would be as long
                if time.monotonic() > ends:
                    raise TimeoutError(f"not there after {self._manners.longest:g} s")
                self._sleep(0)
            expected = response.headers.get("Content-Length")
            if expected is not None and int(expected) != len(content):
                raise OSError(f"cut off after {len(content)} of {expected} bytes")
            return _Answer(response.status, response.headers, bytes(content))

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(max(0.0, seconds)):
            raise Stopped


class _Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(slots=True)
class _Site:
    address: str
    lock: threading.Lock = field(default_factory=threading.Lock)  # held during a request and the pause before it
    rules_lock: threading.Lock = field(default_factory=threading.Lock)
    rules: RobotFileParser | None = None
    why_barred: str = ""
    delay: float = 0.0
    free_at: float = 0.0  # time.monotonic() of the next request
    in_a_row: int = 0
    closed: str = ""  # why the site is left alone


class _AsTheyCome(urllib.request.HTTPErrorProcessor):
    """Raises for no status and follows no redirect: both are decided by `Sites`."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        return response

    https_response = http_response


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds that a site asks to wait for, in either form of RFC 9110; 0 when it does not say."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0
