"""An operator of the graph, as its converter sees it, and the list of converters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snntb_adsnn.errors import NetworkError
from snntb_adsnn.frontends.onnx.tensors import IMAGE, Builder, Tensor
from snntb_adsnn.network.maps import Array, Node, Shape
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

    def varying(self) -> str:
        """Name of the first input that depends on the network's."""
        return next(name for name in self.inputs if name in self.builder.tensors)

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

    def at(self, *tensors: Tensor) -> tuple[str, tuple[str, ...], tuple[Shape, ...]]:
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


def lined_up(value: Array, shape: Shape) -> Array:
    """A constant without axes in front of those of ``shape``, which has no batch axis; it can be stretched to it.

    Raises:
        NetworkError: it has other sizes, or differs between the images of a batch.
    """
    in_front = max(value.ndim - len(shape), 0)
    if any(n != 1 for n in value.shape[:in_front]):
        raise NetworkError("has a constant for each image of a batch")
    value = value.reshape(value.shape[in_front:])
    behind = shape[len(shape) - value.ndim :]
    if any(n not in (1, wanted) for n, wanted in zip(value.shape, behind, strict=True)):
        raise NetworkError(f"stretches an input of shape {shape} to that of its constant, {value.shape}")
    return value


Converter = Callable[[Call], Tensor]
OPERATORS: Registry[str, Converter] = Registry("ONNX operator")


def moved(call: Call, x: Tensor, factor: Array | float, shift: Array | float) -> Tensor:
    """``factor * x + shift``, each a number for a channel, or for an element where it is added."""
    x = call.builder.image(x, call.name) if len(x.shape) in (2, 3) else x  # there a factor of a channel is one number
    return Tensor(call.builder.moved(x, factor, shift, call.name), x.shape, x.layout, x.image)
