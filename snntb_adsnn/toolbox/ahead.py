"""What can be known of a model before the toolbox writes or prints anything: whether it fits the data and converts."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

from snntb_adsnn.config import Config
from snntb_adsnn.frontends import convert, owner
from snntb_adsnn.frontends.models import need
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array
from snntb_adsnn.network.tasks import Task, tasks_of
from snntb_adsnn.run import configured, correction_of, for_task, naming_model, need_shape, need_targets, read_npz

_Key = tuple[Path, int, int, bool]

_loaded: dict[_Key, Any] = {}
"""The model of the run that begins, until the toolbox asks for it."""

_converted: weakref.WeakKeyDictionary[Any, tuple[SpikingNetwork, float]] = weakref.WeakKeyDictionary()
"""By model, the network that it was converted to, and the smoothing time constant of its read-out."""


def look_ahead(config: Config) -> None:
    """Load the model of a run, and convert it on test inputs; both are kept for the run.

    Raises:
        ConversionError: the model cannot be read or converted.
        ConfigError: ``[adsnn]`` does not fit the network.
        DataError: test inputs or labels do not fit the model.
        ParameterError: the model has one output, which is always 1.
    """
    if not config.tools.parse:
        return
    found, section = need(config.paths.model, config.library), config.adsnn
    file = found.file
    model = found.read(trust=section.trust_model)
    if config.tools.convert and config.input.dataset_format == "npz":
        inputs = read_npz(config.paths.data_file("x_test"))
        need_shape(model, inputs, config.paths.data_file("x_test"))
        with naming_model(file):
            network = convert(model, inputs[: section.check_images], readout_tau_phi=section.read_out_time)
        labels_file = config.paths.data_file("y_test")
        labels = read_npz(labels_file)
        network = for_task(network, section, labels)
        need_targets(labels_file, network.tasks, labels)
        if config.tools.simulate:  # names training inputs that do not fit
            correction_of(network, section, config.paths.data_file("x_norm"))
        if "parameter_sweep" not in config.texts:  # which may change what does not fit
            configured(network, section, config.simulation.dt)
        _converted[model] = network, section.read_out_time
    _loaded.clear()
    _loaded[_key(file, section.trust_model)] = model


def _key(file: Path, trust: bool) -> _Key:
    status = file.stat()
    return file.absolute(), status.st_mtime_ns, status.st_size, trust


def take(path: Path, *, trust: bool) -> Any:
    """The model of ``path`` (see ``models.need``), as ``look_ahead`` loaded it, or loaded now."""
    found = need(path)
    model = _loaded.pop(_key(found.file, trust), None)
    return found.read(trust=trust) if model is None else model


def inherit(copy: Any, model: Any) -> None:
    """``copy`` has the same layers and weights as ``model``, and so its network."""
    if (known := _converted.get(model)) is not None:
        _converted[copy] = known


def tasks_of_model(model: Any, labels: Array | None = None) -> tuple[Task, ...]:
    """What the outputs of ``model`` are for: as its network has it, if it was converted; else as its layers say, and
    labels where they leave a choice."""
    network, _ = _converted.get(model, (None, None))
    if network is not None:
        return network.tasks
    frontend = owner(model)
    assert frontend is not None, "it was read by one"
    return tasks_of(frontend.files.outputs(model), labels=labels)


def network_of(model: Any, readout_tau_phi: float) -> SpikingNetwork | None:
    """What ``model`` was converted to, if it was, with this read-out."""
    network, tau_phi = _converted.get(model, (None, None))
    return network if tau_phi == readout_tau_phi else None
