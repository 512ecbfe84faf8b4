"""The one place that imports TensorFlow: Keras 2, which SNN Toolbox needs (tf-keras from TensorFlow 2.16 on)."""

from __future__ import annotations

import os
import sys
from importlib import metadata

from snntb_adsnn.errors import AdSNNError


def _tensorflow_version() -> tuple[int, int]:
    for name in ("tensorflow", "tensorflow-cpu", "tf-nightly", "tensorflow-macos"):
        try:
            major, minor = metadata.version(name).split(".")[:2]
        except metadata.PackageNotFoundError:
            continue
        return int(major), int(minor)
    raise AdSNNError(
        "TensorFlow is not installed; install it with: pip install 'snntb-adsnn[tf]' (or tensorflow tf-keras)."
    )


def select_keras_2() -> None:
    """Ask TensorFlow for Keras 2. Has an effect only before TensorFlow is imported."""
    # TF 2.15 and older are Keras 2 already, and break when the variable is set without tf_keras
    if _tensorflow_version() >= (2, 16):
        os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


if "tensorflow" not in sys.modules:
    select_keras_2()

import tensorflow as tf  # noqa: E402  the environment must be set first

keras = tf.keras
__all__ = ["keras", "select_keras_2", "tf"]

if hasattr(keras, "ops"):  # only Keras 3 has it
    raise AdSNNError(
        "TensorFlow was imported with Keras 3, which SNN Toolbox cannot use. Import snntb_adsnn.keras_compat before "
        "tensorflow, or set TF_USE_LEGACY_KERAS=1 (and install tf-keras)."
    )
