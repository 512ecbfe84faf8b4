"""The SNN Toolbox plug-in inside the toolbox's own flow, in this process."""

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from toolbox_cases import IMAGES, dense_net, digits, image_net, residual_net, write_case, write_config

from snntb_adsnn import ASNParameters, convert, simulate
from snntb_adsnn.errors import AdSNNError
from snntb_adsnn.frontends.keras.compat import keras, tf
from snntb_adsnn.measure.correction import correct_biases, distance
from snntb_adsnn.network import Neurons, SpikingNetwork
from snntb_adsnn.report.schema import schema
from snntb_adsnn.toolbox import register, run

register()

from snntoolbox.bin.utils import run_pipeline, update_setup  # noqa: E402

from snntb_adsnn.toolbox.backend import PICTURES  # noqa: E402

NETS = {"dense": dense_net, "image": image_net}


@pytest.fixture(scope="module", params=list(NETS))
def logged(request, tmp_path_factory):
    """A run with all log variables: (model, network, folder, log variables of every batch, accuracy)."""
    model = NETS[request.param]()
    folder = tmp_path_factory.mktemp(request.param)
    file = write_case(folder, model, {"output": {"log_vars": "{'all'}"}, "simulation": {"top_k": "3"}})
    (accuracy,) = run(file)
    batches = [dict(np.load(folder / f"log/gui/test/log_vars/{i}.npz", allow_pickle=True)) for i in range(3)]
    x, _ = digits(model.input_shape[1:])
    return model, convert(model, x), folder / "log/gui/test", batches, accuracy


@pytest.fixture(scope="module")
def bare(logged):
    """The same images, simulated without the toolbox: (inputs, classes, result)."""
    model, network, *_ = logged
    x, y = digits(model.input_shape[1:])
    result = simulate(network, x, duration=60, engine="reference", record=("spikes", "S"))
    return x, y.argmax(axis=1), result


def joined(batches, key):
    """A log variable of all batches: an array, or one a layer."""
    parts = [batch[key] for batch in batches]
    if parts[0].dtype != object:
        return np.concatenate(parts)
    return [np.concatenate([part[i, 0] for part in parts]) for i in range(len(parts[0]))]


# ---- figures ---------------------------------------------------------------------------------------------------------


def test_accuracy_is_that_of_the_bare_engine_and_no_image_is_dropped(logged, bare):
    _, _, folder, batches, accuracy = logged
    _, truth, result = bare
    assert [len(batch["true_classes_b"]) for batch in batches] == [10, 10, 3]
    assert accuracy == np.mean(result.decisions[:, -1] == truth)
    results = json.loads((folder / "results.json").read_text())
    jsonschema.validate(results, schema())
    assert set(results) == set(schema()["properties"]) - {"margin", "patience_ms"}  # nothing is decided early
    assert results["num_images"] == IMAGES
    assert results["snn_accuracy"] == accuracy
    assert results["firing_rate_hz"] == pytest.approx(result.firing_rate_hz)
    assert (folder / "accuracy.txt").read_text().splitlines()[-1].startswith("23 ")


def test_ann_accuracy_is_the_input_models(logged):
    model, _, folder, batches, _ = logged
    x, y = digits(model.input_shape[1:])
    right = model.predict(x, verbose=0).argmax(axis=1) == y.argmax(axis=1)
    assert json.loads((folder / "results.json").read_text())["ann_accuracy"] == right.mean()
    assert batches[-1]["top1err_ann"] == pytest.approx(1 - right.mean())


def test_errors_over_time(logged, bare):
    *_, batches, _ = logged
    _, truth, result = bare
    np.testing.assert_array_equal(joined(batches, "top1err_b_t"), result.decisions != truth[:, None])
    best = np.argsort(result.outputs, axis=2)[:, :, -3:]
    np.testing.assert_array_equal(joined(batches, "top5err_b_t"), ~(best == truth[:, None, None]).any(axis=2))


def test_spike_trains_hold_the_time_of_each_spike(logged, bare):
    *_, batches, _ = logged
    _, _, result = bare
    for logs, spikes in zip(joined(batches, "spiketrains_n_b_l_t"), result.records["spikes"].values(), strict=True):
        assert spikes.any()
        images, t, *neuron = np.nonzero(spikes)
        expected = np.zeros(logs.shape)
        expected[(images, *neuron, t)] = t + 1
        np.testing.assert_array_equal(logs, expected)


