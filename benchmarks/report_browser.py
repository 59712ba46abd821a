"""A report in headless Chromium: what goes wrong there, and what it looks like.

    python -m benchmarks.report_browser REPORT OUT

It opens report.html at two widths, light and dark, with and without Jenkins' policy, prints
what is wrong, and keeps a picture of each, one in grey and one as printed. `tests/report/test_browser.py`
does the same with small runs; the reference run takes minutes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import axe_playwright_python
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, sync_playwright

__all__ = ["JENKINS", "MODES", "Mode", "Opened", "chromium", "opened", "started"]

JENKINS = "sandbox; default-src 'none'; img-src 'self'; style-src 'self';"
"""Content policy with which Jenkins serves what a build has archived (hudson.model.DirectoryBrowserSupport.CSP)."""
ADDRESS = "http://report.invalid/report.html"
SMALLEST_TEXT = 9  # px on the screen
PATIENCE = 300_000.0  # milliseconds for a browser on a busy machine, which has 30,000 of its own accord

# Text of a picture must lie in the viewBox as it stands on the screen, whatever moves or turns it, and be large enough.
_TEXTS = """() => {
    const found = [];
    for (const text of document.querySelectorAll('svg text')) {
        const svg = text.ownerSVGElement, view = svg.viewBox.baseVal, on = svg.getScreenCTM();
        const box = text.getBoundingClientRect(), own = text.getScreenCTM();
        const left = on.e + on.a * view.x, top = on.f + on.d * view.y;
        const right = left + on.a * view.width, bottom = top + on.d * view.height;
        const size = parseFloat(getComputedStyle(text).fontSize) * Math.sqrt(Math.abs(own.a * own.d - own.b * own.c));
        const outside = box.left < left - 0.5 || box.top < top - 0.5 || box.right > right + 0.5
            || box.bottom > bottom + 0.5;
        found.push([text.textContent, size, outside]);
    }
    return found;
}"""
_WIDTHS = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
_OPEN = "() => document.querySelectorAll('details').forEach(each => { each.open = true; })"
_AXE = """async () => (await axe.run({resultTypes: ['violations'], selectors: true})).violations.map(
    each => `${each.id} (${each.nodes.length}): ${each.help}: ${each.nodes[0].html.slice(0, 200)}`)"""


@dataclass(frozen=True, slots=True)
class Mode:
    """How a reader has the page before them."""

    width: int
    scheme: Literal["light", "dark"] = "light"
    policy: str | None = None

    @property
    def name(self) -> str:
        """Short name."""
        return f"{self.width}-{self.scheme}{'-jenkins' if self.policy else ''}"


MODES: tuple[Mode, ...] = (
    Mode(1280),
    Mode(1280, "dark"),
    Mode(400),
    Mode(400, "dark"),
    Mode(1280, policy=JENKINS),
    Mode(1280, "dark", JENKINS),
    Mode(400, policy=JENKINS),
    Mode(400, "dark", JENKINS),
)


def chromium() -> str | None:
    """Return the browser, if there is one: Debian's `chromium`, else Chrome; FAIRNESS_CHROMIUM names another."""
    names = (os.environ.get("FAIRNESS_CHROMIUM"), "chromium", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


@contextmanager
def started(executable: str) -> Iterator[Browser]:
    """Start a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"], timeout=PATIENCE)
        yield browser
        browser.close()


@dataclass(frozen=True, slots=True)
class Opened:
    """A page that a browser has open, and what it said and asked for."""

    page: Page
    mode: Mode
    requests: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def open_details(self) -> None:
        """Open all that can be opened."""
        self.page.evaluate(_OPEN)

    def problems(self) -> list[str]:
        """Say what is wrong as the page lies there: messages, requests, width, text in pictures."""
        found = [f"asks for {each}" for each in self.requests if each != ADDRESS]
        refused = [each for each in self.messages if self.mode.policy and _refused_style_element(each)]
        found += [f"says {each}" for each in self.messages if each not in refused]
        if len(refused) != (self.mode.policy is not None):
            found.append(f"{len(refused)} style elements were refused")
        width, shown = self.page.evaluate(_WIDTHS)
        if width > shown:
            found.append(f"is {width} px wide on a screen of {shown} px")
        for text, size, outside in self.page.evaluate(_TEXTS):
            if outside:
                found.append(f"text leaves its picture: {text}")
            if size < SMALLEST_TEXT:
                found.append(f"text of {size:.1f} px: {text}")
        return found

    def violations(self) -> list[str]:
        """Say which rules of axe-core it breaks, all default rules."""
        self.page.evaluate((Path(axe_playwright_python.__path__[0]) / "axe.min.js").read_text(encoding="utf-8"))
        return [str(each) for each in self.page.evaluate(_AXE)]


def _refused_style_element(message: str) -> bool:
    """Whether a message is the one that Jenkins' policy must give: it drops the page's one <style>."""
    return message.startswith("error: Applying inline style violates") and "style-src 'self'" in message


@contextmanager
def opened(browser: Browser, html: str, mode: Mode) -> Iterator[Opened]:
    """Open a page as a server would give it, with nothing else in reach."""
    context = browser.new_context(viewport={"width": mode.width, "height": 900}, color_scheme=mode.scheme)
    context.set_default_timeout(PATIENCE)
    shown = Opened(context.new_page(), mode)
    headers = {"Content-Type": "text/html; charset=utf-8"}
    if mode.policy:
        headers["Content-Security-Policy"] = mode.policy

    def answer(route: Route) -> None:
        if route.request.url == ADDRESS:
            route.fulfill(body=html, headers=headers)
        else:
            route.abort()

    def say(message: ConsoleMessage) -> None:
        shown.messages.append(f"{message.type}: {message.text}")

    shown.page.on("console", say)
    shown.page.on("pageerror", lambda error: shown.messages.append(f"error: {error}"))
    shown.page.on("request", lambda request: shown.requests.append(request.url))
    shown.page.route("**/*", answer)
    shown.page.goto(ADDRESS)
    yield shown
    context.close()


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--no-axe", action="store_true", help="leave axe-core out; it takes a minute on a long page")
    given = parser.parse_args()
    executable = chromium()
    if executable is None:
        sys.exit("no browser: apt-get install chromium, or name one in FAIRNESS_CHROMIUM")
    given.out.mkdir(parents=True, exist_ok=True)
    html = given.report.read_text(encoding="utf-8")
    print(f"{given.report.name}: {len(html.encode()):,} bytes")
    wrong = 0
    with started(executable) as browser:
        for mode in MODES:
            with opened(browser, html, mode) as shown:
                found = shown.problems()
                shown.page.screenshot(path=given.out / f"{mode.name}.png", full_page=True)
                shown.open_details()
                found += shown.problems()
                if mode.width == max(each.width for each in MODES) and not mode.policy and not given.no_axe:
                    found += shown.violations()
                for each in dict.fromkeys(found):
                    print(f"{mode.name}: {each}")
                wrong += len(found)
        with opened(browser, html, Mode(1280)) as shown:
            shown.page.pdf(path=given.out / "print.pdf", format="A4", print_background=True)
            shown.page.evaluate("() => { document.documentElement.setAttribute('style', 'filter: grayscale(1)'); }")
            shown.page.screenshot(path=given.out / "grey.png", full_page=True)
    print("nothing is wrong" if not wrong else f"{wrong} found")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(_main())
