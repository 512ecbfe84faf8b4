"""Pictures of sweeps and of arousal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from snntb_adsnn.files import atomic_path
from snntb_adsnn.report.axes import logarithmic, subplots
from snntb_adsnn.report.outcomes import ArousalOutcome, SweepOutcome

_SERIES = ("tau_eta", "tau_beta", "form", "duration_ms")


def save(figure: Figure, file: Path) -> Path:
    """Write ``figure`` to ``file`` and forget it; returns the file."""
    with atomic_path(file) as path:
        figure.savefig(path, dpi=120)
    plt.close(figure)
    return file


def accuracy_against_rate(outcome: SweepOutcome) -> Figure:
    """One line for each choice of the other constants, along m_f; the two operating points are marked."""
    varied = [key for key in _SERIES if len({str(p[key]) for p in outcome.points}) > 1]
    series: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for point in outcome.points:
        series[", ".join(f"{key.removesuffix('_ms')} {point[key]}" for key in varied)].append(point)
    with subplots(size=(7, 4.5)) as (figure, axes):
        for label, points in series.items():
            points.sort(key=lambda p: p["firing_rate_hz"])
            rates = [p["firing_rate_hz"] for p in points]
            axes.plot(rates, [100 * p["snn_accuracy"] for p in points], "o-", ms=4, label=label or "AdSNN")
            if len(series) == 1:
                for p, rate in zip(points, rates, strict=True):
                    axes.annotate(f"{p['m_f']:g}", (rate, 100 * p["snn_accuracy"]), (0, -12), fontsize=7,
                                  textcoords="offset points", ha="center", color="0.4")  # fmt: skip
        ann = 100 * outcome.ann_accuracy
        axes.axhline(ann, color="0.3", ls="--", label=f"ANN: {ann:.2f} %")
        axes.axhspan(ann - outcome.tolerance, ann, color="0.85", label=f"matches (within {outcome.tolerance:g} points)")
        for name, marker, chosen in (
            ("smallest matching rate", "s", outcome.matching),
            ("low rate", "D", outcome.low_rate),
        ):
            if chosen is not None:
                axes.plot(chosen["firing_rate_hz"], 100 * chosen["snn_accuracy"], marker, mfc="none", mec="C3", ms=11,
                          label=f"{name}: {chosen['firing_rate_hz']:.1f} Hz", ls="")  # fmt: skip
        best = max(100 * max(p["snn_accuracy"] for p in outcome.points), ann)
        lowest = min(100 * min(p["snn_accuracy"] for p in outcome.points), ann)
        axes.set_ylim(max(lowest, best - 12) - 0.6, best + 0.5)
        axes.set_xscale("log")
        logarithmic(axes.xaxis)
        images = outcome.points[0]["num_images"]
        axes.set(
            xlabel="firing rate (spikes per neuron per second)",
            ylabel="accuracy (%)",
            title=f"Accuracy against firing rate, {images} images" + "; numbers: m_f" * (len(series) == 1),
        )
        axes.legend(fontsize="small")
    return figure


def transient(outcome: ArousalOutcome) -> Figure:
    """Accuracy and firing rate of every step: low precision, high precision, and arousal between them."""
    trial = outcome.chosen
    runs = (
        (f"low precision, m_f {trial['m_f_low']}", outcome.low, "C0"),
        (f"high precision, m_f {trial['m_f_high']}", outcome.high, "C1"),
        (f"arousal, {trial['selectivity']:.1%} switched", trial, "C3"),
    )
    with subplots(2, size=(7, 6), sharex=True) as (figure, (top, bottom)):
        for label, run, color in runs:
            accuracy = 100 * np.array(run["accuracy_over_time"])
            time = run["dt_ms"] * np.arange(1, len(accuracy) + 1)
            top.plot(time, accuracy, color=color, label=f"{label}: {accuracy[-1]:.2f} %")
            rate = _smoothed(np.array(run["firing_rate_over_time_hz"]), round(10 / run["dt_ms"]))
            bottom.plot(time, rate, color=color, label=f"{label}: {run['firing_rate_hz']:.1f} Hz")
        start = trial["waiting_time_ms"]
        for axes in (top, bottom):
            axes.axvspan(start, start + trial["accumulation_time_ms"], color="0.9", label="accumulation time")
            axes.legend(fontsize="small")
        highest = 100 * max(max(run["accuracy_over_time"]) for _, run, _ in runs)
        top.set(ylabel="accuracy (%)", ylim=(highest - 12, highest + 1), title="Arousal")
        later = max(max(run["firing_rate_over_time_hz"][len(accuracy) // 4 :]) for _, run, _ in runs)
        bottom.set(xlabel="time (ms)", ylabel="firing rate (Hz), means of 10 ms", ylim=(0, 2 * later), xlim=(0, None))
    return figure


def _smoothed(values: np.ndarray[Any, Any], width: int) -> np.ndarray[Any, Any]:
    """Running mean over the last ``width`` values, fewer at the start."""
    total = np.concatenate([np.zeros(max(width, 1)), np.cumsum(values)])
    counts = np.minimum(np.arange(1, len(values) + 1), max(width, 1))
    return (total[max(width, 1) :] - total[: len(values)]) / counts


def laws(found: Mapping[str, Any]) -> Figure:
    """Threshold and Selectivity against the accumulation time, with the fitted laws."""
    times = np.array([point["accumulation_time_ms"] for point in found["points"]])
    line, decay = found["threshold_line"], found["selectivity_exponential"]
    x = np.linspace(0, times.max(), 100)
    with subplots(1, 2, size=(9, 4)) as (figure, (left, right)):
        left.plot(times, [point["threshold"] for point in found["points"]], "o", ms=4, color="C0", label="measured")
        left.plot(x, line["intercept"] + line["slope_per_ms"] * x, color="C3", label=f"line, R2 {line['r2']:.2f}")
        right.plot(times, [100 * point["selectivity"] for point in found["points"]], "o", ms=4, color="C0")
        curve = 100 * decay["at_0"] * np.exp(decay["rate_per_ms"] * x)
        right.plot(x, curve, color="C3", label=f"exponential, R2 {decay['r2']:.2f}")
        left.set(xlabel="accumulation time (ms)", ylabel="threshold (difference of the two highest outputs)")
        right.set(xlabel="accumulation time (ms)", ylabel="Selectivity (% of training images)")
        left.set_title(f"waiting {found['waiting_time_ms']:g} ms, {found['quantile']:g} of the mistakes")
        for axes in (left, right):
            axes.set_ylim(0, 1.1 * max(max(line.get_ydata()) for line in axes.lines))
            axes.legend(fontsize="small")
    return figure
