"""Keras 2 model -> SpikingNetwork, exactly or not at all.

Each Keras layer becomes nodes of a draft (one small converter per layer type, ``layers.py``); the draft becomes a
network; then that is compared with the Keras model on real inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from snntb_adsnn.errors import ConversionError, NetworkError
from snntb_adsnn.frontends.check import DeviationError, check
from snntb_adsnn.frontends.keras.activation import AAN
from snntb_adsnn.frontends.keras.compat import keras, tf
from snntb_adsnn.frontends.keras.layers import CONVERTERS, FunctionLayer, KerasLayer, is_relu_function
from snntb_adsnn.frontends.keras.refusals import unsupported, wrong_activation
from snntb_adsnn.network import Input, Neurons, SpikingNetwork
from snntb_adsnn.network.draft import Draft, Ending, fit_thresholds
from snntb_adsnn.network.maps import Array, MaxPool2D
from snntb_adsnn.network.outputs import ACTIVATIONS
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import GRADED


def convert(
    keras_model: Any, x_check: Any, *, readout_tau_phi: float = 50.0, dtype: type[np.floating[Any]] = np.float32
) -> SpikingNetwork:
    """Convert a Keras model with AAN or ReLU activations into a spiking network; see ``frontends.convert``.

    Args:
        keras_model: a Keras 2 model with one input; every hidden activation an ``AAN`` or ReLU (which becomes neurons
            with graded spikes); its outputs of any shape, linear or with an activation of ``outputs.ACTIVATIONS``.
        x_check: real inputs, shape (images, *input shape), on which Keras and the result are compared.
        readout_tau_phi: smoothing time constant of the read-out, ms.
        dtype: of the weights and biases.

    Raises:
        ConversionError: something cannot be converted exactly; names the layer, the reason and a way out.
    """
    types = {layer.compute_dtype for layer in getattr(keras_model, "layers", [])}
    if types & _SHORT:
        return _converted(_in_float64(keras_model), x_check, readout_tau_phi, dtype)
    try:
        return _converted(keras_model, x_check, readout_tau_phi, dtype)
    except DeviationError as error:
        try:
            twin = _in_float64(keras_model)
        except Exception:  # whatever a layer of the user's own raises
            raise error from None
        return _converted(twin, x_check, readout_tau_phi, dtype)


_SHORT = {"float16", "bfloat16"}
"""Types in which Keras rounds by more than a conversion may deviate."""


def _converted(keras_model: Any, x_check: Any, readout_tau_phi: float, dtype: type[np.floating[Any]]) -> SpikingNetwork:
    draft, outputs = Draft(), dict[int, str]()
    for call in _ordered_calls(keras_model):
        _translate(call, draft, outputs, last=any(call.outputs is tensor for tensor in keras_model.outputs))
    ends = dict(zip(keras_model.output_names, (outputs[id(tensor)] for tensor in keras_model.outputs), strict=True))
    try:
        network, sources = draft.finish(ends, readout_tau_phi, dtype)
    except NetworkError as error:
        raise ConversionError(f"the model cannot become a spiking network: {error}") from error
    x = network.check_images(x_check, np.float32)
    seen, found = _values(keras_model, x, {name: draft.tensors[source.node] for name, source in sources.items()})
    for population in network.populations:
        if not sources[population.name].pooled:
            y = seen[population.name].reshape(-1, *population.input_shapes[0])
            seen[population.name] = population.pooled(y)
    check(network, x, seen, found, "Keras")
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


def _values(keras_model: Any, x: Array, tensors: Mapping[str, Any]) -> tuple[dict[str, Array], list[Array]]:
    """What Keras computes for inputs ``x``: by name the values of ``tensors``, and the model's outputs."""
    probe = keras.Model(keras_model.inputs, [*tensors.values(), *keras_model.outputs])
    found = [np.asarray(y) for y in tf.nest.flatten(probe(tf.constant(x, probe.inputs[0].dtype), training=False))]
    return dict(zip(tensors, found, strict=False)), found[len(tensors) :]


# ---- layers to nodes -------------------------------------------------------------------------------------------------


def _ordered_calls(model: Any) -> list[Any]:
    """The calls of the model's layers (Keras nodes: a layer may also be part of another model), inputs first."""
    if not getattr(model, "built", True) or not getattr(model, "inputs", None):
        raise ConversionError("the model has no known input shape; build it, or give its first layer an input shape.")
    if len(model.inputs) != 1:
        raise ConversionError(
            f"the model has {len(model.inputs)} inputs; only one can be converted. Cut the model to one input."
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


def _translate(call: Any, draft: Draft, outputs: dict[int, str], *, last: bool) -> None:
    layer, output = call.outbound_layer, call.outputs
    if isinstance(layer, keras.layers.InputLayer):
        output = output[0] if isinstance(output, list | tuple) else output
        shape = tuple(output.shape[1:])
        if None in shape or not shape:
            raise ConversionError(f"input {layer.name!r} has shape {shape}; give it fixed sizes.")
        outputs[id(output)] = draft.add(Input(layer.name, (), (), shape))
        return
    converter = CONVERTERS.get(type(layer))  # the very type: a subclass may compute something else
    if converter is None or (type(layer) is FunctionLayer and not is_relu_function(layer)):
        raise ConversionError(unsupported(layer))
    for weights in layer.weights:
        if not np.isfinite(weights.numpy()).all():
            kind = weights.name.rpartition("/")[2].partition(":")[0]
            raise ConversionError(
                f"layer {layer.name!r}: its {kind} holds NaN or infinite values; train the model again."
            )
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
        name = _activate(layer, name, draft, last=last)
        outputs[id(output)] = name
        draft.tensors[name] = output
    except NetworkError as error:
        reason = str(error)
        if reason.startswith(layer.name):  # our name of its node
            reason = reason.partition(": ")[2]
        raise ConversionError(f"layer {layer.name!r} ({type(layer).__name__}): {reason}") from error


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
    named = is_relu_function(layer) or activation is keras.activations.relu or activation is tf.nn.relu
    return (ASNParameters(), GRADED) if plain or named else None


def _activate(layer: Any, source: str, draft: Draft, *, last: bool) -> str:
    """Add what a layer's activation stands for behind node ``source``; returns the name of the last node."""
    shape = draft.nodes[source].shape
    if neuron := _neuron(layer):
        return draft.add(Neurons(layer.name, (source,), (shape,), np.zeros(shape[-1:], np.float32), *neuron))
    activation = getattr(layer, "activation", None)
    if isinstance(layer, keras.layers.Softmax):
        activation = keras.activations.softmax
    if isinstance(layer, keras.layers.ReLU):
        raise NetworkError(
            "only a plain ReLU can be converted, without max_value, negative_slope and threshold; train with ReLU()."
        )
    name = getattr(activation, "__name__", None)
    if activation is None or name == "linear":
        return source
    if name in ACTIVATIONS:
        return draft.add(Ending(f"{layer.name}/{name}", (source,), (shape,), name))
    raise ConversionError(wrong_activation(layer, str(name), shape[-1], last=last))
