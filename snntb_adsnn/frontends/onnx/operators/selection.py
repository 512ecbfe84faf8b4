"""Operators that pick elements along an axis: neighbouring ones are kept, the rest is left out."""

from __future__ import annotations

import numpy as np

from snntb_adsnn.errors import NetworkError
from snntb_adsnn.frontends.onnx.operators.call import OPERATORS, Call
from snntb_adsnn.frontends.onnx.tensors import Tensor
from snntb_adsnn.network.maps.channels import Channels
from snntb_adsnn.network.maps.cropping import Crop2D


def _picked(call: Call, x: Tensor, axis: int, places: range | list[int]) -> Tensor:
    """``x`` with the elements ``places`` of an axis, which counts the batch.

    Raises:
        NetworkError: they are not neighbours in their order, none, or images of the batch.
    """
    if axis == 0:
        raise NetworkError("picks images of the batch, which no layer may; pick along the other axes, as x[:, 0] does")
    start, count = places[0] if places else 0, len(places)
    if not count or list(places) != list(range(start, start + count)):
        raise NetworkError(
            f"picks the elements {list(places)[:5]} of axis {axis}; only neighbours in their order, as x[:, 2:5] has "
            "them, can be picked. Join such parts with torch.cat; for every second one use a pooling or a convolution "
            "with strides"
        )
    if len(x.shape) == 1:
        line = call.builder.plain(x, call.name)
        return Tensor(call.add(Channels(*call.at(line), start, count)), (count,))
    image = call.builder.image(x, call.name)
    if axis == 1:
        return call.image_of(call.add(Channels(*call.at(image), start, count)))
    margin = start, x.shape[axis - 1] - start - count
    margins = ((0, 0), margin) if axis == len(x.shape) else (margin, (0, 0))
    return call.image_of(call.add(Crop2D(*call.at(image), margins)))


def _axis(call: Call, x: Tensor, axis: int) -> int:
    return axis % (1 + len(x.shape))


@OPERATORS.register("Gather")
def _gather(call: Call) -> Tensor:
    x, index = call.tensor(), call.need(1, "index")
    axis = _axis(call, x, int(call.attributes.get("axis", 0)))
    if index.ndim > 1:
        raise NetworkError(f"picks elements by a table of shape {index.shape}; only a number or a list can be used")
    size = (call.builder.batch, *x.shape)[axis]
    found = _picked(call, x, axis, [int(n) % size for n in index.reshape(-1)])
    if index.ndim:
        return found
    return call.builder.reshaped(found, (*x.shape[: axis - 1], *x.shape[axis:]), call.name)


@OPERATORS.register("Slice")
def _slice(call: Call) -> Tensor:
    x = call.tensor()
    starts, ends = ([int(n) for n in call.need(i, what)] for i, what in ((1, "starts"), (2, "ends")))
    axes = [int(n) for n in call.need(3, "axes")] if call.has(3) else list(range(len(starts)))
    steps = [int(n) for n in call.need(4, "steps")] if call.has(4) else [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = _axis(call, x, axis)
        size = (call.builder.batch, *x.shape)[axis]
        places = range(size)[start:end:step]
        whole = places == range(size) and (axis or end > 1)  # a free batch counts as one image: [:1] may leave some out
        x = x if whole else _picked(call, x, axis, places)
    return x


@OPERATORS.register("Split")
def _split(call: Call) -> Tensor:
    x = call.tensor()
    axis = _axis(call, x, int(call.attributes.get("axis", 0)))
    size, parts = (call.builder.batch, *x.shape)[axis], len(call.outputs)
    given = call.need(1, "sizes") if call.has(1) else call.attributes.get("split")
    if given is None:
        most = -(-size // parts)
        given = [most] * (parts - 1) + [size - most * (parts - 1)]
    ends = np.cumsum([int(n) for n in given])
    found = [_picked(call, x, axis, range(int(end - n), int(end))) for end, n in zip(ends, given, strict=True)]
    call.builder.tensors.update(zip(call.outputs, found, strict=True))
    return found[0]
