"""The command line: ``fairness-checks``, or ``python -m fairness_checks``."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from fairness_checks.cli.audit_options import (
    AUDIT,
    AUDIT_CODES,
    MERGE,
    STATISTICS,
    STATISTICS_CODES,
    add_merge_options,
    add_options,
    add_statistics_options,
    option,
)
from fairness_checks.cli.explain_texts import EXPLAIN, EXPLAIN_CODES
from fairness_checks.cli.init_files import INIT, INIT_CODES
from fairness_checks.errors import did_you_mean

__all__ = ["command_line", "main"]

_DIFF = """\
Say what changed between two states of the models. Each of OLD and NEW is a baseline
(fairness-baseline.json), the evidence of a run or an audit (evidence.json, or its folder), or the
JUnit XML of a run (pytest --fairness --junitxml=FILE).

Shown are checks added and removed, verdicts, limits, estimates with their intervals, groups added
and vanished, and each group's value, better or worse by what is limited and by the metric.
"""
_CODES = """\
exit codes:
  0  nothing got worse
  1  something got worse: a verdict, a check or a group that vanished, a new check that fails, a
     value that is no longer defined, a limit or ratchet that was loosened. Each line that is such
     a reason ends in "worse", and the last line counts them. That an estimate moved is shown, but
     is no reason: whether it moved by more than chance, its verdict says.
  2  a file cannot be read, or the command is wrong

to see what a pull request does to the baseline:
  git show main:fairness-baseline.json > old.json
  fairness-checks diff old.json fairness-baseline.json
"""

_SCHEMA = """\
Print the JSON Schema of thresholds.yaml, for editors, or that of the evidence of a run; or look at
one thresholds.yaml without its models.

An editor with a YAML language server completes and checks the file, where its first line reads
  # yaml-language-server: $schema=thresholds.schema.json
"""
_SCHEMA_CODES = """\
exit codes:
  0  the schema was printed, or the file is in order
  1  the file has problems; each is a line on stderr: file:line: key: what is wrong
  2  the file cannot be read, or the command is wrong

Names of models, and of their features, are looked for when pytest --fairness runs.
"""

_VERIFY = """\
Recompute every estimate, interval, p-value, adjustment, verdict, waiver and the exit code of a run
from its evidence (pytest --fairness --fairness-report DIR), without its models and its patients, and
compare the JUnit files beside it. Each difference is a line that names both values.

The evidence proves what follows from its own statistics. That they are those of the data, and that
nobody has written the whole file anew, only a signature by the pipeline that ran can show.
"""
_VERIFY_CODES = """\
exit codes:
  0  everything follows from the statistics and the limits in the evidence
  1  something does not, or the run did not come to its end
  2  the file cannot be read, or the command is wrong
"""

_REPORT = """\
Write the evidence of a run (pytest --fairness --fairness-report DIR) in another form. Nothing is
decided: each form says what the evidence says.

formats:
"""
_REPORT_CODES = """\
exit codes:
  0  it was written, whatever the verdicts are
  1  the run did not come to its end, which the form says too; or the file was changed after it was
     written, and nothing is made of it
  2  a file cannot be read or written, or the command is wrong
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; a wrong command is a SystemExit of code 2."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, as by >&-: the exit code alone is asked for
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        parsed = command_line().parse_args(given)
    except SystemExit as end:
        if end.code and given[:1] in (["audit"], ["merge"]):
            _withdraw_evidence(given)
        raise
    parsed.arguments = given[1:]  # of the command
    run: Callable[[argparse.Namespace], int] = parsed.run
    try:
        code = run(parsed)
        sys.stdout.flush()
    except OSError as error:
        if error.filename is not None:
            raise
        return _unsaid(error)
    return code


