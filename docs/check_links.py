"""Look whether every link inside the built site leads somewhere: `python docs/check_links.py build/docs`."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Links(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the links and anchors of a tag."""
        given = dict(attrs)
        self.anchors |= {name for name in (given.get("id"), given.get("name")) if name}
        key = "href" if tag in ("a", "link") else "src"
        self.targets += [target for target in (given.get(key),) if target]


def broken(site: Path) -> list[str]:
    """Return a line for each link that leads to no file, or to no anchor of it."""
    pages = {path.resolve(): Links(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts}
    found = []
    for path, page in pages.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            place = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            there = place.exists() and (not anchor or place not in pages or anchor in pages[place].anchors)
            if not there:
                found.append(f"{path.relative_to(site.resolve())}: {target}")
    return found


if __name__ == "__main__":
    problems = broken(Path(sys.argv[1]))
    sys.stderr.write("".join(f"{problem}: leads nowhere\n" for problem in problems))
    sys.exit(bool(problems))
