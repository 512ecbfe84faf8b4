"""Small random networks for the tests of the fixed-point side."""

from __future__ import annotations

from typing import Any

import numpy as np

from snntb_adsnn.linear import AveragePool2D, Conv2D, Dense, Node, Reshape, Scale, Window, same_padding
from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork
from snntb_adsnn.neuron import ASNParameters

PARAMETERS = ASNParameters(m_f=0.3)


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

    def neurons(self, pool: Window | None = None) -> Builder:
        bias = self.rng.normal(0, 0.1, self.nodes[-1].shape[-1:]).astype(np.float32)
        return self.add(Neurons, bias, self.parameters, pool=pool)

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
    sizes: tuple[int, ...] = (12, 16, 10), seed: int = 0, parameters: ASNParameters = PARAMETERS
) -> SpikingNetwork:
    """Input layer, hidden dense layers, read-out."""
    b = Builder(sizes[:1], seed, parameters).scale().neurons()
    for units in sizes[1:-1]:
        b.dense(units).neurons()
    return b.dense(sizes[-1]).readout()


def conv_net(seed: int = 0, parameters: ASNParameters = PARAMETERS) -> SpikingNetwork:
    """Input layer; convolution with max pooling; convolution with average pooling before its neurons; dense; read-out."""
    b = Builder((8, 8, 2), seed, parameters).scale().neurons()
    b.conv(4, same=True).neurons(Window((2, 2), (2, 2)))
    b.conv(6, same=True).average().neurons()
    return b.flatten().dense(5).neurons().dense(3).readout()
