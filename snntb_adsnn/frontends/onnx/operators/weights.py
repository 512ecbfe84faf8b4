"""Operators with weights."""

from __future__ import annotations

import numpy as np

from snntb_adsnn.errors import NetworkError
from snntb_adsnn.frontends.onnx.operators.call import OPERATORS, Call, lined_up, moved
from snntb_adsnn.frontends.onnx.operators.geometry import window_of
from snntb_adsnn.frontends.onnx.refusals import UNKNOWN_STATISTICS
from snntb_adsnn.frontends.onnx.tensors import Tensor
from snntb_adsnn.network import maps
from snntb_adsnn.network.maps import Array


@OPERATORS.register("Conv")
def _convolution(call: Call) -> Tensor:
    x, kernel, bias = call.image(), call.need(1, "weights"), call.need(2, "bias") if call.has(2) else None
    kernel = kernel[:, :, None] if kernel.ndim == 3 else kernel  # a series is an image of one row
    if kernel.ndim != 4:
        raise NetworkError(f"has {kernel.ndim - 2} spatial axes; only 1 and 2 are converted")
    window, groups = window_of(call, x, kernel.shape[2:]), int(call.attributes.get("group", 1))
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
    bias = None if bias is None else np.broadcast_to(lined_up(bias, weights.shape[1:]), weights.shape[1:])
    return Tensor(call.add(maps.Dense(*call.at(x), ordered), bias), weights.shape[1:])


@OPERATORS.register("BatchNormalization")
def _batch_normalization(call: Call) -> Tensor:
    x = call.tensor()
    if call.attributes.get("training_mode"):
        raise NetworkError(UNKNOWN_STATISTICS)
    gain, shift, mean, variance = (call.need(i, "statistics").astype(np.float64) for i in range(1, 5))
    factor = gain / np.sqrt(variance + call.attributes.get("epsilon", 1e-5))
    return moved(call, x, *(v.reshape(-1, *[1] * (len(x.shape) - 1)) for v in (factor, shift - mean * factor)))