def _withdraw_evidence(arguments: Sequence[str]) -> None:
    """Remove the evidence of an earlier audit from where that of one should lie whose options cannot be read."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--report", type=Path, action="append", default=[])
    with contextlib.suppress(argparse.ArgumentError):
        if folders := parser.parse_known_args(arguments)[0].report:
            from fairness_checks.cli.files import withdraw_report  # here, as below

            for folder in folders:
                withdraw_report(folder, arguments[0])


def _unsaid(error: OSError) -> int:
    """Say that the output could not be written, as by a full disk, which no exit code of a verdict may stand for."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is not tried again at the end
    if not isinstance(error, BrokenPipeError):  # a reader that has seen enough, such as head
        sys.stderr.write(f"fairness-checks: standard output: {error.strerror or error}; write it elsewhere\n")
    return 2


def command_line() -> argparse.ArgumentParser:
    """Return what reads the command line, with all commands and their options."""
    parser = _Parser(prog="fairness-checks", description="A fairness gate for clinical machine learning.")
    parser.add_argument("--version", action=_Version, nargs=0, help="say which version this is, and end")
    parser.commands = commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add = partial(commands.add_parser, formatter_class=argparse.RawDescriptionHelpFormatter)
    audit = add("audit", help="judge a file of predictions, without pytest", description=AUDIT, epilog=AUDIT_CODES)
    add_options(audit)
    audit.set_defaults(run=_audit)
    _add_parts(add)
    diff = add("diff", help="say what changed between two baselines or runs", description=_DIFF, epilog=_CODES)
    diff.add_argument("old", metavar="OLD", type=Path, help="baseline, evidence or JUnit XML before the change")
    diff.add_argument("new", metavar="NEW", type=Path, help="baseline, evidence or JUnit XML after it")
    diff.add_argument("--json", action="store_true", help="print JSON instead of a table")
    diff.set_defaults(run=lambda parsed: _diff(parsed.old, parsed.new, as_json=parsed.json))
    schema = add(
        "schema",
        help="print the JSON Schema of thresholds.yaml or of evidence.json; check or expand a thresholds.yaml",
        description=_SCHEMA,
        epilog=_SCHEMA_CODES,
    )
    what = schema.add_mutually_exclusive_group()
    what.add_argument("--evidence", action="store_true", help="print the JSON Schema of evidence.json")
    what.add_argument("--check", metavar="FILE", type=Path, help="say what is wrong with a file")
    what.add_argument("--expand", metavar="FILE", type=Path, help="print a file with its profiles filled in")
    schema.add_argument(
        "--own-metric",
        metavar="NAME",
        action="append",
        default=[],
        help="a name that the project registers with @fairness_metric; may be repeated",
    )
    schema.set_defaults(run=partial(_schema, schema))
    verify = add("verify", help="recompute a run from its evidence", description=_VERIFY, epilog=_VERIFY_CODES)
    verify.add_argument("path", metavar="DIR_OR_FILE", type=Path, help="evidence.json, or the folder that holds it")
    verify.add_argument("--junit", metavar="FILE", type=Path, help="a JUnit XML elsewhere (default: those beside it)")
    verify.add_argument(
        "-v", "--verbose", action="store_true", help="print the table of the run, where nothing differs"
    )
    verify.set_defaults(run=lambda parsed: _verify(parsed.path, parsed.junit, table=parsed.verbose))
    _add_report(add)
    _add_init(add)
    _add_explain(add)
    return parser


class _Once(argparse.Action):
    """Takes the value of an option that has one: a second would silently be the only one that counts."""

    def __call__(
        self, parser: argparse.ArgumentParser, given: argparse.Namespace, value: Any, option: str | None = None
    ) -> None:
        if option is not None and getattr(given, self.dest, self.default) is not self.default:
            raise argparse.ArgumentError(self, "is given twice; keep one")
        setattr(given, self.dest, value)


