"""The gradient with which nets of AAN are trained: one rule for all frameworks, and its constants.

The exact form is infinitely steep at the threshold, theta0/2: a few units there drown the gradient of a whole batch.
The values stay exact; only what the backward pass takes for the slope is bounded. The rule was chosen on training data
(docs/training.md): bounded slopes train alike, as nearly as could be measured, and all better than the exact one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snntb_adsnn.errors import ParameterError
from snntb_adsnn.neuron.parameters import ASNParameters
from snntb_adsnn.neuron.transfer import transfer_gradient

BOUNDED, EXACT = "bounded", "exact"
GRADIENTS = (BOUNDED, EXACT)
"""The gradients that AAN has: the rule below, and the analytic one."""

LARGEST_SLOPE = 1.0
"""Largest slope of the rule: ReLU's. Behind theta0/2 + 0.4 or so the exact form's own slope is below it."""

TAIL = 0.1
"""Width of the tail below the threshold, in the unit of S (f(1) = 1): a silent neuron learns what would wake it."""


def check_gradient(name: str) -> None:
    """Raise ParameterError unless ``name`` is one of ``GRADIENTS``."""
    if name not in GRADIENTS:
        raise ParameterError(f"AAN has no gradient {name!r}: choose one of {', '.join(GRADIENTS)}.")


def training_gradient(
    S: ArrayLike, params: ASNParameters, form: str = "exact", gradient: str = BOUNDED
) -> NDArray[np.float64]:
    """What training takes for df/dS.

    Args:
        S: input, any shape.
        params: the neuron's constants.
        form: ``exact`` or ``taylor``.
        gradient: ``bounded`` or ``exact`` (``transfer.transfer_gradient``).

    Returns:
        the slope, same shape. Bounded, for the exact form, with e = S - theta0/2:

            e > 0:   min(df/dS, LARGEST_SLOPE)
            e <= 0:  LARGEST_SLOPE exp(e/TAIL)

        The slope of ``taylor`` is bounded already, and is taken as it is.

    Raises:
        ParameterError: an unknown form or gradient.
    """
    check_gradient(gradient)
    slope = transfer_gradient(S, params, form)
    if gradient == EXACT or form != "exact":
        return slope
    excess = np.asarray(S, np.float64) - params.resting_threshold / 2
    tail = LARGEST_SLOPE * np.exp(np.minimum(excess, 0.0) / TAIL)
    return np.where(excess > 0, np.minimum(slope, LARGEST_SLOPE), tail)
