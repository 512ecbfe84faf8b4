"""The golden model: what the hardware computes, word by word (docs/fixed-point.md is its text form).

``reference`` below is the specification as code: NumPy, one step at a time. ``golden_fast`` computes the same words
faster and is tested against it bit for bit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adsnn_hls.fixed import FixedType, Words
from adsnn_hls.stages import AnalogStage, ConvStage, DenseStage, FixedNetwork, FixedNeurons, SynapticStage
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.network.maps import Window

STATES = ("I", "V", "S_hat", "theta_a")
RECORDABLE = ("spikes", *STATES)
"""State words after each step; the read-out has I and V only. I and V of a pooling stage are those before pooling."""


@dataclass(frozen=True)
class Range:
    """What a state word did: its smallest and largest raw word, and how often an assignment saturated or wrapped."""

    low: int
    high: int
    overflows: int


@dataclass(frozen=True)
class GoldenResult:
    """Result of ``simulate``.

    Attributes:
        outputs: read-out words V + bias after each step, shape (images, steps, classes), int64.
        spike_counts: by stage, spikes of each neuron over all steps, shape (images, *shape), int32.
        spikes_per_step: by stage, spikes of all neurons and images in each step, shape (steps,).
        ranges: by stage and state word.
        dt: time step, ms.
        records: by stage and quantity (see ``RECORDABLE``), arrays of shape (images, steps, *shape of the state).
    """

    outputs: Words
    spike_counts: Mapping[str, NDArray[np.int32]]
    spikes_per_step: Mapping[str, Words]
    ranges: Mapping[str, Mapping[str, Range]]
    dt: float
    records: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict)

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
        second, first = np.partition(self.outputs, -2, axis=-1)[..., -2:].transpose(2, 0, 1)
        reached = first - second >= margin
        return np.where(reached.any(axis=1), reached.argmax(axis=1), steps - 1)

    def accuracy(self, labels: Any) -> NDArray[np.float64]:
        """Share of right decisions after each step, shape (steps,)."""
        return np.asarray(np.mean(self.decisions == np.asarray(labels)[:, None], axis=0))

    @property
    def firing_rate_hz(self) -> float:
        """Spikes per neuron per second, averaged over all neurons and images."""
        spikes = sum(int(counts.sum(dtype=np.int64)) for counts in self.spike_counts.values())
        neurons = sum(counts.size for counts in self.spike_counts.values())
        return spikes / neurons / (int(self.outputs.shape[1]) * self.dt) * 1000


# ---- one step ------------------------------------------------------------------------------------------------------


def align(words: Any, fraction: int, to: int) -> Words:
    """Append zero bits up to ``to`` >= fraction bits right of the point: exact."""
    return np.asarray(words, np.int64) << (to - fraction)


class Assign:
    """Assigns to one state word's type, and keeps its statistics."""

    def __init__(self, kind: FixedType) -> None:
        self.kind = kind
        self._unbounded = FixedType(62, 62 - kind.fraction, True, kind.rounding)
        self.low, self.high, self.overflows = 0, 0, 0

    def __call__(self, words: Words, fraction: int, where: Any = True) -> Words:
        """Raw words of the state's type; ``where``: which elements are really assigned, for the statistics."""
        result = self.kind.cast(words, fraction)
        rounded = self._unbounded.cast(words, fraction)
        self.low = min(self.low, int(result.min(initial=0)))
        self.high = max(self.high, int(result.max(initial=0)))
        self.overflows += int(np.count_nonzero((rounded != result) & where))
        return result

    @property
    def range(self) -> Range:
        """The statistics so far."""
        return Range(self.low, self.high, self.overflows)


def filter_step(V: Words, I: Words, g_phi: int, potential: Assign, current: FixedType, coefficient: FixedType) -> Words:
    """V + g_phi (I - V), rounded once (k_phi V + g_phi I with k_phi = 1 - g_phi needs two products)."""
    v, f = potential.kind.fraction, max(potential.kind.fraction, current.fraction)
    difference = align(I, current.fraction, f) - align(V, v, f)
    total = align(V, v, f + coefficient.fraction) + g_phi * difference
    return potential(total, f + coefficient.fraction)


