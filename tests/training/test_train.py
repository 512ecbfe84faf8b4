"""Training end to end on a small set, and what happens when it cannot go on."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from image_files import write_folder

from snntb_adsnn.config import load_config
from snntb_adsnn.data import ensure_toolbox_data, load_dataset
from snntb_adsnn.errors import ConfigError, DataError, OutputError, TrainingError
from snntb_adsnn.files import locked
from snntb_adsnn.frontends.keras.activation import AAN
from snntb_adsnn.frontends.keras.compat import keras
from snntb_adsnn.nets import build
from snntb_adsnn.neuron.transfer import transfer
from snntb_adsnn.training import train as train_module
from snntb_adsnn.training.feed import FolderBatches, folder_feed
from snntb_adsnn.training.train import recalibrate, train

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def config(training_config):
    return training_config


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


def test_training_writes_model_data_and_log(config, tmp_path):
    result = train(config(coding_noise=1, activity_penalty=0.01, m_f=0.2), progress=False)
    assert files(tmp_path / "run") == ["net.h5", "net_training.json"]
    assert files(tmp_path / "data") == ["dataset.json", "x_norm.npz", "x_test.npz", "y_test.npz"]
    model = keras.models.load_model(result.model_file)
    # the toolbox compiles a loaded model with the loss and optimizer that it was saved with
    assert model.loss is keras.losses.categorical_crossentropy
    assert isinstance(model.optimizer, keras.optimizers.SGD)
    dataset = load_dataset("iris")
    correct = model.predict(dataset.x_test, verbose=0).argmax(axis=1) == dataset.y_test.argmax(axis=1)
    assert result.test_accuracy == pytest.approx(correct.mean())
    assert result.test_accuracy > 0.8
    log = json.loads(result.log_file.read_text())
    assert log["training"]["m_f"] == 0.2
    assert len(log["epochs"]) == result.epochs
    assert log["epochs"][-1]["loss"] < log["epochs"][0]["loss"]
    assert log["test_accuracy"] == result.test_accuracy


def test_same_seed_same_weights(config):
    def weights(seed):
        result = train(config(epochs=2, seed=seed, coding_noise=1), progress=False)
        return keras.models.load_model(result.model_file, compile=False).get_weights()

    first, second, other = weights(3), weights(3), weights(4)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_early_stopping_keeps_the_best_weights(config):
    """At a hopeless learning rate the loss soon stops falling."""
    settings = config(epochs=60, patience=2, learning_rate=1.0)
    result = train(settings, progress=False)
    epochs = json.loads(result.log_file.read_text())["epochs"]
    losses = [epoch["val_loss"] for epoch in epochs]
    assert result.epochs == result.best_epoch + 2 < 60
    assert losses[result.best_epoch - 1] == min(losses)
    from sklearn.model_selection import train_test_split

    dataset = load_dataset("iris")
    _, x, _, y = train_test_split(
        dataset.x_train, dataset.y_train, test_size=0.1, stratify=dataset.y_train.argmax(axis=1), random_state=0
    )
    model = keras.models.load_model(result.model_file)
    assert model.evaluate(x, y, verbose=0)[0] == pytest.approx(min(losses), rel=1e-4)


def weights_of(result):
    return keras.models.load_model(result.model_file, compile=False).get_weights()


STOPPED = {
    "small": {"epochs": 6, "coding_noise": 1},
    "deep": {
        **{"dataset": "image_folder", "architecture": "vgg_cifar", "folder": "images", "image_size": 16, "flip": True},
        **{"epochs": 3, "batch_size": 8, "optimizer": "adamw", "weight_decay": 0.01, "schedule": "one_cycle"},
        **{"validation_split": 0.2, "coding_noise": 1, "precision": "mixed_bfloat16", "smooth": True},
    },
}


@pytest.mark.parametrize("kind", ["small", pytest.param("deep", marks=pytest.mark.slow)])
def test_a_stopped_training_goes_on_to_the_same_result(config, tmp_path, monkeypatch, kind):
    write_folder(tmp_path / "images", train=15)
    settings = config(**STOPPED[kind])
    whole = train(settings, progress=False)
    wanted, epochs = weights_of(whole), whole.epochs
    whole.model_file.unlink()
    for batch in (7, 8):  # in the second epoch, and later
        stop_at_batch(monkeypatch, batch if kind == "small" else 4)
        with pytest.raises(KeyboardInterrupt):
            train(settings, progress=False)
        monkeypatch.undo()
        assert "net_training.npz" in files(tmp_path / "run")
        assert "net.h5" not in files(tmp_path / "run")
    resumed = train(settings, progress=False)
    assert files(tmp_path / "run") == ["net.h5", "net_training.json"]
    log = json.loads(resumed.log_file.read_text())["epochs"]
    assert [entry["epoch"] for entry in log] == list(range(1, epochs + 1))
    for a, b in zip(weights_of(resumed), wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def stop_at_batch(monkeypatch, number):
    """Ctrl-C at batch ``number`` from now."""
    batches = iter(range(1, 1000))

    def advance(*_):
        if next(batches) == number:
            raise KeyboardInterrupt

    monkeypatch.setattr(train_module.Progress, "advance", advance)


def test_state_of_another_training_is_not_taken(config, tmp_path, monkeypatch):
    stop_at_batch(monkeypatch, 7)
    with pytest.raises(KeyboardInterrupt):
        train(config(), progress=False)
    monkeypatch.undo()
    with pytest.raises(OutputError, match=r"other settings \(m_f was 0\.1, is 0\.2\)\. Delete it"):
        train(config(m_f=0.2), progress=False)
    state = tmp_path / "run" / "net_training.npz"
    state.write_bytes(state.read_bytes()[:-1000])
    with pytest.raises(OutputError, match=r"net_training\.npz: damaged state.*Delete it"):
        train(config(), progress=False)


def test_a_stopped_training_goes_on_with_another_end(config, monkeypatch):
    """What is done after the last epoch does not change what was trained so far."""
    stop_at_batch(monkeypatch, 7)
    with pytest.raises(KeyboardInterrupt):
        train(config(epochs=2), progress=False)
    monkeypatch.undo()
    train(config(epochs=2, weights="bfloat16", recalibration=20), progress=False)


def test_recalibration_measures_batch_norms_on_the_net_itself():
    model = build("iris", (4,), 3, AAN(0.2))
    dataset = load_dataset("iris")
    batches = [(dataset.x_train[i : i + 10], None) for i in range(0, 100, 10)]
    recalibrate(model, batches, 0)
    assert not model.get_layer("bn_input").moving_mean.numpy().any()
    recalibrate(model, batches, 45)
    seen = dataset.x_train[:50]
    first, last = model.get_layer("bn_input"), model.get_layer("bn_1")
    assert first.momentum == 0.9
    np.testing.assert_allclose(first.moving_mean, seen.mean(axis=0), rtol=1e-5)
    within = np.mean([part.var(axis=0) for part in np.split(seen, 5)], axis=0)
    np.testing.assert_allclose(first.moving_variance, within, rtol=1e-5)
    # the later layer saw batches normalised by their own statistics, as in training
    inputs = []
    for part in np.split(seen, 5):
        z = (part - part.mean(axis=0)) / np.sqrt(part.var(axis=0) + first.epsilon) + 1
        inputs.append(transfer(z, AAN(0.2).parameters) @ model.get_layer("dense_1").kernel.numpy())
    np.testing.assert_allclose(last.moving_mean, np.mean(inputs, axis=(0, 1)), atol=1e-5)


FOLDER = {
    "dataset": "image_folder",
    "architecture": "vgg_cifar",
    "image_size": 16,
    "validation_split": 0.25,
    "test_images": 2,
    "batch_size": 4,
}


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_an_unreadable_image_stops_training_with_its_name(config, tmp_path, part):
    """Wherever it is met: also in threads of TensorFlow, after the first batch, which Keras looks at beforehand."""
    settings = config(**FOLDER, folder=write_folder(tmp_path / "images", train=12, test=8), epochs=1)
    feed = folder_feed(settings.training.data.open(), settings.training, settings.file)
    feed = {"train": feed.training(0), "validation": feed.validation, "test": feed.test}[part]
    chosen = feed.order if part != "validation" else feed.order[-1:]
    ensure_toolbox_data(settings.training.data, settings.paths.dataset_path)  # reads some of them
    bad = feed.files[chosen[-1]]
    content, times = bad.read_bytes(), (bad.stat().st_atime_ns, bad.stat().st_mtime_ns)
    bad.write_bytes(content[: len(content) // 2].ljust(len(content), b"?"))
    os.utime(bad, ns=times)  # so that the data of the run are not read again
    with pytest.raises(DataError, match=rf"{bad.parent.name}/{bad.name}: cannot be read as an image"):
        train(settings, progress=False)


def test_threads_prepare_every_batch_of_every_epoch_once(config, tmp_path, monkeypatch):
    """Threads run ahead while the validation goes on: what they load must belong to no other epoch."""
    loaded, original = [], FolderBatches.__getitem__

    def load(batches, index):
        if batches.augment:
            loaded.append((batches.epoch, index))
        else:
            time.sleep(0.2)
        return original(batches, index)

    monkeypatch.setattr(FolderBatches, "__getitem__", load)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    settings = config(**FOLDER, folder=write_folder(tmp_path / "images", train=12), epochs=3)
    train(settings, progress=False)
    # Keras looks at the first batch beforehand; threads may begin an epoch again, of which nothing is used
    assert set(loaded) == {(epoch, index) for epoch in range(3) for index in range(5)}


def test_activity_penalty_lowers_activity(config):
    def activity(penalty):
        result = train(config(activity_penalty=penalty, seed=1), progress=False)
        model = keras.models.load_model(result.model_file, compile=False)
        hidden = keras.Model(model.input, model.get_layer("aan_1").output)
        return float(hidden(load_dataset("iris").x_test).numpy().mean())

    assert activity(1.0) < 0.8 * activity(0.0)


def test_a_loss_that_is_no_number_stops_with_a_sentence(config, tmp_path):
    with pytest.raises(TrainingError, match=r"epoch \d: the loss became (nan|inf).*learning_rate"):
        train(config(learning_rate=1e38), progress=False)
    assert not (tmp_path / "run" / "net.h5").exists()


def test_a_training_that_diverges_keeps_the_model_of_before(config, tmp_path):
    """Losses and weights are large, and yet numbers."""
    model = train(config(epochs=1), progress=False).model_file
    before = model.read_bytes()
    with pytest.raises(
        TrainingError, match=r"diverged: in its best epoch, 1, .* loss is .*, and delete .*net_training"
    ):
        train(config(epochs=1, learning_rate=1e10), progress=False)
    assert model.read_bytes() == before


@pytest.mark.parametrize(("keys", "says"), [({"weights": "float16"}, "weights = float16"), ({}, "recalibration = 20")])
def test_what_follows_training_makes_no_infinite_weights(config, monkeypatch, keys, says):
    """And training need not be done again."""
    monkeypatch.setattr(train_module, "_LARGEST_LOSS", np.inf)
    settings = {"epochs": 1, "learning_rate": 1e6}
    if not keys:
        monkeypatch.setattr(train_module, "recalibrate", lambda model, *_: model.set_weights(_infinite(model)))
    with pytest.raises(TrainingError, match=rf"\[training\] {says} .* that goes on from net_training\.npz"):
        train(config(**settings, recalibration=20, **keys), progress=False)
    monkeypatch.undo()
    monkeypatch.setattr(train_module, "_LARGEST_LOSS", np.inf)
    monkeypatch.setattr(keras.Model, "fit", None)
    assert train(config(**settings), progress=False).epochs == 1


def _infinite(model):
    return [w * np.inf if w.ndim == 1 else w for w in model.get_weights()]


def test_a_net_that_learned_nothing_is_named(config, capsys):
    train(config(epochs=1, learning_rate=1e-30, dataset="sonar", architecture="sonar"), progress=False)
    assert "The net has learned nothing: always naming one class gives 52.86%" in capsys.readouterr().err
    train(config(), progress=False)
    assert not capsys.readouterr().err


def test_settings_that_do_not_fit_the_data(config):
    with pytest.raises(ConfigError, match=r"augmentation = True is not allowed for iris"):
        train(config(augmentation=True), progress=False)
    with pytest.raises(ConfigError, match=r"flip = True is not allowed for iris.*set it to False"):
        train(config(flip=True), progress=False)
    with pytest.raises(ConfigError, match=r"shift = 2 is not allowed for iris.*set it to 0"):
        train(config(shift=2), progress=False)
    with pytest.raises(ConfigError, match=r"cutout = 3 is not allowed for iris.*set it to 0"):
        train(config(cutout=3), progress=False)
    with pytest.raises(ConfigError, match=r"validation_split = 0.01 does not fit 100 training inputs"):
        train(config(validation_split=0.01), progress=False)


def test_training_starts_from_the_weights_of_another(config, tmp_path):
    first = train(config(epochs=1), progress=False).model_file.rename(tmp_path / "first.h5")
    result = train(config(epochs=1, initial=first, learning_rate=1e-12), progress=False)
    weights = [keras.models.load_model(file, compile=False).get_weights() for file in (first, result.model_file)]
    # batch norms go on following the data
    pairs = [(a, b) for a, b in zip(*weights, strict=True) if a.ndim == 2]
    assert len(pairs) == 2
    for a, b in pairs:
        np.testing.assert_allclose(b, a, atol=1e-6)
    with pytest.raises(ConfigError, match=r"initial = .*first\.h5 is another net: .* name a model of the same"):
        train(config(initial=first, dataset="sonar", architecture="sonar"), progress=False)
    with pytest.raises(ConfigError, match=r"initial = .*none\.h5 does not exist"):
        train(config(initial="none.h5"), progress=False)
    first.write_bytes(b"damaged")
    with pytest.raises(ConfigError, match=r"initial = .*first\.h5: is no model file"):
        train(config(initial=first), progress=False)


def test_unwritable_folder_is_noticed_before_training(config, tmp_path, monkeypatch):
    settings = config()
    (tmp_path / "run").write_text("a file where the folder should be")
    monkeypatch.setattr(train_module, "feed", lambda *_: pytest.fail("training began"))
    with pytest.raises(OutputError, match="run is a file, not a folder"):
        train(settings, progress=False)


def test_a_second_training_of_the_same_model_is_refused(config):
    settings = config()
    file = settings.paths.model_file
    busy = f"another training is writing {file.name} there"
    with locked(file.parent, "", file.name), pytest.raises(OutputError, match=busy):
        train(settings)
    assert not file.exists()


def test_ctrl_c_leaves_no_half_written_file(config, tmp_path, monkeypatch):
    real = keras.Model.save

    def interrupted(model, path, **kwargs):
        real(model, path, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.Model, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(config(epochs=1), progress=False)
    assert files(tmp_path / "run") == ["net_training.npz"]  # whole: training goes on from it


SHIPPED = [path for path in sorted(CONFIGS.glob("*.ini")) if load_config(path).adsnn.pretrained]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_weights_are_of_the_net_that_their_configuration_describes(path):
    config = load_config(path)
    settings = config.need_training()
    shipped = keras.models.load_model(config.adsnn.pretrained)
    activation = AAN(form=settings.form, **settings.constants)
    described = build(settings.architecture, shipped.input_shape[1:], shipped.output_shape[-1], activation)
    assert [type(layer) for layer in shipped.layers] == [type(layer) for layer in described.layers]
    assert [w.shape for w in shipped.get_weights()] == [w.shape for w in described.get_weights()]
    activations = [layer.activation for layer in shipped.layers if isinstance(layer, keras.layers.Activation)]
    assert activations
    assert set(activations) == {activation}
