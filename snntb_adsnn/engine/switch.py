"""Arousal: a switch to a higher precision in mid-run, for images whose read-out is undecided."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.errors import ParameterError
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array
from snntb_adsnn.network.tasks import Classification


@dataclass(frozen=True)
class Switch:
    """When, and to which precision, an image's neurons switch (the paper's arousal).

    The difference of the two highest read-out outputs is averaged over the steps of the accumulation window
    [waiting_time, waiting_time + accumulation_time). An image whose mean does not exceed ``threshold`` is switched: its
    neurons have the constants of the high precision (m_f, with theta0 and the spike height h) from the step behind the
    window on; every state is kept, and theta = theta0 + theta_a with the new theta0.

    Attributes:
        to: the high precision, m_f for all layers or by layer name, as ``SpikingNetwork.with_m_f`` takes it. Or the
            network to go on with, where precision is not all that differs: biases corrected for it
            (``measure.correct_biases``) belong to one precision.
        waiting_time: t_s, ms.
        accumulation_time: delta_t, ms; at least one step.
        threshold: the mean difference an image must exceed to stay as it is; ``inf`` switches all, ``-inf`` none.

    Raises:
        ParameterError: a time is negative or no number, or the threshold is none.
    """

    to: SpikingNetwork | float | Mapping[str, float | Array]
    waiting_time: float
    accumulation_time: float
    threshold: float

    def __post_init__(self) -> None:
        for name in ("waiting_time", "accumulation_time"):
            value = getattr(self, name)
            if not (_is_number(value) and 0 <= value < math.inf):
                raise ParameterError(f"Switch: {name} = {value!r} is not allowed: it must be a time in ms, 0 or more.")
        if not _is_number(self.threshold) or math.isnan(self.threshold):
            raise ParameterError(f"Switch: threshold = {self.threshold!r} is not allowed: it must be a number.")

    def schedule(self, network: SpikingNetwork, steps: int) -> Schedule:
        """The switch in steps of a simulation of ``network``.

        Raises:
            ParameterError: the window does not lie inside the simulation, the network classifies nothing, or ``to``
                does not fit the network: an unknown layer, other layers, or biases corrected for one precision.
        """
        start = round(self.waiting_time / network.dt)
        stop = start + round(self.accumulation_time / network.dt)
        if not start < stop <= steps:
            raise ParameterError(
                f"Switch: the accumulation window from {self.waiting_time:g} ms, {self.accumulation_time:g} ms long, "
                f"must hold at least one step of {network.dt:g} ms and end within the {steps * network.dt:g} ms that "
                "are simulated; change waiting_time, accumulation_time or the duration."
            )
        need_classes(network, "Switch")
        return Schedule(self._high(network), start, stop, self.threshold)

    def _high(self, network: SpikingNetwork) -> SpikingNetwork:
        """The network to go on with."""
        if not isinstance(self.to, SpikingNetwork):
            if any(p.corrected for p in network.populations):
                raise ParameterError(
                    "Switch: the biases of this network were corrected for its precision; give the network to go on "
                    "with, corrected for the precision of its own: Switch(correct_biases(trained.with_m_f(...), x, "
                    "trained=trained), ...)."
                )
            return network.with_m_f(self.to)
        mine, other = (_states(n) for n in (network, self.to))
        if mine != other:
            raise ParameterError(
                "Switch: the network to go on with has other layers than the one that is simulated; give the same "
                "network at another precision."
            )
        return self.to


def need_classes(network: SpikingNetwork, who: str) -> None:
    """Refuse a network that does not choose one of several classes.

    Args:
        network: it.
        who: compares its outputs, for the message.

    Raises:
        ParameterError: its task is another one.
    """
    tasks = network.tasks
    if len(tasks) > 1 or tasks[0].name != Classification.name:
        task = f"is {tasks[0].name}" if len(tasks) == 1 else f"has {len(tasks)} parts, one an output"
        raise ParameterError(
            f"{who} compares the highest outputs of classes, and the task of this network {task}; use a network that "
            "classifies, or simulate this one as it is."
        )


@dataclass(frozen=True)
class Schedule:
    """A ``Switch`` of one simulation.

    Attributes:
        high: the network at the high precision.
        start, stop: first step of the accumulation window, and the step behind it, the first at the high precision.
        threshold: as ``Switch.threshold``.
    """

    high: SpikingNetwork
    start: int
    stop: int
    threshold: float

    def decide(self, outputs: Array) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """From outputs of shape (images, at least ``stop`` steps, classes): each image's mean difference of the two
        highest outputs over the window, and whether it switches."""
        highest = np.partition(outputs[:, self.start : self.stop], (-2, -1), axis=-1)[..., -2:]
        difference: NDArray[np.float32] = (highest[..., 1] - highest[..., 0]).mean(axis=1, dtype=np.float64)
        margins = difference.astype(np.float32)
        return margins, margins <= self.threshold

    def decided(
        self, outputs: Array, stopped: NDArray[np.int32], ended: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """``decide``, but that an image which was decided by the time of the switch does not switch.

        Args:
            outputs: of all steps.
            stopped: steps of each image.
            ended: which of them were decided early.
        """
        margins, switched = self.decide(outputs)
        return margins, switched & ~(ended & (stopped <= self.stop))


def _states(network: SpikingNetwork) -> tuple[object, ...]:
    """What two networks must share, so that one can go on with the other's states."""
    layers = [(p.name, p.shape, p.input_shapes, p.pool, p.graded) for p in network.populations]
    return network.input.size, layers, network.readout.shape, network.dt


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
