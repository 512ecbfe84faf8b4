"""Small ONNX models with random weights, written with ONNX's own helpers: no framework is needed."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper


class Graph:
    """Operators one behind the other: ``g.add("Conv", x, weights, pads=[1, 1, 1, 1])`` gives the output's name."""

    def __init__(self, *shape: int, opset: int = 17, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.opset = opset
        self.nodes, self.constants = [], []
        self.input = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *shape])

    def constant(self, values, dtype=np.float32) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def normal(self, *shape: int, mean: float = 0.0, size: float | None = None) -> str:
        """Weights whose outputs have about the size of their inputs."""
        size = size if size is not None else (2 / max(np.prod(shape[1:]), 1)) ** 0.5
        return self.constant(self.random.normal(mean, size, shape))

    def add(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes) -> str:
        names = [f"{kind.lower()}_{len(self.nodes)}" + (f"_{i}" if i else "") for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=names[0], domain=domain, **attributes))
        return names[0]

    def conv(self, x: str, before: int, after: int, size=3, *, group: int = 1, bias: bool = True, **attributes) -> str:
        kernel = (size, size) if isinstance(size, int) else size
        inputs = [x, self.normal(after, before // group, *kernel)]
        return self.add("Conv", *inputs, *([self.normal(after, size=0.1)] if bias else []), group=group, **attributes)

    def norm(self, x: str, channels: int) -> str:
        random = self.random
        statistics = (
            random.uniform(0.7, 1.4, channels),
            random.normal(0, 0.2, channels),
            random.normal(0, 0.2, channels),
            random.uniform(0.5, 1.5, channels),
        )
        return self.add("BatchNormalization", x, *map(self.constant, statistics))

    def dense(self, x: str, before: int, after: int) -> str:
        return self.add("Gemm", x, self.normal(after, before), self.normal(after, size=0.1), transB=1)

    def model(self, *outputs: str) -> ModelProto:
        described = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "classes"]) for name in outputs]
        graph = helper.make_graph(self.nodes, "test", [self.input], described, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        checker.check_model(model)
        return model


def residual(opset: int = 17) -> ModelProto:
    """As torchvision's ResNet: a padded max pooling behind the stem, projection shortcuts, global average."""
    g = Graph(3, 17, 15, opset=opset)
    h = g.add("Relu", g.norm(g.conv("x", 3, 8, strides=[2, 2], pads=[1, 1, 1, 1], bias=False), 8))
    h = g.add("MaxPool", h, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for before, after, stride in ((8, 8, 1), (8, 12, 2)):
        inner = g.add("Relu", g.norm(g.conv(h, before, after, strides=[stride] * 2, pads=[1] * 4, bias=False), after))
        inner = g.norm(g.conv(inner, after, after, pads=[1] * 4, bias=False), after)
        if before != after:
            h = g.norm(g.conv(h, before, after, 1, strides=[stride] * 2, bias=False), after)
        h = g.add("Relu", g.add("Add", inner, h))
    h = g.add("Flatten", g.add("GlobalAveragePool", h))
    return g.model(g.dense(h, 12, 5))


def mobile() -> ModelProto:
    """As torchvision's MobileNetV2: linear bottlenecks, depthwise convolutions, ReLU6, a mean over rows and columns."""
    g = Graph(3, 12, 12)
    six = g.constant(0.0), g.constant(1.5)  # lower than 6, so that it limits something
    h = g.add("Clip", g.norm(g.conv("x", 3, 8, strides=[2, 2], pads=[1] * 4, bias=False), 8), *six)
    for _ in range(2):
        inner = g.add("Clip", g.norm(g.conv(h, 8, 24, 1, bias=False), 24), *six)
        inner = g.add("Clip", g.norm(g.conv(inner, 24, 24, group=24, pads=[1] * 4, bias=False), 24), *six)
        h = g.add("Add", h, g.norm(g.conv(inner, 24, 8, 1, bias=False), 8))
    h = g.add("Clip", g.norm(g.conv(h, 8, 16, 1, bias=False), 16), *six)
    return g.model(g.add("Softmax", g.dense(g.add("ReduceMean", h, axes=[2, 3], keepdims=0), 16, 4)))


def vgg() -> ModelProto:
    """Flattens an image of several channels; its dense layers read channels first."""
    g = Graph(2, 9, 10)
    h = g.add("Relu", g.conv("x", 2, 6, pads=[1] * 4))
    h = g.add("MaxPool", h, kernel_shape=[2, 2], strides=[2, 2])
    h = g.add("AveragePool", g.add("Relu", g.conv(h, 6, 5, pads=[1] * 4)), kernel_shape=[2, 2], strides=[2, 2])
    h = g.add("Relu", g.dense(g.add("Reshape", h, g.constant([0, -1], np.int64)), 20, 11))
    return g.model(g.dense(h, 11, 4))


def series() -> ModelProto:
    """A net of 1-D convolutions, with concatenation, parts, padding and a leaky activation."""
    g = Graph(3, 40)
    h = g.add("Relu", g.norm(g.conv("x", 3, 6, (5,), strides=[2], pads=[2, 2]), 6))
    h = g.add("MaxPool", h, kernel_shape=[2], strides=[2])
    left = g.add("LeakyRelu", g.conv(h, 6, 4, (3,), pads=[1, 1]), alpha=0.2)
    right = g.add("Relu", g.conv(h, 6, 5, (3,), dilations=[2], pads=[2, 2]))
    h = g.add("Concat", left, right, axis=1)
    first = g.add("Split", h, g.constant([3, 6], np.int64), axis=1, outputs=2)
    h = g.add("Concat", f"{first}_1", first, axis=1)
    h = g.add("Slice", h, *(g.constant([n], np.int64) for n in (1, -1, 2)))
    h = g.add("Relu", g.conv(g.add("Pad", h, g.constant([0, 0, 1, 0, 0, 2], np.int64)), 9, 7, (3,)))
    h = g.add("Gather", g.add("GlobalAveragePool", h), g.constant(-1, np.int64), axis=-1)
    return g.model(g.dense(g.add("Gather", h, g.constant([1, 2, 3], np.int64), axis=1), 3, 3))


def channels_last() -> ModelProto:
    """As tf2onnx writes Keras models: the input is turned, the convolution in front of it; flattened channels-last."""
    g = Graph(9, 8, 2)
    h = g.add("Transpose", "x", perm=[0, 3, 1, 2])
    h = g.add("Relu", g.conv(h, 2, 6, auto_pad="SAME_UPPER", strides=[2, 2]))
    h = g.add("Transpose", h, perm=[0, 2, 3, 1])
    h = g.add(
        "Relu",
        g.add(
            "Add", g.add("MatMul", g.add("Reshape", h, g.constant([-1, 120], np.int64)), g.normal(120, 9)), g.normal(9)
        ),
    )
    return g.model(g.add("MatMul", h, g.normal(9, 3)))


def arithmetic() -> ModelProto:
    """Constants of every position, differences, shapes that are computed, a graph of old exporters."""
    g = Graph(3, 6, 6, opset=11)
    h = g.add(
        "Div", g.add("Sub", "x", g.constant([[[0.4]], [[0.5]], [[0.6]]])), g.constant([[[0.2]], [[0.3]], [[0.25]]])
    )
    h = g.add("Relu", g.conv(h, 3, 4, pads=[1] * 4))
    other = g.add("Relu", g.add("Mul", g.constant(1.3), g.conv(h, 4, 4, 1)))
    h = g.add("Relu", g.add("Sub", g.conv(h, 4, 4, pads=[1] * 4), g.add("Neg", other)))
    h = g.add("AveragePool", h, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, count_include_pad=1)
    batch = g.add("Gather", g.add("Shape", h), g.constant(0, np.int64), axis=0)
    shape = g.add("Concat", g.add("Unsqueeze", batch, axes=[0]), g.constant([-1], np.int64), axis=0)
    h = g.add("Sub", g.constant(0.5), g.dense(g.add("Reshape", h, shape), 36, 6))
    return g.model(g.dense(g.add("Relu", h), 6, 3))


def limited() -> ModelProto:
    """Activations made of straight lines, and max pooling behind some of them."""
    g = Graph(2, 12, 11)
    h = g.add("Clip", g.conv("x", 2, 5), g.constant(-0.4), g.constant(0.9))
    h = g.add("MaxPool", h, kernel_shape=[2, 2], strides=[2, 2])
    h = g.add("PRelu", g.conv(h, 5, 6), g.constant(g.random.uniform(0.1, 0.5, (6, 1, 1))))
    h = g.add("MaxPool", h, kernel_shape=[2, 2], strides=[1, 1], pads=[1, 0, 0, 1])
    h = g.add("LeakyRelu", g.dense(g.add("Flatten", h), 36, 9), alpha=0.3)
    h = g.add("PRelu", g.dense(h, 9, 8), g.constant(g.random.uniform(0.1, 0.5, 8)))
    h = g.add("HardSigmoid", g.dense(h, 8, 7), alpha=0.9, beta=0.4)
    return g.model(g.dense(h, 7, 3))


MODELS = {f.__name__: f for f in (residual, mobile, vgg, series, channels_last, arithmetic, limited)}
