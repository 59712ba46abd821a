"""The images of Fitzpatrick17k, from their sites: ``python -m models.data.fetch_fitzpatrick17k``.

The table lists the address of each of 16,577 photographs on two public atlases (some have none). Fetching them takes
hours: one request at a time to each host, with a pause between two, as its robots.txt allows. A run that was stopped
goes on where it was. FOLDER is then one that `models.data.fitzpatrick17k` reads; ``failures.csv`` in it lists what
could not be had and why. What is gone or replaced there is not asked for again unless --again is given. Exit status:
0 all there, 1 some missing, 2 cannot start, 130 interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import io
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm import tqdm

from fairness_checks.errors import FairnessError
from fairness_checks.storage.files import remove_leftovers, write_atomically
from models.command_line import at_least
from models.data.fitzpatrick17k_files import TABLE, UnusableData, is_md5_of, read_table
from models.data.photographs import decoded
from models.data.polite_http import Manners, Refused, Sites, host_of

__all__ = ["Fetched", "fetch", "main"]

FAILURES = "failures.csv"
COLUMNS = ("md5hash", "url", "reason", "permanent")  # of it; permanent: asking again would give the same
KEEP_EVERY = 5.0  # seconds between two writings of it, at least: what a killed run did not write is asked for again


@dataclass(slots=True)
class Fetched:
    """How many images a run was to fetch; of them were there already, were fetched, are known not to be had."""

    total: int
    kept: int = 0
    new: int = 0
    skipped: int = 0


def fetch(table: Path, folder: Path, manners: Manners, *, limit: int | None = None, again: bool = False) -> Fetched:
    """Fetch the images that the first rows of a table list and that are not in a folder yet.

    Puts ``images/<md5hash>.jpg`` there, each whole, of that md5 and an image; a copy of the table; ``failures.csv``.
    Raises UnusableData where the tables are others than they should be, or another run uses the folder.
    """
    content = table.read_bytes()
    wanted: dict[str, str] = {}
    for row in read_table(content, table.name, [("url",)])[:limit]:
        wanted[row["md5hash"]] = wanted.get(row["md5hash"]) or row["url"].strip()
    (folder / "images").mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".fetch.lock", timeout=0):
            remove_leftovers(folder / "images")
            if not (kept := folder / TABLE).exists():
                write_atomically(kept, content)
            elif kept.read_bytes() != content:
                raise UnusableData(f"{kept}: another table than the given one; choose another folder")
            return asyncio.run(_fetch_all(wanted, folder, manners, again))
    except Timeout:
        raise UnusableData(f"{folder}: another run fetches into it") from None


async def _fetch_all(wanted: dict[str, str], folder: Path, manners: Manners, again: bool) -> Fetched:
    """Fetch from all hosts at a time, an image after the other from each."""
    listed = folder / FAILURES
    rows = read_table(listed.read_bytes(), str(listed), [("url",), ("reason",)]) if listed.exists() else []
    failures = {row["md5hash"]: row for row in rows}  # of earlier runs, each until this one has come to its image
    by_host: dict[str, list[str]] = defaultdict(list)
    for md5hash, url in wanted.items():
        by_host[host_of(url)].append(md5hash)
    done, written = Fetched(len(wanted)), 0.0

    async def from_host(names: Sequence[str]) -> None:
        nonlocal written
        for md5hash in names:
            path, url, old = folder / "images" / f"{md5hash}.jpg", wanted[md5hash], failures.get(md5hash, {})
            if path.is_file() and is_md5_of(md5hash, path.read_bytes()):
                done.kept += 1
                failures.pop(md5hash, None)
            elif old.get("permanent") == "yes" and old["url"] == url and not again:
                done.skipped += 1
            else:
                try:
                    await _fetch_one(sites, path, url)
                    done.new += 1
                    failures.pop(md5hash, None)
                except Refused as why:
                    row = (md5hash, url, str(why), "yes" if why.permanent else "no")
                    failures[md5hash] = dict(zip(COLUMNS, row, strict=True))
                    if time.monotonic() - written > KEEP_EVERY:
                        _write_failures(listed, failures, wanted)
                        written = time.monotonic()
            progress.update()
            await asyncio.sleep(0)  # the other hosts' turn, and Ctrl-C's

    async with manners.client() as client:
        sites = Sites(manners, client)
        with tqdm(total=len(wanted), unit=" images", mininterval=0.5 if sys.stderr.isatty() else 30) as progress:
            try:
                await asyncio.gather(*map(from_host, by_host.values()))
            finally:
                _write_failures(listed, failures, wanted)
    return done


async def _fetch_one(sites: Sites, path: Path, url: str) -> None:
    if not url:
        raise Refused("the table has no address")  # not permanent: there is nothing to skip
    content = await sites.get(url)
    if not is_md5_of(path.stem, content):
        raise Refused(f"another content than the published one: {len(content)} bytes of another md5", permanent=True)
    try:
        decoded(content, 8)
    except Exception as error:  # Pillow raises nearly anything
        raise Refused(f"not an image: {type(error).__name__}", permanent=True) from None
    write_atomically(path, content)


def _write_failures(path: Path, failures: Mapping[str, Mapping[str, str]], wanted: Iterable[str]) -> None:
    """Replace the file: in the order of the table, then what earlier runs of more rows found."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="no", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(failures[md5hash] for md5hash in dict.fromkeys([*wanted, *failures]) if md5hash in failures)
    write_atomically(path, text.getvalue().encode())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m models.data.fetch_fitzpatrick17k", description=__doc__)
    parser.add_argument("table", metavar="CSV", type=Path, help="fitzpatrick17k.csv as published")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where to put the images")
    parser.add_argument("--contact", metavar="MAIL", required=True, help="who fetches, told to the sites: mail or page")
    parser.add_argument("--delay", type=float, default=1.0, help="seconds between two requests to a host (default 1)")
    parser.add_argument("--limit", type=at_least(1), help="stop after so many rows of the table")
    parser.add_argument("--again", action="store_true", help="ask again for what failed permanently in an earlier run")
    options = parser.parse_args(argv)
    if not (options.contact.isascii() and options.contact.isprintable() and set(options.contact) & {"@", "/"}):
        parser.error(f"--contact {options.contact!r}: give a mail address or a page")
    if not options.delay >= 0:
        parser.error("--delay must be at least 0")
    manners = Manners(options.contact, delay=options.delay)
    try:
        done = fetch(options.table, options.folder, manners, limit=options.limit, again=options.again)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; run again to go on\n")
        return 130
    except (FairnessError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    failed = done.total - done.kept - done.new
    counts = f"{done.kept:,} there, {done.new:,} fetched, {failed:,} failed"
    sys.stderr.write(f"{done.total:,} of {done.total:,}: {counts}\n")
    if done.skipped:
        sys.stderr.write(f"{done.skipped:,} of the failed not asked for: permanent; --again asks for them\n")
    sys.stderr.write(f"why: {options.folder / FAILURES}\n" if failed else "")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
