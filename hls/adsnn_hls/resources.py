"""Rough counts of what a project will need, known before any vendor tool runs."""

from __future__ import annotations

import math
from typing import Any

from adsnn_hls.hls4ml_plugin.graph import Options, layer_list, node_name
from adsnn_hls.quantize import state_types
from adsnn_hls.stages import AnalogStage, FixedNetwork, ReadoutStage, SpikingStage, Stage, SynapticStage

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
        before, after = _sizes(stage)
        together = nodes[name]["constants"]["channels"] if options.io_type == "io_stream" else before
        counts = {
            "multipliers": _products(stage) * math.ceil(together / reuse),
            "adders": 0,
            "weight_bits": 0,
            "state_bits": sum(
                kind.width * (before if word in ("I", "V") else after) for word, kind in state_types(stage).items()
            ),
            "neuron_updates_per_step": 0 if isinstance(stage, ReadoutStage) else after,
        }
        if nodes[name]["constants"]["shift_add"]:
            counts["multipliers"] = math.ceil(together / reuse) if isinstance(stage, AnalogStage) else 0
        if isinstance(stage, SynapticStage):
            synapses = nodes[f"{name}_synapses"]
            products = stage.weights.size  # of a dense layer, or of one pixel of a convolution
            counts["adders"] = math.ceil(products / found.config[synapses["name"]]["ReuseFactor"])
            counts["weight_bits"] = products * stage.weight_type.width
        layers[stage.name] = counts
    totals = {key: sum(counts[key] for counts in layers.values()) for key in next(iter(layers.values()))}
    return {"note": NOTE, "layers": layers, "total": totals}


def _sizes(stage: Stage) -> tuple[int, int]:
    if isinstance(stage, ReadoutStage):
        return stage.classes, stage.classes
    assert isinstance(stage, SpikingStage)
    return math.prod(stage.neurons.input_shape), stage.neurons.size


def _products(stage: Stage) -> int:
    """Products of one neuron in one step."""
    if isinstance(stage, ReadoutStage):
        return 2  # k_beta, g_phi
    return 5  # k_beta (the gain of the first stage), g_phi, k_eta, k_gamma, m_gamma
