"""Accuracy over time, firing rates, matching time and operations of a simulated data set, gathered batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snntb_adsnn.engine.result import SimulationResult, need_classes
from snntb_adsnn.errors import DataError, ParameterError
from snntb_adsnn.measure.connectivity import fanouts
from snntb_adsnn.measure.operations import Costs, Operations, SynapticOperations, ann_operations, snn_operations
from snntb_adsnn.network import SpikingNetwork


def matching_step(accuracy: NDArray[np.float64], fraction: float) -> int:
    """First step at which ``fraction`` of the highest accuracy of the run is reached (the paper's MT, in steps).

    Example:
        >>> matching_step(np.array([0.1, 0.5, 0.9, 0.89, 0.9]), 0.99)
        2
    """
    # a rounding guard: fraction * max may exceed the max by one ulp
    return int(np.argmax(accuracy >= fraction * accuracy.max() * (1 - 1e-12)))


@dataclass(frozen=True)
class Decisions:
    """How well a run decides.

    Attributes:
        snn_accuracy: share of images classified correctly after the last step.
        ann_accuracy: the ANN's accuracy on the same images, or ``None`` where it was not evaluated.
        agreement: share of images on which AdSNN (after the last step) and ANN decide alike, or ``None``.
        accuracy_over_time: share of correct images after each step, shape (steps,).
        matching_time_ms: time at which ``matching_fraction`` of the highest accuracy is first reached.
        accuracy_sd: standard deviation of the accuracy from the matching time to the end.
    """

    snn_accuracy: float
    ann_accuracy: float | None
    agreement: float | None
    accuracy_over_time: NDArray[np.float64]
    matching_fraction: float
    matching_time_ms: float
    accuracy_sd: float


@dataclass(frozen=True)
class Firing:
    """How much a run spikes.

    Attributes:
        rate_hz: spikes per neuron per second over the whole window, averaged over neurons and images.
        rate_hz_per_layer: the same by layer.
        spikes_per_neuron_at_mt: spikes per neuron until the matching time.
    """

    rate_hz: float
    rate_hz_per_layer: Mapping[str, float]
    spikes_per_neuron_at_mt: float


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
    """

    num_images: int
    duration_ms: float
    dt_ms: float
    decisions: Decisions
    firing: Firing
    work: Work


@dataclass
class Evaluation:
    """Gathers batches of simulation results; memory does not grow with the number of images.

    Args:
        network: the network that is simulated (at the precision it is simulated with).
        matching_fraction: share of the highest accuracy that defines the matching time.

    Raises:
        ParameterError: a network with one output only, or a share out of range.
    """

    network: SpikingNetwork
    matching_fraction: float = 0.99
    images: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        need_classes(self.network.readout.shape[0])
        if not 0 < self.matching_fraction <= 1:
            raise ParameterError(f"matching_fraction = {self.matching_fraction!r} must be above 0 and at most 1.")
        self._correct: NDArray[np.int64] | None = None
        self._spikes_per_step: dict[str, NDArray[np.int64]] = {}
        self._fanouts = fanouts(self.network)
        self._additions = dict.fromkeys(self.network.population_names, 0.0)
        self._multiply_adds = dict.fromkeys(self.network.population_names, 0.0)
        self._ann_correct: int | None = None
        self._agreeing = 0

    def add(self, result: SimulationResult, labels: ArrayLike, ann_predictions: ArrayLike | None = None) -> None:
        """Count a batch.

        Args:
            result: what ``simulate`` returned.
            labels: true classes, shape (images,) of integers, or one-hot of shape (images, classes).
            ann_predictions: classes that the ANN chose, shape (images,); give them for all batches or for none.

        Raises:
            DataError: labels do not fit the network's outputs, or batches do not fit each other.
        """
        images, steps, classes = result.outputs.shape
        truth = as_classes(labels, images, classes)
        correct = (result.decisions == truth[:, None]).sum(axis=0)
        if self._correct is None:
            self._correct = np.zeros(steps, np.int64)
            self._spikes_per_step = {name: np.zeros(steps, np.int64) for name in result.spikes_per_step}
            self._ann_correct = None if ann_predictions is None else 0
        if len(self._correct) != steps or (self._ann_correct is None) != (ann_predictions is None):
            raise DataError("batches of one evaluation must have the same duration, and all or none ANN predictions.")
        self._correct += correct
        for name, counts in result.spikes_per_step.items():
            self._spikes_per_step[name] += counts
        for name, spikes in result.spike_counts.items():
            per_neuron = spikes.sum(axis=0, dtype=np.int64)
            self._additions[name] += float((per_neuron * self._fanouts[name].additions).sum())
            self._multiply_adds[name] += float((per_neuron * self._fanouts[name].multiply_adds).sum())
        if ann_predictions is not None and self._ann_correct is not None:
            predicted = as_classes(ann_predictions, images, classes)
            self._ann_correct += int((predicted == truth).sum())
            self._agreeing += int((predicted == result.decisions[:, -1]).sum())
        self.images += images

    def metrics(self) -> Metrics:
        """The figures of everything counted so far.

        Raises:
            DataError: nothing was counted.
        """
        if self._correct is None:
            raise DataError("no image was simulated, so there is nothing to report; check num_to_test.")
        accuracy = self._correct / self.images
        steps, dt = len(accuracy), self.network.dt
        at = matching_step(accuracy, self.matching_fraction)
        return Metrics(
            num_images=self.images,
            duration_ms=steps * dt,
            dt_ms=dt,
            decisions=Decisions(
                snn_accuracy=float(accuracy[-1]),
                ann_accuracy=None if self._ann_correct is None else self._ann_correct / self.images,
                agreement=None if self._ann_correct is None else self._agreeing / self.images,
                accuracy_over_time=accuracy,
                matching_fraction=self.matching_fraction,
                matching_time_ms=(at + 1) * dt,
                accuracy_sd=float(accuracy[at:].std()),
            ),
            firing=self._firing(at),
            work=Work(
                synaptic_operations_per_image=self._per_image(self._additions) + self._per_image(self._multiply_adds),
                multiply_adds_per_image=self._per_image(self._multiply_adds),
                neuron_updates_per_image=self.network.neuron_count * steps,
                costs=self._costs(steps, at + 1),
            ),
        )

    def _per_image(self, counts: Mapping[str, float]) -> float:
        return sum(counts.values()) / self.images

    def _spikes(self, steps: int | None = None) -> dict[str, int]:
        """By layer, all images' spikes in the first ``steps`` steps, or in all."""
        return {name: int(counts[:steps].sum()) for name, counts in self._spikes_per_step.items()}

    def _firing(self, match: int) -> Firing:
        sizes = {p.name: p.size for p in self.network.populations}
        spikes = self._spikes()
        neurons = self.network.neuron_count * self.images
        seconds = len(next(iter(self._spikes_per_step.values()))) * self.network.dt / 1000
        return Firing(
            rate_hz=sum(spikes.values()) / neurons / seconds,
            rate_hz_per_layer={n: spikes[n] / (sizes[n] * self.images * seconds) for n in sizes},
            spikes_per_neuron_at_mt=sum(self._spikes(match + 1).values()) / neurons,
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


def as_classes(labels: ArrayLike, images: int, classes: int) -> NDArray[np.int64]:
    """Labels as integers of shape (images,), from integers or one-hot rows.

    Raises:
        DataError: they do not fit ``images`` rows and ``classes`` classes.

    Example:
        >>> as_classes([[0, 1, 0], [0, 0, 1]], images=2, classes=3).tolist()
        [1, 2]
    """
    array: NDArray[Any] = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1 and classes > 1:
        array = array[:, 0]
    if array.ndim == 2:
        if array.shape != (images, classes):
            raise DataError(
                f"labels of shape {array.shape} do not fit {images} images and {classes} classes; give one-hot rows "
                "with one column a class."
            )
        array = array.argmax(axis=1)
    if array.shape != (images,) or not np.array_equal(array, array.astype(np.int64)):
        raise DataError(f"labels of shape {array.shape} do not fit {images} images; give one integer an image.")
    if images and not 0 <= array.min() <= array.max() < classes:
        raise DataError(
            f"labels run from {array.min()} to {array.max()}, but the network has {classes} outputs (0 to "
            f"{classes - 1}); check that data set and model belong together."
        )
    return array.astype(np.int64)
