"""NIR graphs of others: primitives become a draft, whose images are channels-last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snntb_adsnn.errors import ConversionError, NetworkError, ParameterError
from snntb_adsnn.frontends.check import Probe, check, expected
from snntb_adsnn.frontends.nir.evaluate import (
    evaluate,
    in_order,
    is_asn,
    paddings,
    pair,
    population,
    result,
    sources_of,
)
from snntb_adsnn.frontends.nir.metadata import parameters_of, text
from snntb_adsnn.network import Input, Neurons, SpikingNetwork
from snntb_adsnn.network.draft import Draft, fit_thresholds
from snntb_adsnn.network.maps import Add, Array, Conv2D, Dense, DepthwiseConv2D, Reshape, Scale, Shape, Window
from snntb_adsnn.network.maps.permutation import Permute
from snntb_adsnn.registry import Registry

CONVERTERS: Registry[str, Callable[[Foreign, str, Any, str], str]] = Registry("NIR node")
"""By the name of a node's class: adds to the draft what it computes of a node of the draft; returns the last one."""


def refused(name: str, node: Any, why: str) -> ConversionError:
    """What is said of a node that cannot be converted exactly."""
    return ConversionError(f"NIR node {name!r} ({type(node).__name__}): {why}")


@dataclass
class Foreign:
    """A graph on its way to a network.

    Attributes:
        graph: of nir.
        x: check inputs, in NIR's layout or channels-last.
        draft: what it becomes.
        at: by NIR node, the draft's node with its value; images channels-last, with one row for a series.
        shapes: by NIR node, its shape in NIR.
        probes: by node of the draft, the value of the graph that it should have.
        smoothing: time constants of the LI nodes, ms.
    """

    graph: Any
    x: Array
    draft: Draft = field(default_factory=Draft)
    at: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    probes: dict[str, Probe] = field(default_factory=dict)
    smoothing: list[float] = field(default_factory=list)

    def network(self, readout_tau_phi: float, dtype: type[np.floating[Any]]) -> SpikingNetwork:
        """The network, compared with the graph on ``x``."""
        output = ""
        for name in in_order(self.graph):
            node = self.graph.nodes[name]
            kind = type(node).__name__
            if kind == "Input":
                self.put_input(name, node)
                continue
            if not all(source in self.at for source in sources_of(self.graph, name)) or not sources_of(
                self.graph, name
            ):
                raise refused(name, node, "the graph's input does not reach it; connect it, or take it out.")
            try:
                self._put(name, node)
            except (NetworkError, ParameterError) as error:
                raise refused(name, node, f"{str(error).rstrip('.')}.") from error
            output = name if kind == "Output" else output
        if not output:
            raise ConversionError("the NIR graph has no Output node; add one behind its last node.")
        return self._checked(output, self.smoothing[-1] if self.smoothing else readout_tau_phi, dtype)

    def _put(self, name: str, node: Any) -> None:
        sources = sources_of(self.graph, name)
        at = self.at[sources[0]]
        if len(sources) > 1:
            at = self.add(Add, f"{name}/sum", *(self.at[source] for source in sources))
        self.shapes[name] = self.shapes[sources[0]]
        if is_asn(node):
            self.at[name] = self.neurons(name, node, at)
            return
        kind = type(node).__name__
        if kind not in CONVERTERS:
            known = ", ".join(CONVERTERS)
            raise refused(
                name,
                node,
                f"it cannot be converted exactly; known are {known}, and neurons whose metadata say model: ASN. "
                "Replace it, or write the graph with to_nir.",
            )
        self.at[name] = CONVERTERS[kind](self, name, node, at)

    def add(self, kind: Any, name: str, *inputs: str, constant: Array | None = None, **fields: Any) -> str:
        """Append a node to the draft."""
        shapes = tuple(self.draft.nodes[i].shape for i in inputs)
        return self.draft.add(kind(name=name, inputs=inputs, input_shapes=shapes, **fields), constant)

    def put_input(self, name: str, node: Any) -> None:
        """The graph's input, as the check inputs hold it."""
        if any(type(self.graph.nodes[other]).__name__ == "Input" for other in self.at):
            raise refused(name, node, "the graph has a second input; give it one.")
        shape = tuple(int(n) for n in next(iter(node.input_type.values())))
        last = (*shape[1:], shape[0])
        if self.x.shape[1:] not in (shape, last):
            raise refused(name, node, f"check inputs of shape {self.x.shape} do not fit {shape}; give some that do.")
        self.shapes[name] = shape
        given = shape if self.x.shape[1:] == shape else last
        at = self.draft.add(Input(name, (), (), given))
        if len(shape) > 1 and given == shape:
            at = self.add(Permute, f"{name}/channels_last", at, axes=(*range(1, len(shape)), 0))
        if len(shape) == 2:
            at = self.add(Reshape, f"{name}/row", at, target=(1, *last))
        self.at[name] = at

    def neurons(self, name: str, node: Any, at: str) -> str:
        """A population of ASNs, and what a spike of it is in NIR: 1, in one step."""
        gain = np.asarray(node.r * getattr(node, "w_in", 1.0), np.float64)
        _, currents = population(node)
        if "array_m_f" in node.metadata or np.ptp(gain) or np.ptp(currents):
            raise refused(name, node, "its neurons have different constants; give one population the same.")
        channels = self.draft.nodes[at].shape[-1]
        at = self.add(
            Scale, f"{name}/gain", at, factors=np.full(channels, gain.flat[0]), constant=self.last(node.v_leak)
        )
        p, form = parameters_of(node.metadata), text(node.metadata.get("form", "exact"))
        at = self.add(Neurons, name, at, bias=np.zeros(channels, np.float32), parameters=p, form=form)
        self.probes[at] = Probe(name, lambda values: self.back(values * currents))
        return self.add(Scale, f"{name}/spikes", at, factors=np.full(channels, 1 / currents.flat[0]))

    def last(self, values: Any) -> Array:
        """A constant of NIR's layout with the channels last."""
        return self.back(np.asarray(values, np.float64)[None])[0]

    def back(self, values: Array) -> Array:
        """Values (images, *NIR's shape) with the channels last."""
        if values.ndim == 2:
            return values
        values = np.moveaxis(values, 1, -1)
        return values[:, None] if values.ndim == 3 else values

    def _checked(self, output: str, tau_phi: float, dtype: type[np.floating[Any]]) -> SpikingNetwork:
        try:
            network, sources = self.draft.finish(self.at[output], tau_phi, dtype)
        except NetworkError as error:
            raise ConversionError(f"the NIR graph cannot become a spiking network: {error}") from error
        x = network.check_images(self.x, np.float32)
        shape = next(s for n, s in self.shapes.items() if type(self.graph.nodes[n]).__name__ == "Input")
        values = evaluate(self.graph, x if x.shape[1:] == shape else np.moveaxis(x, -1, 1))
        seen = expected(network, sources, self.probes, values)
        check(network, x, seen, result(self.graph, values), "NIR")
        return fit_thresholds(network, x)


