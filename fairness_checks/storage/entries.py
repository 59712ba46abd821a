"""An entry: bytes with the key that they were written under, the date, and a digest of it all."""

# Layout 1, the same alone in a file and as a line of a log:
#   fairness-checks-entry 1 2027-06-30T12:00:00Z <key> <length> <digest> <body>\n
# `key` is the sha256 of the key's text, `length` the bytes of the body in decimal digits, `digest` the sha256 of `1
# <date> <key> <length> ` and the body. The body of a line in a log holds no line feed. An entry of another layout,
# one that is damaged, and one that was written under another key all read as none.

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from fairness_checks.plain import now

__all__ = ["LAYOUT", "Entry", "key_digest", "packed", "unpacked"]

LAYOUT = 1

_HEADER = re.compile(
    rb"fairness-checks-entry (?P<facts>%d (?P<date>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (?P<key>[0-9a-f]{64}) "
    rb"(?P<length>\d{1,15}) )(?P<digest>[0-9a-f]{64}) " % LAYOUT
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What was written."""

    key: str  # `key_digest` of the key's text
    date: str  # as in 2027-06-30T12:00:00Z
    body: bytes


def key_digest(text: str) -> str:
    """Return the sha256 of a key's text, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def packed(key: str, body: bytes, date: str | None = None) -> bytes:
    """Return the bytes of an entry; its date is now unless one is given."""
    when = date or now()
    facts = f"{LAYOUT} {when} {key} {len(body)} ".encode("ascii")
    return b"".join((b"fairness-checks-entry ", facts, _digest(facts, body), b" ", body, b"\n"))


def unpacked(content: bytes) -> Entry | None:
    """Return the entry that bytes are, from the first to the last; None where they are not exactly one."""
    header = _HEADER.match(content)
    if header is None or len(content) != header.end() + int(header["length"]) + 1 or content[-1:] != b"\n":
        return None
    body = content[header.end() : -1]
    if _digest(header["facts"], body) != header["digest"]:
        return None
    return Entry(header["key"].decode(), header["date"].decode(), body)


def _digest(facts: bytes, body: bytes) -> bytes:
    whole = hashlib.sha256(facts)
    whole.update(body)
    return whole.hexdigest().encode("ascii")
