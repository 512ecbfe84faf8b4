"""Arousal: start at low precision, and switch the images that stay undecided to high precision
(``snntb-adsnn arousal``; the paper's attention).

Everything is chosen on labelled training images; the test images only measure what was chosen.
"""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from snntb_adsnn.errors import ConfigError, ParameterError
from snntb_adsnn.measure.statistics import wilson
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.neuron.transfer import check_constants
from snntb_adsnn.studies.choice import (
    HeldOut,
    Levels,
    Outcome,
    Probe,
    Trial,
    Window,
    at_levels,
    between,
    choose,
    law_windows,
    measure,
    name_of,
)
from snntb_adsnn.studies.registry import WORKERS, study
from snntb_adsnn.studies.study import Subject, compute, fingerprint, make_runner
from snntb_adsnn.studies.sweep import Shared, common_key, engine_of, make_shared, ready, simulate_images
from snntb_adsnn.studies.workers import Runner

if TYPE_CHECKING:
    from snntb_adsnn.config import Config
    from snntb_adsnn.report.outcomes import ArousalOutcome

FOLDER = "arousal"
"""Of the results, in the working folder; ``points`` in it holds one file for each finished point."""

FIXED = (0.0, 0.1, 0.25, 0.5, 1.0)
"""Shares of the way from low to high precision at which the rate of a fixed precision is measured."""

_NO_IMAGES = (
    "there are no labelled images to choose with: give [arousal] threshold, and one value for each of the other keys"
)


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


# ---- settings --------------------------------------------------------------------------------------------------------


def precisions(
    config: Config, network: SpikingNetwork, trained: SpikingNetwork | None = None
) -> list[tuple[Levels, Levels]]:
    """Pairs of a low and a high precision, from ``[arousal]``.

    Args:
        config: the configuration.
        network: with the constants of ``[adsnn]``.
        trained: with its trained constants, where they are others.

    Without ``m_f_high`` it is the one that the network was trained at, where ``[adsnn] m_f`` makes every layer coarser,
    else the network's own. Without ``m_f_low`` it is the network's own where that is the coarser one, else 2.5 times
    the high one's m_f.

    Raises:
        ConfigError: they are not in order, or no neuron can have one.
    """
    section, names = config.arousal, network.population_names
    own, first = _levels(network), _levels(trained or network)
    highs = [(m_f,) * len(names) for m_f in section.m_f_high or ()] or [first if _above(own, first) else own]
    pairs = []
    for high in highs:
        given = [(m_f,) * len(names) for m_f in section.m_f_low or ()]
        lows = given or [own if _above(own, high) else tuple(2.5 * m_f for m_f in high)]
        pairs += [(low, high) for low in lows]
    for low, high in pairs:
        if not _above(low, high):
            raise ConfigError(
                f"{config.file}: [arousal] m_f_low = {name_of(low)} must be above the high precision's m_f, "
                f"{name_of(high)}, in every layer: the larger m_f, the lower the precision and the firing rate."
            )
    for key, levels in {("m_f_low", low) for low, _ in pairs} | {("m_f_high", high) for _, high in pairs}:
        _need_usable(config, network, levels, key)
    return pairs


def _levels(network: SpikingNetwork) -> Levels:
    return tuple(p.parameters.m_f for p in network.populations)


def _above(low: Levels, high: Levels) -> bool:
    return all(a > b for a, b in zip(low, high, strict=True))


def _need_usable(config: Config, network: SpikingNetwork, levels: Levels, key: str) -> None:
    for population, m_f in zip(network.populations, levels, strict=True):
        try:
            check_constants(population.parameters.with_m_f(m_f), population.form)
        except ParameterError as error:
            raise ConfigError(
                f"{config.file}: [arousal] {key} = {m_f:g} does not fit layer {population.name!r}: {error}"
            ) from None


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


# ---- on the test images ----------------------------------------------------------------------------------------------


