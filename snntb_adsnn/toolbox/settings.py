"""The toolbox's settings as the simulator ``adsnn`` reads them: what is adapted and refused, and ``[adsnn]``."""

from __future__ import annotations

from configparser import ConfigParser
from contextvars import ContextVar
from pathlib import Path

from snntb_adsnn.config import AdsnnSection, Config, adsnn_section, simulation_section
from snntb_adsnn.config.literals import literal
from snntb_adsnn.config.messages import short
from snntb_adsnn.config.toolbox import (
    NAME,
    RESTRICTIONS,
    SWEEPABLE,
    refusals,
    settled,
    toolbox_defaults,
    value_mistakes,
)
from snntb_adsnn.errors import ConfigError, DataError
from snntb_adsnn.frontends.keras.peek import ends_with_softmax
from snntb_adsnn.network import Output
from snntb_adsnn.network.maps import Array
from snntb_adsnn.network.tasks import AUTO, Classification
from snntb_adsnn.run import correction_inputs, need_targets, read_npz
from snntb_adsnn.run.files import need_labels, way_to
from snntb_adsnn.toolbox.origin import model_of, need_same_model, network_file, parsed_file

RUN_TRUSTS: ContextVar[bool | None] = ContextVar("RUN_TRUSTS", default=None)
"""``[adsnn] trust_model`` of the run in progress, for loaders that the toolbox gives no settings; else ``None``."""

__all__ = [
    "RUN_TRUSTS",
    "SWEEPABLE",
    "adapt",
    "check_files",
    "check_inputs",
    "current_section",
    "is_sweep",
    "need_adapted",
    "need_data",
    "swept",
    "toolbox_file",
]

_NORMALIZATION = (
    "Weight normalization is switched off for simulator adsnn: it rescales weights so that ReLU rates stay below "
    "the maximum, but an AAN is not linear and limits itself, so rescaled weights would change the network."
)


def adapt(config: ConfigParser) -> None:
    """Make settings of the user (with or without the toolbox's defaults) fit the simulator, in place; idempotent.

    Raises:
        ConfigError: a setting asks for something that does not exist here, or is out of range.
    """
    if mistakes := value_mistakes(config) or refusals(config):
        raise ConfigError("\n".join(mistakes))
    for place in list(settled(config)):
        _set(config, *place)
    simulation_section(config)
    _adapt_sweep(config)
    if config.get("tools", "normalize", fallback="").strip().lower() in ("true", "yes", "on", "1"):
        print(_NORMALIZATION)
    _set(config, "tools", "normalize", "False")
    _set(config, "input", "model_lib", NAME)
    adsnn_section(config)


def need_adapted(config: ConfigParser) -> None:
    """``adapt`` settings of a program that uses the simulator without the toolbox's pipeline."""
    if config.get("input", "model_lib", fallback="keras") != NAME:
        adapt(config)


def _set(config: ConfigParser, section: str, key: str, value: str) -> None:
    if not config.has_section(section):
        config.add_section(section)
    config.set(section, key, value)


def _adapt_sweep(config: ConfigParser) -> None:
    """The toolbox sweeps over keys of ``[cell]``, so ours get a place there."""
    name = config.get("parameter_sweep", "param_name", fallback="v_thresh")
    if is_sweep(config) and not config.has_option("cell", name):
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
    merged = ConfigParser()
    merged.optionxform = str  # type: ignore[assignment,method-assign]
    merged.read_dict(config.texts)
    merged.source = config.file  # type: ignore[attr-defined]
    adapt(merged)
    for key, value in _paths(config, merged).items():
        _set(merged, "paths", key, str(value).replace("%", "%%"))
    for key, text in RESTRICTIONS.items():
        _set(merged, "restrictions", key, text)
    # the toolbox would test a whole batch where fewer images are asked for
    section = config.simulation
    if not section.chosen:
        _set(merged, "simulation", "batch_size", str(min(section.batch_size or 1, section.num_to_test or 1)))
    return merged


def _paths(config: Config, merged: ConfigParser) -> dict[str, str | Path]:
    """``[paths]``, complete: what the toolbox adds itself, it adds as it is, and cannot read a ``%`` again."""
    name, given = config.paths.filename_ann, merged["paths"]
    paths: dict[str, str | Path] = {"path_wd": config.paths.path_wd, "dataset_path": config.paths.dataset_path}
    paths["filename_ann"] = config.paths.model.name
    for key in ("log_dir_of_current_run", "class_idx_path"):
        if value := given.get(key, ""):
            paths[key] = (config.file.parent / Path(value).expanduser()).resolve()
    label = given.get("runlabel", "") or toolbox_defaults()["paths"]["runlabel"]
    paths.setdefault("log_dir_of_current_run", config.paths.path_wd / "log" / "gui" / label)
    paths["filename_parsed_model"] = given.get("filename_parsed_model", "") or f"{name}_parsed"
    paths["filename_snn"] = given.get("filename_snn", "") or f"{name}_{NAME}"
    return paths


def completed(config: ConfigParser) -> ConfigParser:
    """``config`` with the toolbox's defaults, as the toolbox itself completes it."""
    whole = ConfigParser()
    whole.optionxform = str  # type: ignore[assignment,method-assign]
    whole.read_dict(toolbox_defaults())
    whole.read_dict({section: dict(config.items(section, raw=True)) for section in config.sections()})
    return whole


