"""Multiplier-free neurons: constants made of powers of two, and the time constants to train for."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from snntb_adsnn.errors import ParameterError
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.neuron import ASNParameters

FINEST = 12
"""Largest exponent of a power of two in a decay."""


def signed_digits(word: int) -> tuple[tuple[int, int], ...]:
    """Non-zero digits of ``word`` in canonical signed-digit form: (sign, shift) with word = sum sign * 2**shift.

    A product with ``word`` costs one addition less than it has digits.
    """
    digits = []
    shift = 0
    while word:
        if word & 1:
            sign = 2 - (word & 3)  # 1 or -1: the choice that leaves an even rest
            digits.append((sign, shift))
            word -= sign
        word >>= 1
        shift += 1
    return tuple(digits)


def decay_exponents(k: float, terms: int = 2) -> tuple[int, ...]:
    """Exponents (a) or (a, b) for which 1 - 2**-a (- 2**-b) is closest to ``k``, with at most ``terms`` of them."""
    loss = 1 - k
    singles: list[tuple[int, ...]] = [(a,) for a in range(1, FINEST + 1)]
    pairs = [(a, b) for a in range(1, FINEST) for b in range(a + 1, FINEST + 1)]
    candidates = singles + (pairs if terms == 2 else [])
    return min(candidates, key=lambda e: (abs(sum(2.0**-a for a in e) / loss - 1), len(e)))


def multiplier_free_parameters(parameters: ASNParameters, terms: int = 1) -> ASNParameters:
    """The closest constants that need no multiplier: decays 1 - 2**-a (- 2**-b), m_f and theta0 powers of two.

    Train a network with these (``AAN`` takes them), then quantise it with ``multiplier_free``.

    Args:
        parameters: what is wanted.
        terms: at most 1 or 2 powers of two in a decay.

    Raises:
        ParameterError: ``terms`` is neither.
    """
    if terms not in (1, 2):
        raise ParameterError(f"terms = {terms} is not allowed: a decay has 1 or 2 powers of two.")
    p = parameters

    def tau(k: float) -> float:
        return -p.dt / math.log1p(-sum(2.0**-a for a in decay_exponents(k, terms)))

    return dataclasses.replace(
        p,
        m_f=2.0 ** round(math.log2(p.m_f)),
        theta0=2.0 ** round(math.log2(p.resting_threshold)),
        tau_gamma=tau(p.k_gamma),
        tau_eta=tau(p.k_eta),
        tau_beta=tau(p.k_beta),
        tau_phi=tau(p.k_phi),
    )


def check_multiplier_free(network: SpikingNetwork) -> None:
    """Raise ParameterError unless all populations have multiplier-free constants (up to rounding of the taus).

    The read-out's own filter is not part of what a network is trained for; ``quantize`` chooses its constant.
    """
    for population in network.populations:
        p = population.parameters
        wanted = multiplier_free_parameters(p, terms=2)
        given, needed = (np.array(list(q.as_dict().values())) for q in (p, wanted))
        if not np.allclose(given, needed, rtol=1e-6, atol=0):
            near = ", ".join(f"{k} = {v:.10g}" for k, v in multiplier_free_parameters(p).as_dict().items() if k != "dt")
            raise ParameterError(
                f"layer {population.name!r} was not trained for multiplier-free neurons, whose decays are 1 - 2**-a "
                f"(- 2**-b), and m_f and theta0 powers of two. Train with, for example, {near}; or quantise it without "
                "multiplier_free."
            )
