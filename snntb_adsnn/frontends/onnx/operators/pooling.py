"""Maxima and means over windows."""

from __future__ import annotations

from snntb_adsnn.errors import NetworkError
from snntb_adsnn.frontends.onnx.operators.call import OPERATORS, Call
from snntb_adsnn.frontends.onnx.operators.geometry import window_of
from snntb_adsnn.frontends.onnx.tensors import Probe, Tensor
from snntb_adsnn.network import maps
from snntb_adsnn.network.maps import Window


def _pool_window(call: Call, x: Tensor) -> Window:
    window = window_of(call, x, call.attributes["kernel_shape"])
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
    return _maximum(call, x, _pool_window(call, x))


def _maximum(call: Call, x: Tensor, window: Window) -> Tensor:
    pooled = call.image_of(call.add(maps.MaxPool2D(*call.at(x), window)))
    call.builder.draft.tensors[pooled.node] = Probe(call.outputs[0], pooled.ordered)
    return pooled


@OPERATORS.register("AveragePool")
def _average_pooling(call: Call) -> Tensor:
    x = call.image()
    window = _pool_window(call, x)
    if window.padding != maps.NO_PADDING and call.attributes.get("count_include_pad"):
        if window.padding != (own := window_of(call, x, call.attributes["kernel_shape"]).padding):
            # what a window covers behind the padding is never counted
            if own != maps.NO_PADDING:
                raise NetworkError(
                    "counts padding in its means, and its last windows reach behind the padding (ceil_mode); use one "
                    "of both (in PyTorch count_include_pad=False)"
                )
            return call.image_of(call.add(maps.AveragePool2D(*call.at(x), window)))
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
    return _maximum(call, x, _whole(call, x))


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
