"""Windows and padding as ONNX writes them."""

from __future__ import annotations

from typing import Any

from snntb_adsnn.frontends.onnx.operators.call import Call
from snntb_adsnn.frontends.onnx.tensors import Tensor
from snntb_adsnn.network import maps
from snntb_adsnn.network.maps import Padding, Pair, Window


def around(starts: list[int], ends: list[int]) -> Padding:
    """Padding before and behind each spatial axis; a series has one row, which is not padded."""
    if len(starts) == 1:
        return (0, 0), (starts[0], ends[0])
    return (starts[0], ends[0]), (starts[1], ends[1])


def _two(values: Any) -> Pair:
    """One number for an axis, with 1 for the rows of a series."""
    rows, columns = values if len(values) == 2 else (1, *values)
    return int(rows), int(columns)


def window_of(call: Call, x: Tensor, size: Any) -> Window:
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
        padding = around(pads[:axes], pads[axes:])
    return Window(kernel, strides, padding, dilation)
