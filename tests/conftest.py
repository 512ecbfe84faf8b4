"""Shared settings: TensorFlow with Keras 2, quiet, and Hypothesis without deadlines (machines are noisy)."""

from hypothesis import settings

from snntb_adsnn.keras_compat import select_keras_2

select_keras_2()
settings.register_profile("default", deadline=None, max_examples=50)
settings.load_profile("default")
