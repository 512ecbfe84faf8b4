"""Search for each layer's m_f: fewest spikes for the least change of the outputs (``snntb-adsnn precision``).

A layer's spikes cost as many as it has neurons times their rate, and coarse spikes do harm that depends on how many of
them the next layer averages over. Neither is the same for all layers, so no common m_f is the best.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from snntb_adsnn.engine import simulate
from snntb_adsnn.engine.switch import need_classes
from snntb_adsnn.errors import ConfigError, ParameterError
from snntb_adsnn.measure.correction import Correction
from snntb_adsnn.network import SpikingNetwork, softmax
from snntb_adsnn.network.maps import Array
from snntb_adsnn.studies.registry import finite, study

if TYPE_CHECKING:
    from snntb_adsnn.config import Config

DURATION, SETTLE = 250.0, 100.0
"""Simulated time of a trial, and the part of it before outputs count, ms."""
HIGHEST_THETA0 = 1.95
"""A neuron whose theta0 is 2 never spikes at S = 1; graded ones have no highest."""


@dataclass(frozen=True)
class Trial:
    """Precisions and what they do, with biases corrected.

    Attributes:
        m_f: by layer.
        firing_rate_hz: spikes per neuron per second.
        divergence: Kullback-Leibler divergence from the ANN's class probabilities to those of the read-out, nat; mean
            over images and steps.
        agreement: share of images and steps at which both choose the same class.
    """

    m_f: dict[str, float]
    firing_rate_hz: float
    divergence: float
    agreement: float


def search_m_f(
    network: SpikingNetwork,
    x: Any,
    *,
    trained: SpikingNetwork | None = None,
    rate_hz: float,
    correction_images: int = 100,
    slopes: bool = False,
    factor: float = 1.25,
    engine: str = "auto",
    progress: Callable[[Trial], None] = lambda trial: None,
) -> list[Trial]:
    """Raise layers' m_f one after the other until the firing rate is met.

    All layers' m_f are first raised together to about twice the wanted rate. Then, of all layers, always that one is
    raised by ``factor`` which costs the least divergence per spike saved. No labels are needed.

    Args:
        network: what is simulated; the search starts from its m_f.
        trained: the network with its trained constants, whose outputs are to be kept; default: ``network``.
        x: training inputs, shape (images, *input shape): the first ``correction_images`` correct biases, the others
            are simulated.
        slopes: correct slopes, too (``measure.correction``).
        rate_hz: the firing rate wanted.
        factor: of one step.
        engine: as in ``simulate``.
        progress: called with each step taken.

    Returns:
        the steps; the last one meets the rate.

    Raises:
        ParameterError: an argument out of range, too few inputs, or a rate that no m_f reaches.
    """
    if not (rate_hz > 0 and factor > 1 and correction_images >= 1):
        raise ParameterError(
            f"rate_hz = {rate_hz:g} must be above 0, factor = {factor:g} above 1, correction_images = "
            f"{correction_images} at least 1."
        )
    x = network.check_images(x, np.float32)
    calibration, images = x[:correction_images], x[correction_images:]
    if not len(images):
        raise ParameterError(f"{len(x)} inputs leave none to simulate after {correction_images} for the correction.")
    trained = trained or network
    ann = trained.analog(images, logits=True)

    def attempt(m_f: dict[str, float]) -> Trial:
        correction = Correction(calibration, slopes)
        return try_m_f(network, m_f, correction, images, ann, trained=trained, engine=engine)

    highest = {
        p.name: math.inf if p.graded else HIGHEST_THETA0 * p.parameters.m_f / p.parameters.resting_threshold
        for p in network.populations
    }
    present = simulate(network, images, duration=DURATION, engine=engine).firing_rate_hz
    together = max(1.0, present / (2 * rate_hz))  # rates are nearly inverse to m_f
    path = [attempt({p.name: min(p.parameters.m_f * together, highest[p.name]) for p in network.populations})]
    progress(path[0])
    while (last := path[-1]).firing_rate_hz > rate_hz:
        raised = [
            {**last.m_f, name: min(m_f * factor, highest[name])}
            for name, m_f in last.m_f.items()
            if m_f < highest[name]
        ]
        trials = [trial for trial in map(attempt, raised) if trial.firing_rate_hz < last.firing_rate_hz]
        if not trials:
            why = "a larger m_f of any layer lowers no rate" if raised else "the m_f of all layers are the highest"
            raise ParameterError(
                f"a firing rate of {rate_hz:g} Hz is not reached: the network still fires at {last.firing_rate_hz:.3g} "
                f"Hz, and {why}; ask for a higher rate, or train with an activity penalty."
            )
        path.append(
            min(trials, key=lambda t: (t.divergence - last.divergence) / (last.firing_rate_hz - t.firing_rate_hz))
        )
        progress(path[-1])
    return path


def try_m_f(
    network: SpikingNetwork,
    m_f: dict[str, float],
    correction: Correction,
    images: Array,
    ann: Array,
    *,
    trained: SpikingNetwork,
    engine: str = "auto",
) -> Trial:
    """Simulate ``images`` at these precisions, corrected.

    Args:
        network: what is simulated.
        trained: as it was trained.
        ann: its analog outputs before the softmax, shape (images, classes).
    """
    precise = network.with_m_f(m_f)
    corrected = correction.of(precise, trained, duration=DURATION, settle=SETTLE, engine=engine)
    result = simulate(corrected, images, duration=DURATION, engine=engine)
    outputs = result.outputs[:, round(SETTLE / network.dt) :].astype(np.float64)
    p, logarithm = softmax(ann), _log_softmax(ann)
    divergence = np.sum(p[:, None] * (logarithm[:, None] - _log_softmax(outputs)), axis=-1)
    agreement = outputs.argmax(axis=-1) == ann.argmax(axis=-1)[:, None]
    return Trial(m_f, result.firing_rate_hz, float(divergence.mean()), float(agreement.mean()))


def _log_softmax(x: Array) -> Array:
    shifted = x - x.max(axis=-1, keepdims=True)
    y: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return y


# ---- the command -----------------------------------------------------------------------------------------------------


@study(
    "precision",
    click.option(
        "--rate",
        required=True,
        type=click.FloatRange(min=0, min_open=True),
        callback=finite,
        help="Firing rate wanted, Hz.",
    ),
    click.option(
        "--images", default=300, show_default=True, type=click.IntRange(min=1), help="Training images simulated."
    ),
    help="Find each layer's m_f at which the network of CONFIG meets a firing rate with the least change of its "
    "outputs.",
)
def run_precision(config: Config, *, rate: float, images: int) -> list[Trial]:
    """The command ``precision``: prints each step, and the lines for ``[adsnn]`` that the search ends with.

    Args:
        rate: firing rate wanted, Hz.
        images: training images simulated in every trial; those of the correction come first.

    Raises:
        AdSNNError: too few training inputs, or a rate that cannot be reached.
    """
    from snntb_adsnn.run import CORRECTION_INPUTS, configured, load

    if "theta0" in config.adsnn.overrides:
        raise ConfigError(
            f"{config.file}: [adsnn] theta0 would stay as it is; in the search it follows m_f: remove it."
        )
    run, file = load(config, model=True), config.paths.data_file("x_norm")
    run.need_files(x_norm=True)
    need_classes(run.trained, "precision")
    # the constants of the run, from the trained m_f on
    network = configured(run.trained, config.adsnn.model_copy(update={"m_f": {}}), run.dt)
    x = run.x_norm
    asked = config.adsnn.bias_correction
    correction = asked if isinstance(asked, int) and asked else min(CORRECTION_INPUTS, len(x) // 2)
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
        trained=run.trained,
        rate_hz=rate,
        correction_images=correction,
        slopes=config.adsnn.slope_correction,
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
