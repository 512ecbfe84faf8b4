"""How much the small sets depend on the seed: ``python -m benchmarks.seeds --help``.

Trains each configuration with several seeds, and simulates each net on the whole test set. What the folder holds is not
computed again.
"""

from __future__ import annotations

import json
from configparser import RawConfigParser
from pathlib import Path
from statistics import mean, median
from typing import Any

import click

from benchmarks import nets
from snntb_adsnn.config import load_config
from snntb_adsnn.files import atomic_write, write_json

NAMES = ("iris", "sonar")
DOCS = nets.ROOT / "docs"


def with_seed(name: str, seed: int, folder: Path) -> Path:
    """The shipped configuration ``name`` with another seed, and with a working folder of its own."""
    parser = RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(nets.ROOT / "configs" / f"{name}.ini")
    parser["training"]["seed"] = str(seed)
    parser["paths"].update({"path_wd": str(folder / f"{name}-{seed}"), "dataset_path": str(folder / f"data-{name}")})
    parser["adsnn"]["plots"] = "False"
    del parser["adsnn"]["pretrained"]
    file = folder / f"{name}-{seed}.ini"
    with file.open("w") as text:
        parser.write(text)
    return file


def measured(name: str, seed: int, folder: Path) -> dict[str, Any]:
    """Accuracies of the net trained with ``seed``, and its firing rate."""
    kept = folder / f"{name}-{seed}.json"
    if not kept.exists():
        from snntb_adsnn.toolbox import run
        from snntb_adsnn.training.train import train

        config = load_config(with_seed(name, seed, folder))
        train(config)
        run(config, kept)
    results = json.loads(kept.read_text())
    return {key: results[key] for key in ("ann_accuracy", "snn_accuracy", "firing_rate_hz", "agreement_with_ann")}


def spread(values: list[float]) -> dict[str, float]:
    """Lowest, median, mean and highest."""
    return {"lowest": min(values), "median": median(values), "mean": mean(values), "highest": max(values)}


@click.command()
@click.option("--seeds", default=10, show_default=True, help="Seeds 0, 1, ... of each set.")
@click.option("--folder", default="runs/seeds", show_default=True, type=click.Path(path_type=Path))
@click.option("--docs", is_flag=True, help="Write docs/seeds.json.")
def main(seeds: int, folder: Path, docs: bool) -> None:
    """Train IRIS and SONAR with several seeds; print the spread of the test accuracies."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {}
    for name in NAMES:
        runs = [measured(name, seed, folder.absolute()) for seed in range(seeds)]
        found[name] = {
            "runs": runs,
            "ann": spread([run["ann_accuracy"] for run in runs]),
            "adsnn": spread([run["snn_accuracy"] for run in runs]),
        }
        for kind in ("ann", "adsnn"):
            print(name, kind, ", ".join(f"{key} {value:.2%}" for key, value in found[name][kind].items()))
    write_json(folder / "seeds.json", found)
    if docs:
        atomic_write(DOCS / "seeds.json", (folder / "seeds.json").read_bytes())


if __name__ == "__main__":
    main()
