"""Files that Keras 3 saves go where Keras 2's go: SNN Toolbox's flow and all commands; the answers are Keras 3's."""

import json

import keras as keras_3
import numpy as np
import pytest
from test_toolbox_command import snntoolbox

from snntb_adsnn.keras3 import AAN
from snntb_adsnn.toolbox import run

L = keras_3.layers
IMAGES = 20
X = np.random.default_rng(1).normal(0.3, 1, (IMAGES, 16, 2)).astype(np.float32)
Y = np.random.default_rng(2).integers(0, 4, IMAGES)


def net():
    keras_3.utils.set_random_seed(1)
    return keras_3.Sequential(
        [
            L.Input((16, 2)),
            L.Conv1D(6, 3, activation=AAN(0.2)),
            L.BatchNormalization(),
            L.MaxPooling1D(2),
            L.Conv1D(5, 3, activation="relu6"),
            L.Flatten(),
            L.Dense(4, activation="softmax"),
        ]
    )


def write(folder, name):
    """Model, data and a configuration, whose file is returned; and what the model says."""
    model = net()
    model.save(folder / name)
    for key, values in {"x_test": X, "y_test": np.eye(4)[Y], "x_norm": X}.items():
        np.savez_compressed(folder / f"{key}.npz", values)
    (folder / "c.ini").write_text(
        "[paths]\nfilename_ann = net\n"
        f"[simulation]\nsimulator = adsnn\nduration = 60\nnum_to_test = {IMAGES}\nbatch_size = 7\n"
        "[output]\nlog_vars = {'input_b_l_t', 'activations_n_b_l'}\nplot_vars = {'error_t'}\n"
    )
    return folder / "c.ini", model.predict(X, verbose=0)


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
def test_run(tmp_path, name):
    file, answers = write(tmp_path, name)
    run(file)
    found = json.loads((tmp_path / "log/gui/test/results.json").read_text())
    assert found["ann_accuracy"] == pytest.approx((answers.argmax(axis=1) == Y).mean())
    assert found["num_images"] == IMAGES
    assert found["agreement_with_ann"] > 0.5


def test_plain_snntoolbox(tmp_path):
    file, answers = write(tmp_path, "net.keras")
    done = snntoolbox(file)
    assert done.returncode == 0, done.stderr
    right = (answers.argmax(axis=1) == Y).mean()
    assert done.stdout.count(f"Top-1 accuracy: {right:.2%}") == 3  # input model, and twice the parsed one
