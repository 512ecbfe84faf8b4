"""AAN in Keras 3: the values and gradients of Keras 2's, in one process with it; files."""

import os
import subprocess
import sys

import numpy as np
import pytest

keras = pytest.importorskip("keras", minversion="3")

from snntb_adsnn import ASNParameters, transfer  # noqa: E402
from snntb_adsnn.frontends.keras.activation import AAN as AAN2  # noqa: E402
from snntb_adsnn.frontends.keras.compat import keras as keras2  # noqa: E402
from snntb_adsnn.frontends.keras.compat import tf  # noqa: E402
from snntb_adsnn.keras3 import AAN  # noqa: E402
from snntb_adsnn.neuron.gradient import GRADIENTS  # noqa: E402
from snntb_adsnn.neuron.transfer import FORMS  # noqa: E402


def value_and_gradient(activation, S):
    x = tf.constant(S)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = activation(x)
    return y.numpy(), tape.gradient(y, x).numpy()


@pytest.mark.parametrize("rule", GRADIENTS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("m_f", [0.02, 0.4])
def test_equals_keras_2_and_the_numpy_transfer_function(form, m_f, rule):
    S = np.linspace(-1, 5, 5001)
    assert keras2 is not keras
    y, gradient = value_and_gradient(AAN(m_f, form, rule), S)
    y2, gradient2 = value_and_gradient(AAN2(m_f, form, rule), S)
    np.testing.assert_allclose(y, transfer(S, ASNParameters(m_f=m_f), form), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(y, y2, rtol=1e-12)
    np.testing.assert_allclose(gradient, gradient2, rtol=1e-12)


def model():
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((6,)),
            layers.Dense(5, activation=AAN(0.3)),
            layers.Dense(4),
            layers.Activation(AAN(0.2, "taylor", tau_eta=40.0)),
            layers.Dense(4, activation=AAN(0.2, gradient="exact")),
            layers.Dense(3, activation="softmax"),
        ]
    )


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
def test_survives_files_read_by_a_new_process(suffix, tmp_path):
    x = np.random.default_rng(0).normal(size=(7, 6)).astype(np.float32)
    written = model()
    written.save(tmp_path / f"model{suffix}")
    np.save(tmp_path / "x.npy", x)
    script = (
        "import sys, numpy as np, keras, snntb_adsnn.keras3\n"
        f"model = keras.models.load_model(sys.argv[1] + '/model{suffix}', compile=False)\n"
        "np.save(sys.argv[1] + '/y.npy', model.predict(np.load(sys.argv[1] + '/x.npy'), verbose=0))\n"
        "print(*(l.activation.name for l in model.layers if hasattr(l.activation, 'form')))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), written.predict(x, verbose=0))
    names = [AAN(0.3).name, AAN(0.2, "taylor", tau_eta=40.0).name, AAN(0.2, gradient="exact").name]
    assert found.stdout.split() == names


def test_survives_json():
    again = keras.models.model_from_json(model().to_json())
    activations = [layer.activation for layer in again.layers if isinstance(layer.activation, AAN)]
    assert activations == [AAN(0.3), AAN(0.2, "taylor", tau_eta=40.0), AAN(0.2, gradient="exact")]


def test_a_plain_fit_learns():
    keras.utils.set_random_seed(0)
    x = np.linspace(0, 1, 64, dtype=np.float32)[:, None]
    net = keras.Sequential(
        [keras.layers.Input((1,)), keras.layers.Dense(8, activation=AAN(0.2)), keras.layers.Dense(1)]
    )
    net.compile(keras.optimizers.Adam(0.02), "mse")
    losses = net.fit(x, 1 - x, epochs=60, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.1 * losses[0]
