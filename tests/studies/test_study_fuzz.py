"""Result files of studies with any byte or field changed: what was computed, or computed anew."""

from __future__ import annotations

import json
import os
import time

import numpy as np
from damage import damaged

from snntb_adsnn.studies.study import compute

SECONDS = float(os.environ.get("ADSNN_FUZZ", "3"))
RESULT = {"accuracy": 0.5, "rates": [0.1, 2.5, 0.0], "by_layer": {"first": 1, "second": None}, "form": "exact"}


def _edited(value, random):
    """The same with one field changed, removed or added, at any depth."""
    places = []

    def walk(item):
        for key in list(item) if isinstance(item, dict) else range(len(item)):
            places.append((item, key))
            if isinstance(item[key], dict | list):
                walk(item[key])

    walk(value)
    item, key = places[random.integers(len(places))]
    kind = random.integers(3)
    if kind == 0:
        del item[key]
    elif kind == 1 and isinstance(item, dict):
        item[f"{key}2"] = item[key]
    else:
        others = [item[key] + 1 if isinstance(item[key], int | float) else 7, None, "x", [], {}, True, 1e400, -0.0]
        item[key] = others[random.integers(len(others))]
    return value


def test_points(tmp_path, capsys):
    """A point's file, one of another point, and files of any bytes."""
    items = {"a" * 24: 1, "b" * 24: 2}

    def results(_, shared, missing):
        computed.extend(missing)
        yield from ((key, {**RESULT, "item": item}) for key, item in missing.items())

    computed: list[str] = []
    expected = compute(None, None, items, tmp_path, results, title="points")
    key = next(iter(items))
    file, other = tmp_path / f"{key}.json", (tmp_path / f"{'b' * 24}.json").read_bytes()
    whole = file.read_bytes()
    end, number, kept = time.monotonic() + SECONDS, 0, 0
    while time.monotonic() < end or number < 50:
        random = np.random.default_rng([number, 3])
        data = whole
        while data == whole:
            if (draw := random.random()) < 0.5:
                data = damaged(whole, random)
            else:
                data = other if draw > 0.95 else json.dumps(_edited(json.loads(whole), random), indent=2).encode()
        file.write_bytes(data)
        computed.clear()
        assert compute(None, None, items, tmp_path, results, title="points") == expected, data
        assert computed in ([], [key])
        if not computed:  # nothing but the form of the text can have changed
            kept += 1
            assert json.loads(data) == json.loads(whole), data
        number += 1
    with capsys.disabled():
        print(f"points: {number} files, {kept} of them changed in form only")
    assert kept < number / 5
