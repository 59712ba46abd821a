"""code_digest: what changes it, what does not, and what it refuses to pass over."""

from __future__ import annotations

import enum
import functools
import importlib
import os
import re
import subprocess
import sys
import textwrap
import threading
import types
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairness_checks.errors import CacheError
from fairness_checks.storage.code_digest import code_digest, digest_of

MODULES = {"helper", "helpers", "later", "model", "other", "package"}


class Project:
    """A folder of modules that is imported anew each time that it is asked."""

    def __init__(self, folder: Path, monkeypatch) -> None:
        self.folder, self._patch = folder, monkeypatch

    def write(self, **files: str) -> None:
        for name, text in files.items():
            path = self.folder / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))

    def digest(self, expression: str = "fit"):
        """Import `model` in this state of the files, and digest what an expression in it gives."""
        self._patch.syspath_prepend(self.folder)
        self._patch.setattr(sys, "dont_write_bytecode", True)
        importlib.invalidate_caches()
        for name in [name for name in sys.modules if name.partition(".")[0] in MODULES]:
            del sys.modules[name]
        model = importlib.import_module("model")
        assert Path(model.__file__).parent == self.folder
        found = digest_of([eval(expression, vars(model))])
        return found.unseen or found.value


@pytest.fixture
def project(tmp_path, monkeypatch):
    return Project(tmp_path / "project", monkeypatch)


BASE = {
    "model": """
        import functools
        import re
        from dataclasses import dataclass
        from enum import Enum
        import numpy as np
        import helpers
        from helpers import rate as imported

        LIMIT = 0.5
        TABLE = np.array([1.0, 2.0, 3.0])
        NAMES = {"alpha", "beta", "gamma", "delta"}

        class Kind(Enum):
            SOFT = 1
            HARD = 2

        @dataclass(frozen=True)
        class Config:
            depth: int = 3
            kind: Kind = Kind.SOFT

        class Base:
            scale = 2.0
            def step(self, x):
                return x * self.scale

        class Learner(Base):
            def __init__(self, depth=3):
                self.depth = depth
            def __call__(self, x):
                return self.step(x) + self.depth
            @property
            def twice(self):
                return 2 * self.depth
            @staticmethod
            def fixed():
                return 7

        def decorated(function):
            @functools.wraps(function)
            def inner(*args):
                return function(*args) + 1
            return inner

        @decorated
        def ready(x):
            return x - 1

        @functools.lru_cache
        def remembered(x):
            return x * 11

        def around(offset):
            def inner(x, *, power=2):
                return x ** power + offset
            return inner

        shifted = around(4)
        CONFIG = Config()
        LEARNER = Learner()
        PATTERN = re.compile("a+")

        def recursive(n):
            return 1 if n < 2 else n * recursive(n - 1)

        def fit(x, share=0.25):
            from later import deferred
            import package.inner as inner
            if x in {"one", "two", "three"}:
                return None
            try:
                y = imported(x) + helpers.shift(x) + helpers.OFFSET
            except ValueError:
                y = 9
            total = shifted(y) + ready(y) + remembered(y) + recursive(3) + share + deferred(y) + inner.value(y)
            chosen = [n for n in NAMES if PATTERN.match(n)]
            return LEARNER(total) if total > LIMIT else (CONFIG.depth, TABLE.sum(), chosen, f"{total:.3f}")
        """,
    "helpers": """
        OFFSET = 10
        UNUSED = 1
        def rate(x):
            return x * factor()
        def factor():
            return 3
        def shift(x):
            return x + 100
        def unused():
            return 0
        """,
    "later": """
        from other import constant
        SHIFT = 5
        def deferred(x):
            return x + SHIFT + constant()
        def second(x):
            return x
        """,
    "other": "def constant():\n    return 8\n",
    "package/__init__": "",
    "package/inner": "from . import deep\ndef value(x):\n    return deep.VALUE + x\n",
    "package/deep": "VALUE = 1\n",
}

SEEN = {
    "code": ("model", "y = 9", "y = 10"),
    "an operator": ("model", "total > LIMIT", "total >= LIMIT"),
    "a constant": ("model", "recursive(3)", "recursive(4)"),
    "the type of a constant": ("model", "recursive(3)", "recursive(3.0)"),
    "the sign of zero": ("model", "y = 9", "y = -0.0"),
    "a constant set": ("model", '"three"', '"four"'),
    "an exception that is caught": ("model", "except ValueError", "except KeyError"),
    "the format of a text": ("model", ":.3f", ":.2f"),
    "a global": ("model", "LIMIT = 0.5", "LIMIT = 0.6"),
    "the type of a global": ("model", "LIMIT = 0.5", "LIMIT = True"),
    "an array": ("model", "2.0, 3.0", "2.0, 3.5"),
    "a set": ("model", '"delta"', '"epsilon"'),
    "a default argument": ("model", "share=0.25", "share=0.5"),
    "a keyword's default": ("model", "power=2", "power=3"),
    "a closure value": ("model", "around(4)", "around(5)"),
    "code in a closure": ("model", "x ** power + offset", "x ** power - offset"),
    "a decorated function": ("model", "return x - 1", "return x - 2"),
    "a decorator": ("model", "function(*args) + 1", "function(*args) + 2"),
    "a remembered function": ("model", "x * 11", "x * 12"),
    "a recursive function": ("model", "if n < 2", "if n < 3"),
    "a method": ("model", "self.step(x) + self.depth", "self.step(x) - self.depth"),
    "a property": ("model", "2 * self.depth", "3 * self.depth"),
    "a static method": ("model", "return 7", "return 8"),
    "a base class": ("model", "x * self.scale", "x + self.scale"),
    "a class attribute": ("model", "scale = 2.0", "scale = 2.5"),
    "an instance's attribute": ("model", "LEARNER = Learner()", "LEARNER = Learner(4)"),
    "a field's default": ("model", "depth: int = 3", "depth: int = 4"),
    "a member of an enumeration": ("model", "kind: Kind = Kind.SOFT", "kind: Kind = Kind.HARD"),
    "a member's value": ("model", "SOFT = 1", "SOFT = 4"),
    "a pattern": ("model", '"a+"', '"a*"'),
    "a helper": ("helpers", "return x * factor()", "return x / factor()"),
    "a helper's helper": ("helpers", "return 3", "return 4"),
    "a helper by its module": ("helpers", "x + 100", "x + 101"),
    "a global of a helper module": ("helpers", "OFFSET = 10", "OFFSET = 11"),
    "a helper imported inside": ("later", "x + SHIFT +", "x - SHIFT +"),
    "a global of a module imported inside": ("later", "SHIFT = 5", "SHIFT = 6"),
    "what a module imported inside imports": ("other", "return 8", "return 9"),
    "a package imported inside": ("package/inner", "deep.VALUE + x", "deep.VALUE - x"),
    "what a package imports from itself": ("package/deep", "VALUE = 1", "VALUE = 2"),
    "what a package runs when it is imported": ("package/__init__", "", "import numpy\nnumpy.seterr(all='raise')\n"),
}


