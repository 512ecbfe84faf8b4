"""What is wrong with a configuration, a network or data is named before anything is simulated."""

import numpy as np
import pytest
from toolbox_cases import IMAGES, dense_net, write_case

from snntb_adsnn.errors import AdSNNError
from snntb_adsnn.frontends.keras.compat import keras
from snntb_adsnn.toolbox import run


def tanh_net():
    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(5, activation="tanh")])
    model.add(keras.layers.Dense(10, activation="softmax"))
    return model


def nan_net():
    model = dense_net()
    model.layers[1].set_weights([np.full((64, 12), np.nan), np.zeros(12)])
    return model


def conv1d_net():
    layers = keras.layers
    stack = [layers.Input((8, 8)), layers.Conv1D(4, 3), layers.Flatten(), layers.Dense(10, activation="softmax")]
    return keras.Sequential(stack)


def narrow_net():
    model = keras.Sequential(
        [keras.layers.Input((64,)), keras.layers.Dense(5, activation=dense_net().layers[1].activation)]
    )
    model.add(keras.layers.Dense(3, activation="softmax"))
    return model


@pytest.mark.parametrize(
    ("net", "settings", "words"),
    [
        (tanh_net, {}, "tanh"),
        (nan_net, {}, "NaN"),
        (conv1d_net, {}, "no AAN or ReLU activation"),
        (narrow_net, {}, r"labels of shape \(23, 10\) do not fit 23 images and 3 classes"),
        (dense_net, {"adsnn": {"m_g": "1"}}, "'m_g'.*did you mean 'm_f'"),
        (dense_net, {"adsnn": {"m_f": "-1"}}, "m_f = -1 is not allowed"),
        (
            dense_net,
            {"adsnn": {"m_f": "0.2, dense_9: 0.4"}},
            "m_f names the unknown layers dense_9; the spiking layers",
        ),
        (dense_net, {"adsnn": {"bias_correction": "9"}}, "x_norm.npz: no such data file"),
        (dense_net, {"adsnn": {"engine": "fast"}}, "engine = fast"),
        (dense_net, {"adsnn": {"m_f": "1e-30"}}, "more than once in a step of 1 ms"),
        (dense_net, {"simulation": {"dt": "20"}}, "the model's m_f = 0.2 .*step of 20 ms"),
        (dense_net, {"simulation": {"duration": "soon"}}, "duration = soon must be a whole number"),
        (dense_net, {"simulation": {"dt": "0"}}, "dt = 0 must be a number above 0"),
        (dense_net, {"simulation": {"batch_size": "0"}}, "batch_size = 0"),
        (
            dense_net,
            {"simulation": {"sample_idxs_to_test": "[3, 500]"}},
            "names input 500, but there are 23 test inputs",
        ),
        (dense_net, {"input": {"model_lib": "caffe"}}, "model_lib = caffe"),
        (dense_net, {"input": {"poisson_input": "True"}}, "poisson_input"),
        (dense_net, {"conversion": {"spike_code": "ttfs"}}, "spike_code = ttfs"),
        (dense_net, {"cell": {"quantize_weights": "True"}}, "quantize_weights"),
        (dense_net, {"output": {"log_vars": "{'voltage'}"}}, "voltage"),
        (dense_net, {"paths": {"filename_ann": "other"}}, "other.h5"),
        (
            dense_net,
            {"paths": {"filename_ann": "a.pth"}},
            r"a.pth: PyTorch's .*torch.onnx.export\(.*, 'a.onnx'\)\. Then write filename_ann = a.onnx",
        ),
        (dense_net, {"paths": {"dataset_path": "nowhere"}}, "nowhere"),
        (dense_net, {"tools": {"parse": "False"}}, "\\[tools\\] parse = False, but .*net_parsed.h5 is not there"),
        (
            dense_net,
            {"tools": {"parse": "False", "convert": "False"}},
            "\\[tools\\] convert = False, but .*net_adsnn.npz is not there",
        ),
        (dense_net, {"parameter_sweep": {"param_name": "v_thresh", "param_values": "[1]"}}, "v_thresh has no effect"),
    ],
)
def test_mistakes_are_named(tmp_path, net, settings, words):
    file = write_case(tmp_path, net(), settings)
    with pytest.raises(AdSNNError, match=words):
        run(file)
    assert not (tmp_path / "log/gui/test/results.json").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("net.h5", b"not a model", "net.h5: is no model file"),
        ("x_test.npz", b"PK not an archive", "x_test.npz is a part of an .npz file, or damaged"),
        ("y_test.npz", np.zeros((4, 10)), "x_test.npz holds 23 inputs and y_test.npz 4 labels"),
        ("y_test.npz", np.full(IMAGES, 0.5), "y_test.npz: the labels are no whole numbers"),
        ("x_test.npz", np.zeros((IMAGES, 63)), "takes \\(64,\\)"),
        ("x_test.npz", np.full((IMAGES, 64), np.nan), r"number \(0, 0\) of the array is nan"),
        ("x_test.npz", np.full((IMAGES, 64), "7"), "not real numbers"),
        ("y_test.npz", np.full((IMAGES, 10), 0.1), "row 0 .* is not one-hot"),
        ("y_test.npz", -np.eye(10)[np.zeros(IMAGES, int)], "row 0 .* is not one-hot"),
        ("log", b"a file where the log folder should be", "log.*choose another path_wd"),
        ("net_parsed.h5", None, "net_parsed.h5: cannot be written"),
        ("net_adsnn.npz", None, "net_adsnn.npz: cannot be written"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, words):
    file = write_case(tmp_path, dense_net())
    path = tmp_path / name
    if content is None:  # a folder in the place of an output file: what a read-only folder does to a normal user
        path.mkdir()
        (path / "in the way").touch()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez_compressed(path, content)
    with pytest.raises(AdSNNError, match=words):
        run(file)
    assert not list(tmp_path.rglob(".tmp-*"))


