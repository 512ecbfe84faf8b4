"""The simulator for accelerators: TensorFlow, compiled, with all steps of a chunk in one batch for each linear map.

The network is feed-forward, so a layer can be simulated over a chunk of steps before the next one: its drive is then
one large convolution or product, and only the neuron equations run step by step. States are float32 and every operation
is the reference's; libraries may sum a drive in another order, so that a spike can differ where 2 (S - S_hat) and theta
are equal but for rounding.
"""

from __future__ import annotations

import copy
from functools import lru_cache, singledispatch
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.engine.early import Early
from snntb_adsnn.engine.reference import analog_drive
from snntb_adsnn.engine.result import SimulationResult
from snntb_adsnn.engine.switch import Schedule
from snntb_adsnn.frontends.keras.compat import tf
from snntb_adsnn.network import Neurons, Precision, Readout, SpikingNetwork
from snntb_adsnn.network.edges import Band, Indices, PixelMap, pixels
from snntb_adsnn.network.maps import (
    Add,
    Array,
    AveragePool2D,
    Concatenate,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Linear,
    Reshape,
    Scale,
    Shape,
    Window,
    ZeroPad2D,
)
from snntb_adsnn.neuron import ASNState

CHUNK = 50
"""Steps simulated layer by layer at a time."""
BATCH = 100
"""Images simulated at a time; with CHUNK it bounds the memory that a layer's drive takes."""


def run(
    network: SpikingNetwork,
    x: Array,
    steps: int,
    record: frozenset[str],
    schedule: Schedule | None = None,
    early: Early | None = None,
) -> SimulationResult:
    """Simulate ``network`` on images ``x`` of shape (images, *input shape); see ``engine.simulate``."""
    batches = [_Batch(network, x[i : i + BATCH], steps, record, schedule, early) for i in range(0, len(x), BATCH)]
    for batch in batches:
        batch.run()
    decided = [(None, None) if schedule is None else schedule.decided(b.outputs, b.stopped, b.ended) for b in batches]
    margins, switched = (np.concatenate(part) if schedule else None for part in zip(*decided, strict=True))
    names = network.population_names

    def joined(quantity: str) -> dict[str, Array]:
        return {
            n: np.concatenate([b.seen[quantity][n] for b in batches]) for n in names if n in batches[0].seen[quantity]
        }

    return SimulationResult(
        np.concatenate([b.outputs for b in batches]),
        joined("spike_counts"),
        {n: np.sum([b.per_step[n] for b in batches], axis=0, dtype=np.int64) for n in names},
        network.dt,
        {quantity: joined(quantity) for quantity in record},
        margins,
        switched,
        joined("corrective_counts"),
        None if early is None else np.concatenate([b.stopped for b in batches]),
    )


COUNTS = ("spike_counts", "corrective_counts")


