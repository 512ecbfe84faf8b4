"""Linear maps of every kind with random geometry and small whole numbers as weights, so that sums are exact."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from snntb_adsnn.network import kinds, maps
from snntb_adsnn.network.maps import Array, Linear, Shape, Window

LINEAR = {name: kind for name, kind in kinds().items() if issubclass(kind, Linear) and kind.__module__.startswith(maps.__name__)}  # fmt: skip
"""Our own kinds of linear maps, by their names."""

Draw = Callable[..., int]
GEOMETRY: dict[str, Callable[[Draw], Linear]] = {}
"""By kind, how to draw one; a new kind needs an entry."""


def geometry(function: Callable[[Draw], Linear]) -> Callable[[Draw], Linear]:
    GEOMETRY[function.__name__] = function
    return function


def _pick(draw: Draw, low: int, high: int) -> int:
    return draw(st.integers(low, high))


def _weights(draw: Draw, *shape: int) -> Array:
    random = np.random.default_rng(_pick(draw, 0, 2**32 - 1))
    return random.integers(-3, 4, shape).astype(np.float32)  # one in seven is 0


def _image(draw: Draw) -> Shape:
    return (_pick(draw, 1, 6), _pick(draw, 1, 6), _pick(draw, 1, 5))


def _any_shape(draw: Draw) -> Shape:
    return _image(draw)[_pick(draw, 0, 2) :]


def _at(*shapes: Shape) -> tuple[str, tuple[str, ...], tuple[Shape, ...]]:
    return "node", tuple(f"x{i}" for i in range(len(shapes))), shapes


def _window(draw: Draw, shape: Shape) -> Window:
    size = (_pick(draw, 1, min(3, shape[0])), _pick(draw, 1, min(3, shape[1])))
    padding = tuple((_pick(draw, 0, k - 1), _pick(draw, 0, k - 1)) for k in size)
    widest = [(n + sum(p) - 1) // (k - 1) if k > 1 else 1 for n, k, p in zip(shape, size, padding, strict=False)]
    dilation = (_pick(draw, 1, min(2, widest[0])), _pick(draw, 1, min(2, widest[1])))
    return Window(size, (_pick(draw, 1, 3), _pick(draw, 1, 2)), padding, dilation)


@geometry
def Dense(draw: Draw) -> Linear:
    inputs = _pick(draw, 1, 9)
    return maps.Dense(*_at((inputs,)), _weights(draw, inputs, _pick(draw, 1, 9)))


@geometry
def Conv2D(draw: Draw) -> Linear:
    shape, groups = _image(draw), _pick(draw, 1, 3)
    shape = (*shape[:2], shape[2] * groups)
    window = _window(draw, shape)
    weights = _weights(draw, *window.size, shape[2] // groups, groups * _pick(draw, 1, 3))
    return maps.Conv2D(*_at(shape), weights, window, groups)


@geometry
def DepthwiseConv2D(draw: Draw) -> Linear:
    shape = _image(draw)
    window = _window(draw, shape)
    return maps.DepthwiseConv2D(*_at(shape), _weights(draw, *window.size, shape[2], _pick(draw, 1, 3)), window)


@geometry
def AveragePool2D(draw: Draw) -> Linear:
    shape = _image(draw)
    window = _window(draw, shape)
    return maps.AveragePool2D(*_at(shape), Window(window.size, window.strides, window.padding))


@geometry
def ZeroPad2D(draw: Draw) -> Linear:
    padding = ((_pick(draw, 0, 2), _pick(draw, 0, 2)), (_pick(draw, 0, 2), _pick(draw, 0, 2)))
    return maps.ZeroPad2D(*_at(_image(draw)), padding)


@geometry
def Crop2D(draw: Draw) -> Linear:
    height, width, channels = _image(draw)
    margins = ((_pick(draw, 0, 2), _pick(draw, 0, 2)), (_pick(draw, 0, 2), _pick(draw, 0, 2)))
    shape = (height + sum(margins[0]), width + sum(margins[1]), channels)
    return maps.cropping.Crop2D(*_at(shape), margins)


@geometry
def Channels(draw: Draw) -> Linear:
    *rest, number = _any_shape(draw)
    start = _pick(draw, 0, 2)
    shape = (*rest, start + number + _pick(draw, 0, 2))
    return maps.channels.Channels(*_at(shape), start, number)


@geometry
def Permute(draw: Draw) -> Linear:
    shape = _any_shape(draw)
    return maps.permutation.Permute(*_at(shape), tuple(draw(st.permutations(range(len(shape))))))


@geometry
def UpSample2D(draw: Draw) -> Linear:
    return maps.upsampling.UpSample2D(*_at(_image(draw)), (_pick(draw, 1, 3), _pick(draw, 1, 3)))


@geometry
def Spread2D(draw: Draw) -> Linear:
    return maps.spreading.Spread2D(*_at(_image(draw)), (_pick(draw, 1, 3), _pick(draw, 1, 3)))


@geometry
def Pick2D(draw: Draw) -> Linear:
    shape = _image(draw)
    return maps.windows.Pick2D(*_at(shape), _window(draw, shape))


@geometry
def Differences2D(draw: Draw) -> Linear:
    shape = _image(draw)
    return maps.windows.Differences2D(*_at(shape), _window(draw, shape))


@geometry
def Part(draw: Draw) -> Linear:
    target, start = _any_shape(draw), _pick(draw, 0, 3)
    size = start + math.prod(target) + _pick(draw, 0, 3)
    return maps.part.Part(*_at((size,)), start, target)


@geometry
def Reshape(draw: Draw) -> Linear:
    shape = _any_shape(draw)
    size = math.prod(shape)
    rows = draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0]))
    columns = draw(st.sampled_from([n for n in range(1, size // rows + 1) if size // rows % n == 0]))
    target = (rows, columns, size // rows // columns)
    return maps.Reshape(*_at(shape), draw(st.sampled_from([target, (rows * columns, target[2]), (size,)])))


@geometry
def Scale(draw: Draw) -> Linear:
    shape = _any_shape(draw)
    return maps.Scale(*_at(shape), _weights(draw, shape[-1]))


@geometry
def Add(draw: Draw) -> Linear:
    return maps.Add(*_at(*[_any_shape(draw)] * _pick(draw, 2, 3)))


@geometry
def Concatenate(draw: Draw) -> Linear:
    shape = _any_shape(draw)
    return maps.Concatenate(*_at(*((*shape[:-1], _pick(draw, 1, 4)) for _ in range(_pick(draw, 1, 3)))))


def values(node: Linear, dtype: type[np.floating] = np.float64, images: int = 2) -> list[Array]:
    """Small whole numbers for each input of a node."""
    random = np.random.default_rng(len(node.inputs) + math.prod(node.shape))
    return [random.integers(-4, 5, (images, *shape)).astype(dtype) for shape in node.input_shapes]


def linear_maps(kind: str) -> st.SearchStrategy[Linear]:
    """Maps of one kind."""
    return st.composite(GEOMETRY[kind])()
