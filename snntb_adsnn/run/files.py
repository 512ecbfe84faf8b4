"""The files that a run reads: made where they are missing, and checked when they are read."""

from __future__ import annotations

import filecmp
import shutil
from pathlib import Path

import h5py
import numpy as np

from snntb_adsnn.config import Config, check_neurons
from snntb_adsnn.data import ensure_toolbox_data
from snntb_adsnn.errors import ConfigError, DataError
from snntb_adsnn.files import DAMAGED_NPZ, atomic_path, open_npz
from snntb_adsnn.frontends.keras.peek import common_neuron, model_file
from snntb_adsnn.network.maps import Array


def prepare_run(config: Config, *, model: bool = False) -> None:
    """Make what a run of ``config`` reads, where it is missing: folders, data, and the model from ``pretrained``. No
    framework is imported.

    Args:
        config: the configuration.
        model: there must be one; without it nothing is made.

    Raises:
        ConfigError: there is no model; ``[adsnn] pretrained`` names a missing file, or no model; or the model's neurons
            cannot have the constants of the configuration.
        DataError: the data set cannot be loaded.
        OutputError: a folder cannot be written.
    """
    _bring_model(config)
    if model:
        need_model(config)
    if config.training is not None:
        ensure_toolbox_data(config.training.data, config.paths.dataset_path)
    else:
        _need_folder(config)
    file = model_file(config.paths.path_wd / config.paths.filename_ann)
    if file is not None and (neuron := common_neuron(file)) is not None:
        check_neurons(config, neuron)


def need_model(config: Config) -> None:
    """Refuse a configuration whose model is not there.

    Raises:
        ConfigError: it is not.
    """
    paths = config.paths
    if model_file(paths.path_wd / paths.filename_ann) is None:
        train = f"train it first (snntb-adsnn train {config.file}), or " if config.training is not None else ""
        raise ConfigError(
            f"{config.file}: [paths] filename_ann = {paths.filename_ann}: there is no model {paths.model_file} (nor "
            f".keras); {train}{_correction(paths.filename_ann)}."
        )


def _correction(name: str) -> str:
    base, _, ending = name.rpartition(".")
    return f"write it without its ending, {base}" if ending in ("h5", "keras") else "correct filename_ann or path_wd"


def _need_folder(config: Config) -> None:
    """Refuse a configuration whose data should lie in a folder that is not there, and that nobody would make."""
    if not (folder := config.paths.dataset_path).is_dir():
        key = "path_wd" if folder == config.paths.path_wd else "dataset_path"
        raise ConfigError(
            f"{config.file}: [paths] {key}: there is no folder {folder}, in which test data should lie; correct it, or "
            "add a section [training], whose data set is used."
        )


def _bring_model(config: Config) -> None:
    """Copy the model from ``pretrained`` where there is none yet."""
    pretrained, model = config.adsnn.pretrained, config.paths.model_file
    if (state := config.paths.training_state).is_file():
        print(
            f"A training was stopped before its end ({state}), and its weights are not used here; go on with it by "
            f"snntb-adsnn train {config.file}, or delete its state."
        )
    if pretrained is None:
        return
    if model.exists():
        if not (pretrained.is_file() and filecmp.cmp(pretrained, model, shallow=False)):
            print(f"The model is {model}, which is there already; [adsnn] pretrained = {pretrained} is another file.")
        return
    if not pretrained.is_file():
        raise ConfigError(
            f"{config.file}: [adsnn] pretrained = {pretrained} does not exist; train first (snntb-adsnn train "
            f"{config.file}), or correct the path."
        )
    if not h5py.is_hdf5(pretrained):
        raise ConfigError(
            f"{config.file}: [adsnn] pretrained = {pretrained} is no .h5 file; name a model that Keras saved as .h5."
        )
    with atomic_path(model) as temporary:
        shutil.copyfile(pretrained, temporary)


def read_npz(path: Path) -> Array:
    """The array of a file in the toolbox's data format (``.npz`` with ``arr_0``).

    Raises:
        DataError: the file is missing, damaged, or holds something else.
    """
    try:
        with open_npz(path) as file:
            array: Array = file["arr_0"]
    except FileNotFoundError:
        raise DataError(f"{path}: no such data file; write it with numpy.savez_compressed(path, array).") from None
    except DAMAGED_NPZ as error:
        raise DataError(f"{path}: not a whole .npz file with an array 'arr_0' ({error}); write it again.") from None
    if array.dtype.kind not in "buif":
        raise DataError(f"{path}: the array holds {array.dtype.name}, not real numbers; write it again.")
    if array.ndim < 1 or not len(array) or not np.isfinite(array).all():
        raise DataError(f"{path}: the array is empty or holds NaN or infinite values; write it again.")
    return array


def correction_inputs(file: Path, count: int) -> Array:
    """The first ``count`` training inputs.

    Raises:
        ConfigError: there are fewer.
        DataError: there are none.
    """
    x = read_npz(file)
    if len(x) < count:
        raise ConfigError(f"[adsnn] bias_correction = {count}, but {file} holds only {len(x)} inputs; lower it.")
    return x[:count]
