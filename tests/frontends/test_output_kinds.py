"""Models with every kind of output become networks that compute what Keras and onnxruntime compute."""

import numpy as np
import onnx
import onnxruntime
import output_nets
import pytest
from onnx_models import Graph

from snntb_adsnn import AAN, convert
from snntb_adsnn.errors import ConversionError
from snntb_adsnn.frontends.check import DeviationError, check
from snntb_adsnn.frontends.keras.compat import keras
from snntb_adsnn.network import SpikingNetwork

L = keras.layers
IMAGE = (6, 6, 2)


def chain(*layers, shape=(6,)):
    return output_nets.drawn(keras.Sequential([L.Input(shape), *layers]))


def aan(units=9):
    return L.Dense(units, activation=AAN(0.2))


def conv(filters=3, **options):
    return L.Conv2D(filters, 3, padding="same", activation=AAN(0.2), **options)


def kept_and_read():
    """The hidden ReLU layer is an output as well."""
    x = L.Input((6,))
    h = L.Dense(4, activation="relu", name="code")(x)
    return output_nets.drawn(keras.Model(x, [h, L.Dense(6, activation="sigmoid")(h)]))


def the_same_twice():
    x = L.Input((6,))
    y = L.Dense(3, name="first")(aan()(x))
    return output_nets.drawn(keras.Model(x, [y, L.Activation("tanh", name="second")(y)]))


MODELS = {
    "binary": output_nets.binary,
    "multilabel": output_nets.multilabel,
    "regression": output_nets.regression,
    "autoencoder": output_nets.autoencoder,
    "several": output_nets.several,
    "one linear": lambda: chain(aan(), L.Dense(1)),
    "tanh": lambda: chain(aan(), L.Dense(3, activation="tanh")),
    "relu": lambda: chain(aan(), L.Dense(3, activation="relu")),
    "relu layer": lambda: chain(aan(), L.Dense(3), L.BatchNormalization(), L.ReLU()),
    "image of a convolution": lambda: chain(conv(), L.Conv2D(2, 3, padding="same"), shape=IMAGE),
    "image, relu": lambda: chain(conv(), L.UpSampling2D(), L.Conv2D(2, 3, activation="relu"), shape=IMAGE),
    "image, cropped behind a sigmoid": lambda: chain(
        conv(), L.Conv2D(2, 3, activation="sigmoid"), L.Cropping2D(((1, 0), (0, 2))), L.Flatten(), shape=IMAGE
    ),
    "image, reshaped behind a relu": lambda: chain(aan(), L.Dense(8, activation="relu"), L.Reshape((2, 2, 2))),
    "classes of pixels": lambda: chain(conv(), L.Conv2D(4, 1, activation="softmax"), shape=IMAGE),
    "classes of pixels, cropped, in a row": lambda: chain(
        conv(), L.Conv2D(4, 1, activation="softmax"), L.Cropping2D(1), L.Flatten(), shape=IMAGE
    ),
    "classes, reshaped": lambda: chain(aan(), L.Dense(4, activation="softmax"), L.Reshape((2, 2, 1))),
    "softmax of rows": lambda: chain(aan(), L.Dense(6), L.Reshape((2, 3)), L.Softmax()),
    "softmax of a series": lambda: chain(
        L.Conv1D(3, 3, activation="relu"), L.Dense(4, activation="softmax"), shape=(6, 2)
    ),
    "sigmoid, a matrix": lambda: chain(aan(), L.Dense(4, activation="sigmoid"), L.Reshape((2, 2))),
    "hidden layer as an output": kept_and_read,
    "one output of another": the_same_twice,
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_outputs_are_keras_predictions(make):
    model = make()
    x = output_nets.inputs(model)
    network = convert(model, x)
    expected = model.predict(x, verbose=0)
    found = network.analog(x)
    if isinstance(expected, list):
        found = network.readout.split(found)
        assert list(found) == model.output_names
        pairs = list(zip(found.values(), expected, strict=True))
    else:
        pairs = [(found, expected)]
    for ours, theirs in pairs:
        assert ours.shape == theirs.shape
        assert theirs.std() > 0.03
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * max(1, np.abs(theirs).max()))


def test_a_relu_at_the_end_is_no_population():
    model = chain(aan(), L.Dense(8, activation="relu"), L.Reshape((2, 2, 2)))
    network = convert(model, output_nets.inputs(model))
    assert network.population_names == [model.layers[0].name]
    assert network.readout.outputs[0].activation == "relu"


def test_logits_are_what_stands_before_the_activation():
    model = output_nets.multilabel()
    x = output_nets.inputs(model)
    values = convert(model, x).analog(x, logits=True)
    np.testing.assert_allclose(1 / (1 + np.exp(-values)), model.predict(x, verbose=0), atol=1e-6)