def test_membrane_potentials_and_inputs(logged, bare):
    *_, batches, _ = logged
    x, _, result = bare
    for logs, S in zip(joined(batches, "mem_n_b_l_t"), result.records["S"].values(), strict=True):
        np.testing.assert_allclose(np.moveaxis(logs, -1, 1), S, atol=1e-5)
    inputs = joined(batches, "input_b_l_t")
    assert inputs.shape == (*x.shape, 60)
    assert (inputs == x[..., None]).all()


def test_activations_are_the_keras_layers(logged, bare):
    model, network, _, batches, _ = logged
    x, *_ = bare
    for p, logs in zip(network.populations, joined(batches, "activations_n_b_l"), strict=True):
        layer = model.get_layer(p.name)
        if layer.output.shape[1:] != p.shape:  # the pooling behind the activation belongs to the population
            layer = layer.outbound_nodes[0].outbound_layer
        keras_activations = keras.Model(model.input, layer.output).predict(x, verbose=0)
        np.testing.assert_allclose(logs, keras_activations, atol=1e-4)


def test_labels_are_in_the_toolbox_format(logged):
    from snntoolbox.utils.utils import extract_label

    _, network, _, batches, _ = logged
    names = list(batches[0]["spiketrains_n_b_l_t"][:, 1])
    assert [extract_label(name)[0::2] for name in names] == [(i, p.shape) for i, p in enumerate(network.populations)]


def test_operations_of_a_dense_net(logged, bare):
    model, _, _, batches, _ = logged
    if model.input_shape[1:] != (64,):
        pytest.skip("counted by hand for the dense net only")
    _, _, result = bare
    first, second = (spikes.sum(axis=2) for spikes in result.records["spikes"].values())
    expected = np.cumsum(9 * first + 10 * second, axis=1) / 1e6
    np.testing.assert_allclose(joined(batches, "synaptic_operations_b_t"), expected, rtol=1e-6)
    assert batches[0]["operations_ann"] == pytest.approx((2 * (64 * 12 + 12 * 9 + 9 * 10) + 12 + 10) / 1e6)
    per_step = 4 * 12 + 4 * 9 + 2 * 10  # I, V, S_hat, theta; the read-out's current and output
    np.testing.assert_allclose(
        joined(batches, "neuron_operations_b_t"),
        np.broadcast_to((2 * 64 * 12 + per_step * np.arange(1, 61)) / 1e6, (IMAGES, 60)),
    )


# ---- settings --------------------------------------------------------------------------------------------------------


def test_normalize_does_not_change_the_network(logged, tmp_path, capsys):
    model, *_, accuracy = logged
    file = write_case(tmp_path, model, {"tools": {"normalize": "True"}})
    assert run(file) == [accuracy]
    assert "Weight normalization is switched off" in capsys.readouterr().out


def test_constants_come_from_the_section(tmp_path):
    model = dense_net()
    section = {"m_f": "0.4", "tau_gamma": "10", "tau_phi": "4", "readout_tau_phi": "20", "form": "taylor"}
    section |= {"onset": "7", "corrective": "2.5"}
    run(write_case(tmp_path, model, {"adsnn": section, "simulation": {"dt": "0.5"}}))
    found = json.loads((tmp_path / "log/gui/test/results.json").read_text())
    x, y = digits((64,))
    *nodes, readout = convert(model, x, readout_tau_phi=20.0).nodes
    parameters = ASNParameters(m_f=0.4, tau_gamma=10, tau_phi=4, dt=0.5)
    own = {"parameters": parameters, "form": "taylor", "corrective": 2.5}
    nodes = [replace(n, **own) if isinstance(n, Neurons) else n for n in nodes]
    first, second = (n for n in nodes if isinstance(n, Neurons))
    nodes[nodes.index(second)] = replace(second, onset=7.0)
    result = simulate(SpikingNetwork((*nodes, replace(readout, dt=0.5))), x, duration=60, engine="reference")
    assert found["onset_ms"] == {first.name: 0, second.name: 7}
    assert found["readout_tau_phi_ms"] == 20
    assert found["firing_rate_hz"] == pytest.approx(result.firing_rate_hz)
    assert found["accuracy_over_time"] == pytest.approx(
        (result.decisions == y.argmax(axis=1)[:, None]).mean(axis=0), abs=1e-6
    )


