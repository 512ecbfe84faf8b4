"""What a study of arousal leaves behind: table, ``arousal.csv``, ``arousal.json`` and pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from snntb_adsnn.files import atomic_write, optional_picture, write_json
from snntb_adsnn.report.outcomes import ArousalOutcome
from snntb_adsnn.report.sweeps import as_csv

COLUMNS = (
    *("run", "m_f", "m_f_low", "m_f_high", "waiting_time_ms", "accumulation_time_ms", "quantile", "threshold"),
    *("selectivity", "wrong_switched", "snn_accuracy", "firing_rate_hz", "matching_time_ms", "accuracy_sd"),
    *("spikes_per_neuron_at_mt", "synaptic_operations_per_image"),
)
"""Columns of ``arousal.csv``: the runs on the test images, then every choice on the training images."""

HOLDS = 0.9
"""Share of the variance that a fitted law must explain."""


def write_arousal(outcome: ArousalOutcome, folder: Path, *, plots: bool = True) -> None:
    """Write ``arousal.csv``, ``arousal.json`` and the pictures into ``folder``.

    Raises:
        OutputError: a file cannot be written.
    """
    rows = [{**run, "run": name} for name, run in outcome.runs.items()]
    rows += [{**trial, "run": "training images"} for trial in outcome.trials]
    atomic_write(folder / "arousal.csv", as_csv(rows, COLUMNS))
    write_json(folder / "arousal.json", {**dataclasses.asdict(outcome), "pays": outcome.pays})
    if plots:
        with optional_picture(f"arousal.png or thresholds.png in {folder}"):
            from snntb_adsnn.report import study_plots  # matplotlib is slow to import

            study_plots.save(study_plots.transient(outcome), folder / "arousal.png")
            if outcome.laws:
                study_plots.save(study_plots.laws(outcome.laws), folder / "thresholds.png")


def print_arousal(outcome: ArousalOutcome, console: Console | None = None) -> None:
    """Print arousal beside what it must beat, the laws, and a verdict."""
    console = console or Console()
    chosen, high = outcome.chosen, outcome.high
    table = Table(
        title=f"Arousal: {high['num_images']} test images, ANN {outcome.ann_accuracy:.2%}, m_f {chosen['m_f_low']} to "
        f"{chosen['m_f_high']}",
        title_justify="left",
    )
    table.add_column("", no_wrap=True)
    for name in ("Sel.", "AdSNN", "95 %", "FR Hz", "of high", "MT ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, run in outcome.runs.items():
        share = f"{run['selectivity']:.1%}" if "selectivity" in run else ""
        table.add_row(name, share, *_figures(run, high), style="bold" if run is chosen else None)
    console.print(table)
    say = partial(console.print, highlight=False)
    say("Sel.: Selectivity, share of images that switched. Fixed: one precision that spikes as much. Random: as many")
    say("images switch, drawn at random.")
    how = "given" if not outcome.calibration_images else f"chosen on {outcome.calibration_images} training images"
    quantile = "" if chosen["quantile"] is None else f" ({chosen['quantile']:g} of the mistakes switch)"
    say(
        f"Settings, {how}: waiting {chosen['waiting_time_ms']:g} ms, accumulating {chosen['accumulation_time_ms']:g} "
        f"ms, threshold {chosen['threshold']:.3f}{quantile}."
    )
    if outcome.laws:
        for sentence in law_sentences(outcome.laws):
            say(sentence)
    say(verdict(outcome))


def law_sentences(laws: Mapping[str, Any]) -> list[str]:
    """The paper's two laws, and whether they hold here."""
    line, decay = laws["threshold_line"], laws["selectivity_exponential"]

    def holds(r2: float) -> str:
        return f"{'holds' if r2 >= HOLDS else 'does not hold'} (R2 {r2:.2f})"

    return [
        f"Law of the threshold, a line of the accumulation time: {holds(line['r2'])}, {line['slope_per_ms']:+.4f} per "
        "ms.",
        f"Law of the Selectivity, an exponential of it: {holds(decay['r2'])}, {100 * decay['rate_per_ms']:+.2f} % per "
        "ms.",
    ]


def _figures(run: Mapping[str, Any], high: Mapping[str, Any]) -> list[str]:
    return [
        f"{run['snn_accuracy']:.2%}",
        "{:.2f} to {:.2f}".format(*(100 * bound for bound in run["accuracy_interval"])),
        f"{run['firing_rate_hz']:.2f}",
        f"{run['firing_rate_hz'] / high['firing_rate_hz']:.2f}" if high["firing_rate_hz"] else "",
        f"{run['matching_time_ms']:g}" if "matching_time_ms" in run else "",
    ]


def verdict(outcome: ArousalOutcome) -> str:
    """Whether arousal pays, in a sentence."""
    best = outcome.best
    equal = f"(at most {outcome.tolerance:g} points below it)"
    if best is None:
        return f"Arousal is less accurate than the high precision {equal}; give larger quantiles, or a lower m_f_low."
    if not outcome.high["firing_rate_hz"]:
        return "The network fires no spike at the high precision, so no rates can be compared."
    share = best["firing_rate_hz"] / outcome.high["firing_rate_hz"]
    if not outcome.pays:
        return (
            f"The low precision alone is as accurate as the high one {equal}, so there is nothing for arousal to gain."
        )
    return f"As accurate as the high precision {equal} at {share:.2f} of its firing rate; the low precision is not."
