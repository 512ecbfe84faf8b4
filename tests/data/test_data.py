"""Data sets: what they hold, that splits are stable, and that damaged or missing files are named."""

import gzip
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from snntb_adsnn.data import Choice, Dataset, ensure_toolbox_data, load_dataset, one_hot, small, toolbox
from snntb_adsnn.data.mnist import read_idx
from snntb_adsnn.data.small import read_sonar
from snntb_adsnn.errors import DataError, OutputError


@pytest.mark.parametrize(
    ("name", "shape", "train", "test", "test_counts"),
    [
        ("iris", (4,), 100, 50, [17, 17, 16]),
        ("sonar", (60,), 138, 70, [33, 37]),
        ("digits", (8, 8, 1), 1297, 500, [50, 51, 49, 51, 50, 51, 50, 50, 48, 50]),
    ],
)
def test_loaders(name, shape, train, test, test_counts):
    dataset = load_dataset(name)
    assert dataset.x_train.shape == (train, *shape)
    assert dataset.x_test.shape == (test, *shape)
    assert {array.dtype for array in (dataset.x_train, dataset.y_train, dataset.x_test, dataset.y_test)} == {
        np.dtype(np.float32)
    }
    assert dataset.y_test.sum(axis=0).tolist() == test_counts
    again = load_dataset(name)
    assert np.array_equal(again.x_test, dataset.x_test)
    assert np.array_equal(again.y_train, dataset.y_train)


def test_sonar_is_the_published_set():
    x, labels = read_sonar(small._SONAR)
    assert x.shape == (208, 60)
    assert (labels == 1).sum() == 111
    # first row of the UCI file: 0.0200, 0.0371, ..., 0.0032, R
    assert x[0, :2] == pytest.approx([0.02, 0.0371])
    assert x[0, -1] == pytest.approx(0.0032)
    assert labels[0] == 0
    assert small._SONAR.stat().st_size < 100_000


def test_no_test_input_is_in_the_training_part():
    for name in ("sonar", "digits"):  # (two of the 150 irises are the same flower)
        dataset = load_dataset(name)
        train = {row.tobytes() for row in dataset.x_train}
        assert not any(row.tobytes() in train for row in dataset.x_test)


def test_unknown_name():
    with pytest.raises(DataError, match="'svhn' is unknown.*iris, sonar, digits, mnist"):
        load_dataset("svhn")


# ---- sonar.csv ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: line.rsplit(",", 2)[0] + ",R",
        lambda line: line.replace("0.02,", "x,", 1),
        lambda line: line.replace("0.02,", "1.5,", 1),
        lambda line: line.replace("0.02,", "nan,", 1),
        lambda line: line[:-1] + "?",
        lambda line: "",
    ],
)
def test_damaged_sonar(tmp_path, damage):
    lines = small._SONAR.read_text().replace('"', "").splitlines()
    lines[1] = damage(lines[1])
    path = tmp_path / "sonar.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match="line 2 is damaged"):
        read_sonar(path)


def test_missing_and_empty_sonar(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_sonar(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("V1\n")
    with pytest.raises(DataError, match="holds no data"):
        read_sonar(tmp_path / "empty.csv")


# ---- MNIST -------------------------------------------------------------------------------------------------------------


def idx_bytes(array):
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def tiny_mnist():
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (20, 28, 28), np.uint8),
        "y_train": np.arange(20, dtype=np.uint8) % 10,
        "x_test": rng.integers(0, 256, (10, 28, 28), np.uint8),
        "y_test": np.arange(10, dtype=np.uint8),
    }


