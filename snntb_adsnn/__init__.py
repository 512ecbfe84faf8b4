"""Adaptive Spiking Neural Networks for SNN Toolbox and FPGAs."""

from typing import TYPE_CHECKING, Any

from snntb_adsnn.engine import SimulationResult, simulate
from snntb_adsnn.errors import AdSNNError
from snntb_adsnn.frontends import convert
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.neuron import ASNParameters, simulate_neuron
from snntb_adsnn.neuron.transfer import spike_height, transfer

if TYPE_CHECKING:
    from snntb_adsnn.frontends.keras.activation import AAN
    from snntb_adsnn.frontends.keras.compat import keras

__version__ = "0.2.0"
__all__ = [
    "AAN",
    "ASNParameters",
    "AdSNNError",
    "SimulationResult",
    "SpikingNetwork",
    "convert",
    "keras",
    "simulate",
    "simulate_neuron",
    "spike_height",
    "transfer",
]

# These need TensorFlow, which takes seconds to import: only on first use
_WITH_KERAS = {"AAN": "snntb_adsnn.frontends.keras.activation", "keras": "snntb_adsnn.frontends.keras.compat"}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _WITH_KERAS:
        import_module("snntb_adsnn.frontends.keras.activation")  # Keras knows AAN from here on
        return getattr(import_module(_WITH_KERAS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
