"""One small converter per ONNX operator: what it adds to the draft."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snntb_adsnn.errors import NetworkError
from snntb_adsnn.frontends.onnx.tensors import IMAGE, PLAIN, Builder, Probe, Tensor
from snntb_adsnn.network import Neurons, maps
from snntb_adsnn.network.draft import Softmax
from snntb_adsnn.network.maps import Array, Node, Padding, Pair, Window
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import GRADED
from snntb_adsnn.registry import Registry


@dataclass(frozen=True)
class Call:
    """An operator of the graph, with the tensors it reads.

    Attributes:
        builder: what it is added to.
        name: name for its (last) node.
        inputs, outputs: names of tensors; an input that is left out is empty.
        attributes: by name.
        opset: version of the operator set.
    """

    builder: Builder
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    opset: int

    def has(self, index: int) -> bool:
        """Whether an optional input is there."""
        return index < len(self.inputs) and bool(self.inputs[index])

    def tensor(self, index: int = 0) -> Tensor:
        """An input that depends on the network's.

        Raises:
            NetworkError: it is a constant.
        """
        try:
            return self.builder.tensors[self.inputs[index]]
        except KeyError:
            raise NetworkError(f"its input {self.inputs[index]!r} must come from the model's input") from None

    def image(self, index: int = 0) -> Tensor:
        """The same as an image, channels last."""
        return self.builder.image(self.tensor(index), self.name)

    def constant(self, index: int) -> Array | None:
        """A constant input in float64; ``None`` where it depends on the network's input."""
        value = self.builder.constants.get(self.inputs[index])
        return None if value is None else value.astype(np.float64) if value.dtype.kind == "f" else value

    def need(self, index: int, what: str) -> Array:
        """A constant input.

        Raises:
            NetworkError: it depends on the network's input.
        """
        value = self.constant(index)
        if value is None:
            raise NetworkError(f"its {what} must be constant")
        return value

    def at(self, *tensors: Tensor) -> tuple[str, tuple[str, ...], tuple[maps.Shape, ...]]:
        """The first three arguments of the node, where it reads ``tensors``."""
        return self.builder.at(self.name, *(tensor.node for tensor in tensors))

    def add(self, node: Node, constant: Array | None = None) -> str:
        """Add a node, and what is added to its output."""
        return self.builder.draft.add(node, constant)

    def image_of(self, node: str) -> Tensor:
        """The image that a node computes."""
        rows, columns, channels = self.builder.draft.nodes[node].shape
        series = len(self.tensor().shape) == 2
        return Tensor(node, (channels, columns) if series else (channels, rows, columns), IMAGE)


Converter = Callable[[Call], Tensor]
OPERATORS: Registry[str, Converter] = Registry("ONNX operator")


# ---- weights ---------------------------------------------------------------------------------------------------------


@OPERATORS.register("Conv")
def _convolution(call: Call) -> Tensor:
    x, kernel, bias = call.image(), call.need(1, "weights"), call.need(2, "bias") if call.has(2) else None
    kernel = kernel[:, :, None] if kernel.ndim == 3 else kernel  # a series is an image of one row
    if kernel.ndim != 4:
        raise NetworkError(f"has {kernel.ndim - 2} spatial axes; only 1 and 2 are converted")
    window, groups = _window(call, x, kernel.shape[2:]), int(call.attributes.get("group", 1))
    channels = x.shape[0]
    if groups == channels > 1:
        weights = kernel.reshape(channels, -1, *kernel.shape[2:]).transpose(2, 3, 0, 1)
        return call.image_of(call.add(maps.DepthwiseConv2D(*call.at(x), weights, window), bias))
    return call.image_of(call.add(maps.Conv2D(*call.at(x), kernel.transpose(2, 3, 1, 0), window, groups), bias))


@OPERATORS.register("Gemm")
def _general_product(call: Call) -> Tensor:
    x, weights = call.tensor(), call.need(1, "weights")
    if call.attributes.get("transA"):
        raise NetworkError("transposes its input (transA), and so mixes images")
    weights = weights.T if call.attributes.get("transB") else weights
    bias = call.need(2, "bias") * call.attributes.get("beta", 1.0) if call.has(2) else None
    return _dense(call, x, weights * call.attributes.get("alpha", 1.0), bias)


