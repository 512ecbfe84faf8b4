"""SNN Toolbox's data format: ``x_test.npz``, ``y_test.npz`` and ``x_norm.npz``, each with an array ``arr_0``."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np

from snntb_adsnn.data.dataset import NORM_SAMPLES, Dataset
from snntb_adsnn.data.source import Choice
from snntb_adsnn.errors import DataError
from snntb_adsnn.files import atomic_write, write_json
from snntb_adsnn.network.maps import Array

_MARKER = "dataset.json"
_DIGESTS = "sha256"


def write_toolbox_data(dataset: Dataset, folder: Path) -> None:
    """Write ``x_test.npz``, ``y_test.npz`` and ``x_norm.npz`` (key ``arr_0``), and a note of which data set they hold.

    Raises:
        OutputError: the folder cannot be written.
    """
    parts = {"x_norm": dataset.x_train[:NORM_SAMPLES], "y_test": dataset.y_test, "x_test": dataset.x_test}
    files = {f"{part}.npz": _packed(array) for part, array in parts.items()}
    # the note comes first: an interrupted run then leaves a folder known to be ours and incomplete
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    write_json(folder / _MARKER, {"dataset": dataset.name, "classes": dataset.classes, _DIGESTS: digests})
    for name, content in files.items():
        atomic_write(folder / name, content)


def _packed(array: Array) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, array)
    return buffer.getvalue()


def ensure_toolbox_data(choice: Choice, folder: Path) -> None:
    """Write the data set ``choice`` to ``folder`` unless it is there; files of the user's own are left alone.

    Raises:
        DataError: the data set cannot be loaded; or files would be written over that somebody has changed.
        OutputError: the folder cannot be written.
    """
    files = [folder / f"{part}.npz" for part in ("x_test", "y_test", "x_norm")]
    try:
        note = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
        marked, digests = note.get("dataset"), dict(note.get(_DIGESTS, {}))
    except FileNotFoundError:
        marked, digests = None, {}
        if any(file.exists() for file in files):
            return
    except (OSError, ValueError, AttributeError, TypeError):
        marked, digests = None, {}
    if marked != choice.state() or not all(file.exists() for file in files):
        dataset = choice.open(folder).sample(choice.test_images)
        if marked not in (None, choice.state()) and any(file.exists() for file in files):
            print(f"{folder}: held the data set {marked}; [training] dataset = {dataset.name} takes its place.")
        _remove_unchanged(files, digests)
        write_toolbox_data(dataset, folder)


def _remove_unchanged(files: list[Path], digests: dict[str, str]) -> None:
    """Take away what is to be written anew, unless it has changed since it was written; ``digests``: of what was, by
    name. Files of an interrupted writing are thus never taken for changed ones."""
    there = [file for file in files if file.is_file()]
    for file in there:
        if digests.get(file.name, found := hashlib.sha256(file.read_bytes()).hexdigest()) != found:
            raise DataError(
                f"{file}: somebody has changed it, and it would be written over: other data are missing or asked for; "
                f"move it away, or delete {file.parent / _MARKER} to keep the files of this folder as they are."
            )
    for file in there:
        file.unlink()
