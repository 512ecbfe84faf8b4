"""The toolbox's settings as the simulator ``adsnn`` reads them: what is adapted and refused, and ``[adsnn]``."""

from __future__ import annotations

from configparser import ConfigParser
from dataclasses import replace
from pathlib import Path

import numpy as np

from snntb_adsnn.config import AdsnnSection, Config, adsnn_section, read_ini
from snntb_adsnn.errors import ConfigError, DataError, ParameterError
from snntb_adsnn.files import DAMAGED_NPZ, open_npz
from snntb_adsnn.measure.correction import correct_biases
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import Array, Node
from snntb_adsnn.neuron.transfer import check_constants

NAME = "adsnn"
"""Value of ``[simulation] simulator`` and ``[input] model_lib``."""

SWEEPABLE = ("m_f", "theta0", "tau_gamma", "tau_eta", "tau_beta", "tau_phi", "readout_tau_phi")
"""Keys of ``[adsnn]`` over which ``[parameter_sweep]`` may run."""

_ONLY = {
    ("conversion", "spike_code"): ("temporal_mean_rate", "the spike code is the adaptive neuron's own"),
    ("conversion", "max2avg_pool"): ("False", "max pooling is converted exactly"),
    ("cell", "binarize_weights"): ("False", "the network is converted exactly"),
    ("cell", "quantize_weights"): ("False", "the network is converted exactly"),
    ("input", "poisson_input"): ("False", "the first layer takes the analog input"),
    ("input", "keras_dataset"): ("", "data are read from dataset_path"),
    ("tools", "serialise_only"): ("False", "the converted network is always saved"),
    ("simulation", "keras_backend"): ("tensorflow", "the ANN is evaluated by TensorFlow"),
    ("simulation", "early_stopping"): ("False", "the analog input never ends, so there is nothing to stop at"),
    ("simulation", "reset_between_nth_sample"): ("1", "every input starts from rest"),
}
"""Settings that would change a network or its input in a way that does not exist here, and the value they must have."""

_NORMALIZATION = (
    "Weight normalization is switched off for simulator adsnn: it rescales weights so that ReLU rates stay below "
    "the maximum, but an AAN is not linear and limits itself, so rescaled weights would change the network."
)


def is_ours(config: ConfigParser) -> bool:
    """Whether a configuration chooses this simulator."""
    return config.get("simulation", "simulator", fallback="INI") == NAME


def adapt(config: ConfigParser) -> None:
    """Make settings of the user (with or without the toolbox's defaults) fit the simulator, in place; idempotent.

    Raises:
        ConfigError: a setting asks for something that does not exist here, or is out of range.
    """
    library = config.get("input", "model_lib", fallback="keras")
    if library not in ("keras", NAME):
        raise ConfigError(f"[input] model_lib = {library}: simulator adsnn reads Keras models; use model_lib = keras.")
    for (section, key), (needed, reason) in _ONLY.items():
        value = config.get(section, key, fallback=needed)
        if value.strip().lower() != needed.lower():
            raise ConfigError(f"[{section}] {key} = {value} does not apply to simulator adsnn: {reason}. Remove it.")
    dataset_format = config.get("input", "dataset_format", fallback="npz")
    if dataset_format not in ("npz", "jpg", "png"):
        raise ConfigError(f"[input] dataset_format = {dataset_format}: simulator adsnn takes frames; use npz or jpg.")
    for key in ("duration", "batch_size", "num_to_test", "top_k"):
        _check_number(config, key, whole=True)
    _check_number(config, "dt", whole=False)
    _adapt_sweep(config)
    if config.get("tools", "normalize", fallback="").strip().lower() in ("true", "yes", "on", "1"):
        print(_NORMALIZATION)
    _set(config, "tools", "normalize", "False")
    _set(config, "input", "model_lib", NAME)
    adsnn_section(config)


def _set(config: ConfigParser, section: str, key: str, value: str) -> None:
    if not config.has_section(section):
        config.add_section(section)
    config.set(section, key, value)


def _check_number(config: ConfigParser, key: str, *, whole: bool) -> None:
    value = config.get("simulation", key, fallback="")
    if not value:
        return
    try:
        number = int(value) if whole else float(value)
    except ValueError:
        number = 0
    if not 0 < number < np.inf or (whole and number < 1):
        raise ConfigError(f"[simulation] {key} = {value} must be a {'whole ' if whole else ''}number above 0.")


