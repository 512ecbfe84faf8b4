"""SNN Toolbox's data format: ``x_test.npz``, ``y_test.npz`` and ``x_norm.npz``, each with an array ``arr_0``."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np

from snntb_adsnn.data.dataset import NORM_SAMPLES, Dataset
from snntb_adsnn.data.source import Choice
from snntb_adsnn.files import atomic_write, write_json

_MARKER = "dataset.json"


def write_toolbox_data(dataset: Dataset, folder: Path) -> None:
    """Write ``x_test.npz``, ``y_test.npz`` and ``x_norm.npz`` (key ``arr_0``), and a note of which data set they hold.

    Raises:
        OutputError: the folder cannot be written.
    """
    # the note comes first: an interrupted run then leaves a folder known to be ours and incomplete
    write_json(folder / _MARKER, {"dataset": dataset.name, "classes": dataset.classes})
    x_norm = dataset.x_train[:NORM_SAMPLES]
    for name, array in (("x_norm", x_norm), ("y_test", dataset.y_test), ("x_test", dataset.x_test)):
        buffer = io.BytesIO()
        np.savez_compressed(buffer, array)
        atomic_write(folder / f"{name}.npz", buffer.getvalue())


def ensure_toolbox_data(choice: Choice, folder: Path) -> None:
    """Write the data set ``choice`` to ``folder`` unless it is there; files of the user's own are left alone.

    Raises:
        DataError: the data set cannot be loaded.
        OutputError: the folder cannot be written.
    """
    files = [folder / f"{part}.npz" for part in ("x_test", "y_test", "x_norm")]
    try:
        marked = json.loads((folder / _MARKER).read_text(encoding="utf-8")).get("dataset")
    except FileNotFoundError:
        marked = None
        if any(file.exists() for file in files):
            return
    except (OSError, ValueError, AttributeError):
        marked = None
    if marked != choice.state() or not all(file.exists() for file in files):
        write_toolbox_data(choice.open(folder).sample(choice.test_images), folder)
