"""A run's figures are those of the model and settings that are there now, or the run says in one sentence why not."""

import json
from configparser import ConfigParser
from dataclasses import replace

import matplotlib.figure
import numpy as np
import pytest
from toolbox_cases import IMAGES, dense_net, digits, write_case, write_config

from snntb_adsnn import convert, simulate
from snntb_adsnn.config import load_config
from snntb_adsnn.errors import AdSNNError, ConfigError, OutputError, ParameterError
from snntb_adsnn.frontends.keras.compat import keras
from snntb_adsnn.measure.correction import correct_biases
from snntb_adsnn.run import load
from snntb_adsnn.studies.arousal import precisions
from snntb_adsnn.studies.precision import search_m_f
from snntb_adsnn.toolbox import run
from snntb_adsnn.toolbox.flow import locked_run

SAVED = {"tools": {"parse": "False", "convert": "False", "evaluate_ann": "False"}}


def relu_net(outputs=10):
    keras.utils.set_random_seed(4)
    x = keras.layers.Input((64,))
    h = keras.layers.Dense(12, activation="relu")(x)
    h = keras.layers.Dense(9, activation="relu")(h)
    return keras.Model(x, keras.layers.Dense(outputs, activation="softmax" if outputs > 1 else "linear")(h))


# ---- graded spikes ---------------------------------------------------------------------------------------------------


@pytest.fixture
def large(tmp_path):
    """Configuration of a ReLU net on images of 0 to 255, and the images."""
    model = relu_net()
    file = write_case(tmp_path, model, {"sweep": {"m_f": "0.1, 0.4"}})
    x = np.round(digits((64,))[0] * 255)
    for part in ("x_test", "x_norm"):
        np.savez_compressed(tmp_path / f"{part}.npz", x)
    return file, model, x


def test_relu_nets_run_on_values_of_any_size(large):
    file, model, x = large
    network = convert(model, x)
    assert max(p.parameters.resting_threshold for p in network.populations) > 2
    corrected = correct_biases(network, x, slopes=True)  # by itself, from the training inputs
    result = simulate(corrected, x, duration=60, engine="reference")
    truth = digits((64,))[1].argmax(axis=1)
    assert run(file) == np.mean(result.decisions[:, -1] == truth)
    found = json.loads((file.parent / "log/gui/test/results.json").read_text())
    assert found["firing_rate_hz"] == pytest.approx(result.firing_rate_hz)
    assert found["firing_rate_hz"] > 0
    assert found["firing_rate_hz"] != simulate(network, x, duration=60, engine="reference").firing_rate_hz
    assert (found["bias_correction"], found["slope_correction"]) == (len(x), True)


def test_relu_nets_of_any_size_are_studied(large):
    file, _, x = large
    config = load_config(file)
    network = load(config).configured
    assert precisions(config, network) == [((0.25,) * len(network.populations), (0.1,) * len(network.populations))]
    now = simulate(network, x[4:], duration=60, engine="reference").firing_rate_hz
    path = search_m_f(network, x[:8], rate_hz=now / 4, correction_images=4, engine="reference")
    assert path[-1].firing_rate_hz <= now / 4


def test_time_constants_of_graded_neurons_have_bounds_still(large):
    file, *_ = large
    write_config(file, {"adsnn": {"tau_gamma": "1e9"}})
    with pytest.raises(ConfigError, match="tau_gamma = 1e.09 ms does not fit steps"):
        run(file)


# ---- one output ------------------------------------------------------------------------------------------------------


def test_one_output_is_no_decision(tmp_path):
    model = relu_net(outputs=1)
    network = convert(model, digits((64,))[0])
    result = simulate(network, digits((64,))[0][:2], duration=20, engine="reference")
    assert result.outputs.shape == (2, 20, 1)
    with pytest.raises(ParameterError, match=r"no decisions; read outputs .* or predictions"):
        _ = result.decisions
    file = write_case(tmp_path, model, {"tools": {"evaluate_ann": "False"}})
    wanted = np.linspace(0, 1, IMAGES)
    np.savez_compressed(tmp_path / "y_test.npz", wanted)
    run(file)
    results = json.loads((tmp_path / "log/gui/test/results.json").read_text())
    assert results["snn_accuracy"] is None
    np.testing.assert_array_equal(load(load_config(file)).labels, wanted[:, None])


# ---- what an earlier run left ----------------------------------------------------------------------------------------


