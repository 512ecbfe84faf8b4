"""SpikingNetwork -> NIR graph: linear maps as primitives, neurons as LIF and CubaLIF with the ASN in ``metadata``."""

from __future__ import annotations

import json
import warnings
from dataclasses import astuple, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.files import atomic_path
from snntb_adsnn.frontends.nir import approximation
from snntb_adsnn.frontends.nir.metadata import describe
from snntb_adsnn.frontends.nir.needed import nir
from snntb_adsnn.frontends.nir.primitives import WEIGHTS, WRITERS, Layout, convolution, embeddings, same
from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import Array, Concatenate, Dense, Linear, Node, Reshape, Window
from snntb_adsnn.neuron import ASNParameters

SECOND = 1000.0
"""Milliseconds: NIR counts in seconds."""
FORMAT = "snntb-adsnn network"


def to_nir(network: SpikingNetwork) -> Any:
    """The network as a graph of NIR: images channels-first, time constants in seconds.

    ``frontends.convert`` reads the same network back, node for node. What other tools see is an approximation of the
    neurons (docs/nir.md); the linear maps are exact.

    Args:
        network: any network without a stem.

    Returns:
        a ``nir.NIRGraph``; ``nir.write`` keeps it in a file.

    Raises:
        ConversionError: NIR has no primitive for a layer; or the package nir is missing.

    Warns:
        UserWarning: NIR has no maximum; layers with max pooling are named.
    """
    if network.input.stem or network.input.parts:
        raise ConversionError(
            f"the network's input {network.input.name!r} is computed from images, or made of several arrays, which NIR "
            "cannot hold; convert a model with one input that goes straight to the first weights."
        )
    if pooled := [p.name for p in network.populations if p.pool is not None]:
        warnings.warn(
            f"NIR has no max pooling: other tools will compute means in {', '.join(pooled)}; snntb-adsnn reads the "
            "maximum back.",
            UserWarning,
            stacklevel=2,
        )
    graph = _Graph(network)
    for index, node in enumerate(network.nodes):
        graph.put(node, index)
    return graph.finish()


def write(path: str | Path, network: SpikingNetwork) -> Path:
    """Write ``to_nir(network)`` to a ``.nir`` file, whole or not at all; returns its path."""
    graph = to_nir(network)
    with atomic_path(Path(path)) as temporary:
        nir().write(str(temporary), graph)
    return Path(path)


@dataclass
class _Graph:
    """A NIR graph under construction.

    Attributes:
        network: what is written.
        nodes, edges: NIR's.
        layouts: by the network's node, how NIR holds its values.
        ends: by the network's node, the NIR node that gives its values.
        held: the network's nodes that only the input reaches: analog, and constant in time.
        names: of NIR nodes that are taken.
    """

    network: SpikingNetwork
    nodes: dict[str, Any] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    layouts: dict[str, Layout] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def put(self, node: Node, index: int) -> None:
        """Add the primitives of one node, linked to those of its inputs."""
        inputs = [self.layouts[source] for source in node.inputs]
        self.layouts[node.name] = layout = _layout(node, inputs)
        if isinstance(node, Input) or (isinstance(node, Linear) and self.held.issuperset(node.inputs)):
            self.held.add(node.name)
        chain, elsewhere = self._chain(node, inputs)
        place = int(isinstance(node, Neurons) and node.pool is not None)  # behind the pooling
        main = chain[place]
        main.metadata = describe(node, index, elsewhere)
        if layout.image:
            main.metadata["image"] = np.array(layout.image)
        endings = ["", "_1"] if not place else ["_pool", "", "_1"]
        names = [self._name(node.name + ending) for _, ending in zip(chain, endings, strict=False)]
        self.nodes |= dict(zip(names, chain, strict=True))
        self.edges += pairwise(names)
        self.ends[node.name] = names[-1]
        for i, source in enumerate(node.inputs):
            self._link(source, node, names[0], embeddings(node)[i] if isinstance(node, Concatenate) else None)
        _type(chain, inputs, layout)

    def _chain(self, node: Node, inputs: list[Layout]) -> tuple[list[Any], tuple[str, ...]]:
        """The primitives of a node, and the fields of it that the first one holds."""
        if isinstance(node, Input):
            return [nir().Input(input_type={"input": Layout(node.shape).nir})], ()
        if isinstance(node, Neurons):
            return _neurons(node, inputs[0], self.layouts[node.name], node.inputs[0] in self.held), ()
        if isinstance(node, Readout):
            return _readout(node), ()
        assert isinstance(node, Linear)
        if isinstance(node, Concatenate):
            if any(layout.image for layout in inputs):
                raise ConversionError(
                    f"layer {node.name!r} joins flattened images, whose order differs in NIR; flatten behind it."
                )
            return [same(self.layouts[node.name])], ()
        kind = type(node).__name__
        if kind in WRITERS:
            return WRITERS[kind](node, inputs), ("weights",) if kind in WEIGHTS else ()
        if (folded := node.as_convolution()) is not None:
            kernel = folded.kernel.astype(np.float32)
            if len(node.shape) == 3 and np.array_equal(kernel, folded.kernel):
                window = Window(kernel.shape[:2], folded.strides, folded.padding)
                return [convolution(kernel.transpose(3, 2, 0, 1), window, 1)], ()
        known = ", ".join(WRITERS)
        raise ConversionError(
            f"layer {node.name!r} ({kind}) has no primitive in NIR; what can be written: {known}, "
            "Concatenate, and what a convolution computes."
        )

    def _link(self, source: str, node: Node, target: str, between: Any) -> None:
        """An edge. Behind a synapse, a held input is as strong as the mean of a spike train: it is scaled to that."""
        last, held = self.ends[source], self.layouts[source]
        extra: list[tuple[Any, Layout]] = []
        through = isinstance(node, Linear) and node.name not in self.held
        if source in self.held and (through or isinstance(node, Readout)):
            share = 1 - self.network.readout.k_beta
            extra.append((nir().Scale(np.full(tuple(held.nir), share)), held))
        if between is not None:
            extra.append((between, self.layouts[node.name]))
        if not extra and (last, target) in self.edges:  # NIR has no edge twice
            extra.append((same(held), held))
        for one, layout in extra:
            name = self._name(f"{source}_to_{node.name}")
            self.nodes[name] = one
            self.edges.append((last, name))
            last = name
            _type([one], [held], layout)
        self.edges.append((last, target))

    def _name(self, wanted: str) -> str:
        """A name that a file can hold, and that is free."""
        name = wanted.replace("/", ".")
        while name in self.names:
            name += "_"
        self.names.add(name)
        return name

    def finish(self) -> Any:
        """The graph."""
        last = self.ends[self.network.readout.name]
        shape = np.array(self.network.readout.shape)
        output = self._name("output")
        self.nodes[output] = nir().Output(output_type={"output": shape})
        self.edges.append((last, output))
        # nir takes kernels for square and groups for one; the shapes are told above
        return nir().NIRGraph(self.nodes, self.edges, metadata={"format": FORMAT}, type_check=False)