def test_m_f_by_layer(tmp_path):
    model = dense_net()
    x, _ = digits((64,))
    network = convert(model, x)
    first, second = network.population_names
    run(write_case(tmp_path, model, {"adsnn": {"m_f": f"{second}: 0.5"}}))
    found = json.loads((tmp_path / "log/gui/test/results.json").read_text())
    assert found["m_f"] == {first: 0.2, second: 0.5}
    result = simulate(network, x, duration=60, m_f={second: 0.5}, engine="reference")
    assert found["firing_rate_hz_per_layer"] == pytest.approx(result.firing_rates_hz)


def test_images_that_are_decided_stop(tmp_path):
    file = write_case(tmp_path, dense_net(), {"adsnn": {"decide_early": "20", "engine": "event"}})
    x, y = digits((64,))
    np.savez_compressed(tmp_path / "x_norm.npz", x[::-1])
    accuracy = run(file)
    found = json.loads((tmp_path / "log/gui/test/results.json").read_text())
    network = convert(dense_net(), x)
    whole = simulate(network, x, duration=60, engine="event")
    result = simulate(network, x, duration=60, engine="event", margin=found["margin"], patience=found["patience_ms"])
    # as safe as was asked for on these inputs, which are the training inputs too
    assert (result.decisions[:, -1] != whole.decisions[:, -1]).mean() <= 0.2
    assert found["mean_time_ms"] == pytest.approx(result.stopped.mean())
    assert found["mean_time_ms"] < 60
    assert found["spikes_per_neuron"] < whole.firing_rate_hz * 0.06
    assert found["firing_rate_hz"] == pytest.approx(result.firing_rate_hz)
    assert accuracy == [np.mean(result.decisions[:, -1] == y.argmax(axis=1))]


def test_bias_correction_from_training_inputs(tmp_path):
    model = image_net()
    section = {"m_f": "0.6", "bias_correction": "5", "engine": "event"}
    file = write_case(tmp_path, model, {"adsnn": section})
    x, y = digits((8, 8, 1))
    training = x[::-1]
    np.savez_compressed(tmp_path / "x_norm.npz", training)
    accuracy = run(file)
    trained = convert(model, x)
    plain = trained.with_m_f(0.6)
    network = correct_biases(plain, training[:5], trained=trained, slopes=True)
    before, after = (distance(n, trained, training[5:10]) for n in (plain, network))
    assert after < before  # else the run would leave the correction out
    result = simulate(network, x, duration=60, engine="event")
    found = json.loads((tmp_path / "log/gui/test/results.json").read_text())
    assert found["firing_rate_hz"] == pytest.approx(result.firing_rate_hz)
    assert (found["bias_correction"], found["slope_correction"]) == (5, True)
    assert accuracy == [np.mean(result.decisions[:, -1] == y.argmax(axis=1))]
    saved = SpikingNetwork.load(tmp_path / "net_adsnn.npz")  # what was trained, not what was corrected
    assert all(np.array_equal(a.bias, b.bias) for a, b in zip(saved.populations, trained.populations, strict=True))


def test_residual_net_passes_the_pipeline(tmp_path):
    model = residual_net()
    (accuracy,) = run(write_case(tmp_path, model, {"output": {"log_vars": "{'synaptic_operations_b_t'}"}}))
    x, y = digits((8, 8, 1))
    network = convert(model, x)
    parsed = keras.models.load_model(tmp_path / "net_parsed.h5", compile=False)
    np.testing.assert_allclose(network.analog(x), parsed.predict(x, verbose=0), atol=1e-5)
    result = simulate(network, x, duration=60, engine="reference")
    assert accuracy == np.mean(result.decisions[:, -1] == y.argmax(axis=1))
    assert len(result.spike_counts) == 5
    assert all(counts.any() for counts in result.spike_counts.values())
    figures = json.loads((tmp_path / "log/gui/test/results.json").read_text())
    synaptic, multiply_adds = figures["synaptic_operations_per_image"], figures["multiply_adds_per_image"]
    assert synaptic > multiply_adds > 0  # the separable convolution is two weighted layers
    logs = [np.load(tmp_path / f"log/gui/test/log_vars/{i}.npz", allow_pickle=True) for i in range(3)]
    logged = np.concatenate([log["synaptic_operations_b_t"][:, -1] for log in logs])
    assert logged.mean() == pytest.approx(synaptic / 1e6)
    costs = figures["operations"]["adsnn"]
    assert costs["synaptic_operations"] == pytest.approx(synaptic)
    assert costs["accumulates"] == pytest.approx(synaptic - multiply_adds)


