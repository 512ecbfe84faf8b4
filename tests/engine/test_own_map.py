"""A kind of linear map that is defined here, by its shape and its edges alone: it simulates, is counted and saved."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from random_networks import ALL, DYADIC, assert_same, exact

from snntb_adsnn import SpikingNetwork
from snntb_adsnn.engine import event, reference
from snntb_adsnn.measure.connectivity import fanouts, multiplications
from snntb_adsnn.network import Input, Neurons, Readout, kinds
from snntb_adsnn.network.edges import Band, PixelMap
from snntb_adsnn.network.maps import Array, Conv2D, Dense, Linear, Node, Reshape, Shape, Window


@dataclasses.dataclass(frozen=True, eq=False)
class ChannelShuffle(Linear):
    """ShuffleNet's: channel ``g * size + i`` becomes channel ``i * groups + g``."""

    groups: int

    def output_shape(self) -> Shape:
        return self.input_shapes[0]

    def edges(self) -> list[PixelMap]:
        order = np.arange(self.shape[-1]).reshape(self.groups, -1).T.reshape(-1)
        return [PixelMap.each(self.shape, Band.moved(np.argsort(order)))]


@dataclasses.dataclass(frozen=True, eq=False)
class PixelWeights(Linear):
    """Every pixel has weights of its own, shape (height, width, channels, outputs); the image is flipped as well."""

    kernel: Array

    def output_shape(self) -> Shape:
        return (*self.kernel.shape[:2], self.kernel.shape[3])

    def edges(self) -> list[PixelMap]:
        height, width = self.shape[:2]
        places = np.arange(height * width).reshape(height, width)
        flipped = places[:, ::-1].reshape(-1)
        bands = map(Band.full, self.kernel.reshape(-1, *self.kernel.shape[2:]))
        return [PixelMap.of((np.array([i]), flipped[[i]], band) for i, band in enumerate(bands))]

    @property
    def weighted(self) -> bool:
        return True


def weights(*shape: int) -> Array:
    return (np.random.default_rng(sum(shape)).integers(-4, 7, shape) / 8).astype(np.float32)


def network(own: bool) -> SpikingNetwork:
    """With maps of one's own, or with the same as a convolution and a dense layer."""
    nodes: list[Node] = [Input("x", (), (), (4, 5, 2))]

    def add(kind: type[Node], **fields: object) -> Array:
        nodes.append(kind(f"n{len(nodes)}", (nodes[-1].name,), (nodes[-1].shape,), **fields))

    kernel = weights(4, 5, 6, 3)
    add(Neurons, bias=np.zeros(2, np.float32), parameters=DYADIC[2])
    add(Conv2D, weights=weights(2, 2, 2, 6), window=Window((2, 2), padding=((0, 1), (0, 1))))
    if own:
        add(ChannelShuffle, groups=2)
    else:
        add(Conv2D, weights=np.eye(6, dtype=np.float32)[:, None, None, [0, 3, 1, 4, 2, 5]].transpose(1, 2, 0, 3), window=Window((1, 1)))  # fmt: skip
    add(Neurons, bias=weights(6), parameters=DYADIC[1])
    if own:
        add(PixelWeights, kernel=kernel)
    else:
        full = np.zeros((4, 5, 6, 4, 5, 3), np.float32)
        for row in range(4):
            for column in range(5):
                full[row, column, :, row, 4 - column] = kernel[row, column]
        add(Reshape, target=(120,))
        add(Dense, weights=full.reshape(120, 60))
        add(Reshape, target=(4, 5, 3))
    add(Neurons, bias=weights(3), parameters=DYADIC[0], pool=Window((2, 2), (2, 2)))
    add(Reshape, target=(math.prod(nodes[-1].shape),))
    add(Dense, weights=weights(nodes[-1].shape[0], 4))
    add(Readout, bias=np.zeros(4, np.float32))
    return SpikingNetwork(tuple(nodes))


IMAGES = (np.random.default_rng(0).integers(0, 24, (3, 4, 5, 2)) / 16).astype(np.float32)


@pytest.fixture(scope="module")
def expected():
    found = reference.run(network(own=False), IMAGES, 40, frozenset({"spikes", "S"}))
    assert min(counts.sum() for counts in found.spike_counts.values()) > 20
    return found


@pytest.mark.parametrize("engine", ["reference", "event", "tensorflow"])
def test_it_simulates_in_every_engine(engine, expected):
    if engine == "tensorflow":
        from snntb_adsnn.engine import tensorflow as module
    else:
        module = {"reference": reference, "event": event}[engine]
    assert exact(network(own=False))
    found = module.run(network(own=True), IMAGES, 40, frozenset({"spikes", "S"}))
    np.testing.assert_array_equal(found.outputs, expected.outputs)
    for one, other in zip(found.records["S"].values(), expected.records["S"].values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_it_is_counted():
    """The dense layer in its place has weights from every pixel to every other, these have one to its mirror image."""
    own = network(own=True)
    first, second, third = own.population_names
    assert multiplications(own)[third] == 20 * 6 * 3
    np.testing.assert_array_equal(fanouts(own)[second].additions, np.full((4, 5, 6), 3.0))
    taps = np.array([[1, 2, 2, 2, 2]] + [[2, 4, 4, 4, 4]] * 3)  # windows that read a pixel
    np.testing.assert_array_equal(fanouts(own)[first].additions, np.repeat(taps[..., None] * 6.0, 2, axis=-1))


def test_it_is_saved_and_loaded(tmp_path):
    own = network(own=True)
    loaded = SpikingNetwork.load(own.save(tmp_path / "own.npz"))
    assert [type(n) for n in loaded.nodes] == [type(n) for n in own.nodes]
    assert_same(reference.run(loaded, IMAGES, 10, ALL), reference.run(own, IMAGES, 10, ALL))
    assert kinds()["ChannelShuffle"] is ChannelShuffle
