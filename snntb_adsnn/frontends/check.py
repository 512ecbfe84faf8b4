"""The check of every conversion: the network against the values that the source framework computes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.graph import no_array
from snntb_adsnn.network.maps import Array
from snntb_adsnn.network.pooling import Source
from snntb_adsnn.neuron.transfer import transfer

TOLERANCE = 1e-5
"""Largest difference between the model and ``SpikingNetwork.analog``, per layer and relative to its largest value where
that is above 1."""


@dataclass(frozen=True)
class Probe:
    """What a node of the draft should compute: a function of a tensor that the framework computes.

    Attributes:
        tensor: what the front end calls it.
        of: the function.
    """

    tensor: Hashable
    of: Callable[[Array], Array] = lambda values: values


def expected(
    network: SpikingNetwork,
    sources: Mapping[str, Source],
    probes: Mapping[str, Probe],
    values: Mapping[Any, Array],
) -> dict[str, Array]:
    """By population, the analog output that the framework computes.

    Args:
        network: what the model was converted to.
        sources: by population, the draft's node whose value it computes (``Draft.finish``).
        probes: by node of the draft, where the framework has that value.
        values: the framework's tensors, shape (images, ...).
    """
    found = {}
    for population in network.populations:
        if (source := sources.get(population.name)) is None:
            continue  # the model has no such value
        y = probes[source.node].of(values[probes[source.node].tensor])
        if not source.pooled:
            y = population.pooled(y.reshape(-1, *population.input_shapes[0]))
        found[population.name] = y
    return found


def real(x: Any) -> Array:
    """Check inputs as an array of floats, float32 or float64.

    Raises:
        ConversionError: they are no real numbers, or no array.
    """
    try:
        found = np.asarray(x)
        found = found.astype(np.float64) if found.dtype.kind == "O" else found
    except (TypeError, ValueError, RuntimeError):  # a generator, rows of several lengths, tensors that are on a device
        raise ConversionError(f"the check {no_array(x, '(inputs, *input shape)')}") from None
    if found.dtype.kind not in "fiub":
        raise ConversionError(f"the check inputs have the type {found.dtype}; give real numbers.")
    return found.astype(np.float32 if found.dtype == np.float32 else np.float64, copy=False)


class DeviationError(ConversionError):
    """The network differs from the model by more than ``TOLERANCE``."""


def check(
    network: SpikingNetwork, x: Array, seen: Mapping[str, Array], outputs: Array | Sequence[Array], framework: str
) -> float:
    """Compare the network with the model on real inputs, layer by layer.

    Each layer is given the framework's own outputs of the layers before it, so that a deviation is found where it
    arises. At the threshold the transfer function is infinitely steep, so that a layer is compared by its input: the
    framework's output must be the transfer of a potential within the tolerance of ours.

    Args:
        network: what the model was converted to.
        x: inputs, shape (images, *input shape).
        seen: by population, the analog output that the framework computes, of as many values as the population's. One
            that is missing is not compared; what reads it is.
        outputs: what the framework's model gives, shape (images, *output shape); of several outputs, a list of these.
        framework: its name, for messages.

    Returns:
        the largest deviation of the model's output.

    Raises:
        DeviationError: a layer deviates by more than ``TOLERANCE``.
        ConversionError: the framework computes values that are infinite or no numbers.
    """
    values: dict[str, Array] = {network.input.name: network.input.held(x.astype(np.float64))}
    deviation = 0.0
    for node, total in network.propagate(values):
        if isinstance(node, Neurons) and node.name not in seen:
            values[node.name] = node.analog(total)
        elif isinstance(node, Neurons):
            S = node.potential(total)
            y = seen[node.name].reshape(S.shape).astype(np.float64)
            _need_finite(y, node.name, framework)
            values[node.name] = y
            margin = TOLERANCE * max(1.0, float(np.abs(S).max()))
            low, high = (transfer(S + d, node.parameters, node.form) for d in (-margin, margin))
            deviation = float(np.maximum(low - y, y - high).max())
        elif isinstance(node, Readout):
            found = node.activated(total + node.bias)
            deviation = _deviation(node, found, [outputs] if isinstance(outputs, np.ndarray) else outputs, framework)
        if not deviation <= TOLERANCE:
            raise DeviationError(
                f"after conversion layer {node.name!r} deviates from {framework} by {deviation:.2g} (allowed: "
                f"{TOLERANCE:g}) on {len(x)} check inputs, so the conversion is refused. Please report the model: this "
                "is a fault of the converter."
            )
    return deviation


def _deviation(readout: Readout, found: Array, expected: Sequence[Array], framework: str) -> float:
    """The largest difference of any output, relative to that output's largest value where that is above 1."""
    worst = 0.0
    for part, ours, theirs in zip(readout.outputs, readout.split(found).values(), expected, strict=True):
        theirs = theirs.astype(np.float64)
        _need_finite(theirs, None, framework)
        if theirs.shape != ours.shape:
            raise ConversionError(
                f"the output {part.name!r} has shape {theirs.shape[1:]} in {framework} and {part.shape} after "
                "conversion. Please report the model: this is a fault of the converter."
            )
        worst = max(worst, float(np.abs(ours - theirs).max()) / max(1.0, float(np.abs(theirs).max())))
    return worst


def _need_finite(values: Array, layer: str | None, framework: str) -> None:
    """Raise ConversionError where one of the framework's values, shape (images, ...), is infinite or no number."""
    wrong = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if wrong.any():
        raise ConversionError(
            f"{'the model' if layer is None else f'layer {layer!r}'} gives infinite values, or none at all (NaN), in "
            f"{framework} on {wrong.sum()} of {len(values)} test inputs: they pass the largest number of its type. "
            "Give the model inputs of the size that it was trained with, or train it again with smaller weights."
        )
