"""SNN Toolbox's input library for AAN models: load, evaluate, parse.

The toolbox's own parser folds batch norm and reorders layers, silently wrong for many nets. Here the parsed model is
the input model itself, frozen; folding is done by ``convert``, which checks it. So every net that can be converted
passes, and the parsed model's answers are the input model's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from snntoolbox.parsing.utils import AbstractModelParser

from snntb_adsnn.config import adsnn_section
from snntb_adsnn.errors import ConversionError
from snntb_adsnn.files import atomic_write
from snntb_adsnn.frontends import owner
from snntb_adsnn.frontends.models import ModelFile
from snntb_adsnn.measure.evaluate import flat_outputs
from snntb_adsnn.network.tasks import targets_of
from snntb_adsnn.run import need_shape
from snntb_adsnn.toolbox import ahead, origin
from snntb_adsnn.toolbox.accuracy import inherit, remember, remembered
from snntb_adsnn.toolbox.ahead import take
from snntb_adsnn.toolbox.settings import RUN_TRUSTS, check_inputs

TOLERANCE = 1e-5
"""Largest difference between input and parsed model."""

_TOP_K = 5
"""Of the input model, which the toolbox loads without its settings; the parsed model's k is ``[simulation] top_k``."""


def load(path: str, filename: str, **_: Any) -> dict[str, Any]:
    """The input model, as the toolbox asks for it: a dictionary with ``model`` and ``val_fn``."""
    model = take(Path(path) / filename, trust=bool(RUN_TRUSTS.get()))
    return {"model": model, "val_fn": model.predict_on_batch}


def evaluate(
    val_fn: Any, batch_size: int, num_to_test: int, x_test: Any = None, y_test: Any = None, dataflow: Any = None
) -> float:
    """Print the input model's figures, and return its accuracy, or what its task has in its place."""
    return _evaluate(val_fn.__self__, batch_size, num_to_test, x_test, y_test, dataflow, _TOP_K)[1]


def _evaluate(
    model: Any, batch_size: int, num_to_test: int, x_test: Any, y_test: Any, dataflow: Any, top_k: int
) -> list[float]:
    """Loss, top-1 and top-k accuracy of ``model`` (or what its task has in their place, see ``Answers.scores``), which
    is asked once for each data set."""
    source = dataflow if x_test is None else x_test
    answers = remembered(model, source)
    if answers is None:
        batches = list(_batches(model, batch_size, num_to_test, x_test, y_test, dataflow))
        labels = np.concatenate([y for _, y in batches])
        tasks = ahead.tasks_of_model(model, labels)
        targets = targets_of(tasks, labels, len(labels))
        outputs = np.concatenate([flat_outputs(model.predict_on_batch(x)) for x, _ in batches])
        answers = remember(model, source, outputs, tasks, targets)
    scores, text = answers.scores(top_k)
    print(f"{text}\n")
    return scores


def _batches(
    model: Any, batch_size: int, num_to_test: int, x_test: Any, y_test: Any, dataflow: Any
) -> Iterator[tuple[Any, Any]]:
    if x_test is None:
        dataflow.reset()
        for _ in range(-(-min(num_to_test, dataflow.n) // batch_size)):
            yield next(dataflow)
        return
    need_shape(model, x_test, Path("x_test.npz"))
    for start in range(0, len(x_test), batch_size):
        yield x_test[start : start + batch_size], y_test[start : start + batch_size]


class ModelParser(AbstractModelParser):  # type: ignore[misc]  # the toolbox has no types
    """Parser for ``model_lib = adsnn``, which the simulator chooses by itself."""

    def parse(self) -> None:
        """Nothing to take apart: see ``build_parsed_model``."""

    def build_parsed_model(self) -> Any:
        """A frozen copy of the input model, whose answers were compared with the input model's on real inputs.

        Raises:
            ConversionError: the copy cannot be made, or answers differently.
        """
        print("Building parsed model...\n")
        frontend = owner(self.input_model)
        assert frontend is not None, "load gave the model"
        self.parsed_model = frontend.files.copied(self.input_model, self.config.getint("simulation", "top_k"))
        content = partial(frontend.files.packed, self.parsed_model, self.parsed_model.save)
        self.parsed_model.save = _AtomicSave(content, frontend.suffixes[0], origin.model_of(self.config))
        self._check()
        inherit(self.parsed_model, self.input_model)
        ahead.inherit(self.parsed_model, self.input_model)
        self.parsed_model.summary()
        return self.parsed_model

    def _check(self) -> None:
        x = check_inputs(self.config, adsnn_section(self.config).check_images)
        need_shape(self.input_model, x, Path(self.config.get("paths", "dataset_path")) / "x_test.npz")
        models = self.input_model, self.parsed_model
        wanted, found = (flat_outputs(m.predict(x, batch_size=len(x), verbose=0)).astype(np.float64) for m in models)
        if not np.allclose(found, wanted, rtol=0, atol=TOLERANCE, equal_nan=True):
            raise ConversionError(
                f"after parsing the model deviates by {np.nanmax(np.abs(found - wanted)):.2g} (allowed: {TOLERANCE:g}) "
                f"on {len(x)} test inputs, so it is refused. Give layers with state of their own a get_config."
            )

    def evaluate(
        self, batch_size: int, num_to_test: int, x_test: Any = None, y_test: Any = None, dataflow: Any = None
    ) -> list[float]:
        """Loss, top-1 and top-k accuracy of the parsed model; on a data set that the input model has answered, its
        answers are the copy's."""
        top_k = self.config.getint("simulation", "top_k")
        return _evaluate(self.parsed_model, batch_size, num_to_test, x_test, y_test, dataflow, top_k)


class _AtomicSave:
    """``model.save`` that leaves no half-written file, and a note of the model beside it.

    Args:
        content: gives the bytes of a file.
        suffix: of such files; the toolbox names a file of Keras.
        source: the model that this one is a copy of.
    """

    def __init__(self, content: Callable[[], bytes], suffix: str, source: ModelFile | None) -> None:
        self._content, self._suffix, self._source = content, suffix, source

    def __call__(self, filepath: Any) -> None:
        path = Path(filepath).with_name(Path(filepath).name.removesuffix(".h5") + self._suffix)
        origin.forget_others(path)
        origin.note(atomic_write(path, self._content()), self._source)
