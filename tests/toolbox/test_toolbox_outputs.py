"""Nets with every kind of output through plain ``snntoolbox -t``: figures against Keras and the bare engine."""

import json
import sys

import jsonschema
import numpy as np
import output_nets
import pytest
from scipy.special import expit
from toolbox_cases import write_config

from snntb_adsnn import convert, simulate
from snntb_adsnn.config import load_config
from snntb_adsnn.report.schema import schema
from snntb_adsnn.run import load
from snntb_adsnn.toolbox import register, run

DURATION = 60


def case(folder, model, labels, settings=None):
    x = output_nets.inputs(model)
    model.save(folder / "net.h5")
    np.savez_compressed(folder / "x_test.npz", x)
    np.savez_compressed(folder / "y_test.npz", labels(x))
    return write_config(folder / "net.ini", settings or {})


def in_the_toolbox(monkeypatch, file):
    """``snntoolbox -t FILE``, in this process."""
    register()
    from snntoolbox.bin.run import main

    monkeypatch.setattr(sys, "argv", ["snntoolbox", "-t", str(file)])
    main()


def results_of(folder):
    results = json.loads((folder / "log/gui/test/results.json").read_text())
    jsonschema.validate(results, schema())
    return results


def bare(model, x):
    """Read-out potentials of the bare engine after each step."""
    return simulate(convert(model, x), x, duration=DURATION, engine="reference").outputs.astype(float)


def rms(values):
    return np.sqrt(np.mean(np.square(values)))


LOGS = {"output": {"log_vars": "{'all'}", "plot_vars": "{'all'}"}, "adsnn": {"plots": "True"}}


def test_binary(tmp_path, monkeypatch, capsys):
    model = output_nets.binary()
    file = case(tmp_path, model, lambda x: np.where(x[:, :1] > 0.5, 1, -1), LOGS)
    in_the_toolbox(monkeypatch, file)
    found, x = results_of(tmp_path), output_nets.inputs(model)
    truth, ann = x[:, 0] > 0.5, model.predict(x, verbose=0)[:, 0]
    outputs = bare(model, x)[..., 0]
    assert 0 < truth.mean() < 1
    assert 0 < (ann > 0.5).mean() < 1
    assert found["ann_accuracy"] == pytest.approx(((ann > 0.5) == truth).mean())
    assert found["snn_accuracy"] == pytest.approx(((outputs[:, -1] > 0) == truth).mean())
    assert found["agreement_with_ann"] == pytest.approx(((outputs[:, -1] > 0) == (ann > 0.5)).mean())
    assert found["accuracy_over_time"] == pytest.approx(((outputs > 0) == truth[:, None]).mean(axis=0), abs=1e-6)
    assert found["outputs"][0]["rmse_to_ann"] == pytest.approx(rms(expit(outputs[:, -1]) - ann), rel=1e-4)
    out = capsys.readouterr().out
    assert f"Accuracy: {found['ann_accuracy']:.2%}" in out
    assert "Top-1" not in out
    logged = dict(np.load(tmp_path / "log/gui/test/log_vars/0.npz", allow_pickle=True))
    np.testing.assert_array_equal(logged["top1err_b_t"], (outputs[:10] > 0) != truth[:10, None])
    np.testing.assert_array_equal(logged["true_classes_b"], truth[:10])
    assert (tmp_path / "log/gui/test/accuracy_over_time.png").is_file()


def test_multilabel(tmp_path, monkeypatch, capsys):
    model = output_nets.multilabel()
    in_the_toolbox(monkeypatch, case(tmp_path, model, lambda x: (x[:, :5] > 0).astype(int)))
    found, x = results_of(tmp_path), output_nets.inputs(model)
    truth, ann = x[:, :5] > 0, model.predict(x, verbose=0)
    outputs = bare(model, x)
    assert found["ann_accuracy"] == pytest.approx(((ann > 0.5) == truth).mean())
    assert found["snn_accuracy"] == pytest.approx(((outputs[:, -1] > 0) == truth).mean())
    (output,) = found["outputs"]
    assert output["ann_exact_match"] == pytest.approx(((ann > 0.5) == truth).all(axis=1).mean())
    assert output["snn_exact_match"] == pytest.approx(((outputs[:, -1] > 0) == truth).all(axis=1).mean())
    assert f"Accuracy, mean of all labels: {found['ann_accuracy']:.2%}" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["regression", "autoencoder"])