class _Parser(argparse.ArgumentParser):
    """Refuses an option that is given twice, and says in one line what is wrong with a command."""

    commands: argparse._SubParsersAction[_Parser] | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        for action in (None, "store"):
            self.register("action", action, _Once)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse all, and name the nearest option of the command where one is not known."""
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            parser = self.commands.choices[args[0]] if self.commands is not None and args else self
            options = [each for action in parser._actions for each in action.option_strings]
            parser.error(f"unrecognized arguments: {' '.join(unknown)}{_nearest(unknown[0], options)}")
        return parsed

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; {self.prog} --help lists what it takes\n")


def _nearest(unknown: str, options: Sequence[str]) -> str:
    """Return what may have been meant by an argument that is not known."""
    if not unknown.startswith("-"):
        return "; several values stand behind one option with commas, without blanks: --by sex,age"
    near = did_you_mean(unknown.partition("=")[0], options)
    return f"; {near.partition(' (allowed')[0]}" if near.startswith("did") else ""


class _Version(argparse.Action):
    """Prints the version; it is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from fairness_checks.distribution import package_version

        sys.stdout.write(f"fairness-checks {package_version()}\n")
        parser.exit()


def _add_explain(add: Callable[..., argparse.ArgumentParser]) -> None:
    made = add("explain", help="say what a metric means for patients", description=EXPLAIN, epilog=EXPLAIN_CODES)
    made.add_argument("metric", metavar="METRIC", help="such as false_negative_rate, or FNR; or, with --plan, a file")
    made.add_argument("--max-difference", metavar="LIMIT", type=float, help="the limit to plan for (default: 0.05)")
    made.add_argument("--prevalence", metavar="SHARE", type=float, help="share of patients with the condition")
    plan = made.add_argument_group("how many samples settle a limit")
    plan.add_argument("--plan", action="store_true", help="say that, of METRIC or of each check of a thresholds.yaml")
    plan.add_argument("--value", type=float, help="of the group that fares better (default: an error rate of 0.2)")
    plan.add_argument("--deviation", metavar="SD", type=float, help="standard deviation of one sample; means need it")
    plan.add_argument("--groups", metavar="N", type=int, help="groups that are compared (default: 2)")
    plan.add_argument(
        "--own-metric", metavar="NAME", action="append", default=[], help="registered with @fairness_metric"
    )
    made.set_defaults(run=partial(_explain, made))


def _explain(parser: argparse.ArgumentParser, parsed: argparse.Namespace) -> int:
    from fairness_checks.cli.explain import explain, plan  # here, as below

    _escape_what_cannot_be_shown()
    more = {"value": parsed.value, "deviation": parsed.deviation, "groups": parsed.groups, "own": parsed.own_metric}
    given = {name: value for name, value in more.items() if value not in (None, [])}
    if parsed.plan:
        return plan(parsed.metric, parsed.max_difference, parsed.prevalence, **given)
    if given:
        parser.error("--value, --deviation, --groups and --own-metric go with --plan")
    return explain(parsed.metric, parsed.max_difference, parsed.prevalence)


def _add_init(add: Callable[..., argparse.ArgumentParser]) -> None:
    made = add("init", help="write what pytest --fairness needs", description=INIT, epilog=INIT_CODES)
    made.add_argument(
        "place", metavar="FOLDER_OR_FILE", nargs="?", type=Path, help="a project, or a file of predictions (default: .)"
    )
    made.add_argument("--example", action="store_true", help="a small project with generated patients, that ends red")
    columns = made.add_argument_group("columns of the file, where their names do not say what they are")
    for name in ("y_true", "y_score", "y_pred", "cluster"):
        columns.add_argument(option(name), metavar="COLUMN")
    columns.add_argument("--by", metavar="COLUMN[,COLUMN]", help="whose predictions they are")
    made.set_defaults(run=_init)


def _init(parsed: argparse.Namespace) -> int:
    from fairness_checks.cli.init import init  # here, as below

    _escape_what_cannot_be_shown()
    roles = {name: getattr(parsed, name) for name in ("y_true", "y_score", "y_pred", "cluster", "by")}
    return init(parsed.place, example=parsed.example, roles=roles)


