"""SystemVerilog for fixed-point networks: generator, co-simulation, FPGA reports (docs/rtl.md)."""

from adsnn_hls.rtl.generate import generate
from adsnn_hls.rtl.lanes import Lanes, choose_lanes
from adsnn_hls.rtl.parameters import TOP

__all__ = ["TOP", "Lanes", "choose_lanes", "generate"]
