"""SNN Toolbox's flow with the simulator ``adsnn`` in it: its functions of ``bin``, wrapped."""

from __future__ import annotations

import argparse
import configparser
import difflib
import functools
import importlib
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snntb_adsnn.config import Config, check_config, is_ours, naming, read_ini, source_of
from snntb_adsnn.config.toolbox import NAME
from snntb_adsnn.ends import ending
from snntb_adsnn.errors import ConfigError, OutputError
from snntb_adsnn.files import LOCK, locked, unwritable
from snntb_adsnn.run import model_of, need_parsed, prepare_run
from snntb_adsnn.toolbox import settings

RESULTS = "results.json"


def start_tensorflow() -> None:
    """Import TensorFlow by our own module, which keeps its log lines off the terminal, before the toolbox does."""
    importlib.import_module("snntb_adsnn.frontends.keras.compat").need_keras_2()


def patch_utils(module: Any) -> None:
    """Wrap what ``bin.utils`` does with a configuration whose simulator is ours."""
    module.load_config = _load_config(module.load_config)
    module.update_setup = _update_setup(module.update_setup)
    module.run_pipeline = _run_pipeline(module.run_pipeline)
    module.initialize_simulator = _initialize_simulator(module.initialize_simulator)
    module.load = _load(module.load)


def patch_run(module: Any) -> None:
    """Let the command ``snntoolbox`` end as ``snntb-adsnn`` does: with one sentence."""
    module.main = _main(module.main)


def _update_setup(original: Any) -> Any:
    @functools.wraps(original)
    def update_setup(config_filepath: str | Prepared) -> Any:
        """Also takes a configuration of ours that is prepared already."""
        if isinstance(config_filepath, Prepared):
            return _set_up(original, config_filepath)
        path = Path(config_filepath).expanduser().absolute()
        if (ready := _READY.pop(path.resolve(), None)) is not None:
            made = _set_up(original, ready)
            made.unchanged = True
            return made
        parser = read_ini(path)
        if not is_ours(parser):
            _check_spelling(path, parser)
            return original(config_filepath)
        return _set_up(original, prepare(check_config(path, parser)))

    return update_setup


@dataclass(frozen=True)
class Prepared:
    """A configuration of which everything is there and checked that can be without TensorFlow.

    Attributes:
        config: as it was checked.
        settings: as the toolbox can read them.
        inputs: how many test inputs there are, where more are asked for.
    """

    config: Config
    settings: configparser.ConfigParser
    inputs: str | None = None


_READY: dict[Path, Prepared] = {}
"""What the command has prepared, by its file."""


def prepare(config: Config) -> Prepared:
    """Make and check what a run of ``config`` needs, before TensorFlow is imported.

    Raises:
        AdSNNError: a mistake of the user.
    """
    found = settings.toolbox_file(config)
    paths = config.texts["paths"]
    logs = paths.get("log_dir_of_current_run") or f"log/gui/{paths.get('runlabel', 'test')}"
    _need_free(config.paths.path_wd / logs)
    if config.tools.convert and not config.tools.parse:
        need_parsed(config)
    prepare_run(config, model=config.tools.parse)
    if (model := model_of(config)) is not None:  # the toolbox is given its whole name
        found.set("paths", "filename_ann", model.file.name.replace("%", "%%"))
    if config.input.dataset_format == "npz":
        settings.need_data(config)
    whole = settings.completed(found)
    asked = whole.get("simulation", "num_to_test")
    with naming(config.file):
        settings.check_looks(whole)
        settings.check_files(whole)
    there = whole.get("simulation", "num_to_test")
    return Prepared(config, found, None if there == asked else there)


class _Settings(configparser.ConfigParser):
    """Settings that are not changed by what is in them already: the toolbox puts a path back as it has read it, and a
    ``%`` in it could not be read again."""

    optionxform = staticmethod(str)  # type: ignore[assignment]

    def set(self, section: str, option: str, value: str | None = None) -> None:
        """As ``ConfigParser.set``."""
        if value is None or value != self.get(section, option, fallback=None):
            super().set(section, option, value)


def _load_config(original: Any) -> Any:
    @functools.wraps(original)
    def load_config(filepath: str) -> Any:
        loaded, found = original(filepath), _Settings()
        found.read_dict({section: dict(loaded.items(section, raw=True)) for section in loaded.sections()})
        return found

    return load_config


