"""The plan of the event engine does not grow with the ways to a layer."""

from __future__ import annotations

import numpy as np

from snntb_adsnn.engine.event.analog import held_layers
from snntb_adsnn.engine.event.plan import make_plan
from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.edges import Band
from snntb_adsnn.network.maps import Add, Conv2D, DepthwiseConv2D, Node
from snntb_adsnn.network.maps.window import Window
from snntb_adsnn.neuron import ASNParameters

CHANNELS = 80


def _separable(layers: int) -> SpikingNetwork:
    """Populations in a row, each behind a separable convolution and the sum of what drove the one before."""
    rng = np.random.default_rng(0)
    shape = (3, 3, CHANNELS)
    bias = np.zeros(CHANNELS, np.float32)
    nodes: list[Node] = [Input("x", (), (), shape), Neurons("n0", ("x",), (shape,), bias, ASNParameters())]
    total = "x"
    for i in range(layers):
        depthwise = rng.normal(size=(3, 3, CHANNELS, 1)).astype(np.float32)
        pointwise = rng.normal(size=(1, 1, CHANNELS, CHANNELS)).astype(np.float32)
        nodes += [
            DepthwiseConv2D(f"d{i}", (f"n{i}",), (shape,), depthwise, Window((3, 3), (1, 1), ((1, 1), (1, 1)))),
            Conv2D(f"p{i}", (f"d{i}",), (shape,), pointwise, Window((1, 1), (1, 1), ((0, 0), (0, 0)))),
            Add(f"s{i}", (total, f"p{i}"), (shape, shape)),
            Neurons(f"n{i + 1}", (f"s{i}",), (shape,), bias, ASNParameters()),
        ]
        total = f"s{i}"
    return SpikingNetwork((*nodes, Readout("out", (total,), (shape,), np.zeros(shape, np.float32))))


def test_layers_behind_a_growing_sum_share_the_weights_of_its_terms(monkeypatch):
    network = _separable(3)
    taken = []
    one_by_one = Band._then
    monkeypatch.setattr(Band, "_then", lambda *args: taken.append(0) or one_by_one(*args))
    plan = make_plan(network, held_layers(network))
    tap = CHANNELS * CHANNELS
    assert 3 * 9 * tap <= len(plan.weights) < 3 * 9 * tap + 3 * 100
    assert len(taken) == 3 * 9 * 2 * 2  # separable convolutions only, by cell and tap: a sum adds none
