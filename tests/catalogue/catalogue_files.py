"""The folders that cases begin with, and the files that they put there. What needs TensorFlow imports it itself."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from catalogue import CONFIG, change_ini, maker, start

SIMULATION = {"simulator": "adsnn", "duration": "60", "num_to_test": "23", "batch_size": "10"}


@start
def empty(folder: Path) -> None:
    """A folder with an empty configuration."""
    (folder / CONFIG).touch()


@start
def digits(folder: Path) -> None:
    """A model of the digits (not trained), its data and a configuration that runs them in a second."""
    _copy(_digits(), folder)
    change_ini(
        folder / CONFIG,
        {
            "paths": {"filename_ann": "net"},
            "simulation": SIMULATION,
            "adsnn": {"engine": "reference", "plots": "False"},
        },
    )


@start
def untrained(folder: Path) -> None:
    """A configuration that can be trained, and nothing else."""
    change_ini(
        folder / CONFIG,
        {
            "paths": {"filename_ann": "net", "path_wd": "run", "dataset_path": "data"},
            "simulation": SIMULATION,
            "training": {"dataset": "iris", "architecture": "iris", "epochs": "2"},
        },
    )


def _copy(source: Path, folder: Path) -> None:
    shutil.copytree(source, folder, dirs_exist_ok=True)


@cache
def _digits() -> Path:
    """Model and data, made once a process. The model stands in the repository, so that light cases need no Keras."""
    folder = Path(tempfile.mkdtemp(prefix="catalogue-"))
    from snntb_adsnn.data import load_dataset

    data = load_dataset("digits")
    np.savez_compressed(folder / "x_test.npz", data.x_test[:23].reshape(-1, 64))
    np.savez_compressed(folder / "y_test.npz", data.y_test[:23])
    shutil.copy(Path(__file__).parent / "net.h5", folder / "net.h5")
    return folder


@maker
def nothing(path: Path) -> None:
    """An empty file."""
    path.write_bytes(b"")


@maker
def folder(path: Path) -> None:
    """A folder with a file in it, where a file should be."""
    path.unlink(missing_ok=True)
    path.mkdir(parents=True)
    (path / "in the way").touch()


@maker
def byte_order_mark(path: Path) -> None:
    """What some editors put before a text."""
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
