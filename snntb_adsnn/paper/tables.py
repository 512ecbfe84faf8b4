"""The paper's tables with our figures, and what the paper reports beside them.

The paper's figures are the ranges that its text gives (arXiv 1710.04838).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snntb_adsnn.paper.measure import arousal_of, outcome_of
from snntb_adsnn.report.arousals import HOLDS

PAPER_MATCHING = ["paper, all sets", "", "= ANN", "24 to 68", "about 300", "", "", ""]
PAPER_LOW_RATE = ["paper, all sets", "", "= earlier SNNs", "10 to 22", "about 200", "", "", ""]
PAPER_AROUSAL = ["paper", "", "= high precision", "", "about half of the high precision's", "", "", "", "about 0.5"]
PAPER_PRECISION = ["paper", "", "", "figure 1c, no number in the text", "figure 1b, no number in the text", ""]


_CELLS = {
    "matching": {"MNIST": (99.56, 67, 291), "CIFAR-10": (89.86, 68, 372), "ILSVRC": (62.97, 66, 347)},
    "low rate": {"MNIST": (99.12, 10, 209), "CIFAR-10": (88.52, 22, 304), "ILSVRC": (53.77, 12, 338)},
}
"""The paper's own cells: accuracy in %, firing rate in Hz, matching time in ms. Second-hand, from the comparison script
of a later author."""


def _cells(name: str) -> list[list[str]]:
    return [
        [f"{data} in the paper", "", f"{accuracy:.2f} %", f"{rate}", f"{time}", "", "", ""]
        for data, (accuracy, rate, time) in _CELLS[name].items()
    ]


@dataclass(frozen=True)
class Table:
    """A table as it is written: all cells are text."""

    caption: str
    header: list[str]
    rows: list[list[str]]


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def _points(values: Iterable[float]) -> str:
    """Percentage points: one figure for all sets, or their range."""
    found = sorted(values)
    return f"{found[0]:g}" if found[0] == found[-1] else f"{found[0]:g} to {found[-1]:g}"


def _point_row(name: str, ann: float, point: Mapping[str, Any] | None) -> list[str]:
    if point is None:
        return [name, _percent(ann), "none in the grid", "", "", "", "", ""]
    return [
        name,
        _percent(ann),
        _percent(point["snn_accuracy"]),
        f"{point['firing_rate_hz']:.1f}",
        f"{point['matching_time_ms']:.0f}",
        _percent(point["accuracy_sd"]),
        f"{point['spikes_per_neuron_at_mt']:.2f}",
        f"{point['m_f']:g}" if isinstance(point["m_f"], float) else "by layer",
    ]


_POINT = ["set (test images)", "ANN", "AdSNN", "FR (Hz)", "MT (ms)", "SD from MT on", "spikes/neuron until MT", "m_f"]


def matching(measured: Mapping[str, Any]) -> Table:
    """Table 1: the smallest firing rate that matches the ANN."""
    rows = []
    for name, entry in measured["sets"].items():
        outcome = outcome_of(entry)
        rows.append(_point_row(f"{name} ({entry['images']})", outcome.ann_accuracy, outcome.matching))
    tolerance = _points(entry["sweep"]["tolerance"] for entry in measured["sets"].values())
    caption = f"Table 1. Smallest firing rate of the sweep that matches the ANN (at most {tolerance} points below it)"
    return Table(caption, _POINT, [PAPER_MATCHING, *rows, *_cells("matching")])


def low_rate(measured: Mapping[str, Any]) -> Table:
    """Table 2: the low-rate operating points."""
    rows = []
    for name, entry in measured["sets"].items():
        outcome = outcome_of(entry)
        rows.append(_point_row(f"{name} ({entry['images']})", outcome.ann_accuracy, outcome.low_rate))
    loss = _points(entry["sweep"]["low_rate_loss"] for entry in measured["sets"].values())
    caption = f"Table 2. Low-rate operating points (at most {loss} points, or one image, below the ANN)"
    return Table(caption, _POINT, [PAPER_LOW_RATE, *rows, *_cells("low rate")])


def published() -> Table:
    """Other published conversions, for spikes per neuron and decision; their nets and data are other ones."""
    return Table(
        "Published conversions (other nets and data)",
        ["conversion", "source", "accuracy", "cost of a decision"],
        [
            ["time to first spike", "arXiv 2306.08744", "= ANN", "less than 0.3 spikes per neuron"],
            ["FS neurons", "arXiv 2002.00860", "", "about 2 spikes per neuron"],
            ["QCFS, VGG-16, CIFAR-10", "Bu et al., ICLR 2022", "94.0 %, 95.0 %", "4, 8 time steps"],
        ],
    )


def arousal(measured: Mapping[str, Any]) -> Table:
    """Table 3: arousal, its two precisions alone, a fixed precision of the same rate, and random switching."""
    header = [
        *("set (test images)", "run", "accuracy", "95 % interval", "FR (Hz)", "MT (ms)", "Selectivity"),
        *("spikes/neuron until MT", "FR of high"),
    ]
    rows = []
    for name, entry in measured["sets"].items():
        outcome = arousal_of(entry)
        if outcome is None:
            continue
        for label, run in outcome.runs.items():
            m_f = f"m_f {run['m_f_low']} to {run['m_f_high']}" if run is outcome.chosen else f"m_f {run.get('m_f')}"
            share = _share(run, outcome.high)
            rows.append(
                [
                    f"{name} ({entry['images']})" if run is outcome.low else "",
                    label if run is outcome.random else f"{label}, {m_f}",
                    _percent(run["snn_accuracy"]),
                    "{:.2f} to {:.2f}".format(*(100 * bound for bound in run["accuracy_interval"])),
                    f"{run['firing_rate_hz']:.1f}",
                    f"{run['matching_time_ms']:.0f}" if "matching_time_ms" in run else "",
                    _percent(run["selectivity"]) if "selectivity" in run else "",
                    f"{run['spikes_per_neuron_at_mt']:.2f}",
                    "" if share is None else f"{share:.2f}",
                ]
            )
    return Table("Table 3. Arousal, chosen on training images, and what it must beat", header, [PAPER_AROUSAL, *rows])


def laws(measured: Mapping[str, Any]) -> Table:
    """The paper's laws of arousal, fitted."""
    header = ["set", "threshold: slope per ms", "R2", "Selectivity: change per ms", "R2", "both hold"]
    rows = [["paper", "linear, rising", "", "exponential", "", "yes"]]
    for name, entry in measured["sets"].items():
        outcome = arousal_of(entry)
        if outcome is None or not outcome.laws:
            continue
        line, decay = outcome.laws["threshold_line"], outcome.laws["selectivity_exponential"]
        rows.append(
            [
                name,
                f"{line['slope_per_ms']:+.4f}",
                f"{line['r2']:.2f}",
                f"{100 * decay['rate_per_ms']:+.2f} %",
                f"{decay['r2']:.2f}",
                _met(min(line["r2"], decay["r2"]) >= HOLDS),
            ]
        )
    caption = (
        "Threshold against accumulation time as a line, Selectivity as an exponential, fitted on training images "
        f"(a law holds where it explains at least {HOLDS:.0%} of the variance)"
    )
    return Table(caption, header, rows)


