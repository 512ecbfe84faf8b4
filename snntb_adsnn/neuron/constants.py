"""What an adaptive spiking neuron is made of, as data: its constants and its states.

The plumbing of every description of the neuron follows from these two tables: keys of configurations and sweeps, what a
simulation can record, columns of the compiled plan, fixed-point types, hls4ml's attributes, parameters of the
SystemVerilog cores. The equations do not. Each description writes them by hand, so that they can check each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Place = Literal["input", "neuron"]


@dataclass(frozen=True)
class Constant:
    """A constant of the neuron, a field of ``ASNParameters``.

    Attributes:
        name: in Python and in configurations.
        default: the paper's value; ``None``: it follows ``m_f``.
        unit: ``ms``, or nothing.
        factor: name of the factor exp(-dt/tau) by which something decays in one step; empty where nothing does.
        meaning: what it is, in a few words.
    """

    name: str
    default: float | None
    unit: str = ""
    factor: str = ""
    meaning: str = ""


CONSTANTS = (
    Constant("m_f", 0.1, meaning="speed of adaptation; smaller is more precise and spikes more"),
    Constant("theta0", None, meaning="resting threshold"),
    Constant("tau_gamma", 15.0, "ms", "k_gamma", meaning="decay time of the threshold adaptation"),
    Constant("tau_eta", 50.0, "ms", "k_eta", meaning="decay time of the refractory response S_hat"),
    Constant("tau_beta", 50.0, "ms", "k_beta", meaning="decay time of the postsynaptic current"),
    Constant("tau_phi", 2.5, "ms", "k_phi", meaning="time constant of the membrane filter"),
    Constant("dt", 1.0, "ms", meaning="time step"),
)
"""All constants, in the order of ``ASNParameters``."""

SETTABLE = tuple(c.name for c in CONSTANTS if c.name not in ("m_f", "dt"))
"""Constants that a configuration may replace; m_f is given by layer, dt by the simulation."""


@dataclass(frozen=True)
class State:
    """A number that a neuron keeps from step to step.

    Attributes:
        name: in the equations.
        word: in English: the key of ``[hls]``, and the name of its fixed-point type.
        letter: first letter of the parameters of its type in SystemVerilog.
        at: ``input``: one for each input of the neuron (before pooling); ``neuron``: one for each neuron.
        factor: the constant factor by which it decays.
        signed: whether it can be negative.
    """

    name: str
    word: str
    letter: str
    at: Place
    factor: str
    signed: bool


STATES = (
    State("I", "current", "I", "input", "k_beta", signed=True),
    State("V", "potential", "V", "input", "k_phi", signed=True),
    State("S_hat", "refractory", "H", "neuron", "k_eta", signed=False),
    State("theta_a", "adaptation", "A", "neuron", "k_gamma", signed=False),
)
"""All states, in the order in which a step updates them."""

OBSERVABLES: Mapping[str, Place] = {
    "spikes": "neuron",
    "S": "neuron",
    **{state.name: state.at for state in STATES if state.name != "theta_a"},
    "theta": "neuron",  # theta0 + theta_a, what is compared
}
"""What a simulation can record of every step, and whether one is kept for each input of a neuron or for each neuron."""

INPUT_STATES = frozenset(name for name, at in OBSERVABLES.items() if at == "input")
"""Those of which there is one for each input: more than neurons where pooling follows."""
