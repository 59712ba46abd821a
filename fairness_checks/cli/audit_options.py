"""The options of `fairness-checks audit`, and the file of limits that those of one command line amount to."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from fairness_checks.inputs.source import LAYOUTS, ROLES, STDIN
from fairness_checks.question.checks import Burden, Correction, MissingSensitive, Strata
from fairness_checks.question.exit_codes import exit_code_of_unsettled
from fairness_checks.question.limits import LIMITS, LimitKind, limits_in
from fairness_checks.question.metric_names import canonical
from fairness_checks.question.metrics import METRICS

__all__ = [
    "AUDIT",
    "AUDIT_CODES",
    "COMMAND_LINE",
    "MERGE",
    "STATISTICS",
    "STATISTICS_CODES",
    "add_merge_options",
    "add_options",
    "add_statistics_options",
    "as_options",
    "asked_in_options",
    "limits_data",
    "option",
    "remedy_in_options",
    "source_options",
]

COMMAND_LINE = "command line"
"""In the place of the name of a file of limits."""

AUDIT = """\
Judge a file of predictions by the limits of the command line, or of a thresholds.yaml: the verdicts
of pytest --fairness, without pytest. FILE is CSV (UTF-8, also .csv.gz; - reads it from the standard
input), Parquet or Arrow; its columns are named by the options.

  fairness-checks audit predictions.csv --y-true died --y-score risk --threshold 0.3 \\
      --by sex --by race,age_band --cluster patient \\
      --metric false_negative_rate --max-difference 0.05
  fairness-checks audit predictions.csv --y-true died --y-score risk --config thresholds.yaml
  fairness-checks audit --config thresholds.yaml     (each model there that has a `source:`)

Each --metric is checked by each --by against each limit that is given. With --config the file of
limits says what is asked.
"""
AUDIT_CODES = """\
exit codes, as those of pytest --fairness:
  0  nothing failed; what is inconclusive is counted apart (and --unsettled-exit says by which code)
  1  a limit is exceeded and the data prove it, or a check could not be made
  2  a file cannot be read or has no such column, or the command is wrong
"""

STATISTICS = """\
Write what of a file of predictions adds up over sites, files or days: counts, moments, scores in bins,
by group, and no row. `merge` adds up such parts, and its verdicts are those of all rows together.
Columns are named as for `audit`. docs/sites.md says what a part reveals.

  fairness-checks statistics predictions.csv --y-true died --y-score risk --threshold 0.3 \\
      --by sex --by race,age_band --model sepsis_model -o part-1.json
  fairness-checks statistics predictions.csv --y-true died --y-score risk \\
      --config thresholds.yaml -o part-1.json

With --config that is measured which the checks of its models need.
"""
STATISTICS_CODES = """\
exit codes:
  0  the part was written; what cannot be in it is a note, and an error of `merge`
  2  a file cannot be read or has no such column, or the command is wrong
"""
MERGE = """\
Judge the rows of several parts together by their statistics: verdicts, texts and exit codes are those
that `audit` has for the rows, except that AUCs come with the bound of their bins.

  fairness-checks merge part-1.json part-2.json part-3.json --config thresholds.yaml

Each row must be in one part. A part that is given twice is refused, and so are parts that mean
something else: another threshold, positive class, feature or metric.
"""

_ROLES = {
    "y_true": "what happened: 0/1, or two classes with --positive",
    "y_pred": "what was decided, in the same classes; or a rule in quotes: 'decile_score >= 5'",
    "y_score": "the probability of the positive class",
    "error": "the error of each sample, for a model that is no classifier",
    "uncertainty": "the model's own uncertainty",
    "cluster": "what belongs together, such as the patient of each visit",
    "sample_id": "a name for each sample",
}
_SETTINGS: Mapping[str, tuple[type, Any, str]] = {
    "alpha": (float, None, "level of each test (default: 0.05)"),
    "correction": (str, get_args(Correction), "how p-values are adjusted over all checks (default: holm)"),
    "min_group_size": (int, None, "smaller groups are not judged (default: 10)"),
    "missing_sensitive": (str, get_args(MissingSensitive), "what to do with rows without a group (default: error)"),
}


def add_columns(parser: argparse.ArgumentParser) -> None:
    """Add the options of the file and of its columns."""
    parser.add_argument("file", metavar="FILE", nargs="?", help="predictions, a row each; - is standard input")
    parser.add_argument("--config", metavar="FILE", type=Path, help="a thresholds.yaml, instead of limits given here")
    parser.add_argument("--model", metavar="NAME", help="which model of --config; else what reports call this one")
    columns = parser.add_argument_group("columns of the file")
    for role in ROLES:
        columns.add_argument(option(role), metavar="COLUMN", help=_ROLES[role])
    columns.add_argument("--threshold", type=float, metavar="X", help="decide at scores of X or more (default: 0.5)")
    columns.add_argument("--positive", metavar="CLASS", help="the positive class, where labels are not 0/1")
    columns.add_argument(
        "--layout", choices=tuple(LAYOUTS), help="the columns of MEDS evaluation, in clusters of subjects"
    )
    columns.add_argument("--groups", metavar="FILE", help="a second file of features: a row for each of --cluster")
    _many(columns, "--bins", "NAME=X,X", "cut a feature that is a number into bands: age=40,65")


def add_statistics_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `fairness-checks statistics`."""
    add_columns(parser)
    asked = parser.add_argument_group("what is measured")
    _many(asked, "--metric", "METRIC", "such as false_negative_rate; may be repeated (default: all that the file has)")
    _many(asked, "--by", "FEATURE", "groups; several with commas for their intersection; may be repeated")
    said = "what to do with rows without a group (default: error)"
    asked.add_argument("--missing-sensitive", choices=get_args(MissingSensitive), help=said)
    _many(asked, "--missing-text", "TEXT", "a text that means a missing value, such as NA; may be repeated")
    asked.add_argument("--suppress-below", type=int, metavar="N", help="hold no group of fewer samples")
    said = "say that no cluster, such as a patient, has rows in another part"
    asked.add_argument("--clusters-inside", action="store_true", help=said)
    parser.add_argument("-o", "--output", metavar="PART", type=Path, required=True, help="the file that is written")


