"""Configuration files: SNN Toolbox's ``.ini`` with sections ``[adsnn]``, ``[training]``, ``[hls]``, ``[sweep]``,
``[arousal]``, checked on load.

The file is read by the toolbox's rules (Python's ``configparser``, keys case-sensitive, comments on lines of their
own). Relative paths count from the folder of the file, so a configuration works from any working directory.
"""

from __future__ import annotations

import configparser
import difflib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from snntb_adsnn.config.adsnn import AdsnnSection
from snntb_adsnn.config.base import MUST, Section
from snntb_adsnn.config.hls import HlsSection
from snntb_adsnn.config.paths import PathsSection
from snntb_adsnn.config.simulation import READ, InputSection, SimulationSection, ToolsSection
from snntb_adsnn.config.studies import ArousalSection, SweepSection
from snntb_adsnn.config.toolbox import NAME, refusals, sweep_values, toolbox_defaults, value_mistakes
from snntb_adsnn.config.training import TrainingSection
from snntb_adsnn.engine.result import check_memory
from snntb_adsnn.errors import ConfigError, ParameterError
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import check_constants


class Config(Section):
    """A configuration file after checking.

    Attributes:
        file: the file itself.
        paths, adsnn, training, hls, sweep, arousal: its sections; ``training`` is ``None`` where the file has none.
        simulation, input, tools: what this package reads of the toolbox's own.
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
    mistakes = [m for section in parser.sections() for m in _unknown_names(section, list(parser[section]))]
    mistakes = mistakes or value_mistakes(parser)
    if is_ours(parser):
        mistakes = mistakes or refusals(parser)
    if mistakes:
        raise ConfigError("\n".join(f"{path}: {mistake}" for mistake in mistakes))
    values = {name: _values(path, parser, name) for name in ("paths", *SECTIONS)}
    checked: dict[str, Any] = {"paths": _checked(path, "paths", PathsSection, _resolve_paths(path, values["paths"]))}
    checked |= {name: _toolbox_section(path, parser, name) for name in READ}
    _resolve_keys(path, values["adsnn"], "pretrained")
    _resolve_keys(path, values["training"], "folder", "initial")
    for name, kind in SECTIONS.items():
        if name != "training" or parser.has_section(name):
            checked[name] = _checked(path, name, kind, values[name])
    texts = {section: dict(parser.items(section, raw=True)) for section in parser.sections()}
    config = Config(file=path, texts=texts, **checked)
    _check_constants(config)
    if is_ours(parser):
        _check_run(config, parser)
    return config


def _check_run(config: Config, parser: configparser.ConfigParser) -> None:
    """Refuse what only SNN Toolbox's flow would come to: no time step, a swept value that no neuron can have."""
    duration, dt = config.simulation.duration, config.simulation.dt
    if duration is not None and duration < dt:
        raise ConfigError(
            f"{config.file}: [simulation] duration = {duration} ms is shorter than a time step, "
            f"dt = {dt:g} ms; lower dt."
        )
    name = parser.get("parameter_sweep", "param_name", fallback="")
    for value in sweep_values(parser):
        _adsnn(config.file, {**_values(config.file, parser, "adsnn"), name: repr(value)}, dt)


def is_ours(parser: configparser.ConfigParser) -> bool:
    """Whether settings choose this package's simulator."""
    return parser.get("simulation", "simulator", fallback="INI") == NAME


def adsnn_section(parser: configparser.ConfigParser, changes: Mapping[str, str] | None = None) -> AdsnnSection:
    """``[adsnn]`` of settings that SNN Toolbox has merged, with ``changes`` put over it.

    Raises:
        ConfigError: an unknown key, or a value out of range.
    """
    source = Path("settings of this run")
    values = {**_values(source, parser, "adsnn"), **(changes or {})}
    if mistakes := _unknown_names("adsnn", list(values)):
        raise ConfigError("\n".join(mistakes))
    return _adsnn(source, values, simulation_section(parser).dt)


def _adsnn(source: Path, values: Mapping[str, str], dt: float) -> AdsnnSection:
    section: AdsnnSection = _checked(source, "adsnn", AdsnnSection, dict(values))
    _check_neurons(source, "adsnn", section.m_f.values(), section.overrides, dt)
    return section


def simulation_section(parser: configparser.ConfigParser) -> SimulationSection:
    """``[simulation]`` of settings that SNN Toolbox has merged.

    Raises:
        ConfigError: a value out of range.
    """
    section: SimulationSection = _toolbox_section(Path("settings of this run"), parser, "simulation")
    return section


def _toolbox_section(path: Path, parser: configparser.ConfigParser, name: str) -> Any:
    """What we read of one of the toolbox's sections."""
    try:
        values = {key: parser.get(name, key, fallback="") for key in READ[name].model_fields}
    except configparser.InterpolationError as error:
        raise _bad_percent(path, name, error) from None
    return _checked(path, name, READ[name], {key: value for key, value in values.items() if value})


def _check_constants(config: Config) -> None:
    """Refuse constants that no neuron can work with, in any section, before anything slow begins."""
    path, adsnn, dt = config.file, config.adsnn, config.simulation.dt
    _check_steps(path, "simulation", config.simulation.duration, dt)
    _check_neurons(path, "adsnn", adsnn.m_f.values(), adsnn.overrides, dt)
    if config.training is not None:
        _check_neurons(path, "training", [config.training.m_f], config.training.overrides)
    # their defaults may not fit a network that is never swept
    if "sweep" in config.texts:
        _check_sweep(path, config.sweep, adsnn, dt)
    for key in ("m_f_low", "m_f_high") if "arousal" in config.texts else ():
        if (m_f := getattr(config.arousal, key)) is not None:
            _check_neurons(path, "arousal", [m_f], adsnn.overrides, dt, key)