@pytest.mark.parametrize("name", SEEN)
def test_a_change_is_seen(project, name):
    project.write(**BASE)
    before = project.digest()
    assert project.digest() == before
    file, old, new = SEEN[name]
    assert old in BASE[file]
    project.write(**{file: textwrap.dedent(BASE[file]).replace(old, new, 1) if old else new})
    assert project.digest() != before


HIDDEN = {
    "what a query names": 'LIMIT = 1\ndef fit(x):\n    return x.query("age > @LIMIT")\n',
    "what a query names, in a nested function": (
        'LIMIT = 1\ndef fit(x):\n    def inner():\n        return x.query("age > @LIMIT")\n    return inner()\n'
    ),
    "what a query that is a global names": 'LIMIT = 1\nTEXT = "age > @LIMIT"\ndef fit(x):\n    return x.query(TEXT)\n',
    "what a formula names": (
        'def scale(x):\n    y = 1\n    return x * y\ndef fit(x):\n    return x.ols("y ~ scale(x)")\n'
    ),
    "what a formula in a table names": (
        'RATE = 1\nSETTINGS = {"formulas": ["y ~ C(sex):I(x * RATE)"]}\ndef fit(x):\n    return x.ols(SETTINGS)\n'
    ),
    "what a part of a formula names": (
        'def scale(x):\n    y = 1\n    return x * y\ndef fit(x, a="x"):\n    return x.ols(f"{a} + scale({a})")\n'
    ),
    "what is read off the frame of a caller": (
        'import sys\nRATE = 1\ndef inner():\n    return sys._getframe(1).f_globals["RA" + "TE".lower().upper()]\n'
        "def fit(x):\n    return inner()\n"
    ),
    "what a function's globals hold": 'RATE = 1\ndef fit(x):\n    return fit.__globals__["RA" + x]\n',
    "eval under another name": 'RATE = 1\nRUN = eval\ndef fit(x):\n    return RUN("RA" + x)\n',
    "exec of the module of builtins": ('import builtins\nRATE = 1\ndef fit(x):\n    return builtins.exec("RA" + x)\n'),
    "a name put into builtins": "import builtins\nbuiltins.helper_rate = 1\ndef fit(x):\n    return helper_rate\n",
    "a subclass that code asks for": (
        "class Base:\n    pass\nclass Inner(Base):\n    rate = 1\n"
        "def fit(x):\n    return [each.rate for each in Base.__subclasses__()]\n"
    ),
    "the function in a ufunc": (
        "import numpy as np\ndef one(x):\n    y = 1\n    return x + y\nmany = np.frompyfunc(one, 1, 1)\n"
        "def fit(x):\n    return many(x)\n"
    ),
    "the function in a vectorised one": (
        "import numpy as np\ndef one(x):\n    y = 1\n    return x + y\nmany = np.vectorize(one)\n"
        "def fit(x):\n    return many(x)\n"
    ),
    "a method of a subclass of a frame": (
        "import pandas as pd\nclass Frame(pd.DataFrame):\n    def rate(self):\n        y = 1\n        return y\n"
        'held = Frame({"x": [3]})\ndef fit(x):\n    return held.rate()\n'
    ),
    "what a subclass of a frame carries": (
        'import pandas as pd\nclass Frame(pd.DataFrame):\n    _metadata = ["_rate"]\nheld = Frame({"x": [3]})\n'
        "held._rate = 1\ndef fit(x):\n    return held._rate\n"
    ),
    "an attribute of a frame": (
        'import pandas as pd\nheld = pd.DataFrame({"x": [3]})\nobject.__setattr__(held, "rate", 3)\nheld.rate = 1\n'
        "def fit(x):\n    return held.rate\n"
    ),
    "an accessor of frames": (
        "import pandas as pd\nimport warnings\nwarnings.simplefilter('ignore')\n"
        '@pd.api.extensions.register_dataframe_accessor("of_a_test")\nclass Accessor:\n    rate = 1\n'
        'held = pd.DataFrame({"x": [3]})\ndef fit(x):\n    return held.of_a_test.rate\n'
    ),
    "an attribute of a subclass of an array": (
        "import numpy as np\nclass Array(np.ndarray):\n    pass\nheld = np.zeros(2).view(Array)\nheld.rate = 1\n"
        "def fit(x):\n    return held.rate\n"
    ),
    "an attribute of a flag": (
        "import enum\nclass Kind(enum.Flag):\n    SOFT = 4\nKind.SOFT.limit = 1\n"
        "def fit(x):\n    return Kind.SOFT.limit\n"
    ),
    "an attribute put into a class of a library": (
        "import argparse\nargparse.Namespace.rate_of_a_test = 1\ndef fit(x):\n    return argparse.Namespace\n"
    ),
    "an annotation": (
        "def inner(x: 'limit = 1\\n'):\n    return inner.__annotations__\ndef fit(x):\n    return inner(x)\n"
    ),
    "a docstring that code reads": (
        'def inner(x):\n    """= 1\n"""\n    return inner.__doc__\ndef fit(x):\n    return inner(x)\n'
    ),
    "an attribute of a cached function": (
        "import functools\n@functools.lru_cache\ndef rate():\n    return rate.limit\nrate.limit = 1\n"
        "def fit(x):\n    return rate()\n"
    ),
    "what an annotation holds": (
        "from typing import Annotated\nclass Unit:\n    def __init__(self, rate):\n        self.rate = rate\nRATE = 1\n"
        "def inner(x: Annotated[float, Unit(RATE)]):\n    return inner.__annotations__\n"
        "def fit(x):\n    return inner(x)\n"
    ),
    "what an annotation of a class holds": (
        "class Unit:\n    def __init__(self, rate):\n        self.rate = rate\nRATE = 1\n"
        "class Held:\n    x: Unit(RATE)\n"
        "def fit(x):\n    return Held.__annotations__['x'].rate\n"
    ),
    "what the text of an annotation makes": (
        "from __future__ import annotations\nfrom typing import Annotated, get_type_hints\nRATE = 1\n"
        "def inner(x: Annotated[float, abs(RATE)]):\n    return x\n"
        "def fit(x):\n    return get_type_hints(inner, include_extras=True)\n"
    ),
    "the name of a function": (
        "def inner(x):\n    return x\ninner.__name__ = 'x= 1'\ndef fit(x):\n    return inner.__name__\n"
    ),
    "the name of a class": "class Held:\n    pass\nHeld.__name__ = 'x= 1'\ndef fit(x):\n    return Held.__name__\n",
    "a class that an abstract one counts as its own": (
        "import abc\nclass Shape(abc.ABC):\n    pass\nclass First:\n    pass\nclass Second:\n    pass\nchosen = 1\n"
        "Shape.register([First, Second][chosen - 1])\nALL = First(), Second()\ndel chosen\n"
        "def fit(x):\n    return [isinstance(each, Shape) for each in ALL]\n"
    ),
    "a name of a module between underscores": '__rate__ = 1\ndef fit(x):\n    return globals()["__ra" + x]\n',
    "what an SQL query names": (
        'held = [3]\nheld[0] = 1\ndef fit(x):\n    return x.sql("select sum(a) from held where a > 0")\n'
    ),
    "what another function says of its copies": (
        "import copyreg\nclass Held:\n    pass\nheld = Held()\nheld.limit = 1\n"
        "copyreg.pickle(Held, lambda each: (Held, ()))\ndef fit(x):\n    return held.limit\n"
    ),
    "a partial in a module of a library": (
        "import functools, json\ndef inner(x, rate):\n    return x * rate\n"
        "json.of_a_test = functools.partial(inner, rate= 1)\ndef fit(x):\n    return json.of_a_test(x)\n"
    ),
    "an object in a module of a library": (
        "import json\nclass Rate:\n    rate = 1\njson.of_a_test = Rate()\ndef fit(x):\n    return json.of_a_test.rate\n"
    ),
    "what is put into a library that is imported inside": (
        "import json\ndef inner(x):\n    y = 1\n    return x * y\njson.of_a_test = inner\ndel json, inner\n"
        "def fit(x):\n    from json import of_a_test\n    return of_a_test(x)\n"
    ),
    "an attribute that is put into one": (
        "import json\ndef inner(x):\n    y = 1\n    return x * y\njson.of_a_test = inner\ndel json, inner\n"
        "def fit(x):\n    import json\n    return json.of_a_test(x)\n"
    ),
    "a curried function": (
        "import toolz\n@toolz.curry\ndef inner(a, b):\n    y = 1\n    return a * b * y\nheld = inner(2)\n"
        "def fit(x):\n    return held(x)\n"
    ),
    "an attribute of an enumeration's member": (
        "import enum\nclass Kind(enum.Enum):\n    SOFT = 'soft'\nKind.SOFT.limit = 1\n"
        "def fit(x):\n    return Kind.SOFT.limit\n"
    ),
    **{
        f"state that {method} leaves out": (
            f"class Held:\n    def {method}(self{arguments}):\n        return {result}\n"
            "held = Held()\nheld.limit = 1\ndef fit(x):\n    return held.limit\n"
        )
        for method, arguments, result in [
            ("__getstate__", "", "None"),
            ("__reduce__", "", "'held'"),
            ("__reduce_ex__", ", protocol", "(Held, ())"),
        ]
    },
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_value_is_seen_however_it_is_held(project, name):
    if "toolz" in HIDDEN[name]:
        pytest.importorskip("toolz")
    project.write(model=HIDDEN[name])
    before = project.digest()
    assert project.digest() == before
    project.write(model=HIDDEN[name].replace("= 1", "= 2"))
    assert project.digest() != before


NOT_SEEN = {
    "a comment": ("model", "LIMIT = 0.5", "# a remark\nLIMIT = 0.5  # another"),
    "a blank line": ("model", "y = 9", "\n\n\n                y = 9"),
    "a docstring": ("model", "def ready(x):", 'def ready(x):\n    """Say."""'),
    "a docstring of a class": ("model", "class Base:", 'class Base:\n    """Say."""'),
    "a comment in a module imported inside": ("later", "SHIFT = 5", "\n# why\nSHIFT = 5"),
    "a docstring in one": ("later", "def deferred(x):", 'def deferred(x):\n    """Say."""'),
    "a function moved in one": (
        "later",
        "def deferred(x):\n    return x + SHIFT + constant()\ndef second(x):\n    return x\n",
        "def second(x):\n    return x\ndef deferred(x):\n    return x + SHIFT + constant()\n",
    ),
    "a function moved": (
        "helpers",
        "def factor():\n    return 3\ndef shift(x):\n    return x + 100\n",
        "def shift(x):\n    return x + 100\ndef factor():\n    return 3\n",
    ),
    "a helper that nothing uses": ("helpers", "return 0", "return 1"),
    "a global that nothing uses": ("helpers", "UNUSED = 1", "UNUSED = 2"),
}


@pytest.mark.parametrize("name", NOT_SEEN)
def test_a_change_of_no_result_is_not_seen(project, name):
    project.write(**BASE)
    before = project.digest()
    file, old, new = NOT_SEEN[name]
    base = textwrap.dedent(BASE[file])
    assert old in base
    project.write(**{file: base.replace(old, new, 1)})
    assert project.digest() == before


def test_another_folder_and_what_is_loaded_make_no_difference(tmp_path, monkeypatch):
    digests = []
    placed = textwrap.dedent(BASE["model"]).replace("LIMIT = 0.5", "from pathlib import Path\nLIMIT = Path(__file__)")
    for name in ("one", "another"):
        project = Project(tmp_path / name, monkeypatch)
        project.write(**BASE | {"model": placed})
        digests.append(project.digest())
        project.digest("__import__('later') and fit")  # now the module is loaded
        digests.append(project.digest("__import__('later') and __import__('package.inner') and fit"))
    assert len(set(digests)) == 1


def test_neither_the_hash_seed_nor_the_process_nor_bytecode_on_disk_makes_a_difference(project):
    project.write(**BASE)
    script = "import model; from fairness_checks.storage.code_digest import digest_of; print(digest_of([model.fit]))"
    folders = os.pathsep.join([str(project.folder), *sys.path])
    found = {
        subprocess.check_output(
            [sys.executable, "-c", script], env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": folders}, text=True
        )
        for seed in ("0", "1", "7")
    }
    assert len(found) == 1


PYDANTIC = """
    import pydantic

    class Config(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(frozen=True)
        depth: int = 3
        names: list[str] = ["a"]

        @pydantic.field_validator("depth")
        @classmethod
        def checked(cls, value):
            return value + 1 if isinstance(value, int) else value

        @property
        def twice(self):
            return 2 * self.depth

    CONFIG = Config(depth=4)

    def fit(x):
        return CONFIG.twice * x
    """


@pytest.mark.parametrize(
    "change", [("value + 1 if", "value + 2 if"), ('r("depth"', 'r("names"'), ("depth=4", "depth=5"), ("2 *", "3 *")]
)
def test_a_configuration_of_pydantic_is_the_same_in_every_process_and_seen(project, change):
    project.write(model=PYDANTIC)
    before = project.digest()
    assert isinstance(before, str)
    assert project.digest() == before  # of a class that was made anew, elsewhere in memory
    project.write(model=PYDANTIC.replace(*change))
    assert project.digest() != before


LATER = {
    "model": """
        def fit(x, name="SHIFT"):
            import later
            import package.inner
            from later import table as read
            held = (later.Kind.rate, later.Kind().go(), later.Config().depth, later.SUM, later.fresh)
            return held, read, package.inner.VALUE, later.second, later.deferred(x), getattr(later, name), later.other
        """,
    "later": """
        from dataclasses import dataclass
        import other
        SHIFT = -5
        SUM = 2 * 3 + 1.5
        table = {"a": [1, (2, None)], "b": {3}}
        class Kind:
            "What it is."
            rate: float = 1.0
            def go(self, x=1):
                return x
            @property
            def twice(self):
                return 2
            @staticmethod
            def fixed(x):
                return [y for y in x]
        class Sub(Kind):
            def go(self, x=1):
                return super().go(x)
        @dataclass(frozen=True)
        class Config:
            depth: int = 3
            names: tuple[str, ...] = ()
            def deep(self):
                return self.depth
        def deferred(x, share=0.5, *, power=(1, 2)):
            return x + SHIFT
        def second(x):
            return x
        """,
    "other": "def constant():\n    return 8\n",
    "package/__init__": "",
    "package/inner": "VALUE = 1\n",
}
ALL_LOADED = "import later, package.inner, other"
CHANGED_SINCE = {
    "a value": "later.SHIFT = 6",
    "the value of an expression": "later.SUM = 7",
    "the type of a value": "later.SHIFT = -5.0",
    "what a table holds": "later.table['a'][1] = 2",
    "an item of a table": "later.table['c'] = 1",
    "a name that the source does not bind": "later.fresh = 1",
    "a name that is gone": "del later.SUM",
    "a function": "later.deferred = later.second",
    "a default argument": "later.second.__defaults__ = (1,)",
    "another default argument": "later.deferred.__defaults__ = (0.25,)",
    "a keyword's default": "later.deferred.__kwdefaults__['power'] = 3",
    "the code of a function": "later.second.__code__ = later.Kind.fixed.__code__",
    "an attribute of a function": "later.second.rate = 1",
    "an attribute of a class": "later.Kind.rate = 2.0",
    "a new attribute of a class": "later.Kind.more = 2.0",
    "a method": "later.Kind.go = later.second",
    "a method's default": "later.Kind.go.__defaults__ = (2,)",
    "a property": "later.Kind.twice = property(later.second)",
    "a static method": "later.Kind.fixed = staticmethod(later.second)",
    "a method of a subclass": "later.Sub.go = later.second",
    "the base of a class": "later.Sub.__bases__ = (type('New', (later.Kind,), {'new': 1}),)",
    "the default of a field": "later.Config.depth = 4",
    "a method that a dataclass was given": "later.Config.deep = later.second",
    "a method that a dataclass has made": "later.Config.__init__ = later.second",
    "a module in the place of an imported one": "later.other = package",
    "a value of a submodule": "package.inner.VALUE = 2",
    "a submodule in the place of another": "package.inner = other",
}


@pytest.mark.parametrize("name", CHANGED_SINCE)
def test_a_loaded_module_that_was_changed_since_is_seen(project, name):
    project.write(**LATER)
    before = project.digest()
    assert isinstance(before, str)
    assert project.digest(f"[exec({ALL_LOADED!r}), fit][1]") == before  # nothing that the source does not say
    change = f"{ALL_LOADED}\n{CHANGED_SINCE[name]}"
    changed = project.digest(f"[exec({change!r}), fit][1]")
    assert isinstance(changed, str)
    assert changed != before
    assert project.digest(f"[exec({change!r}), fit][1]") == changed


@pytest.mark.parametrize("made", ["if True:\n    RATE = 0\n", "RATE = sum([0])\n", "RATE = 1\nRATE = 0\n"])
def test_what_only_running_a_source_would_show_is_taken_as_it_is(project, made):
    project.write(model="def fit(x):\n    from later import RATE\n    return RATE\n", later=made)
    seen = {project.digest(f"[exec('import later; later.RATE = {rate}'), fit][1]") for rate in (0, 1, 2)}
    assert len(seen) == 3


def test_a_submodule_that_something_else_has_imported_is_seen(project):
    project.write(**{name: text for name, text in LATER.items() if name.startswith("package/")})
    project.write(model="def fit(x):\n    import package\n    return package.inner.VALUE\n")
    loaded = "[exec('import package.inner'), fit][1]"
    before = project.digest(loaded)
    assert project.digest(loaded) == before
    assert project.digest("[exec('import package.inner; package.inner.VALUE = 2'), fit][1]") != before
    project.write(**{"package/inner": "VALUE = 2\n"})
    assert project.digest(loaded) != before


def test_the_attributes_of_an_object_name_nothing(project):
    """As `__doc__` does, an attribute of a vectorised function."""
    model = "import numpy as np\nmany = np.vectorize(lambda x: x)\ndef inner(x):\n    return x\n"
    model += "def fit(x):\n    return many(inner(x))\n"
    project.write(model=model)
    before = project.digest()
    project.write(model=model.replace("def inner(x):", 'def inner(x):\n    """Say."""'))
    assert project.digest() == before


def test_what_nothing_names_in_a_loaded_module_is_not_asked_for(project):
    later = textwrap.dedent(LATER["later"]) + "import threading\nLOCK = threading.Lock()\n"
    project.write(model="def fit(x):\n    import later\n    return later.SUM\n", later=later, other=LATER["other"])
    before = project.digest("[exec('import later'), fit][1]")
    assert isinstance(before, str)
    assert project.digest("[exec('import later; later.UNUSED = 1; later.LOCK.acquire()'), fit][1]") == before
    project.write(model="def fit(x):\n    import later\n    return later.LOCK\n")
    assert "`LOCK` of module later is or holds a _thread.lock" in project.digest("[exec('import later'), fit][1]")[0]


def test_a_word_alone_is_followed_and_refuses_nothing(project):
    model = 'import threading\nLOCK = threading.Lock()\nrate = 1\ndef fit(x):\n    return x["LOCK"] + x["rate"]\n'
    project.write(model=model)
    before = project.digest()
    assert isinstance(before, str)
    project.write(model=model.replace("rate = 1", "rate = 2"))
    assert project.digest() != before


def test_a_global_that_a_text_names_can_be_declared(project):
    project.write(model='import threading\nLOCK = threading.Lock()\ndef fit(x):\n    return x.run("LOCK + x")\n')
    assert "`LOCK` of module model, which a text names, is or holds a _thread.lock" in project.digest()[0]
    assert digest_of([sys.modules["model"].fit], declared=["LOCK"]).unseen == ()


DYNAMIC = {
    "import_module": 'import importlib\ndef fit(x):\n    return importlib.import_module("helper").rate(x)\n',
    "__import__": 'def fit(x):\n    return __import__("helper").rate(x)\n',
    "an imported import_module": (
        'from importlib import import_module\ndef fit(x):\n    return import_module("helper").rate(x)\n'
    ),
    "a name in a global": (
        'import importlib\nNAME = "helper"\ndef fit(x):\n    return importlib.import_module(NAME).rate(x)\n'
    ),
    "a module that is looked for": (
        'import importlib.util\ndef fit(x):\n    return importlib.util.find_spec("helper") is not None\n'
    ),
    "globals": 'import helper as h\ndef fit(x):\n    return globals()["h"].rate(x)\n',
    "eval": 'import helper\ndef fit(x):\n    return eval("helper.rate")(x)\n',
    "exec of an import": 'def fit(x):\n    exec("import helper")\n    return x\n',
    "getattr of a module": 'import helper\ndef fit(x, name="rate"):\n    return getattr(helper, name)(x)\n',
    "a module under another name": "import helper\ndef fit(x):\n    h = helper\n    return h.rate(x)\n",
    "sys.modules": 'import helper, sys\ndef fit(x):\n    return sys.modules["helper"].rate(x)\n',
    "a partial": "import functools, helper\nfit = functools.partial(helper.rate, 2)\n",
    "a method": "import helper\nclass C:\n    def m(self, x):\n        return helper.rate(x)\nfit = C().m\n",
    "a lambda": "import helper\nfit = lambda x: helper.rate(x)\n",
    "a table of functions": 'import helper\nTABLE = {"a": [helper.rate]}\ndef fit(x):\n    return TABLE["a"][0](x)\n',
    "a dispatcher": (
        "import functools, helper\n@functools.singledispatch\ndef fit(x):\n    return 0\n"
        "fit.register(int)(helper.rate)\n"
    ),
    "a replaced attribute of a library": (
        "import helper, json\njson.rate = helper.rate\ndef fit(x):\n    return json.rate(x)\n"
    ),
    "a method put into a class of a library": (
        "import helper, argparse\nclass Parser(argparse.Namespace):\n    pass\n"
        "argparse.Namespace.go = helper.rate\ndef fit(x):\n    return argparse.Namespace(x=x).go()\n"
    ),
    "beside a logger": (
        "import helper, logging\nlogger = logging.getLogger(__name__)\n"
        "def fit(x):\n    logger.info('x')\n    return helper.rate(x)\n"
    ),
    "a base class in another module": (
        "import helper\nclass C(helper.Base):\n    pass\ndef fit(x):\n    return C().go(x)\n"
    ),
    "a metaclass": (
        "import helper\nclass M(type):\n    def go(cls, x):\n        return helper.rate(x)\n"
        "class C(metaclass=M):\n    pass\ndef fit(x):\n    return C.go(x)\n"
    ),
    "a generator expression": "import helper\ndef fit(x):\n    return sum(helper.rate(y) for y in x)\n",
    "a class in a function": "def fit(x):\n    class C:\n        from helper import rate\n    return C.rate(x)\n",
    "an estimator": (
        "import helper\nfrom sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import FunctionTransformer\n"
        "PIPE = make_pipeline(FunctionTransformer(helper.rate))\ndef fit(x):\n    return PIPE.fit(x)\n"
    ),
    "a text that names it, in a configuration": (
        'CONFIG = {"_target_": "helper.rate"}\ndef fit(x):\n    return x.make(CONFIG)\n'
    ),
    "an entry point": (
        "from importlib.metadata import EntryPoint\nPOINT = EntryPoint(name='a', value='helper:rate', group='b')\n"
        "def fit(x):\n    return POINT.load()(x)\n"
    ),
    "pydoc": 'import pydoc\ndef fit(x):\n    return pydoc.locate("helper.rate")(x)\n',
    "a mutated default": (
        "import helper\ndef fit(x, given=[]):\n    return given[0](x)\nfit.__defaults__[0].append(helper.rate)\n"
    ),
}


@pytest.mark.parametrize("name", DYNAMIC)
def test_a_helper_is_found_however_it_is_reached(project, name):
    helper = "class Base:\n    def go(self, x):\n        return rate(x)\ndef rate(x):\n    return x + 1\n"
    project.write(model=DYNAMIC[name], helper=helper)
    before = project.digest()
    assert isinstance(before, str), before
    assert project.digest() == before
    project.write(helper=helper.replace("x + 1", "x + 2"))
    assert project.digest() != before


UNREADABLE = {
    "an open file": "FILE = open(__file__)\ndef fit(x):\n    return FILE.read()\n",
    "a lock": "import threading\nLOCK = threading.Lock()\ndef fit(x):\n    with LOCK:\n        return x\n",
    "a generator": "ITEMS = (n for n in range(3))\ndef fit(x):\n    return next(ITEMS)\n",
    "a connection": 'import sqlite3\nBASE = sqlite3.connect(":memory:")\ndef fit(x):\n    return BASE\n',
    "one deep inside": (
        "import threading\nclass Session:\n    def __init__(self):\n        self.inner = {'a': [threading.Lock()]}\n"
        "session = Session()\ndef fit(x):\n    return session\n"
    ),
    "one that its copies leave out": (
        "import threading\nclass Session:\n    def __init__(self):\n        self.lock = threading.Lock()\n"
        "    def __getstate__(self):\n        return {}\nsession = Session()\ndef fit(x):\n    return session\n"
    ),
    "an import from a file": (
        "from importlib.util import module_from_spec, spec_from_file_location\ndef fit(x):\n"
        "    return module_from_spec(spec_from_file_location('helper', 'helper.py'))\n"
    ),
    "a loader of files": (
        "from importlib.machinery import SourceFileLoader\ndef fit(x):\n"
        "    return SourceFileLoader('helper', 'helper.py').load_module()\n"
    ),
    "entry points": (
        "from importlib.metadata import entry_points\ndef fit(x):\n"
        "    return [e.load() for e in entry_points(group=x)]\n"
    ),
    "an import by a computed name": ("import importlib\ndef fit(x):\n    return importlib.import_module('hel' + x)\n"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_said(project, name):
    project.write(model=UNREADABLE[name])
    with_it = project.digest()
    for name in ("FILE", "BASE"):
        if (opened := getattr(sys.modules["model"], name, None)) is not None:
            opened.close()
    assert isinstance(with_it, tuple)
    assert re.search(r"global `\w+` of fit \(model\.py:\d+\) is or holds a|fit \(model\.py:\d+\) imports a", with_it[0])


@pytest.mark.parametrize(
    "moved",
    [
        "    sys.path.insert(0, 'lib')\n",
        "    import sys as s\n    s.path.insert(0, 'lib')\n",
        "    from sys import path\n    path.append('lib')\n",
        "    import site\n    site.addsitedir('lib')\n",
        "    prepare()\n",
        "    from later import ready\n",
    ],
    ids=["sys.path", "sys under another name", "path", "site", "a helper", "a module imported inside"],
)
def test_a_module_that_is_only_found_after_the_path_has_been_changed_is_said(project, moved):
    project.write(later="import sys\nsys.path.append('lib')\nready = True\n")
    model = f"import sys\ndef prepare():\n    sys.path.append('lib')\ndef fit(x):\n{moved}    import of_a_library\n"
    project.write(model=model)
    assert re.search(r"module of_a_library is only found after `sys\.path` has been changed", project.digest()[0])
    project.write(
        model="def fit(x):\n    try:\n        import of_a_library\n    except ImportError:\n        return x\n"
    )
    assert isinstance(project.digest(), str)


def test_an_object_in_the_place_of_a_module_is_seen(project):
    project.write(later="import sys\nclass Settings:\n    rate = 3\nsys.modules[__name__] = Settings()\n")
    found = set()
    for rate in (1, 2):
        project.write(
            model=f"import later\nlater.rate = {rate}\ndel later\n"
            "def fit(x):\n    import later\n    return later.rate\n"
        )
        found.add(project.digest())
    assert len(found) == 2


def test_what_is_declared_is_not_followed():
    lock = threading.Lock()

    def fit(x):
        with lock:
            return x

    assert "`lock` around" in digest_of([fit]).unseen[0]
    assert digest_of([fit], declared=["lock"]).unseen == ()
    with pytest.raises(CacheError, match=r"code_digest: `lock` around .*_thread\.lock, which cannot be read"):
        code_digest(fit)


class Colour(enum.Flag):
    RED = 1
    BLUE = 2


@dataclass
class Pair:
    first: object
    second: object


VALUES = [
    *(0, 1, True, False, 1.0, 0.0, -0.0, float("nan"), float("inf"), 1 + 0j, 2**200, -(2**200), "1", b"1", None, ...),
    *((), (1,), [1], {1}, frozenset({1}), {1: 1}, {1: 2}, {"a": 1, "b": 2}, {"b": 2, "a": 1}, ("ab", "c"), ("a", "bc")),
    *(range(3), slice(1, 2), bytearray(b"1"), Path("a"), Path("b"), re.compile("a"), re.compile("a", re.I)),
    *(Colour.RED, Colour.RED | Colour.BLUE, Pair(1, 2), Pair(1, 3), Pair([1], [1]), np.float64(1), np.int64(1)),
    *(np.array([1]), np.array([1.0]), np.array([[1]]), np.array(["a"]), np.array(["a", None], object)),
    *(np.random.default_rng(0), np.random.default_rng(1), np.random.RandomState(0), np.dtype("f4"), np.mean, np.exp),
    *(pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1.0]}), pd.DataFrame({"b": [1]}), pd.DataFrame({"a": ["1"]})),
    *(pd.DataFrame({"a": [1]}, index=[5]), pd.Series([1]), pd.Series([1], name="a"), pd.Series([1], dtype="Int64")),
    *(pd.Series(["a"], dtype="category"), pd.Series(["a"]), pd.Index([1]), pd.Timestamp("2020"), pd.NaT, pd.NA),
    *(functools.partial(int, base=2), functools.partial(int, base=3), int, len, "".join, [1, 2].append),
]


