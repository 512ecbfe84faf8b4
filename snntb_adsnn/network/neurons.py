"""The vertices of a network that are no linear maps: the analog input, populations of neurons, the read-out."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from snntb_adsnn.errors import NetworkError, ParameterError
from snntb_adsnn.network.maps import MaxPool2D, Window
from snntb_adsnn.network.node import Array, Node, Shape
from snntb_adsnn.network.outputs import Output, split
from snntb_adsnn.network.tasks import AUTO, TASKS, Task, task_of, tasks_of
from snntb_adsnn.neuron import ASNParameters, check_corrective
from snntb_adsnn.neuron.transfer import GRADED, check_form, spike_height, transfer


@dataclass(frozen=True, eq=False)
class Input(Node):
    """The analog input; held during the whole simulation.

    Attributes:
        size: shape of what is held.
        stem: nodes that compute it from an image, whose shape their own first Input has; none: it is the image.
        parts: of an input that several arrays make up, their names and shapes; it is a vector of them all.
    """

    size: Shape
    stem: tuple[Node, ...] = ()
    parts: tuple[tuple[str, Shape], ...] = ()

    def output_shape(self) -> Shape:
        if not self.size or min(self.size) < 1:
            raise NetworkError(f"{self.name}: input shape {self.size} must have positive sizes.")
        if self.stem and (not isinstance(self.stem[0], Input) or self.stem[-1].shape != self.size):
            raise NetworkError(f"{self.name}: its stem must lead from an Input to the shape {self.size}.")
        if self.parts and self.size != (sum(math.prod(shape) for _, shape in self.parts),):
            raise NetworkError(f"{self.name}: its parts do not make up the shape {self.size}.")
        return self.size

    @property
    def image(self) -> Input:
        """The input that takes images."""
        first = self.stem[0] if self.stem else self
        assert isinstance(first, Input)
        return first

    def split(self, x: Array) -> list[Array]:
        """Images of shape (images, *size) as the arrays that make them up, each (images, *its shape)."""
        if not self.parts:
            return [x]
        ends = np.cumsum([math.prod(shape) for _, shape in self.parts])
        pieces = np.split(x, ends[:-1], axis=1)
        return [piece.reshape(len(x), *shape) for piece, (_, shape) in zip(pieces, self.parts, strict=True)]

    def held(self, x: Array) -> Array:
        """What is held for images x of shape (images, *image shape), in their type."""
        if not self.stem:
            return x
        values = {self.stem[0].name: x}
        for node in self.stem[1:]:
            values[node.name] = node.apply(*(values[source] for source in node.inputs))  # type: ignore[attr-defined]
        return values[self.stem[-1].name]


class Precision(NamedTuple):
    """What a population's precision decides: numbers, or float64 arrays of the population's shape.

    Attributes:
        m_f, theta0: speed of adaptation and resting threshold.
        height: h, by which every outgoing weight is scaled (graded spikes: and by the threshold of the moment).
    """

    m_f: float | Array
    theta0: float | Array
    height: float | Array


@dataclass(frozen=True, eq=False)
class Neurons(Node):
    """A population of adaptive spiking neurons: S = pool(V) + bias, then spikes (``neuron.ASNState``).

    Attributes:
        bias: added after pooling, unfiltered: shape (channels,) or the full ``shape``.
        parameters: the neurons' constants.
        form: transfer function it was trained with; fixes the spike height. ``relu``: spikes are graded.
        pool: max pooling of the membrane potentials, or ``None`` (average pooling is linear: a node of its own).
        m_f: each neuron's own m_f in place of ``parameters.m_f``, broadcastable to ``shape`` (location-based attention:
            (height, width, 1)); theta0 and h follow. ``None``: all have the same.
        scale: graded spikes only: what theta0 is multiplied with, of shape (channels,), for the values of one channel
            may be ten times as large as another's. ``None``: 1.
        onset: no neuron spikes before this time, ms, for until then the layers before fill up.
        corrective: c of the rule for corrective spikes (``ASNState.fire``), or ``None``: there are none.
        corrected: whether ``bias`` was corrected for this precision (``measure.correction``), and fits no other.
    """

    bias: Array
    parameters: ASNParameters
    form: str = "exact"
    pool: Window | None = None
    m_f: Array | None = None
    scale: Array | None = None
    onset: float = 0.0
    corrective: float | None = None
    corrected: bool = False

    def output_shape(self) -> Shape:
        check_form(self.form)
        shape = self.input_shapes[0]
        if self.pool is not None:
            self._need(len(shape) == 3, "pooling needs (height, width, channels)")
            shape = (*self.pool.output_size(*shape[:2]), shape[2])
        if self.bias.shape not in (shape, shape[-1:]):
            raise NetworkError(f"{self.name}: bias of shape {self.bias.shape} fits neither {shape} nor {shape[-1:]}.")
        if self.m_f is not None and (self.m_f.ndim > len(shape) or not _broadcasts(self.m_f.shape, shape)):
            raise NetworkError(f"{self.name}: m_f of shape {self.m_f.shape} cannot be spread over {shape}.")
        if self.scale is not None:
            self._need(self.graded, "only graded spikes have thresholds of their own scale")
            self._need(self.scale.shape == shape[-1:], "scale needs one number a channel")
            self._need(bool(np.all((self.scale > 0) & (self.scale < np.inf))), "scale needs finite numbers above 0")
        if not 0 <= self.onset < math.inf:
            raise NetworkError(f"{self.name}: onset = {self.onset!r} must be a time in ms, 0 or more.")
        if self.corrective is not None:
            check_corrective(self.corrective)
        return shape

    @property
    def spike_dtype(self) -> type[np.bool_ | np.int8]:
        """Of recorded spikes: bool; where some are corrective int8, -1 for those."""
        return np.bool_ if self.corrective is None else np.int8

    @property
    def onset_steps(self) -> int:
        """Steps in which no neuron spikes."""
        return round(self.onset / self.parameters.dt)

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)

    @property
    def spike_height(self) -> float:
        """h, by which every outgoing weight is scaled.

        Raises:
            NetworkError: every neuron has its own; see ``precision``.
        """
        if self.m_f is not None:
            raise NetworkError(f"{self.name}: every neuron has its own m_f here, so there is no one spike height.")
        return spike_height(self.parameters, form=self.form)

    @property
    def precision(self) -> Precision:
        """m_f, theta0 and h: numbers, or arrays where the neurons have their own ``m_f``."""
        scale = 1.0 if self.scale is None else np.broadcast_to(self.scale.astype(np.float64), self.shape)
        if self.m_f is None:
            return Precision(self.parameters.m_f, self.parameters.resting_threshold * scale, self.spike_height)
        values, index = np.unique(self.m_f, return_inverse=True)
        neurons = [self.parameters.with_m_f(float(value)) for value in values]
        heights = [spike_height(p, form=self.form) for p in neurons]
        table = np.array([values, [p.resting_threshold for p in neurons], heights], np.float64)
        spread = table[:, np.broadcast_to(index.reshape(self.m_f.shape), self.shape)]
        return Precision(spread[0], spread[1] * scale, spread[2])

    @property
    def graded(self) -> bool:
        """Whether a spike's height is h times the threshold that it exceeded, instead of h."""
        return self.form == GRADED

    def with_form(self, form: str | None) -> Neurons:
        """With another transfer form of neurons whose spikes are all alike; graded ones stay as they are."""
        return self if self.graded or form is None else replace(self, form=form)

    def pooled(self, x: Array) -> Array:
        """pool(x) for x of shape (batch, *input_shape)."""
        if self.pool is None:
            return x
        return MaxPool2D(self.name, self.inputs, self.input_shapes, self.pool).apply(x)

    def potential(self, x: Array) -> Array:
        """S = pool(x) + bias for filtered potentials x of shape (batch, *input_shape)."""
        return self.pooled(x) + self.bias.astype(x.dtype, copy=False)

    def analog(self, x: Array) -> Array:
        """Transfer function of the potential: what the spikes encode."""
        S = self.potential(x)
        if self.m_f is None:
            return transfer(S, self.parameters, self.form).astype(x.dtype)
        result, m_f = np.empty_like(S), np.broadcast_to(self.m_f, S.shape)
        for value in np.unique(self.m_f):
            chosen = m_f == value
            result[chosen] = transfer(S[chosen], self.parameters.with_m_f(float(value)), self.form)
        return result


