"""``spiketrains_n_b_l_t`` in the toolbox's log files, from one bit for each neuron and step.

The toolbox's format is dense: float32 times, 0 where there is no spike, which for a net of 5,000 neurons and 500 steps
is 10 MB an image. Filling and compressing that takes many times as long as simulating it. Here a log file says how its
arrays are made: it holds packed bits, and a reader, such as ``numpy.load``, unpacks them and multiplies them by the
times when it loads the file. So it reads the same arrays as ever, and they never exist while the file is written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.network.maps import Array


class SpikeTrains:
    """The trains of one batch after the other, each gathered image by image.

    Args:
        labels: by population, the toolbox's label.
        shapes: by population, its shape.
        steps: length of a train.
        dt: time step, ms; a spike in step t (from 0) stands at place t as the float32 dt * (t + 1).
    """

    def __init__(self, labels: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]], steps: int, dt: float) -> None:
        self._labels, self._shapes = labels, shapes
        self._times = (dt * np.arange(1, steps + 1)).astype(np.float32)
        self._images: dict[int, NDArray[np.uint8]] = {}

    def clear(self) -> None:
        """Begin the next batch."""
        self._images.clear()

    def add(self, image: int, times: Array, counts: Array) -> None:
        """Take an image, as a ``SpikeObserver`` does: steps of the spikes neuron by neuron, spikes of each neuron."""
        spikes = np.zeros((len(counts), len(self._times)), np.bool_)
        spikes[np.repeat(np.arange(len(counts)), counts), times] = True
        self._images[image] = np.packbits(spikes, axis=-1)

    def rows(self) -> list[tuple[Any, str]]:
        """For each population, what is read as its trains, float32 of shape (images, *population, steps), and its
        label."""
        found: list[tuple[Any, str]] = []
        neuron = 0
        for name, shape in self._shapes.items():
            end = neuron + math.prod(shape)
            bits = np.stack([self._images[image][neuron:end] for image in range(len(self._images))])
            found.append((_Dense(bits.reshape(len(bits), *shape, -1), self._times), self._labels[name]))
            neuron = end
        return found


class _Dense:
    """Is read from a file as the float32 array ``unpacked bits * times``."""

    def __init__(self, bits: NDArray[np.uint8], times: NDArray[np.float32]) -> None:
        self._bits, self._times = bits, times

    def __reduce__(self) -> Any:
        return np.multiply, (_Unpacked(self._bits, len(self._times)), self._times)


class _Unpacked:
    """Is read from a file as the 0 and 1 of packed bits, along the last axis."""

    def __init__(self, bits: NDArray[np.uint8], count: int) -> None:
        self._bits, self._count = bits, count

    def __reduce__(self) -> Any:
        return np.unpackbits, (self._bits, -1, self._count)
