"""Train a 1-D net on a series in plain Keras, and run it through SNN Toolbox: who of nine speakers says the vowels.

python examples/series.py FOLDER OUTPUT

FOLDER holds JapaneseVowels_TRAIN.ts and JapaneseVowels_TEST.ts (Kudo, Toyama and Shimbo 1999, UCI; the package aeon
carries them): 12 coefficients, 7 to 29 frames. OUTPUT gets model, data and configuration; there,
``snntoolbox -t config.ini`` does the rest.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np

from snntb_adsnn import AAN, keras

FRAMES, COEFFICIENTS, SPEAKERS = 29, 12, 9
layers = keras.layers

CONFIG = """[paths]
filename_ann = net

[simulation]
simulator = adsnn
duration = 200
num_to_test = 370
batch_size = 37

[output]
plot_vars = {'error_t', 'spikerates'}
"""


def read(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Series, shape (series, frames, coefficients), with zeros behind the shorter ones; and one-hot speakers."""
    lines = file.read_text().splitlines()
    series, labels = [], []
    for line in lines[lines.index("@data") + 1 :]:
        *channels, label = line.split(":")
        values = np.array([channel.split(",") for channel in channels], np.float32).T
        series.append(np.pad(values, ((0, FRAMES - len(values)), (0, 0))))
        labels.append(int(label) - 1)
    return np.stack(series), np.eye(SPEAKERS, dtype=np.float32)[labels]


def net() -> keras.Model:
    """Batch norm and neurons on the coefficients, two convolutions in time, the mean over time."""
    return keras.Sequential(
        [
            layers.Input((FRAMES, COEFFICIENTS)),
            layers.BatchNormalization(momentum=0.9),
            layers.Conv1D(32, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.Activation(AAN(0.2)),
            layers.MaxPooling1D(2),
            layers.Conv1D(32, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.Activation(AAN(0.2)),
            layers.GlobalAveragePooling1D(),
            layers.Dense(SPEAKERS, activation="softmax"),
        ]
    )


def main(folder: Path, output: Path) -> None:
    """Train, write, run."""
    (x_train, y_train), (x_test, y_test) = (read(folder / f"JapaneseVowels_{part}.ts") for part in ("TRAIN", "TEST"))
    keras.utils.set_random_seed(0)
    model = net()
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=18, epochs=60, verbose=0)
    output.mkdir(parents=True, exist_ok=True)
    model.save(output / "net.h5")
    for name, array in {"x_test": x_test, "y_test": y_test, "x_norm": x_train}.items():
        np.savez_compressed(output / f"{name}.npz", array)
    (output / "config.ini").write_text(CONFIG)
    subprocess.run([Path(sys.executable).with_name("snntoolbox"), "-t", output / "config.ini"], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
