"""Accuracy over time, firing rates, matching time and operations of a simulated data set, gathered batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snntb_adsnn.engine.result import SimulationResult
from snntb_adsnn.errors import DataError, ParameterError
from snntb_adsnn.measure.connectivity import fanouts
from snntb_adsnn.measure.operations import Costs, Operations, SynapticOperations, ann_operations, snn_operations
from snntb_adsnn.measure.outputs import OutputFigures, Tally
from snntb_adsnn.network import Output, SpikingNetwork
from snntb_adsnn.network.maps import Array
from snntb_adsnn.network.tasks import Task, targets_of


def matching_step(accuracy: NDArray[np.float64], fraction: float) -> int:
    """First step at which ``fraction`` of the highest accuracy of the run is reached (the paper's MT, in steps).

    Example:
        >>> matching_step(np.array([0.1, 0.5, 0.9, 0.89, 0.9]), 0.99)
        2
    """
    best = accuracy.max()
    # a rounding guard: fraction * max may exceed the max by one ulp. Shares of variance may all be negative
    return int(np.argmax(accuracy >= (fraction * best * (1 - 1e-12) if best > 0 else best)))


@dataclass(frozen=True)
class Decisions:
    """How well a run decides; where nothing is decided, or by several outputs, ``Metrics.outputs`` says how well they
    do.

    Attributes:
        snn_accuracy: share of right decisions after the last step, or ``None`` where nothing is decided.
        ann_accuracy: the ANN's accuracy on the same images, or ``None`` where it was not evaluated.
        agreement: share of decisions (after the last step) that are the ANN's; of values the share of variance of the
            ANN's outputs (``OutputFigures.agreement``); or ``None``.
        accuracy_over_time: share of right decisions after each step, shape (steps,); empty where nothing is decided.
        mean_time_ms: mean time of a decision: the whole one, unless images stop when they are decided.
        matching_time_ms: time at which ``matching_fraction`` of the highest accuracy is first reached; of values, of
            the highest share of variance.
        accuracy_sd: standard deviation of the accuracy from the matching time to the end, or ``None``.
    """

    snn_accuracy: float | None
    ann_accuracy: float | None
    agreement: float | None
    accuracy_over_time: NDArray[np.float64]
    matching_fraction: float
    matching_time_ms: float
    accuracy_sd: float | None
    mean_time_ms: float


@dataclass(frozen=True)
class Firing:
    """How much a run spikes.

    Attributes:
        rate_hz: spikes per neuron per second of simulated time, averaged over neurons and images.
        spikes_per_neuron: spikes per neuron and image.
        corrective_share: share of the spikes that are corrective; ``None`` where there can be none.
        rate_hz_per_layer: the same by layer.
        spikes_per_neuron_at_mt: spikes per neuron until the matching time.
    """

    rate_hz: float
    rate_hz_per_layer: Mapping[str, float]
    spikes_per_neuron_at_mt: float
    spikes_per_neuron: float
    corrective_share: float | None


@dataclass(frozen=True)
class Work:
    """What a run costs.

    Attributes:
        synaptic_operations_per_image: weight additions and multiply-adds that the spikes of one image cause, over the
            whole window.
        multiply_adds_per_image: of them, those that multiply: a weight and a number, where spikes are graded, and in
            chains of weighted layers without neurons between them (``connectivity``).
        neuron_updates_per_image: state updates of one image, over the whole window.
        costs: operations and memory accesses of one image, and of the ANN.
    """

    synaptic_operations_per_image: float
    multiply_adds_per_image: float
    neuron_updates_per_image: int
    costs: Costs


@dataclass(frozen=True)
class Metrics:
    """Figures of one evaluated run; the definitions are the paper's (``docs/metrics.md``).

    Attributes:
        num_images: how many images were simulated.
        duration_ms, dt_ms: simulated time per image, and of one step.
        decisions, firing, work: how well it decides, how much it spikes, what that costs.
        outputs: how well each output does.
    """

    num_images: int
    duration_ms: float
    dt_ms: float
    decisions: Decisions
    firing: Firing
    work: Work
    outputs: tuple[OutputFigures, ...]


@dataclass
class Evaluation:
    """Gathers batches of simulation results; memory does not grow with the number of images.

    Args:
        network: the network that is simulated (at the precision it is simulated with).
        matching_fraction: share of the highest accuracy that defines the matching time.

    Raises:
        ParameterError: an output that is always 1, or a share out of range.
    """

    network: SpikingNetwork
    matching_fraction: float = 0.99
    images: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.tasks = self.network.tasks
        if not 0 < self.matching_fraction <= 1:
            raise ParameterError(f"matching_fraction = {self.matching_fraction!r} must be above 0 and at most 1.")
        self._tallies: list[Tally] = []
        self._spikes_per_step: dict[str, NDArray[np.int64]] = {}
        self._fanouts = fanouts(self.network)
        self._additions = dict.fromkeys(self.network.population_names, 0.0)
        self._multiply_adds = dict.fromkeys(self.network.population_names, 0.0)
        self._simulated = self._corrective = 0

    def add(
        self,
        result: SimulationResult,
        labels: ArrayLike,
        ann_predictions: ArrayLike | None = None,
        *,
        ann_outputs: ArrayLike | None = None,
    ) -> None:
        """Count a batch.

        Args:
            result: what ``simulate`` returned.
            labels: as the outputs' tasks take them: true classes, shape (images,) of integers, or one-hot of shape
                (images, classes); 0 and 1 for a sigmoid, a column for each of several; values of the outputs' shape; of
                several outputs the columns of all side by side.
            ann_predictions: what the ANN decided, in the same form; give them for all batches or for none.
            ann_outputs: what the ANN's model gave, shape (images, *output shape), or all values in a row; then
                ``ann_predictions`` follow from them.

        Raises:
            DataError: labels do not fit the network's outputs, or batches do not fit each other.
        """
        images, steps, _ = result.outputs.shape
        parts = self.network.readout.outputs
        targets = targets_of(self.tasks, labels, images)
        decided: list[Array | None] = [None] * len(parts)
        values: list[Array | None] = [None] * len(parts)
        if ann_predictions is not None:
            decided = [*targets_of(self.tasks, ann_predictions, images)]
        if ann_outputs is not None:
            values = [*columns(parts, np.asarray(ann_outputs, np.float64).reshape(images, -1))]
            decided = ann_decisions(self.tasks, values)
        if not self._tallies:
            self._tallies = [Tally(task, steps) for task in self.tasks]
            self._spikes_per_step = {name: np.zeros(steps, np.int64) for name in result.spikes_per_step}
        if self._tallies[0].steps != steps:
            raise DataError("batches of one evaluation must have the same duration.")
        potentials = columns(parts, result.outputs)
        for tally, *own in zip(self._tallies, potentials, targets, decided, values, strict=True):
            tally.add(*own)  # type: ignore[arg-type]  # their types differ
        for name, counts in result.spikes_per_step.items():
            self._spikes_per_step[name] += counts
        for name, spikes in result.spike_counts.items():
            per_neuron = spikes.sum(axis=0, dtype=np.int64)
            self._additions[name] += float((per_neuron * self._fanouts[name].additions).sum())
            self._multiply_adds[name] += float((per_neuron * self._fanouts[name].multiply_adds).sum())
        self.images += images
        self._simulated += images * steps if result.stopped is None else int(result.stopped.sum(dtype=np.int64))
        self._corrective += sum(int(counts.sum(dtype=np.int64)) for counts in result.corrective_counts.values())

    def metrics(self) -> Metrics:
        """The figures of everything counted so far.

        Raises:
            DataError: nothing was counted.
        """
        if not self._tallies:
            raise DataError("no image was simulated, so there is nothing to report; check num_to_test.")
        outputs = tuple(tally.figures() for tally in self._tallies)
        quality = np.mean([output.quality_over_time for output in outputs], axis=0)
        steps, dt = len(quality), self.network.dt
        at = matching_step(quality, self.matching_fraction)
        first = outputs[0] if len(outputs) == 1 else None
        accuracy = None if first is None else first.accuracy_over_time
        return Metrics(
            num_images=self.images,
            duration_ms=steps * dt,
            dt_ms=dt,
            decisions=Decisions(
                snn_accuracy=None if first is None else first.snn_accuracy,
                ann_accuracy=None if first is None else first.ann_accuracy,
                agreement=None if first is None else first.agreement,
                accuracy_over_time=np.zeros(0) if accuracy is None else accuracy,
                matching_fraction=self.matching_fraction,
                matching_time_ms=(at + 1) * dt,
                accuracy_sd=None if accuracy is None else float(accuracy[at:].std()),
                mean_time_ms=self._mean_steps * dt,
            ),
            firing=self._firing(at),
            work=Work(
                synaptic_operations_per_image=self._per_image(self._additions) + self._per_image(self._multiply_adds),
                multiply_adds_per_image=self._per_image(self._multiply_adds),
                neuron_updates_per_image=round(self.network.neuron_count * self._mean_steps),
                costs=self._costs(round(self._mean_steps), at + 1),
            ),
            outputs=outputs,
        )

    @property
    def _mean_steps(self) -> float:
        """Steps of an image."""
        return self._simulated / self.images

    def _per_image(self, counts: Mapping[str, float]) -> float:
        return sum(counts.values()) / self.images

    def _spikes(self, steps: int | None = None) -> dict[str, int]:
        """By layer, all images' spikes in the first ``steps`` steps, or in all."""
        return {name: int(counts[:steps].sum()) for name, counts in self._spikes_per_step.items()}

    def _firing(self, match: int) -> Firing:
        sizes = {p.name: p.size for p in self.network.populations}
        spikes = self._spikes()
        neurons = self.network.neuron_count * self.images
        seconds, total = self._mean_steps * self.network.dt / 1000, sum(spikes.values())
        corrects = any(p.corrective is not None for p in self.network.populations)
        return Firing(
            rate_hz=total / neurons / seconds,
            rate_hz_per_layer={n: spikes[n] / (sizes[n] * self.images * seconds) for n in sizes},
            spikes_per_neuron_at_mt=sum(self._spikes(match + 1).values()) / neurons,
            spikes_per_neuron=total / neurons,
            corrective_share=self._corrective / max(total, 1) if corrects else None,
        )

    def _costs(self, steps: int, match: int) -> Costs:
        """Of one image. Until the matching time a layer's spikes are taken to have the fan-out of its others."""
        spikes = self._spikes()

        def operations(fired: dict[str, int], steps: int) -> Operations:
            def caused(whole: dict[str, float]) -> float:
                return sum(n * fired[name] / max(spikes[name], 1) for name, n in whole.items()) / self.images

            synaptic = SynapticOperations(caused(self._additions), caused(self._multiply_adds))
            return snn_operations(self.network, {k: n / self.images for k, n in fired.items()}, synaptic, steps)

        return Costs(
            operations(spikes, steps),
            operations(self._spikes(match), match),
            ann_operations(self.network),
            1 - sum(spikes.values()) / (self.network.neuron_count * self.images * steps),
        )


def flat_outputs(outputs: Any) -> Array:
    """What a model gives, an array for each output (in lists or dictionaries), as all values in a row: shape (images,
    values)."""
    rows = [np.asarray(piece) for piece in _pieces(outputs)]
    return np.concatenate([row.reshape(len(row), -1) for row in rows], axis=1)


def _pieces(outputs: Any) -> Iterator[Any]:
    """The arrays in lists and dictionaries, in their order."""
    if isinstance(outputs, Mapping):
        outputs = list(outputs.values())
    if not isinstance(outputs, list | tuple):
        yield outputs
        return
    for output in outputs:
        yield from _pieces(output)


def columns(parts: Sequence[Output], values: Array) -> list[Array]:
    """The values of each output, flat: shape (..., size), from all in a row, shape (..., values)."""
    return np.split(values, np.cumsum([part.size for part in parts])[:-1], axis=-1)


def ann_decisions(tasks: Sequence[Task], values: Sequence[Array | None]) -> list[Array | None]:
    """What the ANN decides at each output; ``None`` where nothing is decided.

    Args:
        tasks: of the outputs.
        values: of each output, its activation applied, shape (images, size).
    """
    return [
        task.decide(own, potentials=False) if task.decides and own is not None else None
        for task, own in zip(tasks, values, strict=True)
    ]