class _Batch:
    """A simulation of some images.

    Attributes:
        outputs, per_step, stopped: as in ``SimulationResult``.
        ended: which images were decided early.
        seen: counts and records, by quantity and layer.
    """

    def __init__(
        self,
        network: SpikingNetwork,
        x: Array,
        steps: int,
        record: frozenset[str],
        schedule: Schedule | None,
        early: Early | None,
    ) -> None:
        self.network, self.x, self.steps, self.schedule, self.early = network, x, steps, schedule, early
        self.outputs = np.empty((len(x), steps, *network.readout.shape), np.float32)
        self.per_step = {name: np.zeros(steps, np.int64) for name in network.population_names}
        self.stopped = np.full(len(x), steps, np.int32)
        self.ended = np.zeros(len(x), np.bool_)
        self.seen: dict[str, dict[str, Array]] = {quantity: {} for quantity in (*record, *COUNTS)}
        self.kept = record if early is None else record | {"spikes"}  # to take back those behind a decision

    def run(self) -> None:
        """Simulate all steps."""
        runs, schedule = [_Machine(self.network, self.x, tuple(sorted(self.kept)))], self.schedule
        cuts = {*range(0, self.steps, CHUNK), self.steps}
        for start, end in pairwise(sorted(cuts if schedule is None else cuts | {schedule.stop})):
            for machine in runs:
                self._advance(machine, start, end)
            if schedule is not None and end == schedule.stop and runs:
                high, (low,) = schedule.decide(self.outputs)[1][runs[0].images], runs
                chosen = ((~high, low.network), (high, schedule.high))
                runs = [low.part(images, network) for images, network in chosen if images.any()]
            going = [(machine, ~self.ended[machine.images]) for machine in runs] if self.early else []
            runs = [m.part(images, m.network) for m, images in going if images.any()] if self.early else runs

    def _advance(self, machine: _Machine, start: int, end: int) -> None:
        output, found = machine.advance(start, end)
        self.outputs[machine.images, start:end] = output
        if self.early is not None:
            self._stop(machine, start, end, found)
        for name, spikes in found.pop("spikes_per_step").items():
            self.per_step[name][start:end] += spikes
        for quantity in self.seen:
            for name, values in found[quantity].items():
                into = self.seen[quantity].setdefault(name, _room(quantity, values, len(self.x), self.steps))
                if quantity in COUNTS:
                    into[machine.images] += values
                else:
                    into[machine.images, start:end] = values

    def _stop(self, machine: _Machine, start: int, end: int, found: dict[str, dict[str, Array]]) -> None:
        """End images that are decided, and take back what they did after that in this chunk."""
        assert self.early is not None
        after = self.early.after(self.outputs[machine.images, :end])
        for place in np.flatnonzero(after):
            image, last = machine.images[place], int(after[place])
            self.stopped[image], self.ended[image] = last, True
            self.outputs[image, last:] = self.outputs[image, last - 1]
            for spikes in found["spikes"].values():
                spikes[place, last - start :] = 0
        for name, spikes in found["spikes"].items():
            found["spike_counts"][name] = np.count_nonzero(spikes, axis=1)
            found["spikes_per_step"][name] = np.count_nonzero(spikes, axis=(0, *range(2, spikes.ndim)))
            if name in found["corrective_counts"]:
                found["corrective_counts"][name] = np.count_nonzero(spikes < 0, axis=1)


def _room(quantity: str, values: Array, images: int, steps: int) -> Array:
    """Zeros for all images, and all steps of what is recorded."""
    if quantity in COUNTS:
        return np.zeros((images, *values.shape[1:]), np.int32)
    return np.zeros((images, steps, *values.shape[2:]), values.dtype)


class _Machine:
    """A network at work on some images.

    Attributes:
        images: their numbers.
    """

    def __init__(self, network: SpikingNetwork, x: Array, record: tuple[str, ...]) -> None:
        self.images, self.x, self.record = np.arange(len(x)), x, record
        self.states = _fresh_states(network, len(x))
        self._set(network)

    def part(self, chosen: NDArray[np.bool_], network: SpikingNetwork) -> _Machine:
        """The same for some of its images, which go on with a network of their own."""
        part = copy.copy(self)
        part.images, part.x = self.images[chosen], self.x[chosen]
        part.states = {name: tuple(state[chosen] for state in states) for name, states in self.states.items()}
        part._set(network)
        return part

    def _set(self, network: SpikingNetwork) -> None:
        self.network = network
        self.held = {n: None if h is None else tf.constant(h) for n, h in analog_drive(network, self.x).items()}
        self.precisions = {p.name: _tensors(p.precision, p.shape) for p in network.populations}
        self.chunk = _compiled(network, self.record)

    def advance(self, start: int, end: int) -> tuple[Array, dict[str, dict[str, Array]]]:
        """Simulate the steps [start, end): outputs, and what was seen, by quantity and layer; images first."""
        first = tf.constant(start)
        self.states, output, found = self.chunk(self.states, self.held, self.precisions, first, end - start)
        kept = {q: {n: v.numpy() for n, v in by_layer.items()} for q, by_layer in found.items()}
        for quantity in self.record:
            kept[quantity] = {n: np.array(np.moveaxis(v, 0, 1)) for n, v in kept[quantity].items()}
        return np.moveaxis(output.numpy(), 0, 1), kept


