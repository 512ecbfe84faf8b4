"""``results.json``: every figure of a run, with what is needed to repeat it."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from snntb_adsnn import __version__
from snntb_adsnn.errors import OutputError
from snntb_adsnn.files import write_json
from snntb_adsnn.measure.evaluate import Evaluation, Metrics
from snntb_adsnn.network import SpikingNetwork

_PACKAGES = ("numpy", "tensorflow", "tf-keras", "snntoolbox", "numba")


def versions() -> dict[str, str]:
    """Versions of Python, this package, and what it stands on."""
    found = {"python": platform.python_version(), "snntb-adsnn": __version__}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def describe(metrics: Metrics, network: SpikingNetwork, **extra: Any) -> dict[str, Any]:
    """The content of ``results.json``: plain JSON types; ``extra`` (seed, engine, paths, ...) is added as it is."""
    m_f = {p.name: p.parameters.m_f for p in network.populations}
    forms = {p.form for p in network.populations}
    return {
        "ann_accuracy": metrics.decisions.ann_accuracy,
        "snn_accuracy": metrics.decisions.snn_accuracy,
        "agreement_with_ann": metrics.decisions.agreement,
        "firing_rate_hz": metrics.firing.rate_hz,
        "firing_rate_hz_per_layer": dict(metrics.firing.rate_hz_per_layer),
        "matching_time_ms": metrics.decisions.matching_time_ms,
        "matching_fraction": metrics.decisions.matching_fraction,
        "accuracy_sd": metrics.decisions.accuracy_sd,
        "spikes_per_neuron_at_mt": metrics.firing.spikes_per_neuron_at_mt,
        "synaptic_operations_per_image": metrics.work.synaptic_operations_per_image,
        "multiply_adds_per_image": metrics.work.multiply_adds_per_image,
        "neuron_updates_per_image": metrics.work.neuron_updates_per_image,
        "operations": metrics.work.costs.as_dict(),
        "num_images": metrics.num_images,
        "duration_ms": metrics.duration_ms,
        "dt_ms": metrics.dt_ms,
        "m_f": next(iter(m_f.values())) if len(set(m_f.values())) == 1 else m_f,
        "form": forms.pop() if len(forms) == 1 else {p.name: p.form for p in network.populations},
        "neurons": network.neuron_count,
        "accuracy_over_time": [round(float(a), 6) for a in metrics.decisions.accuracy_over_time],
        **extra,
        "versions": versions(),
    }


def write(
    evaluation: Evaluation,
    folder: Path,
    *,
    sample: np.ndarray[Any, Any] | None = None,
    json_copy: Path | None = None,
    plots: bool = True,
    **extra: Any,
) -> dict[str, Any]:
    """Write ``results.json`` and the pictures of a finished run into ``folder``; returns what the JSON holds.

    Args:
        evaluation: the counted run.
        folder: created where it is missing.
        sample: one input, shape of the network's input, for the raster picture.
        json_copy: where to put a copy of the JSON.
        plots: whether to draw pictures.
        **extra: further entries of the JSON, such as the seed.

    Raises:
        OutputError: a file cannot be written.
    """
    metrics = evaluation.metrics()
    results = describe(metrics, evaluation.network, **extra)
    for path in (folder / "results.json", json_copy):
        if path is not None:
            write_json(Path(path), results)
    if plots:
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
