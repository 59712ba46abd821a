"""Write the pages of docs/ that are made of the schema and of METRICS: `python docs/write_reference.py`."""

from __future__ import annotations

import argparse
import json
import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fairness_checks import METRICS, Metric, Predictions, audit, audit_uncertainty
from fairness_checks.cli.explain import limits_text
from fairness_checks.cli.explain_texts import TEXTS
from fairness_checks.cli.main import command_line
from fairness_checks.config.export import json_schema
from fairness_checks.errors import FairnessError
from fairness_checks.question.gaps import GAPS
from fairness_checks.question.limits import LIMITS
from fairness_checks.question.metric_meanings import MEANINGS
from fairness_checks.question.metric_names import ALIASES

WIDTH = 100
HERE = Path(__file__).resolve().parent
MADE = "<!-- Made by docs/write_reference.py of {source}.\n     Change that, and run it again. -->\n"
SHAPES = {  # by the name of a shape, where it stands in the file, and the page that tells its story
    "": ("The whole file", ""),
    "DefaultsSpec": ("`defaults`", "How these decide: [verdicts](verdicts.md), [statistics](statistics.md)."),
    "ResponsibleSpec": ("`responsible`", ""),
    "ModelSpec": ("`models.<name>`", "`profiles.<name>` has the same keys, without `profile` and `source`."),
    "SourceSpec": ("`models.<name>.source`", "More: [a file of predictions](audit.md), [engines](scale.md)."),
    "CheckSpec": (
        "A check of `subgroups`",
        "It has exactly one limit. Metrics and their limits: [metrics](metrics.md).",
    ),
    "UncertaintySpec": ("A check of `uncertainty`", ""),
    "RegressionSpec": ("A check of `regression`", "More: [the baseline](baseline.md)."),
    "SweepSpec": ("`sweep`", "More: [sweeps](sweeps.md)."),
    "SweepCheckSpec": ("A check of `sweep.checks`", "It has exactly one limit."),
    "WaiverSpec": ("An entry of `waivers`", "More: [a waiver](baseline.md#a-waiver)."),
}
INPUTS = {  # what a model may give, the least first
    "labels and decisions": {"y_true": [0, 1, 1, 0] * 10, "y_pred": [0, 1, 0, 1] * 10},
    "labels and scores": {"y_true": [0, 1, 1, 0] * 10, "y_score": [0.1, 0.8, 0.3, 0.6] * 10},
    "errors": {"error": [0.1, -0.2, 0.3, -0.1] * 10},
    "errors and uncertainties": {"error": [0.1, -0.2, 0.3, -0.1] * 10, "uncertainty": [0.1, 0.2, 0.3, 0.4] * 10},
}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of Markdown."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def code(value: object) -> str:
    """Return a value as YAML has it."""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def values(shape: dict[str, Any]) -> str:
    """Return what a key may have, in words."""
    if "const" in shape:
        return code(shape["const"])
    if "enum" in shape:
        return ", ".join(code(value) for value in shape["enum"])
    if "$ref" in shape:
        title = SHAPES.get(shape["$ref"].split("/")[-1], SHAPES["ModelSpec"])[0]
        return f"[keys](#{slug(title)})"
    if "anyOf" in shape:
        return " or ".join(dict.fromkeys(values(each) for each in shape["anyOf"] if each.get("type") != "null"))
    if shape.get("type") == "array":
        inner = values(shape["items"])
        return f"list of {PLURALS.get(inner, inner)}".replace("list of [keys]", "[list]")
    if shape.get("type") == "object":
        inner = shape.get("additionalProperties", True)
        return "mapping" if inner is True else f"name: {values(inner)}"
    words = {"string": "text", "number": "number", "integer": "whole number", "boolean": "`true`, `false`"}
    kind = "date" if shape.get("format") == "date" else words.get(shape.get("type", ""), "value")
    least = f", at least {shape['minimum']}" if "minimum" in shape else ""
    return kind + least


PLURALS = {"text": "texts", "number": "numbers", "value": "values", "list of values": "lists of values"}


def slug(title: str) -> str:
    """Return the anchor of a heading, as GitHub has it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def default(name: str, shape: dict[str, Any], required: Iterable[str]) -> str:
    """Return a key's default, or that it must be given."""
    if name in LIMITS:
        return "" if name not in required else "required"
    if name in required:
        return "required"
    return "" if shape.get("default") in (None, "", [], {}) or "$ref" in shape else code(shape["default"])


def shape_table(shape: dict[str, Any]) -> str:
    """Return the keys of a shape."""
    required = shape.get("required", [])
    rows = (
        [code(name), values(each), default(name, each, required), each["description"]]
        for name, each in shape["properties"].items()
    )
    return table(["key", "values", "default", "what it says"], rows)


def thresholds_page() -> str:
    """Return the reference of thresholds.yaml."""
    schema = json_schema()
    shapes = {"": schema, **schema["$defs"]}
    parts = [
        "# Keys of thresholds.yaml\n",
        MADE.format(source="fairness_checks/config/schema.py and key_meanings.py"),
        "Any other key is an error, and so is a text in a number's place. `fairness-checks schema` writes\n"
        "the same for editors, `fairness-checks schema --check FILE` says what is wrong with a file. How a\n"
        "file is put together: [thresholds.yaml and options](configuration.md).\n",
    ]
    for name, (title, more) in SHAPES.items():
        parts += [f"## {title}\n", *([more + "\n"] if more else []), shape_table(shapes[name])]
        if name == "SweepCheckSpec":
            gaps = ([code(gap), row.words, limits(gap)] for gap, row in GAPS.items())
            parts += [table(["`gap`", "what is compared", "limit"], gaps)]
    return "\n".join(parts)


