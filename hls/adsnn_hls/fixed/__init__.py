"""Networks in fixed point, as plain data, and the golden model that computes what the hardware does."""

from adsnn_hls.fixed.golden import simulate
from adsnn_hls.fixed.network import FixedNetwork
from adsnn_hls.fixed.result import RECORDABLE, GoldenResult

__all__ = ["RECORDABLE", "FixedNetwork", "GoldenResult", "simulate"]
