"""Training of AAN networks: cross-entropy, Adam, early stopping; writes model, data and a log."""

from __future__ import annotations

import math
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from snntb_adsnn import __version__
from snntb_adsnn.activation import AAN
from snntb_adsnn.config import Config, TrainingSection
from snntb_adsnn.data import Dataset, ensure_toolbox_data, load_dataset
from snntb_adsnn.errors import ConfigError, OutputError, TrainingError
from snntb_adsnn.files import atomic_path, write_json
from snntb_adsnn.keras_compat import keras, tf
from snntb_adsnn.models import build, training_model

_CLIPNORM = 1.0


@dataclass(frozen=True)
class TrainingResult:
    """What ``train`` wrote and reached.

    Attributes:
        model_file: the Keras model (``.h5``).
        log_file: settings, one entry per epoch, and results (JSON).
        epochs: epochs trained.
        best_epoch: the epoch whose weights were kept, from 1.
        test_accuracy: share of the ``test_images`` test inputs that the model classifies correctly.
    """

    model_file: Path
    log_file: Path
    epochs: int
    best_epoch: int
    test_accuracy: float
    test_images: int


def train(config: Config, *, progress: bool = True) -> TrainingResult:
    """Train as ``[training]`` says; write model, data in the toolbox's format, and a log.

    Args:
        config: a loaded configuration with a section ``[training]``.
        progress: show a progress bar on standard error.

    Raises:
        ConfigError: no ``[training]``, or settings that do not fit the data.
        DataError: the data set cannot be loaded.
        TrainingError: the loss became NaN or infinite.
        OutputError: a folder cannot be written; noticed before training starts.
    """
    settings = config.need_training()
    paths = config.paths
    _need_writable(paths.path_wd)
    dataset = load_dataset(settings.dataset)
    ensure_toolbox_data(settings.dataset, paths.dataset_path)
    if settings.augmentation and not dataset.is_images:
        raise ConfigError(
            f"{config.file}: [training] augmentation = True is not allowed for {settings.dataset}: its inputs are no "
            "images; set it to False."
        )
    keras.utils.set_random_seed(settings.seed)
    activation = AAN(form=settings.form, **settings.constants)
    model = build(settings.architecture, dataset.input_shape, len(dataset.classes), activation)
    history, best = _fit(model, dataset, settings, config.file, progress)
    # what the toolbox compiles a loaded model with; plain SGD has no state to store
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    accuracy = float(model.evaluate(dataset.x_test, dataset.y_test, batch_size=500, verbose=0)[1])
    save_model(model, paths.model_file)
    log_file = write_json(
        paths.path_wd / f"{paths.filename_ann}_training.json",
        {
            "training": settings.model_dump(mode="json"),
            "versions": {"snntb_adsnn": __version__, "tensorflow": tf.__version__, "numpy": np.__version__},
            "best_epoch": best,
            "test_accuracy": accuracy,
            "test_images": len(dataset.x_test),
            "parameters": model.count_params(),
            "epochs": history,
        },
    )
    return TrainingResult(paths.model_file, log_file, len(history), best, accuracy, len(dataset.x_test))


def save_model(model: Any, path: Path) -> Path:
    """Save a Keras model as ``.h5``, atomically; returns the path."""
    with atomic_path(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # .h5 is the only format that the toolbox reads
        model.save(temporary, save_format="h5")
    return path


def _need_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror}); the trained model would be lost. Choose another path_wd."
        ) from None


def split_validation(dataset: Dataset, settings: TrainingSection, config_file: Path) -> list[Any]:
    """Training and validation part of the training data, as ``train`` uses them: x, x_val, y, y_val.

    Raises:
        ConfigError: ``validation_split`` leaves a part without every class.
    """
    from sklearn.model_selection import train_test_split

    x, y = dataset.x_train, dataset.y_train
    try:
        parts: list[Any] = train_test_split(
            x, y, test_size=settings.validation_split, stratify=y.argmax(axis=1), random_state=settings.seed
        )
    except ValueError as error:
        raise ConfigError(
            f"{config_file}: [training] validation_split = {settings.validation_split} does not fit "
            f"{len(x)} training inputs ({error})"
        ) from None
    return parts


def _fit(
    model: Any, dataset: Dataset, settings: TrainingSection, config_file: Path, progress: bool
) -> tuple[list[dict[str, float]], int]:
    """Train ``model`` in place; returns one log entry per epoch, and the number of the best epoch."""
    x, x_val, y, y_val = split_validation(dataset, settings, config_file)
    learner = training_model(
        model,
        coding_noise=settings.coding_noise,
        activity_penalty=settings.activity_penalty,
        augmentation=settings.augmentation,
    )
    batches = math.ceil(len(x) / settings.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.epochs * batches)
    learner.compile(keras.optimizers.Adam(rate, clipnorm=_CLIPNORM), "categorical_crossentropy", metrics=["accuracy"])
    stopping = keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=settings.patience, restore_best_weights=True, verbose=0
    )
    with _progress_bar(progress) as bar:
        log = _Log(bar, settings.epochs * batches)
        learner.fit(
            x,
            y,
            batch_size=settings.batch_size,
            epochs=settings.epochs,
            validation_data=(x_val, y_val),
            callbacks=[stopping, log.callback()],
            verbose=0,
        )
    return log.epochs, stopping.best_epoch + 1


def _progress_bar(shown: bool) -> Progress:
    from rich.console import Console

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not shown)


@dataclass
class _Log:
    """Keeps one entry per epoch, moves the progress bar, and stops when the loss is no longer a number."""

    bar: Progress
    batches: int
    epochs: list[dict[str, float]] = field(default_factory=list)

    def callback(self) -> Any:
        task = self.bar.add_task("training", total=self.batches)
        start = time.monotonic()

        def need_finite(loss: float) -> None:
            if not math.isfinite(loss):
                raise TrainingError(
                    f"training stopped in epoch {len(self.epochs) + 1}: the loss became {loss}. "
                    "Lower [training] learning_rate, or coding_noise and activity_penalty."
                )

        def after_batch(batch: int, logs: dict[str, float]) -> None:
            need_finite(logs["loss"])
            self.bar.advance(task)

        def after_epoch(epoch: int, logs: dict[str, float]) -> None:
            need_finite(logs["val_loss"])
            values = {key: float(value) for key, value in logs.items()}
            self.epochs.append({"epoch": epoch + 1, **values, "seconds": round(time.monotonic() - start, 1)})
            self.bar.update(task, description=f"epoch {epoch + 1}: validation {values['val_accuracy']:.2%}")

        return keras.callbacks.LambdaCallback(on_batch_end=after_batch, on_epoch_end=after_epoch)
