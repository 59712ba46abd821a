"""A record as a piece of HTML that needs nothing else, for notebooks: the card that it has in report.html."""

from __future__ import annotations

import hashlib

from fairness_checks.records.check_record import CheckRecord
from fairness_checks.report.page.cards import card_of_record
from fairness_checks.report.page.environment import render

__all__ = ["record_html"]


def record_html(record: CheckRecord) -> str:
    """Return the verdict, the headline, the groups as a picture and a table, and how it was judged."""
    key = f"record-{hashlib.sha256(repr(record).encode('utf-8', 'backslashreplace')).hexdigest()[:12]}"
    return render("record.html.jinja", card=card_of_record(record, key))