def current_step(I: Words, drive: Words, drive_fraction: int, k_beta: int, current: Assign, c: FixedType) -> Words:
    """k_beta I + drive, rounded once."""
    i = current.kind.fraction + c.fraction
    f = max(i, drive_fraction)
    return current(align(k_beta * I, i, f) + align(drive, drive_fraction, f), f)


class NeuronState:
    """State of a stage's neurons for a batch of images, and its step."""

    def __init__(self, neurons: FixedNeurons, images: int) -> None:
        self.neurons = neurons
        self.I = np.zeros((images, *neurons.input_shape), np.int64)
        self.V = np.zeros_like(self.I)
        self.S_hat = np.zeros((images, *neurons.shape), np.int64)
        self.theta_a = np.zeros_like(self.S_hat)
        self.assign = {
            "I": Assign(neurons.current),
            "V": Assign(neurons.potential),
            "S_hat": Assign(neurons.refractory),
            "theta_a": Assign(neurons.adaptation),
        }

    def receive(self, drive: Words, fraction: int) -> None:
        """Step 1: the sum of this step's weights joins the decaying current."""
        n = self.neurons
        self.I = current_step(self.I, drive, fraction, n.k_beta, self.assign["I"], n.coefficient)

    def fire(self) -> NDArray[np.bool_]:
        """Steps 2 to 7: filter, pool, decay of S_hat, comparison, reaction to the spike, decay of theta_a."""
        n, c = self.neurons, self.neurons.coefficient.fraction
        v, s, a = (t.fraction for t in (n.potential, n.refractory, n.adaptation))
        self.V = filter_step(self.V, self.I, n.g_phi, self.assign["V"], n.current, n.coefficient)
        # S is not stored, and neither S - S_hat nor theta is rounded: no bit of the comparison is lost
        finest = max(v, s, a)
        S = align(max_pool(self.V, n.pool) + n.bias, v, finest)
        S_hat = self.assign["S_hat"](n.k_eta * self.S_hat, s + c)
        theta = n.theta0 + self.theta_a
        spikes: NDArray[np.bool_] = 2 * (S - align(S_hat, s, finest)) > align(theta, a, finest)
        f = max(s, a)
        self.S_hat = self.assign["S_hat"](align(S_hat, s, f) + align(np.where(spikes, theta, 0), a, f), f, spikes)
        self.theta_a = self.assign["theta_a"](n.k_gamma * self.theta_a + np.where(spikes, n.m_gamma * theta, 0), a + c)
        return spikes


def max_pool(V: Words, pool: Window | None) -> Words:
    """Largest V of each window; padded pixels never win."""
    if pool is None:
        return V
    padded = np.pad(V, ((0, 0), *pool.padding, (0, 0)), constant_values=np.iinfo(np.int64).min)
    parts = [padded[:, rows, columns] for _, (rows, columns) in pool.taps(*V.shape[1:3])]
    return np.asarray(np.max(parts, axis=0))


def synaptic_sum(stage: SynapticStage, spikes: NDArray[np.bool_]) -> Words:
    """Sum of the weights that this step's spikes (images, *shape) reach: raw words of the accumulator."""
    x = spikes.reshape(len(spikes), *stage.input_shape).astype(np.float64)
    weights = stage.weights.astype(np.float64)  # sums stay far below 2**53: float64 is exact here, and fast
    if isinstance(stage, ConvStage):
        padded = stage.window.pad(x)
        total = np.zeros((len(x), *stage.neurons.input_shape))
        for (i, j), (rows, columns) in stage.window.taps(*stage.image[:2]):
            total += padded[:, rows, columns] @ weights[i, j]
    else:
        total = x @ weights
    return stage.accumulator.cast(total.astype(np.int64), stage.accumulator.fraction)


def held_current(stage: AnalogStage, pixels: Words) -> tuple[Words, int]:
    """gain * pixel + offset, exact, and its fraction bits."""
    g, o = stage.gain_type.fraction + stage.pixel.fraction, stage.offset_type.fraction
    f = max(g, o)
    return align(stage.gain * pixels, g, f) + align(stage.offset, o, f), f


