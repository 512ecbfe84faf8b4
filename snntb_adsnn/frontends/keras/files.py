"""Keras model files: read, and written whole and compressed, with weights rounded to fewer bits where that is asked
for."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.files import atomic_write
from snntb_adsnn.frontends.keras import activation  # noqa: F401  registers AAN, so that models load
from snntb_adsnn.frontends.keras.compat import keras, tf
from snntb_adsnn.frontends.keras.stored import configuration, is_keras_3, need_file
from snntb_adsnn.frontends.keras.trust import need_data_only


def load_model(path: Path, *, trust: bool = False) -> Any:
    """A Keras model from ``path`` with ``.h5`` or ``.keras`` added, the first that is there; not compiled.

    Raises:
        ConversionError: neither file is there, or it cannot be read as a Keras model, or it holds code and is not to be
            trusted.
    """
    return read_model(need_file(path), trust=trust)


def read_model(found: Path, *, trust: bool = False) -> Any:
    """A Keras model from a file; not compiled.

    Args:
        found: the file.
        trust: also load what holds Python code, which then runs; see ``trust.need_data_only``.

    Raises:
        ConversionError: it cannot be read as a Keras model, or it holds code and is not to be trusted.
    """
    if is_keras_3(found):
        raise ConversionError(
            f"{found}: is a model of Keras 3, and only those of Keras 2 (tf_keras) are read here. Build the same "
            "layers with tf_keras, copy the weights by new.set_weights(old.get_weights()), and save that as .h5."
        )
    configuration(found) if trust else need_data_only(found)
    try:
        if trust:
            return keras.models.load_model(found, compile=False, safe_mode=False)
        return keras.models.load_model(found, compile=False)
    except Exception as error:  # Keras raises whatever its readers raise
        raise ConversionError(f"{found}: cannot be read as a Keras 2 model {_reason(error)}") from error


_LONGEST = 250
"""Characters of a reason of Keras' that are shown."""

_UNKNOWN = re.compile(
    r"Unknown (?P<kind>\w+): '?(?P<name>[^'.]+)|Could not locate (?P<other>class|function) '(?P<its>[^']+)'"
)


def _reason(error: Exception) -> str:
    """Why Keras cannot read a file, and what to do."""
    text = " ".join(str(error).split())
    if unknown := _UNKNOWN.search(text):
        kind, name = unknown["kind"] or unknown["other"], (unknown["name"] or unknown["its"]).strip()
        return (
            f"({kind} {name!r} is not Keras' own). Rebuild the model from Keras' own layers, or convert it in a Python "
            "program that imports the module which registers it."
        )
    reason = re.split(r"Received|Please", text.rpartition("Exception encountered: ")[2])[0].strip(" .")
    short = reason if len(reason) <= _LONGEST else f"{reason[:_LONGEST]} ..."
    return (
        f"({short or type(error).__name__}). Copy the file again if it is damaged; else correct the model, and save it."
    )


def save_model(model: Any, path: Path) -> Path:
    """Save a Keras model as ``.h5``, atomically and compressed (HDF5's own gzip, which Keras reads as it is); returns
    the path."""
    return atomic_write(path, packed(model.save))


def packed(save: Callable[..., None]) -> bytes:
    """What ``save`` (a model's method) would write to an ``.h5`` file, compressed.

    All of it happens in memory: on a full disk HDF5 raises errors that nobody can catch.
    """
    memory = partial(h5py.File, mode="w", driver="core", backing_store=False)
    with memory("whole") as source, memory("packed") as target, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # .h5 is the only format that the toolbox reads
        save(source, save_format="h5")
        _copy(source, target)
        target.flush()
        return bytes(target.id.get_file_image())


def _copy(source: Any, target: Any) -> None:
    """Copy an HDF5 group with its attributes and members, arrays compressed."""
    for key, value in source.attrs.items():
        target.attrs[key] = value
    for name, member in source.items():
        if isinstance(member, h5py.Group):
            _copy(member, target.create_group(name, track_order=True))
        else:
            packed = {"chunks": member.shape, "compression": 9, "shuffle": True} if member.size > 1 else {}
            copied = target.create_dataset(name, data=member[()], **packed)
            copied.attrs.update(member.attrs)


def round_weights(model: Any, dtype: str) -> None:
    """Round the weights of convolutions and dense layers to a shorter floating-point type; they stay float32 variables.

    Batch norms are left alone: they are few, and precision matters there.

    Args:
        model: a net from ``build``.
        dtype: ``float32`` (nothing is rounded), ``float16`` or ``bfloat16``.
    """
    if dtype == "float32":
        return
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            layer.set_weights([tf.cast(tf.cast(w, dtype), tf.float32).numpy() for w in layer.get_weights()])
