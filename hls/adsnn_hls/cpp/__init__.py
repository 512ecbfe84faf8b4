"""C++ for Vitis and Vivado by way of hls4ml: ``register()``, then ``model_graph(network, options)``."""

from adsnn_hls.cpp.model import model_graph
from adsnn_hls.cpp.options import Options
from adsnn_hls.cpp.register import register

__all__ = ["Options", "model_graph", "register"]
