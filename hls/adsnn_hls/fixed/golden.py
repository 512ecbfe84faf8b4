"""The golden model: what the hardware computes, word by word (docs/fixed-point.md is its text form).

``reference`` below is the specification as code: NumPy, one step at a time; the steps are those of the stages. ``fast``
computes the same words faster and is tested against it bit for bit.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from adsnn_hls.arithmetic import Words
from adsnn_hls.fixed.network import FixedNetwork
from adsnn_hls.fixed.result import GoldenResult, check_pixels, check_record, empty_corrective, empty_records
from snntb_adsnn.errors import ParameterError


def reference(network: FixedNetwork, pixels: Words, steps: int, record: Collection[str]) -> GoldenResult:
    """The specification: stages are stepped in order within the same time step."""
    images = len(pixels)
    states = {stage.name: stage.start(images) for stage in network.stages}
    outputs = np.empty((images, steps, network.readout.classes), np.int64)
    counts = {stage.name: np.zeros((images, *stage.shape), np.int32) for stage in network.spiking}
    corrective = empty_corrective(network, images)
    per_step = {name: np.zeros(steps, np.int64) for name in counts}
    records = empty_records(network, images, steps, record)
    for t in range(steps):
        signal: Any = pixels
        for name, state in states.items():
            signal = state.step(signal)
            if name in counts:
                counts[name] += signal != 0
                per_step[name][t] = np.count_nonzero(signal)
            if name in corrective:
                corrective[name] += signal < 0
            for quantity, kept in records[name].items():
                kept[:, t] = signal if quantity == "spikes" else state.words[quantity]
        outputs[:, t] = signal
    ranges = {name: {q: a.range for q, a in state.assign.items()} for name, state in states.items()}
    return GoldenResult(outputs, counts, per_step, ranges, network.dt, records, corrective)


def simulate(
    network: FixedNetwork, pixels: Any, steps: int, *, record: Collection[str] = (), engine: str = "fast"
) -> GoldenResult:
    """Run the golden model from the reset state.

    Args:
        network: the network.
        pixels: input words, shape (images, *input shape) (see ``FixedNetwork.pixels``).
        steps: time steps of each image.
        record: what to keep of every step, out of ``RECORDABLE``.
        engine: ``fast`` (compiled) or ``reference`` (NumPy): the same words.

    Raises:
        ParameterError: pixels, steps, record or engine do not fit.
    """
    if steps < 1:
        raise ParameterError(f"steps = {steps} is not allowed: simulate at least one step.")
    if engine not in ("fast", "reference"):
        raise ParameterError(f"engine {engine!r} is unknown: choose fast or reference.")
    check_record(record)
    words = check_pixels(network, pixels)
    if engine == "reference":
        return reference(network, words, steps, record)
    from adsnn_hls.fixed.fast import fast  # imports Numba, which the specification does not need

    return fast(network, words, steps, record)
