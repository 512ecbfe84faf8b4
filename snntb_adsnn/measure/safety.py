"""The margin at which a decision is safe, from training inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from snntb_adsnn.engine import simulate
from snntb_adsnn.engine.switch import need_classes
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.deciding import safe_after

PATIENCE = (0.0, 2.0, 5.0, 10.0, 20.0)
"""Times for which the lead must last that are tried, ms."""

MARGINS = 60
"""Margins that are tried, at most: quantiles of all leads of the inputs."""


@dataclass(frozen=True)
class Rule:
    """A rule for deciding early.

    Attributes:
        margin, patience: as ``simulate`` takes them.
        mean_time: mean time of a decision on the inputs it was chosen with, ms.
        differing: share of these inputs that are decided otherwise than after the whole time.
    """

    margin: float
    patience: float
    mean_time: float
    differing: float


def choose_rule(
    network: SpikingNetwork, x: Any, loss: float, *, duration: float = 500, engine: str = "auto"
) -> Rule | None:
    """The rule with the earliest decisions of which at most the share ``loss`` differs from those after the whole time;
    ``None`` where no rule is as safe.

    Args:
        network: as it will be simulated.
        x: training inputs, shape (images, *input shape). Not the test inputs.
        loss: share of decisions that may differ.
        duration: the whole time, ms.
        engine: as in ``simulate``.

    Raises:
        ParameterError: the network does not classify, or the inputs do not fit.
    """
    need_classes(network, "deciding early")
    outputs = simulate(network, x, duration=duration, engine=engine).outputs
    steps, final = outputs.shape[1], outputs[:, -1].argmax(axis=-1)
    second, first = np.moveaxis(np.partition(outputs, (-2, -1), axis=-1)[..., -2:], -1, 0)
    leads = np.unique(np.quantile(first - second, np.linspace(0.02, 1, MARGINS)))
    rules = []
    for margin in leads[leads > 0].tolist():
        for patience in PATIENCE:
            after = safe_after(outputs, margin, round(patience / network.dt))
            last = np.where(after > 0, after, steps) - 1
            decided = np.take_along_axis(outputs, last[:, None, None], axis=1)[:, 0].argmax(axis=-1)
            differing = float((decided != final).mean())
            rules.append(Rule(margin, patience, float((last + 1).mean()) * network.dt, differing))
    safe = [rule for rule in rules if rule.differing <= loss and rule.mean_time < duration]
    return min(safe, key=lambda rule: rule.mean_time, default=None)