def _add_report(add: Callable[..., argparse.ArgumentParser]) -> None:
    from fairness_checks.report.formats import FORMATS  # loads none of the formats

    width = max(map(len, FORMATS))
    listed = "".join(f"  {name:{width}}  {form.what}\n" for name, form in FORMATS.items())
    report = add(
        "report",
        help="write the evidence of a run in another form",
        description=f"{_REPORT}{listed}",
        epilog=_REPORT_CODES,
    )
    report.add_argument("path", metavar="EVIDENCE", type=Path, help="evidence.json, or the folder that holds it")
    report.add_argument("--format", required=True, choices=tuple(FORMATS), metavar="NAME", help="one of the above")
    report.add_argument("-o", "--output", metavar="FILE", type=Path, help="a file instead of standard output")
    report.add_argument(
        "--subject",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="a file that was judged, such as a model's, to be named with its sha256; may be repeated",
    )
    report.add_argument("--model", metavar="NAME", help="of which model a card is, where the evidence holds several")
    report.set_defaults(run=partial(_report, report))


def _report(parser: argparse.ArgumentParser, parsed: argparse.Namespace) -> int:
    from fairness_checks.cli.report import report  # here, as below
    from fairness_checks.report.formats import FORMATS

    for name, given, takes in (
        ("--subject", parsed.subject, [each for each, form in FORMATS.items() if form.takes_subjects]),
        ("--model", parsed.model, [each for each, form in FORMATS.items() if form.one_model]),
    ):
        if given and parsed.format not in takes:
            parser.error(f"{name} goes with --format {' or '.join(takes)}")
    return report(parsed.path, parsed.format, parsed.output, subjects=parsed.subject, model=parsed.model)


def _add_parts(add: Callable[..., argparse.ArgumentParser]) -> None:
    statistics = add(
        "statistics",
        help="write what of a file of predictions adds up over sites",
        description=STATISTICS,
        epilog=STATISTICS_CODES,
    )
    add_statistics_options(statistics)
    statistics.set_defaults(run=_statistics)
    merge = add("merge", help="judge the parts of sites together", description=MERGE, epilog=AUDIT_CODES)
    add_merge_options(merge)
    merge.set_defaults(run=_merge)


def _statistics(parsed: argparse.Namespace) -> int:
    from fairness_checks.cli.statistics import statistics  # here, as below

    _escape_what_cannot_be_shown()
    return statistics(parsed)


def _merge(parsed: argparse.Namespace) -> int:
    from fairness_checks.cli.merge import merge  # here, as below

    _escape_what_cannot_be_shown()
    return merge(parsed, parsed.arguments)


def _schema(parser: argparse.ArgumentParser, parsed: argparse.Namespace) -> int:
    from fairness_checks.cli.schema import check_file, expand_file, print_schema  # here, as below

    if parsed.own_metric and parsed.check is None and parsed.expand is None:
        parser.error("--own-metric goes with --check or --expand")
    if parsed.check is not None:
        return check_file(parsed.check, parsed.own_metric)
    if parsed.expand is not None:
        return expand_file(parsed.expand, parsed.own_metric)
    return print_schema(evidence=parsed.evidence)


def _escape_what_cannot_be_shown() -> None:
    """Have names of other scripts written as escapes where the output has no such characters, as by cp1252."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _audit(parsed: argparse.Namespace) -> int:
    from fairness_checks.cli.audit import audit  # here, as below

    _escape_what_cannot_be_shown()
    return audit(parsed, parsed.arguments)


def _verify(path: Path, junit: Path | None, *, table: bool) -> int:
    from fairness_checks.cli.verify import verify  # here, as below

    _escape_what_cannot_be_shown()
    return verify(path, junit, table=table)


def _diff(old: Path, new: Path, *, as_json: bool) -> int:
    # Here, so that --help loads none of it.
    from fairness_checks.cli.diff import compare
    from fairness_checks.cli.diff_text import diff_json, diff_text
    from fairness_checks.cli.snapshot import read_snapshot
    from fairness_checks.errors import FairnessError
    from fairness_checks.plain import printable

    _escape_what_cannot_be_shown()
    try:
        before, after = read_snapshot(old), read_snapshot(new)
    except FairnessError as error:
        sys.stderr.write(f"fairness-checks diff: {printable(str(error))}\n")
        return 2
    changes = compare(before, after)
    sys.stdout.write((diff_json if as_json else diff_text)(before, after, changes))
    return 1 if any(change.worse for change in changes) else 0