@pytest.fixture
def no_mnist(tmp_path, monkeypatch):
    """A machine without MNIST and without a network."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("ADSNN_DATA", raising=False)

    def offline():
        raise Exception("URL fetch failure")

    from snntb_adsnn.frontends.keras.compat import keras

    monkeypatch.setattr(keras.datasets.mnist, "load_data", offline)
    return tmp_path


def write_idx(folder, arrays, suffix=""):
    folder.mkdir(parents=True, exist_ok=True)
    for key, name in {
        "x_train": "train-images-idx3-ubyte",
        "y_train": "train-labels-idx1-ubyte",
        "x_test": "t10k-images-idx3-ubyte",
        "y_test": "t10k-labels-idx1-ubyte",
    }.items():
        raw = idx_bytes(arrays[key])
        (folder / (name + suffix)).write_bytes(gzip.compress(raw) if suffix else raw)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("subfolder", ["mnist", "."])
def test_mnist_from_idx(no_mnist, tiny_mnist, monkeypatch, subfolder, suffix):
    write_idx(no_mnist / "data" / subfolder, tiny_mnist, suffix)
    monkeypatch.setenv("ADSNN_DATA", str(no_mnist / "data"))
    dataset = load_dataset("mnist")
    assert dataset.x_train.shape == (20, 28, 28, 1)
    np.testing.assert_allclose(dataset.x_test[..., 0] * 255, tiny_mnist["x_test"], atol=1e-4)
    assert dataset.y_test.argmax(axis=1).tolist() == list(range(10))


def test_mnist_from_keras_cache_comes_first(no_mnist, tiny_mnist, monkeypatch):
    cache = no_mnist / "keras" / "datasets" / "mnist.npz"
    cache.parent.mkdir(parents=True)
    np.savez(cache, **tiny_mnist)
    other = {key: array[::-1] for key, array in tiny_mnist.items()}
    write_idx(no_mnist / "data", other)
    monkeypatch.setenv("ADSNN_DATA", str(no_mnist / "data"))
    assert load_dataset("mnist").y_test.argmax(axis=1).tolist() == list(range(10))


def test_mnist_nowhere(no_mnist, monkeypatch):
    monkeypatch.setenv("ADSNN_DATA", str(no_mnist))
    with pytest.raises(DataError, match="neither at .*mnist.npz nor in .*download failed.*Set ADSNN_DATA"):
        load_dataset("mnist")


def test_a_part_of_mnist(no_mnist, tiny_mnist, monkeypatch):
    write_idx(no_mnist / "data", tiny_mnist)
    monkeypatch.setenv("ADSNN_DATA", str(no_mnist / "data"))
    (no_mnist / "data" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"data holds files of MNIST, but no t10k-labels-idx1-ubyte \(nor .gz of it\)"):
        load_dataset("mnist")


def test_a_place_of_data_that_is_not_there(no_mnist, monkeypatch):
    monkeypatch.setenv("ADSNN_DATA", str(no_mnist / "nowhere"))
    with pytest.raises(DataError, match=r"in \$ADSNN_DATA \(.*nowhere, which is no folder\), and its download failed"):
        load_dataset("mnist")
    monkeypatch.setenv("ADSNN_DATA", "")
    with pytest.raises(DataError, match=r"in \$ADSNN_DATA \(not set\), and its download failed \(URL fetch failure\)"):
        load_dataset("mnist")


def test_images_of_another_set_named_as_mnist(no_mnist, tiny_mnist, monkeypatch):
    write_idx(no_mnist / "data", {**tiny_mnist, "x_test": tiny_mnist["x_test"][:, :14]})
    monkeypatch.setenv("ADSNN_DATA", str(no_mnist / "data"))
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte holds an array of shape \(10, 14, 28\), not MNIST's"):
        load_dataset("mnist")


def test_a_pickle_is_never_read(no_mnist, tmp_path, monkeypatch):
    """Nor is what it would run."""

    class Payload:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "stolen",))

    cache = no_mnist / "keras" / "datasets" / "mnist.npz"
    cache.parent.mkdir(parents=True)
    objects = np.array([Payload()], dtype=object)
    np.savez(cache, **dict.fromkeys(("x_train", "y_train", "x_test", "y_test"), objects))
    with pytest.raises(DataError, match=r"the array x_train holds Python objects .* not real numbers; delete it"):
        load_dataset("mnist")
    cache.write_bytes(pickle.dumps(Payload()))
    with pytest.raises(DataError, match="mnist.npz is a pickle, which is never read"):
        load_dataset("mnist")
    assert not (tmp_path / "stolen").exists()


def test_damaged_keras_cache(no_mnist, tiny_mnist):
    cache = no_mnist / "keras" / "datasets" / "mnist.npz"
    cache.parent.mkdir(parents=True)
    np.savez_compressed(cache, **tiny_mnist)
    whole = cache.read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"PK nonsense"):
        cache.write_bytes(broken)
        with pytest.raises(DataError, match=r"mnist\.npz is .*; delete it, and MNIST is fetched again"):
            load_dataset("mnist")
    np.savez(cache, x_train=tiny_mnist["x_train"])
    with pytest.raises(DataError, match=r"holds the array x_train, but no y_train; delete it"):
        load_dataset("mnist")
    np.savez(cache, **{**tiny_mnist, "x_test": tiny_mnist["x_test"][:, :14]})
    with pytest.raises(DataError, match=r"mnist\.npz: the array x_test is not MNIST's"):
        load_dataset("mnist")


def test_labels_that_do_not_fit_the_images(no_mnist, tiny_mnist, monkeypatch):
    write_idx(no_mnist / "data", {**tiny_mnist, "y_test": tiny_mnist["y_test"][:7]})
    monkeypatch.setenv("ADSNN_DATA", str(no_mnist / "data"))
    with pytest.raises(DataError, match="10 test inputs and 7 labels"):
        load_dataset("mnist")
    write_idx(no_mnist / "data", {**tiny_mnist, "y_test": tiny_mnist["y_test"] + 1})
    with pytest.raises(DataError, match="labels run from 1 to 10"):
        load_dataset("mnist")


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_damaged_idx(tmp_path, suffix):
    good = idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    path = tmp_path / f"file{suffix}"

    def write(raw):
        path.write_bytes(gzip.compress(raw) if suffix else raw)

    write(good)
    assert read_idx(path).tolist() == np.arange(24).reshape(2, 3, 4).tolist()
    for raw in (good[:-1], good + b"x", good[:6], b"", b"\0\0\x0d" + good[3:], good[1:]):
        write(raw)
        with pytest.raises(DataError, match="not a whole idx file"):
            read_idx(path)
    if suffix:
        path.write_bytes(gzip.compress(good)[:-9])
        with pytest.raises(DataError, match="not a whole gzip file"):
            read_idx(path)
    path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(path)


# ---- labels and arrays -------------------------------------------------------------------------------------------------


def test_one_hot():
    assert one_hot([2, 0], 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    for labels in ([3], [-1], [0.5], [[0]]):
        with pytest.raises(DataError):
            one_hot(labels, 3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"x_test": np.zeros((0, 2), np.float32), "y_test": np.zeros((0, 2), np.float32)}, "must be one for each"),
        ({"y_test": np.ones((2, 2), np.float32)}, "not one-hot"),
        ({"y_test": np.zeros((2, 2), np.float32)}, "not one-hot"),
        ({"y_test": np.eye(3, dtype=np.float32)[:2]}, "do not fit 2 classes"),
        ({"x_test": np.full((2, 2), np.nan, np.float32)}, "NaN"),
        ({"x_test": np.zeros((2, 3), np.float32)}, "must agree"),
    ],
)
def test_arrays_that_do_not_fit(change, reason):
    x, y = np.zeros((2, 2), np.float32), np.eye(2, dtype=np.float32)
    good = {"x_train": x, "y_train": y, "x_test": x, "y_test": y, "name": "d", "classes": ("a", "b")}
    Dataset(**good)
    with pytest.raises(DataError, match=reason):
        Dataset(**{**good, **change})


# ---- files for a run ---------------------------------------------------------------------------------------------------


def stored(folder):
    return {path.stem: np.load(path)["arr_0"] for path in folder.glob("*.npz")}


def test_toolbox_format(tmp_path):
    from snntoolbox.datasets.utils import load_npz

    ensure_toolbox_data(Choice("iris"), tmp_path / "data")
    dataset = load_dataset("iris")
    assert np.array_equal(load_npz(str(tmp_path / "data"), "x_test.npz"), dataset.x_test)
    assert np.array_equal(load_npz(str(tmp_path / "data"), "y_test.npz"), dataset.y_test)
    assert np.array_equal(load_npz(str(tmp_path / "data"), "x_norm.npz"), dataset.x_train)


def test_changed_data_are_not_written_over(tmp_path):
    """Neither where a file is missing, nor for another data set; without the note, all files are the user's own."""
    ensure_toolbox_data(Choice("iris"), tmp_path)
    own = np.full((5, 4), 0.5, np.float32)
    np.savez_compressed(tmp_path / "x_test.npz", own)
    (tmp_path / "x_norm.npz").unlink()
    for name in ("iris", "digits"):
        with pytest.raises(
            DataError, match=r"x_test\.npz: somebody has changed it, .* move it away, or delete .*dataset"
        ):
            ensure_toolbox_data(Choice(name), tmp_path)
    (tmp_path / "dataset.json").unlink()
    ensure_toolbox_data(Choice("iris"), tmp_path)
    assert np.array_equal(stored(tmp_path)["x_test"], own)