REFUSED = {
    "sigmoid inside": (lambda: chain(aan(), L.Dense(4, "sigmoid", name="in"), aan(), L.Dense(2)), "'in' has the activation 'sig"),
    "pooled behind a sigmoid": (
        lambda: chain(conv(), L.Conv2D(2, 3, activation="sigmoid", name="in"), L.AveragePooling2D(), shape=IMAGE),
        "'in' has the activation 'sigmoid', which an adaptive",
    ),
    "softmax, cut": (
        lambda: chain(aan(), L.Dense(4, "softmax", name="in"), L.Reshape((2, 2, 1)), L.Cropping2D(((0, 1), (0, 0)))),
        "'in': softmax st",
    ),
    "softmax, turned": (
        lambda: chain(conv(), L.Conv2D(6, 1, activation="softmax", name="in"), L.Permute((3, 1, 2)), shape=IMAGE),
        "'in': softmax st",
    ),
    "AAN at an output of several": (
        lambda: (lambda x: (lambda h: keras.Model(x, [h, L.Dense(2)(h)]))(L.Dense(4, AAN(0.2), name="code")(x)))(L.Input((6,))),
        "last layer, 'code', has an activation that spikes",
    ),
    "max pooling before the last relu": (
        lambda: chain(conv(), L.Conv2D(2, 3), L.MaxPooling2D(name="p"), L.ReLU(), shape=IMAGE),
        "ends with the max pooling 'p",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_readout_cannot_do_is_refused(case):
    make, says = REFUSED[case]
    model = make()
    with pytest.raises(ConversionError, match=says):
        convert(model, output_nets.inputs(model))


@pytest.mark.parametrize("output", [0, 1, 2])
def test_the_check_compares_every_output(output):
    model = output_nets.several()
    x = output_nets.inputs(model)
    network = convert(model, x)
    expected = model.predict(x, verbose=0)
    names = network.population_names
    seen = {name: keras.Model(model.input, model.get_layer(name).output).predict(x, verbose=0) for name in names}
    assert check(network, x, seen, expected, "Keras") < 1e-5
    expected[output] = expected[output] + np.float32(1e-3)
    with pytest.raises(DeviationError, match="'readout' deviates from Keras by 0.00"):
        check(network, x, seen, expected, "Keras")


# ---- ONNX ------------------------------------------------------------------------------------------------------------


def onnx_model(g, *outputs):
    """``outputs``: pairs of a tensor's name and its shape."""
    model = g.model(*(name for name, _ in outputs))
    for described, (_, shape) in zip(model.graph.output, outputs, strict=True):
        dims = described.type.tensor_type.shape.dim
        del dims[1:]
        for size in shape:
            dims.add().dim_value = size
    onnx.checker.check_model(model)
    return model


def onnx_image():
    """(2, 6, 6) -> (3, 6, 6), a sigmoid at the end."""
    g = Graph(2, 6, 6)
    h = g.add("Relu", g.conv("x", 2, 4, pads=[1] * 4))
    return onnx_model(g, (g.add("Sigmoid", g.conv(h, 4, 3, pads=[1] * 4)), (3, 6, 6)))


def onnx_relu_image():
    g = Graph(2, 6, 6)
    h = g.add("Relu", g.conv("x", 2, 4, pads=[1] * 4))
    return onnx_model(g, (g.add("Relu", g.conv(h, 4, 3, pads=[1] * 4)), (3, 6, 6)))


def onnx_unflattened():
    """A sigmoid of features in ONNX's own order, made an image behind it."""
    g = Graph(2, 6, 6)
    h = g.add("Flatten", g.add("Relu", g.conv("x", 2, 4)))
    h = g.add("Sigmoid", g.dense(h, 64, 24))
    return onnx_model(g, (g.add("Reshape", h, g.constant([0, 2, 3, 4], np.int64)), (2, 3, 4)))


def onnx_several():
    g = Graph(2, 6, 6)
    h = g.add("Flatten", g.add("Relu", g.conv("x", 2, 4)))
    label, value = g.add("Sigmoid", g.dense(h, 64, 1)), g.add("Tanh", g.dense(h, 64, 3))
    return onnx_model(g, (label, (1,)), (value, (3,)), (g.add("Softmax", g.dense(h, 64, 5)), (5,)))


ONNX = [onnx_image, onnx_relu_image, onnx_unflattened, onnx_several]


@pytest.mark.parametrize("make", ONNX, ids=lambda f: f.__name__)
@pytest.mark.parametrize("last", [False, True], ids=["own layout", "channels last"])
def test_outputs_are_those_of_onnxruntime(make, last):
    model = make()
    x = np.random.default_rng(1).normal(0.3, 1, (7, 2, 6, 6)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": x})
    given = np.moveaxis(x, 1, -1) if last else x
    network: SpikingNetwork = convert(model, given)
    found = network.readout.split(network.analog(given).reshape(7, -1))
    if len(expected) > 1:
        assert list(found) == [output.name for output in model.graph.output]
    for ours, theirs in zip(found.values(), expected, strict=True):
        theirs = np.moveaxis(theirs, 1, -1) if last and theirs.ndim == 4 else theirs
        assert ours.shape == theirs.shape
        assert theirs.std() > 0.03
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
