"""MNIST at firing rates of 2 to 30 Hz, and what each ingredient does: ``python -m benchmarks.low_rate --help``.

Trainings and points are kept in the folder: what is there is not computed again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks import nets
from benchmarks.low_rate_report import print_tables, write_docs
from snntb_adsnn.config import load_config
from snntb_adsnn.data import load_dataset
from snntb_adsnn.engine import simulate
from snntb_adsnn.errors import AdSNNError, ParameterError
from snntb_adsnn.files import atomic_write, write_json
from snntb_adsnn.measure.correction import correct_biases
from snntb_adsnn.measure.evaluate import Evaluation
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array
from snntb_adsnn.studies.precision import search_m_f

CONFIG = nets.ROOT / "configs/mnist.ini"
SHIPPED = "shipped"
BUDGETS = (10.0, 5.0)
"""Firing rates at which the trainings are compared, Hz."""
FRONT = {"corrected": (0.7, 0.09, 0.18, 0.35, 1.0, 1.3), "plain": (0.35, 0.7, 1.0)}
"""m_f along the accuracy/rate front of the shipped net, biases corrected or as converted."""
SEARCHED = 2.6
"""Firing rate down to which each layer's m_f is searched, Hz; its start and last steps are points of the front."""
STEPS = 3
HIGHEST_M_F = 1.9
"""theta0 = m_f must stay below 2."""


@dataclass(frozen=True)
class Recipe:
    """A training: as ``configs/mnist.ini`` but for these keys of ``[training]``."""

    name: str
    m_f: float
    coding_noise: float
    activity_penalty: float


LOW, HIGH, PENALTY = 0.25, 0.8, 0.3
RECIPES = [
    Recipe("m25", LOW, 0, 0),
    Recipe("m25n", LOW, 1, 0),
    Recipe("m25p", LOW, 0, PENALTY),
    Recipe("m25np", LOW, 1, PENALTY),
    Recipe("m8", HIGH, 0, 0),
    Recipe("m8n", HIGH, 1, 0),
    Recipe("m8np", HIGH, 1, PENALTY),
]


@dataclass(frozen=True)
class Size:
    """How much is computed: epochs of a training; images of the correction, of the choice of m_f, of the front, of the
    comparison of trainings, of the search; simulated time, ms."""

    epochs: int = 6
    correction_images: int = 100
    validation_images: int = 300
    front_images: int = 10_000
    comparison_images: int = 2000
    search_images: int = 250
    duration: int = 500

    @classmethod
    def quick(cls) -> Size:
        """Only to see that everything works."""
        return cls(
            epochs=1,
            correction_images=2,
            validation_images=2,
            front_images=4,
            comparison_images=4,
            search_images=2,
            duration=20,
        )


