"""ReLU nets as they are: accuracy against spikes, beside integrate-and-fire conversions of the same nets.

``python -m benchmarks.relu --help``. Two plain ReLU nets are trained (the architectures ``mnist`` and ``vgg_cifar``
without their input neurons; the second starts from the shipped weights), converted with graded spikes and corrected
with training inputs. SpikingJelly's ``ann2snn`` converts the same nets, in a process of its own
(``benchmarks.relu_peer``). Steps are 1 ms here and one step there. What the folder holds is not computed again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from snntb_adsnn.files import atomic_path, write_json

DOCS = Path(__file__).parents[1] / "docs"
MODELS = Path(__file__).parents[1] / "configs" / "models"
PRECISIONS = (0.4, 0.8, 1.2, 1.6)
"""The m_f of all layers."""
TIMES = (10, 20, 30, 50, 70, 100, 150, 200, 300, 400)
"""When accuracies are read, ms."""
BATCH, CORRECTION, RECALIBRATION = 128, 100, 3840
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Case:
    """A net.

    Attributes:
        dataset, architecture: names in the registries.
        steps, rate: of training, and the learning rate, which falls to 0.
        start: shipped weights to start from; none: anew.
        images: test images simulated.
    """

    dataset: str
    architecture: str
    steps: int
    rate: float
    start: str
    images: int


CASES = {
    "mnist": Case("mnist", "mnist", 900, 0.002, "", 2_000),
    "cifar10": Case("cifar10", "vgg_cifar", 100, 0.0005, "cifar10.h5", 300),
}


# ---- nets ------------------------------------------------------------------------------------------------------------


def _model(case: Case, shape: tuple[int, ...], classes: int) -> Any:
    """The net with ReLU, and the image itself in place of input neurons."""
    from snntb_adsnn import keras
    from snntb_adsnn.nets.net import NETS, Layers

    class Plain(Layers):
        def bn_aan(self, x: Any, suffix: str, **normalization: Any) -> Any:
            return x if suffix == "input" else super().bn_aan(x, suffix, **normalization)

    inputs = keras.layers.Input(shape)
    hidden = NETS.find(case.architecture).hidden(Plain(keras.layers, "relu"), inputs)
    return keras.Model(inputs, keras.layers.Dense(classes, name="output")(hidden))


def _augmented(x: Array, random: np.random.Generator) -> Array:
    """Images moved by up to four pixels, half of them mirrored."""
    padded = np.pad(x, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="reflect")
    row, column = random.integers(0, 9, 2)
    moved = padded[:, row : row + x.shape[1], column : column + x.shape[2]]
    return np.where(random.random((len(x), 1, 1, 1)) < 0.5, moved[:, :, ::-1], moved)


def trained(case: Case, data: Any, file: Path) -> Any:
    """The trained model; trained and kept in ``file`` where that is not there."""
    from snntb_adsnn import keras

    if file.is_file():
        return keras.models.load_model(file, compile=False)
    import tensorflow as tf

    from snntb_adsnn.training.train import recalibrate

    keras.utils.set_random_seed(0)
    classes = int(data.y_train.max()) + 1 if data.y_train.ndim == 1 else data.y_train.shape[1]
    model = _model(case, data.input_shape, classes)
    if case.start:
        shipped = keras.models.load_model(MODELS / case.start, compile=False)
        for layer in model.layers:
            if layer.get_weights():
                layer.set_weights(shipped.get_layer(layer.name).get_weights())
    x, y = data.x_train, np.eye(classes, dtype=np.float32)[_classes(data.y_train)]
    random = np.random.default_rng(0)

    def batches() -> Iterator[tuple[Array, Array]]:
        while True:
            order = random.permutation(len(x))
            for at in range(0, len(x) - BATCH + 1, BATCH):
                chosen = order[at : at + BATCH]
                yield _augmented(x[chosen], random) if case.start else x[chosen], y[chosen]

    kinds = (tf.TensorSpec((BATCH, *data.input_shape), tf.float32), tf.TensorSpec((BATCH, classes), tf.float32))
    feed = tf.data.Dataset.from_generator(batches, output_signature=kinds).prefetch(4)
    rate = keras.optimizers.schedules.PolynomialDecay(case.rate, case.steps, 0.0)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1 if case.start else 0.0)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=0.02), loss, metrics=["accuracy"])
    model.fit(feed, steps_per_epoch=case.steps)
    # so few steps do not move Keras' averages of the batch norms far enough
    parts = [x[at : at + BATCH] for at in range(0, RECALIBRATION, BATCH)]
    recalibrate(model, [(_augmented(part, random) if case.start else part, None) for part in parts], RECALIBRATION)
    with atomic_path(file) as temporary:
        model.save(temporary, save_format="h5")
    return model


def _classes(y: Array) -> Array:
    return y.argmax(axis=1) if y.ndim > 1 else y


def described(model: Any) -> tuple[list[dict[str, Any]], dict[str, Array]]:
    """The layers of a chain in words, and their arrays by ``index/number``: what ``relu_peer`` builds in PyTorch."""
    layers, arrays = [], {}
    for layer in model.layers:
        settings = layer.get_config()
        found = {"kind": type(layer).__name__, "activation": settings.get("activation", "")}
        found |= {key: settings[key] for key in ("padding", "pool_size", "epsilon") if key in settings}
        arrays |= {f"{len(layers)}/{i}": weights for i, weights in enumerate(layer.get_weights())}
        layers.append(found)
    return layers, arrays


# ---- measuring -------------------------------------------------------------------------------------------------------


def curve(network: Any, x: Array, y: Array, ann: Array) -> dict[str, Any]:
    """Accuracy, agreement with the ANN and spikes per neuron until each of ``TIMES``."""
    from snntb_adsnn import simulate

    right, same, spikes = np.zeros(TIMES[-1]), np.zeros(TIMES[-1]), np.zeros(TIMES[-1])
    for start in range(0, len(x), 250):
        part = slice(start, start + 250)
        result = simulate(network, x[part], duration=TIMES[-1])
        right += (result.decisions == y[part, None]).sum(axis=0)
        same += (result.decisions == ann[part, None]).sum(axis=0)
        spikes += sum(result.spikes_per_step.values())
    at = np.array(TIMES) - 1
    return {
        "steps": list(TIMES),
        "accuracy": (right[at] / len(x)).tolist(),
        "agreement": (same[at] / len(x)).tolist(),
        "spikes_per_image": (np.cumsum(spikes)[at] / len(x)).tolist(),
        "neurons": network.neuron_count,
    }


def ours(case: Case, data: Any, model: Any, found: dict[str, Any], file: Path) -> None:
    """The curves of this package that ``found`` does not have; ``file`` keeps each."""
    from snntb_adsnn import convert
    from snntb_adsnn.measure.correction import correct_biases

    x, y = data.x_test[: case.images], _classes(data.y_test)[: case.images]
    calibration = data.x_train[:CORRECTION]
    ann = model.predict(x, verbose=0).argmax(axis=1)
    found["ann"] = float((ann == y).mean())
    network = convert(model, calibration)
    for m_f in PRECISIONS:
        for way, slopes in (("plain", None), ("biases", False), ("slopes", True)):
            if (name := f"adsnn {way} {m_f:g}") not in found:
                precise = network.with_m_f(m_f)
                if slopes is not None:
                    precise = correct_biases(precise, calibration, trained=network, slopes=slopes)
                found[name] = curve(precise, x, y, ann)
                write_json(file, found)
                print(name, *(f"{100 * a:.2f}" for a in found[name]["accuracy"]), flush=True)


@click.command()
@click.option("--net", "names", multiple=True, type=click.Choice(list(CASES)), help="Default: all.")
@click.option("--folder", default="runs/relu", show_default=True, type=click.Path(path_type=Path))
@click.option("--peer", default=sys.executable, help="A Python that has SpikingJelly.")
@click.option("--docs", is_flag=True, help="Write docs/relu.json and docs/relu.png.")
def main(names: tuple[str, ...], folder: Path, peer: str, docs: bool) -> None:
    """Accuracy against spikes of converted ReLU nets."""
    from snntb_adsnn.data import load_dataset

    folder.mkdir(parents=True, exist_ok=True)
    for name in names or tuple(CASES):
        case, data, file = CASES[name], load_dataset(CASES[name].dataset), folder / f"{name}.json"
        model = trained(case, data, folder / f"{name}.h5")
        found = json.loads(file.read_text()) if file.exists() else {}
        ours(case, data, model, found, file)
        layers, arrays = described(model)
        x, y = data.x_test[: case.images], _classes(data.y_test)[: case.images]
        with atomic_path(folder / f"{name}.npz") as temporary, temporary.open("wb") as stream:
            np.savez(stream, layers=json.dumps(layers), x=x, y=y, calibration=data.x_train[:1000], **arrays)
        command = [peer, "-m", "benchmarks.relu_peer", str(folder / f"{name}.npz"), str(folder / f"{name}_peer.json")]
        subprocess.run(command, check=True)
    if docs:
        _write_docs(folder)


def _write_docs(folder: Path) -> None:
    from benchmarks.relu_report import draw

    found = {}
    for name in CASES:
        ours_of, theirs = (json.loads((folder / f"{name}{end}.json").read_text()) for end in ("", "_peer"))
        found[name] = ours_of | theirs
    write_json(DOCS / "relu.json", found)
    with atomic_path(DOCS / "relu.png") as temporary:
        draw(found).savefig(temporary, format="png", dpi=120)


if __name__ == "__main__":
    main()
