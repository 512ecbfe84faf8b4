"""Numbers from which frameworks compute the forms of the activation AAN, each kept once computed."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.neuron.parameters import ASNParameters
from snntb_adsnn.neuron.transfer import interval_table, spike_height, taylor_constants


@lru_cache(maxsize=64)
def table_of(parameters: ASNParameters) -> NDArray[np.float64]:
    """``transfer.interval_table``, shape (pieces, 4), not to be written to."""
    table = interval_table(parameters)
    table.flags.writeable = False
    return table


def exact_scale(parameters: ASNParameters) -> float:
    """h dt/(1 - k_beta): the exact form is this divided by T."""
    return spike_height(parameters) * parameters.dt / (1 - parameters.k_beta)


def taylor_numbers(parameters: ASNParameters) -> tuple[float, float, float]:
    """h, ratio, offset of h/expm1(ratio (c1 S + c2)/(c3 S + c4)) - offset, where above 0 (ratio = tau_eta/tau_beta)."""
    c1, c2, c3, c4 = taylor_constants(parameters)
    h, ratio = spike_height(parameters, form="taylor"), parameters.tau_eta / parameters.tau_beta
    half = parameters.resting_threshold / 2
    return h, ratio, float(h / np.expm1(ratio * (c1 * half + c2) / (c3 * half + c4)) - h / 2)
