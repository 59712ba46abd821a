"""`fairness-checks schema`: the shape of thresholds.yaml and of evidence.json; one of the former without its models."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from fairness_checks.config.export import expanded_yaml, json_schema
from fairness_checks.config.loading import GateConfig, check_names, load_config, read_document
from fairness_checks.errors import ConfigurationError
from fairness_checks.plain import counted, printable
from fairness_checks.question.own_metrics import any_metric
from fairness_checks.report.evidence import evidence_schema

__all__ = ["check_file", "expand_file", "limits_read", "print_schema"]


def print_schema(*, evidence: bool) -> int:
    """Print the JSON Schema of thresholds.yaml, or of the evidence of a run."""
    schema = evidence_schema() if evidence else json_schema()
    sys.stdout.write(json.dumps(schema, indent=2, allow_nan=False) + "\n")
    return 0


def check_file(path: Path, own: Sequence[str]) -> int:
    """Check a file as far as that needs no model, and return the exit code."""
    config, code = limits_read(path, own)
    if config is not None:
        checks = sum(len(model.checks) for model in config.models)
        found = [(len(config.models), "model"), (checks, "check"), (len(config.waivers), "waiver")]
        words = ", ".join(counted(number, word) for number, word in found)
        sys.stdout.write(
            f"{printable(config.document.source)}: {words}: in order, but for names of models and of their features, "
            "which pytest --fairness looks for\n"
        )
    return code


def expand_file(path: Path, own: Sequence[str]) -> int:
    """Print a file with its profiles filled in, and return the exit code."""
    config, code = limits_read(path, own)
    if config is not None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # as such a file is read
        sys.stdout.write(expanded_yaml(config.document))
    return code


def limits_read(path: Path, own: Sequence[str], command: str = "schema") -> tuple[GateConfig | None, int]:
    """Return what a file asks for and 0; None and the exit code, all problems printed, where it cannot be used."""
    try:
        metrics = {name: any_metric(name) for name in own}
        read_document(path)
    except ConfigurationError as error:
        sys.stderr.write(f"fairness-checks {command}: {printable(str(error))}\n")
        return None, 2
    try:
        config = load_config(path, own=metrics)
        problems = check_names(config)
    except ConfigurationError as error:
        problems = str(error).splitlines()
    if problems:
        sys.stderr.write("".join(f"{printable(problem)}\n" for problem in problems))
        if any("@fairness_metric" in problem for problem in problems):
            sys.stderr.write("a metric of your own: say --own-metric NAME, as no conftest.py is read here\n")
        return None, 1
    return config, 0
