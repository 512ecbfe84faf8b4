"""Ratios, targets, tables and pictures of a benchmark run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.ours import OURS
from benchmarks.peers import PACKAGES
from snntb_adsnn.files import atomic_path, atomic_write

Row = dict[str, Any]
INI, *TORCH = PACKAGES
TRAINED = "trained MNIST net"
MISSING = "not installed"


def with_ratios(rows: list[Row]) -> list[Row]:
    """Add how many times the first row's time per image (wall and CPU) each row takes."""
    first = rows[0]
    for row in rows:
        if row["installed"]:
            row["time_ratio"] = first["images_per_second"] / row["images_per_second"]
            row["cpu_ratio"] = row["cpu_ms_per_image"] / first["cpu_ms_per_image"]
    return rows


# ---- targets ---------------------------------------------------------------------------------------------------------


def targets(results: Mapping[str, Any]) -> list[Row]:
    """What was aimed at and what was measured; only what this run measured."""
    checks: list[tuple[str, str, float, Callable[[Mapping[str, Any]], float | None]]] = [
        ("times INI's images per second", ">=", 100, lambda r: _peer(r["simulators"], [INI])),
        ("times the best of " + ", ".join(TORCH), ">=", 12, lambda r: _peer(r["simulators"], TORCH)),
        (
            "times the machine's limit (trained MNIST net)",
            "<=",
            2,
            lambda r: r["limit"][TRAINED]["distance"],
        ),
        ("peak memory with many images, MB", "<=", 400, lambda r: r["memory"][0]["peak_mb"]),
        ("speed of batch 1 to that of batch 100", ">=", 0.8, lambda r: _speed(r["batch"], "batch 1", "batch 100")),
        ("time per image at a third of the firing rate", "<=", 0.7, lambda r: third_of_the_rate(r["rate"])),
        ("time of 1000 steps to that of 250", "<=", 4.4, lambda r: _speed(r["steps"], "250 steps", "1000 steps")),
        (
            "peak memory of 1000 steps to that of 250",
            "<=",
            1.1,
            lambda r: _memory(r["steps"]),
        ),
        ("in SNN Toolbox without logs to bare", "<=", 1.2, lambda r: r["toolbox"][1]["time_ratio"]),
        ("in SNN Toolbox with spike trains to bare", "<=", 4, lambda r: r["toolbox"][2]["time_ratio"]),
        ("images decided otherwise than by the reference", "<=", 0, lambda r: r["agreement"]["different_decisions"]),
        (
            "largest difference of a layer's spike count",
            "<=",
            1e-3,
            lambda r: max(r["agreement"]["spike_count_difference"].values()),
        ),
    ]
    rows = []
    for name, sign, wanted, measure in checks:
        try:
            measured = measure(results)
        except KeyError:  # the section, or the case, was not measured
            continue
        if measured is not None:
            met = measured >= wanted if sign == ">=" else measured <= wanted
            rows.append({"target": name, "wanted": f"{sign} {wanted:g}", "measured": measured, "met": bool(met)})
    return rows


def _peer(rows: Sequence[Row], names: Iterable[str]) -> float | None:
    """How many times faster ours is than the fastest of ``names`` that are installed."""
    return min((row["time_ratio"] for row in rows if row["simulator"] in names and row["installed"]), default=None)


def _speed(rows: Sequence[Row], label: str, other: str) -> float:
    by_label = {row["label"]: row["images_per_second"] for row in rows}
    return by_label[label] / by_label[other]


def _memory(rows: Sequence[Row]) -> float:
    by_label = {row["label"]: row["peak_mb"] for row in rows}
    return by_label["1000 steps"] / by_label["250 steps"]


