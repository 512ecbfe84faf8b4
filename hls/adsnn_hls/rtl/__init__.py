"""SystemVerilog for fixed-point networks: generator, co-simulation, FPGA reports (docs/rtl.md)."""

from adsnn_hls.cores import Lanes
from adsnn_hls.rtl.generate import generate
from adsnn_hls.rtl.lanes import choose_lanes
from adsnn_hls.rtl.wrapper import TOP

__all__ = ["TOP", "Lanes", "choose_lanes", "generate"]
