"""`fairness-checks statistics`: what of a file of predictions adds up over sites, written as a part."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from fairness_checks.cli.audit import chosen_models, standard_input
from fairness_checks.cli.audit_options import as_options, asked_in_options, source_options
from fairness_checks.config.loading import GateConfig, ModelChecks, check_names, load_config
from fairness_checks.errors import ConfigurationError, FairnessError, InvalidPredictions, did_you_mean
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.inputs.source import STDIN, Source
from fairness_checks.inputs.source_reading import read_source
from fairness_checks.judge.file_auditing import predictions_of_file
from fairness_checks.judge.part_json import is_part
from fairness_checks.judge.part_measuring import measure_tables
from fairness_checks.judge.part_statistics import PartStatistics, parts_to_json
from fairness_checks.plain import printable
from fairness_checks.question.checks import Missing
from fairness_checks.question.metric_names import canonical
from fairness_checks.question.metrics import METRICS, Metric
from fairness_checks.storage.files import MOST, display_path, read_regular, write_atomically

__all__ = ["statistics"]

Asked = dict[tuple[str, ...], list[Metric]]


def statistics(parsed: argparse.Namespace) -> int:
    """Measure what the options name, write it, and return the exit code."""
    try:
        _require_free(parsed.output)
        parts = _of_options(parsed) if parsed.config is None else _of_config(parsed)
        content = parts_to_json(parts).encode()
        if len(content) > MOST:
            raise ValueError(f"--output {parsed.output}: is of {len(content):,} bytes; name fewer metrics and features")
        write_atomically(parsed.output, content)
    except (FairnessError, ValueError, OSError) as error:
        lines = [printable(line) for line in _said(error, parsed.output).splitlines()]
        lines = lines if parsed.config is not None else list(dict.fromkeys(map(as_options, lines)))
        sys.stderr.write("".join(f"fairness-checks statistics: {line}\n" for line in lines))
        return 2
    for name, part in parts.items():
        sys.stderr.writelines(f"fairness-checks statistics: note: {line}\n" for line in _notes(name, part, parsed))
        rows = "rows" if part.samples is None else f"{part.samples:,} rows"
        by = "; ".join(", ".join(features) for features in part.tables)
        sys.stdout.write(printable(f"{parsed.output}: {name}: statistics of {rows} by {by}") + "\n")
    return 0


def _require_free(output: Path) -> None:
    """Raise ValueError for a file in the place of the part that is none: predictions or limits by whatever name."""
    if not output.is_file() or not output.stat().st_size:
        return
    try:
        there = is_part(read_regular(output))
    except OSError:
        there = False
    if not there:
        raise ValueError(f"--output {output}: is there, and is no part, but some other file; name a new one")


def _said(error: Exception, output: Path) -> str:
    if isinstance(error, OSError) and not isinstance(error, FairnessError):
        return f"--output {output}: {error.strerror or error}; name a file that can be written"
    return str(error)


def _notes(name: str, part: PartStatistics, parsed: argparse.Namespace) -> Iterable[str]:
    """Yield what was asked for and is not there."""
    if parsed.config is None and not parsed.metric:
        return
    for by, table in part.tables.items():
        for metric, why in table.refused.items():
            yield printable(f"{name}: {metric} by {', '.join(by)} is not in it: {why}")


def _of_options(parsed: argparse.Namespace) -> dict[str, PartStatistics]:
    if parsed.file is None:
        raise ValueError("FILE is missing: name a file of predictions, or --config thresholds.yaml")
    if not parsed.by:
        raise ValueError("--by is missing: name the column of groups, such as --by sex")
    if parsed.model is None:
        raise ValueError("--model is missing: name the model as the thresholds.yaml does that `merge` is to judge by")
    metrics = list(METRICS.values()) if not parsed.metric else [_metric(name) for name in parsed.metric]
    asked: Asked = {tuple(name.strip() for name in text.split(",")): metrics for text in parsed.by}
    features = tuple(dict.fromkeys(name for by in asked for name in by))
    source = Source(**source_options(parsed))
    folder = Path() if parsed.file == STDIN else Path.cwd()
    predictions = read_source(source, folder, features, stdin=standard_input([_named(parsed.model, source)]))
    text = tuple(parsed.missing_text) or None
    missing = Missing(parsed.missing_sensitive or "error", text)
    return {parsed.model: _measured(source, predictions, asked, missing, parsed, parsed.suppress_below)}


def _metric(name: str) -> Metric:
    metric = METRICS.get(canonical(name, METRICS))
    if metric is None:
        raise ValueError(f"--metric {name}: is no metric; {did_you_mean(name, METRICS)}")
    return metric


def _named(name: str, source: Source) -> ModelChecks:
    return ModelChecks(name, (), 1, source=source)


def _of_config(parsed: argparse.Namespace) -> dict[str, PartStatistics]:
    if given := asked_in_options(parsed):
        raise ValueError(f"{given[0]}: --config says what is asked; write it there, or leave --config out")
    limits = load_config(parsed.config)
    if problems := check_names(limits):
        raise ConfigurationError("\n".join(problems))
    models = chosen_models(parsed, limits)
    stdin = standard_input(models)
    return {model.name: _of_model(limits, model, stdin, parsed) for model in models}


def _of_model(
    limits: GateConfig, model: ModelChecks, stdin: bytes | None, parsed: argparse.Namespace
) -> PartStatistics:
    asked: Asked = {}
    for entry in model.checks:
        check = entry.check
        if check.gap is None and check.of is None:
            asked.setdefault(check.features, []).append(check.definition)
    if not asked:
        raise ConfigurationError(f"{model.name}: has no checks of held-out samples, which statistics are of")
    predictions = predictions_of_file(limits, model, stdin)
    assert model.source is not None  # for the type checker: its predictions have just been read
    return _measured(model.source, predictions, asked, limits.settings.missing, parsed, limits.suppress_below)


def _measured(
    source: Source,
    predictions: Predictions,
    asked: Mapping[tuple[str, ...], list[Metric]],
    missing: Missing,
    parsed: argparse.Namespace,
    below: int | None,
) -> PartStatistics:
    inside = parsed.clusters_inside
    try:
        part = measure_tables(predictions, asked, missing, clusters_inside=inside, suppress_below=below)
    except InvalidPredictions as error:  # of the rows, such as those without a group
        where = source.called if source.python is not None else display_path(Path(source.file))
        where = "standard input" if source.file == STDIN else where
        raise InvalidPredictions(str(error) if str(error).startswith(where) else f"{where}: {error}") from None
    if all(set(table.refused) == set(table.metrics) for table in part.tables.values()):
        (by, table), *_ = part.tables.items()
        metric, why = next(iter(table.refused.items()))
        raise ConfigurationError(f"nothing can be written: {metric} by {', '.join(by)}: {why}")
    return part