@pytest.mark.parametrize(
    ("missing", "settings", "words"),
    [
        (["x_test"], {}, "x_test.npz missing; write them with numpy.savez_compressed"),
        (["x_test", "y_test"], {}, r"x_test.npz and y_test.npz missing; .* or add a section \[training\]"),
        (["y_test"], {"training": {"dataset": "digits", "architecture": "digits"}}, "y_test.npz missing; .*delete the"),
        (
            ["x_test", "y_test.npy"],
            {},
            r"x_test.npz and y_test.npz missing; .*; y_test.npy is there, but .npz files with one array \(arr_0\) are "
            r"read; write numpy.savez_compressed\('y_test.npz', numpy.load\('y_test.npy'\)\)",
        ),
        (
            [],
            {"input": {"dataset_format": "png"}},
            "dataset_format = png, but .* holds no picture in a folder of its class",
        ),
    ],
)
def test_missing_data_are_named(tmp_path, missing, settings, words):
    file = write_case(tmp_path, dense_net(), settings)
    for name in missing:
        there = (tmp_path / name).with_suffix(".npz")
        there.unlink() if name == there.stem else there.rename(tmp_path / name)
    with pytest.raises(AdSNNError, match=words):
        run(file)


def test_training_inputs_of_another_shape_are_named_before_any_work(tmp_path, capsys):
    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(5, "relu"), keras.layers.Dense(10)])
    file = write_case(tmp_path, model)
    np.savez_compressed(tmp_path / "x_norm.npz", np.zeros((4, 8, 8, 1)))
    there = sorted(tmp_path.rglob("*"))
    with pytest.raises(AdSNNError, match=r"x_norm.npz: inputs have shape \(8, 8, 1\), but the network takes \(64,\)"):
        run(file)
    assert sorted(tmp_path.rglob("*")) == there
    assert not capsys.readouterr().out


def test_damaged_network_file(tmp_path):
    file = write_case(tmp_path, dense_net(), {"tools": {"parse": "False", "convert": "False"}})
    for content, words in {
        b"PK damaged": r"damaged network file \(it is cut short\)",
        b"something else": "is no network file; it begins with other bytes than one",
        b"": "is no network file; it is empty",
    }.items():
        (tmp_path / "net_adsnn.npz").write_bytes(content)
        with pytest.raises(AdSNNError, match=rf"net_adsnn\.npz: {words}"):
            run(file)
