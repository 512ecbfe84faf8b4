"""Keras 2 model -> SpikingNetwork, exactly or not at all.

Each Keras layer becomes nodes of a draft (one small converter per layer type, ``layers.py``); the draft becomes a
network; then that is compared with the Keras model on real inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from snntb_adsnn.errors import ConversionError, NetworkError
from snntb_adsnn.frontends.check import check
from snntb_adsnn.frontends.keras.activation import AAN
from snntb_adsnn.frontends.keras.compat import keras, tf
from snntb_adsnn.frontends.keras.layers import CONVERTERS, KerasLayer
from snntb_adsnn.network import Input, Neurons, SpikingNetwork
from snntb_adsnn.network.draft import Draft, Softmax, fit_thresholds
from snntb_adsnn.network.maps import Array, MaxPool2D
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import GRADED


def convert(
    keras_model: Any, x_check: Any, *, readout_tau_phi: float = 50.0, dtype: type[np.floating[Any]] = np.float32
) -> SpikingNetwork:
    """Convert a Keras model with AAN or ReLU activations into a spiking network; see ``frontends.convert``.

    Args:
        keras_model: a Keras 2 model with one input and one output; every hidden activation an ``AAN`` or ReLU (which
            becomes neurons with graded spikes), the last layer linear or softmax.
        x_check: real inputs, shape (images, *input shape), on which Keras and the result are compared.
        readout_tau_phi: smoothing time constant of the read-out, ms.
        dtype: of the weights and biases.

    Raises:
        ConversionError: something cannot be converted exactly; names the layer, the reason and a way out.
    """
    draft, outputs = Draft(), dict[int, str]()
    for call in _ordered_calls(keras_model):
        _translate(call, draft, outputs)
    output = outputs[id(keras_model.outputs[0])]
    try:
        network, computes = draft.finish(output, readout_tau_phi, dtype)
    except NetworkError as error:
        raise ConversionError(f"the model cannot become a spiking network: {error}") from error
    x = network.check_images(x_check, np.float32)
    seen, found = _values(keras_model, x, {name: draft.tensors[node] for name, node in computes.items()})
    check(network, x, seen, found, "Keras")
    return fit_thresholds(network, x_check)


def _values(keras_model: Any, x: Array, tensors: Mapping[str, Any]) -> tuple[Mapping[str, Array], Array]:
    """What Keras computes for inputs ``x``: by name the values of ``tensors``, and the model's output."""
    probe = keras.Model(keras_model.inputs, [*tensors.values(), keras_model.outputs[0]])
    *found, output = (np.asarray(y) for y in probe(tf.constant(x), training=False))
    return dict(zip(tensors, found, strict=True)), output


# ---- layers to nodes -------------------------------------------------------------------------------------------------


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
            f"{', '.join(sorted({k.__name__ for k in CONVERTERS}))}. Rebuild the model from these, or "
            "register a converter (@converts, docs/conversion.md, 'A layer of your own')."
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
        if None not in kept.output and draft.nodes[name].shape != kept.output:
            raise NetworkError(f"its converter gives shape {draft.nodes[name].shape}, but it has {kept.output}.")
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
        return draft.add(Softmax(f"{layer.name}/softmax", (source,), (shape,)))
    raise ConversionError(
        f"layer {layer.name!r} has the activation {name!r}, which an adaptive spiking neuron does not compute; the "
        "converted net would give wrong answers. Train with activation=AAN(m_f=...), or relu, in every hidden layer."
    )
