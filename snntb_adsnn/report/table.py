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
        ("ANN accuracy", _percent(results["ann_accuracy"])),
        ("AdSNN accuracy", _percent(results["snn_accuracy"])),
        ("AdSNN decides as the ANN", _percent(results["agreement_with_ann"])),
        ("firing rate", f"{results['firing_rate_hz']:.2f} Hz"),
        *per_layer,
        (
            f"matching time ({100 * results['matching_fraction']:g} % of the best accuracy)",
            f"{results['matching_time_ms']:g} ms",
        ),
        ("standard deviation of accuracy from there on", _percent(results["accuracy_sd"])),
        ("spikes per neuron until then", f"{results['spikes_per_neuron_at_mt']:.3f}"),
        *_costs(results["operations"]),
    ]


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
