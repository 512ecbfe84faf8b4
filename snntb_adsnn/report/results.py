"""``results.json``: every figure of a run, with what is needed to repeat it.

What it holds is described once, by ``Results``; ``docs/results.schema.json`` is made of it (``report.schema``).
"""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from snntb_adsnn import __version__
from snntb_adsnn.errors import OutputError
from snntb_adsnn.files import optional_picture, write_json
from snntb_adsnn.measure.evaluate import Evaluation, Metrics
from snntb_adsnn.measure.operations import ENERGIES, Costs, Energy, Operations
from snntb_adsnn.measure.outputs import OutputFigures
from snntb_adsnn.network import SpikingNetwork

_PACKAGES = ("numpy", "tensorflow", "tf-keras", "snntoolbox", "numba")


def versions() -> dict[str, str]:
    """Versions of Python, this package, and what it stands on."""
    from importlib import metadata  # slow to import: only where figures are written

    found = {"python": platform.python_version(), "snntb-adsnn": __version__}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class EnergySection:
    """Estimated energy of one image.

    Attributes:
        adsnn, adsnn_until_mt: of the AdSNN over the whole simulation, and until the matching time.
        ann: of one evaluation of the ANN.
    """

    adsnn: Energy
    adsnn_until_mt: Energy
    ann: Energy


@dataclass(frozen=True)
class OperationsSection:
    """What an image costs on average.

    Attributes:
        adsnn, adsnn_until_mt: the AdSNN over the whole simulation, and until the matching time.
        ann: one evaluation of the ANN of the same weights.
        operations_to_ann_macs, operations_until_mt_to_ann_macs: the AdSNN's accumulates and
            multiply-accumulates, in multiply-accumulates of the ANN.
        activation_sparsity: share of neurons and steps without a spike.
        energy_nj: by kind of number, ``float32`` and ``int32``.
    """

    adsnn: Operations
    adsnn_until_mt: Operations
    ann: Operations
    operations_to_ann_macs: float
    operations_until_mt_to_ann_macs: float
    activation_sparsity: float
    energy_nj: dict[str, EnergySection]

    @classmethod
    def of(cls, costs: Costs) -> OperationsSection:
        """With energies and ratios to the ANN."""
        runs = (costs.whole, costs.until_match, costs.ann)
        return cls(
            *runs,
            costs.of_ann(costs.whole),
            costs.of_ann(costs.until_match),
            costs.activation_sparsity,
            {kind: EnergySection(*(run.energy(table) for run in runs)) for kind, table in ENERGIES.items()},
        )


@dataclass(frozen=True)
class TopK:
    """Share of images whose class is among the ``k`` likeliest, of the AdSNN and of the ANN."""

    k: int
    snn: float
    ann: float