# ---- the network ---------------------------------------------------------------------------------------------------


def reference(network: FixedNetwork, pixels: Words, steps: int, record: Collection[str]) -> GoldenResult:
    """The specification: stages are stepped in order within the same time step."""
    images = len(pixels)
    states = {stage.name: NeuronState(stage.neurons, images) for stage in network.spiking}
    first, last = network.analog, network.readout
    # the held current is assigned once an image and does not decay
    states[first.name].I = states[first.name].assign["I"](*held_current(first, pixels))
    I = np.zeros((images, last.classes), np.int64)
    V = np.zeros_like(I)
    assign_I, assign_V = Assign(last.current), Assign(last.potential)

    outputs = np.empty((images, steps, last.classes), np.int64)
    counts = {name: np.zeros((images, *state.neurons.shape), np.int32) for name, state in states.items()}
    per_step = {name: np.zeros(steps, np.int64) for name in states}
    records = empty_records(network, images, steps, record)
    for t in range(steps):
        spikes = np.zeros(0, np.bool_)
        for stage in network.spiking:
            state = states[stage.name]
            if isinstance(stage, DenseStage | ConvStage):
                state.receive(synaptic_sum(stage, spikes), stage.accumulator.fraction)
            spikes = state.fire()
            counts[stage.name] += spikes
            per_step[stage.name][t] = np.count_nonzero(spikes)
            for quantity, kept in records[stage.name].items():
                kept[:, t] = spikes if quantity == "spikes" else getattr(state, quantity)
        drive = synaptic_sum(last, spikes)
        I = current_step(I, drive, last.accumulator.fraction, last.k_beta, assign_I, last.coefficient)
        V = filter_step(V, I, last.g_phi, assign_V, last.current, last.coefficient)
        outputs[:, t] = V + last.bias
        for quantity, kept in records[last.name].items():
            kept[:, t] = I if quantity == "I" else V
    ranges = {name: {q: a.range for q, a in state.assign.items()} for name, state in states.items()}
    ranges[last.name] = {"I": assign_I.range, "V": assign_V.range}
    return GoldenResult(outputs, counts, per_step, ranges, network.dt, records)


def empty_records(
    network: FixedNetwork, images: int, steps: int, record: Collection[str]
) -> dict[str, dict[str, NDArray[Any]]]:
    """Arrays for the quantities to record, by stage."""
    records: dict[str, dict[str, NDArray[Any]]] = {}
    for stage in network.spiking:
        n = stage.neurons
        shapes = {"spikes": n.shape, "I": n.input_shape, "V": n.input_shape, "S_hat": n.shape, "theta_a": n.shape}
        records[stage.name] = {
            q: np.empty((images, steps, *shapes[q]), np.bool_ if q == "spikes" else np.int64) for q in record
        }
    classes = network.readout.classes
    records[network.readout.name] = {q: np.empty((images, steps, classes), np.int64) for q in record if q in ("I", "V")}
    return records


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


def simulate(
    network: FixedNetwork, pixels: Any, steps: int, *, record: Collection[str] = (), engine: str = "fast"
) -> GoldenResult:
    """Run the golden model from the reset state.

    Args:
        network: the network.
        pixels: input words, shape (images, *input shape) (see ``FixedNetwork.pixels``).
        steps: time steps of each image.
        record: what to keep of every step, out of ``RECORDABLE``.
        engine: ``fast`` (compiled) or ``reference`` (NumPy): the same words.

    Raises:
        ParameterError: pixels, steps, record or engine do not fit.
    """
    if steps < 1:
        raise ParameterError(f"steps = {steps} is not allowed: simulate at least one step.")
    if engine not in ("fast", "reference"):
        raise ParameterError(f"engine {engine!r} is unknown: choose fast or reference.")
    check_record(record)
    words = check_pixels(network, pixels)
    if engine == "reference":
        return reference(network, words, steps, record)
    from adsnn_hls import golden_fast  # imports Numba, which the specification does not need

    return golden_fast.run(network, words, steps, record)