@CONVERTERS.register("Linear", "Affine")
def _dense(graph: Foreign, name: str, node: Any, at: str) -> str:
    weight = np.asarray(node.weight)
    if weight.ndim != 2 or len(graph.draft.nodes[at].shape) != 1:
        raise refused(name, node, "it acts on one axis of several; flatten in front of it.")
    graph.shapes[name] = (len(weight),)
    return graph.add(Dense, name, at, weights=weight.T, constant=getattr(node, "bias", None))


@CONVERTERS.register("Conv2d")
def _conv2d(graph: Foreign, name: str, node: Any, at: str) -> str:
    weight = np.asarray(node.weight)
    padding = tuple(paddings(node, weight.shape[2:]))
    window = Window(weight.shape[2:], pair(node.stride), padding, pair(node.dilation))  # type: ignore[arg-type]
    return _convolution(graph, name, node, at, weight, window)


@CONVERTERS.register("Conv1d")
def _conv1d(graph: Foreign, name: str, node: Any, at: str) -> str:
    weight = np.asarray(node.weight)[:, :, None]
    (padding,) = paddings(node, weight.shape[3:])
    window = Window((1, weight.shape[3]), (1, int(node.stride)), ((0, 0), padding), (1, int(node.dilation)))
    return _convolution(graph, name, node, at, weight, window)