def simulate_levels(shared: Shared, levels: Levels) -> dict[str, Any]:
    """The figures of one precision throughout, and the 95 % interval of its accuracy."""
    figures, _ = simulate_images(shared, at_levels(shared, levels), shared.subject.duration)
    return _with_interval({**figures, "m_f": name_of(levels)})


def simulate_trial(shared: Shared, trial: Trial) -> dict[str, Any]:
    """The figures of one choice: as of a precision, and

    - ``selectivity``: share of the images that switched,
    - ``wrong_switched``: share of images that switched and were wrong at the end.
    """
    subject = shared.subject
    switch = trial.window.switch(at_levels(shared, trial.high), trial.threshold)
    figures, (correct, switched) = simulate_images(shared, at_levels(shared, trial.low), subject.duration, switch)
    return _with_interval(
        {
            **figures,
            **trial.as_dict(),
            "selectivity": float(switched.mean()),
            "wrong_switched": float((switched & ~correct).mean()),
        }
    )


def _with_interval(figures: dict[str, Any]) -> dict[str, Any]:
    return {**figures, "accuracy_interval": list(wilson(figures["snn_accuracy"], figures["num_images"]))}


def at_random(low: dict[str, Any], switched: dict[str, Any], selectivity: float) -> dict[str, Any]:
    """What is to be expected where as many images switch as with arousal, but at random.

    Args:
        low: figures where no image switches.
        switched: figures where all do.
    """
    keys = ("snn_accuracy", "firing_rate_hz", "spikes_per_neuron_at_mt")
    mixed = {key: selectivity * switched[key] + (1 - selectivity) * low[key] for key in keys}
    return _with_interval({**mixed, "selectivity": selectivity, "num_images": low["num_images"]})


# ---- the study -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Study:
    """Where a study computes, and keeps what it found."""

    shared: Shared
    folder: Any
    runner: Runner

    def on(self, subject: Subject) -> _Study:
        """The same with other images."""
        return dataclasses.replace(self, shared=dataclasses.replace(self.shared, subject=subject))

    def of(self, items: list[Any], title: str) -> list[Any]:
        """The results of items, in their order."""
        subject = self.shared.subject
        common = fingerprint(common_key(self.shared), subject.network, subject.duration)
        keyed = {fingerprint(common, item): item for item in items}
        found = compute(_simulate, self.shared, keyed, self.folder, self.runner, title=title)
        return [found[fingerprint(common, item)] for item in items]


