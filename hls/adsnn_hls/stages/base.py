"""What every stage is: data, a golden step, sizes, nodes of hls4ml's graph, an instance of a core.

A stage is a file here; ``STAGES`` lists them. All numbers are raw words (see ``arithmetic``); what is computed with
them, in which order and with which roundings, is docs/fixed-point.md, which the golden steps execute. A fresh state is
all zeros.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from adsnn_hls.arithmetic import FixedType
from adsnn_hls.arithmetic.steps import WORD
from adsnn_hls.cores import Instance, Lanes
from adsnn_hls.cores.lanes import check
from adsnn_hls.stages.layers import Layers, Wires
from adsnn_hls.stages.running import Program, State
from snntb_adsnn.errors import NetworkError, ParameterError
from snntb_adsnn.network.maps import Shape
from snntb_adsnn.registry import Registry

STAGES: Registry[str, type[Stage]] = Registry("stage")
"""Stages by the name of their class."""


@dataclass(frozen=True, eq=False)
class Stage:
    """One pipeline stage.

    Attributes:
        name: of the neurons in the SpikingNetwork.
    """

    name: str

    place: ClassVar[Literal["first", "inner", "last"]] = "inner"
    """Where in the chain it may stand."""

    # ---- shapes and types ------------------------------------------------------------------------------------------

    @property
    def input_shape(self) -> Shape:
        """Shape of what it receives: spikes, or an image."""
        raise NotImplementedError

    @property
    def shape(self) -> Shape:
        """Shape of what it sends: spikes, or outputs."""
        raise NotImplementedError

    @property
    def signed_in(self) -> bool:
        """Whether a spike that it receives may be negative."""
        return False

    @property
    def signed_out(self) -> bool:
        """Whether a spike that it sends may be negative."""
        return False

    @property
    def state_types(self) -> dict[str, FixedType]:
        """Types of the state words, by their names in ``snntb_adsnn.neuron.constants.STATES``."""
        raise NotImplementedError

    @property
    def state_shapes(self) -> dict[str, Shape]:
        """Shapes of the state words."""
        raise NotImplementedError

    @property
    def factor_type(self) -> FixedType:
        """Type of the constants of the neurons."""
        raise NotImplementedError

    @property
    def signal_types(self) -> dict[str, FixedType]:
        """Types of everything that has one, for tables."""
        return {**self.state_types, "coefficient": self.factor_type}

    # ---- resources -------------------------------------------------------------------------------------------------

    @property
    def weight_count(self) -> int:
        """Number of weights."""
        return 0

    @property
    def weight_bits(self) -> int:
        """Bits of all weights."""
        return 0

    @property
    def state_bits(self) -> int:
        """Bits of all state words."""
        return sum(kind.width * math.prod(self.state_shapes[word]) for word, kind in self.state_types.items())

    @property
    def updates(self) -> int:
        """Neurons that are updated in a step."""
        return 0

    def products(self, shift_add: bool) -> int:
        """Products of one neuron in one step that take a multiplier; ``shift_add``: constants need none."""
        raise NotImplementedError

    # ---- golden model ----------------------------------------------------------------------------------------------

    def start(self, images: int) -> State:
        """The reset state for a batch of images."""
        raise NotImplementedError

    def program(self) -> Program:
        """The same for the compiled kernels."""
        raise NotImplementedError

    # ---- C++ -------------------------------------------------------------------------------------------------------

    def add_layers(self, layers: Layers, wires: Wires) -> Wires:
        """Add its nodes to hls4ml's graph.

        Args:
            layers: the graph.
            wires: what the stage before sends.

        Returns:
            what it sends.

        Raises:
            NetworkError: a geometry that the C++ does not have.
        """
        raise NotImplementedError

    # ---- RTL -------------------------------------------------------------------------------------------------------

    @property
    def channels(self) -> int:
        """Neurons that lanes and units must divide: those at one pixel."""
        return self.state_shapes["I"][-1]

    def choose_lanes(self, cycles: int) -> Lanes:
        """Parallelism with which a sweep over all neurons takes about ``cycles`` clocks."""
        raise NotImplementedError

    def check_lanes(self, lanes: Lanes) -> None:
        """Raise ParameterError unless ``lanes`` divide its neurons."""
        check(self.name, lanes, self.channels)

    def instance(self, name: str, lanes: Lanes, multiplier: bool) -> Instance:
        """Its core.

        Args:
            name: legal identifier, also the beginning of its memory files' names.
            lanes: parallelism, already checked.
            multiplier: whether factors are applied by multipliers or by shifts and additions.

        Raises:
            NetworkError: a geometry that the cores do not have.
            ParameterError: types that the cores do not have.
        """
        raise NotImplementedError


# ---- checks of data ------------------------------------------------------------------------------------------------


def freeze_words(owner: Any, name: str) -> None:
    """Make a field an int64 array that cannot be written."""
    array = np.ascontiguousarray(getattr(owner, name), np.int64)
    array.flags.writeable = False
    object.__setattr__(owner, name, array)


def check_range(what: str, words: Any, kind: FixedType) -> None:
    """Raise NetworkError unless all ``words`` are words of ``kind``."""
    words = np.asarray(words)
    if words.size and (words.min() < kind.low or words.max() > kind.high):
        raise NetworkError(f"{what}: raw words from {words.min()} to {words.max()} do not fit {kind}.")


def check_signs(owner: Any, signs: Mapping[str, bool]) -> None:
    """Raise ParameterError unless the types named are signed or unsigned as said."""
    for name, signed in signs.items():
        if getattr(owner, name).signed != signed:
            raise ParameterError(f"{name} must be {'signed' if signed else 'unsigned'}.")


def check_sum(name: str, *terms: tuple[int, int]) -> None:
    """Terms of (fraction, width) aligned to the finest of them must fit an intermediate word with their sum."""
    finest = max(fraction for fraction, _ in terms)
    widest = max(width + finest - fraction for fraction, width in terms) + 1
    if widest > WORD:
        raise ParameterError(
            f"{name}: a sum of {widest} bits exceeds the {WORD} bits of an intermediate result; the binary points of "
            "its terms lie too far apart. Choose narrower types."
        )
