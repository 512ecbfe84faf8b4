"""One way from a configuration to a network: parts on demand, the same network for everyone, one reading of the file."""

import sys

import numpy as np
import pytest
from toolbox_cases import dense_net, digits, image_net, write_case

from snntb_adsnn import AAN, cli, convert, keras
from snntb_adsnn.config import load_config
from snntb_adsnn.errors import ConfigError, DataError
from snntb_adsnn.measure.correction import correct_biases, distance
from snntb_adsnn.run import Run, load
from snntb_adsnn.studies.study import Subject, fingerprint
from snntb_adsnn.toolbox import register, settings

CHANGED = {
    "adsnn": {"m_f": "0.3", "tau_beta": "40", "bias_correction": "5", "readout_tau_phi": "20", "engine": "event"},
    "simulation": {"dt": "0.5"},
}


# ---- parts -----------------------------------------------------------------------------------------------------------


def test_parts_are_the_models_and_the_files(tmp_path):
    model = dense_net()
    run = load(write_case(tmp_path, model))
    x, y = digits((64,))
    np.testing.assert_array_equal(run.x_test, x)
    np.testing.assert_array_equal(run.labels, y.argmax(axis=1))
    np.testing.assert_array_equal(run.ann(x), model.predict(x, verbose=0).argmax(axis=1))
    assert fingerprint(run.trained) == fingerprint(convert(model, x))
    assert (run.duration, run.dt, run.batch_size) == (60, 1, 10)
    assert run.correction is None
    assert fingerprint(run.simulated) == fingerprint(run.configured) == fingerprint(run.trained)


def relu_net():
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Input((64,)), keras.layers.Dense(9, activation="relu"), keras.layers.Dense(10)]
    return keras.Sequential(layers)


@pytest.mark.parametrize(
    ("model", "section", "count", "slopes"),
    [
        (relu_net, {}, 23, True),
        (relu_net, {"bias_correction": "5"}, 5, True),
        (relu_net, {"slope_correction": "False"}, 23, False),
        (relu_net, {"bias_correction": "0"}, 0, None),
        (dense_net, {"bias_correction": "0"}, 0, None),
        (dense_net, {"bias_correction": "5"}, 5, True),
        (dense_net, {"bias_correction": "5", "slope_correction": "False"}, 5, False),
        (dense_net, {"m_f": "0.7"}, 23, True),
    ],
)
def test_what_a_network_is_corrected_with(model, section, count, slopes, tmp_path):
    run = load(write_case(tmp_path, model(), {"adsnn": section}))
    np.savez_compressed(tmp_path / "x_norm.npz", run.x_test)
    if not count:
        assert run.correction is None
        assert fingerprint(run.simulated) == fingerprint(run.configured)
        return
    np.testing.assert_array_equal(run.correction.inputs, run.x_test[:count])
    assert run.correction.slopes is slopes
    # what is left of the training inputs decides whether it helps
    held_out = run.correction.held_out
    assert held_out is None if count == 23 else np.array_equal(held_out, run.x_test[count : 2 * count])
    expected = correct_biases(
        run.configured, run.x_test[:count], trained=run.trained, slopes=slopes, engine="reference"
    )
    near = held_out is None or distance(expected, run.trained, held_out) < distance(
        run.configured, run.trained, held_out
    )
    assert fingerprint(run.simulated) == fingerprint(expected if near else run.configured)


def test_an_aan_net_at_its_own_precision_is_not_corrected_by_itself(tmp_path):
    run = load(write_case(tmp_path, dense_net()))
    np.savez_compressed(tmp_path / "x_norm.npz", run.x_test)
    assert fingerprint(run.simulated) == fingerprint(run.configured)


def test_a_relu_net_without_training_inputs_is_simulated_as_it_is(tmp_path):
    assert load(write_case(tmp_path, relu_net())).correction is None


@pytest.mark.parametrize("count", ["auto", "3"])
def test_training_inputs_of_another_shape_are_named(count, tmp_path):
    run = load(write_case(tmp_path, relu_net(), {"adsnn": {"bias_correction": count}}))
    np.savez_compressed(tmp_path / "x_norm.npz", np.zeros((4, 63)))
    with pytest.raises(DataError, match=r"x_norm.npz: inputs have shape \(63,\), but the network takes \(64,\)"):
        _ = run.correction


def test_a_part_that_nobody_asks_for_is_not_read(tmp_path):
    file = write_case(tmp_path, dense_net())
    (tmp_path / "y_test.npz").unlink()
    (tmp_path / "net.h5").rename(tmp_path / "moved.h5")
    run = load(file)
    assert len(run.x_test) == 23
    with pytest.raises(DataError, match="x_norm.npz: no such data file"):
        _ = run.x_norm
    (tmp_path / "moved.h5").rename(tmp_path / "net.h5")
    assert run.trained is run.trained
    with pytest.raises(DataError, match="y_test.npz: no such data file"):
        _ = run.labels


