"""The toolbox's log variables from a simulation's records, in whole arrays, and its plots."""

from __future__ import annotations

import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from snntb_adsnn.engine import SimulationResult, SpikeObserver
from snntb_adsnn.files import atomic_path
from snntb_adsnn.measure.connectivity import fanouts, input_multiplications
from snntb_adsnn.measure.operations import state_variables
from snntb_adsnn.network import Neurons, SpikingNetwork
from snntb_adsnn.network.maps import Array, Linear
from snntb_adsnn.toolbox.shims import labelled
from snntb_adsnn.toolbox.trains import SpikeTrains

Labelled = list[tuple[Array, str]]
"""One (array, label) for each population: the toolbox's format for quantities of all layers."""


def labels(network: SpikingNetwork) -> dict[str, str]:
    """By population, the toolbox's label, such as ``01Conv2D_26x26x16``: index, kind of synapses, shape."""
    return {
        p.name: f"{i:02d}{_synapses(network, p)}_{'x'.join(map(str, p.shape))}"
        for i, p in enumerate(network.populations)
    }


def _synapses(network: SpikingNetwork, population: Neurons) -> str:
    """Kind of the weighted layer in front of ``population``; ``Input`` where the input drives it directly."""
    node = network.by_name[population.inputs[0]]
    while isinstance(node, Linear) and not node.weighted:
        node = network.by_name[node.inputs[0]]
    return "AAN" if isinstance(node, Neurons) else type(node).__name__


# ---- log variables ---------------------------------------------------------------------------------------------------


def spike_trains(network: SpikingNetwork, result: SimulationResult) -> Labelled:
    """Times of spikes in ms where a neuron spiked, else 0: shape (images, *population, steps), float32."""
    names = labels(network)
    steps = result.outputs.shape[1]
    times = (result.dt * np.arange(1, steps + 1)).astype(np.float32)
    return [
        (np.multiply(np.moveaxis(spikes, 1, -1), times, dtype=np.float32), names[name])
        for name, spikes in result.records["spikes"].items()
    ]


def potentials(network: SpikingNetwork, result: SimulationResult) -> Labelled:
    """Membrane potential S, shape (images, *population, steps); a neuron spikes where S - S_hat > theta/2."""
    names = labels(network)
    return [(np.moveaxis(S, 1, -1), names[name]) for name, S in result.records["S"].items()]


def activations(network: SpikingNetwork, x: Array) -> Labelled:
    """The ANN's activations, shape (images, *population), from the transfer function."""
    names = labels(network)
    x = network.held(x, np.float64)
    values: dict[str, Array] = {network.input.name: x}
    found: Labelled = []
    for node, total in network.propagate(values):
        if isinstance(node, Neurons):
            values[node.name] = node.analog(total)
            found.append((values[node.name].astype(np.float32), names[node.name]))
    return found


def rates(network: SpikingNetwork, result: SimulationResult) -> Labelled:
    """Spikes per ms, shape (images, *population)."""
    names = labels(network)
    return [(counts / result.duration, names[name]) for name, counts in result.spike_counts.items()]


class SpikeLog:
    """What the toolbox logs of a batch's spikes, gathered image by image, so that few images' spikes are in memory.

    Attributes:
        trains: ``spiketrains_n_b_l_t`` for the log file, where it is logged.
        operations: synaptic operations (additions and multiply-adds) that the spikes of each step cause, shape (images,
            steps), where they are asked for.
    """

    def __init__(
        self, network: SpikingNetwork, steps: int, log_keys: Collection[str], plot_keys: Collection[str]
    ) -> None:
        self.steps = steps
        self.trains: SpikeTrains | None = None
        self.operations: Array | None = None
        self._counts = np.concatenate([fanout.total.ravel() for fanout in fanouts(network).values()])
        self._count_operations = needs_operations(log_keys, plot_keys)
        if "spiketrains_n_b_l_t" in log_keys:
            shapes = {p.name: p.shape for p in network.populations}
            self.trains = SpikeTrains(labels(network), shapes, steps, network.dt)

    @property
    def observes(self) -> bool:
        """Whether anything of the spikes is logged."""
        return self._count_operations or self.trains is not None

    def observer(self, images: int) -> SpikeObserver | None:
        """Begin the next batch; what takes its images, or ``None`` where nothing of their spikes is logged."""
        if self._count_operations:
            self.operations = np.zeros((images, self.steps))
        if self.trains is not None:
            self.trains.clear()
        return self._add if self.observes else None

    def _add(self, image: int, times: Array, counts: Array) -> None:
        if self.trains is not None:
            self.trains.add(image, times, counts)
        if self.operations is not None:
            self.operations[image] = np.bincount(times, np.repeat(self._counts, counts), self.steps)


