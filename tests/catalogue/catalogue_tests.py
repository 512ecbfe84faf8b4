"""Two tests for a file of cases: the light ones, all in one process without TensorFlow, and the others, here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import catalogue
import catalogue_data
import catalogue_files
import catalogue_keras
import catalogue_models
import pytest

MAKERS = (catalogue_data, catalogue_files, catalogue_keras, catalogue_models)  # their makers are registered


def both(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The tests of the light cases and of the others in ``NAME.toml``."""
    light, others = catalogue.cases(name, light=True), catalogue.cases(name, light=False)

    @cache
    def outcomes(folder: Path) -> dict[str, list[str]] | str:
        """What is wrong with each case; the error, if the process ends with one: it is not started again for each."""
        words = [sys.executable, str(catalogue.FOLDER / "light.py"), name, str(folder)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=500)
        return done.stderr if done.returncode else json.loads(done.stdout.splitlines()[-1])

    @pytest.mark.parametrize("case", [case.name for case in light])
    def test_light(case, tmp_path_factory):
        found = outcomes(tmp_path_factory.getbasetemp() / f"catalogue-{name}")
        assert isinstance(found, dict), found
        wrong = found[case]
        assert not wrong, "\n".join([case, *wrong])

    @pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in others])
    def test_others(case, tmp_path):
        catalogue.set_up(case, tmp_path)
        wrong = catalogue.judge(case, catalogue.run(case, tmp_path), tmp_path)
        assert not wrong, "\n".join([case.name, *wrong])

    return test_light, test_others
