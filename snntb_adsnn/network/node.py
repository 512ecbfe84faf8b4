"""A vertex of the network graph, and the list of all kinds of vertices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.errors import NetworkError
from snntb_adsnn.registry import Registry

Array = NDArray[Any]
Shape = tuple[int, ...]

_KINDS: Registry[str, type[Node]] = Registry("kind of node")


def kinds() -> Mapping[str, type[Node]]:
    """The classes of nodes that a network, and so its file, may hold, by their names: every subclass of ``Node`` is
    listed when it is defined. A file of a network with kinds of your own can be read once they are imported."""
    return MappingProxyType(_KINDS)


@dataclass(frozen=True, eq=False)
class Node:
    """A vertex of the network graph.

    Attributes:
        name: unique in its network.
        inputs: names of the nodes it reads.
        input_shapes: their shapes, without the batch axis.
        shape: its own output shape, computed on construction.
    """

    name: str
    inputs: tuple[str, ...]
    input_shapes: tuple[Shape, ...]
    shape: Shape = field(init=False)

    def __init_subclass__(cls, *, listed: bool = True, **others: Any) -> None:
        """List the class among ``kinds``.

        Args:
            listed: ``False`` for what no network holds: base classes, and nodes that exist during conversion only.
            others: for classes that have further bases.
        """
        super().__init_subclass__(**others)
        if listed:
            _KINDS.add(cls.__name__, cls)

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.input_shapes):
            raise NetworkError(f"{self.name}: {len(self.inputs)} inputs, but {len(self.input_shapes)} shapes.")
        for key, value in vars(self).items():
            if isinstance(value, np.ndarray):
                if not np.isfinite(value).all():
                    raise NetworkError(f"{self.name}: {key} holds NaN or infinite values; train or load it again.")
                value.flags.writeable = False
        object.__setattr__(self, "shape", self.output_shape())

    def output_shape(self) -> Shape:
        """Output shape from the input shapes; raises NetworkError where they do not fit."""
        raise NotImplementedError

    def _need(self, condition: bool, what: str) -> None:
        if not condition:
            raise NetworkError(f"{self.name} ({type(self).__name__}): {what}, but its input is {self.input_shapes}.")
