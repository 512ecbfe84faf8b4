"""What arousal would do on labelled inputs, and the choice among its settings.

Each precision is simulated throughout, and each window once with all inputs switched. What any threshold does follows
from these: an input that does not switch is as at low precision, and one that does is as where all do.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.engine import Switch, simulate
from snntb_adsnn.errors import NoMistakesError
from snntb_adsnn.measure.statistics import Line
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array
from snntb_adsnn.studies.sweep import Shared

Levels = tuple[float, ...]
"""m_f of every population, in order."""

LAW_TIMES = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 75.0, 100.0)
"""Accumulation times over which the paper's laws are measured, ms."""


def name_of(levels: Levels) -> str:
    """One number where all are the same."""
    different = levels[:1] if len(set(levels)) == 1 else levels
    return "/".join(f"{m_f:g}" for m_f in different)


@dataclass(frozen=True)
class Window:
    """Where the two highest outputs are compared: from ``waiting_time`` on, for ``accumulation_time`` (ms)."""

    waiting_time: float
    accumulation_time: float

    def __str__(self) -> str:
        return f"{self.waiting_time:g}+{self.accumulation_time:g}"

    def switch(self, to: SpikingNetwork, threshold: float) -> Switch:
        """The switch to the network ``to`` of inputs whose mean difference does not exceed ``threshold``."""
        return Switch(to, self.waiting_time, self.accumulation_time, threshold)


@dataclass(frozen=True)
class Trial:
    """One choice of arousal.

    Attributes:
        low, high: the two precisions.
        window: of the comparison.
        quantile: of the mistakes' mean differences that became the threshold; ``None`` where it was given.
        threshold: mean difference that an input must exceed to stay at low precision.
    """

    low: Levels
    high: Levels
    window: Window
    quantile: float | None
    threshold: float

    def __str__(self) -> str:
        return (
            f"m_f {name_of(self.low)} to {name_of(self.high)}, window {self.window} ms, threshold {self.threshold:.4g}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "m_f_low": name_of(self.low),
            "m_f_high": name_of(self.high),
            "waiting_time_ms": self.window.waiting_time,
            "accumulation_time_ms": self.window.accumulation_time,
            "quantile": self.quantile,
            "threshold": self.threshold,
        }


# ---- in a worker -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Probe:
    """A simulation of all inputs, of which each one's outcome is kept.

    Attributes:
        low: the precision; with ``high`` and ``window`` all inputs switch.
        windows: in which the outputs are compared.
    """

    low: Levels
    high: Levels | None = None
    window: Window | None = None
    windows: tuple[Window, ...] = ()

    def __str__(self) -> str:
        switched = "" if self.high is None else f" to {name_of(self.high)}, window {self.window} ms"
        return f"training inputs at m_f {name_of(self.low)}{switched}"


def at_levels(shared: Shared, levels: Levels) -> SpikingNetwork:
    """The network at a precision, with the biases corrected for it where ``[adsnn]`` asks for that."""
    subject = shared.subject
    m_f = dict(zip(subject.network.population_names, levels, strict=True))
    return subject.corrected(subject.network.with_m_f(m_f), shared.engine)


def measure(shared: Shared, probe: Probe) -> dict[str, Any]:
    """By input: ``correct`` after the last step (0 or 1), ``spikes`` per neuron, and by window ``margins``, the mean
    difference of the two highest outputs."""
    subject, network, switch = shared.subject, at_levels(shared, probe.low), None
    if probe.high is not None and probe.window is not None:
        switch = probe.window.switch(at_levels(shared, probe.high), np.inf)
    correct: list[int] = []
    spikes: list[float] = []
    margins: dict[str, list[float]] = {str(window): [] for window in probe.windows}
    for start in range(0, len(subject.x), subject.batch_size):
        part = slice(start, start + subject.batch_size)
        result = simulate(network, subject.x[part], duration=subject.duration, engine=shared.engine, switch=switch)
        correct += (result.decisions[:, -1] == subject.labels[part]).astype(int).tolist()
        counts = [c.reshape(len(c), -1).sum(axis=1) for c in result.spike_counts.values()]
        spikes += (sum(counts) / network.neuron_count).tolist()
        for window in probe.windows:
            schedule = window.switch(network, 0.0).schedule(network, result.outputs.shape[1])
            margins[str(window)] += schedule.decide(result.outputs)[0].tolist()
    return {"correct": correct, "spikes": spikes, "margins": margins}


