"""Small whole networks for the testbenches."""

from __future__ import annotations

import dataclasses

from adsnn_hls.cores import Lanes
from adsnn_hls.fixed import FixedNetwork

from snntb_adsnn.network.maps import Window
from verification.cases import DEFAULT, SHIFTS, Case, analog, conv, dense, readout, restless, waiting

# short memory and high thresholds: later layers differ from image to image, as those of a trained network do
_BRIEF = dataclasses.replace(SHIFTS, k_beta=1 / 2, k_eta=3 / 4, theta0=0.6)
_AHEAD = dataclasses.replace(restless(DEFAULT), corrective=2.5)
_RESTLESS = dataclasses.replace(_BRIEF, k_beta=1 / 4, k_eta=15 / 16, m_gamma=1 / 16)
_SAME3 = Window((3, 3), (1, 1), ((1, 1), (1, 1)))


def _network(*stages: object) -> FixedNetwork:
    return FixedNetwork(stages)  # type: ignore[arg-type]


NETWORKS: dict[str, tuple[FixedNetwork, dict[str, Lanes], bool]] = {
    "dense": (
        _network(
            analog((12,), seed=30),
            dense(12, 16, _AHEAD, seed=31),
            dense(16, 6, seed=32, signed=True),
            readout(6, 10, seed=33),
        ),
        {"analog30": Lanes(2, 2), "dense31": Lanes(2, 8), "dense32": Lanes(1, 3), "readout33": Lanes(1, 10)},
        True,
    ),
    "conv": (
        _network(
            analog((6, 6, 1), SHIFTS, seed=40),
            conv((6, 6, 1), 4, _SAME3, _RESTLESS, Window((2, 2), (2, 2)), seed=41, signed=True),
            conv((3, 3, 4), 6, Window((2, 2)), waiting(_RESTLESS, 2), seed=42, signed=True),
            dense(24, 5, _RESTLESS, seed=43, signed=True),
            readout(5, 3, SHIFTS, seed=44, signed=True),
        ),
        {
            "analog40": Lanes(4, 4, 32),
            "conv41": Lanes(2, 4),
            "conv42": Lanes(3, 6),
            "dense43": Lanes(1, 5),
            "readout44": Lanes(1, 1),
        },
        False,
    ),
}
"""Network, parallelism, whether it has multipliers."""


def cases(name: str) -> dict[str, Case]:
    """The stages of a network by the name of their instance in the generated top level."""
    network, lanes, multiplier = NETWORKS[name]
    return {f"s{i}_{s.name}": Case(s, lanes[s.name], multiplier) for i, s in enumerate(network.stages)}
