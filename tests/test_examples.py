"""The examples in the docstrings: each does what it shows, and no public name lacks one."""

import doctest
import importlib
import inspect
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

import fer_utils

ROOT = Path(__file__).parents[1]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "fer_utils").rglob("*.py"))
    if not path.stem.startswith("__")
]
# For names that every reader has, see docs/api.rst.
GIVEN = {"fer": fer_utils, "np": np}


def examples_of(module: str) -> list[doctest.DocTest]:
    found = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module))
    return [test for test in found if test.examples]


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_the_examples_do_what_they_show(module, monkeypatch, cache_folder):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("FER_CACHE_DIR", str(cache_folder))
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    for test in examples_of(module):
        test.globs.update(GIVEN)
        runner.run(test, out=said.append)
    plt.close("all")
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


@pytest.mark.parametrize("name", fer_utils.__all__)
def test_every_public_class_and_function_has_an_example(name):
    thing = getattr(fer_utils, name)
    if inspect.isclass(thing) or inspect.isfunction(thing):
        assert ">>> " in inspect.getdoc(thing)