def _adapt_sweep(config: ConfigParser) -> None:
    """The toolbox sweeps over keys of ``[cell]``, so ours get a place there."""
    name = config.get("parameter_sweep", "param_name", fallback="v_thresh")
    if not is_sweep(config):
        if name in SWEEPABLE:
            _set(config, "parameter_sweep", "param_name", "v_thresh")
    elif name not in SWEEPABLE:
        raise ConfigError(
            f"[parameter_sweep] param_name = {name} has no effect on simulator adsnn; choose one of "
            f"{', '.join(SWEEPABLE)}."
        )
    elif not config.has_option("cell", name):
        _set(config, "cell", name, "")


def is_sweep(config: ConfigParser) -> bool:
    """Whether the toolbox runs the simulation for several parameter values."""
    return config.get("parameter_sweep", "param_values", fallback="").strip() not in ("", "[]")


def swept(config: ConfigParser) -> dict[str, str]:
    """Name and present value of the parameter that is swept; empty without a sweep."""
    name = config.get("parameter_sweep", "param_name", fallback="")
    value = config.get("cell", name, fallback="") if is_sweep(config) else ""
    return {name: value} if value else {}


def current_section(config: ConfigParser) -> AdsnnSection:
    """``[adsnn]``, with the parameter that is swept at its present value."""
    return adsnn_section(config, swept(config))


# ---- files -----------------------------------------------------------------------------------------------------------


def toolbox_file(config: Config) -> ConfigParser:
    """The user's file as the toolbox can read it: paths absolute, settings adapted."""
    merged = read_ini(config.file)
    adapt(merged)
    paths = {"path_wd": config.paths.path_wd, "dataset_path": config.paths.dataset_path}
    for key in ("log_dir_of_current_run", "class_idx_path"):
        if value := merged.get("paths", key, fallback=""):
            paths[key] = (config.file.parent / Path(value).expanduser()).resolve()
    for key, path in paths.items():
        _set(merged, "paths", key, str(path).replace("%", "%%"))
    _set(merged, "restrictions", "simulators", f"%(simulators_pyNN)s | %(simulators_other)s | {{'{NAME}'}}")
    _set(merged, "restrictions", "model_libs", f"{{'keras', '{NAME}'}}")
    # the toolbox would test a whole batch where fewer images are asked for
    to_test = merged.getint("simulation", "num_to_test", fallback=1)
    if not merged.get("simulation", "sample_idxs_to_test", fallback="").strip("[] "):
        batch = merged.getint("simulation", "batch_size", fallback=1)
        _set(merged, "simulation", "batch_size", str(min(batch, to_test)))
    return merged


def check_files(config: ConfigParser) -> None:
    """Check what the chosen steps will read before anything slow happens.

    Raises:
        ConfigError: a model is missing that an earlier step should have written.
        DataError: test data are missing, damaged, or do not fit each other.
    """
    folder = Path(config.get("paths", "path_wd"))
    tools = {t: config.getboolean("tools", t) for t in ("parse", "evaluate_ann", "convert", "simulate")}
    if tools["convert"] and not tools["parse"]:
        _need(folder / f"{config.get('paths', 'filename_parsed_model')}.h5", "parse")
    if tools["simulate"] and not tools["convert"]:
        _need(folder / f"{config.get('paths', 'filename_snn')}.npz", "convert")
    if tools["simulate"] and (count := adsnn_section(config).bias_correction):
        correction_inputs(Path(config.get("paths", "dataset_path")) / "x_norm.npz", count)
    if (kind := config.get("input", "dataset_format")) != "npz":
        data = Path(config.get("paths", "dataset_path"))
        if next(data.glob(f"*/*.{kind}"), None) is None:
            raise DataError(
                f"[input] dataset_format = {kind}, but {data} holds no CLASS/*.{kind}; correct dataset_path or format."
            )
    if kind == "npz" and (tools["evaluate_ann"] or tools["simulate"]):
        x, y = (read_npz(Path(config.get("paths", "dataset_path")) / f"{part}_test.npz") for part in ("x", "y"))
        if y.ndim != 2 or len(y) != len(x):
            raise DataError(
                f"y_test.npz of shape {y.shape} does not fit x_test.npz of shape {x.shape}: it must hold one one-hot "
                "row for each input."
            )
        wrong = np.flatnonzero(~(np.isin(y, (0, 1)).all(axis=1) & (y.sum(axis=1) == 1)))
        if len(wrong):
            raise DataError(
                f"y_test.npz: row {wrong[0]} is {y[wrong[0]].tolist()}, which is not one-hot; write a 1 in the column "
                "of the class and 0 elsewhere."
            )
        if len(x) < config.getint("simulation", "num_to_test"):
            if (chosen := config.get("simulation", "sample_idxs_to_test")).strip("[] "):
                raise DataError(
                    f"[simulation] sample_idxs_to_test = {chosen} names an input that is not there: there are {len(x)} "
                    f"test inputs, numbered from 0 to {len(x) - 1}."
                )
            print(f"There are only {len(x)} test inputs: num_to_test is {len(x)}.")
            config.set("simulation", "num_to_test", str(len(x)))