@dataclass(frozen=True)
class OutputSection:
    """How well one output of the model does; ``None`` where its task has no such figure.

    Attributes:
        name, shape: of the output, as the model has it; the name of a single one may be the read-out's.
        task: classification, binary, multilabel or regression.
        snn_accuracy, ann_accuracy: share of right decisions; of several labels the mean of all labels.
        agreement_with_ann: share of decisions that are the ANN's; of values the share of the variance of the ANN's
            outputs that the AdSNN gives.
        snn_exact_match, ann_exact_match: of several labels, share of images with all labels right.
        rmse_to_ann: root mean square difference from the ANN's outputs.
        rmse_to_labels, ann_rmse_to_labels: of values, from the labels, of the AdSNN and of the ANN.
        rmse_to_ann_over_time: after every step, to six digits.
    """

    name: str
    shape: list[int]
    task: str
    snn_accuracy: float | None
    ann_accuracy: float | None
    agreement_with_ann: float | None
    snn_exact_match: float | None
    ann_exact_match: float | None
    rmse_to_ann: float | None
    rmse_to_labels: float | None
    ann_rmse_to_labels: float | None
    rmse_to_ann_over_time: list[float] | None

    @classmethod
    def of(cls, output: OutputFigures) -> OutputSection:
        """The figures of an output."""
        curve = output.rmse_to_ann_over_time
        figures: dict[str, Any] = {
            "name": output.name,
            "shape": list(output.shape),
            "task": output.task,
            "snn_accuracy": output.snn_accuracy,
            "ann_accuracy": output.ann_accuracy,
            "agreement_with_ann": output.agreement,
            "snn_exact_match": output.snn_exact_match,
            "ann_exact_match": output.ann_exact_match,
            "rmse_to_ann": output.rmse_to_ann,
            "rmse_to_labels": output.rmse_to_labels,
            "ann_rmse_to_labels": output.ann_rmse_to_labels,
            "rmse_to_ann_over_time": None if curve is None else [float(f"{value:.6g}") for value in curve],
        }
        return cls(**figures)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Figures of a simulated network, as plain JSON types; the definitions are in docs/metrics.md.

    Attributes:
        ann_accuracy, snn_accuracy: share of correct images; ``None`` where the ANN was not evaluated, where nothing is
            decided, and of several outputs.
        agreement_with_ann: share of images on which both decide alike; of values, see ``OutputSection``; or ``None``.
        firing_rate_hz, firing_rate_hz_per_layer: spikes per neuron per second of simulated time.
        spikes_per_neuron: spikes per neuron and image.
        mean_time_ms: mean time of a decision: ``duration_ms``, unless images stop when they are decided.
        corrective_share: share of the spikes that are corrective; where there can be any.
        matching_time_ms: when ``matching_fraction`` of the highest accuracy is first reached.
        accuracy_sd: standard deviation of the accuracy from there on, or ``None``.
        spikes_per_neuron_at_mt: spikes per neuron until then.
        synaptic_operations_per_image, multiply_adds_per_image, neuron_updates_per_image, operations: what an image
            costs.
        num_images: how many were simulated.
        duration_ms, dt_ms: simulated time of an image, and of a step.
        m_f, form: precision and transfer function of the neurons; by layer where they differ.
        neurons: number of spiking neurons.
        accuracy_over_time: after every step, rounded to six digits; empty where nothing is decided.
        outputs: how well each output of the model does.
    """

    ann_accuracy: float | None
    snn_accuracy: float | None
    agreement_with_ann: float | None
    firing_rate_hz: float
    firing_rate_hz_per_layer: dict[str, float]
    spikes_per_neuron: float
    mean_time_ms: float
    corrective_share: float | None
    matching_time_ms: float
    matching_fraction: float
    accuracy_sd: float | None
    spikes_per_neuron_at_mt: float
    synaptic_operations_per_image: float
    multiply_adds_per_image: float
    neuron_updates_per_image: int
    operations: OperationsSection
    num_images: int
    duration_ms: float
    dt_ms: float
    m_f: float | dict[str, float]
    form: str | dict[str, str]
    neurons: int
    accuracy_over_time: list[float]
    outputs: list[OutputSection]

    @classmethod
    def of(cls: type[Kind], metrics: Metrics, network: SpikingNetwork, **more: Any) -> Kind:
        """The figures of ``metrics``; ``more`` are the fields that a subclass adds."""
        m_f = {p.name: p.parameters.m_f for p in network.populations}
        forms = {p.form for p in network.populations}
        decisions, firing, work = metrics.decisions, metrics.firing, metrics.work
        figures: dict[str, Any] = {
            "ann_accuracy": decisions.ann_accuracy,
            "snn_accuracy": decisions.snn_accuracy,
            "agreement_with_ann": decisions.agreement,
            "firing_rate_hz": firing.rate_hz,
            "firing_rate_hz_per_layer": dict(firing.rate_hz_per_layer),
            "spikes_per_neuron": firing.spikes_per_neuron,
            "mean_time_ms": decisions.mean_time_ms,
            "corrective_share": firing.corrective_share,
            "matching_time_ms": decisions.matching_time_ms,
            "matching_fraction": decisions.matching_fraction,
            "accuracy_sd": decisions.accuracy_sd,
            "spikes_per_neuron_at_mt": firing.spikes_per_neuron_at_mt,
            "synaptic_operations_per_image": work.synaptic_operations_per_image,
            "multiply_adds_per_image": work.multiply_adds_per_image,
            "neuron_updates_per_image": work.neuron_updates_per_image,
            "operations": OperationsSection.of(work.costs),
            "num_images": metrics.num_images,
            "duration_ms": metrics.duration_ms,
            "dt_ms": metrics.dt_ms,
            "m_f": next(iter(m_f.values())) if len(set(m_f.values())) == 1 else m_f,
            "form": forms.pop() if len(forms) == 1 else {p.name: p.form for p in network.populations},
            "neurons": network.neuron_count,
            "accuracy_over_time": [round(float(a), 6) for a in decisions.accuracy_over_time],
            "outputs": [OutputSection.of(output) for output in metrics.outputs],
        }
        return cls(**figures, **more)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, in the order of the fields; what has a default and was not given is left out."""
        unknown = {field.name for field in dataclasses.fields(self) if getattr(self, field.name) is field.default}
        return {name: value for name, value in dataclasses.asdict(self).items() if name not in unknown}


