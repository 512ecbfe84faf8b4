"""Model files that are damaged or of another kind: read, or refused in one line that names them."""

from pathlib import Path

import numpy as np
import pytest
from damage import damaged
from forged import assert_refused_or_read

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.frontends.keras.compat import keras
from snntb_adsnn.frontends.keras.files import read_model
from snntb_adsnn.frontends.keras.stored import configuration

NET = Path(__file__).parent.parent / "catalogue" / "net.h5"


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The bytes of one model in both formats, by ending."""
    folder = tmp_path_factory.mktemp("models")
    read_model(NET).save(folder / "net.keras")
    return {".h5": NET.read_bytes(), ".keras": (folder / "net.keras").read_bytes()}


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize(("read", "count"), [(configuration, 300), (read_model, 12)])
def test_a_damaged_model_is_read_or_refused(suffix, read, count, stored, tmp_path):
    random, path = np.random.default_rng(0), tmp_path / f"net{suffix}"
    changes = (damaged(stored[suffix], random) for _ in range(count))
    refused = assert_refused_or_read(path, changes, read, ConversionError)
    keras.backend.clear_session()
    assert refused > count / 6
