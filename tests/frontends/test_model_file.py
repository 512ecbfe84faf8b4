"""Model files: what was saved is what is loaded, in less space."""

import subprocess
import sys

import numpy as np
import pytest

from snntb_adsnn.errors import OutputError
from snntb_adsnn.frontends.keras.activation import AAN
from snntb_adsnn.frontends.keras.compat import keras
from snntb_adsnn.frontends.keras.files import round_weights, save_model
from snntb_adsnn.nets import build
from snntb_adsnn.training.train import train


@pytest.fixture(scope="module")
def model():
    return build("resnet9", (16, 16, 3), 10, AAN(m_f=0.2))


def kernels(model):
    return [w for layer in model.layers for w in layer.get_weights() if layer.name.startswith(("conv", "output"))]


def test_a_saved_model_is_the_same_model_in_a_smaller_file(model, tmp_path):
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    path = save_model(model, tmp_path / "ours.h5")
    model.save(tmp_path / "keras.h5", save_format="h5")
    assert path.stat().st_size < (tmp_path / "keras.h5").stat().st_size
    loaded = keras.models.load_model(path)
    assert loaded.get_config() == model.get_config()
    assert loaded.loss is keras.losses.categorical_crossentropy
    assert all(np.array_equal(a, b) for a, b in zip(loaded.get_weights(), model.get_weights(), strict=True))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["keras.h5", "ours.h5"]


@pytest.mark.parametrize(("dtype", "bits", "share"), [("float16", 11, 0.65), ("bfloat16", 8, 0.5)])
def test_rounded_weights_need_fewer_bits_and_less_space(model, tmp_path, dtype, bits, share):
    twin = keras.models.clone_model(model)
    twin.set_weights([w + 0.1 for w in model.get_weights()])  # batch norms of values that rounding would change
    before, kept = kernels(twin), [layer.get_weights() for layer in twin.layers if layer.name.startswith("bn")]
    round_weights(twin, dtype)
    for old, new in zip(before, kernels(twin), strict=True):
        mantissa, _ = np.frexp(new)
        assert np.array_equal(mantissa * 2**bits, np.round(mantissa * 2**bits))
        assert np.all(np.abs(new - old) <= np.abs(old) * 2.0**-bits + 1e-7)  # half a unit of the last bit
    norms = [layer.get_weights() for layer in twin.layers if layer.name.startswith("bn")]
    assert all(
        np.array_equal(a, b) for old, new in zip(kept, norms, strict=True) for a, b in zip(old, new, strict=True)
    )
    size = save_model(twin, tmp_path / "rounded.h5").stat().st_size
    twin.save(tmp_path / "keras.h5", save_format="h5")
    assert size < share * (tmp_path / "keras.h5").stat().st_size


def test_training_rounds_the_weights_it_saves(training_config):
    result = train(training_config(epochs=1, weights="bfloat16"), progress=False)
    (saved,) = kernels(keras.models.load_model(result.model_file))[-2:-1]
    mantissa, _ = np.frexp(saved)
    assert np.array_equal(mantissa * 256, np.round(mantissa * 256))


def test_a_folder_that_cannot_be_written_is_named(model, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    with pytest.raises(OutputError, match="cannot be written"):
        save_model(model, blocked / "net.h5")


def test_a_full_disk_is_named(tmp_path):
    """HDF5 itself raises RuntimeError, or ends the program, where it closes a file that cannot grow."""
    program = (
        "import resource, signal, sys\nfrom pathlib import Path\nfrom snntb_adsnn.frontends.keras.activation import AAN\n"
        "from snntb_adsnn.errors import OutputError\nfrom snntb_adsnn.frontends.keras.files import save_model\n"
        "from snntb_adsnn.nets import build\nmodel = build('resnet9', (16, 16, 3), 10, AAN(m_f=0.2))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), -1))\n"
        "try:\n    save_model(model, Path(sys.argv[1]))\nexcept OutputError as error:\n    print(error)\n"
    )
    for size in (1000, 100_000, 1_000_000):
        command = [sys.executable, "-c", program, str(tmp_path / "net.h5"), str(size)]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "net.h5: cannot be written (it would be larger than a file may be here); free space" in ended.stdout
    assert not list(tmp_path.iterdir())
