"""Every example in a docstring of the package is run."""

import doctest
import importlib
import pkgutil

import pytest

import fairness_checks

MODULES = [module.name for module in pkgutil.walk_packages(fairness_checks.__path__, "fairness_checks.")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name):
    assert doctest.testmod(importlib.import_module(name), raise_on_error=False).failed == 0


def test_examples_are_found():
    finder = doctest.DocTestFinder(exclude_empty=True)
    examples = sum(len(t.examples) for name in MODULES for t in finder.find(importlib.import_module(name)))
    assert examples > 30
