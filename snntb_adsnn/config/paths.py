"""The section ``[paths]``: SNN Toolbox's own, as far as this package reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from snntb_adsnn.config.base import MUST, Section
from snntb_adsnn.config.names import name_mistake
from snntb_adsnn.files import check_writable


def _name(value: Any) -> Any:
    if mistake := name_mistake(str(value)):
        raise PydanticCustomError(MUST, "{mistake}", {"mistake": mistake})
    return value


class PathsSection(Section):
    """The keys of the toolbox's ``[paths]`` that this package reads; paths are absolute here.

    Attributes:
        path_wd: working folder: the model lies here, results are written here (default: the file's folder).
        dataset_path: folder of ``x_test.npz``, ``y_test.npz`` and ``x_norm.npz`` (default: ``path_wd``).
        filename_ann: file name of the model without its ending.
        ending: of the model's file, where ``filename_ann`` was written with it.
    """

    path_wd: Path
    dataset_path: Path
    filename_ann: Annotated[str, BeforeValidator(_name)]
    ending: str = ""

    @property
    def model(self) -> Path:
        """The model, with or without the ending of its file, as it was written."""
        return self.path_wd / f"{self.filename_ann}{self.ending}"

    @property
    def model_file(self) -> Path:
        """The Keras model, as training writes it."""
        return self.path_wd / f"{self.filename_ann}.h5"

    def need_writable(self) -> None:
        """Refuse a working folder that cannot take the model.

        Raises:
            OutputError: it cannot.
        """
        check_writable(self.model_file, "choose another path_wd")

    @property
    def training_state(self) -> Path:
        """What a training keeps between two epochs, and removes at its end."""
        return self.path_wd / f"{self.filename_ann}_training.npz"

    def data_file(self, part: str) -> Path:
        """``x_test``, ``y_test`` or ``x_norm`` as the file in the toolbox's format."""
        return self.dataset_path / f"{part}.npz"
