"""How well AAN trains beside ReLU: ``python -m benchmarks.activation --help``.

Five small nets, each with several seeds, in a plain ``fit``: Adam as it comes, 25 epochs of the digits of scikit-learn,
batches of 32. A fifth of the digits is for testing. The rule of the gradient (``snntb_adsnn.neuron.gradient``) was
chosen on the others. What the folder holds is not computed again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import click
import numpy as np

from benchmarks import activation_nets
from snntb_adsnn.files import write_json
from snntb_adsnn.registry import Registry

EPOCHS, BATCH = 25, 32
RELU = "relu"
Score = Callable[[str, str, int, dict[str, np.ndarray]], float]
"""Test accuracy of a net by name, with an activation (``relu``, or a gradient of AAN), trained with a seed."""

FRAMEWORKS: Registry[str, Callable[[], Score]] = Registry("framework")


def digits() -> dict[str, np.ndarray]:
    """1,437 images for training and 360 for testing, 8 x 8 in [0, 1], with labels."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = (x[order] / 16).astype(np.float32).reshape(-1, 8, 8, 1), y[order]
    return {"x": x[:1437], "y": y[:1437], "x_test": x[1437:], "y_test": y[1437:]}


def _in_keras(keras: Any, activation: type[Any], **options: Any) -> Score:
    def score(net: str, kind: str, seed: int, data: dict[str, np.ndarray]) -> float:
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        model = activation_nets.NETS[net](keras, RELU if kind == RELU else activation(gradient=kind))
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
        model.fit(data["x"], data["y"], batch_size=BATCH, epochs=EPOCHS, verbose=0)
        return float(model.evaluate(data["x_test"], data["y_test"], verbose=0)[1])

    return score


def _one_thread() -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


@FRAMEWORKS.register("keras2")
def _keras_2() -> Score:
    from snntb_adsnn import AAN, keras

    _one_thread()
    # the steps of an epoch in one call: the same arithmetic in less time
    return _in_keras(keras, AAN, steps_per_execution=-(-1437 // BATCH))


@FRAMEWORKS.register("keras3")
def _keras_3() -> Score:
    import keras

    from snntb_adsnn.keras3 import AAN

    _one_thread()
    return _in_keras(keras, AAN, jit_compile=False)


@FRAMEWORKS.register("torch")
def _torch() -> Score:
    score: Score = import_module("benchmarks.activation_torch").score
    return score


def measure(framework: str, kinds: tuple[str, ...], seeds: int, file: Path) -> None:
    """Train what ``file`` does not hold yet, in this process."""
    found = json.loads(file.read_text()) if file.exists() else {}
    score, data = FRAMEWORKS.find(framework)(), digits()
    for seed in range(seeds):
        for net in activation_nets.NETS:
            for kind in kinds:
                runs = found.setdefault(net, {}).setdefault(kind, {})
                if str(seed) not in runs:
                    runs[str(seed)] = score(net, kind, seed, data)
                    write_json(file, found)


def table(found: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """A line for each net: mean and standard deviation over its seeds, in percent; and the means over all nets."""
    lines, means = [], {}
    for net, kinds in found.items():
        cells = []
        for kind, runs in kinds.items():
            values = [100 * value for value in runs.values()]
            means.setdefault(kind, []).append(mean(values))
            cells.append(f"{kind} {mean(values):.1f} ± {stdev(values) if len(values) > 1 else 0:.1f}")
        lines.append(f"{net}: {', '.join(cells)}")
    return [*lines, f"mean: {', '.join(f'{kind} {mean(values):.2f}' for kind, values in means.items())}"]


@click.command()
@click.option("--framework", "names", multiple=True, type=click.Choice(list(FRAMEWORKS)), help="Default: all.")
@click.option("--seeds", default=5, show_default=True, help="Seeds 0, 1, ... of each net.")
@click.option("--exact", is_flag=True, help="Train AAN with its exact gradient, too.")
@click.option("--folder", default="runs/activation", show_default=True, type=click.Path(path_type=Path))
@click.option("--here", is_flag=True, hidden=True)
def main(names: tuple[str, ...], seeds: int, exact: bool, folder: Path, here: bool) -> None:
    """Train five small nets with ReLU and with AAN; print mean and spread of the test accuracy."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = (RELU, "bounded", *(("exact",) if exact else ()))
    for name in names or tuple(FRAMEWORKS):
        file = folder / f"{name}.json"
        if here:
            measure(name, kinds, seeds, file)
            continue
        # frameworks do not share a process
        arguments = ["--framework", name, "--seeds", str(seeds), "--folder", str(folder), "--here"]
        command = [sys.executable, "-m", "benchmarks.activation", *arguments, *(["--exact"] if exact else [])]
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        print(name, *table(json.loads(file.read_text())), sep="\n  ")


if __name__ == "__main__":
    main()
