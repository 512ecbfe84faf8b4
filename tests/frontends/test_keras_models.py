"""What people build in Keras 2 and Keras 3: converted, and equal to what Keras says; wrong converters are found out."""

import os
import subprocess
import sys

import keras as keras_3
import numpy as np
import pytest
from keras_models import MODELS, Made, inputs_of, weighted

from snntb_adsnn import SpikingNetwork, convert, simulate
from snntb_adsnn import keras as keras_2
from snntb_adsnn.errors import ConversionError, NetworkError, ParameterError
from snntb_adsnn.frontends.check import DeviationError
from snntb_adsnn.frontends.keras.compat import tf
from snntb_adsnn.frontends.keras.layers import BUILT_IN
from snntb_adsnn.measure.connectivity import input_multiplications

KERAS = {
    "keras 2": Made(keras=keras_2, leaky=tf.nn.leaky_relu, relu6=tf.nn.relu6, join=lambda xs: tf.concat(xs, -1)),
    "keras 3": Made(
        keras=keras_3,
        leaky=keras_3.ops.leaky_relu,
        relu6=keras_3.ops.relu6,
        join=lambda xs: keras_3.ops.concatenate(xs, -1),
    ),
}


@pytest.fixture(params=KERAS)
def made(request):
    return KERAS[request.param]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_converted(made, name):
    model = weighted(MODELS[name](made))
    x = inputs_of(model)
    network = convert(model, x)
    expected = model.predict(x, verbose=0)
    assert np.ptp(expected, axis=0).max() > 0.02  # the comparison sees something
    np.testing.assert_allclose(network.analog(x), expected, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("name", ["series", "pooled_anywhere", "pooled_input", "two_inputs"])
def test_its_spikes_say_the_same_in_every_engine_and_from_a_file(name, tmp_path):
    model = weighted(MODELS[name](KERAS["keras 2"]))
    x = inputs_of(model, 2)
    network = SpikingNetwork.load(convert(model, x).save(tmp_path / "net.npz"))
    found = [
        simulate(network, x, duration=1000, engine=engine).outputs[:, -200:].mean(axis=1)
        for engine in ("reference", "event", "tensorflow")
    ]
    logits = network.analog(x, logits=True)
    for outputs in found:
        np.testing.assert_allclose(outputs, logits, atol=0.05 * np.abs(logits).max())
        np.testing.assert_allclose(outputs, found[0], atol=0.01 * np.abs(logits).max())


@pytest.mark.parametrize(
    ("name", "layer", "break_it"),
    [
        ("series", "Conv1D", lambda node, bias: (node, None if bias is None else 0 * bias)),  # a dropped bias
        ("transposed", "Conv2DTranspose", lambda node, bias: (_turned(node), bias)),
        ("transposed_series", "Conv1DTranspose", lambda node, bias: (_turned(node), bias)),
        ("lines", "Dense", lambda node, bias: (_turned(node), bias)),
        ("functions", "Average", lambda node, bias: (node, np.ones(1))),
    ],
)
def test_a_converter_that_is_wrong_is_found_out(made, name, layer, break_it, monkeypatch):
    right = BUILT_IN[layer]
    wrong = lambda kept: [break_it(*pair) for pair in right(kept)]  # noqa: E731
    monkeypatch.setitem(BUILT_IN._entries, layer, wrong)
    model = weighted(MODELS[name](made))
    with pytest.raises(DeviationError, match="deviates from Keras"):
        convert(model, inputs_of(model))


def _turned(node):
    """A node with its weights the wrong way round."""
    from dataclasses import replace

    if not hasattr(node, "weights"):
        return node
    turned = node.weights[::-1].copy() if node.weights.ndim == 2 else node.weights[::-1, ::-1].copy()
    return replace(node, weights=turned)


def test_the_inputs_may_be_named(made):
    model = weighted(MODELS["two_inputs"](made))
    image, series = inputs_of(model)
    network = convert(model, [image, series])
    assert dict(network.input.image.parts) == {"image": (4, 4, 1), "series": (5, 3)}
    expected = network.analog([image, series])
    np.testing.assert_array_equal(network.analog({"series": series, "image": image}), expected)
    flat = np.concatenate([image.reshape(5, -1), series.reshape(5, -1)], axis=1)
    np.testing.assert_array_equal(network.analog(flat), expected)
    with pytest.raises(
        ParameterError, match=r"one array for each of its inputs \(image: \(4, 4, 1\), series: \(5, 3\)"
    ):
        network.analog([image])
    with pytest.raises(ParameterError, match="inputs are named image, series, but image are given"):
        network.analog({"image": image})


class Own(keras_2.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda k: k.chain(k.L.Dense(3)), "has no known input shape"),
        (lambda k: Own(), "is a Own with a call of its own"),
        (lambda k: k.chain(k.L.Input((4,)), k.L.Dense(3, activation="relu"), k.L.Dense(3, activation="tanh"),
                           k.L.Dense(2)), r"'\w*dense\w*' has the activation 'tanh'"),
        (lambda k: k.chain(k.L.Input((4, 4, 1)), k.L.PReLU(), k.L.Flatten(), k.L.Dense(2)),
         r"has a slope for every pixel.*shared_axes=\[1, 2\]"),
        (lambda k: k.chain(k.L.Input((4,)), k.L.ReLU(threshold=0.5), k.L.Dense(2)), "jumps at its threshold"),
        (lambda k: k.chain(k.L.Input((None, 2)), k.L.Conv1D(3, 2, activation="relu"), k.L.GlobalMaxPooling1D(),
                           k.L.Dense(2)), r"has shape \(None, 2\); give it fixed sizes"),
        (lambda k: k.keras.Model(*(lambda x: (x, k.L.Dense(2)(k.L.Multiply()([k.L.Dense(3)(x)] * 2))))(k.L.Input((4,)))),
         r"\(Multiply\) has no spiking equivalent"),
        (lambda k: k.keras.Model(*(lambda x: (x, k.L.Dense(2)(k.L.BatchNormalization()(k.L.Dense(3)(x), training=True))))(
            k.L.Input((4,)))), r"\(BatchNormalization\) is called with training=True"),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_is_named(made, make, says):
    model = make(made)
    if getattr(model, "built", False) and model.weights:
        weighted(model)
    before = model.get_weights() if model.built else []
    with pytest.raises(ConversionError, match=says):
        convert(model, np.ones((2, 4, 2)))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights() if before else [], strict=True))


