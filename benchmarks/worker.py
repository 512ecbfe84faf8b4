"""One measurement in a process of its own: ``python -m benchmarks.worker NAME NETWORK.npz IMAGES.npy STEPS OPTIONS``.

The last line of output is JSON: seconds, CPU seconds and peak memory of one pass over the images. A short run comes
first, so that neither compilation nor imports count. ``--installed`` prints which simulators this interpreter has.
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from typing import Any

import numpy as np

from benchmarks import ours, peers
from benchmarks.measure import Usage, measure
from snntb_adsnn.network import SpikingNetwork

MIN_SECONDS = 1.0
WARM_UP_STEPS = 10


def installed() -> dict[str, str | None]:
    """Version of each peer's package in this interpreter, ``None`` where it is missing."""
    found: dict[str, str | None] = {}
    for name, package in peers.PACKAGES.items():
        try:
            found[name] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def run(name: str, network: SpikingNetwork, x: Any, steps: int, options: dict[str, Any]) -> Usage:
    """Measure simulator ``name``."""
    factory = (ours.OURS | peers.PEERS)[name]
    warm_up = min(steps, WARM_UP_STEPS)
    if name in peers.WHOLE_FLOWS:  # parses, too, and times its simulation alone
        return factory(network, x, steps, **options)()
    factory(network, x[: options.get("batch", 2)], warm_up, **options)()
    if name in ours.WHOLE_FLOWS:
        return factory(network, x, steps, **options)()
    return measure(factory(network, x, steps, **options), MIN_SECONDS)


def main() -> None:
    """See the module."""
    if sys.argv[1:] == ["--installed"]:
        print(json.dumps(installed()))
        return
    name, network, images, steps, options = sys.argv[1:6]
    used = run(name, SpikingNetwork.load(network), np.load(images), int(steps), json.loads(options))
    print("\n" + json.dumps(used._asdict()))


if __name__ == "__main__":
    main()
