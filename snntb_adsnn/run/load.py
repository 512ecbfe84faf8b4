"""``load``: a configuration's network and data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.config import Config, load_config, naming
from snntb_adsnn.errors import ConfigError, DataError
from snntb_adsnn.frontends.models import ModelFile, need
from snntb_adsnn.measure.correction import Correction
from snntb_adsnn.measure.evaluate import ann_decisions, columns, flat_outputs
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array
from snntb_adsnn.run.files import (
    naming_model,
    need_model,
    need_shape,
    need_targets,
    prepare_run,
    read_npz,
)
from snntb_adsnn.run.network import configured, corrected, correction_of, for_task, need_time, waiting

_DURATION, _BATCH_SIZE = 500.0, 100
"""Of studies, where ``[simulation]`` does not say."""


@dataclass(frozen=True)
class Run:
    """What a configuration describes. Each part is read or computed when it is first asked for, and kept.

    All parts raise ``AdSNNError`` for what the user can mend: a missing or damaged file, settings that do not fit.

    Attributes:
        config: the configuration.
    """

    config: Config

    # ---- settings ----------------------------------------------------------------------------------------------------

    @property
    def dt(self) -> float:
        """Time step, ms."""
        return self.config.simulation.dt

    @property
    def duration(self) -> float:
        """Simulated time per image, ms."""
        return float(self.config.simulation.duration or _DURATION)

    @property
    def batch_size(self) -> int:
        """Images simulated at a time."""
        return self.config.simulation.batch_size or _BATCH_SIZE

    # ---- data --------------------------------------------------------------------------------------------------------

    @cached_property
    def x_test(self) -> Array:
        """All test inputs, shape (images, *input shape)."""
        if (kind := self.config.input.dataset_format) != "npz":
            raise ConfigError(
                f"{self.config.file}: [input] dataset_format = {kind}, but this command reads x_test.npz and "
                "y_test.npz; set it to npz."
            )
        return read_npz(self.config.paths.data_file("x_test"))

    @cached_property
    def y_test(self) -> Array:
        """Labels of all test inputs as they stand in the file: classes, or one-hot rows."""
        x, y = self.x_test, read_npz(self.config.paths.data_file("y_test"))
        if len(x) != len(y):
            raise DataError(
                f"{self.config.paths.data_file('x_test')} holds {len(x)} inputs and y_test.npz {len(y)} labels; write "
                "one label for each input."
            )
        return y

    def need_files(self, *, x_norm: bool = False) -> None:
        """Refuse a configuration whose model or data are not there, before a framework is imported.

        Args:
            x_norm: training inputs are needed, too.

        Raises:
            ConfigError: there is no model.
            DataError: data are missing or damaged.
        """
        need_model(self.config)
        _ = self.y_test
        adsnn = self.config.adsnn
        if x_norm or adsnn.bias_correction not in (0, "auto") or adsnn.onset == "auto":
            _ = self.x_norm

    @cached_property
    def labels(self) -> Array:
        """Labels of all test inputs as the network's task takes them: of a classification the classes, shape (images,);
        of several outputs as they stand in the file."""
        targets = need_targets(self.config.paths.data_file("y_test"), self.trained.tasks, self.y_test)
        return targets[0] if len(targets) == 1 else self.y_test

    @cached_property
    def x_norm(self) -> Array:
        """Training inputs for calibration, shape (inputs, *input shape)."""
        x = read_npz(self.config.paths.data_file("x_norm"))
        if x.shape[1:] != self.x_test.shape[1:]:
            raise DataError(
                f"{self.config.paths.dataset_path}: inputs of x_norm.npz have shape {x.shape[1:]}, those of x_test.npz "
                f"{self.x_test.shape[1:]}; both must be of the data set that the network was trained with."
            )
        return x

    @cached_property
    def correction(self) -> Correction | None:
        """What ``[adsnn]`` asks the network to be corrected with; ``None``: nothing."""
        return correction_of(self.trained, self.config.adsnn, self._training_inputs)

    @property
    def _training_inputs(self) -> Path:
        return self.config.paths.data_file("x_norm")

    def held_out(self, count: int, *, only: bool = False) -> tuple[Array, NDArray[np.int64]]:
        """Labelled training inputs, those first that training held out for validation; see
        ``training.feed.held_out_first``."""
        from snntb_adsnn.training.feed import held_out_first

        return held_out_first(self.config, count, only=only)

    # ---- networks ----------------------------------------------------------------------------------------------------

    @cached_property
    def model(self) -> Any:
        """The model, as it was trained, in its own framework."""
        need_model(self.config)  # before a framework is imported, which may take seconds
        return self._model_file.read(trust=self.config.adsnn.trust_model)

    @property
    def _model_file(self) -> ModelFile:
        return need(self.config.paths.model, self.config.library)

    @cached_property
    def trained(self) -> SpikingNetwork:
        """The converted network with its trained constants; compared with the model on test inputs."""
        from snntb_adsnn.frontends import convert

        section = self.config.adsnn
        need_shape(self.model, self.x_test, self.config.paths.data_file("x_test"))
        with naming_model(self._model_file.file):
            network = convert(self.model, self.x_test[: section.check_images], readout_tau_phi=section.read_out_time)
        with naming(self.config.file):
            return for_task(network, section, self._labels_if_there)

    @property
    def _labels_if_there(self) -> Array | None:
        """Labels that help to tell the task; a command that asks for none needs none."""
        return self.y_test if self.config.paths.data_file("y_test").is_file() else None

    @cached_property
    def configured(self) -> SpikingNetwork:
        """The network with the constants of ``[adsnn]`` and the time step; biases as trained."""
        with naming(self.config.file):
            network = configured(self.trained, self.config.adsnn, self.dt)
            return need_time(waiting(network, self.config.adsnn, self._training_inputs), self.duration)

    @cached_property
    def simulated(self) -> SpikingNetwork:
        """The network that is simulated: ``configured``, with its biases corrected where ``[adsnn]`` asks for it."""
        with naming(self.config.file):
            return corrected(self.configured, self.trained, self.config.adsnn, self.correction)

    def ann(self, x: Array) -> Array:
        """What the ANN decides on inputs of shape (images, *input shape): classes, shape (images,), or labels.

        Raises:
            ConfigError: the network decides nothing, or has several outputs.
        """
        tasks = self.trained.tasks
        if len(tasks) > 1 or not tasks[0].decides:
            what = f"its task is {tasks[0].name}" if len(tasks) == 1 else f"it has {len(tasks)} outputs"
            raise ConfigError(
                f"{self.config.file}: this command compares decisions, and the network makes none ({what}); use "
                "snntb-adsnn run."
            )
        outputs = flat_outputs(self.model.predict(x, batch_size=self.batch_size, verbose=0))
        (decided,) = ann_decisions(tasks, columns(self.trained.readout.outputs, outputs))
        assert decided is not None
        return decided


def load(config: Config | str | Path, *, model: bool = False) -> Run:
    """The network and data of a configuration; brings shipped model and data to their folders where they are missing.

    Args:
        config: it, or its file.
        model: a model will be needed, so that without one nothing is made.

    Raises:
        ConfigError: the configuration has a mistake, there is no model, or ``[adsnn] pretrained`` names none.
        DataError: the data set cannot be loaded.
        OutputError: a folder cannot be written.
    """
    run = Run(load_config(config))
    prepare_run(run.config, model=model)
    return run
