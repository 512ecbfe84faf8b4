"""Keras model -> SpikingNetwork, exactly or not at all.

Each use of a layer becomes nodes of a draft (one small converter per layer type, ``layers.py``); the draft becomes a
network; then that is compared with the Keras model on real inputs. Keras 2 and Keras 3 differ in ``graph.Flavour``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snntb_adsnn.errors import ConversionError, NetworkError
from snntb_adsnn.frontends.check import DeviationError, Probe, check, expected
from snntb_adsnn.frontends.keras.activations import Adaptive, Named, activation_of
from snntb_adsnn.frontends.keras.functions import ACTIVATIONS, FUNCTIONS
from snntb_adsnn.frontends.keras.graph import Before, Flavour, Graph, Use
from snntb_adsnn.frontends.keras.layers import BUILT_IN, CONVERTERS, Converted, KerasLayer, node_shape
from snntb_adsnn.frontends.keras.refusals import unsupported, wrong_activation
from snntb_adsnn.frontends.piecewise import Line, Piecewise, add_populations
from snntb_adsnn.network import Neurons, SpikingNetwork
from snntb_adsnn.network.draft import Draft, Ending, fit_thresholds
from snntb_adsnn.network.maps import MaxPool2D, Reshape
from snntb_adsnn.network.outputs import ACTIVATIONS as OUTPUT_ACTIVATIONS
from snntb_adsnn.network.rewrite import fresh_name
from snntb_adsnn.network.stem import FUNCTIONS as HELD_FUNCTIONS
from snntb_adsnn.network.stem import Elementwise


def convert(
    keras_model: Any, x_check: Any, *, readout_tau_phi: float = 50.0, dtype: type[np.floating[Any]] = np.float32
) -> SpikingNetwork:
    """Convert a Keras 2 model with AAN or ReLU activations into a spiking network; see ``frontends.convert``.

    Args:
        keras_model: a model built of layers; every hidden activation an ``AAN``, or ReLU and what is made of it (ReLU6,
            LeakyReLU), which becomes neurons with graded spikes.
        x_check: real inputs, shape (images, *input shape), on which Keras and the result are compared.
        readout_tau_phi: smoothing time constant of the read-out, ms.
        dtype: of the weights and biases.

    Raises:
        ConversionError: something cannot be converted exactly; names the layer, the reason and a way out.
    """
    from snntb_adsnn.frontends.keras.compat import keras

    return convert_with(Flavour(keras), keras_model, x_check, readout_tau_phi, dtype)


def convert_with(
    flavour: Flavour, model: Any, x_check: Any, readout_tau_phi: float, dtype: type[np.floating[Any]]
) -> SpikingNetwork:
    """``convert`` for either Keras."""
    types = {layer.compute_dtype for layer in getattr(model, "layers", [])}
    if types & _SHORT:
        return _converted(flavour, _in_float64(model), x_check, readout_tau_phi, dtype)
    try:
        return _converted(flavour, model, x_check, readout_tau_phi, dtype)
    except DeviationError as error:
        try:
            twin = _in_float64(model)
        except Exception:  # whatever a layer of the user's own raises
            raise error from None
        return _converted(flavour, twin, x_check, readout_tau_phi, dtype)


_MEMORY = 1e9
"""Bytes of the values of all nodes, for the images that are checked at once."""

_SHORT = {"float16", "bfloat16"}
"""Types in which Keras rounds by more than a conversion may deviate."""


def _converted(
    flavour: Flavour, model: Any, x_check: Any, readout_tau_phi: float, dtype: type[np.floating[Any]]
) -> SpikingNetwork:
    graph = Graph.of(model, flavour)
    building = _Building(graph)
    building.add_inputs()
    for use in graph.uses:
        building.translate(use)
    try:
        ends = dict(zip(graph.output_names, (building.end(key) for key in graph.outputs), strict=True))
        network, sources = building.draft.finish(ends, readout_tau_phi, dtype)
    except NetworkError as error:
        raise ConversionError(f"the model cannot become a spiking network: {error}") from error
    x, probes = network.check_images(x_check, np.float32), building.draft.tensors
    wanted = {probes[source.node].tensor for source in sources.values()}
    bytes_each = 8 * sum(math.prod(node.shape) for node in network.nodes)
    for images in np.array_split(x, min(len(x), math.ceil(len(x) * bytes_each / _MEMORY))):
        given = [part.astype(np.float32) for part in network.input.image.split(images)]
        values = graph.values(given, wanted)
        answers = graph.answers(given)
        check(network, images, expected(network, sources, probes, values), answers, flavour.name)
    return fit_thresholds(network, x_check)


def _in_float64(model: Any) -> Any:
    """The same model, computed in float64: what its layers and weights say, without Keras' rounding."""
    twin = type(model).from_config(_typed(model.get_config()))
    twin.set_weights(model.get_weights())
    return twin


def _typed(part: Any) -> Any:
    """A configuration with every type of numbers made float64."""
    if isinstance(part, list | tuple):
        return type(part)(map(_typed, part))
    if not isinstance(part, dict):
        return part
    return {key: "float64" if key == "dtype" and value is not None else _typed(value) for key, value in part.items()}


# ---- layers to nodes -------------------------------------------------------------------------------------------------


