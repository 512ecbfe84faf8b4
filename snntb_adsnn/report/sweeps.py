"""What a sweep leaves behind: table, ``sweep.csv``, ``sweep.json``, and accuracy against firing rate."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from snntb_adsnn.files import atomic_write, optional_picture, write_json
from snntb_adsnn.report.outcomes import SweepOutcome

GRID = ("m_f", "tau_eta", "tau_beta", "form", "duration_ms")
FIGURES = (
    "snn_accuracy",
    "agreement_with_ann",
    "firing_rate_hz",
    "matching_time_ms",
    "accuracy_sd",
    "spikes_per_neuron_at_mt",
    "synaptic_operations_per_image",
    "transfer_change",
)
"""Columns of ``sweep.csv``."""
CHANGED = 1e-9
"""Change of the transfer function from which on a point says so."""


def write_sweep(outcome: SweepOutcome, folder: Path, *, plots: bool = True) -> None:
    """Write ``sweep.csv``, ``sweep.json`` and ``sweep.png`` into ``folder``.

    Raises:
        OutputError: a file cannot be written.
    """
    atomic_write(folder / "sweep.csv", as_csv(outcome.points, [*GRID, *FIGURES]))
    write_json(
        folder / "sweep.json",
        {
            "ann_accuracy": outcome.ann_accuracy,
            "tolerance_points": outcome.tolerance,
            "low_rate_loss_points": outcome.low_rate_allowed,
            "smallest_matching": outcome.matching,
            "low_rate": outcome.low_rate,
            "points": outcome.points,
        },
    )
    if plots:
        with optional_picture(folder / "sweep.png"):
            from snntb_adsnn.report.study_plots import accuracy_against_rate, save  # matplotlib is slow to import

            save(accuracy_against_rate(outcome), folder / "sweep.png")


def as_csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Some ``columns`` of ``rows``, with a header."""
    text = io.StringIO()
    table = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def print_sweep(outcome: SweepOutcome, console: Console | None = None) -> None:
    """Print one row a point, the two operating points, and what changed the transfer function."""
    console = console or Console()
    images = outcome.points[0]["num_images"]
    table = Table(title=f"Sweep: {images} images, ANN {outcome.ann_accuracy:.2%}", title_justify="left")
    varied = [key for key in GRID if key == "m_f" or len({str(p[key]) for p in outcome.points}) > 1]
    for name in (*varied, "AdSNN", "FR (Hz)", "MT (ms)", "SD", "spikes at MT", "change of f"):
        table.add_column(name.removesuffix("_ms"), justify="right")
    for point in outcome.points:
        marks = " =" * (point is outcome.matching) + " *" * (point is outcome.low_rate)
        table.add_row(*(_short(point[key]) for key in varied), *_figures(point), style="bold" if marks else None)
    console.print(table)
    for name, chosen, loss in (
        ("Smallest firing rate that matches the ANN", outcome.matching, outcome.tolerance),
        ("Low-rate operating point", outcome.low_rate, outcome.low_rate_allowed),
    ):
        console.print(
            f"{name} (at most {loss:.3g} points below it): {_operating_point(chosen, varied)}", highlight=False
        )
    if any(key in varied for key in ("tau_eta", "tau_beta", "form")):
        console.print(
            "Where tau_eta, tau_beta or form are not the trained ones, the neurons' transfer function f is another, "
            "and the AdSNN another network than the ANN. Change of f: its mean over inputs of 0 to 1.5, where f(1) = 1."
        )


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _figures(point: Mapping[str, Any]) -> list[str]:
    changed = point["transfer_change"]
    return [
        f"{point['snn_accuracy']:.2%}",
        f"{point['firing_rate_hz']:.2f}",
        f"{point['matching_time_ms']:g}",
        f"{100 * point['accuracy_sd']:.2f} %",
        f"{point['spikes_per_neuron_at_mt']:.3f}",
        f"{changed:.3f}" if changed > CHANGED else "",
    ]


def _operating_point(point: Mapping[str, Any] | None, varied: list[str]) -> str:
    if point is None:
        return "none in this grid; add smaller m_f, or longer durations."
    accuracy, rate, time, deviation, spikes, _ = _figures(point)
    where = ", ".join(f"{key.removesuffix('_ms')} = {_short(point[key])}" for key in varied)
    return f"{where}: {accuracy} at {rate} Hz, MT {time} ms, SD {deviation}, {spikes} spikes per neuron until MT"
