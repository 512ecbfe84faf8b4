"""The nets, and the layers that only training needs: same function, same weights, nothing left behind."""

import numpy as np
import pytest

from snntb_adsnn.errors import ParameterError
from snntb_adsnn.frontends import convert
from snntb_adsnn.frontends.keras.activation import AAN
from snntb_adsnn.frontends.keras.compat import keras, tf
from snntb_adsnn.nets import NETS, build
from snntb_adsnn.neuron.transfer import SMALLEST_SMOOTH, smooth_constants, transfer, transfer_gradient
from snntb_adsnn.training import model as module
from snntb_adsnn.training.model import (
    ActivityPenalty,
    CodingNoise,
    SmoothAAN,
    copy_weights,
    neuron_count,
    training_model,
)

SHAPES = {
    **{"iris": (4,), "sonar": (60,), "digits": (8, 8, 1), "mnist": (28, 28, 1), "mnist_dense": (28, 28, 1)},
    # any size will do: small ones are quick
    **{"vgg_cifar": (16, 16, 3), "resnet_cifar": (16, 16, 3), "resnet9": (16, 16, 3), "resnet18": (32, 32, 3)},
}
assert tuple(SHAPES) == tuple(NETS)


def randomized(model, seed=0):
    """Give batch-norms some history, gains of both signs included where training allows them."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = (w.shape for w in layer.get_weights())
            signs = [-1, 1] if layer.gamma_constraint is None else [0, 1]
            layer.set_weights(
                [
                    rng.choice(signs, gamma) * rng.uniform(0.5, 1.5, gamma),
                    rng.uniform(0, 1, beta),
                    rng.normal(0, 0.3, mean),
                    rng.uniform(0.3, 1, variance),
                ]
            )
    return model


def inputs(architecture, n=8):
    return np.random.default_rng(1).uniform(0, 1, (n, *SHAPES[architecture])).astype(np.float32)


@pytest.mark.parametrize("architecture", NETS)
def test_nets_are_of_standard_layers_and_convert(architecture):
    model = randomized(build(architecture, SHAPES[architecture], 3, AAN(0.2)))
    coded = architecture != "resnet9"  # whose first neurons take in the image through their convolution
    assert isinstance(model.layers[1], keras.layers.BatchNormalization if coded else keras.layers.Conv2D)
    assert isinstance(model.layers[2 if coded else 3].activation, AAN)
    standard = {"InputLayer", "BatchNormalization", "Activation", "Dense", "Conv2D", "MaxPooling2D", "Flatten"}
    standard |= {"Dropout", "Add", "GlobalAveragePooling2D"}
    assert {type(layer).__name__ for layer in model.layers} <= standard
    network = convert(model, inputs(architecture))  # checks that analog == Keras
    assert network.neuron_count == neuron_count(model)


@pytest.mark.parametrize("architecture", NETS)
def test_training_model_is_the_same_function_on_the_same_weights(architecture):
    model = randomized(build(architecture, SHAPES[architecture], 3, AAN(0.2)))
    learner = training_model(model, coding_noise=2, activity_penalty=1, augmentation=len(SHAPES[architecture]) == 3)
    x = inputs(architecture)
    np.testing.assert_allclose(learner(x, training=False), model(x), atol=1e-6)
    assert {id(w) for w in learner.trainable_weights} == {id(w) for w in model.trainable_weights}
    # the layers are shared and pooling changes places in the learner only
    assert [type(layer).__name__ for layer in model.layers].count("CodingNoise") == 0
    assert float(tf.reduce_max(abs(learner(x, training=True) - model(x)))) > 1e-3


def test_model_survives_its_file_after_sharing_layers(tmp_path):
    model = randomized(build("digits", (8, 8, 1), 10, AAN(0.3, form="taylor")))
    training_model(model, coding_noise=1, activity_penalty=1)
    model.save(tmp_path / "m.h5", save_format="h5")
    again = keras.models.load_model(tmp_path / "m.h5", compile=False)
    assert again.get_layer("aan_2").activation == AAN(0.3, form="taylor")
    x = inputs("digits")
    np.testing.assert_array_equal(again(x), model(x))


def test_coding_noise_has_the_stated_size_on_active_units_only():
    layer = CodingNoise(factor=2.0, height=0.5)
    x = np.zeros((200, 1000), np.float32)
    x[:, ::2] = 0.7
    assert layer(x) is x or np.array_equal(layer(x), x)
    noisy = layer(x, training=True).numpy()
    assert np.array_equal(noisy[:, 1::2], x[:, 1::2])
    difference = noisy[:, ::2] - x[:, ::2]
    assert difference.std() == pytest.approx(2 * 0.5 / np.sqrt(12), rel=0.01)
    assert abs(difference.mean()) < 0.005


def test_coding_noise_matches_the_spike_coding_it_stands_for():
    """Standard deviation of the decoded signal of a regularly spiking neuron, from the step equations."""
    from snntb_adsnn import ASNParameters, simulate_neuron, spike_height

    parameters = ASNParameters(m_f=0.2)
    h = spike_height(parameters)
    spikes = simulate_neuron(np.full(3000, 1.0), parameters).spikes
    current = np.zeros(len(spikes))
    for t in range(1, len(spikes)):
        current[t] = parameters.k_beta * current[t - 1] + h * spikes[t]
    assert current[500:].std() == pytest.approx(h / np.sqrt(12), rel=0.1)


def test_activity_penalty_is_the_mean_output_of_all_neurons():
    model = randomized(build("digits", (8, 8, 1), 10, AAN(0.2)))
    x = inputs("digits")
    learner = training_model(model, activity_penalty=0.7)
    learner(x)
    network = convert(model, x)
    outputs = keras.Model(model.input, [model.get_layer(n).output for n in ("aan_input", "aan_1", "pool_2")])(x)
    total = sum(float(tf.reduce_sum(output)) for output in outputs) / len(x)
    assert float(sum(learner.losses)) == pytest.approx(0.7 * total / network.neuron_count, rel=1e-5)


@pytest.mark.parametrize("layer", [CodingNoise(1.5, 0.2), ActivityPenalty(0.3), SmoothAAN(AAN(0.2).name, 1.5, 0.3)])
def test_training_layers_can_be_rebuilt(layer):
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert again.get_config() == layer.get_config()


def test_pooling_and_aan_change_places_without_changing_values():
    model = build("mnist", (28, 28, 1), 10, AAN(0.2))
    names = []
    module._pooling_first(model, None, lambda layer, x: names.append(layer.name))
    assert sorted(names) == sorted(layer.name for layer in model.layers[1:])
    assert names.index("pool_1") < names.index("aan_1")
    assert [layer.name for layer in model.layers].index("pool_1") > names.index("pool_1")


@pytest.mark.parametrize(
    ("architecture", "shape", "reason"),
    [
        ("vgg", (4,), "'vgg' is unknown.*iris, sonar"),
        ("mnist", (4,), "takes inputs of 3 dimension"),
        ("iris", (8, 8, 1), "takes inputs of 1 dimension"),
        ("mnist", (6, 6, 1), r"cannot take inputs of shape \(6, 6, 1\)"),
    ],
)
def test_what_does_not_fit_is_refused(architecture, shape, reason):
    with pytest.raises(ParameterError, match=reason):
        build(architecture, shape, 3, AAN(0.2))


def test_smooth_aan_is_the_exact_one_in_inference_and_close_to_it_in_training():
    activation = AAN(0.3)
    x = np.linspace(-2, 6, 1601, dtype=np.float32)[None]
    layer = SmoothAAN(activation.name)
    np.testing.assert_array_equal(layer(x), activation(x))
    with tf.GradientTape() as tape:
        S = tf.constant(x)
        tape.watch(S)
        y = layer(S, training=True)
    exact = transfer(x, activation.parameters)
    half = activation.parameters.resting_threshold / 2
    away = np.abs(x - half) > 0.01
    np.testing.assert_allclose(y.numpy()[away], exact[away], atol=0.002)
    assert not y.numpy()[x < half].any()
    slope = tape.gradient(y, S).numpy()
    np.testing.assert_allclose(
        slope[x > half + 0.1], transfer_gradient(x, activation.parameters)[x > half + 0.1], atol=0.05
    )
    assert 2 < slope.max() < 4  # the exact form has no largest slope


@pytest.mark.parametrize("m_f", [SMALLEST_SMOOTH, 0.1, 0.5, 1.0])
def test_smooth_form_at_every_precision(m_f):
    parameters = AAN(m_f).parameters
    n0, n1, n2, d1, d2 = smooth_constants(parameters)
    e = np.geomspace(0.01, 8, 300)
    found = (n0 + e * (n1 + e * n2)) / (1 + e * (d1 + e * d2))
    np.testing.assert_allclose(found, transfer(m_f / 2 + e, parameters), atol=0.01)
    assert min(n0, n1, n2, d1, d2) > 0  # no pole, and it never falls
    assert n1 / d1 > n0
    assert n2 / d2 > n1 / d1


def test_smooth_aan_carries_noise_and_penalty():
    activation = AAN(0.3)
    x = np.full((4, 5000), 1.0, np.float32)
    x[:, ::2] = -1
    layer = SmoothAAN(activation.name, coding_noise=2.0, activity_penalty=0.5)
    y = layer(x, training=True).numpy()
    assert not y[:, ::2].any()
    assert y[:, 1::2].std() == pytest.approx(2 * activation.height / np.sqrt(12), rel=0.02)
    assert float(layer.losses[0]) == pytest.approx(0.5 * y.sum() / 4, rel=1e-5)


def test_mixed_precision_learns_on_weights_of_its_own():
    model = randomized(build("resnet_cifar", (16, 16, 3), 3, AAN(0.3)))
    learner = training_model(model, smooth=True, precision="mixed_bfloat16")
    x = inputs("resnet_cifar")
    np.testing.assert_allclose(learner(x, training=False), model(x), atol=0.05)
    kernel = learner.get_layer("conv_stem").kernel
    assert kernel.dtype == tf.float32
    assert kernel is not model.get_layer("conv_stem").kernel
    kernel.assign(kernel + 1)
    copy_weights(learner, model)
    np.testing.assert_array_equal(model.get_layer("conv_stem").kernel, kernel)
    assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
