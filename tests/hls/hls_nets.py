"""Small random networks for the tests of the fixed-point side."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from adsnn_hls.arithmetic import OVERFLOWS, ROUNDINGS
from adsnn_hls.fixed import FixedNetwork
from adsnn_hls.quantize import Widths, quantize
from adsnn_hls.quantize.synapses import chain
from adsnn_hls.stages import ReadoutStage
from hypothesis import strategies as st

from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import AveragePool2D, Conv2D, Dense, Node, Reshape, Scale, Window, same_padding
from snntb_adsnn.network.maps.cropping import Crop2D
from snntb_adsnn.network.maps.upsampling import UpSample2D
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.constants import STATES

PARAMETERS = ASNParameters(m_f=0.3)

RESTLESS = dataclasses.replace(PARAMETERS, tau_beta=5.0)
"""Currents that fall faster than responses: neurons often have told too much, and need corrective spikes."""


class Builder:
    """Appends nodes to a chain."""

    def __init__(self, shape: tuple[int, ...], seed: int = 0, parameters: ASNParameters = PARAMETERS) -> None:
        self.rng = np.random.default_rng(seed)
        self.parameters = parameters
        self.nodes: list[Node] = [Input("input", (), (), shape)]

    def add(self, kind: Any, *args: Any, name: str | None = None, **kwargs: Any) -> Builder:
        last = self.nodes[-1]
        self.nodes.append(
            kind(name or f"{kind.__name__.lower()}_{len(self.nodes)}", (last.name,), (last.shape,), *args, **kwargs)
        )
        return self

    def scale(self) -> Builder:
        return self.add(Scale, self.rng.uniform(1.0, 2.5, self.nodes[-1].shape[-1:]).astype(np.float32))

    def neurons(self, pool: Window | None = None, **more: Any) -> Builder:
        bias = self.rng.normal(0, 0.1, self.nodes[-1].shape[-1:]).astype(np.float32)
        return self.add(Neurons, bias, self.parameters, pool=pool, **more)

    def conv(self, filters: int, size: int = 3, stride: int = 1, same: bool = False) -> Builder:
        height, width, channels = self.nodes[-1].shape
        padding = same_padding((height, width), (size, size), (stride, stride)) if same else ((0, 0), (0, 0))
        w = self.rng.normal(0.1, 1.5 / np.sqrt(size * size * channels), (size, size, channels, filters)).astype(
            np.float32
        )
        return self.add(Conv2D, w, Window((size, size), (stride, stride), padding))

    def average(self, size: int = 2) -> Builder:
        return self.add(AveragePool2D, Window((size, size), (size, size)))

    def flatten(self) -> Builder:
        return self.add(Reshape, (int(np.prod(self.nodes[-1].shape)),))

    def dense(self, units: int) -> Builder:
        inputs = self.nodes[-1].shape[0]
        return self.add(Dense, self.rng.normal(0.05, 1.5 / np.sqrt(inputs), (inputs, units)).astype(np.float32))

    def readout(self) -> SpikingNetwork:
        p = self.parameters
        bias = self.rng.normal(0, 0.1, self.nodes[-1].shape).astype(np.float32)
        self.add(Readout, bias, tau_beta=p.tau_beta, dt=p.dt)
        return SpikingNetwork(tuple(self.nodes))


def dense_net(
    sizes: tuple[int, ...] = (12, 16, 10), seed: int = 0, parameters: ASNParameters = PARAMETERS, **more: Any
) -> SpikingNetwork:
    """Input layer, hidden dense layers, read-out; ``more``: fields of the hidden neurons."""
    b = Builder(sizes[:1], seed, parameters).scale().neurons()
    for units in sizes[1:-1]:
        b.dense(units).neurons(**more)
    return b.dense(sizes[-1]).readout()


def conv_net(seed: int = 0, parameters: ASNParameters = PARAMETERS, **more: Any) -> SpikingNetwork:
    """Input layer; convolution with max pooling; convolution with average pooling before its neurons; dense; read-out.

    ``more``: fields of the neurons behind convolutions.
    """
    b = Builder((8, 8, 2), seed, parameters).scale().neurons()
    b.conv(4, same=True).neurons(Window((2, 2), (2, 2)), **more)
    b.conv(6, same=True).average().neurons(**more)
    return b.flatten().dense(5).neurons().dense(3).readout()


def pixels(network: SpikingNetwork, images: int = 6, seed: int = 1) -> np.ndarray:
    """Random inputs in [0, 1], multiples of 1/255."""
    rng = np.random.default_rng(seed)
    return np.round(rng.uniform(0, 1, (images, *network.input.shape)) * 255) / 255


# every kind of stage and geometry, small: (name, network of a seed)
NETWORKS = {
    "dense": lambda seed: dense_net(seed=seed),
    "deep": lambda seed: dense_net((5, 7, 6, 4, 3), seed, RESTLESS, onset=3.0, corrective=2.25),
    "conv": lambda seed: conv_net(seed, RESTLESS, onset=2.0, corrective=2.0),
    "pooled input": lambda seed: (
        Builder((6, 6, 1), seed).scale().neurons(Window((2, 2), (2, 2))).flatten().dense(4).neurons().dense(3).readout()
    ),
    "overlapping, strided, padded": lambda seed: (
        Builder((9, 7, 2), seed)
        .scale()
        .neurons()
        .conv(3, stride=2, same=True)
        .neurons(Window((3, 3), (2, 2), ((1, 1), (0, 1))))
        .conv(4, 2)
        .neurons()
        .average(1)
        .flatten()
        .dense(3)
        .readout()
    ),
    "cropped": lambda seed: (
        Builder((8, 7, 2), seed)
        .scale()
        .neurons()
        .add(Crop2D, ((1, 0), (1, 2)))
        .conv(4)
        .neurons()
        .add(Crop2D, ((0, 1), (0, 0)))
        .flatten()
        .dense(3)
        .readout()
    ),
    "up-sampled": lambda seed: (
        Builder((3, 2, 2), seed)
        .scale()
        .neurons()
        .add(UpSample2D, (2, 3))
        .flatten()
        .dense(5)
        .neurons()
        .dense(3)
        .readout()
    ),
    "average behind neurons": lambda seed: (
        Builder((8, 8, 1), seed)
        .scale()
        .neurons()
        .average()
        .conv(3, 3, same=True)
        .neurons()
        .average()
        .flatten()
        .dense(4)
        .readout()
    ),
}


@st.composite
def fixed_networks(draw: st.DrawFn) -> tuple[FixedNetwork, np.ndarray]:
    """Any stages, widths, rounding and overflow modes, with input words; states may saturate and wrap."""
    network = NETWORKS[draw(st.sampled_from(sorted(NETWORKS)))](draw(st.integers(0, 50)))
    factors = st.sampled_from([None, 2.0, 2.25, 3.75])
    network = network.map_neurons(lambda n: dataclasses.replace(n, corrective=draw(factors)))
    names = [link.target.name for link in chain(network)]
    ranges = {
        n: {
            q: (-(2.0 ** draw(st.integers(-2, 3))), 2.0 ** draw(st.integers(-1, 4)))
            for q in (state.name for state in STATES)
        }
        for n in names
    }
    width = st.integers(8, 24)
    widths = {
        n: Widths(
            draw(st.integers(2, 10)),
            draw(width),
            draw(width),
            draw(width),
            draw(st.integers(10, 24)),
            draw(st.integers(7, 16)),
        )
        for n in names
    }
    fixed = quantize(network, ranges, widths)

    def modes(owner: Any, *fields: str) -> Any:
        types = {
            f: dataclasses.replace(
                getattr(owner, f), rounding=draw(st.sampled_from(ROUNDINGS)), overflow=draw(st.sampled_from(OVERFLOWS))
            )
            for f in fields
        }
        return dataclasses.replace(owner, **types)

    stages = []
    for stage in fixed.stages:
        if isinstance(stage, ReadoutStage):
            stages.append(modes(stage, "current", "potential"))
        else:
            neurons = modes(stage.neurons, "current", "potential", "refractory", "adaptation")
            neurons = dataclasses.replace(neurons, onset=draw(st.integers(0, 3)))
            stages.append(dataclasses.replace(stage, neurons=neurons))
    fixed = dataclasses.replace(fixed, stages=tuple(stages))
    return fixed, fixed.pixels(pixels(network, draw(st.integers(1, 3)), draw(st.integers(0, 50))))