Kind = TypeVar("Kind", bound=Figures)


@dataclass(frozen=True, kw_only=True)
class Results(Figures):
    """Content of ``results.json``: every figure of a run, with what is needed to repeat it.

    Attributes:
        seed, engine: as in section ``[adsnn]``.
        bias_correction: training inputs that the network was corrected from; 0: it was not.
        slope_correction: whether slopes were corrected, too.
        onset_ms: by layer, the time before which no neuron spikes.
        readout_tau_phi_ms: smoothing time constant of the read-out.
        margin, patience_ms: of early decisions, where there are some.
        top_k: accuracies among the k likeliest classes.
        model: path of the trained model, without suffix.
        versions: of Python and packages, by name.
    """

    seed: int | None = None
    engine: str | None = None
    bias_correction: int | None = None
    slope_correction: bool | None = None
    onset_ms: dict[str, float] | None = None
    readout_tau_phi_ms: float | None = None
    margin: float | None = None
    patience_ms: float | None = None
    top_k: TopK | None = None
    model: str | None = None
    versions: dict[str, str]


def write(
    evaluation: Evaluation,
    folder: Path,
    *,
    sample: np.ndarray[Any, Any] | None = None,
    json_copy: Path | None = None,
    plots: bool = True,
    **run: Any,
) -> dict[str, Any]:
    """Write ``results.json`` and the pictures of a finished run into ``folder``; returns what the JSON holds.

    The JSON comes first. A picture that cannot be drawn is one line on standard error.

    Args:
        evaluation: the counted run.
        folder: created where it is missing.
        sample: one input, shape of the network's input, for the raster picture.
        json_copy: where to put a copy of the JSON.
        plots: whether to draw pictures.
        **run: fields that ``Results`` adds to the figures, such as the seed.

    Raises:
        OutputError: a file cannot be written.
    """
    metrics = evaluation.metrics()
    results = Results.of(metrics, evaluation.network, **run, versions=versions()).as_dict()
    for path in (folder / "results.json", json_copy):
        if path is not None:
            write_json(Path(path), results)
    if plots:
        with optional_picture(f"pictures in {folder}"):
            from snntb_adsnn.report.plots import write_plots  # matplotlib is slow to import

            write_plots(metrics, evaluation.network, folder, sample)
    return results


def read_results(path: Path) -> Mapping[str, Any]:
    """Read a ``results.json`` back.

    Raises:
        OutputError: the file is missing or damaged.
    """
    try:
        results = json.loads(Path(path).read_text())
        if not isinstance(results, dict) or "snn_accuracy" not in results:
            raise ValueError("it has no snn_accuracy")
    except FileNotFoundError:
        raise OutputError(f"{path}: no such result file; run the simulation first.") from None
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: damaged result file ({error}); run the simulation again.") from None
    return results
