"""What a training needs, checked before a framework is imported."""

from __future__ import annotations

import zipfile

import h5py

from snntb_adsnn.config import Config
from snntb_adsnn.config.training import TrainingSection
from snntb_adsnn.errors import ConfigError


def need_initial(config: Config) -> TrainingSection:
    """The section ``[training]``, whose ``initial`` is a model file, if it is given.

    Raises:
        ConfigError: there is no section, no such file, or it is no model.
    """
    section = config.need_training()
    path = section.initial
    if path is None:
        return section
    if not path.is_file():
        raise ConfigError(
            f"{config.file}: [training] initial = {path} does not exist; name a trained model, or leave it out."
        )
    if not (h5py.is_hdf5(path) or zipfile.is_zipfile(path)):
        raise ConfigError(f"{config.file}: [training] initial = {path} is no model; name a .h5 or .keras file.")
    return section