def test_a_compiled_module_of_the_project_is_read_by_its_file(tmp_path, monkeypatch):
    import _json  # of the standard library: a copy of its file stands for a project's own

    name, file = "compiled_of_a_test", tmp_path / "compiled_of_a_test.so"
    file.write_bytes(b"one")
    module = types.ModuleType(name)
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(globals(), "compiled", module)
    module.rate = _json.scanstring

    def fit(x):
        return compiled.rate(x)  # noqa: F821 - a global for as long as the test runs

    before = digest_of([fit])
    assert before.unseen == ()
    file.write_bytes(b"two")
    assert digest_of([fit]).value != before.value


def test_values_that_differ_have_digests_that_differ():
    digests = [digest_of([value]) for value in VALUES]
    assert [d.unseen for d in digests if d.unseen] == []
    same: dict[str, list[object]] = {}
    for value, digest in zip(VALUES, digests, strict=True):
        same.setdefault(digest.value, []).append(value)
    assert [values for values in same.values() if len(values) > 1] == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))),
        (np.arange(6), np.arange(12)[::2] // 2),
        (np.arange(3, dtype="<i4"), np.arange(3, dtype=">i4")),
        (pd.DataFrame({"a": [1, 2], "b": [3, 4]}), pd.DataFrame(np.array([[1, 3], [2, 4]]), columns=["a", "b"])),
        ({"alpha", "beta", "gamma"}, {"gamma", "alpha", "beta"}),
        ({(1, "a"), (2, "b"), "c"}, {"c", (2, "b"), (1, "a")}),
    ],
    ids=["order", "strides", "byte order", "blocks", "set", "set of tuples"],
)
def test_memory_layout_is_not_seen(one, other):
    assert digest_of([one]).value == digest_of([other]).value


