"""Training of AAN networks: cross-entropy, early stopping, resumed where it stopped; writes model, data and a log."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from snntb_adsnn import __version__
from snntb_adsnn.config import Config
from snntb_adsnn.config.training import TrainingSection
from snntb_adsnn.data import ensure_toolbox_data
from snntb_adsnn.errors import ConfigError, ConversionError, ParameterError, TrainingError
from snntb_adsnn.files import locked, write_json
from snntb_adsnn.frontends.keras.activation import AAN, PACKAGE
from snntb_adsnn.frontends.keras.compat import keras, tf
from snntb_adsnn.frontends.keras.files import read_model, round_weights, save_model
from snntb_adsnn.nets import build
from snntb_adsnn.network.maps import Array
from snntb_adsnn.neuron.gradient import EXACT
from snntb_adsnn.training import checkpoint
from snntb_adsnn.training.checkpoint import Course
from snntb_adsnn.training.feed import Feed, feed, reseed
from snntb_adsnn.training.model import copy_weights, training_model

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

    After each epoch the state is written to ``NAME_training.npz``; a training that was stopped goes on from there, with
    the same result up to the rounding of parallel sums. The file is removed at the end.

    Args:
        config: a loaded configuration with a section ``[training]``.
        progress: show a progress bar, where standard error is a terminal.

    Raises:
        ConfigError: no ``[training]``, or settings that do not fit the data.
        DataError: the data set cannot be loaded.
        TrainingError: the loss became NaN or infinite.
        OutputError: noticed before training starts: a folder cannot be written, another training is at work there, or
            the state of an interrupted training is damaged or has other settings.
    """
    config.need_training()
    config.paths.need_writable()
    name = config.paths.model_file.name
    busy = f"another training is writing {name} there; wait for it, end it, or give this one another path_wd."
    with locked(config.paths.path_wd, busy, name):
        return _train(config, progress)


def _train(config: Config, progress: bool) -> TrainingResult:
    settings, paths = config.need_training(), config.paths
    with config.naming_folder():
        data = feed(settings.data.open(paths.dataset_path), settings, config.file)
    keras.utils.set_random_seed(settings.seed)
    # the published figures are of nets trained with it
    activation = AAN(form=settings.form, gradient=EXACT, **settings.constants)
    with _naming_architecture(config):
        model = build(settings.architecture, data.input_shape, len(data.classes), activation)
    if settings.initial is not None:
        _start_from(model, settings.initial, config)
    ensure_toolbox_data(settings.data, paths.dataset_path)
    state = paths.training_state
    course = _fit(model, data, settings, state, progress)
    _need_sound(course, state)
    round_weights(model, settings.weights)
    if not _finite(model.get_weights()):
        raise TrainingError(
            f"[training] weights = {settings.weights} holds no numbers as large as the trained weights; write bfloat16 "
            f"or float32, and train again: that goes on from {state.name}."
        )
    recalibrate(model, data.calibration, settings.recalibration)
    if not _finite(model.get_weights()):
        raise TrainingError(
            f"[training] recalibration = {settings.recalibration} makes batch norms infinite; set it to 0, and train "
            f"again: that goes on from {state.name}."
        )
    # what the toolbox compiles a loaded model with; plain SGD has no state to store
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    with _data_errors(data.test):
        accuracy = float(model.evaluate(data.test, workers=data.workers, verbose=0)[1])
    _say_if_guessing(accuracy, data)
    save_model(model, paths.model_file)
    log_file = write_json(
        paths.path_wd / f"{paths.filename_ann}_training.json",
        {
            "training": settings.model_dump(mode="json"),
            "versions": {"snntb_adsnn": __version__, "tensorflow": tf.__version__, "numpy": np.__version__},
            "best_epoch": course.best,
            "test_accuracy": accuracy,
            "test_images": data.test_images,
            "parameters": model.count_params(),
            "epochs": course.epochs,
        },
    )
    state.unlink(missing_ok=True)
    return TrainingResult(paths.model_file, log_file, len(course.epochs), course.best, accuracy, data.test_images)


