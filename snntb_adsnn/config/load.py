"""Configuration files: SNN Toolbox's ``.ini`` with sections ``[adsnn]``, ``[training]``, ``[hls]``, ``[sweep]``,
``[arousal]``, checked on load.

The file is read by the toolbox's rules (Python's ``configparser``, keys case-sensitive, comments on lines of their
own). Relative paths count from the folder of the file, so a configuration works from any working directory.
"""

from __future__ import annotations

import configparser
import errno
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from snntb_adsnn.config.adsnn import AdsnnSection
from snntb_adsnn.config.base import Section
from snntb_adsnn.config.hls import HlsSection
from snntb_adsnn.config.messages import checked, short, shown, unknown_names
from snntb_adsnn.config.paths import PathsSection
from snntb_adsnn.config.reading import percent_mistakes, read_ini
from snntb_adsnn.config.simulation import READ, InputSection, SimulationSection, ToolsSection
from snntb_adsnn.config.studies import ArousalSection, SweepSection
from snntb_adsnn.config.toolbox import NAME, refusals, sweep_values, toolbox_defaults, value_mistakes
from snntb_adsnn.config.training import TrainingSection
from snntb_adsnn.engine.result import check_memory
from snntb_adsnn.errors import ConfigError, DataError, ParameterError
from snntb_adsnn.frontends.models import endings
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import GRADED, check_constants


class Config(Section):
    """A configuration file after checking.

    Attributes:
        file: the file itself.
        paths, adsnn, training, hls, sweep, arousal: its sections; ``training`` is ``None`` where the file has none.
        simulation, input, tools: what this package reads of the toolbox's own.
        swept: ``[adsnn]`` at each value of ``[parameter_sweep]``.
        texts: all values as they stand in the file, by section and key; what the toolbox gets.
    """

    file: Path
    paths: PathsSection
    simulation: SimulationSection = SimulationSection()
    input: InputSection = InputSection()
    tools: ToolsSection = ToolsSection()
    adsnn: AdsnnSection = AdsnnSection()
    training: TrainingSection | None = None
    hls: HlsSection = HlsSection()
    sweep: SweepSection = SweepSection()
    arousal: ArousalSection = ArousalSection()
    swept: tuple[AdsnnSection, ...] = ()
    texts: dict[str, dict[str, str]] = {}

    def need_training(self, lacking: str = "there is nothing to train") -> TrainingSection:
        """The section ``[training]``.

        Raises:
            ConfigError: the file has none, so that what ``lacking`` says.
        """
        if self.training is None:
            raise ConfigError(
                f"{self.file}: there is no section [training], so {lacking}. Add the section with at least "
                "dataset and architecture."
            )
        return self.training

    @property
    def library(self) -> str:
        """``[input] model_lib`` where the file gives one that means a front end; else nothing."""
        name = self.texts.get("input", {}).get("model_lib", "").strip()
        return "" if name == NAME else name

    @contextmanager
    def naming_folder(self) -> Iterator[None]:
        """Put file and key before what the body's errors say about the folder of images, ``[training] folder``."""
        folder = None if self.training is None else self.training.folder
        try:
            yield
        except DataError as error:
            if folder is not None and str(error).startswith(str(folder)):
                raise DataError(f"{shown(self.file)}: [training] folder: {error}") from error
            raise


SECTIONS: dict[str, type[Section]] = {
    "adsnn": AdsnnSection,
    "training": TrainingSection,
    "hls": HlsSection,
    "sweep": SweepSection,
    "arousal": ArousalSection,
}
"""Our sections, by name."""


def load_config(path: str | Path | Config) -> Config:
    """Read and check a configuration file; what is loaded already is returned as it is.

    Raises:
        ConfigError: the file is missing or unreadable, or has an unknown section or key, or a value out of range;
            one line for each mistake, naming file, section, key, value and what is allowed.
    """
    if isinstance(path, Config):
        return path
    path = Path(path).expanduser().absolute()
    return check_config(path, read_ini(path))


def check_config(path: Path, parser: configparser.ConfigParser) -> Config:
    """Check a configuration that ``read_ini`` has read from the absolute path ``path``; raises as ``load_config``."""
    mistakes = [m for section in parser.sections() for m in unknown_names(section, list(parser[section]), _known())]
    mistakes = mistakes or percent_mistakes(parser) or value_mistakes(parser)
    if is_ours(parser):
        mistakes = mistakes or refusals(parser)
    if mistakes:
        raise ConfigError("\n".join(f"{shown(path)}: {mistake}" for mistake in mistakes))
    values = {name: _values(parser, name) for name in ("paths", *SECTIONS)}
    _resolve_paths(path, values["paths"])
    _resolve_keys(path, "adsnn", values["adsnn"], "pretrained")
    _resolve_keys(path, "training", values["training"], "folder", "initial")
    found: dict[str, Any] = {"paths": checked(path, "paths", PathsSection, _read_paths(values["paths"]))}
    found |= {name: _toolbox_section(path, parser, name) for name in READ}
    for name, kind in SECTIONS.items():
        if name != "training" or parser.has_section(name):
            found[name] = checked(path, name, kind, values[name])
    texts = {section: dict(parser.items(section, raw=True)) for section in parser.sections()}
    if is_ours(parser):
        found["swept"] = _swept(path, parser)
    config = Config(file=path, texts=texts, **found)
    check_neurons(config)
    _check_durations(config)
    return config