def need_data(config: Config) -> None:
    """Raise DataError where test data are missing: the toolbox names neither the file nor the way out."""
    folder = config.paths.dataset_path
    missing = [name for name in ("x_test.npz", "y_test.npz") if not (folder / name).is_file()]
    if not missing:
        return
    if config.training is None:
        way = "write them with numpy.savez_compressed(path, array), or add a section [training], whose data set is used"
    else:  # prepare_run writes all files, unless it finds some of the user's own
        way = "write it with numpy.savez_compressed(path, array), or delete the others to have them all written anew"
    raise DataError(f"{folder}: {' and '.join(missing)} missing; {way}.")


def _need(path: Path, step: str) -> None:
    if not path.is_file():
        raise ConfigError(f"{path} is not there; set [tools] {step} = True once, which writes it.")


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


def check_inputs(config: ConfigParser, count: int) -> Array:
    """The first ``count`` test inputs, on which parsing and conversion are checked."""
    if config.get("input", "dataset_format") == "npz":
        return read_npz(Path(config.get("paths", "dataset_path")) / "x_test.npz")[:count]
    from snntoolbox.datasets.utils import get_dataset

    inputs: Array = next(get_dataset(config)[1]["dataflow"])[0]
    return inputs[:count]


# ---- the network -----------------------------------------------------------------------------------------------------


def configured(network: SpikingNetwork, section: AdsnnSection, dt: float) -> SpikingNetwork:
    """``network`` with the constants of ``[adsnn]`` and the toolbox's time step; what is not given stays.

    Raises:
        ConfigError: ``m_f`` names a layer that is not there, or the constants fit no neuron.
    """
    if unknown := set(section.m_f) - {"", *network.population_names}:
        raise ConfigError(
            f"[adsnn] m_f names the unknown layers {', '.join(sorted(unknown))}; the spiking layers are "
            f"{', '.join(network.population_names)}."
        )
    precisions = {name: section.m_f.get(name, section.m_f.get("")) for name in network.population_names}
    network = network.with_m_f({name: m_f for name, m_f in precisions.items() if m_f is not None})

    def change(node: Node) -> Node:
        if isinstance(node, Neurons):
            parameters = replace(node.parameters, dt=dt, **section.overrides)
            try:
                check_constants(parameters)
            except ParameterError as error:
                raise ConfigError(f"layer {node.name!r} cannot be simulated so: {error}") from None
            return replace(node, parameters=parameters).with_form(section.form)
        if isinstance(node, Readout):
            tau_beta = section.tau_beta or node.tau_beta
            return replace(node, tau_phi=section.readout_tau_phi, tau_beta=tau_beta, dt=dt)
        return node

    return SpikingNetwork(tuple(map(change, network.nodes)))


def simulated_network(
    network: SpikingNetwork, section: AdsnnSection, dt: float, training_inputs: Path
) -> SpikingNetwork:
    """What is simulated: ``configured``, with biases corrected where ``bias_correction`` asks for it.

    Args:
        network: as it was trained.
        training_inputs: the toolbox's ``x_norm.npz``, read only where biases are corrected.

    Raises:
        ConfigError: an unknown layer, or fewer training inputs than asked for.
        DataError: there are no training inputs.
    """
    simulated = configured(network, section, dt)
    if not section.bias_correction:
        return simulated
    x = correction_inputs(training_inputs, section.bias_correction)
    print(f"Correcting biases from {len(x)} training inputs ...")
    return correct_biases(simulated, x, trained=network, engine=section.engine)


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
