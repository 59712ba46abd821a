"""Evidence of runs whose verdicts are known, and a page read as a browser reads it."""

from __future__ import annotations

import dataclasses
from datetime import date
from html.parser import HTMLParser

from fairness_checks.judge.evidencing import totals
from fairness_checks.judge.verdict import audit_model
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.waivers import Waiver
from fairness_checks.records.parts import SuppressionRecord
from fairness_checks.report.evidence import (
    CheckEvidence,
    ConfigurationEvidence,
    DataEvidence,
    Evidence,
    ModelEvidence,
    RunEvidence,
)
from fairness_checks.report.formats import Source
from fairness_checks.report.page.page import write_page
from tests.builders import missing_positives

BIASED = {"female": (160, 400), "male": (40, 400)}
ALIKE = {"female": (40, 400), "male": (40, 400)}
TINY = {"female": (4, 12), "male": (3, 12)}
DAY = date(2027, 1, 1)
ON_RATES = ("false_negative_rate", "max_difference", 0.1)
_VOID = {"meta", "wbr", "br", "hr", "link", "img", "input"}


def record_of(groups, model="forest", asked=ON_RATES, feature="sex", waived=False, **settings):
    """Record of one check, from (missed positives, positives) of each group and as many negatives, all right."""
    predictions = missing_positives(groups, feature=feature, negatives=1)
    waiver = Waiver(
        model=model, metric=asked[0], by=(feature,), reason="under way", approved_by="Dr. C", expires=date(2027, 3, 1)
    )
    check = Check(asked[0], (feature,), asked[1], asked[2])
    return audit_model(model, predictions, [check], Settings(**settings), [waiver] if waived else [], DAY)[0]


def withheld(record):
    """Return a record as it is where small cells are suppressed."""
    gone = ("estimate", "low", "high", "p_violation", "p_adjusted", "p_compliance", "first", "second", "detectable")
    kept = [group for group in record.groups if group.name != record.first]
    return dataclasses.replace(
        record,
        **dict.fromkeys((*gone, "needed_samples", "needed_samples_if_equal")),
        groups=tuple(kept),
        suppressed=SuppressionRecord(below=11, groups=(record.first,)),
        reason="small groups are withheld",
    )


def run_of(*records, complete=True, exit_code=None, extra=(), **given):
    """Evidence of a run with these records, a model each; `extra` are models without any."""
    models = [
        ModelEvidence(
            model=record.model,
            data=DataEvidence(samples=800, sha256="a" * 64, missing={"sex": 3}),
            inputs=record.inputs,
            about={"intended_use": "triage"},
            checks=(CheckEvidence(question=record.question.line, record=record, why="agreed", owner="Dr. B"),),
        )
        for record in records
    ]
    red = any(record.verdict == "fail" for record in records)
    return Evidence(
        complete=complete,
        run=RunEvidence(
            started="2027-01-01T00:00:00Z",
            ended="2027-01-01T00:01:00Z",
            day=DAY.isoformat(),
            command=("--fairness",),
            whole=given.pop("whole", True),
            python="3.11",
            versions={"numpy": "2.0"},
            git=None,
        ),
        configuration=ConfigurationEvidence(
            file="thresholds.yaml", sha256="0" * 64, text="version: 1\nmodels: {}\n", burden_of_proof=None
        ),
        baseline=None,
        models=(*models, *extra),
        totals=totals(list(records)),
        exit_code=int(red) if exit_code is None else exit_code,
        **given,
    )


def page_of(evidence):
    """Return the page of a run."""
    return write_page(evidence, Source(sha256="f" * 64))


class Page(HTMLParser):
    """Elements of a page in order, each (tag, attributes, text of it and what it holds); all tags must be closed."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self._open = [], []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        element = [tag, dict(attrs), ""]
        assert len(element[1]) == len(attrs), attrs
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append([tag, dict(attrs), ""])

    def handle_endtag(self, tag):
        assert self._open, tag
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        for element in self._open:
            element[2] += data

    def all(self, tag, **attributes):
        """Return elements of a tag with these attributes."""
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return [e for e in self.elements if e[0] == tag and wanted.items() <= e[1].items()]

    @property
    def visible(self):
        """All that a reader reads."""
        return "\n".join(e[2] for e in self.elements if e[0] in ("body", "title"))
