"""What a network's read-out gives: its outputs by name, and the functions that end a model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from snntb_adsnn.errors import NetworkError
from snntb_adsnn.network.node import Array, Shape
from snntb_adsnn.registry import Registry


@dataclass(frozen=True)
class Activation:
    """A function that a model may end with. The read-out does not spike, so that it computes it exactly.

    Attributes:
        function: of potentials, shape (..., values); it keeps their type.
        elementwise: whether it takes each value by itself.
        keeps_order: whether the largest potential gives the largest value.
    """

    function: Callable[[Array], Array]
    elementwise: bool = True
    keeps_order: bool = True


ACTIVATIONS: Registry[str, Activation] = Registry("activation of an output")
"""What a model may end with, by name."""


def softmax(x: Array) -> Array:
    """Softmax over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


ACTIVATIONS.add("softmax", Activation(softmax, elementwise=False))
ACTIVATIONS.add("linear", Activation(lambda x: x))
ACTIVATIONS.add("sigmoid", Activation(sigmoid))
ACTIVATIONS.add("tanh", Activation(np.tanh))
ACTIVATIONS.add("relu", Activation(lambda x: np.maximum(x, 0), keeps_order=False))


@dataclass(frozen=True)
class Output:
    """One output of a model: consecutive values of the read-out.

    Attributes:
        name: of the output, as the model has it.
        shape: without the batch axis, such as (classes,) or (rows, columns, channels).
        activation: a name in ``ACTIVATIONS``; softmax is taken over the last axis, or over ``row``.
        task: what it is for, a name in ``tasks.TASKS``; ``auto``: what follows from shape and activation.
        row: number of values side by side over which softmax is taken, where the model reshapes them behind it; 0: the
            last axis.
    """

    name: str
    shape: Shape
    activation: str
    task: str = "auto"
    row: int = 0

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise NetworkError(
                f"{self.name}: read-out activation {self.activation!r} must be one of {', '.join(ACTIVATIONS)}."
            )
        if not self.shape or min(self.shape) < 1:
            raise NetworkError(f"{self.name}: an output of shape {self.shape} must have positive sizes.")
        if self.row and not (self.row > 0 and self.size % self.row == 0):
            raise NetworkError(f"{self.name}: {self.size} values are no rows of {self.row}.")

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def function(self) -> Activation:
        """The activation itself."""
        return ACTIVATIONS[self.activation]

    def activated(self, potentials: Array) -> Array:
        """The output for potentials of shape (..., size), in that shape."""
        shape = (self.size // self.row, self.row) if self.row else self.shape
        shaped = potentials.reshape(*potentials.shape[:-1], *shape)
        return self.function.function(shaped).reshape(potentials.shape)


def split(parts: tuple[Output, ...], values: Array) -> dict[str, Array]:
    """The values of each output, shape (..., *output shape), from all in a row, shape (..., values)."""
    ends = np.cumsum([part.size for part in parts])
    lead = values.shape[:-1]
    pieces = np.split(values, ends[:-1], axis=-1)
    return {part.name: piece.reshape(*lead, *part.shape) for part, piece in zip(parts, pieces, strict=True)}