def neuron_operations(network: SpikingNetwork, result: SimulationResult) -> Array:
    """Updates of state variables in each step, and in the first two operations for each weight that the analog input
    meets (its result is kept): shape (images, steps)."""
    operations = np.full(result.outputs.shape[:2], float(state_variables(network)))
    operations[:, 0] += 2 * input_multiplications(network)
    return operations


def recorded(log_keys: Collection[str], plot_keys: Collection[str]) -> frozenset[str]:
    """What the engine must record for the toolbox's log and plot keys; what ``SpikeLog`` takes is not recorded."""
    found = set()
    if needs_spikes(log_keys, plot_keys):
        found.add("spikes")
    if needs_potentials(log_keys, plot_keys):
        found.add("S")
    return frozenset(found)


def needs_spikes(log_keys: Collection[str], plot_keys: Collection[str]) -> bool:
    """Whether spike trains are logged or drawn."""
    drawn = {"spiketrains", "spikerates", "correlation", "spikecounts", "hist_spikerates_activations"}
    return "spiketrains_n_b_l_t" in log_keys or bool(drawn & set(plot_keys))


def needs_operations(log_keys: Collection[str], plot_keys: Collection[str]) -> bool:
    """Whether synaptic operations are logged or drawn."""
    return "synaptic_operations_b_t" in log_keys or "operations" in plot_keys


def needs_potentials(log_keys: Collection[str], plot_keys: Collection[str]) -> bool:
    """Whether membrane potentials are logged or drawn."""
    return "mem_n_b_l_t" in log_keys or "v_mem" in plot_keys


def needs_activations(log_keys: Collection[str], plot_keys: Collection[str]) -> bool:
    """Whether the ANN's activations are logged or drawn."""
    drawn = {"activations", "correlation", "hist_spikerates_activations"}
    return "activations_n_b_l" in log_keys or bool(drawn & set(plot_keys))


def save(path: Path, variables: dict[str, Any]) -> None:
    """Write one batch's log variables in the toolbox's format (``.npz``), atomically."""
    with (
        atomic_path(path) as temporary,
        # as numpy.savez_compressed does, but three times as fast: spike trains are mostly zeros
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for key, value in variables.items():
            array = labelled(value) if isinstance(value, list) else np.asanyarray(value)
            with archive.open(f"{key}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=True)


# ---- plots -----------------------------------------------------------------------------------------------------------

_DRAWN_NEURONS = 50


def plot_potentials(network: SpikingNetwork, mem: Labelled, folder: Path) -> None:
    """S of up to 50 neurons of each population for the first image: ``<label>/Potential.png``.

    The toolbox's own plot draws every neuron of every image, which takes hours for an image net.
    """
    import matplotlib.pyplot as plt

    for population, (potential, label) in zip(network.populations, mem, strict=True):
        neurons = potential[0].reshape(-1, potential.shape[-1])
        shown = neurons[np.unique(np.linspace(0, len(neurons) - 1, _DRAWN_NEURONS).astype(int))]
        figure, axes = plt.subplots(layout="constrained")
        axes.plot(network.dt * np.arange(1, shown.shape[1] + 1), shown.T, lw=0.8)
        axes.set(xlabel="time (ms)", ylabel="membrane potential S", title=label)
        if population.scale is None:  # else every channel has a threshold of its own
            half = population.parameters.resting_threshold / 2
            axes.axhline(half, color="0.3", ls="--", lw=1, label="theta0/2: silent below")
            axes.legend(fontsize="small")
        with atomic_path(folder / label / "Potential.png") as path:
            figure.savefig(path)
        plt.close(figure)
