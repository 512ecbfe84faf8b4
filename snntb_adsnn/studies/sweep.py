"""Parameter sweeps: one network, simulated on the test images at every point of a grid (``snntb-adsnn sweep``)."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.engine import Switch, automatic, simulate
from snntb_adsnn.errors import ConfigError, ParameterError
from snntb_adsnn.measure.evaluate import Evaluation
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import Node
from snntb_adsnn.neuron.transfer import check_constants, transfer
from snntb_adsnn.report import Figures
from snntb_adsnn.report.outcomes import SweepOutcome
from snntb_adsnn.report.results import versions
from snntb_adsnn.studies.registry import WORKERS, study
from snntb_adsnn.studies.study import Subject, code_version, compute, fingerprint, make_runner
from snntb_adsnn.studies.workers import Local, Runner, in_process

if TYPE_CHECKING:
    from snntb_adsnn.config import Config
    from snntb_adsnn.config.studies import SweepSection
    from snntb_adsnn.report.outcomes import SweepOutcome

FOLDER = "sweep"
"""Of the results, in the working folder; ``points`` in it holds one file for each finished point."""


@dataclass(frozen=True)
class Point:
    """A point of the grid. ``None``: as the network has it.

    Attributes:
        m_f: precision; theta0 follows.
        constants: other constants of the neurons, by their names in ``ASNParameters``; those not named stay.
        form: transfer function that the spike height follows.
        duration: simulated time per image, ms.
    """

    m_f: float | None
    constants: Mapping[str, float]
    form: str | None
    duration: float

    def __str__(self) -> str:
        values = {"m_f": self.m_f, **self.constants, "form": self.form, "duration": self.duration}
        given = {name: value for name, value in values.items() if value is not None}
        return ", ".join(f"{k} = {v:g}" if isinstance(v, float) else f"{k} = {v}" for k, v in given.items())

    def of(self, network: SpikingNetwork) -> SpikingNetwork:
        """``network`` with the constants of this point."""

        def change(node: Node) -> Node:
            if isinstance(node, Neurons):
                p = node.parameters if self.m_f is None else node.parameters.with_m_f(self.m_f)
                p = dataclasses.replace(p, **self.constants)
                return dataclasses.replace(node, parameters=p).with_form(self.form)
            if isinstance(node, Readout):
                return dataclasses.replace(node, tau_beta=self.constants.get("tau_beta", node.tau_beta))
            return node

        return SpikingNetwork(tuple(map(change, network.nodes)))


def grid(section: SweepSection, duration: float) -> list[Point]:
    """All points of ``[sweep]``; ``duration`` where it gives none."""
    axes = (section.m_f, section.constants(), section.form or [None], section.duration or [duration])
    return [Point(*values) for values in itertools.product(*axes)]


def need_usable(config: Config, network: SpikingNetwork, what: str) -> None:
    """Refuse a network with neurons that cannot be simulated, before anything is.

    Raises:
        ConfigError: there is one; the message names ``what``.
    """
    for population in network.populations:
        try:
            check_constants(population.parameters, population.form)
        except ParameterError as error:
            raise ConfigError(f"{config.file}: {what} does not fit layer {population.name!r}: {error}") from None


def transfer_change(trained: SpikingNetwork, simulated: SpikingNetwork) -> float:
    """Mean difference between the transfer functions of the simulated neurons and those that the network was trained
    with, over 0 <= S <= 1.5 (f(1) = 1 in both), of the layer where it is largest."""
    S = np.linspace(0, 1.5, 301)
    pairs = {
        (a.parameters, a.form, b.parameters, b.form)
        for a, b in zip(trained.populations, simulated.populations, strict=True)
    }
    return max(float(np.abs(transfer(S, p, f) - transfer(S, q, g)).mean()) for p, f, q, g in pairs)


# ---- one point, in a worker ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shared:
    """What every point needs.

    Attributes:
        subject: network and images.
        engine: simulator.
        matching_fraction: share of the highest accuracy that defines the matching time.
    """

    subject: Subject
    engine: str
    matching_fraction: float


@dataclass(frozen=True, kw_only=True)
class PointFigures(Figures):
    """The figures of one point.

    Attributes:
        tau_eta, tau_beta: of its neurons, ms.
        transfer_change: see ``transfer_change``.
        engine: what it was simulated with.
        firing_rate_over_time_hz: of every step, rounded to four digits.
        versions: of Python and packages, by name.
    """

    tau_eta: float
    tau_beta: float
    transfer_change: float
    engine: str
    firing_rate_over_time_hz: list[float]
    versions: dict[str, str]


def simulate_point(shared: Shared, point: Point) -> dict[str, Any]:
    """The figures of one point (``simulate_images``)."""
    network = shared.subject.corrected(point.of(shared.subject.network), shared.engine)
    figures, _ = simulate_images(shared, network, point.duration)
    return figures


def simulate_images(
    shared: Shared, network: SpikingNetwork, duration: float, switch: Switch | None = None
) -> tuple[dict[str, Any], NDArray[np.bool_]]:
    """Simulate ``network`` on all images.

    Returns:
        what ``results.json`` of a run holds, with the constants and the firing rate of every step; and which images
        are classified correctly and which switched, shape (2, images).
    """

    subject = shared.subject
    evaluation = Evaluation(network, shared.matching_fraction)
    spikes, images = np.zeros(round(duration / network.dt)), []
    for start in range(0, len(subject.x), subject.batch_size):
        part = slice(start, start + subject.batch_size)
        labels = subject.labels[part]
        result = simulate(network, subject.x[part], duration=duration, engine=shared.engine, switch=switch)
        evaluation.add(result, labels, subject.ann[part])
        spikes += sum(result.spikes_per_step.values())
        switched = np.zeros(len(labels), bool) if result.switched is None else result.switched
        (task,) = network.tasks
        images.append((task.score(result.decisions[:, -1:], labels)[:, 0] == 1, switched))
    rates = spikes / (network.neuron_count * len(subject.x) * network.dt) * 1000
    parameters = network.populations[0].parameters
    figures = PointFigures.of(
        evaluation.metrics(),
        network,
        tau_eta=parameters.tau_eta,
        tau_beta=parameters.tau_beta,
        transfer_change=transfer_change(subject.trained, network),
        engine=shared.engine,
        firing_rate_over_time_hz=[round(float(rate), 4) for rate in rates],
        versions=versions(),
    )
    return figures.as_dict(), np.concatenate(images, axis=1)


# ---- the sweep -------------------------------------------------------------------------------------------------------


def sweep(config: Config, subject: Subject, runner: Runner | None = None) -> SweepOutcome:
    """Simulate every point of ``[sweep]`` that has no result yet.

    Args:
        config: the configuration.
        subject: its network and images (``Subject.of``).
        runner: where to simulate; default: on all cores.

    Raises:
        ConfigError: a point's neurons cannot encode values from 0 to 1; nothing is simulated then.
        OutputError: a result cannot be written.
        WorkerError: a point has no result; the others are kept.
    """
    from snntb_adsnn.report.outcomes import SweepOutcome

    points = simulate_points(config, subject, grid(config.sweep, subject.duration), runner)
    return SweepOutcome(points, subject.ann_accuracy, config.sweep.tolerance, config.sweep.low_rate_loss)


def simulate_points(
    config: Config, subject: Subject, points: Sequence[Point], runner: Runner | None = None, *, title: str = "sweep"
) -> list[dict[str, Any]]:
    """The results of ``points``, each simulated unless it has one; raises as ``sweep``."""
    shared = make_shared(config, subject)
    common = common_key(shared)
    items = {}
    for point in points:
        network = point.of(subject.network)
        need_usable(config, network, f"the point {point}")
        items[fingerprint(common, network, point.duration)] = point
    folder = config.paths.path_wd / FOLDER / "points"
    return list(compute(simulate_point, shared, items, folder, ready(runner, shared), title=title).values())


def engine_of(config: Config) -> str:
    """The engine of ``[adsnn]``; ``auto`` is resolved here, the same for all workers."""
    return automatic() if config.adsnn.engine == "auto" else config.adsnn.engine


def make_shared(config: Config, subject: Subject) -> Shared:
    """What every point needs."""
    return Shared(subject, engine_of(config), config.adsnn.matching_fraction)


def common_key(shared: Shared) -> str:
    """Hash of all that determines a result besides the simulated network, its constants and the duration: data, the
    trained network (target of the bias correction, and of ``transfer_change``), engine, code."""
    subject = shared.subject
    data = (subject.trained, subject.x, subject.labels, subject.ann, subject.correction)
    return fingerprint(*data, shared.engine, shared.matching_fraction, code_version(shared.engine))


def ready(runner: Runner | None, shared: Shared) -> Runner:
    """``runner``, or what fits the engine; compiles the engine's code once, before every worker does so for itself."""
    if runner is None:
        runner = in_process if shared.engine == "tensorflow" else Local()
    if isinstance(runner, Local):
        network = shared.subject.network
        simulate(network, shared.subject.x[:1], duration=network.dt, engine=shared.engine)
    return runner


@study(
    "sweep",
    *WORKERS,
    help="Simulate the network of CONFIG at every point of [sweep]; go on where an earlier sweep was stopped.",
)
def run_sweep(config: Config, *, scheduler: str | None = None, workers: int | None = None) -> SweepOutcome:
    """The command ``sweep``: table, files and picture of a finished sweep."""
    from snntb_adsnn.report.sweeps import print_sweep, write_sweep
    from snntb_adsnn.run import load

    runner = make_runner(scheduler, workers, engine_of(config))
    outcome = sweep(config, Subject.of(load(config, model=True)), runner)
    folder = config.paths.path_wd / FOLDER
    write_sweep(outcome, folder, plots=config.adsnn.plots)
    print_sweep(outcome)
    print(f"Table, figures and picture are in {folder}")
    return outcome
