"""Choice of Keras 2, made before TensorFlow is imported; this module does not import it."""

from __future__ import annotations

import os
from importlib import metadata

from snntb_adsnn.errors import AdSNNError


def _tensorflow_version() -> tuple[int, int]:
    for name in ("tensorflow", "tensorflow-cpu", "tf-nightly", "tensorflow-macos"):
        try:
            major, minor = metadata.version(name).split(".")[:2]
        except metadata.PackageNotFoundError:
            continue
        return int(major), int(minor)
    raise AdSNNError("TensorFlow is not installed; install it with: pip install tensorflow tf-keras.")


def select_keras_2() -> None:
    """Ask TensorFlow for Keras 2. Has an effect only before TensorFlow is imported."""
    # TF 2.15 and older are Keras 2 already, and break when the variable is set without tf_keras
    if _tensorflow_version() >= (2, 16):
        os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