def test_frames_of_every_kind_are_read_by_content():
    import polars as pl
    import pyarrow as pa

    for make, join in ((pl.DataFrame, pl.concat), (pa.table, pa.concat_tables)):
        whole, halves = make({"a": [1, 2], "b": ["x", None]}), []
        for position in range(2):
            halves.append(make({"a": [1, 2], "b": ["x", None]})[position : position + 1])
        chunked = join(halves, rechunk=False) if make is pl.DataFrame else join(halves)
        other = make({"a": [1, 3], "b": ["x", None]})
        assert digest_of([whole]).value == digest_of([chunked]).value != digest_of([other]).value
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["unit"] = "mmHg"
    assert digest_of([frame]).value != digest_of([pd.DataFrame({"a": [1]})]).value


def _levels(*categories):
    return pd.MultiIndex.from_arrays([pd.Categorical(["a", "b"], categories=categories), [1, 2]])


def _dates(freq):
    return pd.DatetimeIndex(["2020-01-01", "2020-01-02", "2020-01-03"], freq=freq)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (_levels("a", "b"), _levels("b", "a")),
        (_dates("D"), _dates(None)),
        (pd.Categorical(["a"], pd.Index(["a"], name="x")), pd.Categorical(["a"], pd.Index(["a"], name="y"))),
        (pd.Series([1]), pd.Series([1]).set_flags(allows_duplicate_labels=False)),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]}).set_flags(allows_duplicate_labels=False)),
    ],
    ids=["levels", "steps", "names of categories", "flags of a series", "flags of a frame"],
)
def test_what_pandas_keeps_beside_the_cells_is_seen(one, other):
    assert digest_of([one]).value != digest_of([other]).value


