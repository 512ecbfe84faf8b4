"""Rough counts of what a project will need, known before any vendor tool runs."""

from __future__ import annotations

import math
from typing import Any

from adsnn_hls.cpp.layer_list import layer_list, node_name
from adsnn_hls.cpp.options import Options
from adsnn_hls.fixed import FixedNetwork

NOTE = "counted from the network, not synthesised: a tool maps products to DSP blocks or logic as it sees fit"


def resources(network: FixedNetwork, options: Options) -> dict[str, Any]:
    """Counts by layer, and their totals.

    Returns:
        for each layer: ``multipliers`` (products with constants that work at the same time; 0 in multiplier-free
        neurons), ``adders`` of the weighted sums that work at the same time, ``weight_bits`` and ``state_bits``,
        ``neuron_updates_per_step``.
    """
    found = layer_list(network, options)
    # struct constants and reuse factors as they are written to C++
    nodes = {layer["name"]: layer for layer in found.layers}
    layers = {}
    for stage in network.stages:
        name = node_name(network, stage)
        reuse = found.config[name]["ReuseFactor"]
        constants = nodes[name]["constants"]
        neurons = math.prod(stage.state_shapes["I"])  # before pooling
        together = constants["channels"] if options.io_type == "io_stream" else neurons
        counts = {
            "multipliers": stage.products(constants["shift_add"]) * math.ceil(together / reuse),
            "adders": 0,
            "weight_bits": stage.weight_bits,
            "state_bits": stage.state_bits,
            "neuron_updates_per_step": stage.updates,
        }
        if stage.weight_count:  # of a dense layer, or of one pixel of a convolution
            counts["adders"] = math.ceil(stage.weight_count / found.config[f"{name}_synapses"]["ReuseFactor"])
        layers[stage.name] = counts
    totals = {key: sum(counts[key] for counts in layers.values()) for key in next(iter(layers.values()))}
    return {"note": NOTE, "layers": layers, "total": totals}
