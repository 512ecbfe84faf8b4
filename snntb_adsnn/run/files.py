"""The files that a run reads: made where they are missing, and checked when they are read."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from snntb_adsnn.config import Config, check_neurons
from snntb_adsnn.data import ensure_toolbox_data
from snntb_adsnn.data.arrays import read_arrays
from snntb_adsnn.errors import ConfigError, ConversionError, DataError
from snntb_adsnn.files import atomic_path
from snntb_adsnn.frontends.models import ModelFile, endings, find, instead_of, missing, of_file
from snntb_adsnn.network.maps import Array
from snntb_adsnn.network.tasks import Task, targets_of


def prepare_run(config: Config, *, model: bool = False) -> None:
    """Make what a run of ``config`` reads, where it is missing: folders, data, and the model from ``pretrained``. No
    framework is imported.

    Args:
        config: the configuration.
        model: there must be one; without it nothing is made.

    Raises:
        ConfigError: there is no model; ``[adsnn] pretrained`` names a missing file, is no Keras 2 model, or holds code
            and is not trusted; or the model's neurons cannot have the constants of the configuration.
        ConversionError: the model is none of Keras 2, or holds code and is not trusted.
        DataError: the data set cannot be loaded.
        OutputError: a folder cannot be written.
    """
    _bring_model(config)
    if model:
        need_model(config)
    if config.training is not None:
        with config.naming_folder():
            ensure_toolbox_data(config.training.data, config.paths.dataset_path)
    else:
        _need_folder(config)
    found = model_of(config)
    if found is not None and (neuron := found.neuron()) is not None:
        check_neurons(config, neuron)


def model_of(config: Config) -> ModelFile | None:
    """The model of a configuration; ``None`` where there is none.

    Raises:
        ConfigError: there are several, and nothing says which.
    """
    try:
        return find(config.paths.model, config.library)
    except ConversionError as error:
        raise ConfigError(f"{config.file}: {error}") from None


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
    there = model_of(config)
    if there is not None:
        others = (model.with_name(f"{config.paths.filename_ann}{suffix}") for suffix in there.frontend.suffixes)
        for other in others:
            if other != there.file and other.is_file():
                print(f"The model is {there.file}; {other.name} beside it is not used.")
    if pretrained is None:
        return
    if there is not None:
        if not _same(pretrained, there.file):
            name = there.file
            print(f"The model is {name}, which is there already; [adsnn] pretrained = {pretrained} is another file.")
        return
    if model.is_symlink():
        raise ConfigError(f"{model}: is a link to a file that is not there; mend the link, or remove it.")
    if not pretrained.is_file():
        what = "is a folder" if pretrained.is_dir() else "does not exist"
        raise ConfigError(
            f"{config.file}: [adsnn] pretrained = {pretrained} {what}; train first (snntb-adsnn train {config.file}), "
            "or correct the path."
        )
    source = _checked(config, "adsnn", "pretrained", pretrained)
    if source.file.suffix != source.frontend.suffixes[0]:
        raise ConfigError(
            f"{config.file}: [adsnn] pretrained = {pretrained} is in the format {source.file.suffix}; name a model "
            f"that was saved as {source.frontend.suffixes[0]}."
        )
    for other in source.frontend.files.companions(pretrained):
        with atomic_path(model.with_name(other.name)) as temporary:
            shutil.copyfile(other, temporary)
    with atomic_path(model.with_name(f"{config.paths.filename_ann}{source.file.suffix}")) as temporary:
        shutil.copyfile(pretrained, temporary)


def _checked(config: Config, section: str, key: str, file: Path) -> ModelFile:
    """The model ``file``, which a key of the configuration names.

    Raises:
        ConfigError: it is no model that can be read.
    """
    found = of_file(file) or of_file(file.with_suffix(endings()[0]))  # whose front end says what it is
    assert found is not None
    try:
        found = replace(found, file=file)
        found.check(trust=config.adsnn.trust_model)
    except ConversionError as error:
        raise ConfigError(f"{config.file}: [{section}] {key} = {error}") from None
    return found


def _same(one: Path, other: Path) -> bool:
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:  # whoever reads the model says why it cannot be read
        return False


def need_model(config: Config) -> None:
    """Refuse a model that is missing, is no Keras 2 model, or holds code and is not trusted. Keras is not asked.

    Raises:
        ConfigError: there is none, and ``pretrained`` brings none; what lies there instead is named.
        ConversionError: it cannot be used; says what the file is, and what to do.
    """
    paths = config.paths
    if (found := model_of(config)) is None and config.adsnn.pretrained is not None:
        return
    if found is None:
        train = f"train it first (snntb-adsnn train {config.file}), or " if config.training is not None else ""
        path = paths.model.with_name(paths.filename_ann)
        instead = instead_of(path, config.library) or f"{train}correct filename_ann or path_wd."
        raise ConfigError(
            f"{config.file}: [paths] filename_ann = {paths.model.name}: {missing(path, config.library)}; {instead}"
        )
    found.check(trust=config.adsnn.trust_model)


@contextmanager
def naming_model(file: Path) -> Iterator[None]:
    """Put the model's file before what conversion says about it."""
    try:
        yield
    except ConversionError as error:
        if str(error).startswith(str(file)):
            raise
        raise type(error)(f"{file}: {error}") from error


