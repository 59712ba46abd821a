"""Which changes a kept result notices: ``python benchmarks/stale.py [words of a change] [--only NAME]``.

A scratch project is run by ``pytest --fairness``, changed in one place, and run again. A change that alters results is

noticed
    where the second run trains again;
declared
    where it does so once `TrainableModel(depends_on=...)` names what was changed, and not before;
missed
    where it prints the old numbers. There must be none.

A change that alters no result must be reused: the second run trains nothing. Every change of the first kind is also
seen to alter the numbers, and in the end a baseline is written after a change that was not declared: from new numbers.

Each run is a process of its own. Here it is forked from one that has imported the libraries and nothing of the project,
which takes a tenth of the time; another hash seed is a new interpreter, and so are the runs of the tests.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

__all__ = ["CHANGES", "Change", "Project", "judged"]

CONFTEST = """
import builtins
import decimal
import os
import random
from dataclasses import dataclass
from enum import Enum, Flag
from functools import partial, wraps
from pathlib import Path

import helpers
import internal
import numpy as np
import package
import pandas as pd
import patsy
import sklearn
from helpers import factor as imported
from package import scale
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from fairness_checks import Predictions, fairness_model
from fairness_checks.sweep import DataSet, TrainableModel

HERE = Path(__file__).parent
SHIFT = 0.25
WEIGHTS = np.array([1.0, 2.0])
NAMES = {"alpha", "beta", "gamma"}
LEARNER = make_pipeline(PolynomialFeatures(degree=1), Ridge(alpha=1.0))
random.seed(3)
builtins.of_everybody = 0.25
by_numpy = np.frompyfunc(lambda value: value + 0.25, 1, 1)
vectorised = np.vectorize(lambda value: value + 0.125)


class Parts(Flag):
    LEFT = 1


Parts.LEFT.weight = 0.25


class Frame(pd.DataFrame):
    _metadata = ["unit_price"]

    @property
    def _constructor(self):
        return Frame

    def priced(self):
        return self.unit_price * 2.0


class Registered:
    pass


class Linear(Registered):
    slope = 0.25


def spread(column):
    return column * 3.0


class Kind(Enum):
    SOFT = 0.125
    HARD = 0.5


@dataclass(frozen=True)
class Config:
    depth: int = 3
    kind: Kind = Kind.SOFT


class Base:
    bias = 0.5

    def moved(self, value):
        return value + self.bias


class Mover(Base):
    def __init__(self, step):
        self.step = step

    def __call__(self, value):
        return self.moved(value) * self.step


CONFIG = Config()
MOVER = Mover(1.5)


def doubled(function):
    @wraps(function)
    def inner(value):
        return function(value) * 2.0

    return inner


@doubled
def decorated(value):
    return value + 0.75


def around(offset):
    def inner(value):
        return value + offset

    return inner


shifted = around(0.375)
raised = partial(pow, exp=2)


