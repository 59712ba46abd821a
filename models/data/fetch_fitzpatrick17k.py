"""The images of Fitzpatrick17k, from their sites: ``python -m models.data.fetch_fitzpatrick17k``.

The table lists the address of each of 16,577 photographs on two public atlases (some have none). Fetching them takes
hours: one request at a time to each host, with a pause between two, as its robots.txt allows. A run that was stopped
goes on where it was. FOLDER is then one that `models.data.fitzpatrick17k` reads; ``failures.csv`` in it lists what
could not be had and why. What is gone or replaced there is not asked for again unless --again is given. Exit status:
0 all there, 1 some missing, 2 cannot start, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock, Timeout
from PIL import Image

from fairness_checks.errors import FairnessError
from fairness_checks.storage.files import remove_leftovers, write_atomically
from models.data.fetch_failures import Failure, read_failures, write_failures
from models.data.fetch_manners import Manners, host_of
from models.data.fetch_progress import Fetched, Progress
from models.data.fitzpatrick17k_files import TABLE, UnusableData, is_md5_of, read_table
from models.data.photographs import decoded
from models.data.polite_http import Refused, Sites, Stopped

__all__ = ["fetch", "main"]

FAILURES = "failures.csv"
KEEP_EVERY = 60.0  # seconds between two writings of the failures so far


def fetch(
    table: Path,
    folder: Path,
    manners: Manners,
    *,
    limit: int | None = None,
    again: bool = False,
    report: Callable[[Fetched], None] = lambda fetched: None,
) -> Fetched:
    """Fetch the images that a table lists and that are not in a folder yet.

    Parameters
    ----------
    table : Path
        ``fitzpatrick17k.csv`` as published; its columns ``md5hash`` and ``url`` are used.
    folder : Path
        Where to put ``images/<md5hash>.jpg``, a copy of the table and ``failures.csv``. An image appears there whole,
        with the md5 that it is named by, and can be decoded; a file of another content is fetched anew.
    manners : Manners
        How to behave towards the hosts; a thread for each of them.
    limit : int, optional
        Stop after this many rows of the table.
    again : bool
        Whether to ask for what an earlier run found to fail permanently.
    report : callable
        Called about ten times a second with the state so far.

    Returns
    -------
    Fetched
        The failures in the order of the table.

    Raises
    ------
    UnusableData
        The table or ``failures.csv`` cannot be read, the folder holds another table, or another run uses it.
    OSError
        The folder cannot be written.
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
            return _fetch_all(wanted, folder, manners, again, report)
    except Timeout:
        raise UnusableData(f"{folder}: another run fetches into it") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; see the module's docstring.

    Examples
    --------
    >>> main(["missing.csv", "folder", "--contact", "someone@example.org"])
    2
    """
    parser = argparse.ArgumentParser(prog="python -m models.data.fetch_fitzpatrick17k", description=__doc__)
    parser.add_argument("table", metavar="CSV", type=Path, help="fitzpatrick17k.csv as published")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where to put the images")
    parser.add_argument("--contact", metavar="MAIL", required=True, help="who fetches, told to the sites: mail or page")
    parser.add_argument("--delay", type=float, default=1.0, help="seconds between two requests to a host (default 1)")
    parser.add_argument("--limit", type=int, help="stop after so many rows of the table")
    parser.add_argument("--again", action="store_true", help="ask again for what failed permanently in an earlier run")
    options = parser.parse_args(argv)
    if not (options.contact.isascii() and options.contact.isprintable() and set(options.contact) & {"@", "/"}):
        parser.error(f"--contact {options.contact!r}: give a mail address or a page")
    if not options.delay >= 0 or (options.limit is not None and options.limit < 1):
        parser.error("--delay must be at least 0 and --limit at least 1")
    progress, manners = Progress(sys.stderr), Manners(options.contact, delay=options.delay)
    try:
        done = fetch(options.table, options.folder, manners, limit=options.limit, again=options.again, report=progress)
        progress(done, last=True)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; run again to go on\n")
        return 130
    except (FairnessError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if done.skipped:
        sys.stderr.write(f"{done.skipped:,} of the failed not asked for: permanent; --again asks for them\n")
    sys.stderr.write(f"why: {options.folder / FAILURES}\n" if done.failures else "")
    return 1 if done.failures else 0


def _fetch_all(
    wanted: dict[str, str], folder: Path, manners: Manners, again: bool, report: Callable[[Fetched], None]
) -> Fetched:
    """Fetch with one thread a host; keep the failures so far from time to time and at the end, whatever ends it."""
    by_host: dict[str, list[str]] = defaultdict(list)
    for md5hash, url in wanted.items():
        by_host[host_of(url)].append(md5hash)
    earlier = read_failures(folder / FAILURES)  # of what this run has not come to yet
    skipped = {
        failure.md5hash: failure
        for failure in earlier.values()
        if failure.permanent and failure.url == wanted.get(failure.md5hash) and not again
    }
    stop, lock = threading.Event(), threading.Lock()
    sites, state = Sites(manners, stop), Fetched(total=len(wanted))
    crashes: list[BaseException] = []

    def work(names: Sequence[str]) -> None:
        try:
            for md5hash in names:
                path = folder / "images" / f"{md5hash}.jpg"
                there = path.is_file() and is_md5_of(md5hash, path.read_bytes())
                failure = None if there else skipped.get(md5hash) or _fetch_one(sites, path, wanted[md5hash])
                with lock:
                    earlier.pop(md5hash, None)
                    if failure:
                        state.failures.append(failure)
                        state.skipped += md5hash in skipped
                    elif there:
                        state.kept += 1
                    else:
                        state.new += 1
                if stop.is_set():
                    return
        except Stopped:
            pass
        except BaseException as crash:  # such as a full disk, which is no fault of an image
            crashes.append(crash)
            stop.set()

    Image.init()  # before the threads: Pillow loads its readers at first use
    threads = [threading.Thread(target=work, args=(names,), daemon=True) for names in by_host.values()]
    try:
        for thread in threads:
            thread.start()
        written = time.monotonic()
        while alive := [thread for thread in threads if thread.is_alive()]:
            alive[0].join(0.1)
            report(state)
            if time.monotonic() - written > KEEP_EVERY:
                _keep_failures(state, lock, wanted, earlier, folder / FAILURES)
                written = time.monotonic()
    finally:
        stop.set()
        for thread in threads:
            thread.join(5)  # one that hangs in a request ends with the process; a file appears whole or not at all
        _keep_failures(state, lock, wanted, earlier, folder / FAILURES)
    if crashes:
        raise crashes[0]
    return state


def _fetch_one(sites: Sites, path: Path, url: str) -> Failure | None:
    """Fetch one image; return why that failed."""

    def failed(reason: str, *, permanent: bool = True) -> Failure:
        return Failure(path.stem, url, reason, permanent)

    if not url:
        return failed("the table has no address", permanent=False)  # there is nothing to skip
    try:
        content = sites.get(url)
    except Refused as refusal:
        return failed(str(refusal), permanent=refusal.permanent)
    if not is_md5_of(path.stem, content):
        return failed(f"another content than the published one: {len(content)} bytes of another md5")
    try:
        decoded(content, 8)
    except Exception as error:  # Pillow raises nearly anything
        return failed(f"not an image: {type(error).__name__}")
    write_atomically(path, content)
    return None


def _keep_failures(
    state: Fetched, lock: threading.Lock, wanted: dict[str, str], earlier: dict[str, Failure], path: Path
) -> None:
    order = {md5hash: at for at, md5hash in enumerate(wanted)}

    def place(failure: Failure) -> int:
        return order.get(failure.md5hash, len(order))

    with lock:
        state.failures.sort(key=place)
        failures = sorted([*state.failures, *earlier.values()], key=place)
    write_failures(path, failures)


if __name__ == "__main__":
    raise SystemExit(main())
