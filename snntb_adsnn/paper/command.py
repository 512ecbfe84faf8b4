"""The command ``snntb-adsnn paper``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from snntb_adsnn.config import load_config
from snntb_adsnn.files import atomic_write, write_json
from snntb_adsnn.paper import figures, page
from snntb_adsnn.paper.measure import arousal_of, find_configs, measure
from snntb_adsnn.report import study_plots

SETS = ("digits", "iris", "sonar", "mnist")
QUICK_SETS = ("digits", "iris", "sonar")
"""Shipped nets of a quick run: their data need no download."""

_FIGURES: Mapping[str, Callable[[Mapping[str, Any]], Figure]] = {
    "coding_example": figures.coding_example,
    "precision": figures.precision_at_equal_transfer,
    "accuracy_m_f": figures.accuracy_against_m_f,
    "accuracy_rate": figures.accuracy_against_rate,
    "time_constants": figures.time_constants,
}


def run(configs: Sequence[Path] = (), *, quick: bool = False, output: Path, docs: Path | None = None) -> Path:
    """Measure, draw and write everything; returns the HTML page.

    Args:
        configs: configuration files of the nets; default: the shipped ones.
        quick: few images and points.
        output: folder of ``measured.json``, pictures, ``paper.html`` and ``results.md``.
        docs: folder that gets ``results.md`` too, with its pictures in ``results``.

    Raises:
        AdSNNError: a configuration, its data, or a folder cannot be used.
    """
    files = list(configs) or find_configs(QUICK_SETS if quick else SETS)
    loaded = [load_config(file) for file in files]
    for config in loaded:
        config.need_training()
    write_json(output / "measured.json", measure(loaded, quick=quick))
    measured = json.loads((output / "measured.json").read_bytes())
    content = page.sections(measured, draw(measured, output))
    atomic_write(output / "results.md", page.write_markdown(measured, content, output))
    if docs is not None:
        content_of_docs = page.sections(measured, draw(measured, docs / "results"))
        atomic_write(docs / "results.md", page.write_markdown(measured, content_of_docs, docs))
    written = atomic_write(output / "paper.html", page.write_html(measured, content))
    print(f"\nThe page: {written}")
    return written


def draw(measured: dict[str, Any], folder: Path) -> dict[str, Path]:
    """Draw every figure into ``folder``; returns the files by name."""
    drawn = {name: study_plots.save(figure(measured), folder / f"{name}.png") for name, figure in _FIGURES.items()}
    for name, entry in measured["sets"].items():
        if outcome := arousal_of(entry):
            for kind, figure in (
                ("arousal", study_plots.transient(outcome)),
                ("thresholds", study_plots.threshold_against_accumulation(outcome)),
            ):
                drawn[f"{kind}_{name}"] = study_plots.save(figure, folder / f"{kind}_{name}.png")
    return drawn
