"""Activations: populations of neurons, and those that the read-out computes at the end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from snntb_adsnn.errors import NetworkError, ParameterError
from snntb_adsnn.frontends import piecewise
from snntb_adsnn.frontends.onnx.functions import CONSTANTS, DOMAIN, FUNCTIONS
from snntb_adsnn.frontends.onnx.operators.call import OPERATORS, Call, lined_up
from snntb_adsnn.frontends.onnx.tensors import Probe, Tensor
from snntb_adsnn.frontends.piecewise import Line, Piecewise
from snntb_adsnn.network import Neurons
from snntb_adsnn.network.draft import Ending, Softmax
from snntb_adsnn.network.maps import Array
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import GRADED


def _neurons(call: Call, x: Tensor, name: str, of: Callable[[Array], Array]) -> Tensor:
    """Neurons with graded spikes behind ``x``; ``of``: their output, of the operator's input in ONNX's order."""
    at = call.builder.at(name, x.node)
    (shape,) = at[2]
    node = call.add(Neurons(*at, np.zeros(shape[-1:], np.float32), ASNParameters(), GRADED))
    call.builder.draft.tensors[node] = Probe(call.varying(), lambda values: x.ordered(of(values)))
    return Tensor(node, x.shape, x.layout, x.image)


@OPERATORS.register("Relu")
def _relu(call: Call) -> Tensor:
    return _rectified(call, call.tensor())


def _rectified(call: Call, x: Tensor) -> Tensor:
    if isinstance(call.builder.node(x), Neurons):
        return x  # its values are 0 and above already
    return _neurons(call, x, call.name, lambda values: np.maximum(values, 0))


def _lines(call: Call, x: Tensor, activation: Piecewise) -> Tensor:
    """The populations of an activation that is made of straight lines, behind ``x``."""

    def probe(line: Line) -> Probe:
        return Probe(call.varying(), lambda values: line.rectified(x.ordered(values)))

    node = piecewise.add_populations(call.builder.draft, x.node, call.builder.name(call.name), activation, probe)
    return Tensor(node, x.shape, x.layout, x.image)


@OPERATORS.register("Clip")
def _clip(call: Call) -> Tensor:
    bounds = [float(np.asarray(call.need(i, "bounds")).reshape(-1)[0]) if call.has(i) else None for i in (1, 2)]
    low = bounds[0] if bounds[0] is not None else call.attributes.get("min")
    high = bounds[1] if bounds[1] is not None else call.attributes.get("max")
    return _limited(call, call.tensor(), low, high)


def _limited(call: Call, x: Tensor, low: float | None, high: float | None) -> Tensor:
    """``x``, not below ``low`` and not above ``high``; a limit that no number passes is none."""
    low, high = (None if limit is None or abs(limit) > 1e30 else limit for limit in (low, high))
    if low is None and high is None:
        return x
    if low == 0 and high is None:
        return _rectified(call, x)
    if low is None:
        return _lines(call, x, Piecewise((Line(-1.0, -1.0, high),), high))
    if high is None:
        return _lines(call, x, Piecewise((Line(shift=-low),), low))
    if low > high:
        raise NetworkError(f"has the lower limit {low:g} above the upper one, {high:g}")
    return _lines(call, x, piecewise.clipped(high, low))


@OPERATORS.register("Max", "Min")
def _larger(call: Call) -> Tensor:
    """The larger, or smaller, of a tensor and a number: a limit."""
    kind = call.attributes["_type"]
    read = [i for i, name in enumerate(call.inputs) if name not in call.builder.constants]
    if len(read) != 1:
        raise NetworkError(
            f"takes the {kind.lower()} of several values that depend on the input; only that of one and a number, or a "
            "pooling over a window, is kept"
        )
    x = call.tensor(read[0])
    bounds = [lined_up(call.need(i, "limits"), x.shape) for i in range(len(call.inputs)) if i != read[0]]
    numbers = np.concatenate([np.ravel(bound) for bound in bounds])
    if numbers.size == 0:
        return x
    limit = float(numbers.max() if kind == "Max" else numbers.min())
    if any((bound != limit).any() for bound in bounds):
        raise NetworkError("has several limits; only one number for all values is kept")
    return _limited(call, x, limit, None) if kind == "Max" else _limited(call, x, None, limit)


@OPERATORS.register("HardSigmoid")
def _hard_sigmoid(call: Call) -> Tensor:
    """alpha * x + beta, limited to what lies between 0 and 1."""
    alpha, beta = call.attributes.get("alpha", 0.2), call.attributes.get("beta", 0.5)
    lines = (Line(1.0, alpha, beta), Line(-1.0, alpha, beta - 1.0))
    return _lines(call, call.tensor(), Piecewise(lines))


@OPERATORS.register("LeakyRelu")
def _leaky(call: Call) -> Tensor:
    return _lines(call, call.tensor(), piecewise.leaky(call.attributes.get("alpha", 0.01)))


@OPERATORS.register("PRelu")
def _parametric(call: Call) -> Tensor:
    """One slope for each channel, which stands in front in ONNX."""
    x, slopes = call.tensor(), call.need(1, "slopes")
    x = call.builder.image(x, call.name) if len(x.shape) in (2, 3) else x
    ordered = x.ordered(np.broadcast_to(lined_up(slopes, x.shape), x.shape).astype(np.float64))
    channels = ordered.reshape(-1, ordered.shape[-1])
    if not (channels == channels[:1]).all():
        raise NetworkError("has different slopes for the pixels of a channel; only one a channel can be kept")
    return _lines(call, x, piecewise.leaky(channels[0]))


def _adaptive(form: str, call: Call) -> Tensor:
    """AAN, as ``snntb_adsnn.torch.export_onnx`` writes it: the attributes are the neuron's constants."""
    x = call.tensor()
    missing = [name for name in CONSTANTS if name not in call.attributes]
    if missing:
        raise NetworkError(f"lacks the attribute {missing[0]}; export it again with snntb_adsnn.torch.export_onnx")
    try:
        parameters = ASNParameters(**{name: call.attributes[name] for name in CONSTANTS})
    except ParameterError as error:
        raise NetworkError(str(error)) from error
    at = call.builder.at(call.name, x.node)
    (shape,) = at[2]
    node = call.add(Neurons(*at, np.zeros(shape[-1:], np.float32), parameters, form))
    call.builder.draft.tensors[node] = Probe(call.outputs[0], x.ordered)
    return Tensor(node, x.shape, x.layout, x.image)


for _form, _function in FUNCTIONS.items():
    OPERATORS.add(f"{DOMAIN}.{_function.name}", partial(_adaptive, _form))


@OPERATORS.register("Softmax")
def _softmax(call: Call) -> Tensor:
    x = call.builder.plain(call.tensor(), call.name)
    axis = call.attributes.get("axis", -1 if call.opset >= 13 else 1)
    if len(x.shape) != 1 or axis not in (-1, 1):
        raise NetworkError("is a softmax over an axis of an image; only one over the classes, at the end, is kept")
    return Tensor(call.add(Softmax(*call.at(x))), x.shape)


@OPERATORS.register("Sigmoid", "Tanh")
def _ending(call: Call) -> Tensor:
    """What the read-out computes, where the model ends with it."""
    x = call.tensor()
    return Tensor(call.add(Ending(*call.at(x), call.attributes["_type"].lower())), x.shape, x.layout, x.image)