@pytest.mark.parametrize("written", range(4))
def test_an_interrupted_writing_of_another_set_is_finished(written, tmp_path, monkeypatch):
    ensure_toolbox_data(Choice("iris"), tmp_path)
    original, calls = toolbox.atomic_write, []

    def killed(path, content):
        if len(calls) == written:
            raise KeyboardInterrupt
        calls.append(path)
        return original(path, content)

    monkeypatch.setattr(toolbox, "atomic_write", killed)
    if written < 3:
        with pytest.raises(KeyboardInterrupt):
            ensure_toolbox_data(Choice("digits"), tmp_path)
    monkeypatch.setattr(toolbox, "atomic_write", original)
    ensure_toolbox_data(Choice("digits"), tmp_path)
    assert stored(tmp_path)["x_test"].shape == (500, 8, 8, 1)


def test_another_data_set_takes_the_place_with_a_word(tmp_path, capsys):
    ensure_toolbox_data(Choice("iris"), tmp_path)
    (tmp_path / "x_norm.npz").unlink()
    ensure_toolbox_data(Choice("iris"), tmp_path)
    assert not capsys.readouterr().out
    ensure_toolbox_data(Choice("digits"), tmp_path)
    assert (
        capsys.readouterr().out == f"{tmp_path}: held the data set iris; [training] dataset = digits takes its place.\n"
    )


