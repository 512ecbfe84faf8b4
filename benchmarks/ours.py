"""Our simulator in the forms that are compared: ``factory(network, x, steps, **options) -> run()``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Usage, usage
from snntb_adsnn.engine import simulate
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array

BATCH = 100


def event(network: SpikingNetwork, x: Array, steps: int, **options: Any) -> Callable[[], Array]:
    """The event-driven engine."""
    return _engine("event", network, x, steps, **options)


def tensorflow(network: SpikingNetwork, x: Array, steps: int, **options: Any) -> Callable[[], Array]:
    """The TensorFlow engine, on the CPU."""
    import os

    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    return _engine("tensorflow", network, x, steps, **options)


def _engine(
    engine: str, network: SpikingNetwork, x: Array, steps: int, *, batch: int = BATCH, m_f: float | None = None
) -> Callable[[], Array]:
    if m_f is not None:
        network = network.with_m_f(m_f)

    def run() -> Array:
        """Decisions at the end, batch by batch."""
        duration = steps * network.dt
        parts = (simulate(network, x[i : i + batch], duration=duration, engine=engine) for i in range(0, len(x), batch))
        return np.concatenate([part.decisions[:, -1] for part in parts])

    return run


def in_toolbox(network: SpikingNetwork, x: Array, steps: int, *, log: str = "", batch: int = 50) -> Callable[[], Usage]:
    """What ``snntoolbox -t`` spends on simulating the trained MNIST net: the stage ``SNN.run``, which also compares
    with the ANN (evaluated before, in a stage of its own), counts, and writes logs and report (no pictures).

    ``network`` serves for its name only: the flow converts the Keras model itself.
    """
    from benchmarks.nets import ROOT
    from snntb_adsnn.toolbox.register import register

    register()
    import snntoolbox.bin.utils as flow

    from snntb_adsnn.toolbox.backend import SNN

    folder = Path(tempfile.mkdtemp())
    labels = np.eye(network.readout.shape[0], dtype=np.float32)[np.zeros(len(x), int)]
    for name, array in (("x_test", x), ("y_test", labels), ("x_norm", x[:100])):
        np.savez_compressed(folder / f"{name}.npz", array)
    (folder / "mnist.h5").write_bytes((ROOT / "configs/models/mnist.h5").read_bytes())
    (folder / "config.ini").write_text(
        f"[paths]\npath_wd = {folder}\ndataset_path = {folder}\nfilename_ann = mnist\n"
        "[tools]\nevaluate_ann = True\nnormalize = False\n"
        f"[simulation]\nsimulator = adsnn\nduration = {steps}\nnum_to_test = {len(x)}\nbatch_size = {batch}\n"
        f"[output]\nlog_vars = {{{log!r}}}\nplot_vars = {{}}\n[adsnn]\nplots = False\nengine = event\n"
    )
    if not log:
        text = (folder / "config.ini").read_text()
        (folder / "config.ini").write_text(text.replace("{''}", "{}"))
    inner: list[Usage] = []
    original = SNN.run

    def timed(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = usage()
        result = original(self, *args, **kwargs)
        inner.append(usage() - before)
        return result

    def run() -> Usage:
        SNN.run = timed
        try:
            flow.run_pipeline(flow.update_setup(str(folder / "config.ini")))
        finally:
            SNN.run = original
        return inner[-1]

    return run


OURS: dict[str, Callable[..., Callable[[], Any]]] = {
    "snntb-adsnn event": event,
    "snntb-adsnn tensorflow (CPU)": tensorflow,
    "snntb-adsnn in SNN Toolbox": in_toolbox,
}
WHOLE_FLOWS = {"snntb-adsnn in SNN Toolbox"}
"""Their ``run`` returns what the simulation alone took."""
