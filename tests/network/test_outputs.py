"""A read-out's outputs: their activations, their parts, and what they are for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from snntb_adsnn.errors import DataError, NetworkError, ParameterError
from snntb_adsnn.network import Input, Neurons, Output, Readout, SpikingNetwork
from snntb_adsnn.network.outputs import ACTIVATIONS
from snntb_adsnn.network.tasks import task_of, tasks_of
from snntb_adsnn.neuron import ASNParameters

X = np.random.default_rng(0).normal(0, 3, (4, 6))
PARTS = (Output("kind", (3,), "softmax"), Output("image", (1, 2, 1), "sigmoid"), Output("size", (1,), "relu"))


def network(*parts, activation="softmax", values=6):
    neurons = Neurons("n", ("x",), ((values,),), np.zeros(values, np.float32), ASNParameters(m_f=0.1))
    readout = Readout("out", ("n",), ((values,),), np.zeros(values, np.float32), activation=activation, parts=parts)
    return SpikingNetwork((Input("x", (), (), (values,)), neurons, readout))


def one(shape, activation):
    return Output("out", shape, activation)


CLOSED = {
    "linear": lambda x: x,
    "sigmoid": expit,
    "tanh": np.tanh,
    "relu": lambda x: np.where(x > 0, x, 0),
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_its_closed_form(name):
    np.testing.assert_allclose(ACTIVATIONS[name].function(X), CLOSED[name](X), rtol=1e-12, atol=1e-15)
    assert ACTIVATIONS[name].function(X.astype(np.float32)).dtype == np.float32


def test_a_sigmoid_of_large_potentials_is_no_overflow():
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(
            ACTIVATIONS["sigmoid"].function(np.array([-700.0, 0, 700])), expit([-700, 0, 700])
        )


def test_several_outputs_each_have_their_activation_and_shape():
    readout = network(*PARTS).readout
    found = readout.split(readout.activated(X))
    assert list(found) == ["kind", "image", "size"]
    np.testing.assert_allclose(found["kind"], CLOSED["softmax"](X[:, :3]))
    np.testing.assert_allclose(found["image"], expit(X[:, 3:5]).reshape(4, 1, 2, 1))
    np.testing.assert_allclose(found["size"], np.maximum(X[:, 5:], 0))


def test_a_softmax_over_channels_of_an_image():
    part = one((1, 3, 2), "softmax")
    expected = np.concatenate([CLOSED["softmax"](X[:, i : i + 2]) for i in (0, 2, 4)], axis=1)
    np.testing.assert_allclose(part.activated(X), expected)


def test_a_file_keeps_outputs_and_task(tmp_path):
    net = network(*PARTS)
    again = SpikingNetwork.load(net.save(tmp_path / "net.npz"))
    assert again.readout.outputs == PARTS
    assert again.analog(X).tobytes() == net.analog(X).tobytes()
    decided = network(activation="linear").with_task("multilabel")
    assert SpikingNetwork.load(decided.save(tmp_path / "net.npz")).tasks[0].name == "multilabel"


def test_a_file_from_before_there_were_outputs():
    net = SpikingNetwork.load(Path(__file__).with_name("before_outputs.npz"))
    assert net.readout.outputs == (Output("out", (2,), "softmax"),)
    assert net.tasks[0].name == "classification"
    np.testing.assert_allclose(net.analog([[0.1, 0.5, 0.9]]), [[0.42317073, 0.57682927]], atol=1e-8)  # as it was then


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (PARTS[:2], "its outputs have 5 values"),
        ((PARTS[0], replace(PARTS[0], activation="linear")), "two outputs have one name"),
        ((Output("a", (6,), "softmax", "guess"),), "task 'guess' must be auto or one of classification, binary"),
    ],
)
def test_broken_outputs_are_refused(parts, says):
    with pytest.raises(NetworkError, match=says):
        network(*parts)


def test_an_unknown_activation_is_refused():
    with pytest.raises(NetworkError, match="'gelu' must be one of softmax, linear, sigmoid, tanh, relu"):
        one((3,), "gelu")


# ---- tasks -----------------------------------------------------------------------------------------------------------

HOT, SEVERAL, VALUES = np.eye(3)[[2, 0]], np.array([[1, 1, 0], [0, 0, 0]]), np.array([[0.3, 1, 0], [2, 0, 0]])


@pytest.mark.parametrize(
    ("shape", "activation", "labels", "task"),
    [
        ((3,), "softmax", None, "classification"),
        ((3,), "linear", None, "classification"),
        ((3,), "linear", HOT, "classification"),
        ((3,), "linear", [2, 0], "classification"),
        ((3,), "linear", VALUES, "regression"),
        ((3,), "tanh", VALUES, "regression"),
        ((3,), "relu", None, "regression"),
        ((1,), "sigmoid", None, "binary"),
        ((1,), "linear", None, "regression"),
        ((1,), "linear", [[0], [1]], "regression"),
        ((3,), "sigmoid", None, "multilabel"),
        ((3,), "sigmoid", SEVERAL, "multilabel"),
        ((3,), "sigmoid", 2 * SEVERAL - 1, "multilabel"),
        ((3,), "sigmoid", [2, 0], "classification"),
        ((3,), "sigmoid", VALUES, "regression"),
        ((2, 2, 1), "sigmoid", None, "regression"),
        ((2, 2, 3), "softmax", None, "regression"),
    ],
)
def test_what_an_output_is_for(shape, activation, labels, task):
    assert task_of(one(shape, activation), labels=labels).name == task


@pytest.mark.parametrize(
    ("part", "wanted", "labels", "expected"),
    [
        (one((3,), "softmax"), "auto", HOT, [2, 0]),
        (one((3,), "softmax"), "auto", 2 * HOT - 1, [2, 0]),
        (one((3,), "softmax"), "auto", [2, 0], [2, 0]),
        (one((3,), "softmax"), "auto", [[2.0], [0.0]], [2, 0]),
        (one((2,), "softmax"), "auto", [-1, 1], [0, 1]),
        (one((1,), "sigmoid"), "auto", [1, 0], [1, 0]),
        (one((1,), "sigmoid"), "auto", [[True], [False]], [1, 0]),
        (one((1,), "sigmoid"), "auto", [-1, 1], [0, 1]),
        (one((1,), "sigmoid"), "auto", [[0, 1], [1, 0]], [1, 0]),
        (one((1,), "linear"), "binary", [-1, 1], [0, 1]),
        (one((3,), "sigmoid"), "auto", 2 * SEVERAL - 1, SEVERAL),
        (one((3,), "linear"), "multilabel", SEVERAL, SEVERAL),
        (one((1,), "linear"), "auto", [0.5, 2], [[0.5], [2]]),
        (one((1, 3, 1), "sigmoid"), "auto", VALUES.reshape(2, 1, 3, 1), VALUES),
    ],
)
def test_labels_in_all_their_forms(part, wanted, labels, expected):
    np.testing.assert_array_equal(task_of(part, wanted, labels).targets(labels, 2), expected)


@pytest.mark.parametrize(
    ("part", "labels", "says"),
    [
        (one((3,), "softmax"), VALUES, r"row 0 of the labels is \[0.3, 1, 0\], which is not one-hot"),
        (one((3,), "linear"), SEVERAL, r"row 0 of the labels is \[1, 1, 0\], .* another \[adsnn\] task"),
        (one((3,), "softmax"), [0, 3], "labels run from 0 to 3, but the network has 3 outputs"),
        (one((3,), "softmax"), np.zeros((2, 2, 2)), r"shape \(2, 2, 2\) do not fit 2 images and 3 classes"),
        (one((1,), "sigmoid"), [0, 2], r"row 1 of the labels holds 2, but a label that holds or not is 1 or 0"),
        (one((1,), "sigmoid"), [0, -1], r"row 0 of the labels holds 0"),
        (one((1,), "sigmoid"), HOT, r"shape \(2, 3\) do not fit 2 images; give one number an image"),
        (one((3,), "sigmoid"), np.zeros((2, 4)), r"shape \(2, 4\) do not fit 2 images and 3 outputs with labels"),
        (
            one((2, 2, 1), "relu"),
            HOT,
            r"shape \(2, 3\) do not fit 2 inputs and an output of shape \(2, 2, 1\); .*autoenc",
        ),
    ],
)
def test_labels_that_fit_no_task_are_refused(part, labels, says):
    with pytest.raises(DataError, match=says):
        task_of(part, labels=labels).targets(labels, 2)


@pytest.mark.parametrize(
    ("parts", "wanted", "says"),
    [
        ([one((3,), "softmax")], "binary", "task = binary does not fit .*; choose classification or regression"),
        ([one((1,), "softmax")], "auto", "one softmax output, which is always 1; end the model with a sigmoid"),
        ([one((3,), "linear")], "clasification", "did you mean 'classification'"),
        (PARTS, "binary", "is for one output, and the network has 3"),
    ],
)
def test_tasks_that_do_not_fit_are_refused(parts, wanted, says):
    with pytest.raises(ParameterError, match=says):
        tasks_of(parts, wanted)


def test_labels_of_several_outputs_choose_the_task_of_each():
    parts = (one((3,), "linear"), Output("other", (3,), "linear"))
    found = network(*parts).with_task("auto", np.concatenate([HOT, VALUES], axis=1))
    assert [task.name for task in found.tasks] == ["classification", "regression"]