def _check_sweep(path: Path, sweep: SweepSection, adsnn: AdsnnSection, dt: float) -> None:
    """Refuse a grid with a point that cannot be simulated."""
    for constants in sweep.constants():
        _check_neurons(path, "sweep", sweep.m_f, {**adsnn.overrides, **constants}, dt)
    for duration in sweep.duration or ():
        if duration < dt:
            raise ConfigError(f"{path}: [sweep] duration = {duration:g} ms is shorter than a time step, {dt:g} ms.")
        _check_steps(path, "sweep", duration, dt)


def _check_steps(path: Path, section: str, duration: float | None, dt: float) -> None:
    """Refuse a time of which not even one image fits into memory."""
    if duration is None:
        return
    try:
        check_memory(round(duration / dt))
    except ParameterError as error:
        raise ConfigError(f"{path}: [{section}] duration = {duration:g} ms with dt = {dt:g} ms: {error}") from None


def _check_neurons(
    path: Path,
    section: str,
    precisions: Collection[float],
    constants: Mapping[str, float],
    dt: float = 1.0,
    key: str | None = None,
) -> None:
    """Refuse constants that no neuron can work with; those not given are the paper's here, the model's own when a run
    begins (``run.network.configured``). ``key``: where the m_f stands, if not in ``m_f``."""
    try:
        for m_f in precisions:
            check_constants(ASNParameters(m_f=m_f, dt=dt, **constants))
        if constants and not precisions:
            check_constants(ASNParameters(**{"m_f": _USUAL_M_F, "dt": dt, **constants}))
    except ParameterError as error:
        raise ConfigError(f"{path}: [{section}] {f'{key}: ' if key else ''}{error}") from None


_USUAL_M_F = 0.2


def read_ini(path: Path) -> configparser.ConfigParser:
    """Parse ``path`` by the toolbox's rules, without its defaults.

    Raises:
        ConfigError: missing file, or not an ``.ini`` file.
    """
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such configuration file; check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a text file ({error}).") from None
    except configparser.Error as error:
        raise ConfigError(f"{path}: not a valid .ini file: {' '.join(str(error).split())}") from None
    return parser


def _values(path: Path, parser: configparser.ConfigParser, section: str) -> dict[str, Any]:
    """The section's keys that have a value; an empty value means the default, as in the toolbox's own file."""
    try:
        return {key: value for key, value in parser[section].items() if value} if section in parser else {}
    except configparser.InterpolationError as error:
        raise _bad_percent(path, section, error) from None


def _bad_percent(path: Path, section: str, error: Exception) -> ConfigError:
    return ConfigError(f"{path}: [{section}] {' '.join(str(error).split())}; write a literal % as %%.")


def _resolve_keys(config_file: Path, values: dict[str, Any], *keys: str) -> None:
    for key in keys:
        if (value := values.get(key)) is not None:
            values[key] = str(_resolve(config_file, value))


def _resolve(config_file: Path, value: str) -> Path:
    return (config_file.parent / Path(value).expanduser()).resolve()


def _resolve_paths(config_file: Path, values: dict[str, Any]) -> dict[str, Any]:
    folder = _resolve(config_file, values.get("path_wd", "."))
    data = values.get("dataset_path")
    resolved: dict[str, Any] = {
        "path_wd": folder,
        "dataset_path": folder if data is None else _resolve(config_file, data),
    }
    if "filename_ann" in values:
        resolved["filename_ann"] = values["filename_ann"]
    return resolved


def _unknown_names(section: str, keys: Iterable[str]) -> list[str]:
    """One sentence for each name in ``section`` that nobody would read."""
    toolbox = {section: list(keys) for section, keys in toolbox_defaults().items()}
    if section in SECTIONS:
        known = list(SECTIONS[section].model_fields)
    elif section in toolbox:
        known = toolbox[section]
    else:
        sections = [*SECTIONS, *toolbox]
        return [f"section [{section}] is unknown{_guess(section, sections)}; allowed are {', '.join(sections)}."]
    return [
        f"[{section}] has the unknown key {key!r}{_guess(key, known)}; allowed are {', '.join(known)}."
        for key in keys
        if key not in known
    ]


def _guess(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _hint(error: Any) -> str:
    """What is often meant by a text that should be a number."""
    text = str(error["input"])
    if not error["type"].endswith("_parsing"):
        return ""
    if "#" in text or ";" in text:
        return "; a comment needs a line of its own"
    return "; write commas between values, and none behind the last" if len(error["loc"]) > 1 else ""


def _checked(path: Path, section: str, kind: type[Any], values: dict[str, Any]) -> Any:
    try:
        return kind(**values)
    except ValidationError as failure:
        lines = []
        for error in failure.errors():
            key = ".".join(filter(None, map(str, error["loc"])))
            message = error["msg"].replace("Input should be", "it should be")
            if error["type"] == "missing":
                lines.append(f"{path}: [{section}] needs the key {key!r}; add a line: {key} = ...")
            elif error["type"] == MUST:
                lines.append(f"{path}: [{section}] {key} = {error['input']} {message}.")
            elif not key:  # keys that do not fit each other
                lines.append(f"{path}: [{section}] {message.removeprefix('Value error, ')}.")
            else:
                lines.append(f"{path}: [{section}] {key} = {error['input']} is not allowed: {message}{_hint(error)}.")
        raise ConfigError("\n".join(lines)) from None