def add_merge_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `fairness-checks merge`."""
    parser.add_argument("parts", metavar="PART", nargs="+", type=Path, help="written by fairness-checks statistics")
    said = "a thresholds.yaml: what is asked"
    parser.add_argument("--config", metavar="FILE", type=Path, required=True, help=said)
    parser.add_argument("--model", metavar="NAME", help="which model of --config (default: all that the parts hold)")
    _add_judging(parser.add_argument_group("how it is judged"))
    _add_output(parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all options of `fairness-checks audit`."""
    add_columns(parser)
    asked = parser.add_argument_group("what is asked")
    _many(asked, "--metric", "METRIC", "such as false_negative_rate; may be repeated")
    _many(asked, "--by", "FEATURE", "groups; several with commas for their intersection; may be repeated")
    for kind in _limits():
        asked.add_argument(option(kind), type=float, metavar="X", help=f"limit of the {LIMITS[kind].word}")
    asked.add_argument("--control-features", metavar="FEATURE", help="compare within the strata of these, with commas")
    asked.add_argument("--strata", choices=get_args(Strata), help="each stratum (default), or combined")
    _many(asked, "--absent", "GROUP", "a group that cannot exist, its values with commas; may be repeated")
    settings = parser.add_argument_group("how it is judged")
    for name, (kind_of, choices, said) in _SETTINGS.items():
        metavar = None if choices else "X"
        settings.add_argument(option(name), type=kind_of, choices=choices, metavar=metavar, help=said)
    _many(settings, "--missing-text", "TEXT", "a text that means a missing value, such as NA; may be repeated")
    settings.add_argument("--suppress-below", type=int, metavar="N", help="show no group of fewer samples")
    _add_judging(settings)
    _add_output(parser)


def _add_judging(group: Any) -> None:
    group.add_argument("--burden", choices=get_args(Burden), help="whether what is not settled fails (compliance)")
    said = "exit code where nothing failed and something is inconclusive, such as 6 (default: 0)"
    group.add_argument("--unsettled-exit", type=exit_code_of_unsettled, metavar="N", help=said)


def _add_output(parser: argparse.ArgumentParser) -> None:
    output = parser.add_argument_group("output")
    output.add_argument(
        "--report", metavar="DIR", type=Path, help="write evidence.json, which `verify` recomputes, and report.html"
    )
    output.add_argument("--json", action="store_true", help="print records as JSON")
    output.add_argument("-v", "--verbose", action="store_true", help="list what passed, too")


def _many(group: Any, option: str, metavar: str, said: str) -> None:
    group.add_argument(option, metavar=metavar, action="append", default=[], help=said)


def option(name: str) -> str:
    """Return an argument as the command line writes it."""
    return f"--{name.replace('_', '-')}"


def _limits() -> list[LimitKind]:
    return [*limits_in("subgroups"), *limits_in("uncertainty")]


def asked_in_options(parsed: argparse.Namespace) -> list[str]:
    """Return the options that say what is asked, or how it is judged, which a file of limits says."""
    names = ["metric", "by", *_limits(), "control_features", "strata", "absent"]
    names += [*_SETTINGS, "missing_text", "suppress_below"]
    return [option(name) for name in names if getattr(parsed, name, None) not in (None, [])]


def source_options(parsed: argparse.Namespace) -> dict[str, Any]:
    """Return what was said of the file and its columns; ValueError where it cannot be read."""
    names = [*ROLES, "threshold", "positive", "layout", "groups"]
    found = {name: value for name in names if (value := getattr(parsed, name)) is not None}
    found |= {} if parsed.file is None else {"file": parsed.file}
    bins: dict[str, list[float]] = {}
    for text in parsed.bins:
        name, edges = _bin(text)
        if name in bins:
            raise ValueError(f"--bins {text}: {name} is cut twice; give all numbers at once: --bins {name}=40,65")
        bins[name] = edges
    return found | ({"bins": bins} if bins else {})


