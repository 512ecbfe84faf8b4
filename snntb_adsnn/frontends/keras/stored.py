"""What a model file is, found out without Keras: a model of Keras 2, or something else, which is named."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import h5py

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.files import reason

SUFFIXES = (".h5", ".keras")
"""Of models, in the order in which they are looked for."""

_LARGEST = 2**26
"""Bytes of the longest list of layers."""

_WEIGHTS = (
    "build the model in Python with tf_keras, give it its weights (load_weights), and save it by model.save('{}')."
)

_ITSELF = "save the model itself by model.save: as .keras with Keras 3, as .h5 with Keras 2."

_STARTS = (
    (b"version https://git-lfs", "a note of Git LFS where the model should be; fetch it by: git lfs pull."),
    (b"{", "a text (JSON?), which holds no weights; " + _WEIGHTS),
    (b"<", "a web page or XML, no model; download the file itself."),
    (b"\x80", "a pickle, which is never read here, for it could run code; save the model with Keras 2 as .h5."),
    (b"\x1f\x8b", "packed with gzip; unpack it."),
)
"""What files begin with that people have by the name of a model; what they are, and the way out."""

_OTHERS = (".json", ".weights.h5", ".hdf5", ".hdf", ".pb", ".tflite", ".onnx", ".pt", ".pth", ".pkl", ".npz")
"""Endings of what lies where the model is looked for, but is none, or has another name."""


def find_model(path: Path) -> Path | None:
    """The model file: ``path`` with ``.h5`` or ``.keras`` added, the first that is there."""
    # with_name, not with_suffix: a file name may hold dots
    return next((file for suffix in SUFFIXES if (file := path.with_name(path.name + suffix)).is_file()), None)


def need_file(path: Path) -> Path:
    """The model file of ``path``, see ``find_model``.

    Raises:
        ConversionError: there is none; what lies there instead is named.
    """
    if (file := find_model(path)) is None:
        instead = instead_of_model(path) or "train it first, or correct [paths] filename_ann."
        raise ConversionError(f"there is no model {path.with_name(path.name + SUFFIXES[0])} (nor .keras); {instead}")
    return file


def instead_of_model(path: Path) -> str | None:
    """What to do where there is no model, from what lies there; ``None`` where nothing does."""
    wanted = f"{path.name}.h5"
    if path.is_file() and path.suffix in SUFFIXES:
        return f"write filename_ann = {path.stem}, without the ending."
    if folder := next((f for f in (path, *(path.with_name(path.name + s) for s in SUFFIXES)) if f.is_dir()), None):
        if (folder / "keras_metadata.pb").is_file():
            return f"{folder} is a SavedModel folder; load it with tf_keras, and save it by model.save('{wanted}')."
        if (folder / "saved_model.pb").is_file():
            return f"{folder} is a SavedModel folder without Keras' layers; {_ITSELF}"
    there = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
    endings = [(f, f.name[len(path.name) :].lower()) for f in there if f.is_file() and f.name.startswith(path.name)]
    for file, ending in endings:
        if ending in (*SUFFIXES, ".hdf5", ".hdf"):
            right = path.with_name(path.name + (ending if ending in SUFFIXES else ".h5")).name
            return f"{file.name} is there; rename it to {right}."
    others = [file.name for file, ending in endings if ending in _OTHERS]
    if others and any(ending in (".json", ".weights.h5") for _, ending in endings):
        what = "hold layers and weights apart" if len(others) > 1 else f"holds no {_lacks(others[0])}"
        return f"{' and '.join(others)} {what}; " + _WEIGHTS.format(wanted)
    if others:
        return f"{' and '.join(others)} cannot be read here; save the model with Keras 2 as .h5."
    return None


def _lacks(name: str) -> str:
    return "weights" if name.endswith(".json") else "layers"


def configuration(file: Path) -> Any:
    """The layers of a model of Keras 2 or Keras 3, as its file describes them.

    Raises:
        ConversionError: the file cannot be read or is none of Keras; says what it is and what to do.
    """
    text, _ = _described(file)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(file, error) from None
    if not isinstance(found, dict):
        raise ConversionError(f"{file}: is damaged (its list of layers is none); copy it or save the model again.")
    return found


def is_keras_3(file: Path) -> bool:
    """Whether a file is a model of Keras 3; ``False`` where it cannot be read."""
    try:
        _, version = _described(file)
    except ConversionError:
        return False
    major = version.split(".")[0]
    return major.isdigit() and int(major) >= 3


def _described(file: Path) -> tuple[str | bytes, str]:
    """The list of layers in a model file, and Keras' version."""
    try:
        with file.open("rb") as stream:
            start = stream.read(64)
        if h5py.is_hdf5(file):
            text, version = _in_hdf5(file)
        elif start.startswith(b"PK"):
            text, version = _in_zip(file)
        else:
            raise ConversionError(f"{file}: is {_named(start, file)}")
    except (PermissionError, FileNotFoundError, IsADirectoryError) as error:
        raise ConversionError(
            f"{file}: cannot be read ({reason(error)}); check the path and its permissions."
        ) from None
    except _DAMAGED as error:
        raise _damaged(file, error) from None
    if file.suffix != ".keras" and start.startswith(b"PK"):
        right = file.with_suffix(".keras").name
        raise ConversionError(f"{file}: is in the format .keras, not .h5; rename it to {right}.")
    return text, version


