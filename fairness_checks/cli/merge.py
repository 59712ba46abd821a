"""`fairness-checks merge`: the parts of sites judged together, as `audit` judges the rows."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fairness_checks.baseline.provenance import git_commit
from fairness_checks.cli.audit import print_audit, write_report
from fairness_checks.cli.files import withdraw_report
from fairness_checks.config.loading import GateConfig, ModelChecks, check_names, load_config
from fairness_checks.errors import ConfigurationError, FairnessError, did_you_mean
from fairness_checks.judge.file_auditing import FileAudit
from fairness_checks.judge.measurements import Measurements
from fairness_checks.judge.part_statistics import PartStatistics, add_parts, parts_from_json
from fairness_checks.plain import counted, printable
from fairness_checks.report.evidence import DataEvidence
from fairness_checks.storage.files import display_path, read_regular

__all__ = ["merge"]

Parts = dict[str, dict[str, PartStatistics]]
"""By file, then by model."""


def merge(parsed: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Judge what the parts hold, print it, and return the exit code."""
    begun = False
    try:
        limits = load_config(parsed.config)
        if problems := check_names(limits):
            raise ConfigurationError("\n".join(problems))
        read, digests = _read(parsed.parts)
        measured = [_measured(model, limits, read, digests) for model in _chosen(parsed.model, limits, read)]
        command = ["fairness-checks", "merge", *arguments]
        content = read_regular(parsed.config)
        found = FileAudit(limits, content, command, parsed.burden, unsettled_exit=parsed.unsettled_exit)
        commit = git_commit(Path.cwd())
        write_report(parsed.report, found, commit)  # in the place of an earlier one, before anything is judged
        begun = True
        found.judge_measured(measured)
        write_report(parsed.report, found, commit)
    except (FairnessError, ValueError) as error:
        lines = (printable(line) for line in str(error).splitlines())
        sys.stderr.write("".join(f"fairness-checks merge: {line}\n" for line in lines))
        if parsed.report is not None and not begun:
            withdraw_report(parsed.report, "merge")
        return 2
    print_audit(parsed, found)
    return found.exit_code


def _read(paths: Sequence[Path]) -> tuple[Parts, dict[str, str]]:
    """Read every part; return them, and the sha256 of their files, by name of the file."""
    read: Parts = {}
    digests = {}
    for path in paths:
        name = display_path(path)
        if name in read:
            raise ValueError(f"{name}: is given twice")
        try:
            content = read_regular(path)
            read[name] = parts_from_json(content.decode("utf-8"), name)
        except OSError as error:
            raise ValueError(
                f"{name}: cannot be read: {error.strerror or error}; give the parts that `fairness-checks statistics "
                "FILE -o PART` wrote"
            ) from None
        except UnicodeDecodeError:
            raise ValueError(f"{name}: is no text in UTF-8: `fairness-checks statistics` writes parts") from None
        digests[name] = hashlib.sha256(content).hexdigest()
    return read, digests


def _chosen(wanted: str | None, limits: GateConfig, read: Parts) -> list[ModelChecks]:
    """Return the models that are to be judged; each is in all parts."""
    names, where = [model.name for model in limits.models], limits.document.source
    if wanted is not None and wanted not in names:
        raise ValueError(f"--model {wanted}: {where} has no such model; {did_you_mean(wanted, names)}")
    held = dict.fromkeys(name for models in read.values() for name in models)
    unknown = [(file, name) for file, models in read.items() for name in models if name not in names]
    if unknown and wanted is None:
        file, name = unknown[0]
        raise ValueError(
            f"{file}: holds the model {name!r}, which {where} does not have; {did_you_mean(name, names)}; write it "
            "under that name: --model"
        )
    for name in held if wanted is None else (wanted,):
        there, lacking = ([file for file, models in read.items() if (name in models) is so] for so in (True, False))
        if 0 < len(there) < len(lacking):
            raise ValueError(
                f"{there[0]}: holds the model {name!r}, which {lacking[0]} and {counted(len(lacking) - 1, 'other')} do "
                "not; leave it out there, or judge the models that all have: --model"
            )
        if lacking:
            held_there = ", ".join(read[lacking[0]])
            raise ValueError(f"{lacking[0]}: holds nothing of the model {name!r}, but of {held_there}")
    return [model for model in limits.models if model.name in held and wanted in (None, model.name)]


def _measured(
    model: ModelChecks, limits: GateConfig, read: Parts, digests: Mapping[str, str]
) -> tuple[ModelChecks, Measurements, DataEvidence | None]:
    """Add up the parts of a model that have what its checks need, and mean one thing."""
    checks = [entry.check for entry in model.checks]
    parts = {file: models[model.name] for file, models in read.items()}
    for file, part in parts.items():
        where = f"{file}: {model.name}"
        for entry in model.checks:
            held_out = entry.check.gap is None and entry.check.of is None
            if held_out and (lacking := part.lacks(entry.check)) is not None:
                raise ValueError(
                    f"{where}: {lacking}, which {limits.document.source}:{entry.line} asks for; write the part anew "
                    "with --config of this file"
                )
        if part.missing != limits.settings.missing:
            raise ValueError(
                f"{where}: missing values are handled otherwise than {limits.document.source} says (missing_sensitive, "
                "missing_text); write the part anew with --config of this file"
            )
    whole = add_parts(parts, of=f": {model.name}")
    together = hashlib.sha256("".join(sorted(digests.values())).encode()).hexdigest()
    about = {"parts": ", ".join(sorted(read)), "parts sha256": together}
    data = None
    if whole.samples is not None:
        data = DataEvidence(samples=whole.samples, sha256=None, missing=whole.missing_by_feature())
    return model, whole.measurements(checks, about), data
