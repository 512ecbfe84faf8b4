"""Files and configurations of others run no code and reach no other folder. Each payload would write a file."""

import configparser
import json

import h5py
import numpy as np
import pytest
from toolbox_cases import aan, dense_net, write_case, write_config

from snntb_adsnn.config import load_config
from snntb_adsnn.config.literals import EVALUATED
from snntb_adsnn.config.toolbox import toolbox_defaults
from snntb_adsnn.errors import AdSNNError, ConfigError, ConversionError
from snntb_adsnn.frontends.keras.compat import keras
from snntb_adsnn.frontends.keras.files import load_model
from snntb_adsnn.run import load as load_run
from snntb_adsnn.toolbox import run
from snntb_adsnn.toolbox.register import register

L = keras.layers


def lambda_net(file):
    """A net whose ``Lambda`` writes ``file`` whenever it is called, as it is while Keras loads the model."""
    inputs = L.Input((64,))
    text = str(file)
    code = eval(f"lambda x: (open({text!r}, 'w').close(), x)[1]")  # without a closure, as marshal needs it
    hidden = L.Dense(12, activation=aan())(L.Lambda(code, name="payload")(inputs))
    return keras.Model(inputs, L.Dense(10, activation="softmax")(hidden))


@pytest.fixture
def lambda_case(tmp_path):
    """A configuration whose model has a payload, and the file that the payload would write."""
    written = tmp_path / "written"
    case = write_case(tmp_path / "case", lambda_net(written))
    written.unlink()  # building the net called the payload
    return case, written


def test_the_payload_is_one(lambda_case):
    case, written = lambda_case
    keras.models.load_model(case.with_name("net.h5"), compile=False)
    assert written.exists()


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_lambda_is_refused_by_every_loader(lambda_case, suffix):
    case, written = lambda_case
    model = keras.models.load_model(case.with_name("net.h5"), compile=False)
    case.with_name("net.h5").unlink()
    model.save(case.with_name(f"net{suffix}"))
    written.unlink()
    words = rf"net\{suffix}: layer 'payload' \(Lambda\) holds Python code.*trust_model = True"
    with pytest.raises(ConversionError, match=words):
        run(case)
    with pytest.raises(ConversionError, match=words):  # what sweep, arousal, precision, hls and cosim load
        _ = load_run(case).model
    register()
    from snntoolbox.bin.utils import run_pipeline, update_setup

    with pytest.raises(ConversionError, match=words):
        run_pipeline(update_setup(str(case)))
    assert not written.exists()


def test_a_lambda_in_the_parsed_model_is_refused(lambda_case):
    """The toolbox reads this one by its own loader."""
    case, written = lambda_case
    case.with_name("net.h5").rename(case.with_name("net_parsed.h5"))
    write_config(case, {"tools": {"parse": "False"}})
    with pytest.raises(ConversionError, match="net_parsed.h5: layer 'payload'"):
        run(case)
    assert not written.exists()


def test_who_trusts_a_model_has_it_loaded(lambda_case):
    case, written = lambda_case
    with pytest.raises(AdSNNError, match="Lambda"):  # which cannot be converted
        run(write_config(case, {"adsnn": {"trust_model": "True"}}))
    assert written.exists()


@pytest.mark.parametrize(
    ("activation", "words"),
    [
        (
            {"module": "antigravity", "class_name": "function", "config": "fly", "registered_name": "fly"},
            "'dense_of_others' .*names an object of the module 'antigravity'",
        ),
        (
            {"module": "builtins", "class_name": "function", "config": "exec", "registered_name": "exec"},
            "names an object of the module 'builtins'",
        ),
        ({"class_name": "__lambda__", "config": {"value": "4w=="}}, "holds Python code"),
        ({"class_name": "TFOpLambda", "config": {"function": "io.write_file"}}, "calls a function of TensorFlow"),
    ],
)
def test_objects_by_name_are_refused(tmp_path, activation, words):
    model = keras.Sequential([L.Input((4,)), L.Dense(3, name="dense_of_others")])
    model.save(tmp_path / "net.h5")
    with h5py.File(tmp_path / "net.h5", "r+") as file:
        stored = json.loads(file.attrs["model_config"])
        stored["config"]["layers"][1]["config"]["activation"] = activation
        file.attrs["model_config"] = json.dumps(stored)
    with pytest.raises(ConversionError, match=words):
        load_model(tmp_path / "net")


