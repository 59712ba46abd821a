"""Files over HTTP from hosts that owe us nothing: as their robots.txt allows, one request at a time, with pauses."""

from __future__ import annotations

import asyncio
import email.utils
import time
from dataclasses import dataclass, field

import httpx
from protego import Protego

__all__ = ["Manners", "Refused", "Sites", "host_of"]

AGENT = "fairness-checks-fetch"  # the name that a robots.txt may address
REDIRECTS = 5
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses that another try may mend
GONE = frozenset({404, 410})  # statuses that another run will not mend; 401 and 403 are about who asks


@dataclass(frozen=True, slots=True)
class Manners:
    """How a run behaves towards the hosts that it asks; times in seconds."""

    contact: str  # mail address or page of the person who fetches, sent with each request
    delay: float = 1.0  # from the end of a request to the next one to the host; longer where its robots.txt says so
    longest_delay: float = 60.0  # past it, and past `delay`, a host that asks for it is left alone
    timeout: float = 30.0  # longest silence
    longest: float = 300.0  # for one file
    tries: int = 4  # requests for one file, where the failure may pass
    backoff: float = 2.0  # before the second try, doubled before each further one; Retry-After comes first
    patience: float = 600.0  # longest Retry-After that is waited for; past it the host is left alone
    give_up: int = 10  # files in a row whose tries all failed, after which a host is left alone
    largest: int = 64 * 2**20  # bytes of one file

    def client(self) -> httpx.AsyncClient:
        """Return what sends the requests, each with the name of who asks, by way of the environment's proxy."""
        agent = f"{AGENT}/1 (research data; contact: {self.contact})"
        headers = {"User-Agent": agent, "Accept-Encoding": "identity"}
        try:
            return httpx.AsyncClient(headers=headers, timeout=self.timeout)
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            raise OSError(f"HTTP_PROXY, HTTPS_PROXY or ALL_PROXY cannot be used: {error}") from None


class Refused(Exception):
    """A file could not be had; the message says why. `permanent`: another run would get the same."""

    def __init__(self, reason: str, status: int = 0, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.status, self.permanent = status, permanent


def host_of(address: str | httpx.URL) -> str:
    """Return whom an address asks, over HTTP or HTTPS: name, and a port of its own; nothing for no such address."""
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        return ""
    name = url.host.rstrip(".") if url.scheme in {"http", "https"} else ""
    return f"{name}:{url.port}" if name and url.port else name


@dataclass(slots=True)
class _Host:
    name: str
    delay: float
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # held during a request and the pause before it
    free_at: float = 0.0  # time.monotonic() of the next request
    in_a_row: int = 0
    closed: str = ""  # why the host is left alone


class Sites:
    """The sites that a run talks to: requests to a host, over HTTP and HTTPS alike, follow each other."""

    def __init__(self, manners: Manners, client: httpx.AsyncClient) -> None:
        self._manners, self._client = manners, client
        self._hosts: dict[str, _Host] = {}
        self._robots: dict[str, asyncio.Task[Protego]] = {}

    async def get(self, address: str | httpx.URL, *, obey: bool = True) -> bytes:
        """Return the content at an address, over redirects, as each robots.txt allows; else raise Refused."""
        for _ in range(1 + REDIRECTS):
            if not (name := host_of(address)):
                raise Refused(f"not an HTTP address: '{address}'")
            url, host = httpx.URL(address), self._hosts.setdefault(name, _Host(name, self._manners.delay))
            if obey:
                origin = f"{url.scheme}://{url.netloc.decode()}"
                if origin not in self._robots:  # a task: whoever comes while it is on its way waits for it too
                    self._robots[origin] = asyncio.create_task(self._read_robots(host, origin))
                if not (await self._robots[origin]).can_fetch(str(url), AGENT):
                    raise Refused(f"robots.txt of {origin} does not allow it")
            answer, content = await self._request(host, url)
            if (status := answer.status_code) == 200:
                return content
            if answer.next_request is None:
                raise Refused(f"HTTP {status}", status, permanent=status in GONE)
            address = answer.next_request.url
        raise Refused(f"more than {REDIRECTS} redirects")

    async def _read_robots(self, host: _Host, origin: str) -> Protego:
        """Return an origin's rules: all is allowed where there are none, and nothing where they cannot be had."""
        try:
            content = await self.get(f"{origin}/robots.txt", obey=False)
        except Refused as why:
            if not 400 <= why.status < 500 or why.status in {401, 403}:
                raise Refused(f"robots.txt of {origin} does not allow it: it could not be read ({why})") from None
            content = b""
        rules = Protego.parse(content.decode("utf-8-sig", "replace"))
        rate = rules.request_rate(AGENT)
        pause = max(rules.crawl_delay(AGENT) or 0.0, rate.seconds / rate.requests if rate else 0.0)
        if pause > max(self._manners.longest_delay, self._manners.delay):
            asked = f"robots.txt of {origin} asks for {pause:g} s between two requests"
            host.closed = f"{asked}: left alone unless --delay is that long"
        host.free_at += max(0.0, pause - host.delay)  # which counted the shorter pause after this request
        host.delay = max(host.delay, pause)
        return rules

    async def _request(self, host: _Host, url: httpx.URL) -> tuple[httpx.Response, bytes]:
        """Return the answer to a request and its content, after as many tries as it takes and the manners allow."""
        manners = self._manners
        async with host.turn:
            for attempt in range(manners.tries):
                if host.closed:
                    raise Refused(host.closed)
                await asyncio.sleep(host.free_at - time.monotonic())
                pause = manners.backoff * 2**attempt
                try:
                    content = bytearray()
                    async with asyncio.timeout(manners.longest), self._client.stream("GET", url) as answer:
                        async for chunk in answer.aiter_bytes():
                            content += chunk
                            if len(content) > manners.largest:
                                raise Refused(f"longer than {manners.largest} bytes", permanent=True)
                    if answer.status_code not in RETRIED:
                        pause = host.in_a_row = 0
                        return answer, bytes(content)
                    reason, pause = f"HTTP {answer.status_code}", _retry_after(answer.headers) or pause
                except TimeoutError:
                    reason = f"not there after {manners.longest:g} s"
                except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
                    reason = f"{type(error).__name__}: {error}".removesuffix(": ")
                finally:
                    host.free_at = time.monotonic() + max(host.delay, pause)
                if pause > manners.patience:
                    host.closed = f"{host.name} asks to wait {pause:.0f} s: run again later"
            host.in_a_row += 1
            if host.in_a_row >= manners.give_up and not host.closed:
                host.closed = f"{host.name} failed {host.in_a_row} times in a row ({reason}): run again later"
            raise Refused(f"{reason} ({manners.tries} tries)")


def _retry_after(headers: httpx.Headers) -> float:
    """Return the seconds that a site asks to wait for, in either form of RFC 9110; 0 when it does not say."""
    text = headers.get("Retry-After", "").strip()
    try:
        ends = time.time() + float(text) if text.isdecimal() else email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, ends - time.time())