def _known() -> dict[str, list[str]]:
    """The keys of all sections."""
    ours = {section: list(kind.model_fields) for section, kind in SECTIONS.items()}
    return {**ours, **{section: list(keys) for section, keys in toolbox_defaults().items()}}


def _swept(path: Path, parser: configparser.ConfigParser) -> tuple[AdsnnSection, ...]:
    name = parser.get("parameter_sweep", "param_name", fallback="")
    values = _values(parser, "adsnn")
    return tuple(checked(path, "adsnn", AdsnnSection, {**values, name: repr(value)}) for value in sweep_values(parser))


def is_ours(parser: configparser.ConfigParser) -> bool:
    """Whether settings choose this package's simulator."""
    try:
        return parser.get("simulation", "simulator", fallback="INI") == NAME
    except configparser.InterpolationError:  # no name at all; ``percent_mistakes`` says so
        return False


def adsnn_section(parser: configparser.ConfigParser, changes: Mapping[str, str] | None = None) -> AdsnnSection:
    """``[adsnn]`` of settings that SNN Toolbox has merged, with ``changes`` put over it.

    Raises:
        ConfigError: an unknown key, or a value out of range.
    """
    values = {**_values(parser, "adsnn"), **(changes or {})}
    if mistakes := unknown_names("adsnn", list(values), _known()):
        raise ConfigError("\n".join(mistakes))
    section: AdsnnSection = checked(source_of(parser), "adsnn", AdsnnSection, values)
    return section


def source_of(parser: configparser.ConfigParser) -> Path:
    """The user's file that settings of SNN Toolbox come from (``source``, where a run has set it)."""
    return Path(getattr(parser, "source", "settings of this run"))


def simulation_section(parser: configparser.ConfigParser) -> SimulationSection:
    """``[simulation]`` of settings that SNN Toolbox has merged.

    Raises:
        ConfigError: a value out of range.
    """
    section: SimulationSection = _toolbox_section(source_of(parser), parser, "simulation")
    return section


def _toolbox_section(path: Path, parser: configparser.ConfigParser, name: str) -> Any:
    """What we read of one of the toolbox's sections."""
    values = {key: parser.get(name, key, fallback="") for key in READ[name].model_fields}
    return checked(path, name, READ[name], {key: value for key, value in values.items() if value})


# ---- what fits together ----------------------------------------------------------------------------------------------


def check_neurons(config: Config, trained: ASNParameters | None = None) -> None:
    """Refuse constants that no neuron can work with, in any section.

    Args:
        config: the configuration.
        trained: the constants of a network of AAN; those not given are its own. Without it, they are the paper's, and
            only what no neuron whatever can work with is refused: a model of ReLU has graded spikes, for which m_f and
            theta0 have no bounds.

    Raises:
        ConfigError: such constants.
    """
    path, adsnn, dt = config.file, config.adsnn, config.simulation.dt

    def check(
        section: str,
        precisions: Collection[float],
        own: Mapping[str, float],
        common: Mapping[str, float],
        key: str = "",
    ) -> None:
        """``own``: constants that the section gives, before those in ``common``, which ``[adsnn]`` gives."""
        constants, there = {**common, **own}, f"[{section}] {key}"
        places = dict.fromkeys(("m_f", "theta0") if precisions else (), there)  # theta0 follows m_f
        places |= dict.fromkeys(common, "[adsnn] ") | dict.fromkeys(own, there)
        for m_f in precisions or ([(trained or _PAPER).m_f] if constants or trained else []):
            _refuse(path, places, partial(_check_constants, trained, {"m_f": m_f, "dt": dt, **constants}))

    for section, one in (("adsnn", adsnn), *(("parameter_sweep", swept) for swept in config.swept)):
        check(section, one.m_f.values(), one.overrides, {})
    if config.training is not None:  # its activation is AAN
        _refuse(path, "[training] ", partial(_check_constants, _PAPER, config.training.constants))
    # their defaults may not fit a network that is never swept
    if "sweep" in config.texts:
        for constants in config.sweep.constants():
            check("sweep", config.sweep.m_f, constants, adsnn.overrides)
    for key in ("m_f_low", "m_f_high") if "arousal" in config.texts else ():
        check("arousal", getattr(config.arousal, key) or (), {}, adsnn.overrides, f"{key}: ")


_PAPER = ASNParameters(m_f=0.2)


