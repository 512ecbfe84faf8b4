"""What every linear map is: edges between pixels, from which everything else follows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from snntb_adsnn.errors import NetworkError
from snntb_adsnn.network.edges import PixelMap
from snntb_adsnn.network.maps.window import Padding, Pair
from snntb_adsnn.network.node import Array, Node


@dataclass(frozen=True, eq=False)
class Convolution:
    """A plain convolution, without groups and dilation.

    Attributes:
        kernel: float64, shape (rows, columns, input channels, output channels).
        strides, padding: as in ``Window``.
    """

    kernel: Array
    strides: Pair
    padding: Padding


@dataclass(frozen=True, eq=False)
class Linear(Node, listed=False):
    """A node whose output is a linear function of its inputs.

    A new kind of map is a subclass, a frozen dataclass with ``eq=False``, that says two things: ``output_shape`` and
    ``edges``. The rest follows from these, and is overridden only where speed matters (TensorFlow's in
    ``engine.tensorflow``) or where the kind has weights.
    """

    def edges(self) -> list[PixelMap]:
        """The map from each input, as edges between pixels."""
        raise NetworkError(
            f"{self.name}: a {type(self).__name__} does not say which weights lead where, so only its own apply can "
            "compute it; give the class a method edges()."
        )

    @cached_property
    def _edges(self) -> list[PixelMap]:
        return self.edges()

    def apply(self, *xs: Array) -> Array:
        """Map inputs of shape (batch, *input_shape) to (batch, *shape), in the inputs' dtype."""
        parts = [edges.apply(x, self.shape) for edges, x in zip(self._edges, xs, strict=True)]
        return sum(parts[1:], start=parts[0])

    def count(self, downstream: Array) -> tuple[Array, ...]:
        """Adjoint that counts synapses: given the number of additions that one event at each output costs, of shape
        ``shape``, the number that one event at each input costs, one array per input."""
        return tuple(
            edges.count(downstream, shape) for edges, shape in zip(self._edges, self.input_shapes, strict=True)
        )

    def as_convolution(self) -> Convolution | None:
        """The same map of images as a plain convolution, which a hardware stage can hold; ``None`` where it is none."""
        return None

    @property
    def weighted(self) -> bool:
        """Whether the node has synaptic weights."""
        return False

    @property
    def channelwise(self) -> bool:
        """Whether it treats every channel by itself and all alike, so that a gain for each channel may be applied
        before it as well as behind it."""
        return False

    def _image(self) -> tuple[int, int, int]:
        """Height, width and channels of the only input; raises NetworkError where it is no image."""
        self._need(len(self.input_shapes) == 1 and len(self.input_shapes[0]) == 3, "needs (height, width, channels)")
        height, width, channels = self.input_shapes[0]
        return height, width, channels
