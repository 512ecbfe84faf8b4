"""A Keras layer defined here is converted by a function defined here; models of unknown make are refused."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from snntb_adsnn import AAN, convert, frontends, keras
from snntb_adsnn.errors import ConversionError, ParameterError
from snntb_adsnn.frontends import FRONTENDS, FrontEnd
from snntb_adsnn.frontends.keras import CONVERTERS, KerasLayer, converts
from snntb_adsnn.network.maps import Dense, Scale

L = keras.layers


class Gain(L.Layer):
    """A learned factor and shift for every channel, and an activation."""

    def __init__(self, activation=None, **others):
        super().__init__(**others)
        self.activation = keras.activations.get(activation)

    def build(self, shape):
        # of one size with the images: a shift below the neurons' threshold could be forgotten unseen
        drawn = keras.initializers.RandomUniform(0.5, 1.5, seed=1)
        self.gain = self.add_weight(name="gain", shape=shape[-1:], initializer=drawn)
        self.shift = self.add_weight(name="shift", shape=shape[-1:], initializer=drawn)

    def call(self, x):
        return self.activation(x * self.gain + self.shift)


class Unknown(Gain):
    """A subclass may compute something else, so that it needs a converter of its own."""


@pytest.fixture
def converters():
    """What is registered in a test is forgotten behind it."""
    kept = dict(CONVERTERS)
    yield CONVERTERS
    CONVERTERS._entries.clear()
    CONVERTERS._entries.update(kept)


def model(layer):
    return keras.Sequential([L.Input((5, 4, 3)), layer, L.Conv2D(2, 3), L.Flatten(), L.Dense(3, activation="softmax")])


def images(shape):
    return np.random.default_rng(0).normal(0.3, 1, (6, *shape)).astype(np.float32)


def test_an_own_layer_is_converted_with_its_activation(converters):
    net, x = model(Gain(AAN(0.2), name="mine")), images((5, 4, 3))
    with pytest.raises(ConversionError, match=r"'mine' \(Gain\) has no spiking equivalent"):
        convert(net, x)

    @converts(Gain)
    def gain(kept: KerasLayer):
        return [(Scale(*kept.at, kept.weight("gain")), kept.weight("shift"))]

    network = convert(net, x)
    assert network.population_names == ["mine"]
    np.testing.assert_allclose(network.analog(x), net.predict(x, verbose=0), atol=1e-5)
    with pytest.raises(
        ConversionError,
        match=r"'mine' \(Unknown\) has no spiking equivalent here. Rebuild .* register a converter \(@converts",
    ):
        convert(model(Unknown(AAN(0.2), name="mine")), x)


def test_a_converter_that_forgets_something_is_found_out(converters):
    @converts(Gain)
    def gain(kept: KerasLayer):
        return [(Scale(*kept.at, kept.weight("gain")), None)]

    with pytest.raises(ConversionError, match="'mine' deviates from Keras"):
        convert(model(Gain(AAN(0.2), name="mine")), images((5, 4, 3)))


def test_a_converter_that_makes_another_shape_is_found_out(converters):
    @converts(Gain)
    def gain(kept: KerasLayer):
        return [(Dense(*kept.at, np.ones((4, 2), np.float32)), None)]

    net = keras.Sequential([L.Input((4,)), Gain(AAN(0.2), name="mine"), L.Dense(3)])
    with pytest.raises(ConversionError, match=r"'mine' \(Gain\): its converter gives shape \(2,\), but it has \(4,\)"):
        convert(net, images((4,)))


def test_a_layer_has_one_converter(converters):
    with pytest.raises(ParameterError, match="there is a converter of Keras' own Dense already"):
        converts(L.Dense)(lambda kept: [])
    converts(Gain)(lambda kept: [])
    with pytest.raises(ParameterError, match="converter of Keras layer 'Gain' is registered already"):
        converts(Gain)(list)


@pytest.mark.parametrize("thing", [3, None, FrontEnd, {"layers": []}])
def test_what_no_front_end_knows_is_refused(thing):
    with pytest.raises(ConversionError, match=r"no model that can be converted; known front ends: keras \(a Keras 2"):
        convert(thing, images((4,)))


def test_a_front_end_of_ones_own_gets_its_models(monkeypatch):
    theirs, found = {"kind": "theirs"}, object()
    module = type(sys)("their_frontend")
    module.convert = lambda model, x, **options: (found, model, options)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(FRONTENDS, "_entries", {**FRONTENDS})
    FRONTENDS.add("theirs", FrontEnd("a model of theirs", lambda model: model is theirs, module.__name__))
    result = convert(theirs, images((4,)), readout_tau_phi=20.0)
    assert result == (found, theirs, {"readout_tau_phi": 20.0, "dtype": np.float32})


@pytest.mark.parametrize(
    ("module", "owned"),
    [
        ("tf_keras.src.engine.functional", True),
        ("keras.src.engine.training", True),  # TensorFlow 2.13 to 2.15
        ("keras.engine.training", True),
        ("keras.src.models.model", False),  # Keras 3
        ("torch.nn.modules.module", False),
    ],
)
def test_keras_2_is_told_by_the_names_of_its_modules(module, owned):
    base = type("Model", (), {"__module__": module})
    assert FRONTENDS["keras"].owns(type("Net", (base,), {})()) is owned


def test_front_ends_import_no_framework():
    program = (
        "import sys, snntb_adsnn, snntb_adsnn.frontends.keras.layers, snntb_adsnn.engine\n"
        "from snntb_adsnn import convert\n"
        "print([name for name in ('tensorflow', 'keras', 'tf_keras', 'numba') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["AAN", "keras"])
def test_who_imports_a_name_for_keras_gets_keras_2_that_knows_our_activation(name):
    program = (
        f"from snntb_adsnn import {name}\nimport tensorflow as tf\nassert not hasattr(tf.keras, 'ops')\n"
        "assert 'AAN' in tf.keras.utils.get_custom_objects()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_check_needs_no_framework():
    """The check's own words name the framework whose values it is given."""
    net, x = keras.Sequential([L.Input((4,)), L.Dense(3, activation=AAN(0.2), name="first"), L.Dense(2)]), images((4,))
    network, output = convert(net, x), net.predict(x, verbose=0)
    seen = {"first": keras.Model(net.inputs, net.layers[0].output).predict(x, verbose=0)}
    assert frontends.check.check(network, x, seen, output, "them") < 1e-6
    with pytest.raises(ConversionError, match="'readout' deviates from them by"):
        frontends.check.check(network, x, seen, output + 1e-3, "them")
    population = replace(network.populations[0], bias=network.populations[0].bias + 1e-3)
    with pytest.raises(ConversionError, match="'first' deviates from them by"):
        frontends.check.check(network.map_neurons(lambda n: population), x, seen, output, "them")


@pytest.mark.parametrize("wrong", [Gain(), "Gain", lambda kept: [], int])
def test_only_classes_of_layers_are_registered(converters, wrong):
    with pytest.raises(ParameterError, match="@converts takes classes of Keras layers"):
        converts(wrong)
