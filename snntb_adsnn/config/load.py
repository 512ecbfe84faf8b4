"""Configuration files: SNN Toolbox's ``.ini`` with sections ``[adsnn]``, ``[training]``, ``[hls]``, ``[sweep]``,
``[arousal]``, checked on load.

The file is read by the toolbox's rules (Python's ``configparser``, keys case-sensitive, comments on lines of their
own). Relative paths count from the folder of the file, so a configuration works from any working directory.
"""

from __future__ import annotations

import configparser
import difflib
import itertools
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from snntb_adsnn.config.adsnn import AdsnnSection
from snntb_adsnn.config.base import Section, constants_of
from snntb_adsnn.config.hls import HlsSection
from snntb_adsnn.config.paths import PathsSection
from snntb_adsnn.config.studies import ArousalSection, SweepSection
from snntb_adsnn.config.toolbox import toolbox_defaults, value_mistakes
from snntb_adsnn.config.training import TrainingSection
from snntb_adsnn.errors import ConfigError, ParameterError
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import check_constants


class Config(Section):
    """A configuration file after checking.

    Attributes:
        file: the file itself.
        paths, adsnn, training, hls, sweep, arousal: its sections; ``training`` is ``None`` where the file has none.
    """

    file: Path
    paths: PathsSection
    adsnn: AdsnnSection = AdsnnSection()
    training: TrainingSection | None = None
    hls: HlsSection = HlsSection()
    sweep: SweepSection = SweepSection()
    arousal: ArousalSection = ArousalSection()

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


def load_config(path: str | Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: the file is missing or unreadable, or has an unknown section or key, or a value out of range;
            one line for each mistake, naming file, section, key, value and what is allowed.
    """
    path = Path(path).expanduser().absolute()
    parser = read_ini(path)
    mistakes = [m for section in parser.sections() for m in _unknown_names(section, list(parser[section]))]
    if mistakes := mistakes or value_mistakes(parser):
        raise ConfigError("\n".join(f"{path}: {mistake}" for mistake in mistakes))
    values = {name: _values(path, parser, name) for name in ("paths", *SECTIONS)}
    paths = _checked(path, "paths", PathsSection, _resolve_paths(path, values["paths"]))
    if (pretrained := values["adsnn"].get("pretrained")) is not None:
        values["adsnn"]["pretrained"] = str(_resolve(path, pretrained))
    for key in ("folder", "initial"):
        if (value := values["training"].get(key)) is not None:
            values["training"][key] = str(_resolve(path, value))
    adsnn = _checked(path, "adsnn", AdsnnSection, values["adsnn"])
    _check_neurons(path, "adsnn", adsnn.m_f.values(), adsnn.overrides, parser)
    training = None
    if parser.has_section("training"):
        training = _checked(path, "training", TrainingSection, values["training"])
        _check_neurons(path, "training", [training.m_f], constants_of(training))
    studies = {name: _checked(path, name, SECTIONS[name], values[name]) for name in ("hls", "sweep", "arousal")}
    # their defaults may not fit a network that is never swept
    if parser.has_section("sweep"):
        _check_sweep(path, studies["sweep"], adsnn, parser)
    if parser.has_section("arousal"):
        section = studies["arousal"]
        for key in ("m_f_low", "m_f_high"):
            if (m_f := getattr(section, key)) is not None:
                _check_neurons(path, "arousal", [m_f], adsnn.overrides, parser, key)
    return Config(file=path, paths=paths, adsnn=adsnn, training=training, **studies)


def adsnn_section(parser: configparser.ConfigParser, changes: Mapping[str, str] | None = None) -> AdsnnSection:
    """``[adsnn]`` of settings that SNN Toolbox has merged, with ``changes`` put over it.

    Raises:
        ConfigError: an unknown key, or a value out of range.
    """
    source = Path("settings of this run")
    values = {**_values(source, parser, "adsnn"), **(changes or {})}
    if mistakes := _unknown_names("adsnn", list(values)):
        raise ConfigError("\n".join(mistakes))
    section: AdsnnSection = _checked(source, "adsnn", AdsnnSection, values)
    _check_neurons(source, "adsnn", section.m_f.values(), section.overrides, parser)
    return section


def _check_sweep(path: Path, sweep: SweepSection, adsnn: AdsnnSection, parser: configparser.ConfigParser) -> None:
    """Refuse a grid with a point that cannot be simulated."""
    for tau_eta, tau_beta in itertools.product(sweep.tau_eta or (None,), sweep.tau_beta or (None,)):
        given = {"tau_eta": tau_eta, "tau_beta": tau_beta}
        constants = {**adsnn.overrides, **{name: value for name, value in given.items() if value is not None}}
        _check_neurons(path, "sweep", sweep.m_f, constants, parser)
    dt = _time_step(parser)
    for duration in sweep.duration or ():
        if duration < dt:
            raise ConfigError(f"{path}: [sweep] duration = {duration:g} ms is shorter than a time step, {dt:g} ms.")


def _time_step(parser: configparser.ConfigParser | None) -> float:
    """``[simulation] dt`` in ms."""
    text = parser.get("simulation", "dt", fallback="") if parser is not None else ""
    try:
        return float(text or 1)
    except ValueError:
        return 1.0  # named by the toolbox's part


def _check_neurons(
    path: Path,
    section: str,
    precisions: Collection[float],
    constants: Mapping[str, float],
    parser: configparser.ConfigParser | None = None,
    key: str | None = None,
) -> None:
    """Refuse constants that no neuron can work with, before anything slow begins; those not given are the paper's here,
    the model's own when a run begins (``toolbox.settings.configured``). ``parser``: has the time step; ``key``: where
    the m_f stands, if not in ``m_f``."""
    dt = _time_step(parser)
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
        raise ConfigError(f"{path}: [{section}] {' '.join(str(error).split())}; write a literal % as %%.") from None


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
            elif not key:  # keys that do not fit each other
                lines.append(f"{path}: [{section}] {message.removeprefix('Value error, ')}.")
            else:
                lines.append(f"{path}: [{section}] {key} = {error['input']} is not allowed: {message}{_hint(error)}.")
        raise ConfigError("\n".join(lines)) from None