@OPERATORS.register("MatMul")
def _product(call: Call) -> Tensor:
    return _dense(call, call.tensor(), call.need(1, "second factor"), None)


def _dense(call: Call, x: Tensor, weights: Array, bias: Array | None) -> Tensor:
    if len(x.shape) != 1:
        raise NetworkError(f"multiplies an input of shape {x.shape} by a matrix; flatten it first")
    if weights.ndim != 2 or len(weights) != x.shape[0]:
        raise NetworkError(f"weights of shape {weights.shape} do not fit {x.shape[0]} features")
    ordered = x.ordered(weights.T).T
    bias = None if bias is None else np.broadcast_to(bias, weights.shape[1:])
    return Tensor(call.add(maps.Dense(*call.at(x), ordered), bias), weights.shape[1:])


@OPERATORS.register("BatchNormalization")
def _batch_normalization(call: Call) -> Tensor:
    x = call.tensor()
    gain, shift, mean, variance = (call.need(i, "statistics").astype(np.float64) for i in range(1, 5))
    factor = gain / np.sqrt(variance + call.attributes.get("epsilon", 1e-5))
    return _moved(call, x, *(v.reshape(-1, *[1] * (len(x.shape) - 1)) for v in (factor, shift - mean * factor)))


# ---- arithmetic ------------------------------------------------------------------------------------------------------


def _moved(call: Call, x: Tensor, factor: Array | float, shift: Array | float) -> Tensor:
    x = call.builder.image(x, call.name) if len(x.shape) in (2, 3) else x  # there a factor of a channel is one number
    return Tensor(call.builder.moved(x, factor, shift, call.name), x.shape, x.layout, x.image)


def _beside(call: Call) -> tuple[Tensor, Array] | None:
    """The tensor and the constant of an operator with two inputs; ``None`` where neither is constant."""
    for index in (0, 1):
        value = call.constant(index)
        if value is not None:
            x = call.tensor(1 - index)
            # numbers are lined up from the last axis; what stands on the batch axis must be one for all images
            if value.ndim > len(x.shape):
                if any(n != 1 for n in value.shape[: value.ndim - len(x.shape)]):
                    raise NetworkError("has a constant for each image of a batch")
                value = value.reshape(value.shape[value.ndim - len(x.shape) :])
            if np.broadcast_shapes(value.shape, x.shape) != x.shape:
                raise NetworkError(f"stretches an input of shape {x.shape} to that of its constant, {value.shape}")
            return x, value
    return None


def _same_order(call: Call) -> list[Tensor]:
    """All inputs, with their elements in the same order."""
    tensors = [call.tensor(i) for i in range(len(call.inputs))]
    if len({(t.layout, t.image) for t in tensors}) == 1:
        return tensors
    if any(t.layout == IMAGE for t in tensors) and all(len(t.shape) in (2, 3) for t in tensors):
        return [call.builder.image(t, call.name) for t in tensors]
    return [call.builder.plain(t, call.name) for t in tensors]


def _sum(call: Call, tensors: list[Tensor]) -> Tensor:
    if len({t.shape for t in tensors}) != 1:
        raise NetworkError(f"adds inputs of shapes {', '.join(str(t.shape) for t in tensors)}; they must be alike")
    first = tensors[0]
    return Tensor(call.add(maps.Add(*call.at(*tensors))), first.shape, first.layout, first.image)


@OPERATORS.register("Add", "Sum")
def _add(call: Call) -> Tensor:
    if len(call.inputs) == 2 and (pair := _beside(call)):
        return _moved(call, pair[0], 1.0, pair[1])
    return _sum(call, _same_order(call))


@OPERATORS.register("Sub")
def _subtract(call: Call) -> Tensor:
    if pair := _beside(call):
        first = call.constant(0) is not None
        return _moved(call, pair[0], -1.0 if first else 1.0, pair[1] if first else -pair[1])
    one, other = _same_order(call)
    negative = Tensor(
        call.builder.moved(other, -1.0, 0.0, f"{call.name}/minus"), other.shape, other.layout, other.image
    )
    return _sum(call, [one, negative])


@OPERATORS.register("Mul", "Div")
def _multiply(call: Call) -> Tensor:
    pair = _beside(call)
    if pair is None:
        raise NetworkError("multiplies or divides two values that depend on the input, which no linear map does")
    if call.outputs and call.attributes.get("_divides"):
        if call.constant(0) is not None:
            raise NetworkError("divides by a value that depends on the input, which no linear map does")
        return _moved(call, pair[0], 1 / pair[1], 0.0)
    return _moved(call, *pair, 0.0)


