"""Linear maps: what each kind computes by itself is what follows from its edges."""

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from random_maps import GEOMETRY, LINEAR, linear_maps, values

from snntb_adsnn.errors import NetworkError
from snntb_adsnn.network import maps
from snntb_adsnn.network.edges import Band, PixelMap
from snntb_adsnn.network.maps import Conv2D, Linear, Window
from snntb_adsnn.network.maps.reshape import Reshape

OWN = [(name, method) for name, kind in LINEAR.items() for method in ("apply", "count") if method in vars(kind)]
FEW = settings(max_examples=25, deadline=None)
ONCE = settings(max_examples=30, deadline=None, database=None, phases=[Phase.generate], report_multiple_bugs=False)
"""To see a comparison fail: nothing is shrunk."""
CONVOLUTIONS = [name for name, kind in LINEAR.items() if "as_convolution" in vars(kind)]


def same(found, expected):
    assert found.dtype == expected.dtype
    # whole numbers: but for the mean of a pooling, exact
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def compare(node, method):
    """What the node's own method gives, and what its edges do."""
    if method == "apply":
        xs = values(node)
        same(node.apply(*xs), Linear.apply(node, *xs))
        return
    downstream = np.random.default_rng(0).integers(0, 9, node.shape).astype(np.float64)
    found, expected = node.count(downstream), Linear.count(node, downstream)
    assert len(found) == len(expected) == len(node.inputs)
    for one, other in zip(found, expected, strict=True):
        same(one, other)


def compare_convolution(node):
    found = node.as_convolution()
    if found is None:
        return
    window = Window(found.kernel.shape[:2], found.strides, found.padding)
    conv = Conv2D("conv", node.inputs, node.input_shapes, found.kernel, window)
    same(conv.apply(*values(node)), Linear.apply(node, *values(node)))


def test_every_kind_can_be_drawn():
    assert set(GEOMETRY) == set(LINEAR)


@pytest.mark.parametrize(("kind", "method"), OWN)
@FEW
@given(data=st.data())
def test_an_own_method_gives_what_the_edges_give(kind, method, data):
    compare(data.draw(linear_maps(kind)), method)


@pytest.mark.parametrize("kind", CONVOLUTIONS)
@FEW
@given(data=st.data())
def test_a_kind_as_a_convolution_is_the_same_map(kind, data):
    compare_convolution(data.draw(linear_maps(kind)))


@pytest.mark.parametrize(("kind", "method"), OWN)
def test_the_comparison_sees_an_own_method_that_is_wrong(kind, method, monkeypatch):
    right = getattr(LINEAR[kind], method)

    def wrong(self, *args):
        found = right(self, *args)
        found = found[0].copy() if method == "count" else found.copy()
        found.reshape(-1)[-1] += 1
        return (found, *right(self, *args)[1:]) if method == "count" else found

    monkeypatch.setattr(LINEAR[kind], method, wrong)

    @ONCE
    @given(linear_maps(kind))
    def check(node):
        compare(node, method)

    with pytest.raises(AssertionError):
        check()


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_the_comparison_sees_a_convolution_that_is_wrong(kind, monkeypatch):
    right = LINEAR[kind].as_convolution

    def wrong(self):
        found = right(self)
        return found and dataclasses.replace(found, kernel=found.kernel + 1)

    monkeypatch.setattr(LINEAR[kind], "as_convolution", wrong)

    @ONCE
    @given(linear_maps(kind))
    def check(node):
        compare_convolution(node)

    with pytest.raises(AssertionError):
        check()


@FEW
@given(st.data(), st.sampled_from(sorted(LINEAR)))
def test_an_average_and_others_treat_channels_alike_where_they_say_so(data, kind):
    """What ``channelwise`` promises: a gain before the map is the same gain behind it."""
    node = data.draw(linear_maps(kind))
    if node.channelwise:
        (x,), gain = values(node), np.arange(1.0, node.shape[-1] + 1)
        same(node.apply(x * gain), node.apply(x) * gain)


def test_edges_of_one_band_may_meet_in_one_pixel():
    """A sum of all pixels, whose edges share one band."""
    source = np.arange(5)
    edges = PixelMap.of([(source, np.zeros(5, int), Band.moved(np.array([1, -1, 0])))])
    x = np.arange(30.0).reshape(2, 5, 3)
    np.testing.assert_array_equal(edges.apply(x, (1, 2)), x.sum(axis=1, keepdims=True)[..., [2, 0]])
    np.testing.assert_array_equal(edges.count(np.array([[10.0, 1.0]]), (5, 3)), [[1, 0, 10]] * 5)


def test_a_zero_weight_is_a_synapse_and_a_channel_that_leads_nowhere_has_none():
    band = Band(np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([0, 0]), np.array([True, False]))
    np.testing.assert_array_equal(band.count(np.array([3.0, 4.0])), [7, 0])


def test_a_kind_without_edges_says_what_it_needs():
    @dataclasses.dataclass(frozen=True, eq=False)
    class Mystery(Linear, listed=False):
        def output_shape(self):
            return self.input_shapes[0]

    node = Mystery("secret", ("x",), ((3,),))
    with pytest.raises(NetworkError, match=r"secret: a Mystery .* give the class a method edges"):
        node.apply(np.zeros((1, 3)))


def test_a_reshape_of_pixels_into_channels_by_hand():
    node = Reshape("r", ("x",), ((3, 2),), (2, 3))
    x = np.arange(6.0).reshape(1, 3, 2)
    np.testing.assert_array_equal(Linear.apply(node, x), [[[0, 1, 2], [3, 4, 5]]])


def test_a_new_file_in_the_folder_is_known_without_being_named(tmp_path):
    """A new map needs its own file and no entry elsewhere."""
    package = Path(maps.__file__).parents[2]
    copy = shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "network" / "maps" / "mirror.py").write_text(
        "from snntb_adsnn.network.maps.base import Linear\n\nclass Mirror(Linear):\n    pass\n"
    )
    program = (
        "import snntb_adsnn\nfrom snntb_adsnn.network import kinds\nprint(snntb_adsnn.__file__, 'Mirror' in kinds())"
    )
    found = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env={}, capture_output=True, text=True)
    assert found.stdout.split() == [str(copy / "__init__.py"), "True"], found.stderr


def test_two_channels_may_lead_to_one():
    band = Band(np.array([[1.0], [2.0], [4.0]]), np.array([0, 0, 1]))
    np.testing.assert_array_equal(band.apply(np.ones((1, 3)), 2), [[3, 4]])
    np.testing.assert_array_equal(band.count(np.array([5.0, 7.0])), [5, 5, 7])
