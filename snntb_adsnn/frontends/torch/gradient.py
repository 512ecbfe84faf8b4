"""The slope with which AAN learns. What it is decided by stands in ``bounded`` alone."""

from __future__ import annotations

from collections.abc import Callable

import torch

from snntb_adsnn.frontends.torch.curves import CURVES
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.gradient import LARGEST_SLOPE, TAIL
from snntb_adsnn.registry import Registry

Slope = Callable[[torch.Tensor, ASNParameters, str], torch.Tensor]
GRADIENTS: Registry[str, Slope] = Registry("gradient of AAN")
"""What ``AAN(gradient=...)`` chooses from: df/dS of potentials of any shape."""


@GRADIENTS.register("bounded")
def bounded(S: torch.Tensor, parameters: ASNParameters, form: str) -> torch.Tensor:
    """The rule of ``neuron.gradient.training_gradient``."""
    slope = exact(S, parameters, form)
    if form != "exact":
        return slope
    excess = S - parameters.resting_threshold / 2
    tail = LARGEST_SLOPE * torch.exp(torch.clamp(excess, max=0.0) / TAIL)
    return torch.where(excess > 0, torch.clamp(slope, max=LARGEST_SLOPE), tail)


@GRADIENTS.register("exact")
def exact(S: torch.Tensor, parameters: ASNParameters, form: str) -> torch.Tensor:
    """The derivative of the form itself."""
    return CURVES[form].slope(S, parameters)