def _set_up(original: Any, prepared: Prepared) -> Any:
    """The settings that the toolbox makes of a configuration."""
    from snntb_adsnn.toolbox.ahead import look_ahead  # imports TensorFlow

    path = prepared.config.file
    with naming(path):
        look_ahead(prepared.config)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        with copy.open("w", encoding="utf-8") as file:
            prepared.settings.write(file)
        try:
            made = original(str(copy))
        except OSError as error:
            raise _unwritable(error) from error
        except (AssertionError, RuntimeError, RuntimeWarning, SyntaxError, NameError) as error:
            raise ConfigError(f"{path}: {error}") from None
        except (ValueError, TypeError, configparser.Error) as error:
            raise ConfigError(f"{path}: cannot be used ({error}).") from None
    made.source = path
    if prepared.inputs is not None:
        made.set("simulation", "num_to_test", prepared.inputs)
    return made


def _check_first(arguments: list[str]) -> dict[Path, Prepared]:
    """Name mistakes in the configuration on the command line before TensorFlow is imported, which takes seconds.

    Returns:
        what is prepared, by its file.
    """
    line = argparse.ArgumentParser("snntoolbox", description="Convert a network, and simulate it, with SNN Toolbox.")
    line.add_argument("config", help="configuration file")  # without it the toolbox ends with a traceback
    line.add_argument("-t", "--terminal", action="store_true", help="run at once, without the graphical user interface")
    path = Path(line.parse_args(arguments).config).absolute()
    parser = read_ini(path)
    if is_ours(parser):
        return {path.resolve(): prepare(check_config(path, parser))}
    _check_spelling(path, parser)
    return {}


def _check_spelling(path: Path, parser: configparser.ConfigParser) -> None:
    """The toolbox's own list of simulators does not name ours."""
    name = parser.get("simulation", "simulator", raw=True, fallback="INI")
    if difflib.get_close_matches(name.lower(), [NAME], cutoff=0.7):
        raise ConfigError(f"{path}: [simulation] simulator = {name} is unknown; did you mean {NAME}?")


def _unwritable(error: OSError) -> OutputError:
    # what is read was checked before, so that this is about the toolbox's own folders and plots
    return unwritable(error.filename or "the results", error, "choose another path_wd or runlabel")


def _run_pipeline(original: Any) -> Any:
    @functools.wraps(original)
    def run_pipeline(config: Any, queue: Any = None, *, adapted: bool = False) -> Any:
        """``adapted``: nobody has changed the settings since ``update_setup``."""
        if not is_ours(config):
            return original(config, queue)
        if not (adapted or getattr(config, "unchanged", False)):
            settings.adapt(config)
            settings.check_files(config)
        token = settings.RUN_TRUSTS.set(settings.current_section(config).trust_model)
        try:
            with naming(source_of(config)), locked_run(config), warnings.catch_warnings():
                # the toolbox reads no other format
                warnings.filterwarnings("ignore", message="You are saving your model as an HDF5 file")
                return original(config, queue)
        except OSError as error:
            raise _unwritable(error) from error
        finally:
            settings.RUN_TRUSTS.reset(token)

    return run_pipeline


def _load(original: Any) -> Any:
    """What reads the parsed model where it was written by an earlier run; the toolbox's own would run its code."""

    @functools.wraps(original)
    def load(path: str, filename: str, **keywords: Any) -> Any:
        if settings.RUN_TRUSTS.get() is None:
            return original(path, filename, **keywords)
        from snntb_adsnn.toolbox import parser

        return parser.load(path, filename)

    return load


_CURE = "wait for it, end it, or give this one another [paths]"
_BUSY = f"another run is writing its results there; {_CURE} runlabel."


def _need_free(folder: Path) -> None:
    """Check that a run will be able to write its results, before TensorFlow is imported.

    Raises:
        OutputError: another run is at work in ``folder``, or it cannot be made or written.
    """
    place = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        error.filename = str(folder)
        raise _unwritable(error) from None
    if (folder / LOCK).exists():
        with locked(folder, _BUSY):
            pass


@contextmanager
def locked_run(config: Any) -> Iterator[None]:
    """Keep a second run out of the folders that a run writes to.

    Raises:
        OutputError: another run is at work in one of them, or it cannot be written.
    """
    logs, working = (Path(config.get("paths", key)) for key in ("log_dir_of_current_run", "path_wd"))
    snn = config.get("paths", "filename_snn")
    with (
        locked(logs, _BUSY),
        locked(working, f"another run is writing its network {snn} there; {_CURE} filename_snn.", snn),
    ):
        yield


def _initialize_simulator(original: Any) -> Any:
    @functools.wraps(original)
    def initialize_simulator(config: Any) -> Any:
        if is_ours(config):
            from snntb_adsnn import engine

            return engine
        return original(config)

    return initialize_simulator


def _main(original: Any) -> Any:
    @functools.wraps(original)
    def main(filepath: str | None = None) -> Any:
        if filepath is not None:  # called by a program, which may handle errors itself
            return original(filepath)
        with ending("snntoolbox"):
            _READY.update(_check_first(sys.argv[1:]))
            start_tensorflow()
            return original()

    return main