def test_data_are_written_once_and_again_when_incomplete_or_of_another_set(tmp_path):
    ensure_toolbox_data(Choice("iris"), tmp_path)
    first = (tmp_path / "x_test.npz").stat().st_mtime_ns
    ensure_toolbox_data(Choice("iris"), tmp_path)
    assert (tmp_path / "x_test.npz").stat().st_mtime_ns == first
    (tmp_path / "y_test.npz").unlink()
    ensure_toolbox_data(Choice("iris"), tmp_path)
    assert stored(tmp_path)["y_test"].shape == (50, 3)
    ensure_toolbox_data(Choice("sonar"), tmp_path)
    assert stored(tmp_path)["x_test"].shape == (70, 60)


def test_interrupted_writing_is_mended(tmp_path, monkeypatch):
    real = toolbox.atomic_write

    def interrupted(path, content):
        if path.name == "y_test.npz":
            raise KeyboardInterrupt
        return real(path, content)

    monkeypatch.setattr(toolbox, "atomic_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ensure_toolbox_data(Choice("iris"), tmp_path)
    monkeypatch.undo()
    ensure_toolbox_data(Choice("iris"), tmp_path)
    assert stored(tmp_path).keys() == {"x_test", "y_test", "x_norm"}


def test_own_data_of_the_user_are_left_alone(tmp_path):
    np.savez(tmp_path / "x_test.npz", np.zeros(3))
    ensure_toolbox_data(Choice("iris"), tmp_path)
    assert stored(tmp_path)["x_test"].shape == (3,)
    assert stored(tmp_path).keys() == {"x_test"}


def test_unwritable_folder(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="cannot be written"):
        ensure_toolbox_data(Choice("iris"), blocked / "data")