@dataclass(frozen=True, eq=False)
class Readout(Node):
    """The last layer: smoothed currents plus bias that never spike. The activation is applied to them when they are
    read.

    Attributes:
        bias: shape (values,): of all outputs, one after the other. Where somebody watches the currents of a layer, the
            layer's shape.
        tau_phi: smoothing time constant, ms.
        tau_beta, dt: as the neurons'.
        activation: a name in ``outputs.ACTIVATIONS``: what the model ends with; of several outputs ``parts`` say it.
        parts: the model's outputs. Empty: one, of shape (values,).
    """

    bias: Array
    tau_phi: float = 50.0
    tau_beta: float = 50.0
    dt: float = 1.0
    activation: str = "softmax"
    parts: tuple[Output, ...] = ()

    def output_shape(self) -> Shape:
        self._need(self.bias.shape == self.input_shapes[0], "needs one bias a class")
        values = sum(part.size for part in self._parts)
        self._need(values == math.prod(self.input_shapes[0]), f"its outputs have {values} values")
        if len({part.name for part in self._parts}) != len(self._parts):
            raise NetworkError(f"{self.name}: two outputs have one name; names must be unique.")
        for part in self._parts:
            if part.task not in (AUTO, *TASKS):
                raise NetworkError(f"{part.name}: task {part.task!r} must be {AUTO} or one of {', '.join(TASKS)}.")
        if not all(math.isfinite(t) and t > 0 for t in (self.tau_phi, self.tau_beta, self.dt)):
            raise ParameterError(f"{self.name}: tau_phi, tau_beta and dt must be finite numbers above 0.")
        return self.input_shapes[0]

    @property
    def _parts(self) -> tuple[Output, ...]:
        return self.parts or (Output(self.name, self.input_shapes[0], self.activation),)

    @cached_property
    def outputs(self) -> tuple[Output, ...]:
        """The model's outputs, in the order of their values."""
        return self._parts

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """What each output is for.

        Raises:
            ParameterError: a task does not fit, or an output is a softmax of one value.
        """
        return tuple(task_of(part, part.task) for part in self.outputs)

    def with_task(self, wanted: str, labels: Any = None) -> Readout:
        """The same read-out for a task; see ``SpikingNetwork.with_task``."""
        found = tasks_of(self.outputs, wanted, labels)
        plain = [task_of(part).name for part in self.outputs] if wanted == AUTO else []
        if [task.name for task in found] == plain:
            return self
        parts = (replace(part, task=task.name) for part, task in zip(self.outputs, found, strict=True))
        return replace(self, parts=tuple(parts))

    def activated(self, potentials: Array) -> Array:
        """What the model's outputs are for potentials of shape (..., values), in that shape."""
        starts = np.cumsum([part.size for part in self.outputs])[:-1]
        pieces = np.split(potentials, starts, axis=-1)
        done = [part.activated(piece) for part, piece in zip(self.outputs, pieces, strict=True)]
        return done[0] if len(done) == 1 else np.concatenate(done, axis=-1)

    def shaped(self, values: Array) -> Array:
        """Values of shape (..., values) in the shape of the one output; of several, as they are."""
        return values.reshape(*values.shape[:-1], *self.outputs[0].shape) if len(self.outputs) == 1 else values

    def split(self, values: Array) -> dict[str, Array]:
        """The values of each output, shape (..., *output shape), from all in a row, shape (..., values)."""
        return split(self.outputs, values)

    @property
    def k_phi(self) -> float:
        """Factor of the smoothing filter in one step."""
        return math.exp(-self.dt / self.tau_phi)

    @property
    def k_beta(self) -> float:
        """Factor by which the current decays in one step."""
        return math.exp(-self.dt / self.tau_beta)


def _broadcasts(shape: Shape, into: Shape) -> bool:
    """Whether an array of ``shape`` can be spread over ``into``."""
    padded = (1,) * (len(into) - len(shape)) + shape
    return all(size in (1, whole) for size, whole in zip(padded, into, strict=True))
