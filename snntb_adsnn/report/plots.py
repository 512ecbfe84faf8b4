"""Pictures of a run: accuracy over time, firing rate per layer, raster of one image, transfer function."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")  # files only; must come before pyplot

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from snntb_adsnn.engine import simulate
from snntb_adsnn.files import atomic_path, optional_picture
from snntb_adsnn.measure.evaluate import Metrics
from snntb_adsnn.measure.outputs import OutputFigures
from snntb_adsnn.network import Neurons, SpikingNetwork
from snntb_adsnn.network.tasks import Classification
from snntb_adsnn.neuron import simulate_neuron
from snntb_adsnn.neuron.transfer import spike_height, transfer

_RASTER_NEURONS = 400
"""At most this many neurons of a layer are drawn, evenly spread."""
_RASTER_OUTPUTS = 20
"""The same of outputs that are no classes."""


def write_plots(
    metrics: Metrics, network: SpikingNetwork, folder: Path, sample: np.ndarray[Any, Any] | None = None
) -> list[Path]:
    """Draw all pictures of a run into ``folder``; the raster needs one input as ``sample``. Returns the files
    that could be drawn."""
    written = []
    with plt.style.context("default"):  # SNN Toolbox sets large fonts for its own plots
        figures = {
            **_over_time(metrics),
            "firing_rate_per_layer.png": partial(firing_rate_per_layer, metrics),
            "transfer_function.png": partial(transfer_against_neurons, network.populations[0]),
        }
        if sample is not None:
            figures["raster.png"] = partial(raster, network, sample, metrics.duration_ms)
        for name, draw in figures.items():
            with optional_picture(folder / name):
                figure = draw()
                with atomic_path(folder / name) as path:
                    figure.savefig(path, dpi=120)
                plt.close(figure)
                written.append(folder / name)
    return written


def _over_time(metrics: Metrics) -> dict[str, Callable[[], Figure]]:
    """The curve that says how well the run does: accuracy, or the difference from the ANN."""
    if len(metrics.decisions.accuracy_over_time):
        return {"accuracy_over_time.png": partial(accuracy_over_time, metrics)}
    curves = [o for o in metrics.outputs if o.rmse_to_ann_over_time is not None]
    return {"error_over_time.png": partial(error_over_time, metrics, curves)} if curves else {}


def error_over_time(metrics: Metrics, outputs: list[OutputFigures]) -> Figure:
    """Root mean square difference of each output from the ANN's, and the ANN's own from the labels."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for number, output in enumerate(outputs):
        assert output.rmse_to_ann_over_time is not None
        error = output.rmse_to_ann_over_time
        name = f"{output.name}, " if len(outputs) > 1 else ""
        time = metrics.dt_ms * np.arange(1, len(error) + 1)
        axes.plot(time, error, color=f"C{number}", label=f"{name}AdSNN from the ANN: {error[-1]:.3g}")
        if output.ann_rmse_to_labels is not None:
            label = f"{name}ANN from the labels: {output.ann_rmse_to_labels:.3g}"
            axes.axhline(output.ann_rmse_to_labels, color=f"C{number}", ls="--", label=label)
    axes.axvline(
        metrics.decisions.matching_time_ms,
        color="0.4",
        ls=":",
        label=f"matching time: {metrics.decisions.matching_time_ms:g} ms",
    )
    axes.set(
        xlabel="time (ms)",
        ylabel="root mean square difference",
        ylim=(0, None),
        xlim=(0, time[-1]),
        title=f"Error over time, {metrics.num_images} inputs",
    )
    axes.legend(loc="upper right", fontsize="small")
    return figure