@contextmanager
def _naming_architecture(config: Config) -> Iterator[None]:
    """Put file and key before what is wrong with the net."""
    try:
        yield
    except ParameterError as error:
        raise ConfigError(f"{config.file}: [training] {error}") from error


_LARGEST_LOSS = 1e4
"""Of a training that may still be right: a net that is sure of one class, and wrong, gives some hundreds."""


def _need_sound(course: Course, state: Path) -> None:
    """Refuse weights of which the best still give losses that no training ends with.

    Raises:
        TrainingError: they do.
    """
    if (loss := course.epochs[course.best - 1]["val_loss"]) > _LARGEST_LOSS:
        raise TrainingError(
            f"training diverged: in its best epoch, {course.best}, the validation loss is {loss:.2g}. {_CALMER}"
            f"{_begin_anew(state)}."
        )


_CALMER = "Lower [training] learning_rate, or coding_noise and activity_penalty"


def _begin_anew(state: Path) -> str:
    """What else to do where a training fails that would go on from ``state``, and fail again."""
    return f", and delete {state} to begin anew" if state.exists() else ""


def _finite(weights: list[Array]) -> bool:
    return all(np.isfinite(array).all() for array in weights)


def _say_if_guessing(accuracy: float, data: Feed) -> None:
    """Say so where the net has learned nothing: one that always names the same class is as good."""
    most = max(data.test_shares)
    if accuracy <= most + 1e-6:
        print(
            f"The net has learned nothing: always naming one class gives {most:.2%}. Train for more epochs, or "
            "change [training] learning_rate.",
            file=sys.stderr,
        )


def _start_from(model: Any, path: Path, config: Config) -> None:
    """Give ``model`` the weights in the model file ``path``."""
    config_file = config.file
    if not path.is_file():
        raise ConfigError(
            f"{config_file}: [training] initial = {path} does not exist; name a trained model, or leave it out."
        )
    try:
        weights = read_model(path, trust=config.adsnn.trust_model).get_weights()
    except ConversionError as error:
        raise ConfigError(f"{config_file}: [training] initial = {error}") from error
    found, wanted = [w.shape for w in weights], [w.shape for w in model.get_weights()]
    if found != wanted:
        raise ConfigError(
            f"{config_file}: [training] initial = {path} is another net: its {len(found)} weight arrays do not have "
            f"the shapes of this architecture's {len(wanted)}; name a model of the same architecture and data."
        )
    model.set_weights(weights)


def recalibrate(model: Any, batches: Any, count: int) -> None:
    """Measure the means and variances of all batch norms again, on ``count`` inputs at least; 0: leave them.

    In training they were averaged over changing weights, augmented inputs and, with coding noise, over noisy
    potentials, whose maximum over a pooling window lies higher. The model itself meets none of these: its own means and
    variances suit it better.

    Args:
        model: a net from ``build``.
        batches: of training data, as a sequence of (inputs, labels).
        count: number of inputs.
    """
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in norms]
    seen = 0
    for index in range(len(batches)):
        if seen >= count:
            break
        x = batches[index][0]
        for layer in norms:
            layer.momentum = seen / (seen + len(x))  # the mean over all inputs so far
        model(x, training=True)
        seen += len(x)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum


def _fit(model: Any, feed: Feed, settings: TrainingSection, state: Path, progress: bool) -> Course:
    """Train ``model`` in place, from the beginning or from ``state``."""
    learner = training_model(
        model,
        coding_noise=settings.coding_noise,
        activity_penalty=settings.activity_penalty,
        augmentation=settings.augmentation,
        precision=settings.precision,
        smooth=settings.smooth,
    )
    steps = settings.epochs * len(feed.training(0))
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing)
    learner.compile(_optimizer(settings, steps), loss, metrics=["accuracy"])
    described = settings.model_dump(mode="json")
    course = checkpoint.load(state, learner, described)
    with _progress_bar(progress) as bar:
        watch = _Watch(course, settings, learner, bar, steps, state, described)
        callback = watch.callback()
        # an epoch at a time: threads that prepare batches run ahead, into a next epoch that is not drawn yet
        while not course.over(settings.epochs, settings.patience):
            epoch = len(course.epochs)
            batches = feed.training(epoch)
            with _data_errors(batches, feed.validation):
                learner.fit(
                    batches,
                    epochs=epoch + 1,
                    initial_epoch=epoch,
                    validation_data=feed.validation,
                    callbacks=[callback],
                    workers=feed.workers,
                    shuffle=False,
                    verbose=0,
                )
    learner.set_weights(course.best_weights)
    copy_weights(learner, model)
    return course


