"""What can be known of a model before the toolbox writes or prints anything: whether it fits the data and converts."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

from snntb_adsnn.config import Config
from snntb_adsnn.errors import DataError
from snntb_adsnn.frontends import convert
from snntb_adsnn.frontends.keras.files import read_model
from snntb_adsnn.frontends.keras.stored import find_model
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.run import read_npz

_Key = tuple[Path, int, int, bool]

_loaded: dict[_Key, Any] = {}
"""The model of the run that begins, until the toolbox asks for it."""

_converted: weakref.WeakKeyDictionary[Any, tuple[SpikingNetwork, float]] = weakref.WeakKeyDictionary()
"""By model, the network that it was converted to, and the smoothing time constant of its read-out."""


def look_ahead(config: Config) -> None:
    """Load the model of a run, and convert it on test inputs; both are kept for the run.

    Raises:
        ConversionError: the model cannot be read or converted.
        DataError: test inputs do not fit the model.
    """
    if not config.tools.parse:
        return
    file, section = find_model(config.paths.path_wd / config.paths.filename_ann), config.adsnn
    model = read_model(file, trust=section.trust_model)
    if config.tools.convert and config.input.dataset_format == "npz":
        inputs = read_npz(config.paths.data_file("x_test"))
        need_shape(model, inputs)
        network = convert(model, inputs[: section.check_images], readout_tau_phi=section.readout_tau_phi)
        _converted[model] = network, section.readout_tau_phi
    _loaded.clear()
    _loaded[_key(file, section.trust_model)] = model


def _key(file: Path, trust: bool) -> _Key:
    status = file.stat()
    return file.absolute(), status.st_mtime_ns, status.st_size, trust


def take(path: Path, *, trust: bool) -> Any:
    """The model of ``path`` (see ``find_model``), as ``look_ahead`` loaded it, or loaded now."""
    file = find_model(path)
    model = _loaded.pop(_key(file, trust), None)
    return read_model(file, trust=trust) if model is None else model


def inherit(copy: Any, model: Any) -> None:
    """``copy`` has the same layers and weights as ``model``, and so its network."""
    if (known := _converted.get(model)) is not None:
        _converted[copy] = known


def network_of(model: Any, readout_tau_phi: float) -> SpikingNetwork | None:
    """What ``model`` was converted to, if it was, with this read-out."""
    network, tau_phi = _converted.get(model, (None, None))
    return network if tau_phi == readout_tau_phi else None


def need_shape(model: Any, x: Any) -> None:
    """Refuse inputs that are of another shape than the model takes.

    Raises:
        DataError: they are.
    """
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or None in shape[1:]:  # several inputs or none, or any size: conversion names it
        return
    if x.shape[1:] != shape[1:]:
        raise DataError(
            f"the test inputs have shape {x.shape[1:]}, but the model takes {shape[1:]}; check that data set and model "
            "belong together."
        )