def arouse(config: Config, subject: Subject, runner: Runner | None = None) -> ArousalOutcome:
    """Choose arousal on training images, and measure it on the test images beside what it must beat; what has a result
    is not simulated again.

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
    pairs = precisions(config, subject.network, subject.trained)
    steps = round(subject.duration / subject.network.dt)
    for window in windows:
        window.switch(subject.network, 0.0).schedule(subject.network, steps)  # refuses a network with one output
    shared = make_shared(config, subject)
    test = _Study(shared, config.paths.path_wd / FOLDER / "points", ready(runner, shared))
    if section.threshold is not None and len(pairs) * len(windows) == 1:
        choice = _Choice(Trial(*pairs[0], windows[0], None, section.threshold))
    else:
        config.need_training(_NO_IMAGES)
        choice = _chosen(config, test.on(training_subject(config, subject)), pairs, windows)
    trial = choice.trial
    everybody = dataclasses.replace(trial, quantile=None, threshold=np.inf)
    alone: list[Any] = [trial.low, trial.high, *([] if choice.fixed is None else [choice.fixed])]
    low, high, aroused, switched, *rest = test.of([*alone[:2], trial, everybody, *alone[2:]], "arousal")
    return ArousalOutcome(
        chosen=aroused,
        low=low,
        high=high,
        fixed=rest[0] if rest else None,
        random=at_random(low, switched, aroused["selectivity"]),
        trials=[_row(outcome, subject) for outcome in choice.outcomes],
        laws=choice.laws,
        ann_accuracy=subject.ann_accuracy,
        calibration_images=choice.images,
        tolerance=section.tolerance,
    )


@dataclass(frozen=True)
class _Choice:
    """What is measured on the test images, and how it was chosen; names as in ``ArousalOutcome``."""

    trial: Trial
    fixed: Levels | None = None
    outcomes: tuple[Outcome, ...] = ()
    laws: dict[str, Any] | None = None
    images: int = 0


def _chosen(config: Config, held: _Study, pairs: list[tuple[Levels, Levels]], windows: tuple[Window, ...]) -> _Choice:
    outcomes, laws, needed = _tried(config, held, pairs, windows)
    best = choose(outcomes, needed)
    return _Choice(best.trial, _fixed(held, best), tuple(outcomes), laws, len(held.shared.subject.x))


def _tried(
    config: Config, held: _Study, pairs: list[tuple[Levels, Levels]], windows: tuple[Window, ...]
) -> tuple[list[Outcome], dict[str, Any] | None, float]:
    """What every choice does on the training images, the paper's laws for the one that is chosen, and the accuracy that
    it needs: the best high precision's, but for the tolerance."""
    section, subject = config.arousal, held.shared.subject
    more = law_windows(section.waiting_time, subject.duration, subject.network.dt)
    seen = tuple(dict.fromkeys((*windows, *more)))
    alone = {levels: Probe(levels, windows=seen) for pair in pairs for levels in pair}
    switched = {(pair, window): Probe(*pair, window) for pair in pairs for window in windows}
    found = dict(
        zip([*alone, *switched], held.of([*alone.values(), *switched.values()], "training images"), strict=True)
    )
    outcomes: list[Outcome] = []
    by_pair: dict[tuple[Levels, Levels], HeldOut] = {}
    for pair in pairs:
        low, high = pair
        by_pair[pair] = known = HeldOut(found[low], found[high], {w: found[pair, w] for w in windows})
        for window in windows:
            thresholds = (
                {q: known.threshold(window, q) for q in section.quantile}
                if section.threshold is None
                else {None: section.threshold}
            )
            outcomes += [known.outcome(Trial(low, high, window, q, t)) for q, t in thresholds.items()]
    needed = max(known.high_accuracy for known in by_pair.values()) - section.tolerance / 100
    best = choose(outcomes, needed).trial
    known = by_pair[best.low, best.high]
    laws = known.laws(best.window.waiting_time, best.quantile) if best.quantile and known.wrong.any() else None
    return outcomes, laws, needed


def _fixed(held: _Study, best: Outcome) -> Levels:
    """The fixed precision between low and high that spikes as much as arousal does, on the training images."""
    low, high = best.trial.low, best.trial.high
    found = held.of([Probe(between(low, high, share)) for share in FIXED], "fixed precisions")
    spikes = [float(np.mean(probe["spikes"])) for probe in found]
    order = np.argsort(spikes)
    share = float(np.interp(best.spikes, np.array(spikes)[order], np.array(FIXED)[order]))
    return between(low, high, round(share, 3))


def _row(outcome: Outcome, subject: Subject) -> dict[str, Any]:
    """Figures on the training images."""
    return {
        **outcome.trial.as_dict(),
        "selectivity": outcome.selectivity,
        "snn_accuracy": outcome.accuracy,
        "firing_rate_hz": outcome.spikes / subject.duration * 1000,
    }


def _simulate(shared: Shared, item: Levels | Trial | Probe) -> dict[str, Any]:
    if isinstance(item, Probe):
        return measure(shared, item)
    return simulate_trial(shared, item) if isinstance(item, Trial) else simulate_levels(shared, item)


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
        config.need_training(_NO_IMAGES)  # before anything is loaded
    runner, run = make_runner(scheduler, workers, engine_of(config)), load(config, model=True)
    need_windows(config, run.duration)
    outcome = arouse(config, Subject.of(run), runner)
    folder = config.paths.path_wd / FOLDER
    write_arousal(outcome, folder, plots=config.adsnn.plots)
    print_arousal(outcome)
    print(f"Table, figures and pictures are in {folder}")
    return outcome
