"""``measured.json``: all that tables and pictures show, small enough to stand beside them in a repository."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snntb_adsnn.errors import DataError
from snntb_adsnn.paper.measure import arousal_of

DIGITS = 6
"""Significant digits of the values of single neurons, and of every step of a run."""

_TRACES = ("accuracy_over_time", "firing_rate_over_time_hz")
_ELSEWHERE = ("operations", "versions")
"""Of a run: no table shows its operations, and the versions stand once for all runs."""
_PARTS = {"quick", "coding", "sets", "time_constants", "versions"}


def reduce(measured: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of ``measure``'s dictionary: runs lose their values of every step, except the three of each set
    that a picture shows (arousal, and both precisions alone)."""
    constants = measured["time_constants"]
    return {
        **measured,
        "coding": _rounded(measured["coding"]),
        "sets": {name: _reduced_set(entry) for name, entry in measured["sets"].items()},
        "time_constants": {**constants, "points": [_run(point) for point in constants["points"]]},
    }


def _reduced_set(entry: dict[str, Any]) -> dict[str, Any]:
    reduced = {**entry, "sweep": {**entry["sweep"], "points": [_run(point) for point in entry["sweep"]["points"]]}}
    if outcome := arousal_of(entry):
        reduced["arousal"] = {
            **entry["arousal"],
            **{name: _run(entry["arousal"][name], traces=True) for name in ("chosen", "low", "high")},
            "fixed": None if outcome.fixed is None else _run(outcome.fixed),
        }
    return reduced


def _run(figures: Mapping[str, Any], *, traces: bool = False) -> dict[str, Any]:
    kept = {key: value for key, value in figures.items() if key not in (*_TRACES, *_ELSEWHERE)}
    return {**kept, **{key: _rounded(figures[key]) for key in _TRACES}} if traces else kept


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def as_text(measured: Mapping[str, Any]) -> str:
    """Indented JSON, with each list of numbers on one line."""
    text = json.dumps(measured, indent=1, ensure_ascii=False)
    # strings have no line breaks in JSON, so only what ``indent`` added is taken away
    return re.sub(r"\[[\s\d.,eE+-]*\]", lambda found: re.sub(r"\n\s*", "", found[0]), text) + "\n"


def read(file: Path) -> dict[str, Any]:
    """What an earlier run wrote.

    Raises:
        DataError: the file is not there, or was not written by ``as_text``.
    """
    try:
        measured = json.loads(file.read_bytes())
    except OSError as error:
        raise DataError(
            f"{file}: cannot be read ({error.strerror}); give the measured.json of an earlier run."
        ) from error
    except (ValueError, RecursionError):
        raise DataError(f"{file}: is no JSON; give the measured.json of an earlier run.") from None
    if not isinstance(measured, dict) or set(measured) != _PARTS:
        raise DataError(f"{file}: is not the measured.json that snntb-adsnn paper writes.")
    return measured
