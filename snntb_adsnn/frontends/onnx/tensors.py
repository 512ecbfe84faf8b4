"""Values of an ONNX graph as nodes of a draft: which node computes a tensor, and in what order of its elements.

ONNX keeps images channels-first, networks keep them channels-last. An image is turned once, where the first operator
needs it as an image, and stays so. Flattening it keeps the order of the network; the weights that read it are put into
that order. Only what needs the elements in ONNX's own order turns them back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from snntb_adsnn.errors import NetworkError
from snntb_adsnn.network.draft import Draft
from snntb_adsnn.network.maps import Array, Node, Reshape, Scale, Shape
from snntb_adsnn.network.maps.permutation import Permute

PLAIN, IMAGE, FLAT = "plain", "image", "flat"


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph, without its batch axis.

    Attributes:
        node: the draft's node that computes it.
        shape: as ONNX has it: (channels, rows, columns), (channels, length) or (features,).
        layout: the order of the node's elements: ``plain``: ONNX's own; ``image``: (rows, columns, channels), with one
            row for a series; ``flat``: an image of the ONNX shape ``image``, channels-last, flattened.
        image: see ``layout``.
    """

    node: str
    shape: Shape
    layout: str = PLAIN
    image: Shape = ()

    def ordered(self, values: Array) -> Array:
        """``values`` of ONNX's shape (..., *shape) in the order and shape of the node."""
        lead = values.shape[: values.ndim - len(self.shape)]
        if self.layout == IMAGE:
            rows, columns = _spatial(self.shape)
            return np.moveaxis(values.reshape(*lead, self.shape[0], rows, columns), -3, -1)
        if self.layout == FLAT:
            rows, columns = _spatial(self.image)
            image = values.reshape(*lead, self.image[0], rows, columns)
            return np.moveaxis(image, -3, -1).reshape(*lead, -1)
        return values


def _spatial(shape: Shape) -> tuple[int, int]:
    return (shape[1], shape[2]) if len(shape) == 3 else (1, shape[1])


@dataclass(frozen=True)
class Probe:
    """What a node of the draft should compute: a function of a tensor that the framework computes."""

    tensor: str
    of: Callable[[Array], Array]