def third_of_the_rate(rows: Sequence[Row]) -> float:
    """Time per image at a third of a firing rate, to that at the rate: of the pair of rows closest to a third, the one
    with the higher rates."""
    pairs = [(a, b) for a in rows for b in rows if 0.28 <= b["firing_rate_hz"] / a["firing_rate_hz"] <= 0.38]
    if not pairs:
        raise KeyError("no two rates are a factor of three apart")
    a, b = max(pairs, key=lambda pair: pair[0]["firing_rate_hz"])
    return a["images_per_second"] / b["images_per_second"]


# ---- tables ----------------------------------------------------------------------------------------------------------

Columns = list[tuple[str, Callable[[Row], Any]]]
_SPEED: Columns = [
    ("images/s", lambda r: f"{r['images_per_second']:.{0 if r['images_per_second'] >= 20 else 2}f}"),
    ("CPU ms/image", lambda r: f"{r['cpu_ms_per_image']:.2f}"),
    ("peak MB", lambda r: f"{r['peak_mb']:.0f}"),
]
_RATIOS: Columns = [
    ("time, times ours", lambda r: f"{r['time_ratio']:.1f}"),
    ("CPU, times ours", lambda r: f"{r['cpu_ratio']:.1f}"),
]
_TOOLBOX: Columns = [("time, times bare", lambda r: f"{r['time_ratio']:.2f}")]
_RATE: Columns = [("firing rate (Hz)", lambda r: f"{r['firing_rate_hz']:.1f}")]

_TABLES: list[tuple[str, str, Columns]] = [
    ("simulators", "Simulators, trained MNIST net", _SPEED + _RATIOS),
    ("simulators_random", "Simulators, 16C3-MP2-32C3-MP2-10, random weights", _SPEED + _RATIOS),
    ("simulators_vgg", "Simulators, VGG-like net for 32 x 32 images, random weights", _SPEED + _RATIOS),
    ("simulators_residual", "Simulators, residual net for 32 x 32 images, random weights", _SPEED + _RATIOS),
    ("toolbox", "Inside SNN Toolbox (stage of simulation)", _SPEED + _TOOLBOX),
    ("steps", "Growth with steps", _SPEED),
    ("rate", "Growth with the firing rate (same net, other m_f)", _RATE + _SPEED),
    ("batch", "Growth with the batch", _SPEED),
    ("width", "Growth with the number of channels", _SPEED),
    ("memory", "Many images in one run", _SPEED),
]


