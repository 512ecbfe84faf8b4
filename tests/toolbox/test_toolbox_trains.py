"""Spike trains in the toolbox's log files, against the dense arrays."""

import json
import math
import tempfile
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from toolbox_cases import IMAGES, dense_net, write_case

from snntb_adsnn.toolbox import run
from snntb_adsnn.toolbox.logs import save
from snntb_adsnn.toolbox.trains import SpikeTrains


def archive(folder, spikes, dt, order=None):
    """A log file that holds ``spikes``. ``order``: in which the images come."""
    shapes = {name: images.shape[2:] for name, images in spikes.items()}
    images, steps = next(iter(spikes.values())).shape[:2]
    trains = SpikeTrains({name: f"00{name}" for name in spikes}, shapes, steps, dt)
    for image in order or range(images):
        together = np.concatenate([s[image].reshape(steps, -1) for s in spikes.values()], axis=1)
        times = np.nonzero(together.T)[1].astype(np.int32)
        trains.add(image, times, together.sum(axis=0, dtype=np.int32))
    path = folder / "log.npz"
    save(path, {"before": 1, "spiketrains_n_b_l_t": trains.rows(), "after": 2})
    return path


def dense(spikes, dt):
    times = (dt * np.arange(1, spikes.shape[1] + 1)).astype(np.float32)
    return np.moveaxis(spikes, 1, -1) * times


@given(
    shape=st.sampled_from([(1,), (3,), (7, 5, 3), (40,)]),
    steps=st.integers(1, 700),
    images=st.integers(1, 4),
    dt=st.sampled_from([1.0, 0.5, 0.1, 1 / 3]),
    rate=st.sampled_from([0.0, 0.001, 0.02, 0.3, 1.0]),
    seed=st.integers(0, 2**16),
)
@example(shape=(4000,), steps=300, images=1, dt=1.0, rate=1e-6, seed=3)
@example(shape=(2,), steps=70000, images=1, dt=1.0, rate=0.01, seed=0)
def test_a_reader_sees_the_dense_arrays(shape, steps, images, dt, rate, seed):
    random = np.random.default_rng(seed)
    spikes = {"Conv2D": random.random((images, steps, *shape)) < rate, "Dense": random.random((images, steps, 2)) < 0.2}
    with tempfile.TemporaryDirectory() as folder:
        path = archive(Path(folder), spikes, dt, order=range(images)[::-1])
        with np.load(path, allow_pickle=True) as file:
            assert file.files == ["before", "spiketrains_n_b_l_t", "after"]
            assert file["after"] == 2
            table = file["spiketrains_n_b_l_t"]
    assert table.shape == (2, 2)
    assert list(table[:, 1]) == ["00Conv2D", "00Dense"]
    for found, expected in zip(table[:, 0], spikes.values(), strict=True):
        assert found.dtype == np.float32
        assert found.flags.writeable
        np.testing.assert_array_equal(found, dense(expected, dt))


def test_smaller_than_compressed_arrays_and_without_them(tmp_path):
    random = np.random.default_rng(0)
    spikes = {"Conv2D": random.random((4, 500, 3456)) < 0.01}
    arrays = dense(spikes["Conv2D"], 1.0)
    archive(tmp_path, spikes, 1.0)
    tracemalloc.start()
    path = archive(tmp_path, spikes, 1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < arrays.nbytes / 3  # an image's spikes as bytes, and all images' as bits
    assert path.stat().st_size < len(zlib.compress(arrays.tobytes(), 1)) / 2


@pytest.mark.parametrize("engine", ["reference", "event"])
def test_a_run_logs_them_image_by_image(tmp_path, engine):
    """Logged alone; ``test_toolbox`` logs and draws them together with everything else."""
    keys = "{'spiketrains_n_b_l_t', 'synaptic_operations_b_t'}"
    run(write_case(tmp_path, dense_net(), {"output": {"log_vars": keys}, "adsnn": {"engine": engine}}))
    folder = tmp_path / "log/gui/test"
    files = [np.load(folder / f"log_vars/{i}.npz", allow_pickle=True) for i in range(3)]
    rate = json.loads((folder / "results.json").read_text())["firing_rate_hz"]
    spikes = [[np.count_nonzero(train) for train in file["spiketrains_n_b_l_t"][:, 0]] for file in files]
    assert [file["spiketrains_n_b_l_t"][1, 0].shape for file in files] == [(10, 9, 60), (10, 9, 60), (3, 9, 60)]
    assert np.sum(spikes) / (21 * IMAGES * 0.06) == pytest.approx(rate)
    operations = sum(file["synaptic_operations_b_t"][:, -1].sum() for file in files)
    assert operations == pytest.approx(np.sum(spikes, axis=0) @ [9, 10] / 1e6)
    assert math.isclose(sum(file["avg_rate"] * len(file["true_classes_b"]) for file in files), rate / 1000 * IMAGES)
