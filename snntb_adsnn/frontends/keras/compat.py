"""The one place that imports TensorFlow: Keras 2, which SNN Toolbox needs (tf-keras from TensorFlow 2.16 on)."""

from __future__ import annotations

import sys

from snntb_adsnn.errors import AdSNNError
from snntb_adsnn.frontends.keras.choice import quiet_start, select_keras_2

if "tensorflow" not in sys.modules:
    select_keras_2()

with quiet_start():
    import tensorflow as tf  # the environment must be set first

keras = tf.keras
__all__ = ["keras", "select_keras_2", "tf"]

if hasattr(keras, "ops"):  # only Keras 3 has it
    raise AdSNNError(
        "TensorFlow was imported with Keras 3, which SNN Toolbox cannot use. Write 'from snntb_adsnn "
        "import keras' before tensorflow is imported, or set TF_USE_LEGACY_KERAS=1 (and install tf-keras)."
    )
