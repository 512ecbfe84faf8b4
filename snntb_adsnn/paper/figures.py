"""The paper's figures, from what ``measure`` returned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snntb_adsnn.paper.measure import arousal_of
from snntb_adsnn.report.axes import logarithmic, subplots

PAPER_RATES = (24.0, 68.0)
"""Average firing rates at which the paper's AdSNNs match their ANNs, Hz."""


def coding_example(measured: Mapping[str, Any]) -> Figure:
    """1a: potential, refractory response, threshold and spikes of one neuron, and what is decoded from the spikes."""
    run = measured["coding"]["example"]
    time = np.arange(1, len(run["S"]) + 1)
    with subplots(2, 1, size=(8, 5.2)) as (figure, (top, bottom)):
        top.plot(time, run["S"], color="C0", label="potential S")
        top.plot(time, run["S_hat"], color="C1", lw=1, label="refractory response S_hat")
        top.plot(time, run["theta"], color="0.5", lw=1, label="threshold theta")
        top.plot(time[run["spikes"]], np.full(len(run["spikes"]), -0.15), "|", color="k", ms=8, label="spikes")
        top.set(title=f"One neuron, m_f = {run['m_f']:g}: {len(run['spikes'])} spikes", xlim=(0, time[-1]))
        top.legend(fontsize="small", ncols=4, loc="upper right")
        top.set_ylim(top=2.3)
        bottom.plot(time, run["encoded"], color="0.3", ls="--", label="transfer function of the input, f(S)")
        bottom.plot(time, run["decoded"], color="C3", lw=1, label="decoded from the spikes")
        bottom.set(xlabel="time (ms)", ylabel="encoded value", xlim=(0, time[-1]), ylim=(-0.1, 2.1))
        bottom.legend(fontsize="small", loc="upper right")
    return figure


def precision_at_equal_transfer(measured: Mapping[str, Any]) -> Figure:
    """1b and 1c: at every m_f the same transfer; rate and precision differ."""
    with subplots(1, 3, size=(12, 3.8)) as (figure, (transfer, rate, deviation)):
        for number, run in enumerate(measured["coding"]["precision"]):
            color = f"C{number}"
            transfer.plot(run["S"], run["transfer"], color=color, lw=1)
            transfer.plot(run["S"][::4], run["mean"][::4], ".", color=color, label=f"m_f = {run['m_f']:g}")
            rate.plot(run["S"], run["rate_hz"], color=color)
            deviation.plot(run["S"], run["sd"], color=color)
        transfer.set(xlabel="input S", ylabel="encoded value", title="transfer: f(S), and decoded means (dots)")
        rate.set(xlabel="input S", ylabel="firing rate (Hz)", title="1b: firing rate", ylim=(0, 350))
        deviation.set(
            xlabel="input S", ylabel="standard deviation", title="1c: precision of the decoded signal", ylim=(0, 0.3)
        )
        transfer.legend(fontsize="small")
    return figure


def accuracy_against_m_f(measured: Mapping[str, Any]) -> Figure:
    """3a: accuracy below the ANN's, and firing rate, against m_f."""
    with subplots(1, 2, size=(10, 4)) as (figure, (loss, rate)):
        for name, entry in measured["sets"].items():
            points = sorted(entry["sweep"]["points"], key=lambda point: point["m_f"])
            m_f = [point["m_f"] for point in points]
            ann = entry["sweep"]["ann_accuracy"]
            loss.plot(m_f, [100 * (point["snn_accuracy"] - ann) for point in points], "o-", ms=4, label=name)
            rate.plot(m_f, [point["firing_rate_hz"] for point in points], "o-", ms=4, label=name)
        loss.axhline(0, color="0.3", ls="--", lw=1)
        loss.set(ylabel="AdSNN - ANN (percentage points)", title="3a: accuracy")
        rate.axhspan(*PAPER_RATES, color="0.9", label="paper's matching rates")
        rate.set(ylabel="firing rate (Hz)", title="firing rate", yscale="log")
        logarithmic(rate.yaxis)
        for axes in (loss, rate):
            axes.set(xlabel="m_f", xscale="log")
            logarithmic(axes.xaxis)
            axes.legend(fontsize="small")
    return figure


def accuracy_against_rate(measured: Mapping[str, Any]) -> Figure:
    """The front of every data set: accuracy against firing rate of all its nets, and arousal."""
    by_dataset: dict[str, list[str]] = {}
    for name, entry in measured["sets"].items():
        by_dataset.setdefault(entry["dataset"], []).append(name)
    columns = min(2, len(by_dataset))
    rows = -(-len(by_dataset) // columns)
    with subplots(rows, columns, size=(4.5 * columns, 3.6 * rows)) as (figure, all_axes):
        for spare in np.ravel(all_axes)[len(by_dataset) :]:
            spare.remove()
        for axes, (dataset, names) in zip(np.ravel(all_axes), by_dataset.items(), strict=False):
            for number, name in enumerate(names):
                _front(axes, name, measured["sets"][name], f"C{number}")
            axes.axvspan(*PAPER_RATES, color="0.92", label="paper's matching rates", zorder=0)
            axes.set(xlabel="firing rate (Hz)", ylabel="accuracy (%)", title=dataset, xscale="log")
            logarithmic(axes.xaxis)
            axes.legend(fontsize="x-small")
    return figure


def _front(axes: Axes, name: str, entry: Mapping[str, Any], color: str) -> None:
    points = sorted(entry["sweep"]["points"], key=lambda point: point["firing_rate_hz"])
    accuracy = [100 * point["snn_accuracy"] for point in points]
    axes.plot([point["firing_rate_hz"] for point in points], accuracy, "o-", ms=3.5, color=color, label=name)
    axes.axhline(100 * entry["sweep"]["ann_accuracy"], color=color, ls=":", lw=1)
    if outcome := arousal_of(dict(entry)):
        rate, reached = outcome.chosen["firing_rate_hz"], 100 * outcome.chosen["snn_accuracy"]
        axes.plot([rate], [reached], "x", color=color, ms=6, label=f"{name}, arousal")
    top = max(*accuracy, 100 * entry["sweep"]["ann_accuracy"])
    lines = [y for line in axes.lines for y in np.asarray(line.get_ydata(), float)]
    best = max(top, *lines)  # of all nets of this data set
    axes.set_ylim(max(min(lines) - 0.3, best - 12), best + 0.3)


def time_constants(measured: Mapping[str, Any]) -> Figure:
    """SI 1: matching time, firing rate and accuracy against tau_eta = tau_beta."""
    points = measured["time_constants"]["points"]
    tau = [point["tau_eta"] for point in points]
    columns = (
        ("SI 1a: latency", "matching time (ms)", "matching_time_ms", 1),
        ("SI 1b: firing rate", "firing rate (Hz)", "firing_rate_hz", 1),
        ("accuracy", "accuracy (%)", "snn_accuracy", 100),
    )
    with subplots(1, 3, size=(11, 3.5)) as (figure, all_axes):
        for axes, (title, label, key, scale) in zip(all_axes, columns, strict=True):
            axes.plot(tau, [scale * point[key] for point in points], "o-", color="C0")
            axes.set(xlabel="tau_eta = tau_beta (ms)", ylabel=label, title=title)
        all_axes[0].set_ylim(bottom=0)
        all_axes[1].set_ylim(bottom=0)
        all_axes[2].axhline(100 * points[0]["ann_accuracy"], color="C1", ls="--", label="ANN")
        all_axes[2].legend()
    return figure