class LowRate:
    """Trains, converts and measures, with everything kept in ``folder``."""

    def __init__(self, folder: Path, size: Size) -> None:
        self.folder, self.size = folder, size
        self.file = folder / "low_rate.json"
        self.results: dict[str, Any] = {"size": asdict(size), "recipes": [asdict(r) for r in RECIPES], "points": {}}
        if self.file.exists():
            old = json.loads(self.file.read_text())
            if old["size"] != self.results["size"]:
                raise ParameterError(f"{self.file} comes from other sizes; choose another folder.")
            self.results |= {key: old[key] for key in ("points", "search") if key in old}

    @cached_property
    def dataset(self) -> Any:
        return load_dataset("mnist")

    @cached_property
    def validation(self) -> tuple[Array, Array]:
        """Inputs and classes that no training saw; m_f is chosen on them."""
        from snntb_adsnn.training.feed import split_validation

        config = load_config(CONFIG)
        _, x, _, y = split_validation(self.dataset, config.need_training(), CONFIG)
        return x[: self.size.validation_images], y[: self.size.validation_images].argmax(axis=1)

    # ---- networks ----------------------------------------------------------------------------------------------------

    def network(self, name: str) -> SpikingNetwork:
        """A trained network as it was trained; trained and converted at the first call."""
        file = self.folder / name / "network.npz"
        if not file.exists():
            from snntb_adsnn.frontends import convert
            from snntb_adsnn.frontends.keras.files import load_model

            if name == SHIPPED:
                model = nets.ROOT / "configs/models/mnist"
            else:
                model = self._train(next(recipe for recipe in RECIPES if recipe.name == name))
            convert(load_model(model), self.dataset.x_test[:100]).save(file)
        return SpikingNetwork.load(file)

    def _train(self, recipe: Recipe) -> Path:
        folder = self.folder / recipe.name
        if not (folder / "net.h5").exists():
            from snntb_adsnn.training.train import train

            keys = {**load_config(CONFIG).need_training().model_dump(), **asdict(recipe), "epochs": self.size.epochs}
            del keys["name"]
            lines = "".join(f"{key} = {value}\n" for key, value in keys.items() if value is not None)
            paths = "path_wd = .\ndataset_path = ../data\nfilename_ann = net\n"
            file = atomic_write(folder / "net.ini", f"[paths]\n{paths}[training]\n{lines}")
            train(load_config(file))
        return folder / "net"

    def at(self, name: str, m_f: float | dict[str, float], way: str) -> SpikingNetwork:
        """A trained network at another precision; biases are corrected unless ``way`` is plain."""
        trained = self.network(name)
        network = trained.with_m_f(m_f)
        if way == "plain":
            return network
        return correct_biases(network, self.dataset.x_train[: self.size.correction_images], trained=trained)

    def chosen(self, name: str, budget: float) -> float | None:
        """The m_f at which the network, as converted, fires 2 % below ``budget`` on validation images; None where it
        fires more even at the highest."""
        for way in FRONT:
            if (point := self.results["points"].get(f"{name}, {budget} Hz, {way}")) is not None:
                return point["m_f"]  # type: ignore[no-any-return]
        x, y = self.validation
        m_f = 0.5
        for _ in range(3):
            rate = self.metrics(self.network(name).with_m_f(m_f), x, y)["firing_rate_hz"]
            if m_f == HIGHEST_M_F and rate > budget:
                return None
            m_f = min(m_f * rate / (0.98 * budget), HIGHEST_M_F)  # nearly inverse to m_f
        return round(m_f, 3)

    # ---- measurement -------------------------------------------------------------------------------------------------

    def metrics(self, network: SpikingNetwork, x: Array, y: Array) -> dict[str, Any]:
        """Figures of a simulation of ``x``."""
        evaluation = Evaluation(network)
        for start in range(0, len(x), 250):
            part = slice(start, start + 250)
            evaluation.add(simulate(network, x[part], duration=self.size.duration, engine="event"), y[part])
        m = evaluation.metrics()
        return {
            "accuracy": m.decisions.snn_accuracy,
            "firing_rate_hz": m.firing.rate_hz,
            "firing_rate_hz_per_layer": dict(m.firing.rate_hz_per_layer),
            "matching_time_ms": m.decisions.matching_time_ms,
            "spikes_per_neuron_at_mt": m.firing.spikes_per_neuron_at_mt,
            "accuracy_sd": m.decisions.accuracy_sd,
            "accuracy_over_time": [round(float(a), 4) for a in m.decisions.accuracy_over_time],
        }

    def test(self, network: SpikingNetwork, images: int) -> dict[str, Any]:
        """Figures on the first test images."""
        return self.metrics(network, self.dataset.x_test[:images], self.dataset.y_test[:images].argmax(axis=1))

    def points(self) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
        """Name of every point, and what computes it."""
        for way, precisions in FRONT.items():
            for common in precisions:
                yield f"{SHIPPED}, m_f {common}, {way}", partial(self._front_point, common, way)
        path = self.search()
        for number, m_f in enumerate(path):
            if number == 0 or number >= len(path) - STEPS:  # the search starts from one m_f for all layers
                way = "by layer" if number else "corrected"
                yield f"{SHIPPED}, m_f by search {number}, {way}", partial(self._front_point, m_f, way)
        names = (SHIPPED, *(recipe.name for recipe in RECIPES))
        for budget in BUDGETS:
            for name in names:
                for way in FRONT:
                    yield f"{name}, {budget} Hz, {way}", partial(self._budget_point, name, budget, way)
        for name in names:
            yield f"{name}, ANN", partial(self._ann_point, name)

    def search(self) -> list[dict[str, float]]:
        """Each layer's m_f of the shipped net, at every step of a search on training images."""
        if "search" not in self.results:
            images = self.size.correction_images
            path = search_m_f(
                self.network(SHIPPED),
                self.dataset.x_train[: images + self.size.search_images],
                rate_hz=SEARCHED,
                correction_images=images,
                factor=1.3,
                engine="event",
                progress=lambda trial: click.echo(f"search: {trial}", err=True),
            )
            self.results["search"] = [trial.m_f for trial in path]
            write_json(self.file, self.results)
        return self.results["search"]  # type: ignore[no-any-return]

    def _front_point(self, m_f: float | dict[str, float], way: str) -> dict[str, Any]:
        return {"m_f": m_f, **self.test(self.at(SHIPPED, m_f, way), self.size.front_images)}

    def _budget_point(self, name: str, budget: float, way: str) -> dict[str, Any]:
        m_f = self.chosen(name, budget)
        if m_f is None:
            return {"m_f": None}
        return {"m_f": m_f, **self.test(self.at(name, m_f, way), self.size.comparison_images)}

    def _ann_point(self, name: str) -> dict[str, Any]:
        """The ANN's accuracy on all test images, which a training's log holds."""
        log = self.folder / name / "net_training.json"
        if log.exists():
            return {"accuracy": json.loads(log.read_text())["test_accuracy"]}
        x, y, batches = self.dataset.x_test, self.dataset.y_test, range(0, len(self.dataset.x_test), 500)
        outputs = np.concatenate([self.network(name).analog(x[i : i + 500]) for i in batches])
        return {"accuracy": float((outputs.argmax(axis=1) == y.argmax(axis=1)).mean())}

    def run(self) -> dict[str, Any]:
        """Compute what is missing; the file is written after each point."""
        for name, compute in self.points():
            if name not in self.results["points"]:
                click.echo(f"{name} ...", err=True)
                self.results["points"][name] = compute()
                write_json(self.file, self.results)
        return self.results


@click.command()
@click.option("--folder", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where all is kept.")
@click.option("--quick", is_flag=True, help="Tiny sizes: see that everything works.")
@click.option("--docs", is_flag=True, help="Write docs/low-rate.md, .png and .json.")
def main(folder: Path, quick: bool, docs: bool) -> None:
    """Measure the accuracy/rate front and the ablation on MNIST."""
    try:
        results = LowRate(folder.absolute(), Size.quick() if quick else Size()).run()
    except AdSNNError as error:
        raise click.ClickException(str(error)) from None
    print_tables(results)
    if docs:
        write_docs(results, nets.ROOT / "docs")


if __name__ == "__main__":
    main()
