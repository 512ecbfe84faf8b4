"""The shipped weights do what is claimed for them: the AdSNN decides as well as its ANN, on whole test sets."""

from pathlib import Path

import numpy as np
import pytest

from snntb_adsnn.activation import AAN
from snntb_adsnn.config import load_config
from snntb_adsnn.convert import convert
from snntb_adsnn.data import load_dataset
from snntb_adsnn.engine import simulate
from snntb_adsnn.errors import DataError
from snntb_adsnn.evaluate import matching_step
from snntb_adsnn.keras_compat import keras

CONFIGS = Path(__file__).parent.parent / "configs"


def shipped(name):
    config = load_config(CONFIGS / f"{name}.ini")
    try:
        dataset = load_dataset(config.need_training().dataset)
    except DataError as error:
        pytest.skip(str(error))
    return config, keras.models.load_model(config.adsnn.pretrained, compile=False), dataset


def figures(name, batch=500):
    """ANN accuracy, AdSNN accuracy, firing rate in Hz and matching time in ms over 500 ms on the whole test set."""
    config, model, dataset = shipped(name)
    labels = dataset.y_test.argmax(axis=1)
    ann = (model.predict(dataset.x_test, batch_size=500, verbose=0).argmax(axis=1) == labels).mean()
    network = convert(model, dataset.x_test[:20], readout_tau_phi=config.adsnn.readout_tau_phi)
    correct, rates = [], []
    for start in range(0, len(labels), batch):
        result = simulate(network, dataset.x_test[start : start + batch], duration=500)
        correct.append(result.decisions == labels[start : start + batch, None])
        rates.append(result.firing_rate_hz * len(correct[-1]))
    accuracy = np.concatenate(correct).mean(axis=0)
    matching = matching_step(accuracy, config.adsnn.matching_fraction) + 1
    return ann, accuracy[-1], sum(rates) / len(labels), matching


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.ini")), ids=lambda path: path.stem)
def test_shipped_weights_were_trained_as_their_configuration_says(path):
    config, model, dataset = shipped(path.stem)
    training = config.need_training()
    activations = [layer.activation for layer in model.layers if isinstance(getattr(layer, "activation", None), AAN)]
    assert set(activations) == {AAN(m_f=training.m_f, form=training.form)}
    assert model.input_shape[1:] == dataset.input_shape
    assert not any("Noise" in type(layer).__name__ or "Penalty" in type(layer).__name__ for layer in model.layers)


@pytest.mark.parametrize(("name", "ann_at_least", "rate_at_most"), [("iris", 0.9, 60), ("sonar", 0.8, 60)])
def test_small_sets_lose_nothing(name, ann_at_least, rate_at_most):
    ann, snn, rate, _ = figures(name)
    assert ann >= ann_at_least
    assert snn == pytest.approx(ann)
    assert rate <= rate_at_most


def test_digits():
    ann, snn, rate, matching = figures("digits")
    assert ann >= 0.98
    assert snn == pytest.approx(ann, abs=0.003)
    assert rate <= 25
    assert matching <= 150


@pytest.mark.slow
def test_mnist():
    """The claim of the README: at least 99.2 %, within 0.05 points of the ANN, at most 15 Hz and 150 ms."""
    ann, snn, rate, matching = figures("mnist")
    assert ann >= 0.992
    assert abs(snn - ann) <= 0.0005 + 1e-9
    assert rate <= 15
    assert matching <= 150
