"""Word lengths of a stage, in bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from adsnn_hls.arithmetic import FixedType
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.neuron.constants import STATES

WIDTH_LIMITS: Mapping[str, tuple[int, int]] = {
    "weights": (2, 24),
    **{state.word: (4, 40) for state in STATES},
    "coefficient": (4, 24),
}
"""Fewest and most bits of each signal."""


@dataclass(frozen=True)
class Widths:
    """Word lengths of one stage, in bits. Binary points follow from the values.

    Attributes:
        weights: of the synaptic weights (the first stage has none); or a FixedType that fixes the binary point too.
        current, potential, refractory, adaptation: of I, V, S_hat, theta_a (the read-out has the first two).
        coefficient: of the decay factors; not used in multiplier-free neurons, whose factors are exact.
        rounding: of I and V; towards zero unless there is a reason.
    """

    weights: int | FixedType = 8
    current: int = 18
    potential: int = 18
    refractory: int = 18
    adaptation: int = 18
    coefficient: int = 12
    rounding: str = "TRN_ZERO"

    SIGNALS: ClassVar[tuple[str, ...]] = tuple(WIDTH_LIMITS)

    def __post_init__(self) -> None:
        for name in self.SIGNALS:
            value = getattr(self, name)
            low, high = WIDTH_LIMITS[name]
            if not isinstance(value, FixedType) and not low <= value <= high:
                raise ParameterError(f"{name} = {value} bits is not allowed: choose {low} to {high}.")
        if isinstance(self.weights, FixedType) and not self.weights.signed:
            raise ParameterError(f"weights = {self.weights} is not allowed: weights need a signed type.")


def widths_by_name(widths: Widths | Mapping[str, Widths] | None, names: list[str]) -> dict[str, Widths]:
    """The widths of each layer.

    Raises:
        ParameterError: some are for a layer that does not exist.
    """
    if widths is None or isinstance(widths, Widths):
        return dict.fromkeys(names, widths or Widths())
    if unknown := set(widths) - set(names):
        raise ParameterError(f"widths name unknown layers {sorted(unknown)}; known: {', '.join(names)}.")
    return {name: widths.get(name, Widths()) for name in names}
