"""What the golden model gives back, and what it can be asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adsnn_hls.arithmetic import Words
from adsnn_hls.arithmetic.steps import Range
from adsnn_hls.fixed.network import FixedNetwork
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.network.deciding import safe_after
from snntb_adsnn.neuron.constants import STATES

RECORDABLE = ("spikes", *(state.name for state in STATES))
"""State words after each step; the read-out has I and V only. I and V of a pooling stage are those before pooling."""


@dataclass(frozen=True)
class GoldenResult:
    """Result of ``simulate``.

    Attributes:
        outputs: read-out words V + bias after each step, shape (images, steps, classes), int64.
        spike_counts: by stage, spikes of each neuron over all steps, shape (images, *shape), int32; negative ones, too.
        spikes_per_step: by stage, spikes of all neurons and images in each step, shape (steps,).
        ranges: by stage and state word.
        dt: time step, ms.
        records: by stage and quantity (see ``RECORDABLE``), arrays of shape (images, steps, *shape of the state).
        corrective_counts: by stage with corrective spikes, how many of ``spike_counts`` are; in its shape.
    """

    outputs: Words
    spike_counts: Mapping[str, NDArray[np.int32]]
    spikes_per_step: Mapping[str, Words]
    ranges: Mapping[str, Mapping[str, Range]]
    dt: float
    records: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict)
    corrective_counts: Mapping[str, NDArray[np.int32]] = field(default_factory=dict)

    @property
    def decisions(self) -> NDArray[np.intp]:
        """Class after each step, shape (images, steps); of equal outputs the first wins."""
        return np.asarray(self.outputs.argmax(axis=-1))

    def last_steps(self, margin: int = 0) -> NDArray[np.int64]:
        """Index of each image's last step, shape (images,).

        Args:
            margin: distance of the two largest output words at which an image is decided early; 0: never.
        """
        steps = self.outputs.shape[1]
        if margin == 0:
            return np.full(len(self.outputs), steps - 1)
        safe = safe_after(self.outputs, margin)
        return np.where(safe > 0, safe, steps) - 1

    def accuracy(self, labels: Any) -> NDArray[np.float64]:
        """Share of right decisions after each step, shape (steps,)."""
        return np.asarray(np.mean(self.decisions == np.asarray(labels)[:, None], axis=0))

    @property
    def firing_rate_hz(self) -> float:
        """Spikes per neuron per second, averaged over all neurons and images."""
        spikes = sum(int(counts.sum(dtype=np.int64)) for counts in self.spike_counts.values())
        neurons = sum(counts.size for counts in self.spike_counts.values())
        return spikes / neurons / (int(self.outputs.shape[1]) * self.dt) * 1000


# ---- arguments ------------------------------------------------------------------------------------------------------


def empty_records(
    network: FixedNetwork, images: int, steps: int, record: Collection[str]
) -> dict[str, dict[str, NDArray[Any]]]:
    """Arrays for the quantities to record, by stage."""
    records: dict[str, dict[str, NDArray[Any]]] = {}
    for stage in network.stages:
        shapes: dict[str, tuple[int, ...]] = dict(stage.state_shapes)
        if stage.place != "last":
            shapes["spikes"] = stage.shape
        spike = np.int8 if stage.signed_out else np.bool_
        records[stage.name] = {
            q: np.empty((images, steps, *shapes[q]), spike if q == "spikes" else np.int64)
            for q in record
            if q in shapes
        }
    return records


def empty_corrective(network: FixedNetwork, images: int) -> dict[str, NDArray[np.int32]]:
    """Counts of negative spikes, by stage that has any."""
    return {s.name: np.zeros((images, *s.shape), np.int32) for s in network.spiking if s.signed_out}


def check_pixels(network: FixedNetwork, pixels: Any) -> Words:
    """``pixels`` as int64 words; raises ParameterError where they do not fit the network."""
    words = np.asarray(pixels)
    kind = network.analog.pixel
    if words.shape[1:] != network.input_shape or not len(words):
        raise ParameterError(f"pixels of shape {words.shape} do not fit: (images, {network.input_shape}) is needed.")
    if not np.issubdtype(words.dtype, np.integer) or words.min() < kind.low or words.max() > kind.high:
        raise ParameterError(f"pixels must be whole numbers from {kind.low} to {kind.high}; see FixedNetwork.pixels.")
    return words.astype(np.int64)


def check_record(record: Collection[str]) -> None:
    """Raise ParameterError unless all of ``record`` can be recorded."""
    unknown = set(record) - set(RECORDABLE)
    if unknown:
        raise ParameterError(f"cannot record {sorted(unknown)}: choose from {', '.join(RECORDABLE)}.")
