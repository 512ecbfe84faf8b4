"""A converted network as plain data: a graph of linear maps and spiking neurons, with its analog evaluation."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from snntb_adsnn.errors import NetworkError, ParameterError
from snntb_adsnn.network.export import EXPORTS
from snntb_adsnn.network.maps import Linear, Window
from snntb_adsnn.network.neurons import Input, Neurons, Readout
from snntb_adsnn.network.node import Array, Node, Shape, kinds
from snntb_adsnn.network.outputs import Output
from snntb_adsnn.network.tasks import Task
from snntb_adsnn.neuron import ASNParameters, check_corrective
from snntb_adsnn.record import Format

VARIANTS = 2
"""Networks at other precisions that a network remembers."""
_VARIANTS_LOCK = threading.Lock()


@dataclass(frozen=True, eq=False)
class SpikingNetwork:
    """Nodes in an order in which every node comes after its inputs: one Input, linear maps, Neurons, one Readout.

    Raises:
        NetworkError: a broken graph: unknown or repeated names, shapes that do not fit, a second input or read-out,
            neurons that do not share tau_beta and dt.
    """

    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        seen: dict[str, Node] = {}
        for node in self.nodes:
            if node.name in seen:
                raise NetworkError(f"two nodes are named {node.name!r}; names must be unique.")
            if not isinstance(node, Input | Linear | Neurons | Readout):
                raise NetworkError(f"{node.name}: a {type(node).__name__} cannot stand alone in a spiking network.")
            for source, shape in zip(node.inputs, node.input_shapes, strict=True):
                if source not in seen or isinstance(seen[source], Readout):
                    raise NetworkError(f"{node.name}: its input {source!r} is not an earlier node.")
                if seen[source].shape != shape:
                    raise NetworkError(f"{node.name}: expects {shape} from {source!r}, which has {seen[source].shape}.")
            seen[node.name] = node
        kinds = [type(node) for node in self.nodes]
        if kinds.count(Input) != 1 or kinds.count(Readout) != 1 or kinds[0] is not Input or kinds[-1] is not Readout:
            raise NetworkError("a spiking network starts with its one Input and ends with its one Readout.")
        if len({(n.parameters.tau_beta, n.parameters.dt) for n in self.populations} | {self._current}) != 1:
            raise NetworkError(
                "all neurons and the read-out must share tau_beta and dt: a spike's height is normalised to the decay "
                "of the current that receives it. Give every layer the same tau_beta and dt."
            )

    @property
    def _current(self) -> tuple[float, float]:
        return self.readout.tau_beta, self.readout.dt

    @property
    def input(self) -> Input:
        """The analog input."""
        assert isinstance(self.nodes[0], Input)
        return self.nodes[0]

    @property
    def readout(self) -> Readout:
        """The last layer."""
        assert isinstance(self.nodes[-1], Readout)
        return self.nodes[-1]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What each output is for: classification, binary, multilabel or regression (``tasks.TASKS``).

        Raises:
            ParameterError: an output that is always 1.
        """
        return self.readout.tasks

    def with_task(self, wanted: str, labels: Any = None) -> SpikingNetwork:
        """The same network for a task.

        Args:
            wanted: a name in ``tasks.TASKS``, or ``auto``: what follows from the outputs.
            labels: as they stand in a file; they choose where outputs leave a choice.

        Raises:
            ParameterError: the outputs cannot be used so.
        """
        readout = self.readout.with_task(wanted, labels)
        return self if readout is self.readout else SpikingNetwork((*self.nodes[:-1], readout))

    @cached_property
    def populations(self) -> tuple[Neurons, ...]:
        """The spiking layers, in order."""
        return tuple(node for node in self.nodes if isinstance(node, Neurons))

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """Nodes by name."""
        return {node.name: node for node in self.nodes}

    @property
    def neuron_count(self) -> int:
        """Number of spiking neurons."""
        return sum(population.size for population in self.populations)

    @property
    def dt(self) -> float:
        """Time step, ms."""
        return self.readout.dt

    def map_neurons(self, change: Callable[[Neurons], Neurons]) -> SpikingNetwork:
        """A copy in which every population went through ``change``."""
        return SpikingNetwork(tuple(change(n) if isinstance(n, Neurons) else n for n in self.nodes))

    def with_m_f(self, m_f: float | Mapping[str, float | Array]) -> SpikingNetwork:
        """The same network at another precision, for all layers or by layer name; theta0 and h follow.

        An array gives each neuron of a layer its own, as ``Neurons.m_f``.

        Raises:
            ParameterError: an unknown layer, a value that is not a finite number above 0, or another precision than the
                one that biases were corrected for.

        Example:
            >>> hidden = Neurons("hidden", ("x",), ((2,),), np.zeros(2), ASNParameters(m_f=0.1))
            >>> readout = Readout("out", ("hidden",), ((2,),), np.zeros(2))
            >>> network = SpikingNetwork((Input("x", (), (), (2,)), hidden, readout))
            >>> [p.parameters.m_f for p in network.with_m_f({"hidden": 0.3}).populations]
            [0.3]
        """
        by_layer = self._by_layer("m_f", m_f)
        change = {name: _checked_m_f(name, value) for name, value in by_layer.items()}
        key = tuple((name, value.shape, value.tobytes()) for name, value in change.items())
        with _VARIANTS_LOCK:
            variant = self._variants.pop(key, None)
            if variant is None:
                variant = self.map_neurons(lambda n: _at_precision(n, change[n.name]) if n.name in change else n)
            self._variants[key] = variant  # the latest is last
            while len(self._variants) > VARIANTS:
                self._variants.pop(next(iter(self._variants)))
        return variant

    def with_onset(self, onset: float | Mapping[str, float]) -> SpikingNetwork:
        """The same network whose layers do not spike before a time in ms, the same for all or by layer name.

        Raises:
            ParameterError: an unknown layer.
            NetworkError: a time below 0.
        """
        by_layer = self._by_layer("onset", onset)
        return self.map_neurons(lambda n: dataclasses.replace(n, onset=float(by_layer.get(n.name, n.onset))))

    def with_corrective(self, c: float | None) -> SpikingNetwork:
        """The same network with corrective spikes in all layers (``ASNState.fire``), or with none.

        Raises:
            ParameterError: ``c`` is out of range.
        """
        if c is not None:
            check_corrective(c)
        return self.map_neurons(lambda n: dataclasses.replace(n, corrective=None if c is None else float(c)))

    def _by_layer(self, what: str, values: Any) -> dict[str, Any]:
        """``values`` by layer name, from one for all or some by name.

        Raises:
            ParameterError: an unknown layer.
        """
        if not isinstance(values, Mapping):
            return dict.fromkeys(self.population_names, values)
        if unknown := set(values) - {p.name for p in self.populations}:
            raise ParameterError(f"{what} names unknown layers {sorted(unknown)}; known: {self.population_names}.")
        return dict(values)

    @cached_property
    def _variants(self) -> dict[Any, SpikingNetwork]:
        """The latest results of ``with_m_f``: engines keep what they prepared by network, so that calls with many
        batches of images prepare it once."""
        return {}

    @property
    def population_names(self) -> list[str]:
        """Names of the spiking layers, in order."""
        return [population.name for population in self.populations]

    # ---- evaluation with the transfer function ---------------------------------------------------------------------

    def propagate(self, values: dict[str, Array]) -> Iterator[tuple[Node, Array]]:
        """Walk the graph: yield each Neurons and Readout node with its linear input, computed from ``values``.

        The caller puts each population's output into ``values`` (by name, batch first) before the walk goes on.
        """
        for node in self.nodes:
            if isinstance(node, Linear):
                values[node.name] = node.apply(*(values[source] for source in node.inputs))
            elif isinstance(node, Neurons | Readout):
                yield node, values[node.inputs[0]]

    def check_images(self, x: Any, dtype: type[np.floating[Any]]) -> Array:
        """``x`` as an array of shape (images, *image shape); raises ParameterError where it does not fit.

        Where the network has several inputs, ``x`` may be a list of arrays in their order, or a dictionary of arrays by
        their names (``network.input.image.parts``).
        """
        image = self.input.image
        if image.parts and isinstance(x, list | tuple | Mapping):
            x = _together(image, x)
        elif isinstance(x, Mapping):
            if list(x) != [image.name]:
                raise ParameterError(f"the input is named {image.name}, but {', '.join(map(str, x))} are given.")
            x = x[image.name]
        x = _numbers(x, image.shape)
        if np.iscomplexobj(x):
            raise ParameterError("input holds complex numbers, and a neuron's current is real; give real numbers.")
        x = x.astype(dtype, copy=False)
        if x.shape[1:] != image.shape or not len(x):
            raise ParameterError(
                f"input of shape {x.shape} does not fit: the network takes at least one image of shape "
                f"{image.shape}, stacked along the first axis."
            )
        if not np.isfinite(x).all():
            raise ParameterError("input holds NaN or infinite values; clean the data first.")
        return x

    def held(self, x: Any, dtype: type[np.floating[Any]]) -> Array:
        """What the input holds for images ``x``, shape (images, *input shape); raises as ``check_images``."""
        return self.input.held(self.check_images(x, dtype))

    @property
    def image_shape(self) -> Shape:
        """Shape of an image, without the batch axis."""
        return self.input.image.shape

    def analog(self, x: Any, *, logits: bool = False) -> Array:
        """Evaluate with the transfer function instead of spikes, in float64: the Keras model but for rounding.

        Args:
            x: shape (images, *input shape).
            logits: leave the read-out's activation (softmax, sigmoid, ...) out.

        Returns:
            shape (images, *output shape), as the model predicts; of several outputs, all values in a row, which
            ``readout.split`` takes apart.
        """
        x = self.held(x, np.float64)
        values: dict[str, Array] = {self.input.name: x}
        outputs = x
        for node, total in self.propagate(values):
            if isinstance(node, Neurons):
                values[node.name] = node.analog(total)
            elif isinstance(node, Readout):
                outputs = total + node.bias
        return self.readout.shaped(outputs if logits else self.readout.activated(outputs))

    # ---- files -----------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write the network to one ``.npz`` file, atomically and without pickle; returns its path."""
        return FORMAT.write(path, self)

    def to_nir(self) -> Any:
        """The network as a ``nir.NIRGraph``, which ``convert`` reads back; see ``frontends.nir.write.to_nir``.

        Raises:
            ConversionError: NIR has no primitive for a layer; or the package nir is missing.
        """
        return EXPORTS.find("nir")(self)

    @classmethod
    def load(cls, path: str | Path) -> SpikingNetwork:
        """Read a network written by ``save``.

        Raises:
            OutputError: the file is missing, damaged, or something else.
        """
        network: SpikingNetwork = FORMAT.read(path)
        return network