def _tensors(precision: Precision, shape: Shape) -> Precision:
    """As float32 tensors, all of the rank of (images, *shape): the compiled chunk must know it."""
    arrays = map(np.asarray, precision)
    return Precision(*(tf.constant(a.reshape((1,) * (1 + len(shape) - a.ndim) + a.shape), tf.float32) for a in arrays))


_chunks: WeakKeyDictionary[SpikingNetwork, dict[tuple[str, ...], Any]] = WeakKeyDictionary()


def _compiled(network: SpikingNetwork, record: tuple[str, ...]) -> Any:
    """The compiled chunk of a network, kept as long as the network."""
    by_record = _chunks.setdefault(network, {})
    if record not in by_record:
        # the closure holds nodes only, not the network, which would never be freed
        by_record[record] = _make_chunk(network.nodes, network.input.name, record)
    return by_record[record]


def _fresh_states(network: SpikingNetwork, images: int) -> dict[str, tuple[Any, ...]]:
    def zeros(shape: Shape) -> Any:
        return tf.zeros((images, *shape), tf.float32)

    states: dict[str, tuple[Any, ...]] = {
        p.name: (zeros(p.input_shapes[0]), zeros(p.input_shapes[0]), zeros(p.shape), zeros(p.shape))
        for p in network.populations
    }
    readout = network.readout
    states[readout.name] = (zeros(readout.shape), zeros(readout.shape))
    return states


def _make_chunk(nodes: tuple[Any, ...], source: str, record: tuple[str, ...]) -> Any:
    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def chunk(states: Any, held: Any, precisions: Any, first: Any, steps: int) -> Any:
        """Simulate ``steps`` steps from step ``first`` on: (new states, outputs (steps, images, classes), what was
        seen)."""
        values: dict[str, Any] = {source: None}  # the analog input acts through ``held``
        after: dict[str, Any] = {}
        seen: dict[str, dict[str, Any]] = {q: {} for q in (*record, *COUNTS, "spikes_per_step")}
        outputs = None
        for node in nodes:
            if isinstance(node, Linear):
                values[node.name] = _drive(node, [values[name] for name in node.inputs], steps)
            elif isinstance(node, Neurons):
                drive = values[node.inputs[0]]
                precision = precisions[node.name]
                after[node.name], trace = _spike(
                    node, states[node.name], drive, held[node.name], precision, first + tf.range(steps), record
                )
                values[node.name] = trace["graded" if node.graded else "spikes"] * precision.height
                counted = tf.cast(tf.abs(trace["spikes"]), tf.int32)
                seen["spike_counts"][node.name] = tf.reduce_sum(counted, axis=0)
                seen["spikes_per_step"][node.name] = tf.reduce_sum(counted, axis=list(range(1, counted.shape.rank)))
                if node.corrective is not None:
                    negative = tf.cast(trace["spikes"] < 0, tf.int32)
                    seen["corrective_counts"][node.name] = tf.reduce_sum(negative, axis=0)
                for quantity in record:
                    kept = trace[quantity]
                    seen[quantity][node.name] = tf.cast(kept, node.spike_dtype) if quantity == "spikes" else kept
            elif isinstance(node, Readout):
                after[node.name], outputs = _read_out(
                    node, states[node.name], values[node.inputs[0]], held[node.name], steps
                )
        return after, outputs, seen

    return chunk


