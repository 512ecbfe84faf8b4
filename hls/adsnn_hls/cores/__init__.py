"""What RTL is built of: the hand-written SystemVerilog beside this file, and how Python speaks about it."""

from adsnn_hls.cores.instance import Instance, Lanes, core_sources

__all__ = ["Instance", "Lanes", "core_sources"]
