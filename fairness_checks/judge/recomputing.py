"""Evidence of a run -> what in it does not follow from its own statistics and limits."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

import numpy as np

from fairness_checks.config.loading import GateConfig, parse_config
from fairness_checks.errors import ConfigurationError, EvidenceError, RecordError
from fairness_checks.findings.comparison import Comparison
from fairness_checks.findings.statistics import Statistics
from fairness_checks.findings.statistics_json import statistics_from_json
from fairness_checks.judge.attesting import Asked, contradictions
from fairness_checks.judge.differing import Difference, compare_records
from fairness_checks.judge.evidencing import asked_in, totals, unsettled
from fairness_checks.judge.impossible import impossible_statistics
from fairness_checks.judge.measurements import Measurements, Said
from fairness_checks.judge.verdict import Answer, judge_measured
from fairness_checks.judge.waiver_use import day_problem, use_problem, waiver_name
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.names import check_name, waiver_names
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.decision import turns_red
from fairness_checks.report.evidence import CheckEvidence, Evidence, ModelEvidence, statistics_id

__all__ = ["configuration_of", "differences"]

_CACHED = re.compile(r"from the cache of (\d{4}-\d\d-\d\d)")


def differences(evidence: Evidence) -> Iterator[Difference]:
    """Yield everything in the evidence of a run that contradicts something else in it."""
    if not evidence.complete:
        yield Difference("complete", "false", "true: the run did not come to its end, and proves nothing")
    day = yield from _of_dates(evidence)
    if day is None:
        return
    config = configuration_of(evidence)
    if isinstance(config, Difference):
        yield config
        return
    yield from _of_file(evidence, config)
    answers: dict[str, list[Answer]] = {}
    for model in evidence.models:
        found: list[Answer] = []
        try:
            with np.errstate(all="ignore"):
                found = yield from _of_model(evidence, config, model, day)
        except Exception as error:  # statistics that no data have break whatever computes with them
            yield Difference(model.model, "statistics that cannot be", f"{type(error).__name__}: {error}")
        if model.test is None:
            answers[model.model] = found
    yield from _of_absence(evidence, config)
    yield from _of_waivers(evidence, config, answers, day)
    yield from _of_outcome(evidence, config)


def _of_dates(evidence: Evidence) -> Generator[Difference, None, date | None]:
    """Yield dates that run backwards; return the day of the run, None where it, or when it ran, is no date."""
    run = evidence.run
    try:
        started, ended = (datetime.fromisoformat(text) for text in (run.started, run.ended))
        day = date.fromisoformat(run.day)
        backwards = ended < started
    except (ValueError, TypeError) as error:  # of dates with and without a time zone
        yield Difference("run", str(error), "dates such as 2027-06-30T12:00:00Z")
        return None
    if backwards:
        yield Difference("run.ended", run.ended, f"{run.started} or later: dates run backwards")
    if abs(started.date() - day) > timedelta(days=1):  # of the machine's own time zone
        yield Difference("run.day", run.day, f"the day of {run.started}")
    for model in evidence.models:
        cached = _CACHED.search(model.cache or "")
        if cached and cached.group(1) > run.started[:10]:
            yield Difference(f"{model.model}: cache", cached.group(1), f"{run.started[:10]} or earlier")
    return day


def configuration_of(evidence: Evidence) -> GateConfig | Difference:
    """Read the file of limits as the evidence holds it, or say why it is not the one that was read."""
    given = evidence.configuration
    digest = hashlib.sha256(given.text.encode()).hexdigest()
    if digest != given.sha256:
        return Difference("configuration.sha256", given.sha256, f"{digest}: the limits are those of another file")
    try:
        return parse_config(given.text, given.file, {each.name: each.metric() for each in given.own_metrics})
    except ConfigurationError as error:
        return Difference("configuration.text", "limits that cannot be read", str(error))


def _of_file(evidence: Evidence, config: GateConfig) -> Iterator[Difference]:
    """Yield what is said twice, and otherwise than in the file."""
    given = evidence.configuration
    said = [text.partition("=")[2] for text in evidence.run.command if text.startswith("--fairness-burden=")]
    if said and said[-1] != given.burden_of_proof:
        yield Difference("configuration.burden_of_proof", str(given.burden_of_proof), f"{said[-1]}, by run.command")
    for name in ("responsible", "test_data", "period"):
        if (found := getattr(given, name)) != (expected := getattr(config, name)):
            yield Difference(f"configuration.{name}", str(found), str(expected))
    of_file = {model.name: {e.check.question.line: e for e in model.checks} for model in config.models}
    for model in evidence.models:
        for entry in model.checks:
            asked = None if model.test is not None else of_file.get(model.model, {}).get(entry.question)
            expected = _NOT_IN_FILE if asked is None else asked_in(given.file, model.model, asked)
            found = {name: getattr(entry, name) for name in expected}
            if found != expected:
                place = f"{model.model}: {entry.question}: {', '.join(expected)}"
                yield Difference(place, *(", ".join(map(repr, each.values())) for each in (found, expected)))


_NOT_IN_FILE = {"why": "", "owner": "", "test": "", "line": None}


def _of_model(
    evidence: Evidence, config: GateConfig, model: ModelEvidence, day: date
) -> Generator[Difference, None, list[Answer]]:
    """Yield what does not follow of one model; return what follows."""
    where = model.model if model.test is None else f"{model.test}: {model.model}"
    try:
        checks, settings = _asked(evidence, config, model)
        statistics = {key: statistics_from_json(plain) for key, plain in model.statistics.items()}
    except (ConfigurationError, RecordError, EvidenceError) as error:
        yield Difference(where, "statistics or checks that cannot be read", str(error))
        return []
    for key, plain in model.statistics.items():
        if statistics_id(plain) != key:
            yield Difference(f"{where}: statistics {key}", key, f"{statistics_id(plain)}: the statistics were changed")
        known = statistics[key]
        if isinstance(known, Comparison) and evidence.baseline and known.baseline != evidence.baseline.file:
            yield Difference(f"{where}: statistics {key}: baseline", known.baseline, evidence.baseline.file)
        if isinstance(known, Comparison) and known.entry is not None and not known.exists:
            yield Difference(f"{where}: statistics {key}: exists", "false", "true, as it holds the check")
    lines = [check.question.line for check in checks]
    if [entry.question for entry in model.checks] != lines:
        there = [entry.question for entry in model.checks]
        for line in [line for line in lines if line not in there]:
            yield Difference(f"{where}: {line}", "nothing", "a check of the file of limits")
        for line in [line for line in there if line not in lines] or (there if sorted(there) == sorted(lines) else []):
            yield Difference(f"{where}: {line}", "a check", "none of the file of limits, or in another order")
        return []
    yield from impossible_statistics(where, model, statistics, day, config.suppress_below)
    for entry, check in zip(model.checks, checks, strict=True):
        features, by = check.features, _features(statistics.get(entry.statistics or ""))
        if by is not None and by != features:
            yield Difference(f"{where}: {entry.question}: statistics by", ", ".join(by), ", ".join(features))
    found = [_known(entry, statistics) for entry in model.checks]
    said = Said(model.about, model.inputs, model.held_out, model.swept, model.looks)
    waivers = config.waivers if model.test is None else ()
    answers = judge_measured(model.model, Measurements(tuple(found), said), checks, settings, waivers, day)
    own = settings.under(evidence.configuration.burden_of_proof)
    asked = Asked(model.model, own, len(checks), said, waivers, day, config.suppress_below)
    shown = {frozenset(by) for by in map(_features, statistics.values()) if by is not None}
    for entry, check, answer in zip(model.checks, checks, answers, strict=True):
        place = f"{where}: {entry.question}"
        if entry.record is not None and entry.record.suppressed is not None:
            yield from _of_attested(place, entry, entry.record, check, asked, shown)
        else:
            yield from _of_answer(place, entry, answer, evidence, suppresses=asked.below is not None)
    attested = [entry.record if entry.record and entry.record.suppressed else None for entry in model.checks]
    return [answer if own is None else own for answer, own in zip(answers, attested, strict=True)]


def _of_attested(
    place: str,
    entry: CheckEvidence,
    record: CheckRecord,
    check: Check,
    asked: Asked,
    shown: Collection[frozenset[str]],
) -> Iterator[Difference]:
    """Yield what of an attested check contradicts what was asked, or groups of features that are shown."""
    withheld = record.suppressed is not None and record.suppressed.groups
    if withheld and frozenset(check.features) in shown:
        yield Difference(f"{place}: groups", "withheld", "shown: statistics of the same features hold them")
    for name, found, follows in contradictions(entry, record, check, asked):
        yield Difference(f"{place}: {name}", found, follows)


def _of_answer(
    place: str, entry: CheckEvidence, answer: Answer, evidence: Evidence, *, suppresses: bool
) -> Iterator[Difference]:
    """Yield what of a check is otherwise than it follows."""
    if isinstance(answer, Exception):
        if entry.record is not None:
            yield Difference(place, f"verdict {entry.record.verdict}", f"no record: {answer}")
        elif entry.error is None and not suppresses:  # of a check that was not run nothing says what is withheld
            yield Difference(f"{place}: error", "none", str(answer))
    elif entry.error is not None:
        yield Difference(f"{place}: error", entry.error, f"verdict {answer.verdict}")
    elif entry.record is not None:
        yield from compare_records(place, entry.record, _burdened(answer, entry, evidence))


def _burdened(answer: CheckRecord, entry: CheckEvidence, evidence: Evidence) -> CheckRecord:
    """Return the answer to a hand-written test with the burden of proof of the command line, which wins."""
    burden = evidence.configuration.burden_of_proof
    return dataclasses.replace(answer, burden_of_proof=burden) if entry.asked is not None and burden else answer


def _asked(evidence: Evidence, config: GateConfig, model: ModelEvidence) -> tuple[list[Check], Settings]:
    if model.test is None:
        for each in config.models:
            if each.name == model.model:
                settings = config.settings.under(evidence.configuration.burden_of_proof)
                return [entry.check for entry in each.checks], settings
        raise EvidenceError(f"{evidence.configuration.file} has no model {model.model}")
    asked = [entry.asked for entry in model.checks if entry.asked is not None]
    if len(asked) != len(model.checks) or not asked:
        raise EvidenceError("a hand-written test does not say what it asked")
    return [each.check() for each in asked], asked[0].settings()


def _known(entry: CheckEvidence, statistics: Mapping[str, Statistics]) -> Statistics | Exception:
    if entry.statistics is None:
        return EvidenceError(entry.error or "there are no statistics")
    return statistics.get(entry.statistics, EvidenceError(f"there are no statistics {entry.statistics}"))


def _features(statistics: Statistics | None) -> tuple[str, ...] | None:
    groups = statistics.statistics if isinstance(statistics, Comparison) else statistics
    return groups.by if isinstance(groups, MeasuredGroups) else None


def _of_absence(evidence: Evidence, config: GateConfig) -> Iterator[Difference]:
    """Yield checks of the file that have no verdict, did not fail, and are not named as left out of a part."""
    if not evidence.complete:
        return
    left_out = set() if evidence.run.whole else evidence.not_judged.keys()
    there = {each.model: {e.question: e for e in each.checks} for each in evidence.models if each.test is None}
    for model in config.models:
        entries = there.get(model.name, {})
        for check in (entry.check for entry in model.checks):
            entry = entries.get(check.question.line)
            name = check_name(model.name, check)
            if f"{evidence.configuration.file}::{name}" in left_out or _failed(evidence, name):
                continue
            if entry is None or entry.record is None:
                expected = "a verdict or a failed test, as every check was to run"
                expected = expected if evidence.run.whole else "a verdict, a failed test, or a place in not_judged"
                found = "no record" if entries else "no evidence"
                yield Difference(f"{model.name}: {check.question.line}", found, expected)


def _failed(evidence: Evidence, name: str) -> bool:
    """Say whether a test of the file of limits failed without a verdict."""
    return any(failure.test == f"{evidence.configuration.file}::{name}" for failure in evidence.failures)


def _of_waivers(
    evidence: Evidence, config: GateConfig, answers: Mapping[str, Sequence[Answer]], day: date
) -> Iterator[Difference]:
    """Yield waivers that are not in order, and whose tests did not fail."""
    if not evidence.run.whole or not evidence.complete:
        return
    checks = {model.name: [entry.check.question for entry in model.checks] for model in config.models}
    for waiver, name in zip(config.waivers, waiver_names(config.waivers), strict=True):
        found = answers.get(waiver.model)
        problem = day_problem(waiver, day)
        if problem is None and found:
            named = dict(zip(checks[waiver.model], found, strict=True))
            problem = use_problem(waiver, config.waivers, named, day)
        if problem is not None and not _failed(evidence, name):
            yield Difference(waiver_name(waiver), "in order", problem)


def _of_outcome(evidence: Evidence, config: GateConfig) -> Iterator[Difference]:
    records = evidence.records
    if evidence.totals != (expected := totals(records)):
        yield Difference("totals", str(evidence.totals), str(expected))
    red = [record for record in records if turns_red(record.verdict, record.burden_of_proof)]
    errors = [entry for model in evidence.models for entry in model.checks if entry.error is not None]
    is_red, code = bool(red or evidence.failures), evidence.exit_code
    green, why = _green(evidence, config)
    if is_red and evidence.ended_green:
        yield Difference(
            "exit_code", str(code), f"1: {len(red)} verdicts and {len(evidence.failures)} tests fail the run"
        )
    elif evidence.complete and code not in (1, green):
        yield Difference("exit_code", str(code), f"{green} or 1, as the run came to its end{why}")
    if code == 1 and not is_red and not errors:
        yield Difference("exit_code", "1", f"{green}: nothing fails the run{why}")
    if not records and not evidence.failures and evidence.ended_green:
        yield Difference("exit_code", str(code), "1: nothing was judged")


def _green(evidence: Evidence, config: GateConfig) -> tuple[int, str]:
    """Return the exit code of a run in which nothing failed, and why it is another than 0."""
    asked = evidence.run.unsettled_exit
    if asked is None or not (left := unsettled(evidence.records, evidence.not_judged, config.unchecked)):
        return 0, ""
    return asked, f", and {len(left)} not settled"
