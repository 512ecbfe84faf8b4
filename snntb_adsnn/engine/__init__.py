"""Simulators behind one interface: ``simulate(network, x, engine="auto")``."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from snntb_adsnn.engine.early import Early
from snntb_adsnn.engine.result import RECORDABLE, SimulationResult, SpikeObserver, check_memory
from snntb_adsnn.engine.switch import Switch
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array
from snntb_adsnn.registry import Registry

__all__ = ["ENGINES", "RECORDABLE", "Engine", "SimulationResult", "SpikeObserver", "Switch", "simulate"]


@dataclass(frozen=True)
class Engine:
    """A simulator.

    Attributes:
        source: a function ``run(network, x, steps, record, schedule) -> SimulationResult``, or the name of the module
            that has it, imported on first use. x: float32, (images, *input shape); record: a frozenset of
            ``RECORDABLE``; schedule: of a ``Switch``, or ``None``. With a margin it gets ``early``, an ``Early``, too.
        observes: whether ``run`` also takes ``on_spikes`` (see ``simulate``); without it, spikes are recorded first.
    """

    source: str | Callable[..., SimulationResult]
    observes: bool = False

    @property
    def run(self) -> Callable[..., SimulationResult]:
        """The function that simulates."""
        if isinstance(self.source, str):
            run: Callable[..., SimulationResult] = import_module(self.source).run
            return run
        return self.source


ENGINES: Registry[str, Engine] = Registry("engine")
"""By name; ``ENGINES.add`` takes your own."""

ENGINES.add("event", Engine("snntb_adsnn.engine.event", observes=True))
ENGINES.add("reference", Engine("snntb_adsnn.engine.reference"))
ENGINES.add("tensorflow", Engine("snntb_adsnn.engine.tensorflow"))


def automatic() -> str:
    """Name of the engine that ``auto`` stands for: TensorFlow where there is a GPU, else the event-driven one."""
    if Path("/dev/nvidiactl").exists():  # without a driver, do not spend seconds on importing TensorFlow
        from snntb_adsnn.engine.tensorflow import accelerator

        if accelerator():
            return "tensorflow"
    return "event"


def simulate(
    network: SpikingNetwork,
    x: Any,
    *,
    duration: float = 500,
    m_f: float | Mapping[str, float | Array] | None = None,
    engine: str = "auto",
    record: str | Collection[str] = (),
    switch: Switch | None = None,
    margin: float | None = None,
    patience: float = 0.0,
    on_spikes: SpikeObserver | None = None,
) -> SimulationResult:
    """Simulate a converted network on a batch of inputs.

    Args:
        network: the converted network.
        x: analog inputs of shape (images, *input shape), held during the whole simulation.
        duration: simulated time in ms; one step takes ``network.dt`` ms.
        m_f: another precision than the trained one, for all layers or by layer name (theta0 and h follow);
            an array gives each neuron of a layer its own (location-based attention).
        engine: ``auto``, or a name in ``ENGINES``.
        record: what to keep for every neuron and step, one or more of ``RECORDABLE``; memory grows with steps.
        switch: images that are still undecided go on at a higher precision (arousal).
        margin: an image stops once its highest output has led the second by so much, always of one class, for
            ``patience`` ms; it costs nothing more. The hardware's margin is the same rule, without patience.
        patience: see ``margin``.
        on_spikes: gets each image's spikes when it is simulated, so that they need not be recorded all at once.

    Returns:
        outputs, spike counts, rates and the records; with a switch, each image's margin and whether it switched.

    Raises:
        ParameterError: an argument is out of range or does not fit the network.

    Example: one neuron a class, and an image whose second pixel is the brighter one.
        >>> from snntb_adsnn import ASNParameters
        >>> from snntb_adsnn.network import Input, Neurons, Readout
        >>> neurons = Neurons("neurons", ("x",), ((2,),), np.zeros(2), ASNParameters(m_f=0.1))
        >>> readout = Readout("out", ("neurons",), ((2,),), np.zeros(2))
        >>> network = SpikingNetwork((Input("x", (), (), (2,)), neurons, readout))
        >>> result = simulate(network, [[0.2, 0.9]], duration=100, engine="reference")
        >>> result.outputs.shape, int(result.decisions[0, -1])
        ((1, 100, 2), 1)
    """
    if engine == "auto":
        engine = automatic()
    if engine not in ENGINES:
        raise ParameterError(f"engine {engine!r} is unknown: choose auto or one of {', '.join(sorted(ENGINES))}.")
    record = (record,) if isinstance(record, str) else record
    unknown = set(record) - set(RECORDABLE)
    if unknown:
        raise ParameterError(f"cannot record {sorted(unknown)}: choose from {', '.join(RECORDABLE)}.")
    number = isinstance(duration, numbers.Real) and math.isfinite(duration)
    steps = round(float(duration) / network.dt) if number else 0
    if steps < 1:
        raise ParameterError(f"duration = {duration!r} ms is less than one step of {network.dt:g} ms; give more time.")
    x = network.held(x, np.float32)
    check_memory(steps, len(x), int(np.prod(network.readout.shape)))
    if m_f is not None:
        network = network.with_m_f(m_f)
    chosen = ENGINES[engine]
    schedule = None if switch is None else switch.schedule(network, steps)
    if margin is None and patience:
        raise ParameterError(f"patience = {patience!r} has no effect without a margin; give one, or leave it out.")
    early = None if margin is None else Early.of(network, margin, patience)
    record = frozenset(record)
    stops = {} if early is None else {"early": early}
    if on_spikes is None or chosen.observes:
        observed = {} if on_spikes is None else {"on_spikes": on_spikes}
        result = chosen.run(network, x, steps, record, schedule, **observed, **stops)
        return replace(result, readout=network.readout)
    result = chosen.run(network, x, steps, record | {"spikes"}, schedule, **stops)
    for image in range(len(x)):
        spikes = [found[image].reshape(steps, -1) for found in result.records["spikes"].values()]
        counts = [found[image].ravel() for found in result.spike_counts.values()]
        times = np.nonzero(np.concatenate(spikes, axis=1).T)[1].astype(np.int32)
        on_spikes(image, times, np.concatenate(counts))
    records = {name: result.records[name] for name in record}
    return replace(result, records=records, readout=network.readout)
