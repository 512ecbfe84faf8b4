"""Models whose inputs and outputs are dictionaries or lists, or stand twice, in both Keras; whatever stands behind."""

import keras as keras_3
import numpy as np
import pytest
from keras_models import inputs_of, weighted

from snntb_adsnn import SpikingNetwork, convert
from snntb_adsnn import keras as keras_2
from snntb_adsnn.errors import ConversionError, ParameterError
from snntb_adsnn.frontends.keras import reader as reader_2
from snntb_adsnn.frontends.keras3 import reader as reader_3
from snntb_adsnn.measure.evaluate import flat_outputs

KERAS = {"keras 2": (keras_2, reader_2), "keras 3": (keras_3, reader_3)}


@pytest.fixture(params=KERAS)
def made(request):
    return KERAS[request.param]


def grown(keras):
    """An input, and a hidden layer behind it."""
    x = keras.layers.Input((6,), name="x")
    return x, keras.layers.Dense(7, "relu", name="code")(x)


def unlike(L, x, h):
    return {"u": L.Dense(2, name="one")(h), "b": L.Dense(3, "softmax", name="two")(h)}


def alike(L, x, h):
    """Taken in another order these would deviate, not fit badly."""
    return {"z": L.Dense(2)(h), "a": L.Dense(2, "sigmoid")(h)}


def nested(L, x, h):
    return [L.Dense(2, name="first")(h), {"z": h, "a": [L.Dense(1)(h), L.Dense(1)(h)]}]


def twice(L, x, h):
    y = L.Dense(2, name="end")(h)
    return [y, y]


def twice_by_name(L, x, h):
    y = L.Dense(2, name="end")(h)
    return {"y": y, "again": y, "b": L.Dense(1)(h)}


OUTPUTS = {
    unlike: ["u", "b"],
    alike: ["z", "a"],
    nested: ["first", "z", "a", "a_2"],
    twice: ["end", None],  # Keras 2 has a name for it
    twice_by_name: ["y", "again", "b"],
}


@pytest.mark.parametrize("ends", OUTPUTS, ids=lambda ends: ends.__name__)
def test_outputs_stand_as_the_model_gives_them(made, ends):
    keras, reader = made
    x, h = grown(keras)
    model = weighted(keras.Model(x, ends(keras.layers, x, h)))
    inputs = inputs_of(model)
    network = convert(model, inputs)
    predicted = model.predict(inputs, verbose=0)
    found = network.analog(inputs)
    np.testing.assert_allclose(found, flat_outputs(predicted), atol=1e-5)
    parts = network.readout.split(found)
    for part, name in zip(parts, OUTPUTS[ends], strict=True):
        assert name in (part, None)
    if isinstance(predicted, dict):
        for name, values in predicted.items():
            np.testing.assert_allclose(parts[name], values, atol=1e-5)
    told = [(output.name, output.shape) for output in reader.outputs(model)]
    assert told == [(output.name, output.shape) for output in network.readout.outputs]


def test_a_model_with_a_dictionary_inside_another(made):
    keras, _ = made
    L = keras.layers
    x, h = grown(keras)
    inner = keras.Model(x, {"z": L.Dense(2)(h), "a": L.Dense(3)(h)}, name="inner")
    y = L.Input((6,), name="y")
    parts = inner(y)
    model = weighted(keras.Model(y, L.Dense(2)(L.concatenate([parts["z"], parts["a"]]))))
    inputs = inputs_of(model)
    np.testing.assert_allclose(convert(model, inputs).analog(inputs), model.predict(inputs, verbose=0), atol=1e-5)


@pytest.mark.parametrize("names", [("z", "a"), ("zebra", "apple")], ids=["keys", "other names"])
def test_inputs_are_a_dictionary(made, names):
    keras, _ = made
    L = keras.layers
    z, a = L.Input((4,), name=names[0]), L.Input((3,), name=names[1])
    h = L.Dense(6, "relu")(L.concatenate([z, a]))
    model = weighted(keras.Model({"z": z, "a": a}, L.Dense(2)(h)))
    random = np.random.default_rng(3)
    inputs = {"z": random.normal(0, 1, (5, 4)).astype(np.float32), "a": random.normal(0, 1, (5, 3)).astype(np.float32)}
    network = convert(model, inputs)
    assert dict(network.input.image.parts) == {"z": (4,), "a": (3,)}
    np.testing.assert_allclose(network.analog(inputs), model.predict(inputs, verbose=0), atol=1e-5)


