"""`fairness-checks audit`: a file of predictions, judged as under pytest, with the same words and exit codes."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from fairness_checks.baseline.provenance import git_commit
from fairness_checks.baseline.session import FILENAME, BaselineSession
from fairness_checks.cli.audit_options import (
    COMMAND_LINE,
    as_options,
    asked_in_options,
    limits_data,
    remedy_in_options,
    source_options,
)
from fairness_checks.cli.files import withdraw_report
from fairness_checks.config.export import limits_yaml
from fairness_checks.config.loading import GateConfig, ModelChecks, check_names, load_config, parse_config
from fairness_checks.errors import ConfigurationError, FairnessError, did_you_mean
from fairness_checks.inputs.source import STDIN, Source
from fairness_checks.inputs.text_columns import as_number
from fairness_checks.judge.evidencing import totals
from fairness_checks.judge.file_auditing import FileAudit
from fairness_checks.plain import printable
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.report.formats import folder_files
from fairness_checks.report.terminal import LEAST, WIDTH, summary_lines
from fairness_checks.report.text import laid_out, record_text, waiver_lines
from fairness_checks.storage.files import MOST, read_regular, write_atomically

__all__ = ["audit", "chosen_models", "print_audit", "standard_input", "write_report"]

_OWN_METRIC = "; a metric of your own is registered"
_MANY = 20  # groups that are numbers: hardly codes any more


def audit(parsed: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Judge what the options name, print it, and return the exit code."""
    begun = False
    try:
        limits, content, models = _asked(parsed)
        baseline = None
        if parsed.config is not None:
            known = {model.name for model in limits.models}
            baseline = BaselineSession(limits.path.with_name(FILENAME), known, updating=False)
        command = ["fairness-checks", "audit", *arguments]
        found = FileAudit(limits, content, command, parsed.burden, baseline, parsed.unsettled_exit)
        commit = git_commit(Path.cwd())
        write_report(parsed.report, found, commit)  # in the place of an earlier one, before anything is judged
        begun = True
        found.judge(models, standard_input(models))
        write_report(parsed.report, found, commit)
    except (FairnessError, ValueError) as error:
        sys.stderr.write("".join(f"fairness-checks audit: {line}\n" for line in _lines(error, parsed)))
        if parsed.report is not None and not begun:
            withdraw_report(parsed.report, "audit")
        return 2
    sys.stderr.writelines(f"fairness-checks audit: {line}\n" for line in _continuous(found, parsed))
    print_audit(parsed, found)
    return found.exit_code


def _lines(error: Exception, parsed: argparse.Namespace) -> list[str]:
    """Return what an error says, each line once, in words of the command line where that asked."""
    lines = [printable(line) for line in str(error).splitlines()]
    lines = lines if parsed.config is not None else list(dict.fromkeys(map(as_options, lines)))
    lines = [_of_control(line, parsed) for line in lines]
    known = [line.partition(_OWN_METRIC)[0] for line in lines]
    own = ["a metric of your own: no conftest.py is read here; judge it by pytest --fairness"]
    return known + (own if known != lines else [])


def _of_control(line: str, parsed: argparse.Namespace) -> str:
    """Return a line about a feature as one about the option that named it."""
    found = re.search(r": --by: there is no column '([^']*)'", line)
    named = {name.strip() for text in parsed.by for name in text.split(",")}
    return line.replace(": --by: ", ": --control-features: ", 1) if found and found[1] not in named else line


def _continuous(found: FileAudit, parsed: argparse.Namespace) -> Iterator[str]:
    """Yield a note of each feature that is a number of many values, and how it is cut into bands."""
    for name, groups in sorted(found.groups.items()):
        numbers = sorted(number for group in groups if (number := as_number(group)) is not None)
        if len(groups) > _MANY and len(numbers) == len(groups):
            edges = [f"{numbers[len(numbers) * part // 3]:g}" for part in (1, 2)]
            of_file = f"bins: {{{name}: [{', '.join(edges)}]}} under its `source:`"
            how = of_file if parsed.config is not None else f"--bins {name}={','.join(edges)}"
            yield printable(f"note: {name} has {len(groups)} values, each a group; to cut it into bands: {how}")


def _asked(parsed: argparse.Namespace) -> tuple[GateConfig, bytes, list[ModelChecks]]:
    """Return the file of limits, its content, and those of its models that are to be judged."""
    if parsed.config is None:
        if parsed.file is None:
            raise ValueError("FILE is missing: name a file of predictions, or --config thresholds.yaml")
        text = limits_yaml(limits_data(parsed))
        limits = parse_config(text, COMMAND_LINE)
        return limits, text.encode(), list(limits.models)
    if given := asked_in_options(parsed):
        raise ValueError(f"{given[0]}: --config says what is asked; write it there, or leave --config out")
    limits = load_config(parsed.config)
    if problems := check_names(limits):
        raise ConfigurationError("\n".join(problems))
    return limits, read_regular(parsed.config), chosen_models(parsed, limits)