def check_files(config: ConfigParser) -> None:
    """Check what the chosen steps will read before anything slow happens.

    Raises:
        ConfigError: a model is missing that an earlier step should have written.
        DataError: test data are missing, damaged, or do not fit each other.
    """
    tools = {t: config.getboolean("tools", t) for t in ("parse", "evaluate_ann", "convert", "simulate")}
    if tools["convert"] and not tools["parse"]:
        _need(parsed_file(config), "parse")
        need_same_model(parsed_file(config), model_of(config), "parse = True")
    if tools["simulate"] and not tools["convert"]:
        _need(network_file(config), "convert")
        need_same_model(network_file(config), model_of(config), "parse = True and convert = True")
    if tools["simulate"] and isinstance(count := adsnn_section(config).bias_correction, int) and count:
        correction_inputs(Path(config.get("paths", "dataset_path")) / "x_norm.npz", count)
    if (kind := config.get("input", "dataset_format")) != "npz":
        data = Path(config.get("paths", "dataset_path"))
        need_pictures(data, kind)
        _need_samples(config, sum(file.suffix.lower() in PICTURES for file in data.glob("*/**/*")), "pictures")
    if kind == "npz" and (tools["evaluate_ann"] or tools["simulate"]):
        x_file, y_file = (Path(config.get("paths", "dataset_path")) / f"{part}_test.npz" for part in ("x", "y"))
        x, y = read_npz(x_file), read_npz(y_file)
        need_labels(y_file, y, x_file, x)
        model = model_of(config)
        if adsnn_section(config).task == AUTO and model is not None and ends_with_softmax(model.file):
            _need_classes(y_file, y)
        if (top_k := config.getint("simulation", "top_k")) > 1 and y.ndim == 2 and 1 < y.shape[1] < top_k:
            raise ConfigError(
                f"[simulation] top_k = {top_k} is above the number of classes: y_test.npz has {y.shape[1]}; lower it."
            )
        _need_samples(config, len(x), "test inputs")
        if len(x) < config.getint("simulation", "num_to_test"):
            print(f"There are only {len(x)} test inputs: num_to_test is {len(x)}.")
            config.set("simulation", "num_to_test", str(len(x)))


def _need_classes(file: Path, labels: Array) -> None:
    """Refuse labels of a softmax that are classes of no number of outputs, before TensorFlow is imported.

    Raises:
        DataError: they are.
    """
    if labels.ndim > 2:
        raise DataError(
            f"{file}: labels have shape {labels.shape}, but the model chooses one of several classes; write class "
            "numbers, or one-hot rows of shape (inputs, classes)."
        )
    columns = labels.shape[1] if labels.ndim == 2 and labels.shape[1] > 1 else max(2, int(labels.max(initial=0)) + 1)
    need_targets(file, (Classification(Output("classes", (columns,), "softmax")),), labels)


def check_looks(config: ConfigParser) -> None:
    """Refuse settings of plots that matplotlib does not know.

    Raises:
        ConfigError: there is one.
    """
    from matplotlib import RcParams

    for key, value in literal(config.get("output", "plotproperties")).items():
        try:
            RcParams({key: value})
        except (KeyError, ValueError, TypeError):
            raise ConfigError(
                f"[output] plotproperties: {key!r} is no setting of matplotlib, or cannot be {short(value)!r}; correct "
                "it, or leave it out."
            ) from None


PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff")
"""What the toolbox takes for a picture, in the folders of the classes."""


def _need_samples(config: ConfigParser, there: int, kind: str) -> None:
    """Refuse chosen inputs that are not there.

    Raises:
        DataError: there is one.
    """
    indices = literal(config.get("simulation", "sample_idxs_to_test"))
    if indices and max(indices) >= there:
        raise DataError(
            f"[simulation] sample_idxs_to_test = {short(indices)} names input {max(indices)}, but there are {there} "
            f"{kind}, numbered from 0 to {there - 1}; choose among them."
        )


def need_pictures(folder: Path, kind: str) -> None:
    """Raise DataError where ``[input] dataset_format`` asks for pictures and there are none."""
    if not any(file.suffix.lower() in PICTURES for file in folder.glob("*/**/*")):
        raise DataError(
            f"[input] dataset_format = {kind}, but {folder} holds no picture in a folder of its class (of the kinds "
            f"{', '.join(PICTURES)}); correct dataset_path or dataset_format."
        )


def need_data(config: Config) -> None:
    """Raise DataError where test data are missing: the toolbox names neither the file nor the way out."""
    folder = config.paths.dataset_path
    missing = [f"{part}.npz" for part in ("x_test", "y_test") if not config.paths.data_file(part).exists()]
    if not missing:
        return
    if any((folder / part).with_suffix(".npy").is_file() for part in missing):
        way = "; ".join(way_to(folder / part) for part in missing)
    elif config.training is None:
        way = "write them with numpy.savez_compressed(path, array), or add a section [training], whose data set is used"
    else:  # prepare_run writes all files, unless it finds some of the user's own
        way = "write it with numpy.savez_compressed(path, array), or delete the others to have them all written anew"
    raise DataError(f"{folder}: {' and '.join(missing)} missing; {way}.")


def _need(path: Path, step: str) -> None:
    if not path.is_file():
        raise ConfigError(f"[tools] {step} = False, but {path} is not there; set it to True once, which writes it.")


def check_inputs(config: ConfigParser, count: int) -> Array:
    """The first ``count`` test inputs, on which parsing and conversion are checked."""
    if config.get("input", "dataset_format") == "npz":
        return read_npz(Path(config.get("paths", "dataset_path")) / "x_test.npz")[:count]
    from snntoolbox.datasets.utils import get_dataset

    inputs: Array = next(get_dataset(config)[1]["dataflow"])[0]
    return inputs[:count]