def test_one_input_may_be_named_too(made):
    keras, _ = made
    x, h = grown(keras)
    model = weighted(keras.Model({"x": x}, keras.layers.Dense(2)(h)))
    inputs = inputs_of(model)
    network = convert(model, {"x": inputs})
    np.testing.assert_array_equal(network.analog({"x": inputs}), network.analog(inputs))
    with pytest.raises(ParameterError, match="the input is named x, but y are given"):
        network.analog({"y": inputs})


# ---- what stands at the end ------------------------------------------------------------------------------------------


def rows(L, h):
    return L.Softmax()(L.Reshape((4, 3))(L.Dense(12)(h)))


def matrix(L, h):
    return L.Reshape((2, 2))(L.Dense(4, "sigmoid")(h))


def flat(L, h):
    """Of two classes at each of six places, all in a row."""
    return L.Flatten()(L.Conv1D(2, 2, padding="same", activation="softmax")(L.Reshape((6, 2))(L.Dense(12, "relu")(h))))


ENDS = {rows: ((4, 3), 0), matrix: ((2, 2), 0), flat: ((12,), 2)}


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_outputs_are_reshaped_behind_their_activation(made, end, tmp_path):
    keras, _ = made
    x, h = grown(keras)
    model = weighted(keras.Model(x, end(keras.layers, h)))
    inputs = inputs_of(model)
    network = convert(model, inputs)
    (output,) = network.readout.outputs
    assert (output.shape, output.row) == ENDS[end]
    assert [task.name for task in network.tasks] == ["regression"]
    network = SpikingNetwork.load(network.save(tmp_path / "net.npz"))
    expected = model.predict(inputs, verbose=0)
    assert expected.std() > 0.03
    np.testing.assert_allclose(network.analog(inputs), expected, atol=1e-5)


def test_softmax_over_another_axis_is_refused(made):
    keras, _ = made
    L = keras.layers
    x, h = grown(keras)
    end = L.Softmax(axis=1, name="odd")(L.Reshape((4, 3))(L.Dense(12)(h)))
    model = keras.Model(x, end)
    with pytest.raises(ConversionError, match=r"layer 'odd' \(Softmax\): takes softmax over axis 1; only the last"):
        convert(model, inputs_of(model))


def test_a_normalised_axis_is_named_by_its_number(made):
    keras, _ = made
    L = keras.layers
    x, h = grown(keras)
    model = keras.Model(x, L.BatchNormalization(axis=1, name="odd")(L.Reshape((4, 3))(L.Dense(12, "relu")(h))))
    with pytest.raises(ConversionError, match=r"'odd' \(BatchNormalization\): normalises axis 1; only the last"):
        convert(model, inputs_of(model))


# ---- what is given ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".h5", ".keras"])
def test_the_path_of_a_file_is_as_good_as_its_model(made, ending, tmp_path):
    keras, _ = made
    x, h = grown(keras)
    model = weighted(keras.Model(x, keras.layers.Dense(2)(h)))
    model.save(tmp_path / f"net{ending}")
    inputs = inputs_of(model)
    expected = convert(model, inputs).analog(inputs)
    for path in (tmp_path / f"net{ending}", str(tmp_path / f"net{ending}")):
        np.testing.assert_array_equal(convert(path, inputs).analog(inputs), expected)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing.h5", "missing.h5: cannot be read .*check the path"),
        ("net.tflite", "net.tflite: no model file by its ending .*Load the model in its own framework"),
        ("net", "net: no model file by its ending"),
    ],
)
def test_a_text_that_names_no_model_is_refused(name, says, tmp_path):
    with pytest.raises(ConversionError, match=says):
        convert(str(tmp_path / name), np.zeros((2, 6)))


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.full((3, 6), "1.5"), "input holds texts"),
        ([["a"] * 6] * 3, "input holds texts"),
        (np.zeros((3, 6), "M8[D]"), "input holds dates or times"),
        (
            [[1.0] * 6, [1.0] * 5],
            r"no array .* but a list of unequal rows.* give one NumPy array of shape \(inputs, 6\)",
        ),
        ([[None, "a", 1, 2, 3, 4]], "input is no array of numbers"),
        ([[{}] * 6], "input is no array of numbers"),
        ((np.zeros(6) for _ in range(3)), "no array of numbers but a generator; give one NumPy array"),
        (range, "input is no array of numbers but a type"),
    ],
)
def test_inputs_that_are_no_numbers_are_refused(x, says):
    a, h = grown(keras_2)
    model = keras_2.Model(a, keras_2.layers.Dense(2)(h))
    with pytest.raises(ParameterError, match=says):
        convert(model, x)
