"""Deciding early: an image stops when its decision is safe, and costs nothing more."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.engine.switch import need_classes
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.deciding import safe_after
from snntb_adsnn.network.maps import Array


@dataclass(frozen=True)
class Early:
    """The rule ``network.deciding.safe_after`` of one simulation.

    Attributes:
        margin: by which the highest output must lead.
        patience: steps for which it must go on leading.
    """

    margin: float
    patience: int

    @classmethod
    def of(cls, network: SpikingNetwork, margin: float, patience: float) -> Early:
        """With ``patience`` in ms.

        Raises:
            ParameterError: a value out of range, or a network that does not choose one of several classes.
        """
        if not (_is_number(margin) and 0 < margin < math.inf):
            raise ParameterError(f"margin = {margin!r} is not allowed: it must be a finite number above 0.")
        if not (_is_number(patience) and 0 <= patience < math.inf):
            raise ParameterError(f"patience = {patience!r} is not allowed: it must be a time in ms, 0 or more.")
        need_classes(network, "deciding early")
        return cls(float(margin), round(float(patience) / network.dt))

    def after(self, outputs: Array) -> NDArray[np.int64]:
        """Steps after which each image stops, 0 where it goes on; outputs of shape (images, steps so far, classes)."""
        return safe_after(outputs, self.margin, self.patience)


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