def test_codes_and_descriptions_of_arrow_are_seen():
    import pyarrow as pa

    coded = [pa.DictionaryArray.from_arrays(*parts) for parts in (([0, 1], ["a", "b"]), ([1, 0], ["b", "a"]))]
    assert digest_of([coded[0]]).value != digest_of([coded[1]]).value
    assert digest_of([pa.table({"a": coded[0]})]).value != digest_of([pa.table({"a": coded[1]})]).value
    halves = pa.chunked_array([coded[0][:1], coded[0][1:]])
    assert digest_of([pa.table({"a": halves})]).value == digest_of([pa.table({"a": coded[0]})]).value
    fields = [pa.field("a", pa.int64(), metadata={"unit": "m" * 9000 + end}) for end in ("g", "l")]
    tables = [pa.table([pa.array([1])], schema=pa.schema([field])) for field in fields]
    assert digest_of([tables[0]]).value != digest_of([tables[1]]).value


def test_operators_of_torch_are_known_by_name_unless_a_kernel_was_put_in_their_place():
    torch = pytest.importorskip("torch")
    one, other = torch.ops.aten.elu_backward, torch.ops.aten.hardtanh_backward
    assert digest_of([one]).unseen == ()
    assert len({digest_of([each]).value for each in (one, other, one.default)}) == 3
    assert digest_of([torch.ops.quantized.add]).unseen
    with torch.library._scoped_library("aten", "IMPL") as library:
        library.impl("elu_backward", lambda gradient, *rest: gradient, "CPU")
        assert digest_of([one]).unseen
    assert digest_of([one]).unseen == ()


