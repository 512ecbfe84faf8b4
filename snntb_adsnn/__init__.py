"""Adaptive Spiking Neural Networks for SNN Toolbox and FPGAs."""

from snntb_adsnn.neuron import ASNParameters, simulate_neuron
from snntb_adsnn.transfer import spike_height, transfer

__version__ = "0.1.0"
__all__ = ["ASNParameters", "simulate_neuron", "spike_height", "transfer"]
