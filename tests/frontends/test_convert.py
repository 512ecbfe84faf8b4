"""Conversion: exact for every supported layer, in any order; refused, with a reason, for everything else."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shrinking import NOT_SHRUNK

from snntb_adsnn import AAN, SpikingNetwork, convert, simulate
from snntb_adsnn.errors import ConversionError, ParameterError
from snntb_adsnn.frontends.keras.compat import keras
from snntb_adsnn.network.maps import Conv2D, Dense, Scale

L = keras.layers


def randomised(model, seed=0):
    """The model with random weights, biases and batch-norm statistics (none of them at its default)."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        weights = [w + rng.normal(0, 0.2, w.shape) for w in layer.get_weights()]
        if isinstance(layer, L.BatchNormalization):
            weights = [rng.uniform(0.5, 2, w.shape) for w in layer.get_weights()]
        layer.set_weights(weights)
    return model


def images(shape, count=6, seed=1):
    return np.random.default_rng(seed).normal(0.3, 1, (count, *shape)).astype(np.float32)


def assert_exact(model, x):
    network = convert(model, x)
    np.testing.assert_allclose(network.analog(x), model.predict(x, verbose=0), atol=1e-5)
    return network


def chain(shape, *layers):
    return randomised(keras.Sequential([L.Input(shape), *layers, L.Flatten(), L.Dense(3, activation="softmax")]))


