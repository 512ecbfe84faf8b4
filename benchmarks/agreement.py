"""Decisions and spike counts of the event engine against the reference, on the same images.

``python -m benchmarks.agreement NETWORK.npz IMAGES.npy STEPS`` prints JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from snntb_adsnn.engine import simulate
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array

BATCH = 50


def agreement(network: SpikingNetwork, x: Array, steps: int) -> dict[str, Any]:
    """Images decided otherwise at the end, and at any step; by layer, the relative difference of the spike counts."""
    duration = steps * network.dt
    last = ever = 0
    counts = {name: np.zeros(2, np.int64) for name in network.population_names}
    for i in range(0, len(x), BATCH):
        ours = simulate(network, x[i : i + BATCH], duration=duration, engine="event")
        reference = simulate(network, x[i : i + BATCH], duration=duration, engine="reference")
        differ = ours.decisions != reference.decisions
        last += int(differ[:, -1].sum())
        ever += int(differ.any(axis=1).sum())
        for name, pair in counts.items():
            pair += ours.spike_counts[name].sum(dtype=np.int64), reference.spike_counts[name].sum(dtype=np.int64)
    return {
        "images": len(x),
        "different_decisions": last,
        "different_at_any_step": ever,
        "spike_count_difference": {n: abs(int(a) - int(b)) / max(int(b), 1) for n, (a, b) in counts.items()},
    }


def main() -> None:
    """See the module."""
    network, images, steps = sys.argv[1:4]
    print("\n" + json.dumps(agreement(SpikingNetwork.load(network), np.load(images), int(steps))))


if __name__ == "__main__":
    main()
