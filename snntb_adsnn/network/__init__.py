"""A converted network as plain data: linear maps, neurons, and the graph of both."""

from snntb_adsnn.network.graph import VARIANTS, SpikingNetwork
from snntb_adsnn.network.neurons import Input, Neurons, Precision, Readout
from snntb_adsnn.network.node import Node, kinds
from snntb_adsnn.network.outputs import Output, softmax

__all__ = [
    "VARIANTS",
    "Input",
    "Neurons",
    "Node",
    "Output",
    "Precision",
    "Readout",
    "SpikingNetwork",
    "kinds",
    "softmax",
]
