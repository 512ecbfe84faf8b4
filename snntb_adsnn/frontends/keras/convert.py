"""Keras model -> SpikingNetwork, exactly or not at all.

Three stages: each Keras layer becomes nodes (one small converter per layer type); max pooling is merged into the
neurons and constants are carried to them; batch-norm gains are folded into weights. Then the result is compared with
the Keras model on real inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from snntb_adsnn.errors import ConversionError, NetworkError
from snntb_adsnn.frontends.keras.activation import AAN
from snntb_adsnn.frontends.keras.compat import keras, tf
from snntb_adsnn.frontends.keras.layers import CONVERTERS, KerasLayer
from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork, rewrite, softmax
from snntb_adsnn.network.maps import Array, MaxPool2D, Node
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import GRADED, transfer

TOLERANCE = 1e-5
"""Largest difference between the Keras model and ``SpikingNetwork.analog``, per layer and relative to its largest
value where that is above 1."""


@dataclass
class Draft:
    """A graph under construction.

    Attributes:
        nodes: by name, in topological order; may hold MaxPool2D.
        constants: what is added after a node (biases, batch-norm shifts), broadcastable to its shape.
        tensors: by node, the Keras tensor with the same value, where there is one.
    """

    nodes: dict[str, Node] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)
    tensors: dict[str, Any] = field(default_factory=dict)

    def add(self, node: Node, constant: Array | None = None) -> str:
        """Append ``node`` and what is added to its output; returns its name."""
        self.nodes[node.name] = node
        if constant is not None and np.any(constant):
            self.constants[node.name] = np.asarray(constant, np.float64)
        return node.name


def convert(
    keras_model: Any, x_check: Any, *, readout_tau_phi: float = 50.0, dtype: type[np.floating[Any]] = np.float32
) -> SpikingNetwork:
    """Convert a Keras model with AAN or ReLU activations into a spiking network.

    Args:
        keras_model: a Keras 2 model with one input and one output; every hidden activation an ``AAN`` or ReLU (which
            becomes neurons with graded spikes), the last layer linear or softmax.
        x_check: real inputs, shape (images, *input shape), on which Keras and the result are compared.
        readout_tau_phi: smoothing time constant of the read-out, ms.
        dtype: of the weights and biases. They are computed in float64; float32, in which every engine simulates, rounds
            them. Keep float64 to compare ``analog`` with Keras in float64.

    Returns:
        the network; ``network.analog(x)`` is ``keras_model.predict(x)`` but for rounding, which deep nets amplify
        (``docs/conversion.md``).

    Raises:
        ConversionError: something cannot be converted exactly; names the layer, the reason and a way out.
    """
    draft, outputs = Draft(), dict[int, str]()
    for call in _ordered_calls(keras_model):
        _translate(call, draft, outputs)
    output = outputs[id(keras_model.outputs[0])]
    try:
        network, computes = _finish(draft, output, readout_tau_phi, dtype)
    except NetworkError as error:
        raise ConversionError(f"the model cannot become a spiking network: {error}") from error
    check(keras_model, network, x_check, {name: draft.tensors[node] for name, node in computes.items()})
    return _with_fitting_thresholds(network, x_check)


# ---- stage 1: layers to nodes --------------------------------------------------------------------------------------


def _ordered_calls(model: Any) -> list[Any]:
    """The calls of the model's layers (Keras nodes: a layer may also be part of another model), inputs first."""
    if not getattr(model, "built", True) or not getattr(model, "inputs", None):
        raise ConversionError("the model has no known input shape; build it, or give its first layer an input shape.")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ConversionError(
            f"the model has {len(model.inputs)} inputs and {len(model.outputs)} outputs; only one of each can be "
            "converted. Cut the model to one input and one output."
        )
    found: list[Any] = []
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            layer = node.outbound_layer
            if isinstance(layer, keras.Model):
                raise ConversionError(
                    f"layer {layer.name!r} is a nested model, which is not converted. Rebuild the model flat."
                )
            if any(layer is other.outbound_layer for other in found):
                raise ConversionError(
                    f"layer {layer.name!r} is used more than once; shared layers are not converted. Copy the layer "
                    "(with its weights) for each use."
                )
            found.append(node)
    return found


