"""What a study of arousal leaves behind: table, ``arousal.csv``, ``arousal.json`` and pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from snntb_adsnn.files import atomic_write, optional_picture, write_json
from snntb_adsnn.report.outcomes import ArousalOutcome
from snntb_adsnn.report.sweeps import as_csv

COLUMNS = (
    *("m_f_low", "m_f_high", "waiting_time_ms", "accumulation_time_ms", "quantile", "threshold"),
    *("selectivity", "wrong_switched", "snn_accuracy", "firing_rate_hz", "matching_time_ms", "accuracy_sd"),
    *("spikes_per_neuron_at_mt", "synaptic_operations_per_image"),
)
"""Columns of ``arousal.csv``; the two precisions alone are its first rows."""


def write_arousal(outcome: ArousalOutcome, folder: Path, *, plots: bool = True) -> None:
    """Write ``arousal.csv``, ``arousal.json`` and the pictures into ``folder``.

    Raises:
        OutputError: a file cannot be written.
    """
    fixed = [
        {**outcome.low, "m_f_low": outcome.low["m_f"], "selectivity": 0.0},
        {**outcome.high, "m_f_high": outcome.high["m_f"], "selectivity": 1.0},
    ]
    atomic_write(folder / "arousal.csv", as_csv([*fixed, *outcome.trials], COLUMNS))
    write_json(folder / "arousal.json", {**dataclasses.asdict(outcome), "best": outcome.best})
    if plots:
        with optional_picture(f"arousal.png or thresholds.png in {folder}"):
            from snntb_adsnn.report import study_plots  # matplotlib is slow to import

            study_plots.save(study_plots.transient(outcome), folder / "arousal.png")
            study_plots.save(study_plots.threshold_against_accumulation(outcome), folder / "thresholds.png")


def print_arousal(outcome: ArousalOutcome, console: Console | None = None) -> None:
    """Print the two precisions alone, one row for each choice, and the choice of the smallest rate."""
    console = console or Console()
    high = outcome.high
    table = Table(
        title=f"Arousal: {high['num_images']} images, ANN {outcome.ann_accuracy:.2%}, m_f {outcome.low['m_f']:g} to "
        f"{high['m_f']:g}",
        title_justify="left",
    )
    for name in ("window ms", "quant.", "thresh.", "Sel.", "AdSNN", "FR Hz", "of high", "MT ms"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row("low", "", "", "0.0%", *_figures(outcome.low, high))
    table.add_row("high", "", "", "100.0%", *_figures(high, high))
    for trial in outcome.trials:
        table.add_row(
            f"{trial['waiting_time_ms']:g} + {trial['accumulation_time_ms']:g}",
            "given" if trial["quantile"] is None else f"{trial['quantile']:g}",
            f"{trial['threshold']:.3f}",
            f"{trial['selectivity']:.1%}",
            *_figures(trial, high),
            style="bold" if trial is outcome.best else None,
        )
    console.print(table)
    console.print(
        "Window: waiting + accumulation time. Sel.: Selectivity, share of images that switched.", highlight=False
    )
    if outcome.calibration_images:
        console.print(
            f"Thresholds: from {outcome.mistakes} mistakes of the low precision on {outcome.calibration_images} "
            "training images.",
            highlight=False,
        )
    console.print(_verdict(outcome), highlight=False)


def _figures(run: Mapping[str, Any], high: Mapping[str, Any]) -> list[str]:
    return [
        f"{run['snn_accuracy']:.2%}",
        f"{run['firing_rate_hz']:.2f}",
        f"{run['firing_rate_hz'] / high['firing_rate_hz']:.2f}" if high["firing_rate_hz"] else "",
        f"{run['matching_time_ms']:g}",
    ]


def _verdict(outcome: ArousalOutcome) -> str:
    best = outcome.best
    equal = f"(at most {outcome.tolerance:g} points below it)"
    if best is None:
        return f"No choice is as accurate as the high precision {equal}; raise quantile, or lower m_f_low."
    if not outcome.high["firing_rate_hz"]:
        return "The network fires no spike at the high precision, so no rates can be compared."
    share = best["firing_rate_hz"] / outcome.high["firing_rate_hz"]
    return (
        f"As accurate as the high precision {equal} at {share:.2f} of its firing rate: waiting "
        f"{best['waiting_time_ms']:g} ms, accumulating {best['accumulation_time_ms']:g} ms."
    )
