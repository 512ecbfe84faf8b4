"""Small nets, data and configurations for the tests of the SNN Toolbox plug-in. The nets are not trained."""

from configparser import ConfigParser

import numpy as np

from snntb_adsnn import AAN
from snntb_adsnn.data import load_dataset
from snntb_adsnn.frontends.keras.compat import keras

L = keras.layers
IMAGES = 23


def aan():
    return AAN(m_f=0.2)


def dense_net():
    keras.utils.set_random_seed(1)
    x = L.Input((64,))
    h = L.Dense(12, activation=aan())(x)
    h = L.Dense(9, activation=aan(), use_bias=False)(h)
    return with_biases(keras.Model(x, L.Dense(10, activation="softmax")(h)))


def image_net():
    """Batch norm and AAN first, pooling before and after the activation, branches, padding, a residual sum."""
    keras.utils.set_random_seed(2)
    x = L.Input((8, 8, 1))
    h = L.Activation(aan())(L.BatchNormalization()(x))
    h = L.BatchNormalization()(L.Conv2D(4, 3, use_bias=False)(h))
    h = L.MaxPooling2D()(L.Activation(aan())(h))
    h = L.ZeroPadding2D()(h)
    h = L.Concatenate()([L.Conv2D(3, 3, padding="same", activation=aan())(h), L.Conv2D(2, 1, activation=aan())(h)])
    h = L.Add()([L.Conv2D(5, 3, padding="same")(h), h])
    h = L.Dropout(0.5)(L.Activation(aan())(L.AveragePooling2D()(h)))
    return with_biases(keras.Model(x, L.Dense(10, activation="softmax")(L.Flatten()(h))))


def residual_net():
    """Pre-activation blocks with a strided projection shortcut, depthwise and separable convolutions, average pooling."""
    keras.utils.set_random_seed(3)
    x = L.Input((8, 8, 1))
    h = L.Conv2D(4, 3, padding="same")(L.Activation(aan())(L.BatchNormalization()(x)))
    first = L.Activation(aan())(L.BatchNormalization()(h))
    residual = L.Activation(aan())(L.BatchNormalization()(L.Conv2D(6, 3, strides=2, padding="same")(first)))
    h = L.Add()([L.Conv2D(6, 1, strides=2)(first), L.DepthwiseConv2D(3, padding="same")(residual)])
    residual = L.Activation(aan())(L.BatchNormalization()(h))
    h = L.Add()([h, L.SeparableConv2D(6, 3, padding="same")(residual)])
    h = L.GlobalAveragePooling2D()(L.Activation(aan())(L.BatchNormalization()(h)))
    return with_biases(keras.Model(x, L.Dense(10, activation="softmax")(h)))


def with_biases(model):
    """Biases and batch-norm statistics as after training; weights large enough for every layer to spike."""
    random = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, L.BatchNormalization):
            n = layer.gamma.shape[0]
            gamma, variance = random.uniform(0.8, 1.5, (2, n))
            layer.set_weights([gamma, random.normal(0, 0.2, n), random.normal(0.2, 0.1, n), variance])
        elif layer.weights:
            weights = layer.get_weights()
            layer.set_weights([2 * weights[0], *(random.normal(0.2, 0.1, w.shape) for w in weights[1:])])
    return model


def digits(shape):
    """Test inputs of ``shape`` and one-hot labels."""
    data = load_dataset("digits")
    return data.x_test[:IMAGES].reshape(-1, *shape), data.y_test[:IMAGES]


def write_case(folder, model, settings=None, suffix=".h5"):
    """Model, data and configuration file in ``folder``; ``settings``: {section: {key: value}}. Returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / f"net{suffix}")
    x, y = digits(model.input_shape[1:])
    np.savez_compressed(folder / "x_test.npz", x)
    np.savez_compressed(folder / "y_test.npz", y)
    return write_config(folder / "net.ini", settings or {})


def write_config(file, settings):
    parser = ConfigParser()
    parser.optionxform = str
    parser.read_dict(
        {
            "paths": {"filename_ann": "net"},
            "simulation": {"simulator": "adsnn", "duration": "60", "num_to_test": str(IMAGES), "batch_size": "10"},
            "adsnn": {"engine": "reference", "plots": "False"},
        }
    )
    parser.read_dict(settings)
    with file.open("w") as stream:
        parser.write(stream)
    return file
