"""Linear maps between neurons: what layers without state become. Channels last, float32 weights, no biases.

Biases never live here: a network adds them at the neuron, unfiltered (see ``network.Neurons.bias``). A file each; every
file of this folder is imported, so that a new map needs no entry here.
"""

from importlib import import_module
from pkgutil import iter_modules

from snntb_adsnn.network.maps.add import Add
from snntb_adsnn.network.maps.base import Convolution, Linear
from snntb_adsnn.network.maps.concatenate import Concatenate
from snntb_adsnn.network.maps.convolution import Conv2D
from snntb_adsnn.network.maps.dense import Dense
from snntb_adsnn.network.maps.depthwise import DepthwiseConv2D
from snntb_adsnn.network.maps.padding import ZeroPad2D
from snntb_adsnn.network.maps.pooling import AveragePool2D, MaxPool2D
from snntb_adsnn.network.maps.reshape import Reshape
from snntb_adsnn.network.maps.scale import Scale
from snntb_adsnn.network.maps.window import NO_PADDING, Padding, Pair, Window, same_padding
from snntb_adsnn.network.node import Array, Node, Shape

__all__ = [
    "NO_PADDING",
    "Add",
    "Array",
    "AveragePool2D",
    "Concatenate",
    "Conv2D",
    "Convolution",
    "Dense",
    "DepthwiseConv2D",
    "Linear",
    "MaxPool2D",
    "Node",
    "Padding",
    "Pair",
    "Reshape",
    "Scale",
    "Shape",
    "Window",
    "ZeroPad2D",
    "same_padding",
]

for _file in iter_modules(__path__):
    import_module(f"{__name__}.{_file.name}")