def test_values(kind, tmp_path, monkeypatch, capsys):
    model = getattr(output_nets, kind)()
    labels = (lambda x: x) if kind == "autoencoder" else (lambda x: x[:, :2])
    in_the_toolbox(monkeypatch, case(tmp_path, model, labels, LOGS))
    found, x = results_of(tmp_path), output_nets.inputs(model)
    wanted, ann = labels(x).reshape(len(x), -1), model.predict(x, verbose=0).reshape(len(x), -1)
    outputs = bare(model, x)
    values = expit(outputs) if kind == "autoencoder" else outputs
    (output,) = found["outputs"]
    assert output["task"] == "regression"
    assert (found["snn_accuracy"], found["ann_accuracy"], found["accuracy_over_time"]) == (None, None, [])
    assert output["rmse_to_ann"] == pytest.approx(rms(values[:, -1] - ann), rel=1e-4)
    errors = np.sqrt(((values - ann[:, None]) ** 2).mean(axis=(0, 2)))
    assert output["rmse_to_ann_over_time"] == pytest.approx(errors, rel=1e-4)
    assert output["rmse_to_labels"] == pytest.approx(rms(values[:, -1] - wanted), rel=1e-4)
    assert output["ann_rmse_to_labels"] == pytest.approx(rms(ann - wanted), rel=1e-4)
    agreement = 1 - np.mean((values[:, -1] - ann) ** 2) / ann.var(axis=0).mean()
    assert found["agreement_with_ann"] == output["agreement_with_ann"] == pytest.approx(agreement, rel=1e-4)
    out = capsys.readouterr().out
    assert f"Root mean square difference from the labels: {rms(ann - wanted):.4g}" in out
    assert "root mean square difference from the ANN" in out
    folder = tmp_path / "log/gui/test"
    assert (folder / "error_over_time.png").is_file()
    assert not (folder / "accuracy_over_time.png").exists()
    logged = dict(np.load(folder / "log_vars/0.npz", allow_pickle=True))
    assert "top1err_b_t" not in logged
    np.testing.assert_allclose(logged["outputs_b_t"], outputs[:10], atol=1e-6)
    last = (folder / "accuracy.txt").read_text().splitlines()[-1]
    assert last.endswith(f"agreement with the ANN {agreement:.4f}, difference {output['rmse_to_ann']:.4g}")


def test_several_outputs(tmp_path, monkeypatch):
    model = output_nets.several()
    classes = np.arange(output_nets.IMAGES) % 3
    file = case(tmp_path, model, lambda x: np.concatenate([np.eye(3)[classes], x[:, :4], x[:, :1]], axis=1))
    in_the_toolbox(monkeypatch, file)
    found, x = results_of(tmp_path), output_nets.inputs(model)
    ann = model.predict(x, verbose=0)
    outputs = bare(model, x)[:, -1]
    kind, image, size = found["outputs"]
    assert (kind["name"], kind["task"]) == ("kind", "classification")
    assert kind["snn_accuracy"] == pytest.approx((outputs[:, :3].argmax(axis=1) == classes).mean())
    assert kind["ann_accuracy"] == pytest.approx((ann[0].argmax(axis=1) == classes).mean())
    assert image["rmse_to_ann"] == pytest.approx(rms(np.tanh(outputs[:, 3:7]) - ann[1].reshape(-1, 4)), rel=1e-4)
    assert size["rmse_to_labels"] == pytest.approx(rms(np.maximum(outputs[:, 7:], 0) - x[:, :1]), rel=1e-4)
    assert found["snn_accuracy"] is None


def test_the_saved_network_keeps_its_task(tmp_path, capsys):
    """A linear pair of outputs is a classification until labels or the configuration say otherwise."""
    model = output_nets.regression()
    file = case(tmp_path, model, lambda x: x[:, :2])
    (first,) = run(file)
    write_config(file, {"tools": {"parse": "False", "convert": "False", "evaluate_ann": "False"}})
    assert run(file) == [first]
    assert results_of(tmp_path)["outputs"][0]["task"] == "regression"
    np.savez_compressed(tmp_path / "y_test.npz", np.arange(output_nets.IMAGES) % 2)
    write_config(file, {"adsnn": {"task": "classification"}})
    run(file)
    found = results_of(tmp_path)
    outputs = bare(model, output_nets.inputs(model))
    assert found["snn_accuracy"] == pytest.approx((outputs[:, -1].argmax(axis=1) == np.arange(23) % 2).mean())


def test_a_study_of_yes_and_no(tmp_path):
    from snntb_adsnn.studies.study import Subject
    from snntb_adsnn.studies.sweep import make_shared, simulate_images

    model = output_nets.multilabel()
    config = load_config(case(tmp_path, model, lambda x: (x[:, :5] > 0).astype(int), {"adsnn": {"engine": "event"}}))
    subject = Subject.of(load(config, model=True))
    x = output_nets.inputs(model)
    np.testing.assert_array_equal(subject.ann, model.predict(x, verbose=0) > 0.5)
    figures, (right, _) = simulate_images(make_shared(config, subject), subject.network, DURATION)
    outputs = bare(model, x)[:, -1]
    assert figures["snn_accuracy"] == pytest.approx(((outputs > 0) == (x[:, :5] > 0)).mean())
    np.testing.assert_array_equal(right, ((outputs > 0) == (x[:, :5] > 0)).all(axis=1))
