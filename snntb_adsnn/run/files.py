"""The files that a run reads: made where they are missing, and checked when they are read."""

from __future__ import annotations

import filecmp
import shutil
from pathlib import Path

import h5py
import numpy as np

from snntb_adsnn.config import Config
from snntb_adsnn.data import ensure_toolbox_data
from snntb_adsnn.data.arrays import read_arrays
from snntb_adsnn.errors import ConfigError, DataError
from snntb_adsnn.files import atomic_path
from snntb_adsnn.network.maps import Array


def prepare_run(config: Config) -> None:
    """Make what a run of ``config`` reads, where it is missing: folders, data, and the model from ``pretrained``.

    Raises:
        ConfigError: ``[adsnn] pretrained`` names a missing file, or no model.
        DataError: the data set cannot be loaded.
        OutputError: a folder cannot be written.
    """
    if config.training is not None:
        ensure_toolbox_data(config.training.data, config.paths.dataset_path)
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
    array: Array = read_arrays(path, ["arr_0"], _WAY_OUT, alone=True)["arr_0"]
    if array.ndim < 1 or not array.size:
        raise DataError(f"{path} holds {f'no input: shape {array.shape}' if array.ndim else 'one number'}; {_WAY_OUT}.")
    if array.dtype.kind == "f" and not (fine := np.isfinite(array) & (abs(array) <= _LARGEST)).all():
        place = tuple(map(int, np.argwhere(~fine)[0]))
        raise DataError(
            f"{path}: number {place} of the array is {array[place]}, and 32 bits hold finite numbers up to "
            f"{_LARGEST:.1g} only; clean the data and write the file again."
        )
    return array


_WAY_OUT = "write one array with numpy.savez_compressed(path, array)"
_LARGEST = float(np.finfo(np.float32).max)
_SHOWN = 12  # numbers of a row


def need_one_hot(file: Path, labels: Array, inputs_file: Path, inputs: Array) -> None:
    """Check labels in the form that SNN Toolbox reads.

    Args:
        file: of the labels, and ``inputs_file`` of the inputs, for messages.
        labels: one row for each input, with a 1 in the column of its class.
        inputs: shape (inputs, *input shape).

    Raises:
        DataError: they have another form, or are more or fewer than the inputs.
    """
    if labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1):
        raise DataError(
            f"{file} holds one number for each input (shape {labels.shape}), but a row with a 1 in the column of the "
            "class is needed: write numpy.eye(CLASSES)[numbers], with the number of classes."
        )
    if labels.ndim != 2:
        raise DataError(f"{file}: labels have shape {labels.shape}, but (inputs, classes) is needed; write them so.")
    if len(labels) != len(inputs):
        raise DataError(
            f"{inputs_file} holds {len(inputs)} inputs and {file.name} {len(labels)} labels; write one label for each "
            "input."
        )
    wrong = np.flatnonzero(~(np.isin(labels, (0, 1)).all(axis=1) & (labels.sum(axis=1) == 1)))
    if len(wrong):
        row = labels[wrong[0]]
        shown = ", ".join(f"{number:g}" for number in row[:_SHOWN]) + (", ..." if len(row) > _SHOWN else "")
        raise DataError(
            f"{file}: row {wrong[0]} is [{shown}], which is not one-hot; write a 1 in the column of the class and 0 "
            "elsewhere."
        )


def correction_inputs(file: Path, count: int) -> Array:
    """The first ``count`` training inputs.

    Raises:
        ConfigError: there are fewer.
        DataError: there are none.
    """
    x = read_npz(file)
    if len(x) < count:
        raise ConfigError(
            f"[adsnn] bias_correction = {count}, but {file} holds only {len(x)} inputs; give {len(x)} or less."
        )
    return x[:count]
