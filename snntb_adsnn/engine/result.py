"""What a simulation returns."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.errors import ParameterError
from snntb_adsnn.network import Readout
from snntb_adsnn.neuron.constants import OBSERVABLES

RECORDABLE = tuple(OBSERVABLES)
"""Per step and neuron, after the step: spikes (bool), potential S, S_hat, threshold (after its decay); and per input
pixel of a pooling layer, current I and filtered potential V."""

SpikeObserver = Callable[[int, NDArray[np.int32], NDArray[np.int32]], None]
"""Called with an image's number, the steps (from 0) of its spikes, shape (spikes,), and how often each neuron spiked,
shape (neurons,). Neuron comes after neuron, population after population; the steps of each are in ascending order.
Several threads may call it."""


def check_memory(steps: int, images: int = 1, classes: int = 2) -> None:
    """Refuse a simulation whose outputs alone are more than this machine's memory.

    Raises:
        ParameterError: they are.
    """
    needed, there = 4 * steps * images * classes, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise ParameterError(
            f"{steps:,} steps cannot be held in memory: the outputs of {images} images and {classes} classes alone "
            f"would need {needed / 1e9:,.0f} GB, and this machine has {there / 1e9:,.0f} GB; lower duration or "
            "batch_size, or raise dt."
        )


@dataclass(frozen=True)
class SimulationResult:
    """Result of ``simulate`` for ``images`` inputs.

    Attributes:
        outputs: read-out potentials after each step, shape (images, steps, values), float32; ``predictions`` are what
            the model's last activation makes of them.
        spike_counts: by layer, spikes of each neuron over the whole simulation, shape (images, *layer shape), int32.
        spikes_per_step: by layer, spikes of all neurons and images in each step, shape (steps,), int64.
        dt: time step, ms.
        records: by quantity (see ``RECORDABLE``) and layer, arrays of shape (images, steps, *shape).
        margins: with a ``Switch``, mean difference of each image's two highest outputs over its accumulation window,
            shape (images,), float32; else ``None``.
        switched: with a ``Switch``, which images switched to the high precision, shape (images,), bool; else ``None``.
        corrective_counts: by layer with corrective spikes, how many of ``spike_counts`` are; in its shape.
        stopped: with a ``margin``, steps after which each image was decided, shape (images,), int32; its outputs stay
            from there on, and it spikes no more. Else ``None``.
        readout: of the network, which says what the outputs are; without it they are classes.
    """

    outputs: NDArray[np.float32]
    spike_counts: Mapping[str, NDArray[np.int32]]
    spikes_per_step: Mapping[str, NDArray[np.int64]]
    dt: float
    records: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict)
    margins: NDArray[np.float32] | None = None
    switched: NDArray[np.bool_] | None = None
    corrective_counts: Mapping[str, NDArray[np.int32]] = field(default_factory=dict)
    stopped: NDArray[np.int32] | None = None
    readout: Readout | None = None

    @property
    def duration(self) -> float:
        """Simulated time, ms."""
        return self.outputs.shape[1] * self.dt

    @cached_property
    def predictions(self) -> NDArray[np.float32]:
        """What the model predicts after each step, its last activation (softmax, sigmoid, ...) applied, shape (images,
        steps, *output shape); of several outputs all values in a row, see ``by_output``."""
        readout = self._readout
        return readout.shaped(readout.activated(self.outputs))

    @property
    def by_output(self) -> dict[str, NDArray[np.float32]]:
        """``predictions`` of each of the model's outputs, by its name, shape (images, steps, *output shape)."""
        readout = self._readout
        return readout.split(readout.activated(self.outputs))

    @cached_property
    def decisions(self) -> NDArray[np.intp]:
        """What the outputs decide after each step: the class with the highest one, shape (images, steps); of one
        sigmoid 1 above 0.5, else 0, shape (images, steps); of several sigmoids the same for each label, shape (images,
        steps, labels).

        Raises:
            ParameterError: the outputs are values that decide nothing, or there are several outputs.
        """
        tasks = self._readout.tasks
        if len(tasks) > 1:
            raise ParameterError(
                f"the network has {len(tasks)} outputs ({', '.join(task.part.name for task in tasks)}), so that there "
                "is no one decision; read each output's values from by_output of the result."
            )
        return tasks[0].decide(self.outputs)

    @property
    def _readout(self) -> Readout:
        if self.readout is not None:
            return self.readout
        shape = self.outputs.shape[-1:]
        activation = "linear" if shape == (1,) else "softmax"
        return Readout("outputs", ("values",), (shape,), np.zeros(shape), activation=activation)

    @property
    def firing_rates_hz(self) -> dict[str, float]:
        """By layer, spikes per neuron per second of simulated time, averaged over neurons and images."""
        time = self._mean_time
        return {name: float(counts.mean()) / time * 1000 for name, counts in self.spike_counts.items()}

    @property
    def _mean_time(self) -> float:
        """Simulated time of an image, ms."""
        return self.duration if self.stopped is None else float(self.stopped.mean()) * self.dt

    @property
    def firing_rate_hz(self) -> float:
        """Spikes per neuron per second of simulated time, averaged over all spiking neurons and images."""
        spikes = sum(int(counts.sum(dtype=np.int64)) for counts in self.spike_counts.values())
        neurons = sum(counts.size for counts in self.spike_counts.values())
        return spikes / neurons / self._mean_time * 1000