def test_modules_and_tensors_of_torch_are_read_by_content():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layer = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
    before = digest_of([layer, torch.float32, torch.bfloat16, torch.zeros(2, dtype=torch.bfloat16)])
    assert before.unseen == ()
    assert "torch" in before.libraries
    again = [layer, torch.float32, torch.bfloat16, torch.zeros(2, dtype=torch.bfloat16)]
    assert digest_of(again).value == before.value
    with torch.no_grad():
        layer[0].bias[0] += 1
    changed = digest_of(again).value
    assert changed != before.value
    layer[0].bias.grad = torch.ones(3)
    assert digest_of(again).value != changed


def test_estimators_are_read_by_class_and_parameters():
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.pipeline import make_pipeline

    pipes = [
        make_pipeline(RandomForestClassifier()),
        make_pipeline(RandomForestClassifier(max_depth=3)),
        make_pipeline(GradientBoostingClassifier()),
        make_pipeline(RandomForestClassifier(max_depth=3).fit([[0], [1]], [0, 1])),
    ]
    digests = [digest_of([pipe]) for pipe in pipes]
    assert len({digest.value for digest in digests}) == 4
    assert {"scikit-learn", "numpy", "scipy", "joblib"} <= set(digests[0].libraries)
    assert digest_of([make_pipeline(RandomForestClassifier())]).value == digests[0].value