@contextmanager
def _data_errors(*batches: Any) -> Iterator[None]:
    """Raise what one of ``batches`` raised, which TensorFlow turns into an error of its own."""
    try:
        yield
    except tf.errors.OpError:
        for one in batches:
            if (error := getattr(one, "error", None)) is not None:
                raise error from None
        raise


def _optimizer(settings: TrainingSection, steps: int) -> Any:
    peak = settings.learning_rate
    rate = (
        OneCycle(peak, steps)
        if settings.schedule == "one_cycle"
        else keras.optimizers.schedules.CosineDecay(peak, steps)
    )
    if settings.optimizer == "adam":
        return keras.optimizers.Adam(rate, clipnorm=_CLIPNORM)
    if settings.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay)
    else:
        decay = settings.weight_decay or None
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=decay)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


@keras.utils.register_keras_serializable(package=PACKAGE)
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Learning rate that rises on a straight line during the first fifth of ``steps``, then falls to 0 on another.

    Args:
        peak: the highest rate.
        steps: number of batches of the whole training.
    """

    def __init__(self, peak: float, steps: int) -> None:
        super().__init__()
        self.peak, self.steps = peak, steps

    def __call__(self, step: Any) -> Any:
        """Rate at ``step``, from 0."""
        part = (tf.cast(step, tf.float32) + 1) / (self.steps + 1)
        return self.peak * tf.minimum(part / 0.2, (1 - part) / 0.8)

    def get_config(self) -> dict[str, Any]:
        """Arguments to make the schedule again."""
        return {"peak": self.peak, "steps": self.steps}


def _progress_bar(shown: bool) -> Progress:
    from rich.console import Console

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    console.quiet = not (console.is_terminal or console.is_jupyter)  # in a file of messages it would say nothing
    return Progress(*columns, console=console, disable=not shown)


@dataclass
class _Watch:
    """Follows a training: log entries, state on disk, progress bar, early stopping, and a loss that is no number."""

    course: Course
    settings: TrainingSection
    learner: Any
    bar: Progress
    steps: int
    state: Path
    described: dict[str, Any]

    def callback(self) -> Any:
        done = len(self.course.epochs)
        task = self.bar.add_task("training", total=self.steps, completed=self.steps * done // self.settings.epochs)
        start = time.monotonic()
        before = self.course.epochs[-1]["seconds"] if done else 0.0

        def stop(what: str) -> TrainingError:
            return TrainingError(
                f"training stopped in epoch {len(self.course.epochs) + 1}: {what}. {_CALMER}{_begin_anew(self.state)}."
            )

        def need_finite(loss: float) -> None:
            if not math.isfinite(loss):
                raise stop(f"the loss became {loss}")

        def before_epoch(epoch: int, logs: Any) -> None:
            reseed(self.learner, self.settings.seed, epoch)

        def after_batch(batch: int, logs: dict[str, float]) -> None:
            need_finite(logs["loss"])
            self.bar.advance(task)

        def after_epoch(epoch: int, logs: dict[str, float]) -> None:
            need_finite(logs["val_loss"])
            if not _finite(weights := self.learner.get_weights()):
                raise stop("weights became infinite or no numbers (NaN)")
            values = {key: float(value) for key, value in logs.items()}
            seconds = round(before + time.monotonic() - start, 1)
            self.course.add({"epoch": epoch + 1, **values, "seconds": seconds}, weights)
            checkpoint.save(self.state, self.course, self.learner, self.described)
            self.bar.update(task, description=f"epoch {epoch + 1}: validation {values['val_accuracy']:.2%}")

        return keras.callbacks.LambdaCallback(
            on_epoch_begin=before_epoch, on_batch_end=after_batch, on_epoch_end=after_epoch
        )
