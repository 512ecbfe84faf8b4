"""Train a plain ReLU network, convert it to graded spikes, and see what accuracy costs at several precisions.

python examples/relu.py [digits|mnist]
"""

import sys

from snntb_adsnn import convert, keras, simulate
from snntb_adsnn.data import load_dataset
from snntb_adsnn.measure.correction import correct_biases
from snntb_adsnn.measure.evaluate import Evaluation

name = sys.argv[1] if len(sys.argv) > 1 else "digits"
data = load_dataset(name)
x_train, y_train, x_test, y_test = data.x_train[:20_000], data.y_train[:20_000], data.x_test[:1000], data.y_test[:1000]
layers = keras.layers
keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        layers.Input(data.input_shape),
        layers.Conv2D(16, 3, use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=64, epochs=15 if name == "digits" else 4, verbose=0)

network = convert(model, x_test[:100])  # every ReLU layer becomes neurons with graded spikes
ann = model.predict(x_test, verbose=0).argmax(axis=1)
for m_f in (0.1, 0.2, 0.4, 0.8, 1.2):
    # low rates encode less than max(0, S): training inputs give it back
    precise = correct_biases(network.with_m_f(m_f), x_train[:100], trained=network, slopes=True)
    evaluation = Evaluation(precise)
    evaluation.add(simulate(precise, x_test, duration=400), y_test, ann)
    m = evaluation.metrics()
    found = m.decisions
    print(
        f"m_f {m_f}: ANN {found.ann_accuracy:.1%}, AdSNN {found.snn_accuracy:.1%}, "
        f"same decision {found.agreement:.1%}, "
        f"{m.firing.rate_hz:.1f} Hz, {m.work.multiply_adds_per_image:.2g} multiply-adds an image"
    )