@dataclass
class _Building:
    """A draft that grows by the layers of a model.

    Attributes:
        graph: the model.
        draft: the network under construction.
        nodes: by tensor of the graph, the node that computes it.
    """

    graph: Graph
    draft: Draft = field(default_factory=Draft)
    nodes: dict[int, str] = field(default_factory=dict)

    def add_inputs(self) -> None:
        """Add the model's inputs."""
        names, shapes = self.graph.input_names, [self.graph.shapes[key] for key in self.graph.inputs]
        for name, shape in zip(names, shapes, strict=True):
            if None in shape or not shape:
                raise ConversionError(f"input {name!r} has shape {shape}; give it fixed sizes.")
        known = [tuple(int(n) for n in shape if n is not None) for shape in shapes]
        parts = tuple(zip(names, known, strict=True))
        for key, node in zip(self.graph.inputs, self.draft.add_inputs(parts), strict=True):
            shape = self.draft.nodes[node].shape
            if node_shape(shape) != shape:
                row = Reshape(fresh_name(f"{node}/row", self.draft.nodes), (node,), (shape,), node_shape(shape))
                node = self.draft.add(row)
            self.nodes[key] = node

    def end(self, key: int) -> str:
        """The node of an output, in the output's own shape (a series is an image of one row inside)."""
        node, shape = self.nodes[key], tuple(int(n) for n in self.graph.shapes[key] if n is not None)
        if self.draft.nodes[node].shape == shape:
            return node
        name = fresh_name(f"{node}/series", self.draft.nodes)
        return self.draft.add(Reshape(name, (node,), (self.draft.nodes[node].shape,), shape))

    def translate(self, use: Use) -> None:
        """Add what a use of a layer computes."""
        layer, flavour = use.layer, self.graph.flavour
        function = flavour.function(layer)
        converter = CONVERTERS.get(type(layer))
        if converter is None and flavour.owns(layer):
            converter = BUILT_IN.get(type(layer).__name__)
        if function is not None and function in FUNCTIONS:
            converter = _of_function(use, function)
        elif function in ACTIVATIONS:
            converter = BUILT_IN["Activation"]
        if converter is None:
            raise ConversionError(unsupported(layer, function))
        _need_finite(layer)
        try:
            self._add(use, converter)
        except NetworkError as error:
            reason = str(error)
            if reason.startswith(use.name):  # our name of its node
                reason = reason.partition(": ")[2]
            kind = f"the function {function}" if function else type(layer).__name__
            raise ConversionError(f"layer {use.name!r} ({kind}): {reason}") from error

    def _add(self, use: Use, converter: Any) -> None:
        draft, activation = self.draft, activation_of(self.graph.flavour, use)
        sources = tuple(self.nodes[key] for key in use.inputs)
        spikes = not isinstance(activation, Named)
        kept = KerasLayer(
            use.layer,
            # the population carries the layer's name; the weights in front of it step back
            f"{use.name}/synapses" if spikes else use.name,
            sources,
            tuple(draft.nodes[source].shape for source in sources),
            node_shape(use.shape),
            tuple(len(self.graph.shapes[key]) for key in use.inputs),
        )
        name, added = sources[0], converter(kept)
        for node, constant in added:
            name = draft.add(node, constant)
            if isinstance(node, MaxPool2D):  # in global pooling a reshape follows: the same values
                draft.tensors[name] = Probe(use.output)
        if None not in kept.output and draft.nodes[name].shape != kept.output:
            raise NetworkError(f"its converter gives shape {draft.nodes[name].shape}, but it has {kept.output}.")
        self.nodes[use.output] = self._activate(use, name, activation, fused=bool(added))

    def _activate(self, use: Use, source: str, activation: Any, *, fused: bool) -> str:
        """Add what an activation stands for behind node ``source``; returns the name of the last node.

        ``fused``: the layer computes something before it.
        """
        draft, shape = self.draft, self.draft.nodes[source].shape
        if isinstance(activation, Adaptive):
            neurons = Neurons(use.name, (source,), (shape,), np.zeros(shape[-1:], np.float32), *activation)
            draft.tensors[draft.add(neurons)] = Probe(use.output)
            return neurons.name
        if isinstance(activation, Piecewise):
            if activation == _RELU:
                return add_populations(draft, source, use.name, activation, lambda line: Probe(use.output))
            before: int | Before = Before(use.number) if fused else use.inputs[0]
            return add_populations(draft, source, use.name, activation, lambda line: _probe(before, line))
        if activation.name == "linear":
            return source
        if activation.name in HELD_FUNCTIONS and draft.is_held(source):
            return draft.add(Elementwise(f"{use.name}/{activation.name}", (source,), (shape,), activation.name))
        if activation.name in OUTPUT_ACTIVATIONS:
            return draft.add(Ending(f"{use.name}/{activation.name}", (source,), (shape,), activation.name))
        last = use.output in self.graph.outputs
        raise ConversionError(wrong_activation(use.layer, activation.name, shape[-1], last=last))


_RELU = Piecewise((Line(),))


def _probe(tensor: int | Before, line: Line) -> Probe:
    return Probe(tensor, line.rectified)


def _of_function(use: Use, function: str) -> Any:
    def converter(kept: KerasLayer) -> Converted:
        return FUNCTIONS[function](kept, use)

    return converter


def _need_finite(layer: Any) -> None:
    for weights in getattr(layer, "weights", ()):
        if not np.isfinite(weights.numpy()).all():
            kind = weights.name.rpartition("/")[2].partition(":")[0]
            raise ConversionError(
                f"layer {layer.name!r}: its {kind} holds NaN or infinite values; train the model again."
            )