IMAGE = (8, 7, 2)
CASES = {
    "batch norm first": [L.BatchNormalization(), L.Activation(AAN(0.2))],
    "batch norm behind the activation": [L.Conv2D(3, 3, activation=AAN(0.2)), L.BatchNormalization(), L.Conv2D(3, 3, padding="same")],
    "strides and same padding": [L.Conv2D(4, 3, strides=2, padding="same", activation=AAN(0.2))],
    "dilation": [L.Conv2D(4, 3, dilation_rate=2, activation=AAN(0.2))],
    "groups": [L.Conv2D(4, 3, groups=2), L.BatchNormalization(), L.Activation(AAN(0.2)), L.BatchNormalization(), L.Conv2D(6, 2, groups=2)],
    "depthwise": [L.DepthwiseConv2D(3, depth_multiplier=2), L.BatchNormalization(), L.Activation(AAN(0.2))],
    "separable": [L.SeparableConv2D(4, 3, activation=AAN(0.2))],
    "max pooling behind the activation": [L.Conv2D(4, 3), L.BatchNormalization(), L.Activation(AAN(0.2)), L.MaxPooling2D(2)],
    "max pooling before the activation": [L.Conv2D(4, 3), L.MaxPooling2D(3, 2, padding="same"), L.BatchNormalization(), L.Activation(AAN(0.2))],
    "average pooling before the activation": [L.Conv2D(4, 3), L.AveragePooling2D(2, padding="same"), L.BatchNormalization(), L.Activation(AAN(0.2))],
    "average pooling behind the activation": [L.Conv2D(4, 3, activation=AAN(0.2)), L.AveragePooling2D(2), L.BatchNormalization(), L.Conv2D(2, 2)],
    "global average pooling": [L.Conv2D(4, 3, activation=AAN(0.2)), L.GlobalAveragePooling2D()],
    "global max pooling": [L.Conv2D(4, 3, activation=AAN(0.2)), L.GlobalMaxPooling2D(), L.BatchNormalization(), L.Dense(5, activation=AAN(0.3))],
    "global max pooling, dimensions kept": [L.Conv2D(4, 3, activation=AAN(0.2)), L.GlobalMaxPooling2D(keepdims=True), L.Conv2D(3, 1)],
    "global max pooling before the activation": [L.Conv2D(4, 3), L.GlobalMaxPooling2D(), L.Activation(AAN(0.2))],
    "global max pooling, batch norm, activation": [L.Conv2D(4, 3), L.GlobalMaxPooling2D(), L.BatchNormalization(), L.Activation(AAN(0.2))],
    "zero padding": [L.Conv2D(4, 3, activation=AAN(0.2)), L.BatchNormalization(), L.ZeroPadding2D(((1, 0), (2, 1))), L.Conv2D(2, 3)],
    "cropping": [L.Conv2D(4, 3, activation=AAN(0.2)), L.Cropping2D(((1, 0), (2, 1))), L.BatchNormalization(), L.Conv2D(2, 2, activation=AAN(0.2))],
    "cropping before the activation": [L.Conv2D(4, 3), L.Cropping2D(1), L.BatchNormalization(), L.Activation(AAN(0.2)), L.MaxPooling2D(2)],
    "cropping of the input": [L.Cropping2D((2, 1)), L.BatchNormalization(), L.Activation(AAN(0.2))],
    "up-sampling": [L.Conv2D(4, 3, activation=AAN(0.2)), L.UpSampling2D((2, 3)), L.BatchNormalization(), L.Conv2D(2, 3, activation=AAN(0.2))],
    "up-sampling before the activation": [L.Conv2D(4, 3), L.UpSampling2D(2), L.BatchNormalization(), L.Activation(AAN(0.2)), L.MaxPooling2D(3)],
    "up-sampling of the input": [L.UpSampling2D(2), L.BatchNormalization(), L.Activation(AAN(0.2))],
    "dense on pixels": [L.Dense(4, activation=AAN(0.2))],
    "rescaling and dropout": [L.Rescaling(2.0, -1.0), L.Conv2D(2, 3, activation=AAN(0.2, "taylor")), L.Dropout(0.5), L.SpatialDropout2D(0.2)],
    "reshape": [L.Conv2D(4, 3, activation=AAN(0.2)), L.Reshape((5, 3, 8)), L.Conv2D(2, 2)],
    "batch norm between the activation and max pooling": [L.Conv2D(4, 3, activation=AAN(0.2)), L.BatchNormalization(), L.MaxPooling2D(2), L.Conv2D(3, 2)],
    "zero padding between the activation and max pooling": [L.Conv2D(4, 3, activation=AAN(0.2)), L.ZeroPadding2D(((1, 0), (2, 1))), L.MaxPooling2D(3, 2)],
    "padding and batch norms between": [L.Conv2D(4, 3, activation="relu"), L.ZeroPadding2D(1), L.BatchNormalization(), L.BatchNormalization(), L.MaxPooling2D(3, 2, padding="same")],
    "batch norm, global max pooling": [L.Conv2D(4, 3, activation=AAN(0.2)), L.BatchNormalization(), L.GlobalMaxPooling2D()],
    "batch norms in a row": [L.Conv2D(4, 3), L.ZeroPadding2D(1), L.BatchNormalization(), L.BatchNormalization(), L.ReLU()],
    "normalization of the data": [L.Normalization(mean=[0.3, -0.1], variance=[2.0, 0.5]), L.RandomFlip(), L.Conv2D(2, 3, activation=AAN(0.2))],
    "two linear layers in a row": [L.Conv2D(4, 3, activation=AAN(0.2)), L.Conv2D(3, 2), L.Conv2D(3, 2, padding="same")],
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_layer_is_exact(case):
    assert_exact(chain(IMAGE, *CASES[case]), images(IMAGE))


def test_up_sampling_repeats_pixels_only():
    with pytest.raises(ConversionError, match="interpolation 'bilinear' is not supported; use 'nearest'"):
        convert(chain(IMAGE, L.Activation(AAN(0.2)), L.UpSampling2D(2, interpolation="bilinear")), images(IMAGE))


def test_max_pooling_of_the_whole_image():
    i = L.Input(IMAGE)
    h = L.Conv2D(4, 3, activation=AAN(0.2))(i)
    h = L.MaxPooling2D((6, 5))(h)
    assert_exact(randomised(keras.Model(i, L.Dense(3)(L.Flatten()(h)))), images(IMAGE))


def test_max_pooling_of_branches_moves_into_their_neurons():
    i = L.Input(IMAGE)
    a, b = L.Conv2D(4, 3, activation=AAN(0.2), name="a")(i), L.Conv2D(3, 3, activation="relu", name="b")(i)
    both = L.BatchNormalization()(L.Concatenate()([a, L.BatchNormalization()(b)]))
    h = L.Concatenate()([L.Flatten()(L.MaxPooling2D(2)(both)), L.Flatten()(a)])  # a is also read as it is
    network = assert_exact(randomised(keras.Model(i, L.Dense(3)(h))), images(IMAGE))
    assert {"a", "b"} < set(network.population_names)
    assert [p.pool is None for p in network.populations] == [True, False, False]


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_models_that_keras_computes_in_other_types(policy):
    x = images((12,), 20)
    model = randomised(keras.Sequential([L.Input((12,)), L.Dense(9, AAN(0.2), dtype=policy), L.Dense(3)]))
    plain = keras.Sequential([L.Input((12,)), L.Dense(9, AAN(0.2)), L.Dense(3)])
    plain.set_weights(model.get_weights())
    np.testing.assert_array_equal(convert(model, x).analog(x), convert(plain, x).analog(x))


@pytest.mark.parametrize("size", [1e4, 1e12, 1e30])
def test_values_of_any_size_are_converted(size):
    x = images((12,), 20)
    model = randomised(keras.Sequential([L.Input((12,)), L.Dense(9, AAN(0.2)), L.Dense(3)]))
    assert_exact(model, np.float32(size) * x)


def test_values_that_pass_float32_are_named():
    model = randomised(keras.Sequential([L.Input((12,)), L.Dense(9, "relu", name="one"), L.Dense(9, "relu", name="two"), L.Dense(3)]))  # fmt: skip
    model.set_weights([np.float32(1e30) * w for w in model.get_weights()])
    with pytest.raises(ConversionError, match=r"'two' gives infinite values.*on 20 of 20 test inputs"):
        convert(model, images((12,), 20))


def residual_model(seed=0):
    """A pre-activation residual block with a projection shortcut, then an identity one, then concatenation."""
    i = L.Input(IMAGE)
    h = L.Conv2D(4, 3, padding="same")(i)
    a = L.Activation(AAN(0.2), name="first")(L.BatchNormalization()(h))
    b = L.Activation(AAN(0.2))(L.BatchNormalization()(L.Conv2D(4, 3, strides=2, padding="same")(a)))
    trunk = L.Add()([L.Conv2D(4, 1, strides=2)(a), L.Conv2D(4, 3, padding="same")(b)])
    c = L.Activation(AAN(0.3))(L.BatchNormalization()(trunk))
    trunk = L.Add()([trunk, L.Conv2D(4, 3, padding="same")(c)])
    c = L.Activation(AAN(0.3))(L.BatchNormalization()(trunk))
    both = L.Concatenate()([c, L.MaxPooling2D(2, padding="same", name="pooled_first")(a)])
    return randomised(keras.Model(i, L.Dense(3, activation="softmax")(L.GlobalAveragePooling2D()(both))), seed)


def test_residual_sums_and_concatenation_are_exact():
    network = assert_exact(residual_model(), images(IMAGE))
    # the activation is read as it is and max-pooled: two populations
    assert {"first", "pooled_first"} <= set(network.population_names)


SMALL = (9, 8, 2)


@st.composite
def small_nets(draw):
    """Random chains of convolution, batch norm, activation and pooling that are valid, as functions that make the layers.

    No window is larger than the image that it finds, and zero padding behind a batch norm's shift never comes before max
    pooling that stands in front of the neurons, as the bias there would differ between pixels.
    """
    layers, side, shifted = [], min(SMALL[:2]), False
    if draw(st.booleans()):
        layers += [L.BatchNormalization, partial(L.Activation, AAN(0.3))]
    for _ in range(draw(st.integers(1, 2))):
        activation = AAN(draw(st.sampled_from([0.1, 0.3, 0.8])), draw(st.sampled_from(["exact", "taylor"])))
        pool, steps = draw(st.sampled_from([None, L.MaxPooling2D, L.AveragePooling2D])), draw(st.integers(1, 2))
        stage = {
            "norm": L.BatchNormalization if draw(st.booleans()) else None,
            "activation": partial(L.Activation, activation),
            "pool": pool and partial(pool, 2, steps, padding="same"),
        }
        order = draw(st.permutations(list(stage)))
        padding = draw(st.sampled_from(["valid"] if shifted and pool is L.MaxPooling2D else ["same", "valid"]))
        filters, size, use_bias = draw(st.integers(1, 4)), draw(st.integers(1, min(3, side))), draw(st.booleans())
        strides = draw(st.integers(1, 2))
        layers.append(partial(L.Conv2D, filters, size, strides=strides, padding=padding, use_bias=use_bias))
        layers += [stage[what] for what in order if stage[what] is not None]
        shifted = stage["norm"] is not None and order.index("norm") > order.index("activation")
        side = -(-(side if padding == "same" else side - size + 1) // strides)
        side = -(-side // steps) if pool else side
    return layers


@settings(NOT_SHRUNK, max_examples=20)  # making a model and running it takes a second
@given(layers=small_nets(), seed=st.integers(0, 100))
def test_random_small_nets_are_exact(layers, seed):
    assert_exact(randomised(chain(SMALL, *(make() for make in layers)), seed), images(SMALL, seed=seed))


def test_spikes_approach_the_analog_network():
    x = images(IMAGE)
    model = chain(IMAGE, L.BatchNormalization(), L.Activation(AAN(0.05)), L.Conv2D(4, 3, activation=AAN(0.05)))
    network = convert(model, x)
    analog = network.analog(x, logits=True)
    errors = []
    for m_f in (0.4, 0.05):
        # the analog value of the precision that is simulated
        target = network.with_m_f(m_f).analog(x, logits=True)
        outputs = simulate(network, x, duration=600, m_f=m_f, engine="reference").outputs[:, 300:].mean(axis=1)
        errors.append(np.abs(outputs - target).mean() / analog.std())
    assert errors[1] < 0.05
    assert errors[1] < errors[0]


def test_a_model_made_of_another_models_layers_is_converted_by_its_own_calls():
    whole = chain(IMAGE, L.Conv2D(4, 3, activation=AAN(0.2)), L.Conv2D(4, 3, activation=AAN(0.2)))
    again = keras.Sequential([L.Input(IMAGE), *whole.layers])
    assert_exact(again, images(IMAGE))
    assert_exact(whole, images(IMAGE))


def test_gains_are_folded_into_weights():
    network = convert(chain(IMAGE, *CASES["depthwise"]), images(IMAGE))
    assert not any(isinstance(node, Scale) for node in network.nodes)


def test_save_and_load_give_the_same_network(tmp_path):
    x = images(IMAGE)
    network = convert(residual_model(), x)
    again = SpikingNetwork.load(network.save(tmp_path / "net.npz"))
    np.testing.assert_array_equal(again.analog(x), network.analog(x))
    a, b = (simulate(n, x, duration=50, engine="reference") for n in (network, again))
    np.testing.assert_array_equal(a.outputs, b.outputs)


def test_m_f_overrides_precision_and_spike_height():
    x = images(IMAGE)
    network = convert(chain(IMAGE, L.Conv2D(4, 3, activation=AAN(0.1))), x)
    coarse = network.with_m_f(0.4)
    assert coarse.populations[0].parameters == AAN(0.4).parameters
    assert coarse.populations[0].spike_height == pytest.approx(AAN(0.4).height)
    with pytest.raises(ParameterError, match=r"\['no_such_layer'\]"):
        network.with_m_f({"no_such_layer": 0.2})


def with_nan():
    model = chain(IMAGE, L.Conv2D(2, 3, activation=AAN(0.2), name="broken"))
    kernel, bias = model.get_layer("broken").get_weights()
    kernel[0, 0, 0, 0] = np.nan
    model.get_layer("broken").set_weights([kernel, bias])
    return model


class Doubled(L.Dense):
    """A subclass whose output is not Dense's."""

    def call(self, inputs):
        return 2 * super().call(inputs)


def shared():
    layer = L.Dense(4, activation=AAN(0.2), name="twice")
    i = L.Input((4,))
    return keras.Model(i, L.Dense(2)(layer(layer(i))))


def relu_net():
    return chain(
        IMAGE,
        L.Conv2D(4, 3, activation="relu", name="c1"),
        L.MaxPooling2D(2),
        L.BatchNormalization(),
        L.Conv2D(5, 2, use_bias=False),
        L.BatchNormalization(),
        L.ReLU(name="r"),
        L.AveragePooling2D((2, 1)),
        L.Dense(6),
        L.Activation("relu", name="a"),
        L.Dense(4, activation=AAN(0.2)),
    )


def test_relu_nets_become_graded_spikes_and_equal_keras():
    x = images(IMAGE)
    network = assert_exact(relu_net(), 3 * x)
    assert [p.name for p in network.populations if p.graded] == ["c1", "r", "a"]
    assert {p.form for p in network.populations} == {"relu", "exact"}


def test_resting_thresholds_of_graded_spikes_follow_the_size_of_their_potentials():
    """A ReLU net whose values are all 50 times larger spikes as before."""
    x, model = images(IMAGE), chain(IMAGE, L.Conv2D(4, 3, activation="relu"), L.Conv2D(3, 3, activation="relu"))
    plain = convert(model, x)
    S = np.maximum(keras.Model(model.inputs, model.layers[0].output).predict(x, verbose=0), 0)
    rms = [np.sqrt((channel[channel > 0] ** 2).mean()) for channel in S.reshape(-1, 4).T]
    np.testing.assert_allclose(
        plain.populations[0].precision.theta0, np.broadcast_to(0.1 * np.array(rms), S.shape[1:]), rtol=1e-5
    )
    kernel, bias = model.layers[0].get_weights()
    model.layers[0].set_weights([50 * kernel, 50 * bias])
    kernel, bias = model.layers[1].get_weights()
    model.layers[1].set_weights([kernel, 50 * bias])
    rates = [simulate(n, x, duration=100).firing_rates_hz for n in (plain, convert(model, x))]
    assert rates[0] == pytest.approx(rates[1], rel=0.02)
    assert min(rates[0].values()) > 5


def test_graded_spikes_carry_what_relu_computes():
    """A dense ReLU net in spikes: what the read-out's current settles to, and how far that is from the ANN."""
    x = np.abs(images((12,), 20))
    model = randomised(keras.Sequential([L.Input((12,)), L.Dense(30, activation="relu"), L.Dense(4)]))
    network = convert(model, x, readout_tau_phi=200.0).with_m_f(0.05)
    expected = model.predict(x, verbose=0)
    found = simulate(network, x, duration=2000).outputs[:, -500:].mean(axis=1)
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


def negative_gain():
    model = randomised(chain(IMAGE, L.Conv2D(2, 3), L.MaxPooling2D(2), L.BatchNormalization(name="n"), L.Activation(AAN(0.2))))  # fmt: skip
    gamma, *rest = model.get_layer("n").get_weights()
    model.get_layer("n").set_weights([-gamma, *rest])
    return model


def negative_gain_between():
    model = randomised(chain(IMAGE, L.Conv2D(2, 3, activation=AAN(0.2)), L.BatchNormalization(name="n"), L.MaxPooling2D(2)))  # fmt: skip
    gamma, *rest = model.get_layer("n").get_weights()
    model.get_layer("n").set_weights([-gamma, *rest])
    return model


REFUSED = {
    "tanh": (lambda: chain(IMAGE, L.Conv2D(2, 3, activation=AAN(0.2)), L.Conv2D(2, 1, activation="tanh", name="c")), "'c'.*'tanh'.*AAN"),
    "nan": (with_nan, "'broken'.*NaN"),
    "custom layer": (lambda: chain(IMAGE, Doubled(3, activation=AAN(0.2), name="d")), "'d' .Doubled"),
    "no activation": (lambda: chain(IMAGE, L.Conv2D(2, 3)), "no AAN or ReLU activation"),
    "softmax inside": (lambda: chain(IMAGE, L.Conv2D(2, 3, activation="softmax"), L.Conv2D(2, 3, activation=AAN(0.2))), "softmax"),
    "softplus at the output": (lambda: keras.Sequential([L.Input((4,)), L.Dense(2, activation=AAN(0.2)), L.Dense(2, "softplus", name="out")]), "last layer, 'out'.* set it to linear"),
    "one gelu": (lambda: keras.Sequential([L.Input((4,)), L.Dense(2, activation=AAN(0.2)), L.Dense(1, "gelu", name="out")]), "'out'.* train with one of softmax, linear, sigmoid, tanh, relu"),
    "spiking output": (lambda: keras.Sequential([L.Input((4,)), L.Dense(2, activation=AAN(0.2), name="out")]), "'out'.*read-out does not spike"),
    "different tau_beta": (lambda: chain(IMAGE, L.Conv2D(2, 3, activation=AAN(0.2)), L.Conv2D(2, 3, activation=AAN(0.2, tau_beta=20.0))), "tau_beta"),
    "channel-first": (lambda: chain(IMAGE, L.Flatten(data_format="channels_first", name="f"), L.Dense(2, activation=AAN(0.2))), "'f'.*channels_first"),
}  # fmt: skip


ONCE_REFUSED = {
    "shared layer": shared,
    "negative gain between activation and max pooling": negative_gain_between,
    "negative gain behind max pooling": negative_gain,
    "leaky relu": lambda: chain(IMAGE, L.LeakyReLU(), L.Dense(2, activation=AAN(0.2))),
    "relu6": lambda: chain(IMAGE, L.ReLU(6.0), L.Dense(2, activation=AAN(0.2))),
    "nested": lambda: chain(IMAGE, keras.Sequential([L.Input(IMAGE), L.Conv2D(2, 3, activation=AAN(0.2))])),
    "zero padding behind a shift": lambda: chain(IMAGE, L.Conv2D(2, 3, activation=AAN(0.2)), L.BatchNormalization(), L.Conv2D(2, 3, padding="same"), L.MaxPooling2D(2), L.Activation(AAN(0.2))),
    "dense on rows": lambda: chain((6, 5), L.Dense(2, activation=AAN(0.2))),
    "max pooling of the input": lambda: chain(IMAGE, L.MaxPooling2D(2), L.Conv2D(2, 2, activation=AAN(0.2))),
    "two max poolings": lambda: chain(IMAGE, L.Conv2D(2, 3, activation=AAN(0.2)), L.MaxPooling2D(2), L.MaxPooling2D(2)),
    "padded second max pooling": lambda: chain(IMAGE, L.Conv2D(2, 3, activation=AAN(0.2)), L.MaxPooling2D(2), L.MaxPooling2D(2, padding="same")),
}  # fmt: skip


@pytest.mark.parametrize("case", ONCE_REFUSED)
def test_what_was_refused_once_is_converted(case):
    model = ONCE_REFUSED[case]()
    if "negative" not in case:
        randomised(model)
    x = images(model.input_shape[1:])
    np.testing.assert_allclose(convert(model, x).analog(x), model.predict(x, verbose=0), atol=1e-5)


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_exact_is_refused_by_name(case):
    build, message = REFUSED[case]
    model = build()
    with pytest.raises(ConversionError, match=message):
        convert(model, images(model.input_shape[1:]))


def test_check_inputs_of_another_shape_are_refused():
    model = chain(IMAGE, L.Conv2D(2, 3, activation=AAN(0.2)))
    with pytest.raises(ParameterError, match=r"\(6, 5, 5, 2\) does not fit"):
        convert(model, images((5, 5, 2)))


@pytest.mark.parametrize("kind", [Conv2D, Dense])
def test_the_check_sees_one_wrong_weight(kind, monkeypatch):
    model = chain(IMAGE, L.Conv2D(4, 3, activation=AAN(0.2), name="conv"))
    original = kind.apply

    def wrong(self, *xs):
        y = original(self, *xs)
        y[..., 0] += 1e-3
        return y

    monkeypatch.setattr(kind, "apply", wrong)
    with pytest.raises(ConversionError, match="'conv' deviates" if kind is Conv2D else "'readout' deviates"):
        convert(model, images(IMAGE))
