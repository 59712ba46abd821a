"""What a robots.txt lets one agent do: which addresses it may ask for, and how often.

`urllib.robotparser` reads the file; it passes over delays that are no whole numbers and rates with a unit, which are
rewritten for it here.
"""

from __future__ import annotations

import math
import re
from urllib.robotparser import RobotFileParser

__all__ = ["Robots"]

_DELAY = re.compile(r"(?im)^([ \t]*crawl-delay[ \t]*:)[ \t]*([0-9]*\.[0-9]+)")
_RATE = re.compile(r"(?im)^([ \t]*request-rate[ \t]*:)[ \t]*([0-9]+)[ \t]*/[ \t]*([0-9]+)[ \t]*([smh]?)[^\r\n]*")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Robots:
    r"""A robots.txt as one agent has to read it.

    Parameters
    ----------
    text : str
        The content; an empty one allows everything.
    agent : str
        The name by which the file may address the agent. Rules under that name replace those for all.

    Attributes
    ----------
    pause : float
        Seconds from one request to the next, at least 0: the longer of Crawl-delay, rounded up, and Request-rate (one
        of 3/10 is a request every 10/3 seconds; one of 0/10 is none ever, infinity).

    Raises
    ------
    ValueError
        The parser cannot read a line, such as ``Disallow: //[``.

    Examples
    --------
    >>> robots = Robots("User-agent: *\nDisallow: /private/\nCrawl-delay: 1.5\nRequest-rate: 6/1m", "an-agent")
    >>> robots.pause, robots.allows("http://example.org/a"), robots.allows("http://example.org/private/a")
    (10.0, True, False)
    """

    def __init__(self, text: str, agent: str) -> None:
        self._agent = agent
        self._rules = RobotFileParser()
        text = _DELAY.sub(lambda found: f"{found[1]} {math.ceil(float(found[2]))}", text)
        text = _RATE.sub(lambda found: f"{found[1]} {found[2]}/{int(found[3]) * _SECONDS[found[4].lower()]}", text)
        self._rules.parse(text.splitlines())
        rate = self._rules.request_rate(agent)
        every = 0.0 if rate is None else rate.seconds / rate.requests if rate.requests else math.inf
        self.pause = max(float(self._rules.crawl_delay(agent) or 0), every)

    def allows(self, url: str) -> bool:
        """Return whether the agent may ask for an address; not for one that the parser cannot read."""
        try:
            return self._rules.can_fetch(self._agent, url)
        except ValueError:
            return False
