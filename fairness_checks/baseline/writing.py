"""The records of a run -> the next baseline: only what ran and passed, or was waived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from fairness_checks.baseline.accepted import tighter
from fairness_checks.baseline.document import Baseline, Entry, GroupEntry, ModelBaseline
from fairness_checks.baseline.entries import behind, entry_of, without_small_cells
from fairness_checks.baseline.provenance import git_commit, installed_versions
from fairness_checks.baseline.staging import OUTCOMES, Staged, read_staged
from fairness_checks.baseline.store import outcomes_folder, update_baseline
from fairness_checks.question.checks import Check
from fairness_checks.records.check_record import CheckRecord

__all__ = ["Update", "Written", "write_baseline"]


@dataclass(frozen=True, slots=True)
class Update:
    """What an update did."""

    written: int  # checks whose entries are new
    kept: int  # checks that ran and whose old entries stayed, or that have none
    dropped: tuple[str, ...]  # models that are gone from thresholds.yaml and now from the baseline


def write_baseline(
    path: Path,
    records: Sequence[CheckRecord],
    configured: Mapping[str, Sequence[Check]],
    staged: Mapping[str, Path],
    *,
    complete: bool,
    period: str | None = None,
    suppress_below: int | None = None,
) -> Update:
    """Write what ran and passed or was waived; everything else stays as it is."""
    # The checks of a model against the baseline are written together, as they are compared with the same outcomes:
    # only where all of them ran, and passed, were waived, or are new. Where `complete`, every configured check ran,
    # and a model that is no longer configured goes.
    commit = git_commit(path.parent, ignore=[path.name, outcomes_folder(path).name, ".gitignore"])
    written = Written(installed_versions(imported=True), commit, date.today().isoformat(), period)
    accepted: dict[str, list[CheckRecord]] = {}
    compared: dict[str, Staged] = {}
    files: dict[str, Path] = {}
    for model, checks in configured.items():
        own = {record.question: record for record in records if record.model == model}
        plain = [own[check.question] for check in checks if check.of is None and check.question in own]
        accepted[model] = [record for record in plain if record.verdict in _ACCEPTED]
        against = [check for check in checks if check.of is not None]
        ready = all(check.question in own and _acceptable(own[check.question]) for check in against)
        if against and ready and model in staged:
            compared[model] = read_staged(staged[model])
            if all(own[check.question].withheld for check in against):  # which nothing can be compared with
                compared[model] = replace(compared[model], outcomes=None)
            if compared[model].outcomes is not None:
                files[model] = staged[model] / OUTCOMES

    def change(old: Baseline | None) -> Baseline:
        before = Baseline() if old is None else old
        models = {name: model for name, model in before.models.items() if name in configured or not complete}
        for model, passed in accepted.items():
            there = models.get(model, ModelBaseline(checks={}))
            keys = [record.question.line for record in passed]
            new = [written.entry(record, there.checks.get(key)) for key, record in zip(keys, passed, strict=True)]
            checks = there.checks | dict(zip(keys, new, strict=True))
            if model in compared:
                part, own = compared[model], {r.question: r for r in records if r.model == model}
                for check in configured[model]:
                    if check.of is not None:
                        key = check.question.line
                        checks[key] = written.worsening(own[check.question], check, part, there.checks.get(key))
                fingerprint = None if part.outcomes is None else part.outcomes.fingerprint
                there = replace(there, outcomes=part.outcomes, data_fingerprint=fingerprint)
            if checks:
                models[model] = replace(there, checks=checks)
        if suppress_below is not None:  # those written before it was asked for
            models = {name: _without_small_cells(model, suppress_below) for name, model in models.items()}
        return replace(before, models=models)

    gone: list[str] = []

    def counted(old: Baseline | None) -> Baseline:
        new = change(old)
        gone.extend(sorted(set(old.models) - set(new.models)) if old is not None else [])
        return new

    update_baseline(path, counted, files)
    count = sum(map(len, accepted.values()))
    count += sum(check.of is not None for model in compared for check in configured[model])
    return Update(count, len(records) - count, tuple(gone))


def _without_small_cells(model: ModelBaseline, below: int) -> ModelBaseline:
    return replace(model, checks={key: without_small_cells(entry, below) for key, entry in model.checks.items()})


_ACCEPTED = ("pass", "waived")


def _acceptable(record: CheckRecord) -> bool:
    """Say whether a check against the baseline may be written: it passed, was waived, or has nothing before it."""
    first = record.regression is not None and record.regression.baseline_date is None and record.verdict != "fail"
    return record.verdict in _ACCEPTED or first


@dataclass(frozen=True, slots=True)
class Written:
    """When, and from what, entries are made."""

    versions: dict[str, str]
    commit: str | None
    date: str
    period: str | None = None

    def entry(
        self,
        record: CheckRecord,
        old: Entry | None,
        ratchet_limit: float | None = None,
        groups: tuple[GroupEntry, ...] | None = None,
    ) -> Entry:
        """Return the entry of a check, behind what was accepted before; other parameters as in `entry_of`."""
        entry = entry_of(
            record,
            versions=self.versions,
            git_commit=self.commit,
            date=self.date,
            period=self.period,
            ratchet_limit=ratchet_limit,
            groups=groups,
        )
        return behind(entry, old)

    def worsening(self, record: CheckRecord, check: Check, part: Staged, old: Entry | None) -> Entry:
        """Return the entry of a check against the baseline, with the limit that it holds from now on."""
        groups = part.groups[check.question.line]
        limit = None
        if check.ratchet:  # never looser than before; without a proved improvement nothing is held
            held = None if old is None else old.ratchet_limit
            found = None if record.regression is None else record.regression.suggested_limit
            limit = tighter(held, found, check)
        return self.entry(record, old, limit, groups)
