"""ResNet-18 v2 (pre-activation) at 224 x 224: converted exactly, then simulated on the test images of a folder.

python examples/resnet18.py FOLDER      (FOLDER holds train/CLASS/IMAGE and test/CLASS/IMAGE)

The weights are random, the batch norms calibrated on the training images: it shows what a net of this size costs.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np

from snntb_adsnn import AAN, convert, keras, simulate
from snntb_adsnn.data.folder import ImageFolder
from snntb_adsnn.nets import build
from snntb_adsnn.training.train import recalibrate

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("folder", type=Path)
parser.add_argument("--size", type=int, default=224, help="side of an image in pixels")
parser.add_argument("--duration", type=float, default=500, help="ms for each image")
parser.add_argument("--m_f", type=float, default=0.2)
options = parser.parse_args()


def memory_gb() -> float:
    """Largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


folder = ImageFolder.scan(options.folder, options.size)
keras.utils.set_random_seed(0)
shape = (options.size, options.size, 3)
model = build("resnet18", shape, len(folder.classes), AAN(options.m_f))
x_train = folder.load(list(folder.train[:: max(1, len(folder.train) // 16)]))
recalibrate(model, [(x_train, None)], len(x_train))

x = folder.load(list(folder.test))
network = convert(model, x[:1])  # compares layer by layer
# at the threshold a neuron's output jumps: what float32 rounds would be seen, not the conversion
keras.backend.set_floatx("float64")
double = build("resnet18", shape, len(folder.classes), AAN(options.m_f))
double.set_weights(model.get_weights())
double.layers[-1].activation = keras.activations.linear
expected = double.predict(x[:4].astype(np.float64), verbose=0)
for dtype in (np.float64, np.float32):
    found = convert(model, x[:1], dtype=dtype).analog(x[:4], logits=True)
    difference = np.abs(found - expected).max() / np.abs(expected).max()
    print(f"logits with constants in {dtype.__name__}: within {difference:.1e} (of the largest) of Keras in float64")
print(
    f"{model.count_params():,} weights, {network.neuron_count:,} neurons; memory for conversion and comparison "
    f"{memory_gb():.1f} GB"
)
simulate(network, x[:1], duration=10)  # compiles
start = time.perf_counter()
result = simulate(network, x, duration=options.duration)
seconds = time.perf_counter() - start
agreement = (result.decisions[:, -1] == model.predict(x, verbose=0).argmax(axis=1)).mean()
print(
    f"{len(x)} images, {options.duration:g} ms each: {seconds / len(x):.1f} s an image, memory {memory_gb():.1f} GB, "
    f"firing rate {result.firing_rate_hz:.1f} Hz, same class as the ANN {agreement:.0%}"
)
