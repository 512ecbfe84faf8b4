"""What a stage needs to know to add its nodes to hls4ml's graph: plain data, no hls4ml (``cpp`` has the rest)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from snntb_adsnn.network.maps import Shape

SPIKE = "uint<1>"
"""Type of a spike, and of the reset wire."""

SIGNED_SPIKE = "int<2>"
"""Type of a spike that may be negative: -1, 0 or 1."""


@dataclass(frozen=True)
class Wires:
    """What one stage sends to the next.

    Attributes:
        data: name of the node whose output it is.
        shape: of the data.
        reset: name of the reset wire, in io_parallel.
        spike: type of the data, where they are spikes.
    """

    data: str
    shape: Shape
    reset: str | None = None
    spike: str = SPIKE

    @property
    def inputs(self) -> list[str]:
        """Data and reset."""
        return [self.data] if self.reset is None else [self.data, self.reset]


class Layers(Protocol):
    """hls4ml's graph while it is put together; ``cpp.layer_list`` implements it.

    Attributes:
        stream: whether a call is an image (io_stream) or a step (io_parallel).
        steps: time steps of an image.
        calls: steps that a node computes in one call.
    """

    stream: bool
    steps: int

    @property
    def calls(self) -> int: ...

    def name(self, stage: Any) -> str:
        """Name of the stage's last node: unique, and a part of C++ identifiers."""

    def number(self, stage: Any) -> int:
        """Position of the stage in the chain."""

    def add(self, kind: str, name: str, inputs: list[str], types: dict[str, Any], **attributes: Any) -> str:
        """Add a node of class ``kind``; returns its name.

        Args:
            kind: class of the node.
            name: unique.
            inputs: names of the outputs that it reads.
            types: precisions by name.
            attributes: of the node.
        """

    def share_sum(self, stage: Any, name: str, inputs: int, outputs: int) -> None:
        """Set strategy and reuse factor of a node with ``inputs`` x ``outputs`` products."""

    def share_neurons(self, stage: Any, name: str, shape: Shape) -> None:
        """Set the reuse factor of neurons of that shape."""

    def unshared(self, name: str) -> None:
        """All work of the node at the same time."""
