"""Runs the light cases of a file in a process that cannot import TensorFlow: ``python light.py NAME FOLDER``.

Prints ``{name: [what is wrong, ...]}`` as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import catalogue
import catalogue_data
import catalogue_files
import catalogue_keras
import catalogue_models

MAKERS = (catalogue_data, catalogue_files, catalogue_keras, catalogue_models)  # their makers are registered
HEAVY = ("tensorflow", "tf_keras")


class _Refused:
    """Finds the heavy packages, and says that they were wanted too early."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in HEAVY:
            raise RuntimeError(f"{name} was imported before the mistake was found")


def main(name: str, folder: str) -> None:
    sys.meta_path.insert(0, _Refused())
    wrong = {}
    for number, case in enumerate(catalogue.cases(name, light=True)):
        place = Path(folder) / str(number)
        catalogue.set_up(case, place)
        wrong[case.name] = catalogue.judge(case, catalogue.run(case, place), place)
    json.dump(wrong, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