def tables(results: Mapping[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, header and cells of every table of a run."""
    found = []
    if results.get("targets"):
        cells = [
            [t["target"], t["wanted"], f"{t['measured']:.3g}", "yes" if t["met"] else "no"] for t in results["targets"]
        ]
        found.append(("Targets", ["target", "wanted", "measured", "met"], cells))
    for section, title, columns in _TABLES:
        if section in results:
            header = ["", *(name for name, _ in columns)]
            found.append((title, header, [_cells(row, columns) for row in results[section]]))
    if "limit" in results:
        header = ["net", "neuron updates", "row additions", "limit (ms/image, one core)", "ours", "times the limit"]
        cells = [
            [
                name,
                f"{r['neuron_updates_per_image']:.3g}",
                f"{r['row_additions_per_image']:.3g}",
                f"{r['limit_ms']:.2f}",
                f"{r['ours_ms']:.2f}",
                f"{r['distance']:.2f}",
            ]
            for name, r in results["limit"].items()
        ]
        found.append(("The machine's limit", header, cells))
    if "agreement" in results:
        r = results["agreement"]
        worst = max(r["spike_count_difference"].values())
        cells = [[*(str(r[key]) for key in ("images", "different_decisions", "different_at_any_step")), f"{worst:.1e}"]]
        header = ["images", "decided otherwise at the end", "at any step", "difference of a layer's spike count"]
        found.append(("Agreement with the reference", header, cells))
    return found


def _cells(row: Row, columns: Columns) -> list[str]:
    if not row["installed"]:
        return [row["label"], MISSING, *[""] * (len(columns) - 1)]
    return [row["label"], *(show(row) for _, show in columns)]


def print_tables(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Print all tables of a run."""
    console = console or Console()
    for title, header, cells in tables(results):
        table = Table(title=title, title_justify="left")
        for i, name in enumerate(header):
            table.add_column(name, justify="right" if i else "left")
        for row in cells:
            table.add_row(*row)
        console.print(table)


# ---- documentation ---------------------------------------------------------------------------------------------------

_TEXT = """# Speed

Written by `python -m benchmarks.simulation --docs`. What counts are ratios within one run; every measurement ran in a
process of its own, in turns, and the median of {rounds} rounds stands here.

- Machine: {processor}, {cores} cores; load before the run {load:.1f}.
- {images} images and {steps} steps of 1 ms, unless said otherwise; batches of up to 100. Time is wall-clock time of the
  simulation alone, both cores used; CPU time is that of all threads. Imports, conversion and compilation do not count;
  peak memory is that of the whole process.
- The other simulators run integrate-and-fire twins of the same topology with the same weights: they show what their
  time steps cost, their accuracy means nothing here. The SpikingJelly and sinabs twins take {chunk} steps at a time,
  the fastest of what was tried; SNN Toolbox's INI runs its own flow without logs.
- The limit: minimal kernels measured in the same process (`benchmarks/limit.py`): neuron updates with the state in
  registers, and row additions in the first cache, times the counts of the run. They round as the reference does (no
  fused multiply-add).
- Versions: {versions}.

![images per second, and growth](speed.png)
"""


_BUSY = """
**The machine was busy during this run** (load up to {load:.1f} on {cores} cores). Times on the wall are then several
times too long; those of simulators whose threads wait for each other many times a step (PyTorch's), and of batch 1,
most of all: the ratios to them are too good, and batch 1 too bad. The distance to the limit suffers least. Repeat on a
quiet machine before quoting a figure.
"""


def markdown(results: Mapping[str, Any]) -> str:
    """The content of ``docs/speed.md``."""
    from benchmarks.peers import CHUNK

    text = _TEXT.format(
        **results["size"],
        **results["machine"],
        load=next(iter(results["load_average"].values()), 0.0),
        chunk=CHUNK,
        versions=", ".join(f"{name} {version}" for name, version in results["versions"].items()),
    )
    busiest = max(results["load_average"].values(), default=0.0)
    if busiest > results["machine"]["cores"] / 2:
        text += _BUSY.format(load=busiest, cores=results["machine"]["cores"])
    for title, header, cells in tables(results):
        lines = [header, ["---", *["---:"] * (len(header) - 1)], *cells]
        text += f"\n## {title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return text


def figure(results: Mapping[str, Any]) -> Any:
    """Images per second by simulator; time per image against steps and firing rate."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    picture, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained", width_ratios=(2, 1, 1))
    rows = [row for row in results.get("simulators", []) if row["installed"]][::-1]
    speeds = [row["images_per_second"] for row in rows]
    colors = ["C1" if row["simulator"] in OURS else "0.6" for row in rows]
    left.bar_label(left.barh([row["label"] for row in rows], speeds, color=colors), fmt="%.3g", padding=3)
    left.set(xscale="log", xlabel="images/s (logarithmic)", title="trained MNIST net, 500 ms")
    left.margins(x=0.15)
    for axes, section, key, name in (
        (middle, "steps", "steps", "steps"),
        (right, "rate", "firing_rate_hz", "firing rate (Hz)"),
    ):
        rows = sorted(results.get(section, []), key=lambda row: row[key])
        axes.plot([row[key] for row in rows], [1e3 / row["images_per_second"] for row in rows], "o-", color="C1")
        axes.set(xlabel=name, ylabel="ms per image", xlim=(0, None), ylim=(0, None))
    return picture


def write_docs(results: Mapping[str, Any], folder: Path) -> None:
    """Write ``speed.md`` and ``speed.png``."""
    atomic_write(folder / "speed.md", markdown(results))
    with atomic_path(folder / "speed.png") as path:
        figure(results).savefig(path, dpi=110)
