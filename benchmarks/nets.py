"""The networks that are measured. Random ones are normalised on their images, so that they fire at a realistic rate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import (
    Add,
    Array,
    AveragePool2D,
    Conv2D,
    Dense,
    Node,
    Reshape,
    Scale,
    Window,
    same_padding,
)
from snntb_adsnn.neuron import ASNParameters

ROOT = Path(__file__).parents[1]
HALVE = Window((2, 2), (2, 2))
CALIBRATION_IMAGES = 10


def trained_mnist(x: Array) -> SpikingNetwork:
    """The MNIST net whose weights come with the repository; ``x``: images on which its conversion is checked."""
    from snntb_adsnn.frontends import convert
    from snntb_adsnn.frontends.keras.files import load_model

    return convert(load_model(ROOT / "configs/models/mnist"), x)


def mnist(x: Array, *, channels: tuple[int, int] = (16, 32), mean: float = 0.4) -> SpikingNetwork:
    """16C3-MP2-32C3-MP2-10 with random weights behind a BN-ASN input."""
    net = _Builder(x, m_f=0.4, mean=mean)
    net.neurons(net.scale())
    for width in channels:
        net.neurons(net.conv(width, padded=False), pool=HALVE)
    return net.finish()


def vgg(x: Array) -> SpikingNetwork:
    """64C3-64C3-MP2-128C3-128C3-MP2-256C3-256C3-MP2-10 with random weights."""
    net = _Builder(x, m_f=0.4, mean=-0.5)
    net.neurons(net.scale())
    for width in (64, 128, 256):
        net.neurons(net.conv(width))
        net.neurons(net.conv(width), pool=HALVE)
    return net.finish()


def residual(x: Array) -> SpikingNetwork:
    """Identity-mapping residual net: three stages of one block each, 64, 128 and 256 channels; random weights."""
    net = _Builder(x, m_f=0.4, mean=-0.5)
    net.neurons(net.scale())
    stem = net.conv(64)
    for width, stride in ((64, 1), (128, 2), (256, 2)):
        entry = net.neurons(stem)
        shortcut = stem if stride == 1 else net.conv(width, size=1, stride=stride, source=entry)
        net.neurons(net.conv(width, stride=stride, source=entry))
        stem = net.add(net.conv(width), shortcut)
    net.neurons(stem)
    net.average()
    return net.finish()


def smooth_images(count: int, size: int = 32, channels: int = 3) -> Array:
    """Random images with the slowly falling spectrum of photographs, in [0, 1]."""
    noise = np.random.default_rng(0).normal(size=(count, size, size, channels))
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)) * size
    x = np.fft.ifft2(np.fft.fft2(noise, axes=(1, 2)) / (1 + frequency)[..., None], axes=(1, 2)).real
    return np.clip(0.5 + 0.25 * x / x.std(), 0, 1).astype(np.float32)


class _Builder:
    """Adds nodes one by one; each weighted layer is scaled so that its outputs on ``x`` have standard deviation 1, and
    each population's bias makes its mean ``mean``, channel by channel."""

    def __init__(self, x: Array, *, m_f: float, mean: float) -> None:
        self.random = np.random.default_rng(0)
        self.parameters, self.mean = ASNParameters(m_f=m_f), mean
        self.nodes: dict[str, Node] = {}
        self.values: dict[str, Array] = {}
        x = x[:CALIBRATION_IMAGES].astype(np.float32)
        self._put(lambda name: Input(name, (), (), x.shape[1:]), x)

    @property
    def last(self) -> str:
        return next(reversed(self.nodes))

    def _put(self, make: Callable[[str], Any], value: Array) -> str:
        name = f"node_{len(self.nodes)}"
        self.nodes[name] = make(name)
        self.values[name] = value
        return name

    def _linear(self, make: Callable[[str, float], Any], *sources: str) -> str:
        xs = [self.values[s] for s in sources]
        factor = 1 / make("draft", 1.0).apply(*xs).std()
        return self._put(lambda name: make(name, factor), make("draft", factor).apply(*xs))

    def _reads(self, *sources: str) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        return sources, tuple(self.nodes[s].shape for s in sources)

    def scale(self) -> str:
        reads, channels = self._reads(self.last), self.nodes[self.last].shape[-1]
        return self._linear(lambda n, f: Scale(n, *reads, np.full(channels, f, np.float32)), self.last)

    def conv(self, width: int, *, size: int = 3, stride: int = 1, padded: bool = True, source: str = "") -> str:
        source = source or self.last
        reads, shape = self._reads(source), self.nodes[source].shape
        kernel, strides = (size, size), (stride, stride)
        window = Window(kernel, strides, same_padding(shape[:2], kernel, strides)) if padded else Window(kernel)
        w = self.random.normal(size=(*kernel, shape[-1], width)).astype(np.float32)
        return self._linear(lambda n, f: Conv2D(n, *reads, w * np.float32(f), window), source)

    def add(self, *sources: str) -> str:
        reads = self._reads(*sources)
        return self._put(lambda n: Add(n, *reads), np.add(*(self.values[s] for s in sources)))

    def average(self) -> str:
        reads, shape = self._reads(self.last), self.nodes[self.last].shape
        node = AveragePool2D("draft", *reads, Window(shape[:2]))
        return self._put(lambda n: AveragePool2D(n, *reads, Window(shape[:2])), node.apply(self.values[self.last]))

    def neurons(self, source: str, pool: Window | None = None) -> str:
        reads = self._reads(source)
        draft = Neurons("draft", *reads, np.zeros(self.nodes[source].shape[-1], np.float32), self.parameters, pool=pool)
        pooled = draft.pooled(self.values[source])
        bias = (self.mean - pooled.mean(axis=tuple(range(pooled.ndim - 1)))).astype(np.float32)
        node = Neurons("draft", *reads, bias, self.parameters, pool=pool)
        value = node.analog(self.values[source])
        return self._put(lambda n: Neurons(n, *reads, bias, self.parameters, pool=pool), value)

    def finish(self, classes: int = 10) -> SpikingNetwork:
        reads, size = self._reads(self.last), int(np.prod(self.nodes[self.last].shape))
        source = self._put(lambda n: Reshape(n, *reads, (size,)), self.values[self.last].reshape(-1, size))
        reads, w = self._reads(source), self.random.normal(size=(size, classes)).astype(np.float32)
        source = self._linear(lambda n, f: Dense(n, *reads, w * np.float32(f)), source)
        reads = self._reads(source)
        self._put(lambda n: Readout(n, *reads, np.zeros(classes, np.float32)), self.values[source])
        return SpikingNetwork(tuple(self.nodes.values()))
