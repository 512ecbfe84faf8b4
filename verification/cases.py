"""Small stages that cover the cores' parameters; the testbenches and pytest build the same ones."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from adsnn_hls.arithmetic import FixedType, Words
from adsnn_hls.cores import Lanes
from adsnn_hls.stages import AnalogStage, ConvStage, DenseStage, FixedNeurons, ReadoutStage, Stage, sum_type

from snntb_adsnn.network.maps import Window
from snntb_adsnn.neuron.constants import STATES

_CURRENT = FixedType(18, 4, True, "TRN_ZERO", "SAT")
_POTENTIAL = FixedType(18, 3, True, "TRN_ZERO", "SAT")
_REFRACTORY = FixedType(18, 3, False, "TRN", "SAT")
_ADAPTATION = FixedType(18, 2, False, "TRN", "SAT")
_COEFFICIENT = FixedType(12, 0, False)


@dataclass(frozen=True)
class Types:
    """State types and constants of a case; the defaults are those of the default ``Widths``. ``onset``: in steps.

    ``corrective``: c, 0 for none.
    """

    current: FixedType = _CURRENT
    potential: FixedType = _POTENTIAL
    refractory: FixedType = _REFRACTORY
    adaptation: FixedType = _ADAPTATION
    coefficient: FixedType = _COEFFICIENT
    k_beta: float = 0.98
    g_phi: float = 0.33
    k_eta: float = 0.98
    k_gamma: float = 0.935
    m_gamma: float = 0.28
    theta0: float = 0.3
    onset: int = 0
    corrective: float = 0

    def factor(self, name: str) -> int:
        """Raw word of a factor."""
        return round(getattr(self, name) * 2**self.coefficient.fraction)


DEFAULT = Types()
NARROW = Types(  # overflows all the time
    current=FixedType(9, 2, True, "RND", "SAT"),
    potential=FixedType(8, 1, True, "RND_CONV", "SAT"),
    refractory=FixedType(8, 0, False, "RND", "SAT"),
    adaptation=FixedType(7, -1, False, "TRN", "SAT"),
    coefficient=FixedType(6, 0, False),
)
WIDE = Types(  # no binary point like another; m_f above 1
    current=FixedType(26, 5, True, "RND_ZERO", "SAT"),
    potential=FixedType(20, 6, True, "RND_INF", "SAT"),
    refractory=FixedType(22, 2, False, "RND_MIN_INF", "SAT"),
    adaptation=FixedType(19, 4, False, "RND", "SAT"),
    coefficient=FixedType(16, 1, False),
    m_gamma=1.2,
    corrective=2.25,
)
WRAPPING = Types(
    current=FixedType(12, 3, True, "TRN", "WRAP"),
    potential=FixedType(12, 2, True, "TRN", "WRAP"),
    refractory=FixedType(10, 1, False, "TRN", "WRAP"),
    adaptation=FixedType(10, 0, False, "TRN", "WRAP"),
)
SHIFTS = Types(
    coefficient=FixedType(6, 0, False),
    k_beta=1 - 1 / 64,
    g_phi=0.5,
    k_eta=1 - 1 / 64,
    k_gamma=1 - 1 / 16,
    m_gamma=15 / 64,
    corrective=2,
)
BUSY = Types(k_eta=0.1, k_gamma=0.1, m_gamma=0.01, theta0=0.02)  # spikes nearly always
TYPES = {"default": DEFAULT, "narrow": NARROW, "wide": WIDE, "wrapping": WRAPPING, "shifts": SHIFTS}


@dataclass(frozen=True)
class Case:
    """One stage to test."""

    stage: Stage
    lanes: Lanes
    multiplier: bool = True


def neurons(shape: tuple[int, ...], types: Types = DEFAULT, pool: Window | None = None, seed: int = 0) -> FixedNeurons:
    """Neurons with random biases."""
    rng = np.random.default_rng(seed)
    size = shape if len(shape) == 1 else shape[-1:]
    fraction = types.potential.fraction
    bias = np.round(rng.normal(0, 0.1, size) * 2.0**fraction).astype(np.int64)
    width = int(np.abs(bias).max()).bit_length() + 1
    return FixedNeurons(
        input_shape=shape,
        pool=pool,
        bias=bias,
        **{state.word: getattr(types, state.word) for state in STATES},
        bias_type=FixedType(width, width - fraction),
        coefficient=types.coefficient,
        theta0=max(1, round(types.theta0 * 2.0**types.adaptation.fraction)),
        onset=types.onset,
        corrective=int(4 * types.corrective),
        **{name: types.factor(name) for name in FixedNeurons.FACTORS},
    )


def _weights(shape: tuple[int, ...], seed: int, width: int = 8, signed: bool = False) -> tuple[Words, dict[str, Any]]:
    kind = FixedType(width, 1)
    inputs = int(np.prod(shape[:-1]))
    x = np.random.default_rng(seed).normal(0.1, 1.2 / np.sqrt(inputs), shape)
    words = dataclasses.replace(kind, rounding="RND", overflow="SAT").quantize(x)
    accumulator = sum_type(words, kind, signed)
    return words, {"weights": words, "weight_type": kind, "accumulator": accumulator, "signed": signed}


def dense(
    inputs: int, units: int, types: Types = DEFAULT, seed: int = 0, width: int = 8, signed: bool = False
) -> DenseStage:
    """Dense stage with random weights."""
    _, synapses = _weights((inputs, units), seed, width, signed)
    return DenseStage(name=f"dense{seed}", neurons=neurons((units,), types, seed=seed), **synapses)


def conv(
    image: tuple[int, int, int],
    filters: int,
    window: Window,
    types: Types = DEFAULT,
    pool: Window | None = None,
    seed: int = 0,
    signed: bool = False,
) -> ConvStage:
    """Convolution stage with random weights."""
    _, synapses = _weights((*window.size, image[2], filters), seed, signed=signed)
    shape = (*window.output_size(*image[:2]), filters)
    return ConvStage(f"conv{seed}", image=image, window=window, neurons=neurons(shape, types, pool, seed), **synapses)


def analog(shape: tuple[int, ...], types: Types = DEFAULT, by_pixel: bool = False, seed: int = 0) -> AnalogStage:
    """First stage with random gains and offsets."""
    rng = np.random.default_rng(seed)
    size = shape if by_pixel else shape[-1:]
    gain, offset = rng.integers(100, 400, size), rng.integers(-60, 60, size)
    n = neurons(
        shape, dataclasses.replace(types, current=dataclasses.replace(types.current, rounding="RND")), seed=seed
    )
    pixel = FixedType(8, 8, signed=False)
    return AnalogStage(f"analog{seed}", pixel, gain, offset, FixedType(16, 1), FixedType(8, -2), n)


def readout(inputs: int, classes: int, types: Types = DEFAULT, seed: int = 0, signed: bool = False) -> ReadoutStage:
    """Read-out with random weights; small enough words that classes are equal now and then."""
    n = neurons((classes,), types, seed=seed)
    _, synapses = _weights((inputs, classes), seed, signed=signed)
    return ReadoutStage(
        name=f"readout{seed}",
        bias=n.bias,
        current=n.current,
        potential=n.potential,
        bias_type=n.bias_type,
        coefficient=n.coefficient,
        k_beta=n.k_beta,
        g_phi=max(1, n.g_phi // 8),
        **synapses,
    )


def restless(types: Types) -> Types:
    """The same with responses that outlast what they follow: corrective spikes are frequent."""
    return dataclasses.replace(types, k_beta=0.25, g_phi=0.75, k_eta=1 - 1 / 64, m_gamma=1 / 32, theta0=0.125)


def waiting(types: Types, onset: int) -> Types:
    """The same for a layer that waits."""
    return dataclasses.replace(types, onset=onset)


_SAME3 = Window((3, 3), (1, 1), ((1, 1), (1, 1)))
STAGES: dict[str, Case] = {
    "dense": Case(dense(12, 16, seed=1), Lanes(2, 4)),
    "dense_one": Case(dense(5, 1, seed=2), Lanes(1, 1)),
    "dense_narrow": Case(dense(20, 12, NARROW, seed=3), Lanes(12, 12)),
    "dense_odd": Case(dense(33, 30, waiting(restless(WIDE), 3), seed=4, width=6, signed=True), Lanes(5, 15, 32)),
    "dense_shifts": Case(dense(9, 8, restless(SHIFTS), seed=5), Lanes(1, 8), multiplier=False),
    "conv_pool": Case(conv((6, 5, 2), 4, _SAME3, pool=Window((2, 2), (2, 2)), seed=6, signed=True), Lanes(2, 4)),
    "conv_stride": Case(conv((7, 7, 1), 6, Window((5, 5), (2, 2), ((2, 1), (1, 2))), NARROW, seed=7), Lanes(1, 3)),
    "conv_gaps": Case(conv((5, 4, 3), 2, Window((1, 1), (2, 3)), SHIFTS, seed=8), Lanes(2, 2), multiplier=False),
    "conv_padded_pool": Case(
        conv(
            (5, 5, 2), 4, Window((2, 2)), waiting(restless(WIDE), 1), Window((3, 3), (3, 3), ((1, 1), (1, 1))), seed=9
        ),
        Lanes(2, 2, 32),
    ),
    "analog": Case(analog((12,), seed=10), Lanes(3, 3)),
    "analog_long": Case(analog((26, 1), waiting(NARROW, 2), seed=11), Lanes(1, 1, 32)),
    "analog_pixels": Case(analog((5, 5, 2), WIDE, by_pixel=True, seed=12), Lanes(2, 2)),
    "analog_shifts": Case(analog((4, 4, 2), SHIFTS, seed=13), Lanes(4, 4), multiplier=False),
    "analog_busy": Case(analog((40,), BUSY, seed=17), Lanes(1, 1, 32)),
    "dense_busy": Case(dense(3, 36, BUSY, seed=18), Lanes(1, 6, 32)),
    "readout": Case(readout(16, 10, seed=14), Lanes(1, 5)),
    "readout_narrow": Case(readout(9, 3, NARROW, seed=15, signed=True), Lanes(1, 1)),
    "readout_shifts": Case(readout(11, 4, SHIFTS, seed=16), Lanes(1, 4), multiplier=False),
}
