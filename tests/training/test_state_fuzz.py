"""States of trainings that are damaged, forged or of another training: read, or refused in one line."""

import numpy as np
import pytest
from damage import damaged
from forged import assert_refused_or_read, forged

from snntb_adsnn.errors import OutputError
from snntb_adsnn.frontends.keras.compat import keras
from snntb_adsnn.training import checkpoint
from snntb_adsnn.training.checkpoint import Course

L = keras.layers
SETTINGS = {"dataset": "iris", "epochs": 3, "optimizer": "adam", "flip": False, "initial": None, "batch_size": 20}
ENTRY = {"epoch": 1, "loss": 1.0, "val_loss": 0.5, "val_accuracy": 0.5, "seconds": 0.1}


def learner(units=3):
    model = keras.Sequential([L.Input((4,)), L.Dense(units), L.Dense(2)])
    model.compile("adam", "mse")
    return model


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    path = tmp_path_factory.mktemp("state") / "net_training.npz"
    model, course = learner(), Course()
    model.optimizer.build(model.trainable_variables)
    course.add(ENTRY, model.get_weights())
    course.add({**ENTRY, "val_loss": 0.7}, model.get_weights())
    checkpoint.save(path, course, model, SETTINGS)
    return path.read_bytes()


@pytest.mark.parametrize("change", [damaged, forged])
def test_a_changed_state_is_read_or_refused(change, state, tmp_path):
    random, model = np.random.default_rng(0), learner()

    def read(path):
        course = checkpoint.load(path, model, SETTINGS)
        course.over(9, 9)
        course.add(ENTRY, model.get_weights())
        model.set_weights(course.best_weights)

    changes = [change(state, random) for _ in range(400)]
    assert assert_refused_or_read(tmp_path / "net_training.npz", changes, read) > 100


def test_a_state_of_another_net_is_refused_and_changes_nothing(state, tmp_path):
    path, model = tmp_path / "net_training.npz", learner(units=5)
    path.write_bytes(state)
    before = model.get_weights()
    with pytest.raises(OutputError, match="state of a training of another net. Delete it to train from the beginning"):
        checkpoint.load(path, model, SETTINGS)
    assert all(map(np.array_equal, model.get_weights(), before))
