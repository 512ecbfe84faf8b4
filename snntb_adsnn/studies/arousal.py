"""Arousal: start at low precision, and switch the images that stay undecided to high precision
(``snntb-adsnn arousal``; the paper's attention)."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.engine import Switch, simulate
from snntb_adsnn.errors import ConfigError, NoMistakesError
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array
from snntb_adsnn.studies.registry import WORKERS, study
from snntb_adsnn.studies.study import Subject, compute, fingerprint, make_runner
from snntb_adsnn.studies.sweep import (
    Point,
    Shared,
    common_key,
    engine_of,
    make_shared,
    need_usable,
    ready,
    simulate_images,
    simulate_point,
)
from snntb_adsnn.studies.workers import Runner

if TYPE_CHECKING:
    from snntb_adsnn.config import Config
    from snntb_adsnn.report.outcomes import ArousalOutcome

FOLDER = "arousal"
"""Of the results, in the working folder; ``points`` in it holds one file for each finished point."""


@dataclass(frozen=True)
class Window:
    """Where the two highest outputs are compared: from ``waiting_time`` on, for ``accumulation_time`` (ms)."""

    waiting_time: float
    accumulation_time: float

    def __str__(self) -> str:
        return f"{self.waiting_time:g}+{self.accumulation_time:g}"

    def switch(self, m_f: float, threshold: float) -> Switch:
        """The switch to ``m_f`` of images whose mean difference does not exceed ``threshold``."""
        return Switch(m_f, self.waiting_time, self.accumulation_time, threshold)


@dataclass(frozen=True)
class Trial:
    """One choice of arousal.

    Attributes:
        m_f_low, m_f_high: the two precisions.
        window: of the comparison.
        quantile: of the mistakes' mean differences that became the threshold; ``None`` where it was given.
        threshold: mean difference that an image must exceed to stay at low precision.
    """

    m_f_low: float
    m_f_high: float
    window: Window
    quantile: float | None
    threshold: float

    def __str__(self) -> str:
        return f"m_f {self.m_f_low:g} to {self.m_f_high:g}, window {self.window} ms, threshold {self.threshold:.4g}"


# ---- the threshold, from training images -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Calibration:
    """A run at low precision over training images, whose outputs are compared in all ``windows``."""

    m_f: float
    windows: tuple[Window, ...]
    duration: float

    def __str__(self) -> str:
        return f"training images at m_f {self.m_f:g}"


def measure_margins(shared: Shared, item: Calibration) -> dict[str, Any]:
    """Which images are classified wrongly after the last step, and by window every image's mean difference of the two
    highest outputs."""
    subject = shared.subject
    network = subject.corrected(subject.network.with_m_f(item.m_f), shared.engine)
    wrong: list[bool] = []
    margins: dict[str, list[float]] = {str(window): [] for window in item.windows}
    for start in range(0, len(subject.x), subject.batch_size):
        part = slice(start, start + subject.batch_size)
        result = simulate(network, subject.x[part], duration=item.duration, engine=shared.engine)
        wrong += (result.decisions[:, -1] != subject.labels[part]).tolist()
        for window in item.windows:
            schedule = window.switch(item.m_f, 0.0).schedule(network, result.outputs.shape[1])
            margins[str(window)] += schedule.decide(result.outputs)[0].tolist()
    return {"wrong": wrong, "margins": margins}


def estimate_threshold(margins: Array, wrong: NDArray[np.bool_], quantile: float) -> float:
    """Smallest threshold at which the share ``quantile`` of the wrong images switches.

    Raises:
        NoMistakesError: no image is wrong.
    """
    if not wrong.any():
        raise NoMistakesError(
            f"the network at low precision classifies all {len(wrong)} training images correctly, so no threshold can "
            "be estimated; raise [arousal] m_f_low or calibration_images, or give a threshold."
        )
    return float(np.quantile(margins[wrong], quantile, method="inverted_cdf"))


_NO_IMAGES = "there are no labelled images to estimate a threshold from: give [arousal] threshold"


def training_subject(config: Config, subject: Subject) -> Subject:
    """The same network on labelled training images: those held out for validation first.

    Raises:
        ConfigError: the configuration has no ``[training]``, which names the data set, or it names another one.
        DataError: the data set cannot be loaded.
    """
    from snntb_adsnn.run import Run

    config.need_training(_NO_IMAGES)
    x, labels = Run(config).held_out(config.arousal.calibration_images)
    if x.shape[1:] != subject.x.shape[1:]:
        raise ConfigError(
            f"{config.file}: inputs of [training] dataset have shape {x.shape[1:]}, those of x_test.npz "
            f"{subject.x.shape[1:]}; name the data set that the network was trained with, or give [arousal] threshold."
        )
    return dataclasses.replace(subject, x=x, labels=labels, ann=labels)


# ---- one choice ------------------------------------------------------------------------------------------------------


def simulate_trial(shared: Shared, trial: Trial) -> dict[str, Any]:
    """The figures of one choice: what ``simulate_point`` gives, and

    - ``selectivity``: share of the images that switched,
    - ``wrong_switched``: share of images that switched and were wrong at the end.
    """
    subject = shared.subject
    network = subject.corrected(subject.network.with_m_f(trial.m_f_low), shared.engine)
    switch = trial.window.switch(trial.m_f_high, trial.threshold)
    figures, (correct, switched) = simulate_images(shared, network, subject.duration, switch)
    return {
        **figures,
        "m_f_low": trial.m_f_low,
        "m_f_high": trial.m_f_high,
        "waiting_time_ms": trial.window.waiting_time,
        "accumulation_time_ms": trial.window.accumulation_time,
        "quantile": trial.quantile,
        "threshold": trial.threshold,
        "selectivity": float(switched.mean()),
        "wrong_switched": float((switched & ~correct).mean()),
    }


# ---- the study -------------------------------------------------------------------------------------------------------


def precisions(config: Config, network: SpikingNetwork) -> tuple[float, float]:
    """Low and high precision: ``[arousal]``, or the network's own m_f as the high one and 2.5 times it as the low one.

    Raises:
        ConfigError: they are not in order, or the network has several m_f and none is given.
    """
    section = config.arousal
    own = {p.parameters.m_f for p in network.populations}
    if section.m_f_high is None and len(own) > 1:
        raise ConfigError(f"{config.file}: the layers have several m_f, so [arousal] needs m_f_high and m_f_low.")
    high = section.m_f_high or own.pop()
    low = section.m_f_low or 2.5 * high
    if low <= high:
        raise ConfigError(
            f"{config.file}: [arousal] m_f_low = {low:g} must be above the high precision's m_f, {high:g}: the larger "
            "m_f, the lower the precision and the firing rate."
        )
    for key, m_f in (("m_f_low", low), ("m_f_high", high)):
        need_usable(config, network.with_m_f(m_f), f"[arousal] {key} = {m_f:g}")
    return low, high


def need_windows(config: Config, duration: float) -> tuple[Window, ...]:
    """The windows of ``[arousal]``.

    Raises:
        ConfigError: one does not end within ``duration``, in ms, or holds no step.
    """
    section, dt = config.arousal, config.simulation.dt
    windows = tuple(Window(*times) for times in itertools.product(section.waiting_time, section.accumulation_time))
    for window in windows:
        start, steps = round(window.waiting_time / dt), round(window.accumulation_time / dt)
        if steps < 1 or start + steps > round(duration / dt):
            raise ConfigError(
                f"{config.file}: [arousal] waiting_time = {window.waiting_time:g} and accumulation_time = "
                f"{window.accumulation_time:g} ms do not fit: the window must hold a step of {dt:g} ms and end within "
                f"the {duration:g} ms that are simulated; change them, or [simulation] duration."
            )
    return windows


def arouse(config: Config, subject: Subject, runner: Runner | None = None) -> ArousalOutcome:
    """Simulate every choice of ``[arousal]``, and both precisions alone; what has a result is not simulated again.

    Args:
        config: the configuration.
        subject: its network and images (``Subject.of``).
        runner: where to simulate; default: on all cores.

    Raises:
        AdSNNError: settings that do not fit, no mistakes to estimate a threshold from, results that cannot be written,
            or points without a result.
    """
    from snntb_adsnn.report.outcomes import ArousalOutcome

    section, windows = config.arousal, need_windows(config, subject.duration)
    low, high = precisions(config, subject.network)
    steps = round(subject.duration / subject.network.dt)
    for window in windows:
        window.switch(high, 0.0).schedule(subject.network, steps)  # refuses a network with one output
    shared = make_shared(config, subject)
    runner = ready(runner, shared)
    folder = config.paths.path_wd / FOLDER / "points"
    if section.threshold is None:
        item = Calibration(low, windows, subject.duration)
        seen = dataclasses.replace(shared, subject=training_subject(config, subject))
        (measured,) = compute(measure_margins, seen, _keyed(seen, item), folder, runner, title="threshold").values()
        wrong = np.array(measured["wrong"])
        thresholds = {
            (window, q): estimate_threshold(np.array(measured["margins"][str(window)]), wrong, q)
            for window, q in itertools.product(windows, section.quantile)
        }
    else:
        wrong = np.zeros(0, bool)
        thresholds = {(window, None): section.threshold for window in windows}  # type: ignore[misc]
    trials = [Trial(low, high, window, q, threshold) for (window, q), threshold in thresholds.items()]
    fixed = [Point(m_f, {}, None, subject.duration) for m_f in (low, high)]
    items = _keyed(shared, *fixed, *trials)
    results = list(compute(_simulate, shared, items, folder, runner, title="arousal").values())
    return ArousalOutcome(
        results[2:], results[0], results[1], subject.ann_accuracy, int(wrong.sum()), len(wrong), section.tolerance
    )


def _keyed(shared: Shared, *items: Any) -> dict[str, Any]:
    subject = shared.subject
    common = fingerprint(common_key(shared), subject.network, subject.duration)
    return {fingerprint(common, item): item for item in items}


def _simulate(shared: Shared, item: Point | Trial) -> dict[str, Any]:
    return simulate_point(shared, item) if isinstance(item, Point) else simulate_trial(shared, item)


@study(
    "arousal",
    *WORKERS,
    help="Simulate the network of CONFIG at low precision; only undecided images switch to the high one ([arousal]).",
)
def run_arousal(config: Config, *, scheduler: str | None = None, workers: int | None = None) -> ArousalOutcome:
    """The command ``arousal``: table, files and pictures of a finished study."""
    from snntb_adsnn.report.arousals import print_arousal, write_arousal
    from snntb_adsnn.run import load

    if config.arousal.threshold is None:
        config.need_training(_NO_IMAGES)
    runner, run = make_runner(scheduler, workers, engine_of(config)), load(config, model=True)
    need_windows(config, run.duration)
    outcome = arouse(config, Subject.of(run), runner)
    folder = config.paths.path_wd / FOLDER
    write_arousal(outcome, folder, plots=config.adsnn.plots)
    print_arousal(outcome)
    print(f"Table, figures and pictures are in {folder}")
    return outcome
