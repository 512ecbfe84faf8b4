"""Small statistics of accuracies and of curves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

_Z = 1.959963984540054
"""Of the 95 % interval of a normal distribution."""


def wilson(share: float, count: int) -> tuple[float, float]:
    """95 % confidence interval of a share of ``count`` independent cases.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    Example:
        >>> [round(bound, 4) for bound in wilson(0.99, 1000)]
        [0.9817, 0.9946]
    """
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    # rounding may leave the share itself, where it is 0 or 1, just outside
    return min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half))


@dataclass(frozen=True)
class Line:
    """A least squares line y = intercept + slope x.

    Attributes:
        r2: share of the variance of y that it explains.
    """

    slope: float
    intercept: float
    r2: float

    @classmethod
    def through(cls, x: ArrayLike, y: ArrayLike) -> Line:
        """Of at least two points whose x differ."""
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        slope, intercept = np.polyfit(x, y, 1)
        rest, spread = np.square(y - intercept - slope * x).sum(), np.square(y - y.mean()).sum()
        return cls(float(slope), float(intercept), 1.0 if spread == 0 else float(1 - rest / spread))
