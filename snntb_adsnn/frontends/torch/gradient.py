"""The slope with which AAN learns. What it is decided by stands in ``bounded`` alone."""

from __future__ import annotations

from collections.abc import Callable

import torch

from snntb_adsnn.frontends.torch.curves import CURVES
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import SMALLEST_SMOOTH, smooth_constants
from snntb_adsnn.registry import Registry

Slope = Callable[[torch.Tensor, ASNParameters, str], torch.Tensor]
GRADIENTS: Registry[str, Slope] = Registry("gradient of AAN")
"""What ``AAN(gradient=...)`` chooses from: df/dS of potentials of any shape."""

NEAREST = 0.01
"""Distance to the threshold below which neurons too fine for the smooth form keep the slope that they have there."""


@GRADIENTS.register("bounded")
def bounded(S: torch.Tensor, parameters: ASNParameters, form: str) -> torch.Tensor:
    """The slope of the smooth form (``transfer.smooth_constants``), finite at the threshold, 0 below it.

    Both forms are followed by the same smooth curve. The exact form's own slope is infinite at the threshold: a few
    units there drown the gradient of a whole batch.
    """
    excess = S - parameters.resting_threshold / 2
    if parameters.m_f < SMALLEST_SMOOTH * parameters.dt:
        return torch.where(excess > 0, exact(torch.clamp(excess, min=NEAREST) + (S - excess), parameters, form), 0.0)
    n0, n1, n2, d1, d2 = smooth_constants(parameters)
    e = torch.relu(excess)
    inverse = 1 / (1 + e * (d1 + e * d2))
    slope = (n1 + 2 * n2 * e - (n0 + e * (n1 + e * n2)) * inverse * (d1 + 2 * d2 * e)) * inverse
    return torch.where(excess > 0, slope, 0.0)


@GRADIENTS.register("exact")
def exact(S: torch.Tensor, parameters: ASNParameters, form: str) -> torch.Tensor:
    """The derivative of the form itself."""
    return CURVES[form].slope(S, parameters)
