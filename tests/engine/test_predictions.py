"""What a result says of outputs that are no classes, against what Keras predicts."""

import numpy as np
import output_nets
import pytest
from scipy.special import expit

from snntb_adsnn import convert, simulate
from snntb_adsnn.engine import ENGINES, Engine, Switch
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.network import Output


def simulated(make, duration=1500, **options):
    model = make()
    x = output_nets.inputs(model, 12)
    return model.predict(x, verbose=0), simulate(convert(model, x), x, duration=duration, engine="event", **options)


def settled(values):
    """Mean over the second half of the steps, shape (images, ...)."""
    return values[:, values.shape[1] // 2 :].mean(axis=1)


@pytest.mark.parametrize("kind", ["binary", "multilabel", "regression", "autoencoder"])
def test_predictions_become_the_models(kind):
    expected, result = simulated(getattr(output_nets, kind))
    assert result.predictions.shape == (12, 1500, *expected.shape[1:])
    found = settled(result.predictions)
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.15 * expected.std()


def test_predictions_are_the_activation_of_the_outputs():
    _, result = simulated(output_nets.multilabel, 50)
    np.testing.assert_allclose(result.predictions, expit(result.outputs.astype(float)), atol=1e-6)


def test_decisions_of_one_sigmoid_are_yes_and_no():
    expected, result = simulated(output_nets.binary)
    clear = abs(expected[:, 0] - 0.5) > 0.1
    assert clear.sum() > 6
    assert result.decisions.shape == (12, 1500)
    np.testing.assert_array_equal(result.decisions[clear, -1], expected[clear, 0] > 0.5)
    assert 0 < result.decisions[:, -1].mean() < 1


def test_decisions_of_several_sigmoids_are_one_a_label():
    expected, result = simulated(output_nets.multilabel)
    clear = abs(expected - 0.5) > 0.1
    assert result.decisions.shape == (12, 1500, 5)
    np.testing.assert_array_equal(result.decisions[:, -1][clear], (expected > 0.5)[clear])


def test_values_decide_nothing():
    _, result = simulated(output_nets.autoencoder, 20)
    with pytest.raises(ParameterError, match="no decisions; read outputs .* or predictions"):
        _ = result.decisions


def test_several_outputs_are_read_by_their_names():
    expected, result = simulated(output_nets.several)
    assert list(result.by_output) == ["kind", "image", "size"]
    for found, wanted in zip(result.by_output.values(), expected, strict=True):
        assert found.shape == (12, 1500, *wanted.shape[1:])
        assert np.sqrt(np.mean((settled(found) - wanted) ** 2)) < 0.2 * wanted.std()
    with pytest.raises(ParameterError, match=r"3 outputs \(kind, image, size\).*by_output"):
        _ = result.decisions


def test_every_way_to_simulate_knows_the_outputs(monkeypatch):
    """An engine that does not observe is asked in another way."""
    model = output_nets.binary()
    x = output_nets.inputs(model, 3)
    network = convert(model, x)
    monkeypatch.setitem(ENGINES._entries, "plain", Engine("snntb_adsnn.engine.reference"))
    for options in ({"engine": "event"}, {"engine": "reference"}, {"engine": "plain", "on_spikes": lambda *_: None}):
        result = simulate(network, x, duration=20, **options)
        assert result.readout is network.readout


@pytest.mark.parametrize("kind", ["binary", "multilabel", "autoencoder", "several"])
def test_arousal_compares_classes_only(kind):
    with pytest.raises(ParameterError, match="Switch compares the highest outputs of classes, and the task of this"):
        simulated(getattr(output_nets, kind), 50, switch=Switch(0.05, 10, 10, 0.1))


def test_a_task_that_is_said_decides():
    model = output_nets.regression()
    x = output_nets.inputs(model, 3)
    network = convert(model, x)
    assert network.readout.outputs == (Output("readout", (2,), "linear"),)
    classes = simulate(network, x, duration=30, engine="reference")
    assert classes.decisions.shape == (3, 30)
    values = simulate(network.with_task("regression"), x, duration=30, engine="reference")
    np.testing.assert_array_equal(values.predictions, classes.outputs)
    with pytest.raises(ParameterError, match="no decisions"):
        _ = values.decisions