def _translate(call: Any, draft: Draft, outputs: dict[int, str]) -> None:
    layer, output = call.outbound_layer, call.outputs
    if isinstance(layer, keras.layers.InputLayer):
        output = output[0] if isinstance(output, list | tuple) else output
        shape = tuple(output.shape[1:])
        if None in shape or not shape:
            raise ConversionError(f"input {layer.name!r} has shape {shape}; give it fixed sizes.")
        outputs[id(output)] = draft.add(Input(layer.name, (), (), shape))
        return
    # the very type: a subclass may compute something else
    converter = CONVERTERS.get(type(layer))
    if converter is None:
        raise ConversionError(
            f"layer {layer.name!r} ({type(layer).__name__}) has no spiking equivalent here. Supported: "
            f"{', '.join(sorted({k.__name__ for k in CONVERTERS}))}. Rebuild the model from these."
        )
    for weights in layer.weights:
        if not np.isfinite(weights.numpy()).all():
            raise ConversionError(f"layer {layer.name!r}: {weights.name} holds NaN or infinite values; train again.")
    try:
        sources = tuple(outputs[id(tensor)] for tensor in call.keras_inputs)
        # the population carries the layer's name; the weights in front of it step back
        kept = KerasLayer(
            layer,
            f"{layer.name}/synapses" if _neuron(layer) else layer.name,
            sources,
            tuple(draft.nodes[s].shape for s in sources),
            tuple(output.shape[1:]),
        )
        name = sources[0]
        for node, constant in converter(kept):
            name = draft.add(node, constant)
            if isinstance(node, MaxPool2D):
                draft.tensors[name] = output  # in global pooling a reshape follows: the same values
        name = _activate(layer, name, draft)
        outputs[id(output)] = name
        draft.tensors[name] = output
    except NetworkError as error:
        raise ConversionError(f"layer {layer.name!r} ({type(layer).__name__}): {error}") from error


def _neuron(layer: Any) -> tuple[ASNParameters, str] | None:
    """Constants and transfer form of the neurons that a layer's activation becomes; ``None`` where it becomes none."""
    activation = getattr(layer, "activation", None)
    if isinstance(activation, AAN):
        return activation.parameters, activation.form
    plain = (
        isinstance(layer, keras.layers.ReLU)
        and layer.max_value is None
        and not (layer.negative_slope or layer.threshold)
    )
    return (ASNParameters(), GRADED) if plain or activation is keras.activations.relu else None


def _activate(layer: Any, source: str, draft: Draft) -> str:
    """Add what a layer's activation stands for behind node ``source``; returns the name of the last node."""
    shape = draft.nodes[source].shape
    if neuron := _neuron(layer):
        return draft.add(Neurons(layer.name, (source,), (shape,), np.zeros(shape[-1:], np.float32), *neuron))
    activation = getattr(layer, "activation", None)
    if isinstance(layer, keras.layers.Softmax):
        activation = keras.activations.softmax
    if isinstance(layer, keras.layers.ReLU):
        raise NetworkError("only a plain ReLU can be converted, without max_value, negative_slope and threshold.")
    name = getattr(activation, "__name__", None)
    if activation is None or name == "linear":
        return source
    if name == "softmax":
        return draft.add(_Softmax(f"{layer.name}/softmax", (source,), (shape,)))
    raise ConversionError(
        f"layer {layer.name!r} has the activation {name!r}, which an adaptive spiking neuron does not compute; the "
        "converted net would give wrong answers. Train with activation=AAN(m_f=...), or relu, in every hidden layer."
    )


@dataclass(frozen=True, eq=False)
class _Softmax(Node):
    """Marks a softmax; allowed only as the last node, where it becomes the read-out's activation."""

    def output_shape(self) -> tuple[int, ...]:
        return self.input_shapes[0]


# ---- stage 2: nodes to network -------------------------------------------------------------------------------------