def test_cycles_end():
    ring: list[object] = [1]
    ring.append({"ring": ring})

    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    even.itself, odd.ring = even, ring
    assert digest_of([even, odd, ring]).unseen == ()
    before = digest_of([even]).value
    ring[0] = 2
    assert digest_of([even]).value != before


def test_a_structure_too_deep_is_said():
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert "nested too deeply" in digest_of([deep]).unseen[0]


def test_a_metaclass_whose_module_is_a_descriptor_is_read():
    """As Cython's are, whose shared types any compiled library may bring."""
    meta = type("Meta", (type,), {"__module__": property(lambda cls: "somewhere")})
    assert not isinstance(meta.__module__, str)
    assert code_digest(lambda: meta) == code_digest(lambda: meta)


def test_each_text_is_read_once(monkeypatch):
    """A table of codes has tens of thousands, and there are several passes."""
    from fairness_checks.storage import code_digest as module

    read = []
    monkeypatch.setattr(module, "named_in", lambda text: read.append(text) or frozenset())
    table = {f"I{code}": f"a cause of number {code}" for code in range(200)}
    digest_of([lambda: table])
    assert len(read) == len(set(read)) >= 400


def test_what_an_element_of_a_set_holds_does_not_count_for_the_others():
    """Each is digested on its own, beside all that was met before."""
    shared = ("a", frozenset(["b"]))
    held = [{"of": n} for n in range(50)]
    sets = [{shared, (1, shared), "c"}, {"c", (1, shared), shared}]
    values = [digest_of([held, each, held]).value for each in sets]
    assert values[0] == values[1] != digest_of([held, {shared, "c"}, held]).value


def test_a_part_of_a_library_that_is_loaded_when_it_is_asked_for_is_the_same_before_and_after(tmp_path):
    (tmp_path / "mine.py").write_text("import numpy as np\ndef fit(seed):\n    return np.random.default_rng(seed)\n")
    digest = "from fairness_checks.storage.code_digest import code_digest; import mine; print(code_digest(mine.fit))"
    found = {
        subprocess.check_output(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, '.'); {first}{digest}"], cwd=tmp_path
        )
        for first in ("", "import numpy.random; ", "import scipy.stats; ")
    }
    assert len(found) == 1


def test_what_torch_writes_into_a_module_that_it_compiles_makes_no_difference(project):
    project.write(model="LIMIT = 1\n\ndef fit(name):\n    return globals()[name]\n")
    before = project.digest()
    module = sys.modules["model"]
    vars(module).update({"__import_os_dot_path": os.path, "__compiled_fn_1_ab": len, "__resume_at_10_2": print})
    assert digest_of([module.fit]).value == before
    module.LIMIT = 2
    assert digest_of([module.fit]).value != before
