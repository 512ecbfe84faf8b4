"""Stages in the form that the compiled kernels take: all steps of one image at a time.

A program is what a stage computes, shared by all threads; a loop is a program at work, with memory of its own.
A dense layer is a convolution of one pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from adsnn_hls.arithmetic import FixedType, Words
from adsnn_hls.arithmetic.kernels import (
    CLIP,
    WRAP,
    ZERO,
    Cast,
    Cells,
    Filter,
    Fire,
    Synapses,
    Train,
    run_readout,
    run_spiking,
)
from adsnn_hls.arithmetic.steps import Range
from adsnn_hls.stages.neurons import QUARTERS, FixedNeurons
from adsnn_hls.stages.running import Kept
from snntb_adsnn.network.maps import NO_PADDING, Shape, Window
from snntb_adsnn.neuron.constants import STATES

_NARROW = 31  # states of up to so many bits are kept in int32: half the memory traffic, and cheaper products

# ---- programs ------------------------------------------------------------------------------------------------------


class NeuronLoop:
    """Neurons at work."""

    def __init__(self, program: NeuronProgram, steps: int) -> None:
        self.program, self.steps = program, steps
        n = program.neurons
        self.sums = np.empty((int(np.prod(n.input_shape[:-1])), n.input_shape[-1]), program.sum_dtype)
        self.events = np.empty(steps * n.size, np.int32)
        self.stats = np.zeros((len(STATES), 3), np.int64)

    def run(self, signal: Any, kept: Kept) -> Train:
        p, n = self.program, self.program.neurons
        # held currents may need the wider type although the state words are narrow: both fit ``dtype``
        I = np.zeros(self.sums.size, p.dtype)
        if p.held is not None:
            current, seen = p.held(signal)
            I[:] = current.reshape(-1)
            low, high, overflows = self.stats[0]
            self.stats[0] = min(low, seen.low), max(high, seen.high), overflows + seen.overflows
            signal = Train(np.empty(0, np.int32), np.zeros(self.steps + 1, np.int64))
        states = (I, np.zeros_like(I), *(np.zeros(n.size, p.dtype) for _ in range(3)))
        out = Train(self.events, np.zeros(self.steps + 1, np.int64))
        run_spiking(signal, p.synapses, self.sums, p.cells, states, out, self.stats, kept)
        return out


@dataclass(frozen=True, eq=False)
class NeuronProgram:
    """Spiking neurons behind weights, or with a current that is held.

    Attributes:
        neurons: the neurons.
        synapses: of the weights; empty ones for a held current.
        sum_dtype: of a step's sums.
        cells: the neurons' kernel.
        dtype: of the states.
        held: from pixels to the held current and its statistics.
    """

    neurons: FixedNeurons
    synapses: Synapses
    sum_dtype: type[np.signedinteger[Any]]
    cells: Cells
    dtype: type[np.signedinteger[Any]]
    held: Callable[[Words], tuple[Words, Range]] | None = None

    def start(self, steps: int) -> NeuronLoop:
        return NeuronLoop(self, steps)


class ReadoutLoop:
    """A read-out at work."""

    def __init__(self, program: ReadoutProgram, steps: int) -> None:
        self.program, self.steps = program, steps
        self.sums = np.empty((1, len(program.bias)), program.sum_dtype)
        self.stats = np.zeros((len(STATES), 3), np.int64)

    def run(self, signal: Train, kept: Kept) -> Words:
        p = self.program
        outputs = np.empty((self.steps, len(p.bias)), np.int64)
        run_readout(signal, p.synapses, self.sums, p.filter, p.bias, outputs, self.stats, kept)
        return outputs


@dataclass(frozen=True, eq=False)
class ReadoutProgram:
    """Filtered weighted sums plus bias."""

    synapses: Synapses
    sum_dtype: type[np.signedinteger[Any]]
    filter: Filter
    bias: Words

    def start(self, steps: int) -> ReadoutLoop:
        return ReadoutLoop(self, steps)


def held_program(n: FixedNeurons, held: Callable[[Words], tuple[Words, Range]]) -> NeuronProgram:
    """Neurons whose current is computed once an image."""
    nothing = Synapses(np.zeros((0, 0, 0, 0), np.int32), (1, 1, 1), (1, 1), (1, 1), (0, 0), (1, 1))
    return NeuronProgram(n, nothing, np.int32, _cells(n, 0), _state_dtype(n), held)


def neuron_program(n: FixedNeurons, synapses: Synapses, accumulator: FixedType) -> NeuronProgram:
    """Neurons behind weights."""
    return NeuronProgram(n, synapses, sum_dtype(accumulator), _cells(n, accumulator.fraction), _state_dtype(n))


def convolution(weights: Words, window: Window, image: Shape) -> Synapses:
    """Weights of shape (rows, columns, input channels, output channels) for the kernels."""
    height, width, channels = image
    top_left = (window.padding[0][0], window.padding[1][0])
    output = window.output_size(height, width)
    words = np.ascontiguousarray(weights, np.int32)
    return Synapses(words, (height, width, channels), window.size, window.strides, top_left, output)


def matrix(weights: Words) -> Synapses:
    """Weights of shape (inputs, outputs): a convolution of one pixel."""
    return convolution(weights[None, None], Window((1, 1)), (1, 1, weights.shape[0]))


# ---- constants of the kernels --------------------------------------------------------------------------------------


def sum_dtype(accumulator: FixedType) -> type[np.signedinteger[Any]]:
    """The integers in which sums are added up."""
    return np.int32 if accumulator.width <= _NARROW else np.int64


def _state_dtype(n: FixedNeurons) -> type[np.signedinteger[Any]]:
    return np.int32 if max(kind.width for kind in n.types.values()) <= _NARROW else np.int64


def _cast(kind: FixedType, fraction: int) -> Cast:
    shift = fraction - kind.fraction
    assert shift >= 0
    half = 1 << (shift - 1) if shift else 0
    less = max(half - 1, 0)
    negative, positive, even = {
        "TRN": (0, 0, 0),
        "TRN_ZERO": ((1 << shift) - 1, 0, 0),
        "RND": (half, half, 0),
        "RND_MIN_INF": (less, less, 0),
        "RND_ZERO": (half, less, 0),
        "RND_INF": (less, half, 0),
        "RND_CONV": (less, less, int(shift > 0)),
    }[kind.rounding]
    overflow = {"SAT": CLIP, "SAT_SYM": CLIP, "SAT_ZERO": ZERO, "WRAP": WRAP}[kind.overflow]
    spare = 64 - kind.width if kind.signed else -1
    return Cast(shift, negative, positive, even, kind.low, kind.high, overflow, spare)


def filter_of(owner: Any, drive: int) -> Filter:
    """Equations 1 and 2 of neurons or of a read-out; ``drive``: fraction bits of the sums."""
    current, potential = owner.current, owner.potential
    c = owner.coefficient.fraction
    i = current.fraction + c
    total = max(i, drive)
    f = max(potential.fraction, current.fraction)
    return Filter(
        k_beta=owner.k_beta,
        product=total - i,
        drive=total - drive,
        current=_cast(current, total),
        g_phi=owner.g_phi,
        I_up=f - current.fraction,
        V_up=f - potential.fraction,
        V_total=f + c - potential.fraction,
        potential=_cast(potential, f + c),
    )


def _fire(n: FixedNeurons) -> Fire:
    c = n.coefficient.fraction
    v, s, a = n.potential.fraction, n.refractory.fraction, n.adaptation.fraction
    finest, jump = max(v, s, a), max(s, a)
    values: dict[str, Any] = {
        "k_eta": n.k_eta,
        "decay": _cast(n.refractory, s + c),
        "V_up": finest - v,
        "S_hat_up": finest - s,
        "theta_up": finest - a,
        "jump": _cast(n.refractory, jump),
        "S_hat_jump": jump - s,
        "theta_jump": jump - a,
        "k_gamma": n.k_gamma,
        "m_gamma": n.m_gamma,
        "theta0": n.theta0,
        "adapt": _cast(n.adaptation, a + c),
        "onset": n.onset,
        "corrective": n.corrective,
        "ahead_up": QUARTERS + 1,
    }
    return Fire(**values)


def _cells(n: FixedNeurons, drive: int) -> Cells:
    bias = np.ascontiguousarray(np.broadcast_to(n.bias, n.shape)).reshape(-1)
    return Cells(filter_of(n, drive), _fire(n), bias, _pool(n))


def _pool(n: FixedNeurons) -> tuple[tuple[int, int], ...]:
    pool = n.pool or Window((1, 1))
    if n.pool is None or (pool.size == (1, 1) and pool.padding == NO_PADDING and pool.strides == (1, 1)):
        return ((0, 0),) * 6
    top_left = (pool.padding[0][0], pool.padding[1][0])
    shape = (n.input_shape[0], n.input_shape[1])
    return (shape, (n.shape[0], n.shape[1]), pool.size, pool.strides, top_left, pool.dilation)
