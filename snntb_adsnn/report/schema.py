"""The JSON schema of ``results.json``, from the dataclass that describes it.

``docs/results.schema.json`` is this, written by ``python -m snntb_adsnn.report.schema docs/results.schema.json``.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from snntb_adsnn.files import write_json
from snntb_adsnn.report.results import Results


def schema() -> dict[str, Any]:
    """Draft 2020-12; objects hold what is described and nothing else."""
    found = TypeAdapter(Results).json_schema()
    for part in (found, *found["$defs"].values()):
        part["additionalProperties"] = False
        part["description"] = inspect.cleandoc(part["description"])
        part["properties"] = {name: _plain(entry) for name, entry in part["properties"].items()}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def _plain(entry: dict[str, Any]) -> dict[str, Any]:
    """Without the title, which repeats the name. What has a default is left out of the file where it is not known."""
    if "default" in entry:
        return next(option for option in entry["anyOf"] if option != {"type": "null"})
    return {key: value for key, value in entry.items() if key != "title"}


if __name__ == "__main__":
    write_json(Path(sys.argv[1]), schema())