def _convolution(graph: Foreign, name: str, node: Any, at: str, weight: Array, window: Window) -> str:
    kernel, groups = weight.transpose(2, 3, 1, 0), int(node.groups)
    at = graph.add(Conv2D, name, at, weights=kernel, window=window, groups=groups, constant=np.asarray(node.bias))
    rows, columns, channels = graph.draft.nodes[at].shape
    graph.shapes[name] = (channels, columns) if type(node).__name__ == "Conv1d" else (channels, rows, columns)
    return at


@CONVERTERS.register("SumPool2d", "AvgPool2d")
def _pool(graph: Foreign, name: str, node: Any, at: str) -> str:
    mean = type(node).__name__ == "AvgPool2d"
    if "maximum" in node.metadata or (mean and any(pair(node.padding))):
        raise refused(
            name, node, "a mean with padding: NIR does not say whether padded pixels count. Use SumPool2d and Scale."
        )
    size = pair(node.kernel_size)
    window = Window(size, pair(node.stride), tuple((p, p) for p in pair(node.padding)))  # type: ignore[arg-type]
    channels = graph.draft.nodes[at].shape[-1]
    weights = np.full((*size, channels, 1), 1 / (size[0] * size[1]) if mean else 1.0)
    at = graph.add(DepthwiseConv2D, name, at, weights=weights, window=window)
    rows, columns, channels = graph.draft.nodes[at].shape
    graph.shapes[name] = (channels, rows, columns)
    return at


@CONVERTERS.register("Flatten")
def _flatten(graph: Foreign, name: str, node: Any, at: str) -> str:
    shape = graph.shapes[name]
    axes = len(shape)
    if int(node.start_dim) != 0 or int(node.end_dim) not in (-1, axes - 1):
        raise refused(name, node, "it keeps an axis, since NIR counts no batch axis; set start_dim=0 and end_dim=-1.")
    size = int(np.prod(shape))
    graph.shapes[name] = (size,)
    if axes == 1:
        return at
    at = graph.add(Permute, f"{name}/channels_first", at, axes=(2, 0, 1))
    return graph.add(Reshape, name, at, target=(size,))


@CONVERTERS.register("Scale")
def _scale(graph: Foreign, name: str, node: Any, at: str) -> str:
    shape = graph.draft.nodes[at].shape
    factors = np.broadcast_to(graph.last(np.broadcast_to(node.scale, graph.shapes[name])), shape).reshape(-1, shape[-1])
    if np.ptp(factors, axis=0).any():
        raise refused(name, node, "it scales the pixels of a channel differently; give each channel one factor.")
    return graph.add(Scale, name, at, factors=factors[0].copy())


@CONVERTERS.register("LI")
def _leaky(graph: Foreign, name: str, node: Any, at: str) -> str:
    after = [text(b) for a, b in graph.graph.edges if text(a) == name]
    if any(type(graph.graph.nodes[b]).__name__ not in ("LI", "Output") for b in after):
        raise refused(
            name, node, "it stands inside the graph, where currents are the neurons'; only the read-out is LI."
        )
    if np.ptp(node.tau):
        raise refused(name, node, "its outputs have different time constants; give them one.")
    graph.smoothing.append(1000.0 * float(np.ravel(node.tau)[0]))
    shape = graph.draft.nodes[at].shape
    return graph.add(Scale, name, at, factors=np.broadcast_to(node.r, shape).copy(), constant=np.asarray(node.v_leak))


@CONVERTERS.register("Output")
def _output(graph: Foreign, name: str, node: Any, at: str) -> str:
    return at
