"""Activations that are sums of rectified straight lines, as populations of neurons: exact.

ReLU6, for one, is relu(x) - relu(x - 6). Each line becomes a population with graded spikes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from snntb_adsnn.network import Neurons, maps
from snntb_adsnn.network.draft import Draft
from snntb_adsnn.network.maps import Array
from snntb_adsnn.network.rewrite import fresh_name
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import GRADED


@dataclass(frozen=True)
class Line:
    """``weight * relu(slope * x + shift)``; each a number, or an array with a number for each channel."""

    weight: Array | float = 1.0
    slope: Array | float = 1.0
    shift: Array | float = 0.0

    def rectified(self, x: Array) -> Array:
        """What the population computes, for x of any shape with the channels last."""
        return np.maximum(np.asarray(self.slope) * x + self.shift, 0)


@dataclass(frozen=True)
class Piecewise:
    """The sum of ``lines``, and ``constant``."""

    lines: tuple[Line, ...]
    constant: float = 0.0


RELU = Piecewise((Line(),))


def clipped(high: float, low: float = 0.0) -> Piecewise:
    """x, limited to what lies between two values."""
    return Piecewise((Line(shift=-low), Line(-1.0, shift=-high)), low)


def leaky(slope: Array | float) -> Piecewise:
    """x where it is positive, ``slope * x`` elsewhere."""
    return Piecewise((Line(), Line(-np.asarray(slope, np.float64), -1.0)))


def hard_sigmoid(slope: float) -> Piecewise:
    """``slope * x + 1/2``, limited to what lies between 0 and 1."""
    return Piecewise((Line(1.0, slope, 0.5), Line(-1.0, slope, -0.5)))


def add_populations(
    draft: Draft, source: str, name: str, activation: Piecewise, tensors: Callable[[Line], object]
) -> str:
    """Add the populations of an activation, and their sum.

    Args:
        draft: the network under construction.
        source: node that the activation reads.
        name: of the first population; the others and the sum have longer ones.
        activation: what to add.
        tensors: by line, what the draft keeps for its population (``Draft.tensors``).

    Returns:
        the last node's name.
    """
    parts = []
    for number, line in enumerate(activation.lines, 1):
        own = fresh_name(name if number == 1 else f"{name}/{number}", draft.nodes)
        before = _straight(draft, source, f"{own}/line", line.slope, line.shift)
        shape = draft.nodes[before].shape
        neurons = Neurons(own, (before,), (shape,), np.zeros(shape[-1:], np.float32), ASNParameters(), GRADED)
        draft.tensors[draft.add(neurons)] = tensors(line)
        parts.append(_straight(draft, own, f"{own}/weighted", line.weight, 0.0))
    if len(parts) == 1:
        return _straight(draft, parts[0], f"{name}/sum", 1.0, activation.constant)
    shapes = tuple(draft.nodes[part].shape for part in parts)
    total = maps.Add(fresh_name(f"{name}/sum", draft.nodes), tuple(parts), shapes)
    return draft.add(total, np.asarray(activation.constant))


def _straight(draft: Draft, source: str, name: str, slope: Array | float, shift: Array | float) -> str:
    """Node of ``slope * x + shift``."""
    if np.all(np.asarray(slope) == 1) and not np.any(shift):
        return source
    shape = draft.nodes[source].shape
    factors = np.broadcast_to(np.asarray(slope, np.float64), shape[-1:]).copy()
    return draft.add(maps.Scale(fresh_name(name, draft.nodes), (source,), (shape,), factors), np.asarray(shift))
