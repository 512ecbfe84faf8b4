"""A converted network as plain data: linear maps, neurons, and the graph of both."""

from snntb_adsnn.network.graph import VARIANTS, Input, Neurons, Precision, Readout, SpikingNetwork, softmax

__all__ = ["VARIANTS", "Input", "Neurons", "Precision", "Readout", "SpikingNetwork", "softmax"]