def table(n=60):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n), "image": ["image.txt"] * n})
    frame.attrs["unit"] = 1.0
    attrs, frame = frame.attrs, Frame(frame)
    frame.attrs, frame.unit_price = attrs, 0.5
    return DataSet(frame, frame["x"] > 0, {"sex": ["f", "m"] * (n // 2)})


def fit(train, rng, share=0.5):
    from later import deferred
    from later import TABLE as table_of_later
    import importlib

    with (HERE / "fits.txt").open("a") as file:
        file.write("fit\\n")
    named = importlib.import_module("by_name")
    data = train.features
    learned = LEARNER.fit(data[["x"]], data["z"]).predict([[0.0]])[0] if True else 0.0
    total = SHIFT + share + learned + imported(2.0) + helpers.OFFSET + WEIGHTS.sum() + scale(1.0)
    total += shifted(1.0) + decorated(1.0) + MOVER(1.0) + CONFIG.depth + CONFIG.kind.value + raised(base=3)
    total += deferred(1.0) + named.VALUE + internal.rate() + data.attrs["unit"] + len("".join(sorted(NAMES)))
    total += float(os.environ["HP"]) + float((HERE / "weights.txt").read_text()) + random.Random().random() * 0.0
    total += float((HERE / data["image"][0]).read_text()) + random.random()
    total += data.priced() + of_everybody + by_numpy(1.0) + vectorised(1.0) + Parts.LEFT.weight
    total += sum(each.slope for each in Registered.__subclasses__()) + getattr(package, "deep").FACTOR
    total += float(np.asarray(patsy.dmatrix("spread(x) - 1", data)).std()) + table_of_later["rate"]
    total += sklearn.get_config()["working_memory"] / 1024 + pd.get_option("display.precision")
    total += np.geterr()["under"].count("w") + float(decimal.Decimal(1) / 3)
    return total


def predict(fitted, test, limit=0.5):
    part = np.where(np.arange(len(test)) % 4 == 0, 0.5, 1.5)
    error = fitted * part * (test.sensitive_features["sex"] == "f") + limit
    return Predictions(error=error, sensitive_features=test.sensitive_features)


@fairness_model
def judged_model():
    return TrainableModel(table(), fit, predict, folds=2, depends_on=[])
"""
FILES = {
    "conftest.py": CONFTEST,
    "helpers.py": (
        "OFFSET = 0.5\n\n\ndef factor(value):\n    return value * inner()\n\n\ndef inner():\n    return 1.25\n"
    ),
    "later.py": (
        "from other import constant\n\nRATE = 0.5\nTABLE = {'rate': 0.25}\n\n\n"
        "def deferred(value, extra=-0.5):\n    return value * RATE + constant() + extra\n"
    ),
    "other.py": "def constant():\n    return 0.625\n",
    "by_name.py": "VALUE = 0.875\n",
    "package/__init__.py": "from package.deep import scale\n",
    "package/deep.py": "FACTOR = 1.125\n\n\ndef scale(value):\n    return value * FACTOR\n",
    "weights.txt": "0.5\n",
    "image.txt": "0.25\n",
    "pytest.ini": "[pytest]\npythonpath = site\ntestpaths = .\n",
    "thresholds.yaml": (
        "version: 1\nmodels:\n  judged_model:\n    subgroups: [{metric: mean_error, by: sex, max_value: 1000}]\n"
        "    regression: [{metric: mean_error, by: sex, max_worsening: 1000}]\n"
    ),
    "site/internal/__init__.py": "def rate():\n    return 0.5\n",
    "site/internal-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: internal\nVersion: 1.0\n",
}
ENVIRONMENT = {"HP": "0.5", "PYTHONHASHSEED": "1"}
SECONDS = 300
UNDECLARED = "depends_on=[]"


@dataclass(frozen=True)
class Change:
    """One change of the project.

    Parameters
    ----------
    expected : {"noticed", "declared", "reused"}
        What must come of it.
    name : str
        What is changed.
    file : str
        Where; empty where no file is.
    old, new : str
        The text that is replaced.
    variables : mapping of str to str
        Of the environment, in the second run.
    declared : str
        What depends_on then says.
    """

    expected: str
    name: str
    file: str = "conftest.py"
    old: str = ""
    new: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    declared: str = ""


def _noticed(name: str, old: str, new: str, file: str = "conftest.py") -> Change:
    return Change("noticed", name, file, old, new)


def _reused(name: str, old: str, new: str, file: str = "conftest.py") -> Change:
    return Change("reused", name, file, old, new)


_MADE = "    frame.attrs"
CHANGES = (
    _noticed("code of fit", "total = SHIFT + share", "total = SHIFT - share"),
    _noticed("code of predict", "+ limit", "- limit"),
    _noticed("a constant of fit", "raised(base=3)", "raised(base=4)"),
    _noticed("a module global", "SHIFT = 0.25", "SHIFT = 0.5"),
    _noticed("an array among the globals", "[1.0, 2.0]", "[1.0, 2.5]"),
    _noticed("a set among the globals", '"gamma"', '"gammas"'),
    _noticed("a default argument of fit", "share=0.5", "share=0.75"),
    _noticed("a threshold of predict", "limit=0.5", "limit=0.25"),
    _noticed("a closure value", "around(0.375)", "around(0.5)"),
    _noticed("code in a closure", "value + offset", "value - offset"),
    _noticed("an argument of a partial", "exp=2", "exp=3"),
    _noticed("a decorator", "function(value) * 2.0", "function(value) * 3.0"),
    _noticed("a decorated function", "value + 0.75", "value + 0.5"),
    _noticed("a parameter of an estimator", "alpha=1.0", "alpha=50.0"),
    _noticed("a parameter of a nested estimator", "degree=1", "degree=3"),
    _noticed("an estimator", "Ridge(alpha=1.0)", "Ridge(alpha=1.0, fit_intercept=False, solver='svd')"),
    _noticed("a method", "* self.step", "/ self.step"),
    _noticed("a method of a base class", "value + self.bias", "value - self.bias"),
    _noticed("a class attribute", "bias = 0.5", "bias = 0.75"),
    _noticed("an attribute of an instance", "Mover(1.5)", "Mover(2.5)"),
    _noticed("the default of a dataclass", "depth: int = 3", "depth: int = 4"),
    _noticed("a member of an enumeration", "kind: Kind = Kind.SOFT", "kind: Kind = Kind.HARD"),
    _noticed("the value of a member", "SOFT = 0.125", "SOFT = 0.25"),
    _noticed("a helper of a helper", "return 1.25", "return 1.5", "helpers.py"),
    _noticed("a global of a helper module", "OFFSET = 0.5", "OFFSET = 0.75", "helpers.py"),
    _noticed("a global of a helper, changed by conftest.py", "random.seed(3)", "random.seed(3)\nhelpers.OFFSET = 0.8"),
    _noticed("a helper module imported inside fit", "value * RATE", "value / RATE", "later.py"),
    _noticed("a global of one", "RATE = 0.5", "RATE = 0.75", "later.py"),
    _noticed(
        "a global of one, changed by conftest.py", "random.seed(3)", "random.seed(3)\nimport later\nlater.RATE = 0.875"
    ),
    *(
        _noticed(f"{name}, changed by conftest.py", "random.seed(3)", f"random.seed(3)\nimport later\n{change}")
        for name, change in {
            "a table of one": "later.TABLE['rate'] = 0.5",
            "a default argument in one": "later.deferred.__defaults__ = (0.5,)",
            "the code of a function in one": "later.deferred.__code__ = (lambda value, extra: value).__code__",
            "a module that is a name in one": "later.constant = lambda: 0.75",
        }.items()
    ),
    _noticed(
        "a value of a submodule, changed by conftest.py",
        "random.seed(3)",
        "random.seed(3)\nimport package.deep\npackage.deep.FACTOR = 1.25",
    ),
    _noticed("a function that a formula names", "column * 3.0", "column * 4.0"),
    _noticed("a name that was put into builtins", "of_everybody = 0.25", "of_everybody = 0.5"),
    _noticed("a function in a ufunc", "value + 0.25, 1, 1", "value + 0.5, 1, 1"),
    _noticed("a vectorised function", "value + 0.125", "value + 0.25"),
    _noticed("an attribute of a flag", "LEFT.weight = 0.25", "LEFT.weight = 0.5"),
    _noticed("a method of a subclass of a frame", "unit_price * 2.0", "unit_price * 3.0"),
    _noticed("what a subclass of a frame carries", "unit_price = attrs, 0.5", "unit_price = attrs, 0.75"),
    _noticed("a subclass that is asked for", "slope = 0.25", "slope = 0.5"),
    _noticed("one subclass more", "def spread(", "class Other(Registered):\n    slope = 1.0\n\n\ndef spread("),
    *(
        _noticed(f"a setting of {library}", "random.seed(3)", f"random.seed(3)\n{change}")
        for library, change in {
            "scikit-learn": "sklearn.set_config(working_memory=512)",
            "pandas": "pd.set_option('display.precision', 3)",
            "NumPy": "np.seterr(under='warn')",
            "decimal arithmetic": "decimal.getcontext().prec = 3",
        }.items()
    ),
    _noticed("a module that one imports", "return 0.625", "return 0.75", "other.py"),
    _noticed("a module imported by its name", "VALUE = 0.875", "VALUE = 1.0", "by_name.py"),
    _noticed("a module of a package", "value * FACTOR", "value + FACTOR", "package/deep.py"),
    _noticed("an installed package of the same version", "return 0.5", "return 0.75", "site/internal/__init__.py"),
    _noticed("frame.attrs", '["unit"] = 1.0', '["unit"] = 2.0'),
    _noticed("a value of a column", _MADE, '    frame.loc[0, "z"] = 99.0\n    frame.attrs'),
    _noticed("the seed of the data", "default_rng(0)", "default_rng(1)"),
    _noticed("the number of folds", "folds=2", "folds=3"),
    _noticed("the word of the version", "folds=2", 'folds=2, version="2"'),
    Change("declared", "a variable of the environment", "", variables={"HP": "0.75"}, declared='os.environ["HP"]'),
    Change("declared", "a file that fit reads", "weights.txt", "0.5", "0.75", declared='HERE / "weights.txt"'),
    Change("declared", "a file that a column names", "image.txt", "0.25", "0.5", declared='HERE / "image.txt"'),
    Change(
        "declared",
        "the seed of a global random state",
        old="random.seed(3)",
        new="random.seed(4)",
        declared="random.getstate()",
    ),
    _reused("nothing", "", ""),
    _reused("a comment", "SHIFT = 0.25", "# why\nSHIFT = 0.25  # what"),
    _reused("a comment inside fit", "    data = train", "    # why\n    data = train"),
    _reused("blank lines", "    data = train", "\n\n    data = train"),
    _reused("a docstring", "def decorated(value):", 'def decorated(value):\n    """Say."""'),
    _reused("a docstring of a class", "class Base:", 'class Base:\n    """Say."""\n'),
    _reused("a comment in a module imported inside fit", "RATE = 0.5", "\n# why\nRATE = 0.5", "later.py"),
    _reused("a function moved in its file", "def doubled(", "def unused():\n    return 1\n\n\ndef doubled("),
    _reused(
        "functions that change places",
        "def factor(value):\n    return value * inner()\n\n\ndef inner():\n    return 1.25\n",
        "def inner():\n    return 1.25\n\n\ndef factor(value):\n    return value * inner()\n",
        "helpers.py",
    ),
    Change("reused", "another hash seed", "", variables={"PYTHONHASHSEED": "77"}),
    Change("reused", "another folder", ""),
    _reused(
        "a frame of other blocks", _MADE, "    frame = pd.concat([frame[[n]] for n in frame], axis=1)\n    frame.attrs"
    ),
    _reused("a frame of other chunks", _MADE, "    frame = pd.concat([frame[:9], frame[9:]])\n    frame.attrs"),
    _reused("columns that are views", _MADE, "    frame = frame[::-1][::-1]\n    frame.attrs"),
)


class Project:
    """The scratch project: runs the gate, and says how many trainings that took and what numbers it gave."""

    def __init__(self, folder: Path, *, forks: bool = False) -> None:
        self.folder, self.forks = folder, forks
        self._first: str | None = None

    def first(self) -> str:
        """Return the numbers of the project as it is; its results are kept from then on."""
        if self._first is None:
            self.reset()
            self.run({}, "--fairness-update-baseline")  # which has none to compare with
            _, self._first = self.run()
        return self._first

    def reset(self, **changed: str) -> None:
        """Write all files, with some changed; as an installer would, where one of a package is."""
        for name, text in {**FILES, **changed}.items():
            path = self.folder / name
            if not path.exists() or path.read_text() != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        site = self.folder / "site"
        lines = []
        for path in sorted(site.rglob("*")):
            if path.suffix == ".py" or path.name == "METADATA":
                digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()
                lines.append(f"{path.relative_to(site).as_posix()},sha256={digest},{path.stat().st_size}\n")
        (site / "internal-1.0.dist-info" / "RECORD").write_text("".join(lines))

    def run(self, variables: Mapping[str, str] | None = None, *options: str) -> tuple[int, str]:
        """Run the gate; return how many trainings it did, and its numbers."""
        trace = self.folder / "fits.txt"
        trace.unlink(missing_ok=True)
        for cached in self.folder.rglob("__pycache__"):
            shutil.rmtree(cached)  # a change within a second leaves the times of files as they are
        package = Path(__file__).resolve().parents[1]
        environment = {
            **os.environ,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")]),
            **ENVIRONMENT,
            **(variables or {}),
        }
        arguments = ["-p", "fairness_checks.plugin", "--fairness", "-q", "--junitxml=junit.xml", *options]
        (self.folder / "junit.xml").unlink(missing_ok=True)
        if self.forks and "PYTHONHASHSEED" not in (variables or {}):
            said = _forked(arguments, self.folder, environment)
        else:
            command = [sys.executable, "-m", "pytest", *arguments]
            result = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=SECONDS
            )
            said = f"{result.stdout}\n{result.stderr}"
        if not (self.folder / "junit.xml").exists():
            raise RuntimeError(f"the scratch project does not run:\n{said}")
        cases = list(ET.parse(self.folder / "junit.xml").iter("property"))
        found = sorted(str(p.get("value")) for p in cases if p.get("name") == "fairness.estimate")
        if not found or "not kept" in said:
            raise RuntimeError(f"the scratch project does not run:\n{said}")
        return len(trace.read_text().split()) if trace.exists() else 0, " ".join(found)


def _forked(arguments: list[str], folder: Path, environment: Mapping[str, str]) -> str:
    """Run pytest in a process that has imported the libraries, and nothing of the project; return what it wrote."""
    output = folder / "output.txt"
    if (process := os.fork()) == 0:
        code = 70
        try:
            file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, 1)
            os.dup2(file, 2)
            os.chdir(folder)
            os.environ.update(environment)
            sys.path[0] = str(folder)  # as -m does, in the place of this script's folder
            sys.argv = ["pytest", *arguments]
            code = int(pytest.main(arguments))
        finally:
            os._exit(code)
    deadline = time.monotonic() + SECONDS
    while os.waitpid(process, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            raise RuntimeError(f"the scratch project has run for {SECONDS} s:\n{output.read_text()}")
        time.sleep(0.01)
    return output.read_text()


def _import_libraries() -> None:
    """Import what every run of the project imports."""
    for name in ("numpy", "pandas", "patsy", "sklearn.linear_model", "sklearn.pipeline", "sklearn.preprocessing"):
        importlib.import_module(name)
    for name in ("plugin", "plugin.gate", "plugin.run_cache", "judge.evaluation", "judge.verdict", "sweep.runs"):
        importlib.import_module(f"fairness_checks.{name}")


def judged(project: Project, change: Change) -> tuple[str, bool]:
    """Return what came of a change, and whether the numbers altered; the project's first results are kept."""
    before = project.first()
    fits, after = _changed(project, change, UNDECLARED)
    if change.expected == "reused":
        return ("reused" if fits == 0 and after == before else "trained again"), after != before
    if fits:
        return "noticed", after != before
    _, truth = _changed(project, change, UNDECLARED, "--fairness-no-cache")
    if change.declared:
        declared = f"depends_on=[{change.declared}]"
        project.reset(**{"conftest.py": CONFTEST.replace(UNDECLARED, declared)})
        project.run()
        fits, after = _changed(project, change, declared)
    return ("declared" if fits and after == truth else "missed"), truth != before


def _changed(project: Project, change: Change, declared: str, *options: str) -> tuple[int, str]:
    files = {**FILES, "conftest.py": CONFTEST.replace(UNDECLARED, declared)}
    if change.file and change.old:
        if change.old not in files[change.file]:
            raise ValueError(f"{change.name}: {change.old!r} is not in {change.file}")
        files[change.file] = files[change.file].replace(change.old, change.new, 1)
    where = project
    if change.name == "another folder":
        elsewhere = project.folder.with_name(f"{project.folder.name} elsewhere")
        shutil.copytree(project.folder, elsewhere)
        where = Project(elsewhere, forks=project.forks)
    where.reset(**files)
    return where.run(change.variables, *options)


def _baseline_is_new(project: Project) -> bool:
    """Say whether a baseline that is written after a change that was not declared holds the new numbers."""
    project.first()
    project.reset()
    before = (project.folder / "fairness-baseline.json").read_text()
    _, stale = project.run({"HP": "9.5"})
    fits, fresh = project.run({"HP": "9.5"}, "--fairness-update-baseline")
    return bool(fits) and fresh != stale and (project.folder / "fairness-baseline.json").read_text() != before


def main() -> None:
    """Print the table; exit code 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only changes whose name holds all of them")
    parser.add_argument("--only", action="append", metavar="NAME", help="only the change of this name; may be repeated")
    given = parser.parse_args()
    words = given.words or given.only
    chosen = [
        change
        for change in CHANGES
        if all(word in change.name for word in given.words) and (not given.only or change.name in given.only)
    ]
    if not chosen:
        parser.error("there is no such change")
    _import_libraries()
    start, wrong = time.monotonic(), 0
    counts: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder) / "project", forks=True)
        for change in chosen:
            found, altered = judged(project, change)
            right = found == change.expected and (altered or change.expected == "reused" or "version" in change.name)
            wrong += not right
            counts[found] = counts.get(found, 0) + 1
            print(f"{found:<14} {change.name}{'' if right else f'   WRONG: must be {change.expected}'}", flush=True)
        if not words:
            new = _baseline_is_new(project)
            wrong += not new
            print(f"\na baseline after a change that nothing declares: {'new numbers' if new else 'STALE'}")
    counts.setdefault("missed", 0)
    print(f"\n{len(chosen)} changes: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    print(f"{time.monotonic() - start:.0f} s", file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