def _spike(
    node: Neurons, state: Any, drive: Any, held: Any, precision: Any, times: Any, record: tuple[str, ...]
) -> tuple[Any, dict[str, Any]]:
    """The equations of ``ASNState``, at each of the steps ``times``; (new state, arrays with time first)."""
    constants = ASNState(node.parameters, (), dtype=np.float32)
    I, V, S_hat, theta_a = state
    theta = precision.theta0 + theta_a
    bias = tf.constant(node.bias, tf.float32)
    wanted = {"spikes", *record} | ({"graded"} if node.graded else set())
    trace: dict[str, list[Any]] = {q: [] for q in wanted}
    for t in range(times.shape[0]):
        I = constants.k_beta * I if drive is None else constants.k_beta * I + drive[t]
        current = I if held is None else I + held
        V = constants.k_phi * V + constants.g_phi * current
        S = (V if node.pool is None else _max_pool(node.pool, V)) + bias
        S_hat = constants.k_eta * S_hat
        spikes = tf.cast(2 * (S - S_hat) > theta, tf.float32)
        if node.corrective is not None:
            ahead = 2 * (S_hat - tf.maximum(S, 0.0))
            spikes -= tf.cast(ahead > np.float32(node.corrective) * theta, tf.float32)
        if node.onset_steps:
            spikes *= tf.cast(times[t] >= node.onset_steps, tf.float32)
        graded = spikes * theta
        S_hat = S_hat + graded
        theta_a = constants.k_gamma * (theta_a + tf.abs(spikes) * (precision.m_f * theta))
        theta = precision.theta0 + theta_a
        now = {"spikes": spikes, "graded": graded, "S": S, "S_hat": S_hat, "theta": theta, "I": I, "V": V}
        for quantity in wanted:
            trace[quantity].append(now[quantity])
    return (I, V, S_hat, theta_a), {q: tf.stack(v) for q, v in trace.items()}


def _read_out(node: Readout, state: Any, drive: Any, held: Any, steps: int) -> tuple[Any, Any]:
    k_beta, k_phi = np.float32(node.k_beta), np.float32(node.k_phi)
    current, smoothed = state
    outputs = []
    for t in range(steps):
        current = k_beta * current if drive is None else k_beta * current + drive[t]
        total = current if held is None else current + held
        smoothed = k_phi * smoothed + (np.float32(1) - k_phi) * total
        outputs.append(smoothed + tf.constant(node.bias, tf.float32))
    return (current, smoothed), tf.stack(outputs)


# ---- linear maps, time and images in one batch ----------------------------------------------------------------------


def _drive(node: Linear, xs: list[Any], steps: int) -> Any:
    """Apply a node to values of shape (steps, images, ...); ``None`` is no spikes at all."""
    if all(x is None for x in xs):
        return None
    known = next(x for x in xs if x is not None)
    images = tf.shape(known)[1]
    flat = [
        tf.zeros((steps * images, *shape)) if x is None else tf.reshape(x, (-1, *shape))
        for x, shape in zip(xs, node.input_shapes, strict=True)
    ]
    return tf.reshape(apply(node, *flat), (steps, images, *node.shape))


@singledispatch
def apply(node: Linear, *xs: Any) -> Any:
    """``node.apply`` in TensorFlow, for tensors of shape (batch, *input_shape).

    Of a kind without an entry of its own below it follows from the edges: correct, and slow where many groups of edges
    have weights of their own. Another kind's fast one is registered with ``tensorflow.apply.register``.
    """
    every = tf.autograph.experimental.do_not_convert(node.edges)()
    return tf.add_n([_along(edges, x, node.shape) for edges, x in zip(every, xs, strict=True)])


def _along(edges: PixelMap, x: Any, shape: Shape) -> Any:
    """``PixelMap.apply`` in TensorFlow."""
    flat = tf.reshape(x, (-1, pixels(x.shape[1:]), x.shape[-1]))
    total = tf.zeros((tf.shape(x)[0], pixels(shape), shape[-1]))
    for source, target, band in edges.groups:
        total += _spread(_across(band, tf.gather(flat, source, axis=1), shape[-1]), target, pixels(shape), axis=1)
    return tf.reshape(total, (-1, *shape))