def precision(measured: Mapping[str, Any]) -> Table:
    """Precision at S = 1, where every transfer function is 1, beside what Poisson spikes would need."""
    rows = []
    for run in measured["coding"]["precision"]:
        at = run["S"].index(1.0)
        rows.append(
            [
                f"{run['m_f']:g}",
                f"{run['h']:.3f}",
                f"{run['mean'][at]:.3f}",
                f"{run['sd'][at]:.4f}",
                f"{run['rate_hz'][at]:.1f}",
                f"{run['poisson_rate_hz'][at]:,.0f}",
            ]
        )
    header = [
        "m_f",
        "spike height h",
        "decoded mean",
        "standard deviation",
        "firing rate (Hz)",
        "Poisson rate for it (Hz)",
    ]
    return Table("Precision at S = 1, where f = 1 at every m_f", header, [PAPER_PRECISION, *rows])


def claims(measured: Mapping[str, Any]) -> Table:
    """The paper's claims, one row each, beside the range over our sets."""
    outcomes = [outcome_of(entry) for entry in measured["sets"].values()]
    matched = [outcome.matching for outcome in outcomes]
    low = [outcome.low_rate for outcome in outcomes]
    studies = [study for entry in measured["sets"].values() if (study := arousal_of(entry))]
    paying = [study for study in studies if study.pays]
    count = f"{sum(point is not None for point in matched)} of {len(outcomes)} sets"
    rows = [
        ["AdSNNs match their ANN on every set", "all", count, _met(all(point is not None for point in matched))],
        ["... at an average firing rate of (Hz)", "24 to 68", *_range(matched, "firing_rate_hz", 68)],
        ["... after a matching time of (ms)", "about 300", *_range(matched, "matching_time_ms", 300)],
        ["A little less accuracy at a low rate of (Hz)", "10 to 22", *_range(low, "firing_rate_hz", 22)],
        ["... after (ms)", "about 200", *_range(low, "matching_time_ms", 200)],
        [
            "Arousal is as accurate as the high precision, and the low precision alone is not",
            "all",
            f"{len(paying)} of {len(studies)} sets",
            _met(bool(studies) and len(paying) == len(studies)),
        ],
        ["... at a rate over the high precision's", "about 0.5", *_shares([_share(s.best, s.high) for s in paying])],
    ]
    return Table("What the paper reports, and what was measured here", ["claim", "paper", "here", "met"], rows)


def _met(yes: bool) -> str:
    return "yes" if yes else "no"


def _range(points: Sequence[Mapping[str, Any] | None], key: str, limit: float) -> tuple[str, str]:
    found = [point[key] for point in points if point is not None]
    if not found:
        return "none", "no"
    return f"{min(found):.1f} to {max(found):.1f}", _met(len(found) == len(points) and max(found) <= limit)


def _share(run: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> float | None:
    return run["firing_rate_hz"] / other["firing_rate_hz"] if run and other and other["firing_rate_hz"] else None


def _shares(shares: list[float | None]) -> tuple[str, str]:
    found = [share for share in shares if share is not None]
    if not found:
        return "none", "no"
    # up to 0.6 is about half
    return f"{min(found):.2f} to {max(found):.2f}", _met(len(found) == len(shares) and max(found) <= 0.6)
