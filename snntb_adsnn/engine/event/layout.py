"""What the planner and the compiled kernels agree on: sizes, columns of tables, and which arrays a kernel gets.

A kernel gets arrays as addresses, in tuples that Python writes with ``addresses`` and the kernel reads with
``simd.reader``: a call then costs a microsecond, however many arrays there are. Kernels freeze the numbers of this
file, and import no other of this folder but those that are compiled: so they are compiled again only where they must.
"""

from __future__ import annotations

from collections import namedtuple
from enum import IntEnum
from functools import cache
from typing import Annotated, Any, NamedTuple, get_type_hints

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.neuron.constants import STATES

LANES = 64
"""Neurons of a block."""
VECTOR = 16
"""Weights are added in so many at a time."""
CELL = 64
"""Channels whose spikes are collected in one list; the kernels' blocks are as large, so that most cells lie in one."""
CHANNEL_BITS = (CELL - 1).bit_length()
"""An event is the number ``step << CHANNEL_BITS | channel``, with the channel counted in its cell."""


class Spikes(IntEnum):
    """Values of ``Layer.spikes``: the height of a population's spikes."""

    ALIKE = 0  # h, folded into the weights
    OWN = 1  # each neuron's own; of a corrective spike -h
    GRADED = 2  # h times the threshold


class Layer(NamedTuple):
    """Columns of ``Plan.layers``.

    Attributes:
        block, blocks: number of the first block, and how many.
        positions: planes of each block.
        plane: number of the first plane.
        stride: floats from one row of the drive to the next.
        held: whether the analog input reaches it.
        spiking: whether it is a population, not the read-out.
        neuron, neurons: number of the first neuron, and how many.
        task, tasks: first of the bounds in ``Plan.tasks``, and how many tasks they give.
        wait: whether all layers before must be finished when this one begins.
        spikes: a ``Spikes``.
        onset: steps in which no neuron spikes.
        corrective: whether some spikes are corrective, with negative heights.
    """

    block: int
    blocks: int
    positions: int
    plane: int
    stride: int
    held: int
    spiking: int
    neuron: int
    neurons: int
    task: int
    tasks: int
    wait: int
    spikes: int
    onset: int
    corrective: int


class Piece(NamedTuple):
    """Columns of ``Plan.pieces``: how one spike of channel c is added to a plane.

    ``vectors`` > 0: ``weights[weight + c * stride :]`` goes to ``lane`` and on, in so many vectors of ``VECTOR``;
    ``vectors`` = 0: the ``Row`` of number ``row + c`` tells where. ``scaled``: times the spike's height.
    """

    lane: int
    weight: int
    stride: int
    vectors: int
    row: int
    scaled: int


class Row(NamedTuple):
    """Columns of ``Plan.rows``: ``lane`` (-1: nothing is added), ``weight``, ``vectors`` (0: a single weight)."""

    lane: int
    weight: int
    vectors: int


FACTORS = (*(state.factor for state in STATES), "g_phi", "m_f", "theta0", "corrective")
"""Columns of ``Plan.factors``: by what each state decays, and the equations' other constants."""
Factors: Any = namedtuple("Factors", FACTORS)  # type: ignore[misc]


# ---- arrays by address ----------------------------------------------------------------------------------------------

Int32 = Annotated[int, np.int32]
Int64 = Annotated[int, np.int64]
Word = Annotated[int, np.uint64]
Float32 = Annotated[int, np.float32]
Bool = Annotated[int, np.bool_]


class PlanAt(NamedTuple):
    """Arrays of ``Plan``."""

    layers: Int64
    tasks: Int64
    factors: Float32
    bias: Float32
    m_f: Float32
    theta0: Float32
    height: Float32
    V0: Float32
    sleeps: Bool
    plane_edges: Int64
    edges: Int32
    pieces: Int32
    rows: Int32
    weights: Float32
    places: Int32
    cell_channels: Int64


class ImageAt(NamedTuple):
    """Arrays of ``memory.ImageMemory``."""

    held: Float32
    I: Float32
    V: Float32
    S_hat: Float32
    theta_a: Float32
    asleep: Bool
    events: Int32
    heights: Float32
    event_ends: Int64
    counts: Int32
    corrective: Int32
    outputs: Float32
    spikes: Word
    signs: Word


class MemberAt(NamedTuple):
    """Arrays of ``memory.MemberMemory``."""

    drive: Float32
    potential: Float32
    rest: Float32
    masks: Word
    signs: Word
    ends: Int64
    sizes: Float32
    per_step: Int64


class Span(NamedTuple):
    """Numbers of one call.

    Attributes:
        start, end: steps that are simulated.
        longest: steps that a layer is simulated before the next one.
        layers: how many there are.
        keep: 1: each block has its own part of ``MemberAt.potential`` (of one step); 0: all share it.
        recorded: steps that each row of ``ImageAt.spikes`` has; 0: spikes are not recorded.
    """

    start: int
    end: int
    longest: int
    layers: int
    keep: int
    recorded: int


def addresses(kind: type[NamedTuple], owner: object) -> NDArray[np.int64]:
    """Where the arrays begin that ``kind`` names and ``owner`` has as attributes, which must keep them alive."""
    found = []
    for name, dtype in _dtypes(kind).items():
        array = getattr(owner, name)
        assert array.dtype == dtype, f"{kind.__name__}.{name} must be {dtype}: the kernels read it so."
        assert array.flags.c_contiguous, f"{kind.__name__}.{name} must be contiguous: the kernels read it so."
        found.append(array.ctypes.data)
    return np.array(found, np.int64)


@cache
def _dtypes(kind: type[NamedTuple]) -> dict[str, np.dtype[Any]]:
    hints = get_type_hints(kind, include_extras=True)
    return {name: np.dtype(hint.__metadata__[0]) for name, hint in hints.items()}