# ---- from what was measured ------------------------------------------------------------------------------------------


def estimate_threshold(margins: Array, wrong: NDArray[np.bool_], quantile: float) -> float:
    """Smallest threshold at which the share ``quantile`` of the wrong inputs switches.

    Raises:
        NoMistakesError: no input is wrong.
    """
    if not wrong.any():
        raise NoMistakesError(
            f"the network at low precision classifies all {len(wrong)} training images correctly, so no threshold can "
            "be estimated; raise [arousal] m_f_low or calibration_images, or give a threshold."
        )
    return float(np.quantile(margins[wrong], quantile, method="inverted_cdf"))


@dataclass(frozen=True)
class Outcome:
    """What arousal does on the inputs it is chosen with.

    Attributes:
        trial: the choice.
        accuracy, selectivity: shares of the inputs that are right, and that switch.
        spikes: per neuron and input.
    """

    trial: Trial
    accuracy: float
    selectivity: float
    spikes: float


class HeldOut:
    """The probes of one pair of precisions."""

    def __init__(self, low: Mapping[str, Any], high: Mapping[str, Any], switched: Mapping[Window, Any]) -> None:
        self.low, self.high, self.switched = low, high, switched
        self.wrong = np.array(low["correct"]) == 0

    @property
    def high_accuracy(self) -> float:
        """Of the high precision alone."""
        return float(np.mean(self.high["correct"]))

    def threshold(self, window: Window, quantile: float) -> float:
        """See ``estimate_threshold``."""
        return estimate_threshold(np.array(self.low["margins"][str(window)]), self.wrong, quantile)

    def outcome(self, trial: Trial) -> Outcome:
        """What a choice does."""
        margins = np.array(self.low["margins"][str(trial.window)], np.float32)
        chosen, all_switched = margins <= trial.threshold, self.switched[trial.window]
        correct = np.where(chosen, all_switched["correct"], self.low["correct"])
        spikes = np.where(chosen, all_switched["spikes"], self.low["spikes"])
        return Outcome(trial, float(correct.mean()), float(chosen.mean()), float(spikes.mean()))

    def laws(self, waiting_time: float, quantile: float) -> dict[str, Any]:
        """The paper's laws: threshold against accumulation time, a line; Selectivity, an exponential."""
        rows = []
        for time in LAW_TIMES:
            window = Window(waiting_time, time)
            if str(window) in self.low["margins"]:
                threshold = self.threshold(window, quantile)
                share = float((np.array(self.low["margins"][str(window)], np.float32) <= threshold).mean())
                rows.append({"accumulation_time_ms": time, "threshold": threshold, "selectivity": share})
        times = [row["accumulation_time_ms"] for row in rows]
        line = Line.through(times, [row["threshold"] for row in rows])
        decay = Line.through(times, np.log([row["selectivity"] for row in rows]))
        return {
            "waiting_time_ms": waiting_time,
            "quantile": quantile,
            "points": rows,
            "threshold_line": {"slope_per_ms": line.slope, "intercept": line.intercept, "r2": line.r2},
            "selectivity_exponential": {
                "rate_per_ms": decay.slope,
                "at_0": float(np.exp(decay.intercept)),
                "r2": decay.r2,
            },
        }


def choose(outcomes: Sequence[Outcome], needed: float) -> Outcome:
    """The outcome of fewest spikes whose accuracy is at least ``needed``; where none is, the most accurate one."""
    good = [outcome for outcome in outcomes if outcome.accuracy >= needed - 1e-9]
    if good:
        return min(good, key=lambda outcome: outcome.spikes)
    return max(outcomes, key=lambda outcome: (outcome.accuracy, -outcome.spikes))


def law_windows(waiting_times: Sequence[float], duration: float, dt: float) -> list[Window]:
    """Windows for ``HeldOut.laws`` that end within ``duration``, in ms."""
    windows = (Window(*times) for times in itertools.product(waiting_times, LAW_TIMES))
    return [
        w
        for w in windows
        if round(w.accumulation_time / dt) >= 1
        and round(w.waiting_time / dt) + round(w.accumulation_time / dt) <= round(duration / dt)
    ]


def between(low: Levels, high: Levels, share: float) -> Levels:
    """The precision ``share`` of the way from low to high, geometrically."""
    return tuple(float(a ** (1 - share) * b**share) for a, b in zip(low, high, strict=True))