def test_sweep_over_m_f_rebuilds(tmp_path):
    model = dense_net()
    sweep = {"param_name": "m_f", "param_values": "[0.1, 0.4]", "param_logscale": "True"}
    accuracies = run(write_case(tmp_path, model, {"parameter_sweep": sweep}))
    x, y = digits((64,))
    network = convert(model, x)
    for value, accuracy in zip((0.1, 0.4), accuracies, strict=True):
        result = simulate(network, x, duration=60, m_f=value, engine="reference")
        assert accuracy == np.mean(result.decisions[:, -1] == y.argmax(axis=1))
        found = json.loads((tmp_path / f"log/gui/test/m_f_{value}/results.json").read_text())
        assert found["m_f"] == value
        assert found["firing_rate_hz"] == pytest.approx(result.firing_rate_hz)


def test_reload_without_conversion(tmp_path):
    write_case(tmp_path, image_net())
    accuracy = run(tmp_path / "net.ini")
    old = (tmp_path / "log/gui/test/results.json").read_text()
    (tmp_path / "net.h5").unlink()
    write_config(tmp_path / "net.ini", {"tools": {"parse": "False", "convert": "False"}})
    assert run(tmp_path / "net.ini", tmp_path / "copy.json") == accuracy
    assert (tmp_path / "copy.json").read_text() == old
    (tmp_path / "net_parsed.h5").unlink()  # then the network stands in for the ANN
    assert run(tmp_path / "net.ini") == accuracy
    assert json.loads(old)["ann_accuracy"] == json.loads((tmp_path / "copy.json").read_text())["ann_accuracy"]


@pytest.mark.parametrize("evaluate", ["True", "False"])
def test_the_ann_answers_each_test_image_once(tmp_path, monkeypatch, evaluate):
    """Input model, parsed model and simulation need the same answers."""
    asked = []
    predict = keras.Model.predict_on_batch
    monkeypatch.setattr(keras.Model, "predict_on_batch", lambda self, x: asked.append(len(x)) or predict(self, x))
    model = dense_net()
    run(write_case(tmp_path, model, {"tools": {"evaluate_ann": evaluate}}))
    assert asked == [10, 10, 3]
    x, y = digits((64,))
    found = json.loads((tmp_path / "log/gui/test/results.json").read_text())
    assert found["ann_accuracy"] == (model.predict(x, verbose=0).argmax(axis=1) == y.argmax(axis=1)).mean()


