"""The adaptive spiking neuron: its constants, its step equations, its transfer functions."""

from snntb_adsnn.neuron.equations import ASNState, FloatArray, NeuronTrace, check_corrective, simulate_neuron
from snntb_adsnn.neuron.parameters import ASNParameters

__all__ = ["ASNParameters", "ASNState", "FloatArray", "NeuronTrace", "check_corrective", "simulate_neuron"]
