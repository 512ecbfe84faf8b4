"""ResNet-18 v2, the net for 224 x 224, on small images: whole, through every residual block, as the ANN and as Keras.

``test_models`` checks its conversion layer by layer only, each layer on Keras' outputs of the layers before it.
"""

import numpy as np
import pytest
from toolbox_cases import with_biases, write_config

from snntb_adsnn import AAN, convert, simulate
from snntb_adsnn.frontends.keras.compat import keras
from snntb_adsnn.nets import build
from snntb_adsnn.network import Neurons, SpikingNetwork

SHAPE = (32, 32, 3)
X = np.random.default_rng(1).uniform(0, 1, (4, *SHAPE)).astype(np.float32)
EXACT = 5e-8
"""Of the largest value, with constants in float64: the AAN's table is exact to 2e-9; one rounded layer costs 3e-7."""
ROUNDED = 1e-4
"""With constants in float32: each layer is infinitely steep at its threshold, so that less would ask for luck."""


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return with_biases(build("resnet18", SHAPE, 10, AAN(0.2)))


@pytest.fixture
def double(model):
    """The same model in float64, with the logits as its outputs: float32 rounding must not decide the comparison."""
    before = keras.backend.floatx()
    keras.backend.set_floatx("float64")
    try:
        copy = build("resnet18", SHAPE, 10, AAN(0.2))
    finally:
        keras.backend.set_floatx(before)
    copy.set_weights(model.get_weights())
    copy.layers[-1].activation = keras.activations.linear
    return copy


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, EXACT), (np.float32, ROUNDED)])
def test_analog_is_keras_from_end_to_end(model, double, dtype, tolerance):
    network = convert(model, X, dtype=dtype)
    assert {node.bias.dtype for node in network.nodes if isinstance(node, Neurons)} == {np.dtype(dtype)}
    expected = double.predict(X.astype(np.float64), verbose=0)
    assert expected.dtype == np.float64
    assert np.ptp(expected, axis=0).min() > 100 * tolerance * np.abs(expected).max()  # the images differ
    np.testing.assert_allclose(
        network.analog(X, logits=True), expected, rtol=0, atol=tolerance * np.abs(expected).max()
    )
    exponentials = np.exp(expected)
    np.testing.assert_allclose(
        network.analog(X), exponentials / exponentials.sum(axis=1, keepdims=True), rtol=0, atol=tolerance
    )
    values = {network.input.name: X.astype(np.float64)}
    alive = {}
    for node, total in network.propagate(values):
        if isinstance(node, Neurons):
            values[node.name] = node.analog(total)
            alive[node.name] = (values[node.name] > 0).mean()
    assert len(alive) == 19
    assert min(alive.values()) > 0.1, alive


@pytest.mark.slow
def test_it_passes_the_toolbox_pipeline(model, tmp_path):
    from snntb_adsnn.toolbox import run

    truth = model.predict(X, verbose=0).argmax(axis=1)
    model.save(tmp_path / "net.h5")
    np.savez_compressed(tmp_path / "x_test.npz", X)
    np.savez_compressed(tmp_path / "y_test.npz", np.eye(10)[truth])
    simulation = {"duration": "60", "num_to_test": str(len(X)), "batch_size": "3"}
    (accuracy,) = run(write_config(tmp_path / "net.ini", {"simulation": simulation, "adsnn": {"engine": "event"}}))
    network = SpikingNetwork.load(tmp_path / "net_adsnn.npz")
    parsed = keras.models.load_model(tmp_path / "net_parsed.h5", compile=False)
    np.testing.assert_allclose(network.analog(X), parsed.predict(X, verbose=0), rtol=0, atol=ROUNDED)
    np.testing.assert_allclose(network.analog(X), convert(model, X).analog(X), rtol=0, atol=ROUNDED)
    result = simulate(network, X, duration=60)
    assert accuracy == np.mean(result.decisions[:, -1] == truth)
    assert len(result.spike_counts) == 19
    assert all(counts.any() for counts in result.spike_counts.values())
