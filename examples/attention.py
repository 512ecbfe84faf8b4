"""Location-based attention: the neurons at some places of a layer work at high precision, all others at low precision.

python examples/attention.py
"""

from pathlib import Path
from typing import Any

import numpy as np

from snntb_adsnn import convert, keras, simulate
from snntb_adsnn.data import load_dataset

LOW, HIGH = 0.8, 0.1  # m_f: the smaller, the more precise
SETTLED = 100  # ms

images = load_dataset("digits").x_test[:20]
model = Path(__file__).parents[1] / "configs" / "models" / "digits.h5"
network = convert(keras.models.load_model(model, compile=False), images)
layer = network.populations[0].name  # turns pixels into spikes
right = np.zeros(network.populations[0].shape, bool)
right[:, 4:] = True


def show(name: str, m_f: Any) -> None:
    """Print the coding error, (signal decoded from the spikes) - (transfer function), of both halves of the image."""
    chosen = network.with_m_f({layer: m_f})
    neurons = chosen.populations[0]
    result = simulate(chosen, images, duration=300, engine="reference", record="spikes")
    expected = neurons.analog(next(total for _, total in chosen.propagate({network.input.name: images})))
    decoded, error = np.zeros_like(expected), np.zeros(expected.shape)
    for t, spikes in enumerate(np.moveaxis(result.records["spikes"][layer], 1, 0)):
        decoded = neurons.parameters.k_beta * decoded + neurons.precision.height * spikes
        error += (t >= SETTLED) * (decoded - expected) ** 2 / (result.outputs.shape[1] - SETTLED)
    halves = (np.sqrt(error[:, half].mean()) for half in (~right, right))
    rate = result.firing_rates_hz[layer]
    print("{}: error {:.3f} left, {:.3f} right, {:.1f} Hz".format(name, *halves, rate))


show("low", LOW)
show("attention", np.where(right, HIGH, LOW))
show("high", HIGH)