def limits(gap: str) -> str:
    """Return the limits that a gap takes."""
    row = GAPS[gap]  # type: ignore[index]
    return f"{code(row.limit)}, of a mismatch `max_mismatch`" if row.mismatches else code(row.limit)


def needs(metric: Metric) -> str:
    """Return the least that a model must give, found by trying."""
    found = [name for name, given in INPUTS.items() if works(metric, given)]
    return found[0] if found[0] in ("labels and decisions", "errors") else ", or ".join(found)


def works(metric: Metric, given: dict[str, list[Any]]) -> bool:
    """Say whether a metric can be measured in what a model gives."""
    groups = {"g": ["a", "a", "b", "b"] * 10}
    try:
        predictions = Predictions(**given, sensitive_features=groups)
        if "max_mismatch" in metric.limits:
            audit_uncertainty(predictions, by="g", max_mismatch=0.1)
        else:
            audit(predictions, metric=metric.name, by="g", max_difference=0.1)
    except FairnessError:
        return False
    return True


def better(metric: Metric) -> str:
    """Return which direction is the better one."""
    return {None: "neither", True: "low", False: "high"}[metric.lower_is_better]


def span(metric: Metric) -> str:
    """Return the range of a metric."""
    ends = [str(end) if abs(end) == float("inf") else f"{end:g}" for end in (metric.lowest, metric.highest)]
    return f"{ends[0]} to {ends[1]}".replace("inf", "∞")


def metrics_page() -> str:
    """Return the table of metrics."""
    meanings = ([f"[`{name}`](#{name})", MEANINGS[name], needs(METRICS[name])] for name in sorted(METRICS))
    parts = [
        "# Metrics\n",
        MADE.format(source="METRICS, MEANINGS and ALIASES in fairness_checks/question"),
        "These names are the same in YAML, in `audit`, in waivers and on the command line.\n"
        '`fairness-checks explain NAME` also says how many patients settle a limit. "Inference as" names the\n'
        "kind of metric, which decides how its limits are [tested](statistics.md).\n"
        "One that is not here: [a metric of your own](configuration.md#a-metric-of-your-own).\n",
        table(["metric", "for patients", "a model gives"], meanings),
    ]
    for name in sorted(METRICS):
        metric = METRICS[name]
        called = sorted(alias for alias, of in ALIASES.items() if of == name)
        rows = [
            *([["also called", ", ".join(map(code, called))]] if called else []),
            ["use it", TEXTS[name].use],
            ["it hides", TEXTS[name].hides],
            ["range; better is", f"{span(metric)}; {better(metric)}"],
            ["a model gives", needs(metric)],
            ["inference as", metric.kind.replace("_", " ")],
            ["limits", re.sub(r"\bm(?:ax|in)_\w+", lambda kind: code(kind[0]), limits_text(metric))],
        ]
        parts += [
            f"## {name}\n",
            textwrap.fill(MEANINGS[name], WIDTH) + "\n",
            table(["formula", code(metric.formula)], rows),
        ]
    parts += [
        "## Names from elsewhere\n",
        "They are taken in any case, with blanks or hyphens for `_`. Records, node ids and baselines hold\n"
        "the name on the right; the header says which is which.\n",
        table(["write", "for"], ([code(alias), f"[`{of}`](#{of})"] for alias, of in sorted(ALIASES.items()))),
    ]
    return "\n".join(parts)


def commands_page() -> str:
    """Return the commands of `fairness-checks`, as `--help` has them."""
    (commands,) = (each for each in command_line()._actions if isinstance(each, argparse._SubParsersAction))
    parts = [
        "# Commands\n",
        MADE.format(source="the parser in fairness_checks/cli/main.py"),
        "`fairness-checks COMMAND --help` prints the same, and `python -m fairness_checks` is the same\nprogram.\n",
        table(
            ["command", "what it does"],
            ([f"[{each.dest}](#{each.dest})", each.help or ""] for each in commands._choices_actions),
        ),
    ]
    for name, parser in commands.choices.items():
        rows = ([usage(action), what(action)] for action in parser._actions if action.dest != "help")
        parts += [f"## {name}\n", *prose(parser.description or ""), table(["", ""], rows), *prose(parser.epilog or "")]
    return "\n".join(parts)


def usage(action: argparse.Action) -> str:
    """Return how an argument is written."""
    choices = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()
    value = "" if action.nargs == 0 else str(action.metavar or choices)
    return ", ".join(code(f"{option} {value}".strip()) for option in action.option_strings) or code(value)


def what(action: argparse.Action) -> str:
    """Return what an argument says."""
    return (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")


def prose(text: str) -> list[str]:
    """Return text of a help, its paragraphs as they are laid out there."""
    return [f"```none\n{text.strip()}\n```\n"] if text.strip() else []


PAGES = {"commands.md": commands_page, "thresholds_reference.md": thresholds_page, "metrics.md": metrics_page}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (HERE / file).write_text(page(), encoding="utf-8")