def test_parts_that_do_not_fit_each_other(tmp_path):
    file = write_case(tmp_path, dense_net())
    np.savez_compressed(tmp_path / "y_test.npz", np.eye(10)[:4])
    np.savez_compressed(tmp_path / "x_norm.npz", np.zeros((4, 63)))
    with pytest.raises(DataError, match="x_test.npz holds 23 inputs and y_test.npz 4 labels"):
        _ = load(file).labels
    with pytest.raises(DataError, match=r"x_norm.npz have shape \(63,\), those of x_test.npz \(64,\)"):
        _ = load(file).x_norm
    pictures = write_case(tmp_path, dense_net(), {"input": {"dataset_format": "png"}})
    with pytest.raises(ConfigError, match="dataset_format = png, but this command reads x_test.npz"):
        _ = load(pictures).x_test


def test_constants_that_do_not_fit_the_network_name_the_file(tmp_path):
    """Two activations of different constants: what fits both is known once the model is converted."""
    model = dense_net()
    model.layers[2].activation = AAN(m_f=0.4)
    file = write_case(tmp_path, model, {"adsnn": {"m_f": "0.2, dense_1: 3"}})
    name = convert(model, digits((64,))[0]).population_names[1]
    file.write_text(file.read_text().replace("dense_1:", f"{name}:"))
    run = load(file)
    with pytest.raises(ConfigError) as failure:
        _ = run.simulated
    assert str(failure.value).startswith(f"{file}: [adsnn] does not fit layer {name!r}: theta0 = 3 (it follows m_f)")


def test_without_values_a_study_has_its_own(tmp_path):
    (tmp_path / "c.ini").write_text("[paths]\nfilename_ann = net\n")
    run = Run(load_config(tmp_path / "c.ini"))
    assert (run.duration, run.dt, run.batch_size) == (500, 1, 100)


# ---- everyone's network ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("net", [dense_net, image_net])
def test_toolbox_and_studies_simulate_the_same_network(tmp_path, net):
    register()
    from snntoolbox.bin.utils import import_target_sim, update_setup

    model = net()
    file = write_case(tmp_path, model, CHANGED)
    np.savez_compressed(tmp_path / "x_norm.npz", digits(model.input_shape[1:])[0][::-1])
    run = load(file)
    assert run.simulated.populations[0].parameters.tau_beta == 40
    assert fingerprint(run.simulated) != fingerprint(run.configured) != fingerprint(run.trained)
    merged = update_setup(str(file))
    simulator = import_target_sim(merged).SNN(merged)
    simulator.build(model)
    simulator.init_cells()
    assert fingerprint(simulator.network) == fingerprint(run.trained)
    assert fingerprint(simulator.simulated) == fingerprint(run.simulated)
    subject = Subject.of(run)
    assert fingerprint(subject.corrected(subject.network, "event")) == fingerprint(run.simulated)


# ---- one reading -----------------------------------------------------------------------------------------------------

_opened: list[str] = []


def _watch(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        _opened.append(arguments[0])


@pytest.fixture(scope="module")
def opened():
    """Files in the order in which this process opened them."""
    sys.addaudithook(_watch)
    return _opened


def command(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["snntb-adsnn", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as stop:
        return stop.code
    return 0


@pytest.mark.parametrize("name", ["run", "sweep", "arousal", "precision"])
def test_a_command_reads_its_configuration_once(tmp_path, monkeypatch, opened, name):
    sections = {"sweep": {"m_f": "0.2"}, "arousal": {"waiting_time": "10", "accumulation_time": "10", "threshold": "1"}}
    file = write_case(tmp_path, dense_net(), sections)
    np.savez_compressed(tmp_path / "x_norm.npz", digits((64,))[0])
    options = {"precision": ["--rate", "1000"], "run": []}.get(name, ["--workers", "1"])
    opened.clear()
    assert command(monkeypatch, name, file, *options) == 0
    assert opened.count(str(file)) == 1


@pytest.mark.parametrize("backend", ["vitis", "rtl"])
def test_hls_reads_its_configuration_once(tmp_path, monkeypatch, opened, backend, capsys):
    pytest.importorskip("hls4ml")
    file = write_case(tmp_path, dense_net())  # no x_norm.npz: it ends where all else is loaded
    opened.clear()
    assert command(monkeypatch, "hls", file, "--backend", backend, "--output", tmp_path / "project") == 2
    assert "x_norm.npz: no such data file" in capsys.readouterr().err
    assert opened.count(str(file)) == 1


def test_a_run_adapts_its_settings_once(tmp_path, monkeypatch):
    adapted = []
    adapt = settings.adapt
    monkeypatch.setattr(settings, "adapt", lambda config: adapted.append(config) or adapt(config))
    assert command(monkeypatch, "run", write_case(tmp_path, dense_net())) == 0
    assert len(adapted) == 1