def test_relative_paths_count_from_the_configuration(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    (tmp_path / "elsewhere").mkdir()
    write_case(tmp_path / "model", dense_net())
    file = write_config(tmp_path / "configs/a.ini", {"paths": {"path_wd": "../model", "dataset_path": "../model"}})
    monkeypatch.chdir(tmp_path / "elsewhere")
    run("../configs/a.ini")
    assert (tmp_path / "model/log/gui/test/results.json").is_file()
    assert not list((tmp_path / "elsewhere").iterdir())
    assert file.read_text() == (tmp_path / "configs/a.ini").read_text()


def test_keras_format_and_chosen_samples(tmp_path):
    model = dense_net()
    write_case(tmp_path, model, {"simulation": {"sample_idxs_to_test": "[3, 5, 21]"}}, suffix=".keras")
    (accuracy,) = run(tmp_path / "net.ini")
    x, y = digits((64,))
    chosen = [3, 5, 21]
    result = simulate(convert(model, x), x[chosen], duration=60, engine="reference")
    assert accuracy == np.mean(result.decisions[:, -1] == y[chosen].argmax(axis=1))


def test_fewer_images_than_a_batch(tmp_path):
    write_case(tmp_path, dense_net(), {"simulation": {"num_to_test": "4", "batch_size": "100"}})
    run(tmp_path / "net.ini")
    assert json.loads((tmp_path / "log/gui/test/results.json").read_text())["num_images"] == 4


def test_old_logs_are_not_taken_for_new_ones(tmp_path):
    write_case(tmp_path, dense_net())
    run(tmp_path / "net.ini")
    write_config(tmp_path / "net.ini", {"simulation": {"num_to_test": "5"}})
    (tmp_path / "log/gui/test/normalization/99.9.json").write_text('{"net": 0.001}')  # a stale cache of the toolbox's
    pictures = [tmp_path / f"log/gui/test/{name}.png" for name in PICTURES]
    for picture in pictures:  # this configuration draws none
        picture.touch()
    run(tmp_path / "net.ini")
    assert not any(picture.exists() for picture in pictures)
    assert [file.name for file in (tmp_path / "log/gui/test/log_vars").iterdir()] == ["0.npz"]
    x, y = digits((64,))
    result = simulate(convert(dense_net(), x), x[:5], duration=60, engine="reference")
    found = json.loads((tmp_path / "log/gui/test/results.json").read_text())
    assert found["snn_accuracy"] == np.mean(result.decisions[:, -1] == y[:5].argmax(axis=1))


def test_all_plots(tmp_path):
    settings = {
        "output": {"plot_vars": "{'all'}"},
        "simulation": {"num_to_test": "2", "duration": "20"},
        "adsnn": {"plots": "True"},
    }
    run(write_case(tmp_path, dense_net(), settings))
    drawn = {file.name for file in (tmp_path / "log/gui/test").rglob("*.png")}
    assert drawn >= {
        "Confusion.png", "Error_vs_time.png", "Pearson.png", "Total_spike_count.png", "operations_t.png", "Potential.png",
        "7Spiketrains.png", "1Spikerates.png", "0Activations.png", "5Correlation.png", "input_image.png",
        "accuracy_over_time.png", "raster.png",
    }  # fmt: skip


def test_image_files(tmp_path):
    """Data from a folder of pictures, which the toolbox reads in batches."""
    from PIL import Image

    model = image_net()
    file = write_case(
        tmp_path,
        model,
        {
            "paths": {"dataset_path": "pictures"},
            "input": {
                "dataset_format": "png",
                "datagen_kwargs": "{'rescale': 1 / 255}",
                "dataflow_kwargs": "{'target_size': (8, 8), 'color_mode': 'grayscale', 'shuffle': False}",
            },
        },
    )
    x, y = digits((8, 8, 1))
    pictures = (x[..., 0] * 255).round().astype(np.uint8)
    order = np.argsort(y.argmax(axis=1), kind="stable")
    for c in range(10):
        (tmp_path / f"pictures/{c}").mkdir(parents=True)
    for i in range(IMAGES):
        Image.fromarray(pictures[i]).save(tmp_path / f"pictures/{y[i].argmax()}/{i:02d}.png")
    run(file)
    found = json.loads((tmp_path / "log/gui/test/results.json").read_text())
    seen = pictures[order][..., None] / np.float32(255)
    result = simulate(convert(model, seen), seen, duration=60, engine="reference")
    assert found["num_images"] == IMAGES
    assert found["firing_rate_hz"] == pytest.approx(result.firing_rate_hz, rel=1e-3)
    assert found["snn_accuracy"] == np.mean(result.decisions[:, -1] == y[order].argmax(axis=1))


def test_chosen_pictures(tmp_path):
    """By their numbers, in any order, whatever the batches."""
    from PIL import Image

    model = image_net()
    kwargs = "{'target_size': (8, 8), 'color_mode': 'grayscale', 'shuffle': False, 'batch_size': 4}"
    file = write_case(
        tmp_path,
        model,
        {
            "paths": {"dataset_path": "pictures"},
            "input": {"dataset_format": "png", "datagen_kwargs": "{'rescale': 1 / 255}", "dataflow_kwargs": kwargs},
            "simulation": {"sample_idxs_to_test": "[9, 0, 4]"},
        },
    )
    values = np.arange(10, 250, 24, np.uint8)  # of the ten pictures, one of each class
    for c, value in enumerate(values):
        (tmp_path / f"pictures/{c}").mkdir(parents=True)
        Image.fromarray(np.full((8, 8), value)).save(tmp_path / f"pictures/{c}/0.png")
    (accuracy,) = run(file)
    seen = np.broadcast_to(values[[9, 0, 4], None, None, None] / np.float32(255), (3, 8, 8, 1))
    result = simulate(convert(model, seen), seen, duration=60, engine="reference")
    found = json.loads((tmp_path / "log/gui/test/results.json").read_text())
    assert found["num_images"] == 3
    assert accuracy == np.mean(result.decisions[:, -1] == [9, 0, 4])
    assert found["firing_rate_hz"] == pytest.approx(result.firing_rate_hz, rel=1e-6)


def test_the_plot_of_a_sweep_that_cannot_be_drawn_costs_nothing(tmp_path, monkeypatch, capsys):
    import snntoolbox.simulation.plotting as plotting

    def fail(*_, **__):
        raise OSError("no display")

    monkeypatch.setattr(plotting.plt, "errorbar", fail)
    sweep = {"param_name": "m_f", "param_values": "[0.1, 0.4]"}
    assert len(run(write_case(tmp_path, dense_net(), {"parameter_sweep": sweep}))) == 2
    assert "parameter sweep was not drawn (no display)" in capsys.readouterr().err


# ---- the simulator as the toolbox calls it ---------------------------------------------------------------------------


def test_simulate_answers_as_the_toolbox_expects(tmp_path):
    from snntoolbox.bin.utils import import_target_sim

    model = image_net()
    config = update_setup(str(write_case(tmp_path, model)))
    snn = import_target_sim(config).SNN(config)
    snn.build(model)
    x, y = digits(model.input_shape[1:])
    x[0] = 0  # perhaps no output spike at all
    outputs = snn.simulate(x_b_l=x, truth_b=y.argmax(axis=1))
    result = simulate(convert(model, x), x, duration=60, engine="reference")
    assert outputs.shape == (IMAGES, 10, 60)
    assert (outputs.sum(axis=1) > 0).all()
    np.testing.assert_array_equal(outputs.argmax(axis=1), result.decisions)
    snn.reset(0)
    np.testing.assert_array_equal(snn.simulate(x_b_l=x, truth_b=y.argmax(axis=1)), outputs)


def test_parsed_model_is_compared_with_the_input_model(tmp_path, monkeypatch):
    model = dense_net()
    file = write_case(tmp_path, model)
    clone = keras.models.clone_model

    def wrong_clone(original):
        copy = clone(original)
        copy.set_weights = lambda weights: None  # keeps other weights
        return copy

    monkeypatch.setattr(keras.models, "clone_model", wrong_clone)
    with pytest.raises(AdSNNError, match="after parsing the model deviates"):
        run(file)


def test_register_twice(tmp_path):
    import sys

    import snntoolbox.bin.utils as toolbox

    before = toolbox.update_setup, toolbox.run_pipeline, list(sys.meta_path)
    register()
    assert before == (toolbox.update_setup, toolbox.run_pipeline, sys.meta_path)


def test_other_simulators_keep_working(tmp_path, monkeypatch):
    """A ReLU net in the toolbox's own INI simulator: everything that newer NumPy and scikit-learn broke."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(12, activation="relu")])
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    file = write_case(tmp_path, model)
    np.savez_compressed(tmp_path / "x_norm.npz", digits((64,))[0])
    file.write_text(
        f"[paths]\npath_wd = {tmp_path}\ndataset_path = {tmp_path}\nfilename_ann = net\n"
        "[simulation]\nsimulator = INI\nduration = 5\nnum_to_test = 20\nbatch_size = 10\n"
        "[output]\nlog_vars = {'all'}\nplot_vars = {'confusion_matrix', 'error_t'}\nverbose = 0\n"
    )
    (accuracy,) = run_pipeline(update_setup(str(file)))
    assert 0 <= accuracy <= 1
    logs = np.load(tmp_path / "log/gui/test/log_vars/1.npz", allow_pickle=True)
    assert logs["spiketrains_n_b_l_t"][0, 0].shape == (10, 12, 5)
    assert (tmp_path / "log/gui/test/Confusion.png").is_file()
    assert tf.__version__