def _bin(text: str) -> tuple[str, list[float]]:
    name, _, edges = text.rpartition("=")
    try:
        return (name, [float(edge) for edge in edges.split(",")]) if name else _no_bin(text)
    except ValueError:
        return _no_bin(text)


def _no_bin(text: str) -> tuple[str, list[float]]:
    raise ValueError(f"--bins {text}: write a feature and where its bands begin: --bins age=40,65")


def limits_data(parsed: argparse.Namespace) -> dict[str, Any]:
    """Return the file of limits that the options amount to, as plain data; ValueError where they ask for nothing."""
    features = [_split(each) for each in parsed.by]
    kinds = [kind for kind in limits_in("subgroups") if getattr(parsed, kind) is not None]
    if not features:
        raise ValueError("--by is missing: name the column of groups, such as --by sex")
    if parsed.metric and not kinds:
        options = ", ".join(map(option, limits_in("subgroups")))
        raise ValueError(f"--metric {parsed.metric[0]} has no limit; give one of {options}")
    if not parsed.metric and (kinds or parsed.max_mismatch is None):
        raise ValueError("--metric is missing: name what is compared, such as --metric false_negative_rate")
    shared: dict[str, Any] = {"absent": [_split(each) for each in parsed.absent]} if parsed.absent else {}
    strata = {"strata": parsed.strata} if parsed.strata else {}
    if parsed.control_features is not None:  # an empty one, as of a variable that is not set, is a mistake
        strata |= {"control_features": _split(parsed.control_features)}
    model: dict[str, Any] = {"source": source_options(parsed)}
    if parsed.metric:
        model["subgroups"] = [
            {"metric": metric, "by": by, **strata, kind: getattr(parsed, kind), **shared}
            for metric in _metrics(parsed.metric)
            for by in _distinct(features)
            for kind in kinds
        ]
    if parsed.max_mismatch is not None:
        model["uncertainty"] = [{"by": by, "max_mismatch": parsed.max_mismatch, **shared} for by in _distinct(features)]
    defaults = {name: value for name in _SETTINGS if (value := getattr(parsed, name)) is not None}
    defaults |= {"missing_text": parsed.missing_text} if parsed.missing_text else {}
    data: dict[str, Any] = {"version": 1}
    data |= {} if parsed.suppress_below is None else {"suppress_below": parsed.suppress_below}
    data |= {"defaults": defaults} if defaults else {}
    return data | {"models": {_model_name(parsed): model}}


def _metrics(names: Sequence[str]) -> list[str]:
    """Return each metric once, by the name that it was first given: FNR is false_negative_rate."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(canonical(name, METRICS), name)
    return list(first.values())


def _distinct(features: Sequence[list[str]]) -> list[list[str]]:
    """Return each set of features once: [sex, age] and [age, sex] make the same groups."""
    return [by for at, by in enumerate(features) if sorted(by) not in map(sorted, features[:at])]


def _split(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _model_name(parsed: argparse.Namespace) -> str:
    """Return what reports call the model: by default the file's name without its ends."""
    if parsed.model is not None:
        return str(parsed.model)
    name = Path(parsed.file).name
    return "predictions" if parsed.file == STDIN else name.partition(".")[0] or name


_ARGUMENT = re.compile(
    rf"^(?P<file>[^:]+): (?P<name>{'|'.join((*ROLES, 'by', 'positive', 'threshold', 'bins', 'groups'))})"
    r"(?P<end>: | (?:is|has|holds|names|stands|makes)\b)"
)
"""How an error of a file names a key of its `source:`, or an argument, which here is an option."""
_PLACE = re.compile(rf"{COMMAND_LINE}:\d+: (?P<path>(?:[^:\[]|\[(?:\d+|'[^']*'|\"[^\"]*\")\])+): (?P<said>.*)")


def as_options(problem: str) -> str:
    """Return a problem of a file of limits as one of the options that it was made of."""
    problem = re.sub(r"\bpositive=(?=['\"\d-])", "--positive ", problem)
    problem = re.sub(r"\by_pred: (?=')", "--y-pred ", problem)
    problem = re.sub(r"\by_pred: (decile_score >= 5)", r"--y-pred '\1'", problem)
    problem = _ARGUMENT.sub(lambda found: f"{found['file']}: {option(found['name'])}{found['end']}", problem)
    problem = problem.replace("in `by`, too", "by --by, too")
    found = _PLACE.fullmatch(problem)
    if found is None:
        return problem.removeprefix(f"{COMMAND_LINE}:1: ")
    keys = re.findall(r"\.([\w-]+)", found["path"])
    key = "bins" if "bins" in keys else keys[-1] if keys else found["path"]
    key = "metric" if key == "subgroups" else key  # which --metric, the message says
    return f"{'FILE' if key == 'file' else option(key)}: {found['said']}"


def remedy_in_options(problem: str) -> str:
    """Return why a check could not be made, with the option that does what its text would have written elsewhere."""
    options = {"missing_sensitive:": "--missing-sensitive group", "missing_text:": "--missing-text TEXT"}
    found = [option for key, option in options.items() if key in problem]
    return f"{problem}; here: {found[0]}" if found else problem