FORMAT = Format(
    "snntb-adsnn network",
    2,
    "network file",
    "Convert the model again.",
    ChainMap({kind.__name__: kind for kind in (SpikingNetwork, ASNParameters, Window, Output)}, kinds()),  # type: ignore[arg-type]
)


def no_array(x: Any, shape: str) -> str:
    """What to do with inputs of which numpy makes no array of numbers: a generator, a data set, unequal rows."""
    rows = " of unequal rows, or of something else than numbers" if isinstance(x, list | tuple) else ""
    return (
        f"input is no array of numbers but a {type(x).__name__}{rows}; give one NumPy array of shape {shape}, with all "
        "inputs along its first axis."
    )


def _numbers(x: Any, shape: Shape) -> Array:
    """``x`` as an array of numbers; ``shape`` is an input's, for messages.

    Raises:
        ParameterError: it holds something else, or rows of several lengths.
    """
    try:
        array = np.asarray(x)
        if array.dtype.kind == "O":
            array = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ParameterError(no_array(x, f"(inputs, {', '.join(map(str, shape))})")) from None
    if array.dtype.kind in "USMm":
        what = "texts" if array.dtype.kind in "US" else "dates or times"
        raise ParameterError(f"input holds {what}, and a neuron's current is a number; make numbers of them first.")
    return array


