"""A stage as an instance of a core: module, parameters, memories, parallelism."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

from adsnn_hls.arithmetic import FixedType
from snntb_adsnn.errors import ParameterError

Parameters = dict[str, int | str]
"""By name; strings are names of memory files."""

ROUNDING_CODES = ("TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_INF", "RND_MIN_INF", "RND_CONV")
"""Rounding modes as ``asn_cast`` counts them."""

LARGEST = (1 << 31) - 1
"""Largest value of an ``int`` parameter."""


@dataclass(frozen=True)
class Lanes:
    """Parallelism of one stage.

    Attributes:
        units: neurons updated per clock; divides ``lanes`` (the read-out has one unit).
        lanes: weights added per clock and event; divides the stage's channels (dense: neurons). The first stage has
            no weights: there it equals ``units``.
        fifo: spike groups that the stage can be ahead of the next one; a power of two, at least 32.
    """

    units: int = 1
    lanes: int = 1
    fifo: int = 64


@dataclass(frozen=True)
class Instance:
    """One stage as an instance of a core.

    Attributes:
        module: of the core.
        name: of the instance, a legal identifier.
        parameters: by name; strings are file names.
        inputs: addresses that the stage receives (pixels of the first stage).
        outputs: addresses that it sends (classes of the last stage).
        files: memory texts by file name.
        signed_in, signed_out: whether a spike that it receives, or sends, may be negative.
    """

    module: str
    name: str
    parameters: Mapping[str, int | str]
    inputs: int
    outputs: int
    files: Mapping[str, str] = field(default_factory=dict)
    signed_in: bool = False
    signed_out: bool = False

    @property
    def input_bits(self) -> int:
        """Bits of an event that it receives: an address, and above it the sign, if there is one."""
        return address_width(self.inputs) + self.signed_in

    @property
    def output_bits(self) -> int:
        """Bits of an event that it sends."""
        return address_width(self.outputs) + self.signed_out


def address_width(count: int) -> int:
    """Bits of an address, as $clog2 in the cores."""
    return max(1, (count - 1).bit_length())


def core_sources() -> dict[str, str]:
    """The hand-written cores, and the header that they include, by file name."""
    entries = sorted(resources.files("adsnn_hls.cores").iterdir(), key=lambda e: e.name)
    return {entry.name: entry.read_text() for entry in entries if entry.name.endswith((".sv", ".svh"))}


def type_parameters(letter: str, stage: str, kind: FixedType) -> Parameters:
    """The parameters of a state's type (``ASN_TYPE`` in ``asn_neuron_parameters.svh``).

    Args:
        letter: of the state, see ``snntb_adsnn.neuron.constants.STATES``.
        stage: for the message.
        kind: the type.

    Raises:
        ParameterError: an overflow mode that the cores do not have.
    """
    if kind.overflow not in ("SAT", "WRAP"):
        raise ParameterError(f"{stage}: overflow mode {kind.overflow} has no RTL; choose SAT or WRAP.")
    return {
        f"{letter}_W": kind.width,
        f"{letter}_F": kind.fraction,
        f"{letter}_ROUNDING": ROUNDING_CODES.index(kind.rounding),
        f"{letter}_SATURATE": int(kind.overflow == "SAT"),
    }
