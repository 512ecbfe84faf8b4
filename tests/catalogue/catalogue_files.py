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
def some_model(path: Path) -> None:
    """The model of the start ``digits``."""
    shutil.copy(Path(__file__).parent / "net.h5", path)


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


@maker
def utf_16(path: Path) -> None:
    """The text as some editors save it."""
    path.write_text(path.read_text(), encoding="utf-16")


@maker
def utf_16_without_mark(path: Path) -> None:
    """The same without the mark that tells."""
    path.write_text(path.read_text(), encoding="utf-16-le")


@maker
def latin_1(path: Path) -> None:
    """An umlaut in a comment, as old editors save it."""
    path.write_bytes(b"# f\xfcr alle\n" + path.read_bytes())


@maker
def dos_lines(path: Path) -> None:
    """Line ends of Windows."""
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


@maker
def old_mac_lines(path: Path) -> None:
    """Line ends of the Macs of the last century."""
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r"))


@maker
def zero_bytes(path: Path) -> None:
    """No text."""
    path.write_bytes(bytes(100))


@maker
def two_megabytes(path: Path) -> None:
    """Text, but no configuration."""
    path.write_text("# x\n" * 500_000)


@maker
def link_to_itself(path: Path) -> None:
    """A symbolic link that leads nowhere."""
    path.unlink(missing_ok=True)
    path.symlink_to(path.name)


@maker
def good_link(path: Path) -> None:
    """The file moved into a folder, and a symbolic link in its place."""
    target = path.parent / "elsewhere" / path.name
    target.parent.mkdir()
    path.rename(target)
    path.symlink_to(target)


@maker
def text_file(path: Path) -> None:
    """A file of text, whatever should be there."""
    path.write_text("text\n")


@maker
def copied(path: Path) -> None:
    """The configuration once more, elsewhere."""
    shutil.copy(path.parents[1] / CONFIG, path)


@maker
def all_here(path: Path) -> None:
    """A folder with all that lies beside it."""
    path.mkdir()
    for file in path.parent.iterdir():
        if file.is_file():
            shutil.copy(file, path)


@maker
def training_inputs(path: Path) -> None:
    """Twelve training inputs of the digits."""
    from snntb_adsnn.data import load_dataset

    np.savez_compressed(path, load_dataset("digits").x_train[:12].reshape(-1, 64))


@maker
def saved_under_another_name(path: Path) -> None:
    """The model, as ``path``."""
    shutil.move(path.parent / "net.h5", path)


@maker
def pictures(path: Path) -> None:
    """A folder with ten pictures, one of each class; three of them are not called .png."""
    from PIL import Image

    for number in range(10):
        folder = path / str(number)
        folder.mkdir(parents=True)
        ending = "jpg" if number > 6 else "png"
        Image.fromarray(np.full((8, 8), 20 * number, np.uint8)).save(folder / f"{number}.{ending}")


@maker
def relu_net(path: Path) -> None:
    """A model of the digits whose activation is ReLU, not trained."""
    from snntb_adsnn.frontends.keras.compat import keras

    keras.utils.set_random_seed(1)
    layers = keras.layers
    x = layers.Input((64,))
    h = layers.Dense(12, activation="relu")(x)
    keras.Model(x, layers.Dense(10, activation="softmax")(h)).save(path)
