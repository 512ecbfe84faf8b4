"""The commands ``snntb-adsnn sweep`` and ``arousal``."""

from __future__ import annotations

from snntb_adsnn import arousal, sweep
from snntb_adsnn.config import Config
from snntb_adsnn.errors import ConfigError
from snntb_adsnn.report.arousals import print_arousal, write_arousal
from snntb_adsnn.report.sweeps import print_sweep, write_sweep
from snntb_adsnn.study import code_version, load_subject
from snntb_adsnn.workers import Cluster, Local, Runner


def make_runner(scheduler: str | None, workers: int | None) -> Runner | None:
    """Where to simulate; ``None``: as fits the engine. A scheduler must answer before anything else is done.

    Raises:
        ConfigError: both were asked for.
        WorkerError: the scheduler does not answer.
    """
    if scheduler is None:
        return Local(workers) if workers else None
    if workers:
        raise ConfigError("--workers counts processes on this machine; leave it out with --scheduler.")
    cluster = Cluster(scheduler, code_version(), code_version)
    cluster.check()
    return cluster


def run_sweep(config: Config, *, scheduler: str | None = None, workers: int | None = None) -> sweep.Outcome:
    """The command ``sweep``: table, files and picture of a finished sweep."""
    runner = make_runner(scheduler, workers)
    outcome = sweep.sweep(config, load_subject(config), runner)
    folder = config.paths.path_wd / sweep.FOLDER
    write_sweep(outcome, folder, plots=config.adsnn.plots)
    print_sweep(outcome)
    print(f"Table, figures and picture are in {folder}")
    return outcome


def run_arousal(config: Config, *, scheduler: str | None = None, workers: int | None = None) -> arousal.Outcome:
    """The command ``arousal``: table, files and pictures of a finished study."""
    runner = make_runner(scheduler, workers)
    outcome = arousal.arouse(config, load_subject(config), runner)
    folder = config.paths.path_wd / arousal.FOLDER
    write_arousal(outcome, folder, plots=config.adsnn.plots)
    print_arousal(outcome)
    print(f"Table, figures and pictures are in {folder}")
    return outcome
