"""The commands ``snntb-adsnn sweep``, ``arousal`` and ``precision``."""

from __future__ import annotations

from functools import partial

from snntb_adsnn.config import Config
from snntb_adsnn.errors import ConfigError
from snntb_adsnn.report.arousals import print_arousal, write_arousal
from snntb_adsnn.report.outcomes import ArousalOutcome, SweepOutcome
from snntb_adsnn.report.sweeps import print_sweep, write_sweep
from snntb_adsnn.studies import arousal, sweep
from snntb_adsnn.studies.precision import Trial, search_m_f
from snntb_adsnn.studies.study import code_version, load_subject
from snntb_adsnn.studies.workers import Cluster, Local, Runner
from snntb_adsnn.toolbox import settings


def make_runner(scheduler: str | None, workers: int | None, engine: str) -> Runner | None:
    """Where to simulate; ``None``: as fits the engine. A scheduler must answer before anything else is done, and its
    workers must have the same code for ``engine``.

    Raises:
        ConfigError: both were asked for.
        WorkerError: the scheduler does not answer.
    """
    if scheduler is None:
        return Local(workers) if workers else None
    if workers:
        raise ConfigError("--workers counts processes on this machine; leave it out with --scheduler.")
    cluster = Cluster(scheduler, code_version(engine), partial(code_version, engine))
    cluster.check()
    return cluster


def run_sweep(config: Config, *, scheduler: str | None = None, workers: int | None = None) -> SweepOutcome:
    """The command ``sweep``: table, files and picture of a finished sweep."""
    runner = make_runner(scheduler, workers, sweep.engine_of(config))
    outcome = sweep.sweep(config, load_subject(config), runner)
    folder = config.paths.path_wd / sweep.FOLDER
    write_sweep(outcome, folder, plots=config.adsnn.plots)
    print_sweep(outcome)
    print(f"Table, figures and picture are in {folder}")
    return outcome


def run_arousal(config: Config, *, scheduler: str | None = None, workers: int | None = None) -> ArousalOutcome:
    """The command ``arousal``: table, files and pictures of a finished study."""
    runner = make_runner(scheduler, workers, sweep.engine_of(config))
    outcome = arousal.arouse(config, load_subject(config), runner)
    folder = config.paths.path_wd / arousal.FOLDER
    write_arousal(outcome, folder, plots=config.adsnn.plots)
    print_arousal(outcome)
    print(f"Table, figures and pictures are in {folder}")
    return outcome


def run_precision(config: Config, *, rate: float, images: int) -> list[Trial]:
    """The command ``precision``: prints each step, and the lines for ``[adsnn]`` that the search ends with.

    Args:
        rate: firing rate wanted, Hz.
        images: training images simulated in every trial; those of the correction come first.

    Raises:
        AdSNNError: too few training inputs, or a rate that cannot be reached.
    """
    if config.adsnn.theta0 is not None:
        raise ConfigError(
            f"{config.file}: [adsnn] theta0 would stay as it is; in the search it follows m_f: remove it."
        )
    subject = load_subject(config, config.adsnn.check_images)
    # the constants of the run, from the trained m_f on
    network = settings.configured(subject.trained, config.adsnn.model_copy(update={"m_f": {}}), subject.network.dt)
    file = config.paths.dataset_path / "x_norm.npz"
    x = settings.read_npz(file)
    correction = config.adsnn.bias_correction or min(100, len(x) // 2)
    if not 0 < correction < len(x):
        raise ConfigError(
            f"{file} holds {len(x)} inputs, and [adsnn] bias_correction takes {correction}, so that none are left to "
            "simulate; lower it, or write more inputs."
        )
    if (there := len(x) - correction) < images:
        print(f"{file} holds {len(x)} inputs: {correction} correct biases, {there} are simulated (not {images}).")
    path = search_m_f(
        network,
        x[: correction + images],
        trained=subject.trained,
        rate_hz=rate,
        correction_images=correction,
        engine=config.adsnn.engine,
        progress=_print_trial,
    )
    if len(path) == 1 and path[0].m_f == {p.name: p.parameters.m_f for p in network.populations}:
        print(f"\nThat is below {rate:g} Hz already, with the trained m_f (and bias_correction = {correction}).")
        return path
    m_f = ", ".join(f"{name}: {value:.4g}" for name, value in path[-1].m_f.items())
    print(f"\n[adsnn]\nm_f = {m_f}\nbias_correction = {correction}")
    return path


def _print_trial(trial: Trial) -> None:
    m_f = ", ".join(f"{name} {value:.3g}" for name, value in trial.m_f.items())
    print(
        f"{trial.firing_rate_hz:6.2f} Hz  decides as the ANN {trial.agreement:7.2%}  divergence {trial.divergence:.4f}"
        f"  m_f: {m_f}",
        flush=True,
    )
