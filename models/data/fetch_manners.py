"""How a run behaves towards the hosts that it asks, and which addresses are of one host."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["AGENT", "Manners", "host_of"]

AGENT = "fairness-checks-fetch"  # the name that a robots.txt may address


@dataclass(frozen=True, slots=True)
class Manners:
    """How a run behaves; times in seconds.

    Attributes
    ----------
    contact : str
        Mail address or page of the person who fetches, sent with each request.
    delay : float
        Pause between the end of a request and the next one to the same host; longer where a robots.txt asks for it.
    longest_delay : float
        Longest pause that a robots.txt may ask for; past it, and past `delay`, the host is left alone.
    timeout : float
        Longest silence.
    longest : float
        Longest time for one file.
    tries : int
        Requests for one file, where the failure may pass.
    backoff : float
        Pause before the second try; twice as long before each further one. The host's Retry-After comes first.
    patience : float
        Longest Retry-After that is waited for; past it the host is left alone.
    give_up : int
        Files in a row whose tries all failed, after which a host is left alone.
    largest : int
        Bytes of one file.
    """

    contact: str
    delay: float = 1.0
    longest_delay: float = 60.0
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


def host_of(url: str) -> str:
    """Return whom an address asks: the name, and the port unless it is a usual one; nothing for no HTTP address.

    Examples
    --------
    >>> host_of("http://Example.org/a"), host_of("https://example.org:443"), host_of("http://example.org:8000")
    ('example.org', 'example.org', 'example.org:8000')
    >>> host_of("file:///etc/hosts")
    ''
    """
    try:
        parts = urlsplit(url)
        name, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not name:
        return ""
    return name if port in {None, 80, 443} else f"{name}:{port}"
