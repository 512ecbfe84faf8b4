"""FixedNetwork -> the nodes of hls4ml's graph, as plain data."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adsnn_hls.cpp.options import Options
from adsnn_hls.fixed import FixedNetwork
from adsnn_hls.stages import Stage
from adsnn_hls.stages.layers import SPIKE, Wires
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.network.maps import Shape

UNROLL_LIMIT = 4096
"""Vivado and Vitis refuse to unroll further; hls4ml users meet it as an error in the middle of synthesis."""
LANES = 64
"""Neurons that ``reuse_factor = auto`` updates in one cycle, at most."""


@dataclass(frozen=True)
class LayerList:
    """What ``ModelGraph.from_layer_list`` takes.

    Attributes:
        layers: one dictionary a node.
        config: hls4ml's ``LayerName`` section.
        inputs, outputs: names of the top function's arguments.
    """

    layers: list[dict[str, Any]]
    config: dict[str, dict[str, Any]]
    inputs: list[str]
    outputs: list[str]


def hls_section(found: LayerList) -> dict[str, Any]:
    """hls4ml's ``HLSConfig``; every type that matters is given by layer."""
    shared = any(settings.get("ReuseFactor", 1) > 1 for settings in found.config.values())
    # hls4ml's other style, one pipeline, unrolls all loops and with them what is to be shared
    style = "dataflow" if shared else "auto"
    return {
        "Model": {"Precision": "fixed<16,6>", "ReuseFactor": 1, "Strategy": "Latency", "PipelineStyle": style},
        "LayerName": found.config,
    }


def layer_list(network: FixedNetwork, options: Options) -> LayerList:
    """Nodes and precisions of ``network``."""
    if isinstance(options.reuse_factor, Mapping) and (unknown := set(options.reuse_factor) - set(network.names)):
        known = ", ".join(network.names)
        raise ParameterError(f"reuse_factor names unknown layers {sorted(unknown)}; known: {known}.")
    return _Builder(network, options).build()


def node_name(network: FixedNetwork, stage: Stage) -> str:
    """Name of the neurons' node: unique, and a part of C++ identifiers."""
    return f"s{network.stages.index(stage)}_" + re.sub(r"\W", "_", stage.name)


class _Builder:
    """``stages.layers.Layers``."""

    def __init__(self, network: FixedNetwork, options: Options) -> None:
        self.network, self.options = network, options
        self.stream, self.steps = options.io_type == "io_stream", options.steps
        self.layers: list[dict[str, Any]] = []
        self.config: dict[str, dict[str, Any]] = {}

    def build(self) -> LayerList:
        first = self.network.analog
        self.add("InputLayer", "pixels", [], {"result": first.pixel}, input_shape=list(first.input_shape))
        wires = Wires("pixels", first.input_shape)
        if not self.stream:
            self.add("InputLayer", "reset", [], {"result": SPIKE}, input_shape=[1])
            wires = Wires("pixels", first.input_shape, "reset")
        inputs = wires.inputs
        for stage in self.network.stages:
            wires = stage.add_layers(self, wires)
        return LayerList(self.layers, self.config, inputs, [wires.data])

    @property
    def calls(self) -> int:
        return self.steps if self.stream else 1

    def name(self, stage: Stage) -> str:
        return node_name(self.network, stage)

    def number(self, stage: Stage) -> int:
        return self.network.stages.index(stage)

    def add(self, kind: str, name: str, inputs: list[str], types: Mapping[str, Any], **attributes: Any) -> str:
        self.layers.append({"class_name": kind, "name": name, **({"inputs": inputs} if inputs else {}), **attributes})
        self.config[name] = {"Precision": {key: str(value) for key, value in types.items()}}
        return name

    def share_sum(self, stage: Stage, name: str, inputs: int, outputs: int) -> None:
        from hls4ml.backends import get_backend

        asked, strategy = self.options.reuse(stage), self.options.strategy
        if strategy == "auto":
            strategy = "latency" if inputs * outputs <= UNROLL_LIMIT and asked <= 1 else "resource"
        valid = get_backend("Vivado").get_valid_reuse_factors(inputs, outputs)
        wanted = asked or math.ceil(inputs * outputs / UNROLL_LIMIT)
        if strategy == "resource":
            # the next valid one: never more adders than were asked for
            wanted = next((factor for factor in valid if factor >= wanted), valid[-1])
        self.config[name] |= {"Strategy": strategy.capitalize(), "ReuseFactor": wanted}

    def share_neurons(self, stage: Stage, name: str, shape: Shape) -> None:
        # those of one packet share in io_stream, all of them in io_parallel
        together = shape[-1] if self.stream and len(shape) == 3 else math.prod(shape)
        wanted = min(self.options.reuse(stage) or math.ceil(together / LANES), together)
        # a divisor: each lane then has a memory bank of its own
        self.config[name]["ReuseFactor"] = next(f for f in range(wanted, together + 1) if together % f == 0)

    def unshared(self, name: str) -> None:
        self.config[name]["ReuseFactor"] = 1
