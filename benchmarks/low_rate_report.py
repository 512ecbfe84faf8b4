"""Tables, picture and page of ``benchmarks.low_rate``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from snntb_adsnn.files import atomic_path, atomic_write
from snntb_adsnn.paper.record import as_text

Results = Mapping[str, Any]
_WAYS = ("plain", "corrected")
_NAMES = {"plain": "as converted", "corrected": "corrected", "by layer": "corrected, m_f by layer"}
_NO_PRECISION = "out of reach"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def tables(results: Results) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, header and cells of each table."""
    return [_front(results), *(_ablation(results, budget) for budget in _budgets(results))]


def _front(results: Results) -> tuple[str, list[str], list[list[str]]]:
    header = ["m_f", "biases", "AdSNN", "firing rate", "matching time", "spikes per neuron until then", "SD"]
    cells = []
    points = {name: point for name, point in results["points"].items() if name.startswith("shipped, m_f")}
    for way, shown in _NAMES.items():
        chosen = [point for name, point in points.items() if name.endswith(way)]
        cells += [
            [
                _m_f(point["m_f"]),
                shown,
                _percent(point["accuracy"]),
                f"{point['firing_rate_hz']:.2f} Hz",
                f"{point['matching_time_ms']:.0f} ms",
                f"{point['spikes_per_neuron_at_mt']:.2f}",
                _percent(point["accuracy_sd"]),
            ]
            for point in sorted(chosen, key=_rate, reverse=True)
        ]
    return "The front", header, cells


def _m_f(m_f: float | dict[str, float]) -> str:
    values = sorted(set(m_f.values())) if isinstance(m_f, dict) else [m_f]
    if len(values) > 1 and isinstance(m_f, dict):
        return " / ".join(f"{value:.2f}" for value in m_f.values())
    return f"{values[0]:.3g}"


def _budgets(results: Results) -> list[str]:
    found = [name.split(", ")[1] for name in results["points"]]
    return list(dict.fromkeys(where for where in found if where.endswith("Hz")))


def _ablation(results: Results, budget: str) -> tuple[str, list[str], list[list[str]]]:
    header = [
        "trained at m_f",
        "noise",
        "penalty",
        "ANN",
        "simulated at m_f",
        "as converted",
        "corrected",
        "rate",
        "MT",
        "spikes until MT",
    ]
    recipes = [(r["name"], *(f"{r[key]:g}" for key in ("m_f", "coding_noise", "activity_penalty")))
               for r in results["recipes"]]  # fmt: skip
    cells = []
    for name, *recipe in (*recipes, ("shipped", "0.25", "1", "0.15, 22 epochs")):
        plain, corrected = (results["points"].get(f"{name}, {budget}, {way}") for way in _WAYS)
        if plain is None or corrected is None:
            continue
        ann = results["points"].get(f"{name}, ANN")
        row = [*recipe, _percent(ann["accuracy"]) if ann else ""]
        if plain["m_f"] is None:
            row.append(_NO_PRECISION)
        else:
            row += [f"{plain['m_f']:.2f}", _percent(plain["accuracy"]), _percent(corrected["accuracy"])]
            row += [
                f"{corrected['firing_rate_hz']:.2f} Hz",
                f"{corrected['matching_time_ms']:.0f} ms",
                f"{corrected['spikes_per_neuron_at_mt']:.2f}",
            ]
        cells.append(row + [""] * (len(header) - len(row)))
    return f"The ingredients, at {budget}", header, cells


def print_tables(results: Results, console: Console | None = None) -> None:
    """Print all tables."""
    for title, header, cells in tables(results):
        table = Table(title=title, title_justify="left")
        for name in header:
            table.add_column(name, justify="right")
        for row in cells:
            table.add_row(*row)
        (console or Console()).print(table)


def figure(results: Results) -> Any:
    """Accuracy against firing rate (left) and over time (right)."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    picture, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    points = {name: p for name, p in results["points"].items() if name.startswith("shipped, m_f")}
    for way, style in zip(_NAMES, ("s--", "o-", "D-"), strict=True):
        chosen = sorted((p for name, p in points.items() if name.endswith(way)), key=_rate)
        left.plot([_rate(p) for p in chosen], [100 * p["accuracy"] for p in chosen], style, label=_NAMES[way])
    ann = results["points"].get("shipped, ANN")
    if ann:
        left.axhline(100 * ann["accuracy"], color="0.6", lw=1, label="ANN")
    left.axhline(99, color="C3", lw=1, ls=":")
    left.axvline(5, color="C3", lw=1, ls=":", label="goal: 99 % at 5 Hz")
    left.set(xscale="log", xlabel="firing rate (Hz)", ylabel="accuracy (%)", ylim=(95, 100))
    ticks = [2, 3, 5, 10, 20, 30]
    left.set_xticks(ticks, [str(t) for t in ticks])
    left.minorticks_off()
    left.legend()
    for point in sorted((p for name, p in points.items() if _over_time(name)), key=_rate, reverse=True):
        accuracy = [100 * a for a in point["accuracy_over_time"]]
        label = f"{point['firing_rate_hz']:.1f} Hz (m_f {_m_f(point['m_f'])})"
        right.plot(range(1, len(accuracy) + 1), accuracy, label=label)
    right.set(xlabel="time (ms)", ylabel="accuracy (%)", xlim=(8, None), ylim=(95, 100), xscale="log")
    right.legend(title="biases corrected")
    return picture


def _rate(point: Mapping[str, Any]) -> float:
    return float(point["firing_rate_hz"])


def markdown(results: Results) -> str:
    """The measured part of ``docs/low-rate.md``."""
    text = ""
    for title, header, cells in tables(results):
        lines = [header, ["---:"] * len(header), *cells]
        text += f"\n## {title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return text


def _over_time(name: str) -> bool:
    """Whether the picture shows the accuracy of this point over time."""
    return name.startswith("shipped, m_f") and name.endswith("corrected")


def record(results: Results) -> dict[str, Any]:
    """What tables and picture show, and no more."""
    points = {
        name: {key: point[key] for key in point if key != "accuracy_over_time" or _over_time(name)}
        for name, point in results["points"].items()
    }
    return {**results, "points": points}


_MARK = "<!-- written by python -m benchmarks.low_rate --docs -->\n"


def write_docs(results: Results, folder: Path) -> None:
    """Renew the tables of ``low-rate.md`` (what stands behind the mark); write ``low-rate.png``, and the figures
    themselves as ``low-rate.json``, against which a test compares the page."""
    page = folder / "low-rate.md"
    kept = page.read_text(encoding="utf-8").split(_MARK)[0]
    atomic_write(folder / "low-rate.json", as_text(record(results)))
    atomic_write(page, kept + _MARK + markdown(results))
    with atomic_path(folder / "low-rate.png") as path:
        figure(results).savefig(path, dpi=110)