_DAMAGED = (
    *(OSError, ValueError, TypeError, KeyError, LookupError, EOFError, MemoryError, RuntimeError),
    *(zlib.error, zipfile.BadZipFile, NotImplementedError),
)


def _damaged(file: Path, error: BaseException) -> ConversionError:
    reason = " ".join(str(error).split())[:120].rstrip(".")
    return ConversionError(f"{file}: is damaged or cut short ({reason}); copy it or save the model again.")


def _named(start: bytes, file: Path) -> str:
    if not start:
        return "empty; copy it or save the model again."
    if start[4:8] == b"TFL3":
        return "a TensorFlow Lite model, which is not read here; " + _ITSELF
    for mark, what in _STARTS:
        if start.lstrip().startswith(mark):
            return what.format(f"{file.stem}.h5")
    return "no model file: neither HDF5 (.h5) nor Keras' zip archive (.keras); save the model with Keras 2 as .h5."


def _in_hdf5(file: Path) -> tuple[str | bytes, str]:
    """The list of layers in an ``.h5`` file, and Keras' version."""
    with h5py.File(file, "r") as stored:
        if "model_config" in stored.attrs:
            text, version = (stored.attrs.get(key, "2") for key in ("model_config", "keras_version"))
            return text, _text(version)
        if "layer_names" in stored.attrs or {"layers", "_layer_checkpoint_dependencies"} & set(stored):
            raise ConversionError(f"{file}: holds weights without layers; {_WEIGHTS.format(f'{file.stem}_whole.h5')}")
    raise ConversionError(f"{file}: is an HDF5 file without a model; save the model with Keras 2 by model.save.")


def _in_zip(file: Path) -> tuple[str | bytes, str]:
    """The list of layers in a ``.keras`` file, and Keras' version."""
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        if "config.json" in names:
            version = "2"
            if "metadata.json" in names:
                version = _text(json.loads(_member(archive, "metadata.json")).get("keras_version", "2"))
            return _member(archive, "config.json"), version
    if any(name.endswith("data.pkl") for name in names):
        what = "a PyTorch model"
    elif any(name.endswith("saved_model.pb") for name in names):
        what = "a packed SavedModel folder"
    elif any(name.endswith(".npy") for name in names):
        what = "NumPy's arrays (.npz)"
    else:
        what = "a zip archive without a model"
    raise ConversionError(f"{file}: is {what}, no model of Keras 2; save the model with Keras 2 as .h5.")


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as member:
        return member.read(_LARGEST)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