def _together(image: Input, x: Any) -> Array:
    """The arrays of several inputs as one, shape (images, elements of all).

    Raises:
        ParameterError: an array is missing, or does not fit.
    """
    names = [name for name, _ in image.parts]
    if isinstance(x, Mapping):
        if set(x) != set(names):
            raise ParameterError(f"inputs are named {', '.join(names)}, but {', '.join(map(str, x))} are given.")
        x = [x[name] for name in names]
    shapes = [shape for _, shape in image.parts]
    arrays = [_numbers(array, shape) for array, shape in zip(x, shapes, strict=False)]
    if [array.shape[1:] for array in arrays] != shapes or len({len(array) for array in arrays}) != 1:
        wanted = ", ".join(f"{name}: {shape}" for name, shape in image.parts)
        given = ", ".join(str(array.shape) for array in arrays)
        raise ParameterError(
            f"inputs of shapes {given} do not fit: the network takes one array for each of its inputs ({wanted}), with "
            "as many images in each, stacked along the first axis."
        )
    return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)


def _checked_m_f(name: str, m_f: float | Array) -> Array:
    """A layer's new m_f as float64; raises ParameterError unless all are finite numbers above 0."""
    if np.ndim(m_f) == 0:
        return np.float64(ASNParameters(m_f=m_f).m_f)  # type: ignore[arg-type, return-value]
    values = np.asarray(m_f, np.float64)
    if not np.all((values > 0) & (values < math.inf)):
        raise ParameterError(f"m_f of layer {name!r} must hold finite numbers above 0 only.")
    return values


def _at_precision(node: Neurons, m_f: Array) -> Neurons:
    """The population with another m_f: one number, or an array for ``Neurons.m_f``."""
    if m_f.ndim:
        changed = dataclasses.replace(node, m_f=m_f)
    else:
        changed = dataclasses.replace(node, parameters=node.parameters.with_m_f(float(m_f)), m_f=None)
    if not node.corrected:
        return changed
    new, old = (np.broadcast_to(p.parameters.m_f if p.m_f is None else p.m_f, p.shape) for p in (changed, node))
    if np.array_equal(new, old):
        return node
    raise ParameterError(
        f"the biases of layer {node.name!r} were corrected for its m_f, and fit no other; correct the network anew "
        "at the precision that you want: correct_biases(trained.with_m_f(...), x, trained=trained)."
    )
