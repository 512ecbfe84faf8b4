"""Operators that move elements."""

from __future__ import annotations

import math

import numpy as np

from snntb_adsnn.errors import NetworkError
from snntb_adsnn.frontends.onnx.operators.call import OPERATORS, Call
from snntb_adsnn.frontends.onnx.operators.geometry import around
from snntb_adsnn.frontends.onnx.tensors import PLAIN, Tensor
from snntb_adsnn.network import maps


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
    full = [call.builder.batch, *x.shape]
    shape = [full[i] if n == 0 and i < len(full) else n for i, n in enumerate(wanted)]
    size = math.prod(full)
    if -1 in shape:
        known = math.prod(n for n in shape if n != -1)
        shape = [n if n != -1 else size // max(known, 1) for n in shape]
    if shape[0] != full[0] or math.prod(shape) != size:
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
        raise NetworkError("changes the batch axis; name the other axes, as squeeze(1) does in PyTorch")
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
        raise NetworkError(
            "moves the batch axis, as recurrent layers and attention do, which cannot be converted; keep the images "
            "along the first axis"
        )
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
    return call.image_of(call.add(maps.ZeroPad2D(*call.at(x), around(starts[2:], ends[2:]))))