# ---- what the toolbox evaluates --------------------------------------------------------------------------------------


def payloads(file):
    code = f"open({str(file)!r}, 'w').close()"
    yield code
    yield f"{{'a': {code}}}"
    yield f"[{code}]"


EVALUATED_IN_SOME_RUN = [
    *EVALUATED,
    ("input", "chip_size"),
    ("input", "label_dict"),
    ("cell", "v_thresh"),
    *(("restrictions", key) for key in toolbox_defaults()["restrictions"]),
]


@pytest.mark.parametrize(("section", "key"), EVALUATED_IN_SOME_RUN)
def test_keys_that_the_toolbox_evaluates_run_nothing(tmp_path, section, key):
    from snntb_adsnn.toolbox.settings import adapt

    written = tmp_path / "written"
    for payload in payloads(written):
        file = write_config(tmp_path / "net.ini", {section: {key: payload}})
        with pytest.raises(ConfigError, match=rf"\[{section}\] {key} = "):
            load_config(file)
        settings = configparser.ConfigParser()
        settings.optionxform = str
        settings.read(file)
        with pytest.raises(ConfigError, match=rf"\[{section}\] {key} = "):  # a program that uses the toolbox
            adapt(settings)
    assert not written.exists()


def test_values_that_are_put_together_run_nothing(tmp_path):
    """``%(key)s`` makes code of two texts that are none."""
    written = tmp_path / "written"
    file = tmp_path / "net.ini"
    names = f"{{'a%(plot_vars)s'}}\nplot_vars = {{\"', open({str(written)!r}, 'w').close(), '\"}}"
    file.write_text(f"[paths]\nfilename_ann = net\n[simulation]\nsimulator = adsnn\n[output]\nlog_vars = {names}\n")
    with pytest.raises(ConfigError, match=r"\[output\] log_vars = "):
        load_config(file)
    assert not written.exists()


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("input", "datagen_kwargs", "{'preprocessing_function': 'helpers.py'}"),
        ("input", "dataflow_kwargs", "{'save_to_dir': '/tmp'}"),
        ("output", "plotproperties", "{'figure.hooks': ['helpers:draw']}"),
        ("output", "plotproperties", "{'backend': 'module://helpers'}"),
        ("paths", "filepath_custom_objects", "helpers.py"),
    ],
)
def test_keys_that_name_code_or_folders_are_refused(tmp_path, section, key, value):
    file = write_config(tmp_path / "net.ini", {"input": {"dataset_format": "png"}, section: {key: value}})
    if section == "input":
        write_config(file, {"input": {"dataset_format": "png", key: value}})
    with pytest.raises(ConfigError, match=rf"\[{section}\] {key} = "):
        load_config(file)


# ---- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["filename_ann", "filename_parsed_model", "filename_snn", "runlabel"])
@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "a/b", "a\\b", "..", "n" * 300])
def test_names_stay_in_their_folder(tmp_path, key, name):
    inside = tmp_path / "inside"
    case = write_case(inside, dense_net())
    before = set(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match=rf"\[paths\] {key} = .* must be a name"):
        run(write_config(case, {"paths": {"filename_ann": "net", key: name}}))
    assert set(tmp_path.rglob("*")) == before


def test_the_parsed_model_does_not_overwrite_the_model(tmp_path):
    case = write_case(tmp_path, dense_net(), {"paths": {"filename_ann": "net", "filename_parsed_model": "net"}})
    before = case.with_name("net.h5").read_bytes()
    with pytest.raises(ConfigError, match="filename_parsed_model = net would overwrite the model"):
        run(case)
    assert case.with_name("net.h5").read_bytes() == before


def test_top_k_above_the_classes_is_refused(tmp_path):
    case = write_case(tmp_path, dense_net(), {"simulation": {"top_k": "11"}})
    with pytest.raises(ConfigError, match="top_k = 11 is above the number of classes: y_test.npz has 10"):
        run(case)
    assert np.load(tmp_path / "y_test.npz")["arr_0"].shape[1] == 10
