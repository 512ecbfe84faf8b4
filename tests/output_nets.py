"""Small Keras nets of every kind of output, with data and labels. Weights are drawn, not trained."""

import numpy as np

from snntb_adsnn import AAN
from snntb_adsnn.frontends.keras.compat import keras

L = keras.layers
IMAGES = 23


def hidden(x, units=12):
    return L.Dense(units, activation=AAN(m_f=0.1))(x)


def drawn(model, seed=0):
    """The model with weights of a size at which the neurons spike."""
    random = np.random.default_rng(seed)
    values = [random.normal(0.05, 0.5, w.shape).astype(np.float32) for w in model.get_weights()]
    model.set_weights([abs(v) if "variance" in w.name else v for v, w in zip(values, model.weights, strict=True)])
    return model


def binary():
    x = L.Input((6,))
    return drawn(keras.Model(x, L.Dense(1, activation="sigmoid")(hidden(x))), seed=3)


def multilabel():
    x = L.Input((6,))
    return drawn(keras.Model(x, L.Dense(5, activation="sigmoid", name="tags")(hidden(x))))


def regression():
    x = L.Input((6,))
    return drawn(keras.Model(x, L.Dense(2)(hidden(x))))


def autoencoder():
    """(6, 6, 1) -> (6, 6, 1), pixels of a sigmoid, reshaped behind it."""
    x = L.Input((6, 6, 1))
    h = L.Conv2D(3, 3, strides=2, padding="same", activation=AAN(m_f=0.1))(x)
    h = L.Dense(36, activation="sigmoid")(L.Flatten()(h))
    return drawn(keras.Model(x, L.Reshape((6, 6, 1))(h)))


def several():
    """A class, an image and a number."""
    x = L.Input((6,))
    h = hidden(x)
    image = L.Reshape((2, 2, 1), name="image")(L.Dense(4, activation="tanh")(h))
    ends = [L.Dense(3, activation="softmax", name="kind")(h), image, L.Dense(1, activation="relu", name="size")(h)]
    return drawn(keras.Model(x, ends))


def inputs(model, images=IMAGES, seed=1):
    return np.random.default_rng(seed).uniform(-1, 2, (images, *model.input_shape[1:])).astype(np.float32)
