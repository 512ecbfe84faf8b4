"""From a spiking network to words: word lengths, value ranges, weights of stages, the search for small words."""

from adsnn_hls.quantize.network import Ranges, Recipe, calibrate, quantize
from adsnn_hls.quantize.numbers import effective_parameters
from adsnn_hls.quantize.pixels import PixelFormat
from adsnn_hls.quantize.widths import WIDTH_LIMITS, Widths

__all__ = [
    "WIDTH_LIMITS",
    "PixelFormat",
    "Ranges",
    "Recipe",
    "Widths",
    "calibrate",
    "effective_parameters",
    "quantize",
]
