"""AAN inside Keras: values, gradient, and every way in which a model is stored."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snntb_adsnn import ASNParameters, transfer
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.frontends.keras.activation import AAN
from snntb_adsnn.frontends.keras.compat import keras, tf
from snntb_adsnn.neuron.gradient import GRADIENTS, training_gradient
from snntb_adsnn.neuron.transfer import FORMS


def value_and_gradient(activation, S):
    x = tf.constant(S)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = activation(x)
    return y.numpy(), tape.gradient(y, x).numpy()


@pytest.mark.parametrize("rule", GRADIENTS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("m_f", [0.02, 0.1, 0.4, 1.5])
def test_equals_the_numpy_transfer_function(form, m_f, rule):
    S = np.linspace(-1, 5, 20_001, dtype=np.float32)
    S = S[np.abs(S - m_f / 2) > 1e-3]  # float32 cannot resolve the infinite slope at theta0/2
    y, gradient = value_and_gradient(AAN(m_f, form, rule), S)
    p = ASNParameters(m_f=m_f)
    np.testing.assert_allclose(y, transfer(S, p, form), atol=2e-6)
    regular = np.abs(S) > 1e-6
    expected = training_gradient(S, p, form, rule)
    if form == "exact":
        regular &= S < 0.99 * S[expected == 0].max() if expected[-1] == 0 else True  # kink at saturation
    np.testing.assert_allclose(gradient[regular], expected[regular], rtol=1e-3, atol=1e-5)


@given(S=st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=20), form=st.sampled_from(FORMS))
def test_never_nan_whatever_the_input(S, form):
    y, gradient = value_and_gradient(AAN(0.3, form), np.array([*S, 0.15, 0.15000001], np.float32))
    assert np.isfinite(y).all()
    assert np.isfinite(gradient).all()


def model_with_two_precisions():
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((6,)),
            layers.Dense(5, activation=AAN(0.3)),
            layers.Dense(4),
            layers.Activation(AAN(0.2, "taylor", tau_eta=40.0)),
            layers.Dense(3, activation="softmax"),
        ]
    )


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
def test_survives_files_read_by_a_new_process(suffix, tmp_path):
    model = model_with_two_precisions()
    x = np.random.default_rng(0).normal(size=(7, 6)).astype(np.float32)
    model.save(tmp_path / f"model{suffix}")
    np.save(tmp_path / "x.npy", x)
    script = (
        "import sys, numpy as np\n"
        "from snntb_adsnn.frontends.keras.compat import keras\n"
        "import snntb_adsnn.frontends.keras.activation\n"
        f"model = keras.models.load_model(sys.argv[1] + '/model{suffix}', compile=False)\n"
        "np.save(sys.argv[1] + '/y.npy', model.predict(np.load(sys.argv[1] + '/x.npy'), verbose=0))\n"
        "print(*(l.activation.name for l in model.layers if hasattr(l.activation, 'form')))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), model.predict(x, verbose=0))
    assert found.stdout.split() == [AAN(0.3).name, AAN(0.2, "taylor", tau_eta=40.0).name]


def test_survives_json():
    model = model_with_two_precisions()
    again = keras.models.model_from_json(model.to_json())
    assert [layer.activation for layer in again.layers][:3:2] == [AAN(0.3), AAN(0.2, "taylor", tau_eta=40.0)]


@given(
    m_f=st.floats(0.01, 1.9),
    tau_eta=st.floats(5, 200),
    form=st.sampled_from(FORMS),
    rule=st.sampled_from(GRADIENTS),
)
def test_the_name_alone_gives_the_activation_back(m_f, tau_eta, form, rule):
    activation = AAN(m_f, form, rule, tau_eta=tau_eta)
    again = AAN.from_name(activation.__name__)
    assert again == activation
    assert again.gradient == rule
    assert again.parameters == activation.parameters
    # SNN Toolbox looks the string up, and reads these words in it as quantised or binary activations
    assert keras.activations.get(activation.__name__) == activation
    assert not any(word in activation.name for word in ("_Q", "binary", "clamped_relu", "softmax"))


def test_names_and_configurations_from_before_there_were_gradients_are_read():
    old = {"form": "exact", "m_f": 0.3, "theta0": 0.3, "tau_gamma": 15.0, "tau_eta": 50.0, "tau_beta": 50.0}
    name = "aan_exact_mf0.3_theta0.3_gamma15.0_eta50.0_beta50.0_phi2.5_dt1.0"
    assert AAN(0.3).name == AAN.from_config(old).name == AAN.from_name(name).name == name
    assert AAN(0.3).get_config() == {**old, "tau_phi": 2.5, "dt": 1.0}
    assert AAN(0.3, gradient="exact").get_config()["gradient"] == "exact"
    assert AAN(0.3, gradient="exact") != AAN(0.3) == AAN(0.3, gradient="bounded")


def test_the_gradient_is_bounded_where_the_form_is_infinitely_steep_and_the_values_stay():
    S = (0.05 + np.concatenate([[0], np.geomspace(1e-8, 1, 200)])).astype(np.float32)
    values, slopes = zip(
        *(value_and_gradient(AAN(0.1, gradient=rule), S) for rule in ("exact", "bounded")), strict=True
    )
    np.testing.assert_array_equal(*values)
    assert slopes[0].max() > 100
    assert 0 < slopes[1].min() <= slopes[1].max() <= 1


def test_an_unknown_gradient_is_refused():
    with pytest.raises(ParameterError, match="no gradient 'smooth': choose one of bounded, exact"):
        AAN(gradient="smooth")


def test_a_foreign_name_is_refused():
    with pytest.raises(ParameterError, match="'relu' is not the name of an AAN"):
        AAN.from_name("relu")


def test_gradient_descent_fits_a_line():
    keras.utils.set_random_seed(0)
    x = np.linspace(0, 1, 64, dtype=np.float32)[:, None]
    model = keras.Sequential(
        [keras.layers.Input((1,)), keras.layers.Dense(8, activation=AAN(0.2)), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(0.02), "mse")
    losses = model.fit(x, 1 - x, epochs=60, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.1 * losses[0]


def test_the_package_does_not_import_tensorflow():
    script = (
        "import sys, snntb_adsnn, snntb_adsnn.network, snntb_adsnn.measure.evaluate\n"
        "assert 'tensorflow' not in sys.modules and 'snntoolbox' not in sys.modules\n"
        "snntb_adsnn.AAN(0.1); assert 'tensorflow' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env=dict(os.environ))
