"""Accuracies in the toolbox's words: of a run so far, and of the ANN, which is evaluated once."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from snntb_adsnn.measure.evaluate import Evaluation, columns
from snntb_adsnn.measure.outputs import OutputFigures
from snntb_adsnn.network.maps import Array
from snntb_adsnn.network.tasks import Classification, MultiLabel, Task


def in_top_k(outputs: Array, truth: Array, k: int) -> Array:
    """Whether the true class is among the ``k`` best: outputs (images, ..., classes), truth (images,) of classes."""
    if k == 1:
        return outputs.argmax(axis=-1) == truth.reshape(-1, *(1,) * (outputs.ndim - 2))
    true = np.take_along_axis(outputs, truth.reshape(-1, *(1,) * (outputs.ndim - 1)).astype(np.intp), axis=-1)
    return (outputs > true).sum(axis=-1) < k


# ---- the ANN -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answers:
    """What a model answered to a data set.

    Attributes:
        source: the array or iterator that held the inputs.
        outputs: what the model gave, all values of an image in a row, shape (images, values).
        tasks: what its outputs are for.
        targets: labels of each output, as its task takes them.
    """

    source: weakref.ref[Any]
    outputs: Array
    tasks: tuple[Task, ...]
    targets: list[Array]

    def scores(self, top_k: int) -> tuple[list[float], str]:
        """Loss, accuracy and top-k accuracy of the (first) output, as ``model.evaluate`` of the toolbox's models gives
        them, and what is printed of all. Where there are no classes, the last two are the accuracy; of values all
        three are the root mean square difference from the labels."""
        parts = [task.part for task in self.tasks]
        found = [
            _scores(task, values, truth, top_k)
            for task, values, truth in zip(self.tasks, columns(parts, self.outputs), self.targets, strict=True)
        ]
        names = [f"{part.name}: " if len(parts) > 1 else "" for part in parts]
        return found[0][0], "\n".join(f"{name}{text}" for name, (_, text) in zip(names, found, strict=True))


def _scores(task: Task, values: Array, truth: Array, top_k: int) -> tuple[list[float], str]:
    if task.name == Classification.name:
        chosen = np.take_along_axis(values, truth[:, None].astype(np.intp), axis=1)
        loss = float(-np.log(np.clip(chosen, 1e-7, 1)).mean())
        best = [float(in_top_k(values, truth, k).mean(dtype=np.float32)) for k in (1, top_k)]
        k = min(top_k, values.shape[1])
        return [loss, *best], f"Top-1 accuracy: {best[0]:.2%}\nTop-{k} accuracy: {best[1]:.2%}"
    error = float(np.sqrt(np.mean(np.square(values - truth.reshape(values.shape)))))
    if not task.decides:
        return [error] * 3, f"Root mean square difference from the labels: {error:.4g}"
    right = task.score(task.decide(values, potentials=False)[:, None], truth)
    accuracy = float(right.mean())
    if not isinstance(task, MultiLabel):
        return [error, accuracy, accuracy], f"Accuracy: {accuracy:.2%}"
    exact = float((right == 1).mean())
    return [error, accuracy, accuracy], f"Accuracy, mean of all labels: {accuracy:.2%}\nAll labels right: {exact:.2%}"


_answers: weakref.WeakKeyDictionary[Any, Answers] = weakref.WeakKeyDictionary()


def remember(model: Any, source: Any, outputs: Array, tasks: tuple[Task, ...], targets: list[Array]) -> Answers:
    """Keep what ``model`` answered to ``source``."""
    _answers[model] = Answers(weakref.ref(source), outputs, tasks, targets)
    return _answers[model]


def remembered(model: Any, source: Any) -> Answers | None:
    """What ``model`` answered to this very ``source`` (not one that is equal), if it was asked."""
    known = _answers.get(model)
    return known if known is not None and known.source() is source else None


def inherit(copy: Any, model: Any) -> None:
    """``copy`` has the same layers and weights as ``model``, and so its answers."""
    if (known := _answers.get(model)) is not None:
        _answers[copy] = known


# ---- a run -------------------------------------------------------------------------------------------------------


class Totals:
    """Accuracies of a classification over the batches so far."""

    def __init__(self, top_k: int) -> None:
        self.top_k = top_k
        self.truth: list[int] = []
        self.guesses: list[int] = []
        self._right = dict.fromkeys(("snn_top_k", "ann_top1", "ann_top_k"), 0)
        self._lines = [f"# samples | SNN top-1 | top-{top_k} | ANN top-1 | top-{top_k}"]

    def add(self, outputs: Array, ann_outputs: Array, truth: Array) -> None:
        """Count a batch: read-out after the last step and ANN outputs, shape (images, classes), true classes."""
        self.truth += truth.tolist()
        self.guesses += outputs.argmax(axis=-1).tolist()
        self._right["snn_top_k"] += int(in_top_k(outputs, truth, self.top_k).sum())
        self._right["ann_top1"] += int(in_top_k(ann_outputs, truth, 1).sum())
        self._right["ann_top_k"] += int(in_top_k(ann_outputs, truth, self.top_k).sum())
        figures = (self.snn_top1, self.snn_top_k, self.ann_top1, self.ann_top_k)
        self._lines.append(f"{len(self.truth)} " + " ".join(f"{figure:.2%}" for figure in figures))

    @property
    def snn_top1(self) -> float:
        """Share of images that the AdSNN classifies correctly after the last step."""
        return float(np.mean(np.array(self.truth) == self.guesses))

    @property
    def snn_top_k(self) -> float:
        """Share of images whose class is among the AdSNN's k best after the last step."""
        return self._right["snn_top_k"] / len(self.truth)

    @property
    def ann_top1(self) -> float:
        """The ANN's accuracy on the same images."""
        return self._right["ann_top1"] / len(self.truth)

    @property
    def ann_top_k(self) -> float:
        """The ANN's top-k accuracy on the same images."""
        return self._right["ann_top_k"] / len(self.truth)

    def message(self) -> str:
        """Progress after a batch."""
        return (
            f"{len(self.truth)} images so far (top-1, top-{self.top_k}): "
            f"SNN {self.snn_top1:.2%}, {self.snn_top_k:.2%}; ANN {self.ann_top1:.2%}, {self.ann_top_k:.2%}."
        )

    def table(self) -> str:
        """Content of the toolbox's ``accuracy.txt``."""
        return "\n".join(self._lines) + "\n"


class OutputTotals:
    """Figures of a run of another task, or of several outputs, over the batches so far.

    Args:
        evaluation: counts the run.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        self._lines = [
            "# samples | output (task): SNN accuracy | ANN accuracy, or agreement with the ANN | root mean square "
            "difference from it"
        ]

    def add(self) -> str:
        """Take what is counted now; returns the progress after a batch."""
        metrics = self._evaluation.metrics()
        texts = [_figures(output) for output in metrics.outputs]
        self._lines += [f"{metrics.num_images} {text}" for text in texts]
        return f"{metrics.num_images} images so far: {'; '.join(texts)}."

    def table(self) -> str:
        """Content of the toolbox's ``accuracy.txt``."""
        return "\n".join(self._lines) + "\n"


def _figures(output: OutputFigures) -> str:
    name = f"{output.name} ({output.task})"
    if output.snn_accuracy is not None:
        return f"{name}: SNN {output.snn_accuracy:.2%}, ANN {output.ann_accuracy or 0:.2%}"
    return f"{name}: agreement with the ANN {output.agreement or 0:.4f}, difference {output.rmse_to_ann or 0:.4g}"
