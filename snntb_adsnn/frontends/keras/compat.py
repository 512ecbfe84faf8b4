"""The one place that imports TensorFlow: Keras 2, which SNN Toolbox needs (tf-keras from TensorFlow 2.16 on)."""

from __future__ import annotations

import sys
from importlib import import_module

from snntb_adsnn.errors import AdSNNError
from snntb_adsnn.frontends.keras.choice import quiet_start, select_keras_2

if "tensorflow" not in sys.modules:
    select_keras_2()

with quiet_start():
    import tensorflow as tf  # the environment must be set first

keras = tf.keras
if hasattr(keras, "ops"):  # only Keras 3 has it: TensorFlow was imported before us
    try:
        with quiet_start():
            keras = import_module("tf_keras")
    except ImportError:
        raise AdSNNError(
            "Keras 2 is missing, which SNN Toolbox needs; install it with: pip install tf-keras."
        ) from None


def need_keras_2() -> None:
    """Raise AdSNNError where ``tensorflow.keras``, which SNN Toolbox uses, is not Keras 2."""
    if hasattr(tf.keras, "ops"):  # not "is not keras": tf.keras is a stand-in that is replaced later
        raise AdSNNError(
            "TensorFlow was imported with Keras 3, which SNN Toolbox cannot use. Write 'from snntb_adsnn "
            "import keras' before tensorflow is imported, or set TF_USE_LEGACY_KERAS=1."
        )


__all__ = ["keras", "need_keras_2", "select_keras_2", "tf"]