def chosen_models(parsed: argparse.Namespace, limits: GateConfig) -> list[ModelChecks]:
    """Return the models whose files are to be read, with what the options say of theirs."""
    names, where = [model.name for model in limits.models], limits.document.source
    options = source_options(parsed)
    if parsed.model is not None and parsed.model not in names:
        raise ValueError(f"--model {parsed.model}: {where} has no such model; {did_you_mean(parsed.model, names)}")
    chosen = [model for model in limits.models if parsed.model in (None, model.name)]
    if not options:
        if sourced := [model for model in chosen if model.source is not None]:
            return sourced
        raise ValueError(f"FILE is missing: no model of {where} has a `source:`; name a file of predictions")
    if len(chosen) != 1:
        raise ValueError(
            f"--model is missing: {where} has {', '.join(names) or 'none'}; say whose predictions these are"
        )
    (model,) = chosen
    return [replace(model, source=_source(parsed, model, options))]


def _source(parsed: argparse.Namespace, model: ModelChecks, options: dict[str, object]) -> Source:
    """Return a model's source with what the options say instead; a file that they name is where the shell says."""
    if model.source is None and parsed.file is None:
        raise ValueError(f"FILE is missing: the model {model.name} has no `source:`")
    here = {
        name: str(Path(str(options[name])).absolute())
        for name in ("file", "groups")
        if options.get(name, STDIN) != STDIN
    }
    base = model.source or Source(file=str(parsed.file))
    return replace(base, **(options | here))  # type: ignore[arg-type]  # the names are those of its fields


def standard_input(models: Sequence[ModelChecks]) -> bytes | None:
    """Return the standard input where a model is read from it."""
    if not any(model.source is not None and model.source.file == STDIN for model in models):
        return None
    if sys.stdin is None:
        raise ValueError("standard input: is closed; pipe a CSV into it, or name a file")
    content = sys.stdin.buffer.read(MOST + 1)
    if len(content) > MOST:
        raise ValueError(f"standard input: holds more than {MOST:,} bytes; write the rows to a Parquet file")
    return content


def write_report(folder: Path | None, found: FileAudit, commit: str | None) -> None:
    """Write the evidence of an audit in every form into a folder; none where there is no folder."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in folder_files(found.evidence(commit)):
            write_atomically(folder / file, content)
    except OSError as error:
        place = error.filename or folder
        raise ValueError(
            f"--report {folder}: {place}: {error.strerror or error}; give a folder that can be written"
        ) from None


def print_audit(parsed: argparse.Namespace, found: FileAudit) -> None:
    """Print records as text or as JSON."""
    if parsed.json:
        errors = [{"check": test, "error": text} for test, text in found.errors.items()]
        records = [record.plain() for record in found.records]
        document = {"exit_code": found.exit_code, "records": records, "errors": errors}
        document |= {"not_judged": [model.name for model in found.left_out]}
        sys.stdout.write(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
        return
    width = max(shutil.get_terminal_size((WIDTH, 24)).columns, LEAST)
    blocks = [_told(record, found, pasted=parsed.verbose and parsed.config is not None) for record in found.failures]
    here = remedy_in_options if parsed.config is None else str
    blocks += [f"error: {printable(here(text))}" for text in found.errors.values()]
    for number, block in enumerate(blocks):
        lines = "".join(f"{line}\n" for line, _ in laid_out(block, width))
        sys.stdout.write(f"\n{lines}" if number else lines)
    summary = summary_lines(found.records, verbose=parsed.verbose, width=width, told=True, errors=list(found.errors))
    sys.stdout.writelines(f"{line}\n" for line, _ in summary)
    if found.left_out:
        names = ", ".join(model.name for model in found.left_out)
        sys.stdout.write(f"\nnot judged: {printable(names)}\n")
    counts = [f"{number} {verdict}" for verdict, number in totals(found.records).items()]
    counts += [f"{len(found.errors)} in error"] if found.errors else []
    sys.stdout.write(f"\n{', '.join(counts)}: exit code {found.exit_code}\n")


def _told(record: CheckRecord, found: FileAudit, *, pasted: bool) -> str:
    """Return the text of a record that fails, with a waiver to paste where it could be."""
    return "\n".join([record_text(record), *(waiver_lines(record, found.today) if pasted else [])])