def _check_constants(trained: ASNParameters | None, given: Mapping[str, float]) -> None:
    own = replace((trained or _PAPER).with_m_f(given["m_f"]), **given)
    check_constants(own, GRADED if trained is None else "exact")


def _check_durations(config: Config) -> None:
    """Refuse times shorter than a step, and those of which not even one image fits into memory."""
    dt, simulation = config.simulation.dt, config.simulation
    times: list[tuple[str, float]] = []
    if simulation.duration and simulation.simulator == NAME:
        times.append(("simulation", simulation.duration))
    if "sweep" in config.texts:
        times += [("sweep", duration) for duration in config.sweep.duration or ()]
    for section, duration in times:
        place = f"duration = {duration:g} ms with dt = {dt:g} ms: "
        if duration < dt:
            raise ConfigError(f"{shown(config.file)}: [{section}] {place}it is shorter than a time step; lower dt.")
        _refuse(config.file, f"[{section}] {place}", partial(check_memory, round(min(duration / dt, 1e18))))


def _refuse(path: Path, where: str | Mapping[str, str], check: Callable[[], None]) -> None:
    """Call ``check``, and name the file, and where in it the values stand, where it refuses; ``where``: for all, or by
    the constant's name, with which the error begins. A constant that is named nowhere is the model's."""
    try:
        check()
    except ParameterError as error:
        place = where if isinstance(where, str) else where.get(str(error).split(" ")[0], "the model's ")
        raise ConfigError(f"{shown(path)}: {place}{error}") from None


def _values(parser: configparser.ConfigParser, section: str) -> dict[str, Any]:
    """The section's keys that have a value; an empty value means the default, as in the toolbox's own file."""
    return {key: value for key, value in parser[section].items() if value} if section in parser else {}


# ---- paths -----------------------------------------------------------------------------------------------------------


def _resolve_paths(config_file: Path, values: dict[str, Any]) -> None:
    """Paths of ``[paths]``: the data lie in the working folder unless another is given, and that is the file's own."""
    values.setdefault("path_wd", ".")
    values.setdefault("dataset_path", values["path_wd"])
    folders = ("path_wd", "dataset_path", "log_dir_of_current_run")
    given = {key: values[key] for key in folders if key in values}
    _resolve_keys(config_file, "paths", values, *folders, "class_idx_path")
    for key, value in given.items():
        if Path(values[key]).is_file():
            raise ConfigError(f"{shown(config_file)}: [paths] {key} = {short(value)} is a file; name a folder.")


def _read_paths(values: Mapping[str, Any]) -> dict[str, Any]:
    """What we read of ``[paths]``. ``net.h5`` is the model ``net``, unless a model ``net.h5.h5`` is there."""
    read = {key: value for key, value in values.items() if key in PathsSection.model_fields}
    name, folder = read.get("filename_ann", ""), Path(read["path_wd"])
    ending = next((one for one in endings() if name.endswith(one) and name != one), "")
    if ending and not any((folder / f"{name}{one}").is_file() for one in endings()):
        read |= {"filename_ann": name.removesuffix(ending), "ending": ending}
    return read


def _resolve_keys(config_file: Path, section: str, values: dict[str, Any], *keys: str) -> None:
    for key in keys:
        if (value := values.get(key)) is not None:
            values[key] = str(_resolve(config_file, section, key, value))


def _resolve(config_file: Path, section: str, key: str, value: str) -> Path:
    """The path that ``value`` means.

    Raises:
        ConfigError: there can be no such path.
    """
    hint = ""
    if not value.isprintable():
        reason = "it holds a line break or another character that no path should have"
        hint = "; an indented line goes on with the value above it: take the indent away" if "\n" in value else ""
    elif value[0] == value[-1] and value[0] in "'\"":
        reason = "quotes are no part of it; write it without them"
    elif os.name == "posix" and (re.match(r"[A-Za-z]:([\\/]|$)", value) or "\\" in value):
        reason = "it is a path of Windows, and here it would be a name; write it as here, such as ../data"
    else:
        try:
            path = (config_file.parent / Path(value).expanduser()).resolve()
            path.lstat()
            if path.is_dir():
                (path / "any").exists()  # raises where the folder may not be entered
            return path
        except FileNotFoundError:
            return path
        except RuntimeError as error:  # of expanduser and resolve, which have no better one
            reason = "its symbolic links lead in a circle" if "loop" in str(error) else "there is no such user"
        except OSError as error:
            reason = _NO_PATH.get(error.errno or 0, str(error.strerror))
    raise ConfigError(f"{shown(config_file)}: [{section}] {key} = {short(value)} is not allowed: {reason}{hint}.")


_NO_PATH = {
    errno.ENAMETOOLONG: "it is too long for this file system; choose a shorter one",
    errno.ENOTDIR: "a part of it is a file, not a folder; correct it",
    errno.EACCES: "the folder, or one of its path, may not be entered; allow it (chmod u+rx), or choose another",
    errno.ELOOP: "its symbolic links lead in a circle; choose another",
}