def _layout(node: Node, inputs: list[Layout]) -> Layout:
    """How NIR holds the values of a node."""
    image = inputs[0].image if inputs and len(node.shape) == 1 and node.shape == inputs[0].shape else ()
    if isinstance(node, Reshape) and len(node.input_shapes[0]) > 1 and len(node.shape) == 1:
        image = node.input_shapes[0]
    if isinstance(node, Dense | Readout):
        image = ()
    if any(layout.image != inputs[0].image for layout in inputs):
        raise ConversionError(
            f"layer {node.name!r} adds flattened images to other vectors, whose order differs in NIR; add the images."
        )
    if isinstance(node, Readout) and inputs[0].image:
        raise ConversionError("the output is a flattened image, whose order differs in NIR; end with a dense layer.")
    return Layout(node.shape, image)


def _type(chain: list[Any], inputs: list[Layout], output: Layout) -> None:
    """Tell a chain's shapes, which nir derives for some primitives only."""
    first = inputs[0].nir if inputs else output.nir
    for one in chain:
        one.input_type = {"input": first}
        one.output_type = {"output": output.nir}
        if type(one).__name__ == "Conv2d":
            one.input_shape = tuple(int(n) for n in first[1:])
        first = output.nir


def _neurons(node: Neurons, inputs: Layout, layout: Layout, held: bool) -> list[Any]:
    """Pooling where there is some; the neurons; the height of their spikes."""
    parameters = _by_neuron(node)
    shape = tuple(layout.nir)
    resets, heights = (
        np.array([f(p, node.form) for p in parameters.values]).reshape(-1)[parameters.index]
        for f in (approximation.reset, approximation.height)
    )
    thresholds = np.array([p.resting_threshold / 2 for p in parameters.values])[parameters.index]
    full = {
        "r": np.ones(shape),
        "v_leak": layout.out(node.bias.astype(np.float64)),
        "v_threshold": layout.out(thresholds),
        "v_reset": layout.out(resets),
    }
    tau = np.full(shape, node.parameters.tau_eta / SECOND)
    if held:
        neuron = nir().LIF(tau=tau, **full)
    else:
        synapse = np.full(shape, node.parameters.tau_beta / SECOND)
        neuron = nir().CubaLIF(tau_mem=tau, tau_syn=synapse, w_in=1 / (1 - node.parameters.k_beta), **full)
    chain = [neuron, nir().Scale(layout.out(heights))]
    if node.pool is None:
        return chain
    window = node.pool
    pool = nir().AvgPool2d(
        np.array(window.size), np.array(window.strides), np.array([max(pair) for pair in window.padding])
    )
    pool.metadata = {"maximum": json.dumps(astuple(window))}
    return [pool, *chain]


@dataclass(frozen=True)
class _Precisions:
    """The different constants in a population, and which of them each neuron has, of the population's shape."""

    values: list[Any]
    index: Array


def _by_neuron(node: Neurons) -> _Precisions:
    own = node.parameters.m_f if node.m_f is None else node.m_f
    pairs = [
        np.broadcast_to(value, node.shape).reshape(-1) for value in (own, 1.0 if node.scale is None else node.scale)
    ]
    found, index = np.unique(np.stack(pairs, axis=1), axis=0, return_inverse=True)
    return _Precisions([_constants(node, *map(float, pair)) for pair in found], index.reshape(node.shape))


def _constants(node: Neurons, m_f: float, scale: float) -> ASNParameters:
    """Of one neuron."""
    parameters = node.parameters.with_m_f(m_f)
    return replace(parameters, theta0=parameters.resting_threshold * scale)


def _readout(node: Readout) -> list[Any]:
    """The current of the spikes, then its smoothing."""
    ones = np.ones(node.shape)
    current = nir().LI(tau=ones * (node.tau_beta / SECOND), r=ones / (1 - node.k_beta), v_leak=0 * ones)
    bias = node.bias.astype(np.float64)
    return [current, nir().LI(tau=ones * (node.tau_phi / SECOND), r=ones, v_leak=bias)]
