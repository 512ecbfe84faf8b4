"""Adaptive spiking neurons in hls4ml: ``register()``, then ``model_graph(network, options)``."""

from adsnn_hls.hls4ml_plugin.graph import Options, model_graph
from adsnn_hls.hls4ml_plugin.register import register

__all__ = ["Options", "model_graph", "register"]
