"""The table that every run ends with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def _percent(value: float | None) -> str:
    return "not evaluated" if value is None else f"{100 * value:.2f} %"


def _precision(m_f: float | Mapping[str, float]) -> str:
    return ", ".join(f"{name} {v:g}" for name, v in m_f.items()) if isinstance(m_f, Mapping) else f"{m_f:g}"


def rows(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the table says, as (figure, value with unit), from the content of ``results.json``."""
    m_f = results["m_f"]
    per_layer = [(f"  {name}", f"{rate:.2f} Hz") for name, rate in results["firing_rate_hz_per_layer"].items()]
    return [
        ("images x simulated time", f"{results['num_images']} x {results['duration_ms']:g} ms"),
        ("precision m_f (form)", f"{_precision(m_f)} ({results['form']})"),
        *([("task", results["outputs"][0]["task"])] if len(results["outputs"]) == 1 else []),
        *(row for output in results["outputs"] for row in _output(output, several=len(results["outputs"]) > 1)),
        ("firing rate", f"{results['firing_rate_hz']:.2f} Hz"),
        *per_layer,
        (
            f"matching time ({100 * results['matching_fraction']:g} % of the best {_quality(results)})",
            f"{results['matching_time_ms']:g} ms",
        ),
        *(
            []
            if results["accuracy_sd"] is None
            else [("standard deviation of accuracy from there on", _percent(results["accuracy_sd"]))]
        ),
        ("spikes per neuron until then", f"{results['spikes_per_neuron_at_mt']:.3f}"),
        *_costs(results["operations"]),
    ]


def _quality(results: Mapping[str, Any]) -> str:
    if len(results["outputs"]) > 1:
        return "mean of the outputs"
    return "agreement" if results["snn_accuracy"] is None else "accuracy"


def _output(found: Mapping[str, Any], *, several: bool) -> list[tuple[str, str]]:
    """How well one output does."""
    head = [(f"output {found['name']}", found["task"])] if several else []
    indent = "  " if several else ""
    if found["snn_accuracy"] is not None:
        rows = [
            ("ANN accuracy", _percent(found["ann_accuracy"])),
            ("AdSNN accuracy", _percent(found["snn_accuracy"])),
            ("AdSNN decides as the ANN", _percent(found["agreement_with_ann"])),
        ]
        if found["snn_exact_match"] is not None:
            rows += [
                ("all labels right, ANN", _percent(found["ann_exact_match"])),
                ("all labels right, AdSNN", _percent(found["snn_exact_match"])),
            ]
    else:
        rows = [
            ("agreement with the ANN (share of variance)", _percent(found["agreement_with_ann"])),
            ("root mean square difference from the ANN", _number(found["rmse_to_ann"])),
            ("  AdSNN from the labels", _number(found["rmse_to_labels"])),
            ("  ANN from the labels", _number(found["ann_rmse_to_labels"])),
        ]
    return [*head, *((indent + name, value) for name, value in rows)]


def _number(value: float | None) -> str:
    return "not evaluated" if value is None else f"{value:.4g}"


def _costs(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Costs of an image: over the whole window, and until the matching time in brackets."""
    runs = found["adsnn"], found["adsnn_until_mt"]
    synaptic = [run["synaptic_operations"] for run in runs]
    ratios = found["operations_to_ann_macs"], found["operations_until_mt_to_ann_macs"]
    energies = found["energy_nj"]["int32"]
    totals = [energies[name]["total"] for name in ("adsnn", "adsnn_until_mt", "ann")]
    macs = found["ann"]["multiply_accumulates"]
    return [
        ("per image, and until the matching time:", ""),
        ("  synaptic operations", f"{synaptic[0]:,.0f} ({synaptic[1]:,.0f})"),
        ("  with the input's products, per multiply-add of the ANN", "{:.2f} ({:.2f})".format(*ratios)),
        ("  neuron updates", f"{runs[0]['neuron_updates']:,.0f} ({runs[1]['neuron_updates']:,.0f})"),
        ("  energy, 45 nm, 32-bit integers (estimate)", f"{totals[0] / 1e3:.1f} ({totals[1] / 1e3:.1f}) uJ"),
        (
            "the ANN's multiply-adds and energy",
            f"{macs:,.0f}, {totals[2] / 1e3:.1f} uJ",
        ),
        ("activation sparsity", _percent(found["activation_sparsity"])),
    ]


def print_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the figures of a run."""
    from rich.console import Console  # slow to import: only where something is printed
    from rich.table import Table

    table = Table(title="AdSNN", show_header=False, title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column(justify="right")
    for name, value in rows(results):
        table.add_row(name, value)
    (console or Console()).print(table)
