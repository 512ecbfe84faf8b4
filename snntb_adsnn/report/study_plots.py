"""Pictures of studies: accuracy against firing rate."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import matplotlib

matplotlib.use("Agg")  # files only; must come before pyplot

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from snntb_adsnn.sweep import Outcome

close = plt.close

_SERIES = ("tau_eta", "tau_beta", "form", "duration_ms")


def accuracy_against_rate(outcome: Outcome) -> Figure:
    """One line for each choice of the other constants, along m_f; the two operating points are marked."""
    varied = [key for key in _SERIES if len({p[key] for p in outcome.points}) > 1]
    series: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for point in outcome.points:
        series[", ".join(f"{key.removesuffix('_ms')} {point[key]}" for key in varied)].append(point)
    with plt.style.context("default"):  # SNN Toolbox sets large fonts for its own plots
        figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
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
        axes.xaxis.set_major_formatter("{x:g}")
        images = outcome.points[0]["num_images"]
        axes.set(
            xlabel="firing rate (spikes per neuron per second)",
            ylabel="accuracy (%)",
            title=f"Accuracy against firing rate, {images} images" + "; numbers: m_f" * (len(series) == 1),
        )
        axes.legend(fontsize="small")
    return figure
