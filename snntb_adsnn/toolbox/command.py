"""The command ``snntb-adsnn run``: SNN Toolbox's own flow on a configuration."""

from __future__ import annotations

from pathlib import Path

from snntb_adsnn.config import Config, load_config
from snntb_adsnn.config.toolbox import NAME
from snntb_adsnn.errors import ConfigError
from snntb_adsnn.files import atomic_write
from snntb_adsnn.studies.study import make_runner
from snntb_adsnn.studies.sweep import engine_of
from snntb_adsnn.toolbox.flow import RESULTS, prepare, start_tensorflow
from snntb_adsnn.toolbox.register import register
from snntb_adsnn.toolbox.spread import RUNNER


def run(
    config: Config | str | Path,
    json_copy: str | Path | None = None,
    *,
    scheduler: str | None = None,
    workers: int | None = None,
) -> list[float]:
    """Run SNN Toolbox on a configuration, as ``snntoolbox -t`` does.

    Args:
        config: it, or its file; its simulator must be ``adsnn``.
        json_copy: where to put a copy of ``results.json``.
        scheduler: address of a Dask scheduler whose workers simulate the batches.
        workers: processes on this machine that simulate the batches, instead; default: this one does.

    Returns:
        the accuracy after the last step; in a parameter sweep, one for each value.

    Raises:
        AdSNNError: a mistake of the user; the message says what to do.
    """
    config = load_config(config)
    if config.simulation.simulator != NAME:
        raise ConfigError(
            f"{config.file}: [simulation] simulator = {config.simulation.simulator} is not run by this command; write "
            "simulator = adsnn, or run another simulator with snntoolbox -t."
        )
    if json_copy is not None and not config.tools.simulate:
        raise ConfigError(f"{config.file}: [tools] simulate = False leaves no results for --json; set it to True.")
    if (scheduler is not None or workers) and not config.tools.simulate:
        option = "--workers" if workers else "--scheduler"
        raise ConfigError(f"{config.file}: [tools] simulate = False leaves nothing to do for {option}; set it to True.")
    runner = make_runner(scheduler, workers, engine_of(config))
    register()
    prepared = prepare(config)
    start_tensorflow()
    from snntoolbox.bin.utils import run_pipeline, update_setup

    settings = update_setup(prepared)
    token = RUNNER.set(runner)
    try:
        accuracies: list[float] = run_pipeline(settings, adapted=True)
    finally:
        RUNNER.reset(token)
    if json_copy is not None:
        results = Path(settings.get("paths", "log_dir_of_current_run")) / RESULTS
        atomic_write(Path(json_copy), results.read_bytes())
    return accuracies
