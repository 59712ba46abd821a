"""Files over HTTP from hosts that owe us nothing: as their robots.txt allows, one request at a time, with pauses.

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

from models.data.fetch_manners import AGENT, Manners, host_of
from models.data.fetch_robots import Robots

__all__ = ["Refused", "Sites", "Stopped"]

REDIRECTS = 5
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses that another try may mend
GONE = frozenset({404, 410})  # statuses that another run will not mend; 401 and 403 are about who asks


class Refused(Exception):
    """A file could not be had; the message says why.

    `status` is that of the answer, 0 where there was none; `permanent`, whether another run would get the same.
    """

    def __init__(self, reason: str, status: int = 0, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.status = status
        self.permanent = permanent


class Stopped(Exception):
    """The run was told to stop."""


class Sites:
    """The sites that a run talks to; may be used by several threads.

    Requests to a host follow each other, over HTTP and HTTPS alike; each of the two has its own robots.txt.

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
        self._origins: dict[str, _Origin] = {}
        self._hosts: dict[str, _Host] = {}
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
            origin = self._origin(url)
            if obey and not self._robots(origin).allows(url):
                raise Refused(f"robots.txt of {origin.address} does not allow it{origin.why_barred}")
            answer = self._request(origin.host, url)
            if answer.status == 200:
                if len(answer.content) > self._manners.largest:
                    raise Refused(f"longer than {self._manners.largest} bytes", permanent=True)
                return answer.content
            if answer.status not in {301, 302, 303, 307, 308} or "Location" not in answer.headers:
                raise Refused(f"HTTP {answer.status}", answer.status, permanent=answer.status in GONE)
            try:
                url = urljoin(url, answer.headers["Location"])
            except ValueError:
                raise Refused(f"not an HTTP address: {answer.headers['Location']!r}") from None
        raise Refused(f"more than {REDIRECTS} redirects")

    def _origin(self, url: str) -> _Origin:
        if not (name := host_of(url)):
            raise Refused(f"not an HTTP address: {url!r}")
        parts = urlsplit(url)
        address = f"{parts.scheme}://{parts.netloc.lower()}"
        with self._lock:
            host = self._hosts.setdefault(name, _Host(name, self._manners.delay))
            return self._origins.setdefault(address, _Origin(address, host))

    def _robots(self, origin: _Origin) -> Robots:
        """Return the origin's robots.txt; without one all is allowed, and nothing when it cannot be had."""
        with origin.lock:  # never taken while a host's lock is held, so that no two threads wait for each other
            if origin.robots is None:
                try:
                    robots = self._read_robots(origin)
                except Refused as refusal:
                    absent = 400 <= refusal.status < 500 and refusal.status not in {401, 403}
                    robots = Robots("" if absent else "User-agent: *\nDisallow: /", AGENT)
                    origin.why_barred = "" if absent else f": it could not be read ({refusal})"
                with (host := origin.host).lock:
                    if robots.pause > max(self._manners.longest_delay, self._manners.delay):
                        asked = f"robots.txt of {origin.address} asks for {robots.pause:g} s between two requests"
                        host.closed = f"{asked}: left alone unless --delay is that long"
                    host.delay = max(host.delay, robots.pause)
                    host.free_at = max(host.free_at, time.monotonic() + host.delay)
                origin.robots = robots
            return origin.robots

    def _read_robots(self, origin: _Origin) -> Robots:
        content = self._follow(f"{origin.address}/robots.txt", obey=False)
        try:
            return Robots(content.decode("utf-8-sig", "replace"), AGENT)
        except ValueError as error:
            raise Refused(str(error)) from None

    def _request(self, host: _Host, url: str) -> _Answer:
        """Return the answer to a request, after as many tries as it takes and the manners allow."""
        manners = self._manners
        with host.lock:
            for attempt in range(manners.tries):
                if host.closed:
                    raise Refused(host.closed)
                self._sleep(host.free_at - time.monotonic())
                pause = manners.backoff * 2**attempt
                try:
                    answer = self._exchange(url)
                except (OSError, http.client.HTTPException, ValueError) as error:
                    reason = f"{type(error).__name__}: {error}"
                else:
                    if answer.status not in RETRIED:
                        host.in_a_row = 0
                        host.free_at = time.monotonic() + host.delay
                        return answer
                    reason = f"HTTP {answer.status}"
                    pause = _retry_after(answer.headers) or pause
                host.free_at = time.monotonic() + max(host.delay, pause)
                if pause > manners.patience:
                    host.closed = f"{host.name} asks to wait {pause:.0f} s: run again later"
            host.in_a_row += 1
            if host.in_a_row >= manners.give_up and not host.closed:
                host.closed = f"{host.name} failed {host.in_a_row} times in a row ({reason}): run again later"
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
                    return _Answer(response.status, {}, bytes(content))  # another try would be as long
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
class _Host:
    name: str
    delay: float
    lock: threading.Lock = field(default_factory=threading.Lock)  # held during a request and the pause before it
    free_at: float = 0.0  # time.monotonic() of the next request
    in_a_row: int = 0
    closed: str = ""  # why the host is left alone


@dataclass(slots=True)
class _Origin:
    address: str  # https://example.org
    host: _Host
    lock: threading.Lock = field(default_factory=threading.Lock)
    robots: Robots | None = None
    why_barred: str = ""


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
