"""Shared settings: TensorFlow with Keras 2, quiet, and Hypothesis without deadlines (machines are noisy)."""

import os

import pytest
from hypothesis import settings

# the suite has a time limit; ADSNN_EXAMPLES asks for more
settings.register_profile("default", deadline=None, max_examples=int(os.environ.get("ADSNN_EXAMPLES", "30")))
settings.load_profile("default")


def pytest_configure(config):
    if config.option.markexpr != "torch":
        from snntb_adsnn.frontends.keras.compat import select_keras_2

        select_keras_2()


def pytest_ignore_collect(collection_path, config):
    """TensorFlow and PyTorch in one process can crash: what imports PyTorch is read by ``make test-torch`` only."""
    return True if collection_path.name.startswith("test_torch") and config.option.markexpr != "torch" else None


@pytest.fixture
def training_config(tmp_path):
    """Configurations of short trainings: ``training_config(dataset, architecture, **keys of [training])``."""
    from snntb_adsnn.config import load_config

    def config(dataset="iris", architecture=None, **training):
        lines = [
            f"{key} = {value}"
            for key, value in {"epochs": 8, "batch_size": 20, "learning_rate": 0.03, **training}.items()
        ]
        path = tmp_path / "c.ini"
        path.write_text(
            "[paths]\npath_wd = run\ndataset_path = data\nfilename_ann = net\n"
            f"[training]\ndataset = {dataset}\narchitecture = {architecture or dataset}\n" + "\n".join(lines)
        )
        return load_config(path)

    return config