def need_initial(config: Config) -> None:
    """Refuse a ``[training] initial`` that is missing, is no Keras 2 model, or holds code and is not trusted.

    Raises:
        ConfigError: says what the file is, and what to do.
    """
    initial = None if config.training is None else config.training.initial
    if initial is None:
        return
    if not initial.is_file():
        raise ConfigError(
            f"{config.file}: [training] initial = {initial} does not exist; name a trained model, or leave it out."
        )
    _checked(config, "training", "initial", initial)


def need_parsed(config: Config) -> None:
    """Refuse a parsed model of an earlier run that is no Keras 2 model, or holds code and is not trusted.

    Raises:
        ConversionError: says what the file is, and what to do.
    """
    name = config.texts.get("paths", {}).get("filename_parsed_model") or f"{config.paths.filename_ann}_parsed"
    if (parsed := find(config.paths.path_wd / name)) is not None:
        parsed.check(trust=config.adsnn.trust_model)


def need_shape(model: Any, x: Array, file: Path) -> None:
    """Refuse inputs, read from ``file``, of another shape than the model takes.

    Raises:
        DataError: they are.
        ConversionError: the model has several inputs.
    """
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, list | dict) and len(shape) > 1:
        raise ConversionError(
            f"the model has {len(shape)} inputs, and {file.name} holds one; convert it in a Python program: "
            "docs/conversion.md, 'Several inputs'."
        )
    if not isinstance(shape, tuple) or None in shape[1:]:  # several inputs or none, or any size: conversion names it
        return
    fits = getattr(model, "fits", lambda given: given == shape[1:])
    if not fits(x.shape[1:]):
        raise DataError(
            f"{file}: the test inputs have shape {x.shape[1:]}, but the model takes {shape[1:]}; check that data set "
            "and model belong together."
        )


def read_npz(path: Path) -> Array:
    """The array of a file in the toolbox's data format (``.npz`` with ``arr_0``).

    Raises:
        DataError: the file is missing, damaged, or holds something else.
    """
    array: Array = read_arrays(path, ["arr_0"], way_to(path), alone=True)["arr_0"]
    if array.ndim < 1 or not array.size:
        raise DataError(f"{path} holds {f'no input: shape {array.shape}' if array.ndim else 'one number'}; {_WAY_OUT}.")
    largest = min(_LARGEST, float(np.finfo(array.dtype).max)) if array.dtype.kind == "f" else 0.0
    if array.dtype.kind == "f" and not (fine := np.isfinite(array) & (abs(array) <= largest)).all():
        place = tuple(map(int, np.argwhere(~fine)[0]))
        raise DataError(
            f"{path}: number {place} of the array is {array[place]}, and 32 bits hold finite numbers up to "
            f"{_LARGEST:.1g} only; clean the data and write the file again."
        )
    return array


def way_to(path: Path) -> str:
    """How to get a data file that is missing or wrong: from the ``.npy`` file beside it, where there is one."""
    beside = path.with_suffix(".npy")
    if path.exists() or not beside.is_file():
        return _WAY_OUT
    return (
        f"{beside.name} is there, but .npz files with one array (arr_0) are read; write "
        f"numpy.savez_compressed('{path.name}', numpy.load('{beside.name}'))"
    )


_WAY_OUT = "write one array with numpy.savez_compressed(path, array)"
_LARGEST = float(np.finfo(np.float32).max)


def need_labels(file: Path, labels: Array, inputs_file: Path, inputs: Array) -> None:
    """Check that there is a label for each input; whether they fit the model's outputs is seen when it is converted.

    Args:
        file: of the labels, and ``inputs_file`` of the inputs, for messages.
        labels: one for each input, along the first axis.
        inputs: shape (inputs, *input shape).

    Raises:
        DataError: there are more or fewer.
    """
    if len(labels) != len(inputs):
        raise DataError(
            f"{inputs_file} holds {len(inputs)} inputs and {file.name} {len(labels)} labels; write one label for each "
            "input."
        )


@contextmanager
def naming_labels(file: Path) -> Iterator[None]:
    """Put the file of the labels before what is said about them."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{file}: {error}") from None


def need_targets(file: Path, tasks: Sequence[Task], labels: Array) -> list[Array]:
    """The labels of ``file`` as the network's tasks take them, one array for each output.

    Raises:
        DataError: they do not fit the outputs.
    """
    with naming_labels(file):
        return targets_of(tasks, labels, len(labels))


def correction_inputs(file: Path, count: int, more: int = 0) -> Array:
    """The first ``count`` training inputs, and up to so many ``more`` where there are.

    Raises:
        ConfigError: there are fewer.
        DataError: there are none.
    """
    x = read_npz(file)
    if len(x) < count:
        raise ConfigError(
            f"[adsnn] bias_correction = {count}, but {file} holds only {len(x)} inputs; give {len(x)} or less."
        )
    return x[: count + more]