def _finish(
    draft: Draft, output: str, readout_tau_phi: float, dtype: type[np.floating[Any]]
) -> tuple[SpikingNetwork, dict[str, str]]:
    """The network with constants of ``dtype``, and by population the draft's node whose value it computes."""
    last = draft.nodes[output]
    activation = "linear"
    if isinstance(last, _Softmax):
        activation = "softmax"
        output = last.inputs[0]
        del draft.nodes[last.name]
    if any(isinstance(n, _Softmax) for n in draft.nodes.values()):
        raise ConversionError("softmax stands inside the network; only the last layer may have it.")
    if isinstance(draft.nodes[output], Neurons):
        raise ConversionError(
            f"the last layer, {output!r}, has an activation that spikes, but the read-out does not spike. End the "
            "model with a linear or softmax layer."
        )
    if isinstance(draft.nodes[output], MaxPool2D):
        raise ConversionError(f"the model ends with the max pooling {output!r}; end it with a linear or softmax layer.")
    populations = [n for n in draft.nodes.values() if isinstance(n, Neurons)]
    if not populations:
        raise ConversionError(
            "the model has no AAN or ReLU activation, so nothing can spike; train it with AAN activations."
        )
    if len(draft.nodes[output].shape) != 1:
        raise ConversionError(
            f"the output of {output!r} has shape {draft.nodes[output].shape}; it must be one value a class. "
            "Add Flatten or global pooling before the last layer."
        )
    parameters: ASNParameters = populations[0].parameters
    draft.add(
        Readout(
            rewrite.fresh_name("readout", draft.nodes),
            (output,),
            (draft.nodes[output].shape,),
            np.zeros(draft.nodes[output].shape, np.float32),
            tau_phi=readout_tau_phi,
            tau_beta=parameters.tau_beta,
            dt=parameters.dt,
            activation=activation,
        )
    )
    nodes, constants, computes = rewrite.merge_max_pooling(rewrite.prune(draft.nodes), draft.constants)
    nodes = rewrite.move_constants_to_neurons(nodes, constants)
    nodes = rewrite.fold_padding(nodes)
    nodes = rewrite.fold_gains(nodes)
    nodes = rewrite.round_constants(nodes, dtype)
    return SpikingNetwork(tuple(nodes.values())), computes


# ---- stage 3: the check --------------------------------------------------------------------------------------------


def check(keras_model: Any, network: SpikingNetwork, x_check: Any, outputs: Mapping[str, Any]) -> float:
    """Compare the network with the Keras model on real inputs, layer by layer.

    Each layer is given Keras' own outputs of the layers before it, so that a deviation is found where it arises. At
    the threshold the transfer function is infinitely steep, so that a layer is compared by its input: Keras' output
    must be the transfer of a potential within the tolerance of ours.

    Args:
        outputs: by population, the Keras tensor that holds its analog output.

    Returns:
        the largest deviation of the model's output.

    Raises:
        ConversionError: a layer deviates by more than ``TOLERANCE``.
    """
    x = network.check_images(x_check, np.float32)
    names = list(outputs)
    probe = keras.Model(keras_model.inputs, [*(outputs[name] for name in names), keras_model.outputs[0]])
    found = [np.asarray(y, np.float64) for y in probe(tf.constant(x), training=False)]
    seen = dict(zip(names, found[:-1], strict=True))
    values: dict[str, Array] = {network.input.name: x.astype(np.float64)}
    deviation = 0.0
    for node, total in network.propagate(values):
        if isinstance(node, Neurons):
            S = node.potential(total)
            y = seen[node.name].reshape(S.shape)
            values[node.name] = y
            margin = TOLERANCE * max(1.0, float(np.abs(S).max()))
            low, high = (transfer(S + d, node.parameters, node.form) for d in (-margin, margin))
            deviation = float(np.maximum(low - y, y - high).max())
        elif isinstance(node, Readout):
            logits = total + node.bias
            deviation = float(np.abs((softmax(logits) if node.activation == "softmax" else logits) - found[-1]).max())
            deviation /= max(1.0, float(np.abs(found[-1]).max()))
        if not deviation <= TOLERANCE:
            raise ConversionError(
                f"after conversion layer {node.name!r} deviates from Keras by {deviation:.2g} (allowed: {TOLERANCE:g}) "
                f"on {len(x)} check inputs, so the conversion is refused. Please report the model: this is a fault of "
                "the converter."
            )
    return deviation


def _with_fitting_thresholds(network: SpikingNetwork, x: Any) -> SpikingNetwork:
    """Scale the resting thresholds of neurons with graded spikes to their potentials: theta0 = m_f times the root mean
    square of the positive ones. ReLU nets compute with values of any size, and rates follow S/theta0."""
    values: dict[str, Array] = {network.input.name: network.check_images(x, np.float64)}
    theta0: dict[str, float] = {}
    for node, total in network.propagate(values):
        if isinstance(node, Neurons):
            values[node.name] = node.analog(total)
            active = values[node.name][values[node.name] > 0]
            if node.graded and active.size:
                theta0[node.name] = node.parameters.m_f * float(np.sqrt(np.mean(active**2)))
    return network.map_neurons(
        lambda n: replace(n, parameters=replace(n.parameters, theta0=theta0[n.name])) if n.name in theta0 else n
    )
