"""SNN Toolbox's flow with the simulator ``adsnn`` in it: its functions of ``bin``, wrapped."""

from __future__ import annotations

import configparser
import difflib
import functools
import importlib
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snntb_adsnn.config import Config, check_config, is_ours, read_ini
from snntb_adsnn.config.toolbox import NAME
from snntb_adsnn.ends import ending
from snntb_adsnn.errors import ConfigError, OutputError
from snntb_adsnn.files import LOCK, locked, reason
from snntb_adsnn.run import prepare_run
from snntb_adsnn.toolbox import settings

RESULTS = "results.json"


def start_tensorflow() -> None:
    """Import TensorFlow by our own module, which keeps its log lines off the terminal, before the toolbox does."""
    importlib.import_module("snntb_adsnn.frontends.keras.compat")


def patch_utils(module: Any) -> None:
    """Wrap what ``bin.utils`` does with a configuration whose simulator is ours."""
    module.update_setup = _update_setup(module.update_setup)
    module.run_pipeline = _run_pipeline(module.run_pipeline)
    module.initialize_simulator = _initialize_simulator(module.initialize_simulator)
    module.load = _load(module.load)


def patch_run(module: Any) -> None:
    """Let the command ``snntoolbox`` end as ``snntb-adsnn`` does: with one sentence."""
    module.main = _main(module.main)


def _update_setup(original: Any) -> Any:
    @functools.wraps(original)
    def update_setup(config_filepath: str | Config) -> Any:
        """Also takes a configuration of ours that is loaded already."""
        if isinstance(config_filepath, Config):
            return _set_up(original, config_filepath)
        path = Path(config_filepath).expanduser().absolute()
        parser = read_ini(path)
        if not is_ours(parser):
            _check_spelling(path, parser)
            return original(config_filepath)
        return _set_up(original, check_config(path, parser))

    return update_setup


def _set_up(original: Any, config: Config) -> Any:
    """What a run of ``config`` needs, and the settings that the toolbox makes of it."""
    path, prepared = config.file, settings.toolbox_file(config)
    prepare_run(config)
    if config.input.dataset_format == "npz":
        settings.need_data(config)
    if config.tools.parse:
        _need_model(config.paths.path_wd / config.paths.filename_ann)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        with copy.open("w", encoding="utf-8") as file:
            prepared.write(file)
        try:
            return original(str(copy))
        except OSError as error:
            raise OutputError(_unwritable(error)) from error
        except (AssertionError, RuntimeError, RuntimeWarning, SyntaxError, NameError) as error:
            raise ConfigError(f"{path}: {error}") from None
        except (ValueError, TypeError, configparser.Error) as error:
            raise ConfigError(f"{path}: cannot be used ({error}).") from None


def _check_first(arguments: list[str]) -> None:
    """Name mistakes in the configuration on the command line before TensorFlow is imported, which takes seconds."""
    for path in (Path(argument).absolute() for argument in arguments if not argument.startswith("-")):
        if path.is_file() and is_ours(parser := read_ini(path)):
            check_config(path, parser)


def _check_spelling(path: Path, parser: configparser.ConfigParser) -> None:
    """The toolbox's own list of simulators does not name ours."""
    name = parser.get("simulation", "simulator", fallback="INI")
    if difflib.get_close_matches(name.lower(), [NAME], cutoff=0.7):
        raise ConfigError(f"{path}: [simulation] simulator = {name} is unknown; did you mean {NAME}?")


def _unwritable(error: OSError) -> str:
    # what is read was checked before, so that this is about the toolbox's own folders and plots
    return (
        f"{error.filename or 'the results'}: cannot be written ({reason(error)}); free space, or choose another "
        "path_wd or runlabel."
    )


def _need_model(path: Path) -> None:
    # with_name, not with_suffix: a file name may hold dots
    candidates = [path.with_name(path.name + suffix) for suffix in (".h5", ".keras")]
    if not any(file.is_file() for file in candidates):
        raise ConfigError(f"there is no model {candidates[0]} (nor .keras); train it first, or correct filename_ann.")


def _run_pipeline(original: Any) -> Any:
    @functools.wraps(original)
    def run_pipeline(config: Any, queue: Any = None, *, adapted: bool = False) -> Any:
        """``adapted``: nobody has changed the settings since ``update_setup``."""
        if not is_ours(config):
            return original(config, queue)
        if not adapted:
            settings.adapt(config)
        settings.check_files(config)
        token = settings.RUN_TRUSTS.set(settings.current_section(config).trust_model)
        try:
            with locked_run(config), warnings.catch_warnings():
                # the toolbox reads no other format
                warnings.filterwarnings("ignore", message="You are saving your model as an HDF5 file")
                return original(config, queue)
        except OSError as error:
            raise OutputError(_unwritable(error)) from error
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


def need_free(folder: Path) -> None:
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
        raise OutputError(_unwritable(error)) from None
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
            _check_first(sys.argv[1:])
            start_tensorflow()
            return original()

    return main
