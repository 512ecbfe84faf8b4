"""Fixed-point types with the semantics of ``ap_fixed`` and ``ap_ufixed`` on NumPy arrays of raw words.

A value x is stored as the integer ("raw word") x * 2**fraction in int64. Whatever is assigned to a type is first
quantised (rounding mode), then checked for overflow, as in the Vitis HLS user guide (UG1399, "Arbitrary precision
fixed-point data types"); ``tests/hls/test_arithmetic.py`` compares with the C++ classes that hls4ml brings along.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snntb_adsnn.errors import ParameterError

Words = NDArray[np.int64]

ROUNDINGS = ("TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_INF", "RND_MIN_INF", "RND_CONV")
"""Quantisation: to -inf, to zero; to the nearest with ties up, to zero, away from zero, down, to even."""

OVERFLOWS = ("WRAP", "SAT", "SAT_ZERO", "SAT_SYM")
"""Overflow: drop the high bits; the nearest end of the range; zero; the nearest end of a symmetric range."""

WIDEST = 62
"""Widest type: one bit for a carry and one for the sign are left in an int64."""

_SPELLING = re.compile(r"(?:ap_)?(u?)(fixed|int)<(-?\d+)(?:,(-?\d+))?(?:,(?:AP_)?(\w+))?(?:,(?:AP_)?(\w+))?(?:,0)?>")


@dataclass(frozen=True)
class FixedType:
    """``ap_[u]fixed<width, integer, rounding, overflow>``.

    Attributes:
        width: number of bits, 1 to 62.
        integer: bits left of the binary point, sign included; may be negative or above ``width``.
        signed: two's complement, or unsigned.
        rounding: one of ``ROUNDINGS``.
        overflow: one of ``OVERFLOWS``.

    Raises:
        ParameterError: a field is out of range.

    Example:
        >>> kind = FixedType(8, 2, rounding="RND", overflow="SAT")
        >>> kind.quantize([0.5, -3.0]).tolist()  # in steps of 1/64
        [32, -128]
        >>> kind.cpp
        'ap_fixed<8,2,AP_RND,AP_SAT>'
        >>> FixedType.parse("ufixed<8,0>").high
        255
    """

    width: int
    integer: int
    signed: bool = True
    rounding: str = "TRN"
    overflow: str = "WRAP"

    def __post_init__(self) -> None:
        if not 1 <= self.width <= WIDEST:
            raise ParameterError(f"a fixed-point type of {self.width} bits is not supported: choose 1 to {WIDEST}.")
        if self.rounding not in ROUNDINGS:
            raise ParameterError(f"rounding mode {self.rounding!r} is unknown: choose from {', '.join(ROUNDINGS)}.")
        if self.overflow == "WRAP_SM":
            raise ParameterError("overflow mode WRAP_SM (sign magnitude) is not supported: choose WRAP or SAT.")
        if self.overflow not in OVERFLOWS:
            raise ParameterError(f"overflow mode {self.overflow!r} is unknown: choose from {', '.join(OVERFLOWS)}.")

    @property
    def fraction(self) -> int:
        """Bits right of the binary point: one raw step is 2**-fraction."""
        return self.width - self.integer

    @property
    def low(self) -> int:
        """Smallest raw word that an assignment can produce."""
        if not self.signed:
            return 0
        return -self.high if self.overflow == "SAT_SYM" and self.width > 1 else -(1 << (self.width - 1))

    @property
    def high(self) -> int:
        """Largest raw word."""
        return (1 << (self.width - self.signed)) - 1

    @property
    def step(self) -> float:
        """Value of one raw step."""
        return 2.0**-self.fraction

    # ---- spellings -------------------------------------------------------------------------------------------------

    @property
    def cpp(self) -> str:
        """The C++ type."""
        sign = "" if self.signed else "u"
        return f"ap_{sign}fixed<{self.width},{self.integer},AP_{self.rounding},AP_{self.overflow}>"

    def __str__(self) -> str:
        """hls4ml's spelling, as in its configuration dictionaries."""
        sign = "" if self.signed else "u"
        return f"{sign}fixed<{self.width},{self.integer},{self.rounding},{self.overflow}>"

    @classmethod
    def parse(cls, text: str) -> FixedType:
        """Read C++'s or hls4ml's spelling: ``ap_fixed<18,6,AP_RND,AP_SAT>``, ``ufixed<8,0>``, ``int<4>``.

        Raises:
            ParameterError: not such a type.
        """
        match = _SPELLING.fullmatch(re.sub(r"\s", "", text))
        if match is None or (match[2] == "fixed") != (match[4] is not None) or (match[2] == "int" and match[5]):
            raise ParameterError(f"{text!r} is not a fixed-point type; write it like fixed<18,6,TRN_ZERO,SAT>.")
        width = int(match[3])
        integer = width if match[4] is None else int(match[4])
        return cls(width, integer, not match[1], match[5] or "TRN", match[6] or "WRAP")

    def with_width(self, width: int) -> FixedType:
        """The same range in another number of bits: the fraction gives or takes."""
        return dataclasses.replace(self, width=width)

    # ---- arithmetic ------------------------------------------------------------------------------------------------

    def cast(self, words: ArrayLike, fraction: int | ArrayLike) -> Words:
        """Assign values given as raw words with ``fraction`` bits right of the point to this type.

        Args:
            words: integers below 2**62 in magnitude, any shape.
            fraction: of ``words``; one number, or an array that broadcasts against them.

        Returns:
            raw words of this type, same shape.
        """
        raw = np.asarray(words, np.int64)
        if isinstance(fraction, int):
            shift = fraction - self.fraction
            return self._fit(raw, -shift) if shift <= 0 else self._overflow(self._round(raw, shift))
        shifts = np.asarray(fraction, np.int64) - self.fraction
        rounded = self._overflow(self._round(raw, np.maximum(shifts, 1)))
        return np.where(shifts > 0, rounded, self._fit(raw, np.maximum(-shifts, 0)))

    def quantize(self, values: ArrayLike) -> Words:
        """Assign doubles, exactly (each double is an integer times a power of two, so it is rounded once).

        Raises:
            ParameterError: NaN or infinity.
        """
        x = np.asarray(values, np.float64)
        if not np.isfinite(x).all():
            raise ParameterError("NaN or infinity has no fixed-point value; clean the data or the weights first.")
        mantissa, exponent = np.frexp(x)
        return self.cast(np.ldexp(mantissa, 53).astype(np.int64), 53 - exponent.astype(np.int64))

    def value(self, words: ArrayLike) -> NDArray[np.float64]:
        """The numbers that raw words stand for (exact up to 53 bits)."""
        return np.ldexp(np.asarray(words, np.float64), -self.fraction)

    def holds(self, values: ArrayLike) -> bool:
        """Whether no value overflows (they may still be rounded)."""
        x = np.asarray(values, np.float64)
        wide = FixedType(WIDEST, WIDEST - self.fraction, True, self.rounding, "SAT").quantize(x)
        return bool(((wide >= self.low) & (wide <= self.high)).all())

    def _round(self, raw: Words, shift: Any) -> Words:
        """Drop ``shift`` >= 1 low bits."""
        # beyond 62 the bits that decide are below an int64's reach: fold them into one sticky bit
        excess = np.clip(np.asarray(shift, np.int64) - WIDEST, 0, WIDEST)
        lost = raw & ((np.int64(1) << excess) - 1)
        raw = np.where(excess > 0, (raw >> excess) | (lost != 0), raw)
        shift = np.minimum(shift, WIDEST).astype(np.int64)
        half = np.int64(1) << (shift - 1)
        floor: Words = raw >> shift
        rest = raw & ((np.int64(1) << shift) - 1)
        up: Any
        match self.rounding:
            case "TRN":
                return floor
            case "TRN_ZERO":
                up = (raw < 0) & (rest != 0)
            case "RND":
                up = rest >= half
            case "RND_MIN_INF":
                up = rest > half
            case "RND_ZERO":
                up = np.where(raw < 0, rest >= half, rest > half)
            case "RND_INF":
                up = np.where(raw < 0, rest > half, rest >= half)
            case _:  # RND_CONV
                up = (rest > half) | ((rest == half) & (floor & 1 == 1))
        return np.asarray(floor + up, np.int64)

    def _fit(self, raw: Words, shift: Any) -> Words:
        """Append ``shift`` >= 0 zero bits; what no longer fits an int64 certainly overflows the type."""
        shift = np.minimum(shift, 63)
        grown = raw << shift
        lost = (grown >> shift) != raw
        if not np.any(lost):
            return self._overflow(grown)
        if self.overflow == "WRAP":
            return self._overflow(grown)
        beyond = np.where(raw < 0, np.int64(-(1 << WIDEST)), np.int64(1 << WIDEST))
        return self._overflow(np.where(lost, beyond, grown))

    def _overflow(self, raw: Words) -> Words:
        if self.overflow in ("SAT", "SAT_SYM"):
            return np.clip(raw, self.low, self.high)
        if self.overflow == "SAT_ZERO":
            return np.where((raw < self.low) | (raw > self.high), np.int64(0), raw)
        spare = 64 - self.width
        wrapped: Words = (raw << spare) >> spare if self.signed else raw & self.high
        return wrapped


def integer_bits(values: ArrayLike, signed: bool = True) -> int:
    """Fewest bits left of the binary point whose range holds ``values`` before rounding (may be negative).

    Zero needs one bit: the smallest useful type.
    """
    x = np.asarray(values, np.float64)
    highest, lowest = float(x.max(initial=0.0)), float(x.min(initial=0.0))
    if highest <= 0 and lowest >= 0:
        return 1
    bits = []
    if highest > 0:
        mantissa, exponent = np.frexp(highest)
        bits.append(int(exponent))  # highest < 2**exponent
    if lowest < 0:
        mantissa, exponent = np.frexp(-lowest)
        bits.append(int(exponent) - (float(mantissa) == 0.5))  # -2**n itself fits
    return max(bits) + signed
