"""Train a small AAN network on 8x8 digits with plain Keras, convert it, and simulate it: no SNN Toolbox, no files.

python examples/quickstart.py
"""

from snntb_adsnn import AAN, convert, keras, simulate
from snntb_adsnn.data import load_dataset
from snntb_adsnn.measure.evaluate import Evaluation

data = load_dataset("digits")
layers = keras.layers
keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        layers.Input(data.input_shape),
        layers.BatchNormalization(),
        layers.Activation(AAN(m_f=0.2)),  # the first neurons turn pixels into spikes
        layers.Conv2D(16, 3, use_bias=False),
        layers.BatchNormalization(),
        layers.Activation(AAN(m_f=0.2)),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
model.fit(data.x_train, data.y_train, batch_size=32, epochs=15, verbose=0)

network = convert(model, data.x_test[:20])  # compares network and model on these inputs
ann = model.predict(data.x_test, verbose=0).argmax(axis=1)
for m_f in (0.1, 0.2, 0.4):  # precision can be changed after training
    result = simulate(network, data.x_test, duration=300, m_f=m_f)
    evaluation = Evaluation(network.with_m_f(m_f))
    evaluation.add(result, data.y_test, ann)
    m = evaluation.metrics()
    found = m.decisions
    print(
        f"m_f {m_f}: ANN {found.ann_accuracy:.1%}, AdSNN {found.snn_accuracy:.1%} at {m.firing.rate_hz:.1f} Hz, "
        f"matching time {found.matching_time_ms:g} ms"
    )
