"""A new stage is one class: golden model (both engines), files, tables, C++ nodes and RTL take it as it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from adsnn_hls.arithmetic import FixedType
from adsnn_hls.cores import Lanes
from adsnn_hls.cores.memories import memory_files, packed
from adsnn_hls.cpp import Options
from adsnn_hls.cpp.resources import resources
from adsnn_hls.fixed import RECORDABLE, FixedNetwork, simulate
from adsnn_hls.quantize import calibrate, quantize
from adsnn_hls.quantize.search import memory_bits, signals_of
from adsnn_hls.rtl import generate
from adsnn_hls.stages import STAGES, DenseStage, FixedNeurons, Stage
from adsnn_hls.stages.compiled import matrix
from adsnn_hls.stages.layers import Wires
from adsnn_hls.stages.synaptic import SpikingSynapticStage
from hls_nets import conv_net, dense_net, pixels

from snntb_adsnn.errors import ParameterError


@pytest.fixture
def diagonal() -> Iterator[type[SpikingSynapticStage]]:
    """A stage of one weight a neuron, in the registry while a test runs."""

    @dataclass(frozen=True, eq=False)
    class DiagonalStage(SpikingSynapticStage):
        neurons: FixedNeurons

        @property
        def input_shape(self):
            return self.weights.shape[1:]

        def multiply(self, x, weights):
            return x * weights[0]

        def synapses(self):
            return matrix(np.diag(self.weights[0]))

        def weight_memory(self, name, lanes):
            width = self.weight_type.width
            words = packed(np.diag(self.weights[0]).reshape(-1, lanes.lanes), width)
            return memory_files(f"{name}_weights", words, width * lanes.lanes)

        def add_sum(self, layers, wires):
            name = f"{layers.name(self)}_synapses"
            layers.add("Diagonal", name, [wires.data], dict(self.sum_types))
            layers.share_sum(self, name, 1, self.weights.size)
            return Wires(name, self.input_shape, wires.reset)

    STAGES.add("DiagonalStage", DiagonalStage)
    yield DiagonalStage
    del STAGES._entries["DiagonalStage"]


def networks(kind: type[SpikingSynapticStage]) -> tuple[FixedNetwork, FixedNetwork]:
    """A network with the new stage, and the same with a dense stage of the same matrix."""
    network = dense_net((6, 6, 3))
    fixed = quantize(network, calibrate(network, pixels(network), 20))
    dense = fixed.stages[1]
    assert isinstance(dense, DenseStage)
    weights = np.abs(np.diagonal(dense.weights))
    wide = FixedType(20, 20 - dense.weight_type.fraction)
    new = kind(dense.name, weights[None], dense.weight_type, wide, dense.neurons)
    same = dataclasses.replace(dense, weights=np.diag(weights), accumulator=wide)
    first, last = fixed.stages[0], fixed.stages[-1]
    return tuple(dataclasses.replace(fixed, stages=(first, s, last)) for s in (new, same))


def test_a_new_stage_in_all_descriptions(diagonal, tmp_path: Path) -> None:
    new, same = networks(diagonal)
    words = new.pixels(np.random.default_rng(0).uniform(size=(20, 6)))
    found = [
        simulate(n, words, 30, record=RECORDABLE, engine=e)
        for n, e in ((new, "reference"), (new, "fast"), (same, "fast"))
    ]
    assert found[0].spike_counts[new.names[1]].sum() > 50
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].outputs, other.outputs)
        assert found[0].ranges == other.ranges
    assert FixedNetwork.load(new.save(tmp_path / "n.npz")).digest() == new.digest() != same.digest()
    assert memory_bits(same) - memory_bits(new) == 30 * new.stages[1].weight_type.width
    assert signals_of(new.stages[1])[0] == "weights"
    counts = resources(new, Options(reuse_factor={new.names[1]: 1}))["layers"][new.names[1]]
    assert (counts["adders"], counts["multipliers"]) == (6, 30)
    assert generate(new) == generate(same)


def test_stages_are_listed_once() -> None:
    assert {name: kind.__name__ for name, kind in STAGES.items()} == {name: name for name in STAGES}
    assert {type(stage) for stage in quantized().stages} == set(STAGES.values())
    with pytest.raises(ParameterError, match="registered already"):
        STAGES.register("ConvStage")(DenseStage)


def quantized() -> FixedNetwork:
    network = conv_net()
    return quantize(network, calibrate(network, pixels(network), 5))


@pytest.mark.parametrize("place", ["first", "inner", "last"])
def test_every_stage_says_all_that_is_asked_of_it(place: str) -> None:
    stages: list[Stage] = [stage for stage in quantized().stages if stage.place == place]
    assert stages
    for stage in stages:
        assert set(stage.state_types) == set(stage.state_shapes)
        assert list(stage.signal_types)[-1] == "coefficient"
        lanes = stage.choose_lanes(64)
        stage.check_lanes(lanes)
        assert stage.instance("s", lanes, True).parameters["MULTIPLIER"] == 1
        with pytest.raises(ParameterError, match="do not divide"):
            stage.check_lanes(Lanes(1, stage.channels + 1))
        assert (stage.weight_bits > 0) == (place != "first")
        assert (stage.updates > 0) == (place != "last")
        assert stage.products(False) > stage.products(True)