def test_a_function_of_ones_own_by_a_known_name_is_no_relu(made):
    def relu(x):
        return x * 0.5

    model = made.chain(made.L.Input((4,)), made.L.Dense(3, activation=relu), made.L.Dense(2))
    with pytest.raises(ConversionError, match=r"activation 'relu \(of your own\)'"):
        convert(model, np.ones((2, 4)))


def test_a_keras_3_model_needs_no_keras_2():
    program = (
        "import sys, keras, numpy\nfrom snntb_adsnn import convert\n"
        "L = keras.layers\nnet = keras.Sequential([L.Input((4,)), L.Dense(3, activation='relu'), L.Dense(2)])\n"
        "convert(net, numpy.ones((2, 4)))\nprint('tf_keras' in sys.modules)"
    )
    environment = {key: value for key, value in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert found.stdout.strip() == "False", found.stderr


def test_both_keras_live_in_one_process():
    """Whoever imports TensorFlow first, with Keras 3 for ``tf.keras``."""
    program = (
        "import os; os.environ['TF_USE_LEGACY_KERAS'] = '0'\n"
        "import keras, numpy, tensorflow as tf\nassert hasattr(tf.keras, 'ops')\n"
        "from snntb_adsnn import AAN, convert\nfrom snntb_adsnn import keras as keras_2\n"
        "for k, act in ((keras, 'relu'), (keras_2, AAN(0.2))):\n"
        "    L = k.layers\n"
        "    net = k.Sequential([L.Input((4,)), L.Dense(3, activation=act, bias_initializer='ones'), L.Dense(2)])\n"
        "    print(len(convert(net, numpy.ones((2, 4))).populations))\n"
        "from snntb_adsnn.frontends.keras.compat import need_keras_2\nneed_keras_2()"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout.split() == ["1", "1"], found.stderr
    assert "TensorFlow was imported with Keras 3, which SNN Toolbox cannot use" in found.stderr


def test_hardware_refuses_what_has_no_neurons(made):
    from adsnn_hls.quantize.synapses import chain

    model = weighted(MODELS["pooled_input"](made))
    with pytest.raises(NetworkError, match="is computed from the input without neurons, but hardware stages begin"):
        chain(convert(model, inputs_of(model)))


def test_products_of_the_stem_are_counted():
    """The first convolution stands behind the input, with tanh: 6 x 6 positions, 3 x 3 x 2 weights for 3 channels."""
    model = weighted(MODELS["pooled_input"](KERAS["keras 2"]))
    network = convert(model, inputs_of(model))
    behind = 108 * 3 + 3 * 3 * 3 * 3  # of the read-out, from the convolution; of the 1 x 1 convolution
    behind += 27 * 3  # of the read-out, from the pooled image
    assert input_multiplications(network) == 36 * 18 * 3 + behind
