"""When a decision is safe: the one rule for simulation and hardware."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.network.node import Array


def safe_after(outputs: Array, margin: float, patience: int = 0) -> NDArray[np.int64]:
    """Steps after which each image's decision is safe; 0 where it never is.

    It is safe once the highest output has led the second by at least ``margin``, always of the same class, in
    ``patience`` + 1 steps one after the other.

    Args:
        outputs: shape (images, steps, classes), at least two classes; numbers or words.
        margin: in units of the outputs.
        patience: steps.

    Example:
        >>> outputs = np.array([[[0, 0], [3, 0], [0, 3], [0, 3], [0, 3]]])
        >>> safe_after(outputs, 2), safe_after(outputs, 2, patience=2)
        (array([2]), array([5]))
    """
    second, first = np.moveaxis(np.partition(outputs, (-2, -1), axis=-1)[..., -2:], -1, 0)
    leads, leader = first - second >= margin, outputs.argmax(axis=-1)
    goes_on = np.zeros(leads.shape, bool)
    goes_on[:, 1:] = leads[:, 1:] & leads[:, :-1] & (leader[:, 1:] == leader[:, :-1])
    steps = np.arange(outputs.shape[1])
    begun = np.maximum.accumulate(np.where(goes_on, 0, steps), axis=1)  # where the present lead began
    safe = leads & (steps - begun >= patience)
    return np.where(safe.any(axis=1), safe.argmax(axis=1) + 1, 0)