def _across(band: Band, x: Any, channels: int) -> Any:
    """``Band.apply`` in TensorFlow."""
    band = band.astype(np.float32)
    leads = np.arange(len(band.first)) if band.leads is None else np.flatnonzero(band.leads)
    if band.width > 1 or len(np.unique(band.first[leads])) < len(leads):
        return tf.tensordot(x, tf.constant(band.matrix(channels)), 1)
    return _spread(tf.gather(x * band.rows[:, 0], leads, axis=-1), band.first[leads], channels, axis=-1)


def _spread(x: Any, places: Indices, size: int, axis: int) -> Any:
    """Put entry i along an axis to ``places[i]``, which all differ, of ``size`` places, with zeros between."""
    if np.array_equal(places, np.arange(size)):
        return x
    axis %= x.shape.rank
    order = np.full(size, len(places))
    order[places] = np.arange(len(places))
    padded = tf.pad(x, [(0, int(i == axis)) for i in range(x.shape.rank)])
    return tf.gather(padded, order, axis=axis)


@apply.register
def _(node: Dense, *xs: Any) -> Any:
    return tf.matmul(xs[0], tf.constant(node.weights))


@apply.register
def _(node: Conv2D, *xs: Any) -> Any:
    inputs = tf.split(_pad(node.window, xs[0]), node.groups, axis=-1)
    kernels = tf.split(tf.constant(node.weights), node.groups, axis=-1)
    parts = [_convolve(node, x, w) for x, w in zip(inputs, kernels, strict=True)]
    return tf.concat(parts, axis=-1)


def _convolve(node: Conv2D, x: Any, weights: Any) -> Any:
    window = node.window
    if window.dilation == (1, 1) or window.strides == (1, 1):
        return tf.nn.conv2d(x, weights, window.strides, "VALID", dilations=window.dilation)
    return tf.add_n([tf.tensordot(part, weights[i, j], 1) for (i, j), part in _parts(window, node, x)])


@apply.register
def _(node: DepthwiseConv2D, *xs: Any) -> Any:
    x, weights = _pad(node.window, xs[0]), tf.constant(node.weights)
    total = tf.add_n([part[..., None] * weights[i, j] for (i, j), part in _parts(node.window, node, x)])
    return tf.reshape(total, (-1, *node.shape))


@apply.register
def _(node: AveragePool2D, *xs: Any) -> Any:
    parts = _parts(node.window, node, _pad(node.window, xs[0]))
    return tf.add_n([part for _, part in parts]) * (1 / node.divisor).astype(np.float32)


@apply.register
def _(node: ZeroPad2D, *xs: Any) -> Any:
    return tf.pad(xs[0], ((0, 0), *node.padding, (0, 0)))


@apply.register
def _(node: Reshape, *xs: Any) -> Any:
    return tf.reshape(xs[0], (-1, *node.target))


@apply.register
def _(node: Scale, *xs: Any) -> Any:
    return xs[0] * tf.constant(node.factors)


@apply.register
def _(node: Add, *xs: Any) -> Any:
    return tf.add_n(list(xs))


@apply.register
def _(node: Concatenate, *xs: Any) -> Any:
    return tf.concat(list(xs), axis=-1)


def _pad(window: Window, x: Any, value: float = 0.0) -> Any:
    return tf.pad(x, ((0, 0), *window.padding, (0, 0)), constant_values=value)


def _parts(window: Window, node: Linear, padded: Any) -> list[tuple[tuple[int, int], Any]]:
    """By tap of the window, the pixels that it reads, one for each output pixel."""
    return [(tap, padded[:, r, c]) for tap, (r, c) in window.taps(*node.input_shapes[0][:2])]


def _max_pool(window: Window, V: Any) -> Any:
    padded = _pad(window, V, -np.inf)
    return tf.nn.max_pool2d(padded, window.size, window.strides, "VALID")


@lru_cache(maxsize=1)
def accelerator() -> bool:
    """Whether TensorFlow sees a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))