@dataclass
class Builder:
    """A draft with the tensors that its nodes compute.

    Attributes:
        draft: the network under construction.
        constants: tensors that do not depend on the input, by name.
        tensors: the others.
        batch: number of images that shapes in the graph are written for; 1 where it takes any number.
    """

    draft: Draft = field(default_factory=Draft)
    constants: dict[str, Array] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    batch: int = 1

    def name(self, wanted: str) -> str:
        """A name that no node has yet."""
        name, number = wanted, 2
        while name in self.draft.nodes:
            name, number = f"{wanted}_{number}", number + 1
        return name

    def at(self, wanted: str, *sources: str) -> tuple[str, tuple[str, ...], tuple[Shape, ...]]:
        """The first three arguments of a node that reads ``sources``."""
        return self.name(wanted), sources, tuple(self.draft.nodes[source].shape for source in sources)

    def node(self, tensor: Tensor) -> Node:
        """The node that computes a tensor."""
        return self.draft.nodes[tensor.node]

    def image(self, tensor: Tensor, wanted: str) -> Tensor:
        """The same tensor as (rows, columns, channels).

        Raises:
            NetworkError: it is neither an image nor a series.
        """
        if tensor.layout == IMAGE:
            return tensor
        if len(tensor.shape) not in (2, 3):
            raise NetworkError(
                f"needs (channels, rows, columns) or (channels, length), but its input is {tensor.shape}"
            )
        plain = self.plain(tensor, wanted)
        axes = (1, 2, 0) if len(tensor.shape) == 3 else (1, 0)
        node = self._permuted(plain.node, axes, wanted)
        node = self._reshaped(node, (*_spatial(tensor.shape), tensor.shape[0]), wanted)
        return Tensor(node, tensor.shape, IMAGE)

    def plain(self, tensor: Tensor, wanted: str) -> Tensor:
        """The same tensor in ONNX's own order."""
        if tensor.layout == PLAIN:
            return tensor
        image = tensor.shape if tensor.layout == IMAGE else tensor.image
        node = self._reshaped(tensor.node, (*image[1:], image[0]), wanted)
        axes = (2, 0, 1) if len(image) == 3 else (1, 0)
        node = self._reshaped(self._permuted(node, axes, wanted), tensor.shape, wanted)
        return Tensor(node, tensor.shape)

    def ending(self, tensor: Tensor, *, channels_last: bool) -> str:
        """The node of an output of the model: in ONNX's own order, or an image with its channels last. An output of
        one value for an image, shape (), has shape (1,)."""
        if not tensor.shape:
            return self._reshaped(tensor.node, (1,), "output")
        if channels_last and len(tensor.shape) == 3:
            return self.image(tensor, "output").node
        return self.plain(tensor, "output").node

    def transposed(self, tensor: Tensor, axes: tuple[int, ...], wanted: str) -> Tensor:
        """With its axes in another order."""
        plain = self.plain(tensor, wanted)
        shape = tuple(plain.shape[axis] for axis in axes)
        return Tensor(self._permuted(plain.node, axes, wanted), shape)

    def reshaped(self, tensor: Tensor, shape: Shape, wanted: str) -> Tensor:
        """With another shape.

        Raises:
            NetworkError: the shape has another number of elements.
        """
        if math.prod(shape) != math.prod(tensor.shape):
            raise NetworkError(f"cannot make {shape} of {tensor.shape}")
        if shape == tensor.shape:
            return tensor
        if tensor.layout == IMAGE and len(shape) == 1:
            flat = Tensor(self._reshaped(tensor.node, shape, wanted), shape, FLAT, tensor.shape)
            return replace(flat, layout=PLAIN, image=()) if math.prod(tensor.shape[1:]) == 1 else flat
        if tensor.layout == FLAT and shape == tensor.image:
            return Tensor(self._reshaped(tensor.node, (*_spatial(shape), shape[0]), wanted), shape, IMAGE)
        plain = self.plain(tensor, wanted)
        return Tensor(self._reshaped(plain.node, shape, wanted), shape)

    def moved(self, tensor: Tensor, factor: Array | float, shift: Array | float, wanted: str) -> str:
        """Node of ``factor * tensor + shift``; both broadcast to the tensor's ONNX shape.

        Raises:
            NetworkError: the factor differs between the pixels of a channel.
        """
        factors, shifts = (tensor.ordered(np.broadcast_to(v, tensor.shape).astype(np.float64)) for v in (factor, shift))
        channels = factors.reshape(-1, factors.shape[-1])
        if not (channels == channels[:1]).all():
            raise NetworkError(
                "multiplies the pixels of a channel by different factors; only one a channel can be kept"
            )
        return self.draft.add(Scale(*self.at(wanted, tensor.node), channels[0]), shifts)

    def _permuted(self, node: str, axes: tuple[int, ...], wanted: str) -> str:
        source = self.draft.nodes[node]
        if isinstance(source, Permute) and node not in self.draft.constants:
            axes, source = tuple(source.axes[axis] for axis in axes), self.draft.nodes[source.inputs[0]]
        if axes == tuple(range(len(axes))):
            return source.name
        shape = source.shape
        # axes of one element may stand anywhere
        moved = [axis for axis in axes if shape[axis] > 1]
        if moved == sorted(moved):
            return self._reshaped(source.name, tuple(shape[axis] for axis in axes), wanted)
        return self.draft.add(Permute(*self.at(f"{wanted}/order", source.name), axes))

    def _reshaped(self, node: str, shape: Shape, wanted: str) -> str:
        source = self.draft.nodes[node]
        if isinstance(source, Reshape) and node not in self.draft.constants:
            source = self.draft.nodes[source.inputs[0]]
        if source.shape == shape:
            return source.name
        return self.draft.add(Reshape(*self.at(f"{wanted}/shape", source.name), shape))