@OPERATORS.register("Neg")
def _negate(call: Call) -> Tensor:
    return _moved(call, call.tensor(), -1.0, 0.0)


# ---- shapes ----------------------------------------------------------------------------------------------------------


@OPERATORS.register("Identity", "Dropout", "Cast")
def _identity(call: Call) -> Tensor:
    return call.tensor()


@OPERATORS.register("Flatten")
def _flatten(call: Call) -> Tensor:
    if call.attributes.get("axis", 1) != 1:
        raise NetworkError("flattens the batch axis; use axis=1")
    x = call.tensor()
    return call.builder.reshaped(x, (int(np.prod(x.shape)),), call.name)


@OPERATORS.register("Reshape")
def _reshape(call: Call) -> Tensor:
    x, wanted = call.tensor(), [int(n) for n in call.need(1, "shape")]
    shape = [x.shape[i - 1] if n == 0 and 0 < i <= len(x.shape) else n for i, n in enumerate(wanted)]
    size = int(np.prod(x.shape))
    if shape[0] == -1 and -1 not in shape[1:]:
        shape[0] = 1
    if -1 in shape[1:]:
        known = int(np.prod([n for n in shape[1:] if n != -1]))
        shape = [n if n != -1 else size // max(known, 1) for n in shape]
    if shape[0] not in (0, 1) or int(np.prod(shape[1:])) != size:
        raise NetworkError(f"makes {wanted} of images of shape {x.shape}; the first axis must stay the batch")
    return call.builder.reshaped(x, tuple(shape[1:]), call.name)


@OPERATORS.register("Squeeze", "Unsqueeze")
def _squeeze(call: Call) -> Tensor:
    x, squeezes = call.tensor(), call.attributes["_type"] == "Squeeze"
    axes = call.attributes.get("axes") if not call.has(1) else [int(n) for n in call.need(1, "axes")]
    rank = 1 + len(x.shape)
    if axes is None:
        axes = [i for i in range(1, rank) if x.shape[i - 1] == 1]
    axes = [a % (rank if squeezes else rank + len(axes)) for a in axes]
    if 0 in axes:
        raise NetworkError("changes the batch axis")
    full = [1, *x.shape]
    if squeezes:
        shape = [n for i, n in enumerate(full) if i not in axes]
    else:
        rest = iter(full)
        shape = [1 if i in axes else next(rest) for i in range(rank + len(axes))]
    return call.builder.reshaped(x, tuple(shape[1:]), call.name)


@OPERATORS.register("Transpose")
def _transpose(call: Call) -> Tensor:
    x = call.tensor()
    axes = tuple(call.attributes.get("perm", range(len(x.shape), -1, -1)))
    if axes[0] != 0:
        raise NetworkError("moves the batch axis")
    return call.builder.transposed(x, tuple(axis - 1 for axis in axes[1:]), call.name)


@OPERATORS.register("Concat")
def _concatenate(call: Call) -> Tensor:
    tensors = [call.tensor(i) for i in range(len(call.inputs))]
    axis = int(call.attributes["axis"]) % (1 + len(tensors[0].shape))
    if axis != 1:
        raise NetworkError(f"joins axis {axis}; only channels or features (axis 1) are joined")
    if len(tensors[0].shape) > 1:
        joined = [call.builder.image(t, call.name) for t in tensors]
        return call.image_of(call.add(maps.Concatenate(*call.at(*joined))))
    joined = [call.builder.plain(t, call.name) for t in tensors]
    return Tensor(call.add(maps.Concatenate(*call.at(*joined))), (sum(t.shape[0] for t in joined),), PLAIN)


@OPERATORS.register("Pad")
def _pad(call: Call) -> Tensor:
    x = call.image()
    amounts = [int(n) for n in (call.attributes["pads"] if call.opset < 11 else call.need(1, "amounts"))]
    value = call.attributes.get("value", 0.0)
    if call.opset >= 11 and call.has(2):
        value = float(np.asarray(call.need(2, "value")).reshape(-1)[0])
    mode = call.attributes.get("mode", "constant")
    half = len(amounts) // 2
    starts, ends = amounts[:half], amounts[half:]
    if mode != "constant" or value or call.has(3) or any(starts[:2] + ends[:2]) or min(amounts) < 0:
        raise NetworkError("pads otherwise than with zeros around the image")
    return call.image_of(call.add(maps.ZeroPad2D(*call.at(x), _around(starts[2:], ends[2:]))))


# ---- pooling ---------------------------------------------------------------------------------------------------------


def _around(starts: list[int], ends: list[int]) -> Padding:
    if len(starts) == 1:
        return (0, 0), (starts[0], ends[0])
    return (starts[0], ends[0]), (starts[1], ends[1])


def _two(values: Any) -> Pair:
    """One number for an axis, with 1 for the rows of a series."""
    rows, columns = values if len(values) == 2 else (1, *values)
    return int(rows), int(columns)


def _window(call: Call, x: Tensor, size: Any) -> Window:
    """The operator's window on ``x``, with explicit padding."""
    axes = len(x.shape) - 1
    kernel, strides = _two(tuple(size)[-axes:]), _two(call.attributes.get("strides") or [1] * axes)
    dilation = _two(call.attributes.get("dilations") or [1] * axes)
    rows, columns, _ = call.builder.node(x).shape
    kind = call.attributes.get("auto_pad", "NOTSET")
    if kind in ("SAME_UPPER", "SAME_LOWER"):
        padding = maps.same_padding((rows, columns), kernel, strides, dilation)
        if kind == "SAME_LOWER":
            padding = tuple((end, start) for start, end in padding)  # type: ignore[assignment]
    else:
        pads = (
            [0] * (2 * axes) if kind == "VALID" else [int(n) for n in call.attributes.get("pads") or [0] * (2 * axes)]
        )
        padding = _around(pads[:axes], pads[axes:])
    return Window(kernel, strides, padding, dilation)


def _pool_window(call: Call, x: Tensor) -> Window:
    window = _window(call, x, call.attributes["kernel_shape"])
    if not call.attributes.get("ceil_mode"):
        return window
    padding = []
    for n, k, s, d, (start, end) in zip(
        call.builder.node(x).shape, window.size, window.strides, window.dilation, window.padding, strict=False
    ):
        extent = (k - 1) * d + 1
        steps = -(-(n + start + end - extent) // s)
        if steps * s >= n + start:  # a window may not begin behind the image
            steps -= 1
        padding.append((start, max(end, steps * s + extent - n - start)))
    return Window(window.size, window.strides, (padding[0], padding[1]), window.dilation)


@OPERATORS.register("MaxPool")
def _max_pooling(call: Call) -> Tensor:
    if len([name for name in call.outputs if name]) > 1:
        raise NetworkError("gives the places of the maxima too, which spiking neurons do not know")
    x = call.image()
    pooled = call.image_of(call.add(maps.MaxPool2D(*call.at(x), _pool_window(call, x))))
    call.builder.draft.tensors[pooled.node] = Probe(call.outputs[0], pooled.ordered)
    return pooled


@OPERATORS.register("AveragePool")
def _average_pooling(call: Call) -> Tensor:
    x = call.image()
    window = _pool_window(call, x)
    if window.padding != maps.NO_PADDING and call.attributes.get("count_include_pad"):
        if call.attributes.get("ceil_mode"):
            raise NetworkError("counts padding in its means and rounds sizes up (ceil_mode); only one is converted")
        x = call.image_of(call.add(maps.ZeroPad2D(*call.builder.at(f"{call.name}/pad", x.node), window.padding)))
        window = Window(window.size, window.strides, maps.NO_PADDING, window.dilation)
    return call.image_of(call.add(maps.AveragePool2D(*call.at(x), window)))


def _whole(call: Call, x: Tensor) -> Window:
    rows, columns, _ = call.builder.node(x).shape
    return Window((rows, columns), (rows, columns))


@OPERATORS.register("GlobalAveragePool")
def _global_average(call: Call) -> Tensor:
    x = call.image()
    return call.image_of(call.add(maps.AveragePool2D(*call.at(x), _whole(call, x))))


@OPERATORS.register("GlobalMaxPool")
def _global_max(call: Call) -> Tensor:
    x = call.image()
    pooled = call.image_of(call.add(maps.MaxPool2D(*call.at(x), _whole(call, x))))
    call.builder.draft.tensors[pooled.node] = Probe(call.outputs[0], pooled.ordered)
    return pooled


@OPERATORS.register("ReduceMean")
def _mean(call: Call) -> Tensor:
    x = call.tensor()
    axes = [int(n) for n in call.need(1, "axes")] if call.has(1) else list(call.attributes.get("axes", []))
    if sorted(a % (1 + len(x.shape)) for a in axes) != list(range(2, 1 + len(x.shape))):
        raise NetworkError(f"averages axes {axes}; only all rows and columns together are averaged")
    x = call.image()
    pooled = call.image_of(call.add(maps.AveragePool2D(*call.at(x), _whole(call, x))))
    if call.attributes.get("keepdims", 1):
        return pooled
    return call.builder.reshaped(pooled, (pooled.shape[0],), call.name)


# ---- activations -----------------------------------------------------------------------------------------------------


def _neurons(call: Call, x: Tensor, name: str, of: Callable[[Array], Array]) -> Tensor:
    """Neurons with graded spikes behind ``x``; ``of``: their output, of the operator's input in ONNX's order."""
    at = call.builder.at(name, x.node)
    (shape,) = at[2]
    node = call.add(Neurons(*at, np.zeros(shape[-1:], np.float32), ASNParameters(), GRADED))
    call.builder.draft.tensors[node] = Probe(call.inputs[0], lambda values: x.ordered(of(values)))
    return Tensor(node, x.shape, x.layout, x.image)


@OPERATORS.register("Relu")
def _relu(call: Call) -> Tensor:
    x = call.tensor()
    if isinstance(call.builder.node(x), Neurons):
        return x  # its values are 0 and above already
    return _neurons(call, x, call.name, lambda values: np.maximum(values, 0))


@OPERATORS.register("Clip")
def _clip(call: Call) -> Tensor:
    """relu(x) - relu(x - limit): two populations."""
    bounds = [float(np.asarray(call.need(i, "bounds")).reshape(-1)[0]) if call.has(i) else None for i in (1, 2)]
    low = bounds[0] if bounds[0] is not None else call.attributes.get("min")
    high = bounds[1] if bounds[1] is not None else call.attributes.get("max")
    if low != 0:
        raise NetworkError(f"limits values to at least {low}; spiking neurons need 0 there (ReLU, ReLU6)")
    if high is None or high > 1e30:
        return _relu(call)
    x = call.tensor()
    whole = _neurons(call, x, call.name, lambda values: np.maximum(values, 0))
    shifted = Tensor(call.builder.moved(x, 1.0, -high, f"{call.name}/shifted"), x.shape, x.layout, x.image)
    above = _neurons(call, shifted, f"{call.name}/above", lambda values: np.maximum(values - high, 0))
    return _difference(call, whole, above, 1.0)


@OPERATORS.register("LeakyRelu")
def _leaky(call: Call) -> Tensor:
    """relu(x) - slope relu(-x): two populations."""
    return _two_sided(call, call.attributes.get("alpha", 0.01))


@OPERATORS.register("PRelu")
def _parametric(call: Call) -> Tensor:
    slope = call.need(1, "slopes")
    return _two_sided(call, slope)


def _two_sided(call: Call, slope: Array | float) -> Tensor:
    x = call.tensor()
    whole = _neurons(call, x, call.name, lambda values: np.maximum(values, 0))
    negative = Tensor(call.builder.moved(x, -1.0, 0.0, f"{call.name}/minus"), x.shape, x.layout, x.image)
    below = _neurons(call, negative, f"{call.name}/below", lambda values: np.maximum(-values, 0))
    return _difference(call, whole, below, slope)


def _difference(call: Call, one: Tensor, other: Tensor, factor: Array | float) -> Tensor:
    node = call.builder.moved(other, -np.asarray(factor, np.float64), 0.0, f"{call.name}/minus_other")
    total = call.add(maps.Add(*call.builder.at(f"{call.name}/sum", one.node, node)))
    return Tensor(total, one.shape, one.layout, one.image)


@OPERATORS.register("Softmax")
def _softmax(call: Call) -> Tensor:
    x = call.tensor()
    axis = call.attributes.get("axis", -1 if call.opset >= 13 else 1)
    if len(x.shape) != 1 or axis not in (-1, 1):
        raise NetworkError("is a softmax over an axis of an image; only one over the classes, at the end, is kept")
    return Tensor(call.add(Softmax(*call.at(x))), x.shape)