def accuracy_over_time(metrics: Metrics) -> Figure:
    """Error rate against time on logarithmic axes would hide the end; accuracy with a close-up of the top instead."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    time = metrics.dt_ms * np.arange(1, len(metrics.decisions.accuracy_over_time) + 1)
    accuracy = 100 * metrics.decisions.accuracy_over_time
    axes.plot(time, accuracy, label=f"AdSNN: {accuracy[-1]:.2f} %", color="C0")
    top = accuracy.max()
    if metrics.decisions.ann_accuracy is not None:
        axes.axhline(
            100 * metrics.decisions.ann_accuracy,
            color="C1",
            ls="--",
            label=f"ANN: {100 * metrics.decisions.ann_accuracy:.2f} %",
        )
        top = max(top, 100 * metrics.decisions.ann_accuracy)
    axes.axvline(
        metrics.decisions.matching_time_ms,
        color="0.4",
        ls=":",
        label=f"matching time: {metrics.decisions.matching_time_ms:g} ms",
    )
    close_up = axes.inset_axes((0.42, 0.3, 0.55, 0.4))
    close_up.plot(time, accuracy, color="C0")
    if metrics.decisions.ann_accuracy is not None:
        close_up.axhline(100 * metrics.decisions.ann_accuracy, color="C1", ls="--")
    close_up.axvline(metrics.decisions.matching_time_ms, color="0.4", ls=":")
    close_up.set_ylim(top - max(2.0, 3 * (top - accuracy[-1])), top + 0.3)
    close_up.set_title("close-up", fontsize="small")
    close_up.tick_params(labelsize="small")
    axes.set(
        xlabel="time (ms)",
        ylabel="accuracy (%)",
        ylim=(0, 103),
        xlim=(0, time[-1]),
        title=f"Accuracy over time, {metrics.num_images} images",
    )
    axes.legend(loc="lower right", fontsize="small")
    return figure


def firing_rate_per_layer(metrics: Metrics) -> Figure:
    """Average firing rate of each layer, and of all neurons."""
    rates = {**metrics.firing.rate_hz_per_layer, "all neurons": metrics.firing.rate_hz}
    figure, axes = plt.subplots(figsize=(7, 1 + 0.4 * len(rates)), layout="constrained")
    bars = axes.barh(list(rates), list(rates.values()), color=["C0"] * (len(rates) - 1) + ["C1"])
    axes.bar_label(bars, fmt="%.1f Hz", padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set(xlabel="firing rate (spikes per neuron per second)", title="Firing rate")
    return figure


def raster(network: SpikingNetwork, sample: np.ndarray[Any, Any], duration: float) -> Figure:
    """Spikes of one image, layer by layer, above the read-out."""
    result = simulate(network, sample[None], duration=duration, record=("spikes",))
    layers = network.populations
    figure, all_axes = plt.subplots(
        len(layers) + 1, figsize=(8, 1.5 + 1.4 * (len(layers) + 1)), sharex=True, layout="constrained"
    )
    for axes, layer in zip(all_axes, layers, strict=False):
        spikes = result.records["spikes"][layer.name][0].reshape(result.outputs.shape[1], -1)
        shown = np.unique(np.linspace(0, layer.size - 1, min(layer.size, _RASTER_NEURONS)).round().astype(int))
        steps, neurons = np.nonzero(spikes[:, shown])
        axes.plot((steps + 1) * network.dt, neurons, ls="", marker="|", ms=2.5, mew=0.7, color="k")
        part = "" if len(shown) == layer.size else f", {len(shown)} shown"
        axes.set_title(f"{layer.name}: {layer.size} neurons{part}", fontsize="small", loc="left")
        axes.set(ylabel="neuron", ylim=(-0.5, len(shown) - 0.5), yticks=[])
    outputs = result.outputs[0]
    classes = [task.name for task in network.tasks] == [Classification.name]
    winner = int(outputs[-1].argmax()) if classes else None
    time = network.dt * np.arange(1, len(outputs) + 1)
    count = outputs.shape[1]
    for k in range(count) if classes else np.unique(np.linspace(0, count - 1, min(count, _RASTER_OUTPUTS)).astype(int)):
        best = k == winner
        all_axes[-1].plot(
            time,
            outputs[:, k],
            color="C3" if best else "0.7",
            lw=1.5 if best else 0.8,
            label=f"class {k}" if best else None,
            zorder=3 if best else 2,
        )
    all_axes[-1].set_title("read-out", fontsize="small", loc="left")
    all_axes[-1].set(xlabel="time (ms)", ylabel="potential", xlim=(0, duration))
    if classes:
        all_axes[-1].legend(loc="upper left", fontsize="small")
    figure.suptitle("Spikes of one image")
    return figure


def transfer_against_neurons(population: Neurons) -> Figure:
    """The transfer function that the network was trained with, and what simulated neurons really encode."""
    parameters = population.parameters
    S = np.linspace(-0.2, 2, 111)
    steps = round(3000 / parameters.dt)
    trace = simulate_neuron(np.broadcast_to(S, (steps, len(S))), parameters)
    sizes = trace.spikes[1:] * (trace.theta[:-1] if population.graded else 1.0)
    encoded = sizes[steps // 3 :].mean(axis=0) * spike_height(parameters, population.form) / (1 - parameters.k_beta)
    figure, axes = plt.subplots(figsize=(6, 4.2), layout="constrained")
    axes.plot(S, encoded, ".", color="C0", label="simulated neurons (2 s average)")
    fine = np.linspace(S[0], S[-1], 1000)
    axes.plot(
        fine, transfer(fine, parameters, population.form), color="C1", label=f"transfer function ({population.form})"
    )
    axes.axvline(parameters.resting_threshold / 2, color="0.6", ls=":", lw=1, label="theta0/2: silent below")
    axes.set(
        xlabel="input S",
        ylabel="encoded value",
        title=f"Transfer function of {population.name}, m_f = {parameters.m_f:g}",
    )
    axes.legend()
    return figure