def test_a_model_that_changed_is_not_taken_for_the_old_one(tmp_path, capsys):
    file = write_case(tmp_path, dense_net())
    accuracy = run(file)
    write_config(file, SAVED)
    capsys.readouterr()
    assert run(file) == accuracy  # the same model
    assert "no note" not in capsys.readouterr().out
    model = dense_net()
    model.layers[-1].set_weights([-w for w in model.layers[-1].get_weights()])
    model.save(tmp_path / "net.h5")
    with pytest.raises(ConfigError, match=r"net.h5 has changed since .*net_adsnn.npz was made .* convert = True once"):
        run(file)
    write_config(file, {"tools": {"parse": "False"}})
    with pytest.raises(ConfigError, match=r"net.h5 has changed since .*net_parsed.h5 was made .* parse = True once"):
        run(file)
    (tmp_path / "net_adsnn.npz.origin.json").unlink()  # asked for
    write_config(file, SAVED)
    assert run(file) == accuracy
    assert "net_adsnn.npz has no note of the model that it was made from" in capsys.readouterr().out
    write_config(file, {})
    assert run(file) != accuracy
    write_config(file, SAVED)
    assert run(file) != accuracy


def test_a_stopped_training_is_mentioned(tmp_path, capsys):
    file = write_case(tmp_path, dense_net())
    run(file)
    assert "A training was stopped" not in capsys.readouterr().out
    (tmp_path / "net_training.npz").write_bytes(b"state")
    run(file)
    lines = [line for line in capsys.readouterr().out.splitlines() if "A training was stopped" in line]
    assert len(lines) == 1
    assert f"snntb-adsnn train {file}" in lines[0]


# ---- two at once -----------------------------------------------------------------------------------------------------


def test_a_second_run_in_the_same_folder_is_refused_at_once(tmp_path):
    file = write_case(tmp_path, dense_net())
    first = ConfigParser()
    paths = {"path_wd": tmp_path, "log_dir_of_current_run": tmp_path / "log/gui/test", "filename_snn": "net_adsnn"}
    first.read_dict({"paths": paths})
    with locked_run(first):
        with pytest.raises(OutputError, match=r"log/gui/test: another run is writing .* runlabel"):
            run(file)
        write_config(file, {"paths": {"runlabel": "other"}})
        with pytest.raises(OutputError, match=r"another run is writing its network net_adsnn there; .* filename_snn"):
            run(file)
        write_config(file, {"paths": {"runlabel": "other", "filename_snn": "other"}})
        run(file)
    assert not (tmp_path / "log/gui/test/results.json").exists()
    write_config(file, {})
    run(file)
    assert (tmp_path / "log/gui/test/results.json").exists()


# ---- pictures, time --------------------------------------------------------------------------------------------------


def test_a_picture_that_cannot_be_drawn_costs_no_result(tmp_path, monkeypatch, capsys):
    file = write_case(tmp_path, dense_net(), {"adsnn": {"plots": "True"}, "output": {"plot_vars": "{'error_t'}"}})
    saved = matplotlib.figure.Figure.savefig

    def fails(self, path, **options):
        if self.get_suptitle():  # the raster
            raise RuntimeError("no font")
        saved(self, path, **options)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", fails)
    monkeypatch.setattr("snntoolbox.simulation.plotting.plot_error_vs_time", lambda *_: 1 / 0)
    run(file)
    folder = tmp_path / "log/gui/test"
    assert json.loads((folder / "results.json").read_text())["num_images"] == IMAGES
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Warning: ")]
    assert f"Warning: {folder}/raster.png was not drawn (no font); results are not affected." in warnings
    assert len(warnings) == 1 + 3  # one a batch of the toolbox's plot
    assert {"accuracy_over_time.png", "transfer_function.png"} <= {path.name for path in folder.glob("*.png")}
    assert not (folder / "raster.png").exists()


def test_a_time_that_fits_no_memory_is_refused_before_any_work(tmp_path):
    file = write_config(tmp_path / "net.ini", {"simulation": {"duration": str(10**14)}})
    with pytest.raises(ConfigError, match=r"\[simulation\] duration = 1e.14 .* would need [\d,]+ GB"):
        load_config(file)
    write_config(file, {"sweep": {"duration": "100, 1e14"}})
    with pytest.raises(ConfigError, match=r"\[sweep\] duration = 1e.14 .* would need [\d,]+ GB"):
        load_config(file)
    network = convert(dense_net(), digits((64,))[0])
    with pytest.raises(AdSNNError, match=r"steps cannot be held in memory: the outputs of 23 images and 10 classes"):
        simulate(replace(network), digits((64,))[0], duration=1e12)
