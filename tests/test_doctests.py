"""The examples in docstrings are true."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [
    file.relative_to(root).with_suffix("")
    for root in (ROOT, ROOT / "hls")
    for package in ("snntb_adsnn", "adsnn_hls")
    for file in sorted((root / package).rglob("*.py"))
    if ">>> " in file.read_text()
]
MODULES = [".".join(file.parts).removesuffix(".__init__") for file in FILES]


def test_there_are_examples():
    assert {
        "snntb_adsnn.neuron.transfer",
        "snntb_adsnn.engine",
        "snntb_adsnn.record",
        "adsnn_hls.arithmetic.types",
    } <= {*MODULES}


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name):
    found = doctest.testmod(import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
