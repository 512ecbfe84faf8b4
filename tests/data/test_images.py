"""Images from archives and folders: colours, crops, order, and files that cannot be used."""

import numpy as np
import pytest
from image_files import picture, write_archive, write_folder
from PIL import Image

from snntb_adsnn.config.training import TrainingSection
from snntb_adsnn.data import ensure_toolbox_data, load_dataset
from snntb_adsnn.data.folder import ImageFolder
from snntb_adsnn.data.images import decode, read_archive, ycbcr
from snntb_adsnn.errors import DataError


def pillow_ycbcr(image):
    """Pillow's own conversion, which rounds to bytes (128 is the middle of a colour difference)."""
    return (np.asarray(image.convert("YCbCr"), np.float32) - [0, 128, 128]) / 127.5 - [1, 0, 0]


def test_colours_are_those_of_jpeg():
    image = picture(3)
    found = ycbcr(np.asarray(image))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, pillow_ycbcr(image), atol=1.01 / 127.5)
    primary = ycbcr(np.array([[0, 0, 0], [255, 255, 255], [0, 0, 255], [255, 0, 0]], np.uint8))
    np.testing.assert_allclose(primary[:, 0], [-1, 1, 2 * 0.114 - 1, 2 * 0.299 - 1], atol=1e-5)
    np.testing.assert_allclose(primary[2:, [1, 2]].diagonal(), [1, 1], atol=1e-5)


# ---- archives --------------------------------------------------------------------------------------------------------


def test_archive(tmp_path):
    pictures = write_archive(tmp_path / "a.tar.xz")
    x, y, classes = read_archive(tmp_path / "a.tar.xz")
    assert classes == ("ant", "bee")
    for part, count in (("train", 4), ("test", 2)):
        assert np.bincount(y[part]).tolist() == [count, count]
        for image, label in zip(x[part], y[part], strict=True):
            names = [name for name, picture in pictures.items() if np.array_equal(picture, image)]
            assert [name.split("/")[:2] for name in names] == [[part, classes[label]]]
    # mixed: a run on the first images meets every class
    assert set(y["train"][:4]) == {0, 1}
    np.testing.assert_array_equal(read_archive(tmp_path / "a.tar.xz")[0]["train"], x["train"])


@pytest.mark.parametrize("kind", ["cut off", "no archive", "missing"])
def test_damaged_archive(tmp_path, kind):
    path = tmp_path / "a.tar.xz"
    write_archive(path)
    if kind == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if kind == "cut off" else b"none")
    with pytest.raises(DataError, match=r"a\.tar\.xz: cannot be read"):
        read_archive(path)


@pytest.fixture
def tiny_cifar(tmp_path, monkeypatch):
    """ADSNN_DATA and Keras' cache point to folders of the test; the first holds an archive with CIFAR-10's classes."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("ADSNN_DATA", str(tmp_path))
    return write_archive(tmp_path / "cifar10_jpeg.tar.xz", size=(32, 32), suffix="jpg")


def test_cifar_from_an_archive_is_decoded_once(tiny_cifar, tmp_path):
    first = load_dataset("cifar10", cache=tmp_path / "cache")
    assert first.input_shape == (32, 32, 3)
    assert first.classes == ("ant", "bee")
    assert -1 <= first.x_train.min() < first.x_train.max() <= 1
    (tmp_path / "cifar10_jpeg.tar.xz").unlink()
    again = load_dataset("cifar10", cache=tmp_path / "cache")
    np.testing.assert_array_equal(again.x_test, first.x_test)
    (tmp_path / "cache" / "cifar10_rgb.npz").write_bytes(b"none")
    with pytest.raises(DataError, match=r"cifar10_rgb\.npz is no \.npz file; delete it, and it is decoded again"):
        load_dataset("cifar10", cache=tmp_path / "cache")


@pytest.mark.parametrize(("name", "classes"), [("cifar10", 10), ("cifar100", 100)])
def test_cifar_from_keras_comes_first(tiny_cifar, tmp_path, monkeypatch, name, classes):
    from snntb_adsnn.frontends.keras.compat import keras

    (tmp_path / "keras" / "datasets" / {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}[name]).mkdir(
        parents=True
    )
    x = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    y = np.array([[0], [1], [2], [classes - 1]])
    monkeypatch.setattr(getattr(keras.datasets, name), "load_data", lambda: ((x, y), (x, y)))
    dataset = load_dataset(name)
    assert dataset.y_test.shape == (4, classes)
    np.testing.assert_array_equal(dataset.x_train, ycbcr(x))


def test_cifar_nowhere(tmp_path, monkeypatch):
    from snntb_adsnn.frontends.keras.compat import keras

    def no_network():
        raise OSError("no network")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("ADSNN_DATA", raising=False)
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", no_network)
    with pytest.raises(DataError, match=r"cifar10 is neither.*ADSNN_DATA.*no network.*Set ADSNN_DATA"):
        load_dataset("cifar10")


# ---- folders ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["test", "val"])
def test_folder(tmp_path, part):
    root = write_folder(tmp_path, part=part)
    (root / "train" / "ant" / "notes.txt").write_text("no image")
    folder = ImageFolder.scan(root, 8)
    assert folder.classes == ("ant", "bee")
    assert (len(folder.train), len(folder.test)) == (12, 6)
    assert folder.train_labels.tolist() == [0] * 6 + [1] * 6
    assert [file.parent.name for file in folder.test] == ["ant"] * 3 + ["bee"] * 3


@pytest.mark.parametrize("size", [(12, 10), (10, 30), (8, 8), (300, 200)])
def test_centre_crop_of_the_resized_image(tmp_path, size):
    folder = ImageFolder.scan(write_folder(tmp_path, train=1, test=1, size=size), 21)
    (found,) = folder.load([folder.train[0]])
    assert found.shape == (21, 21, 3)
    # shorter side to 24 (= 21 * 256 / 224), then the middle
    width, height = (round(n * 24 / min(size)) for n in size)
    left, top = (width - 21) // 2, (height - 21) // 2
    whole = Image.open(folder.train[0]).convert("RGB").resize((width, height))
    np.testing.assert_allclose(found, pillow_ycbcr(whole.crop((left, top, left + 21, top + 21))), atol=1.01 / 127.5)


def test_random_crops_are_parts_of_the_image_and_drawn_by_the_generator(tmp_path):
    folder = ImageFolder.scan(write_folder(tmp_path, train=1, test=1, size=(24, 30)), 21)
    whole = ycbcr(np.asarray(Image.open(folder.train[0]).convert("RGB")))
    crops = folder.load([folder.train[0]] * 20, np.random.default_rng(0), flip=True)
    windows = [whole[i : i + 21, j : j + 21] for i in range(10) for j in range(4)]
    windows += [window[:, ::-1] for window in windows]
    places = [next(k for k, window in enumerate(windows) if np.array_equal(window, crop)) for crop in crops]
    assert len(set(places)) > 8
    assert min(places) < 40 <= max(places)
    np.testing.assert_array_equal(folder.load([folder.train[0]] * 20, np.random.default_rng(0), flip=True), crops)


def test_grey_and_transparent_images_are_taken_as_rgb(tmp_path):
    folder = ImageFolder.scan(write_folder(tmp_path, train=1, test=1), 8)
    for mode, file in zip(("L", "RGBA"), folder.train, strict=True):
        picture().convert(mode).save(file)
    assert folder.load(list(folder.train)).shape == (2, 8, 8, 3)


def spoil(root, kind):
    if kind == "no part":
        (root / "train").rename(root / "training")
    elif kind == "no class":
        for file in (root / "test" / "bee").iterdir():
            file.unlink()
    elif kind == "one class":
        for part in ("train", "test"):
            (root / part / "bee").rename(root / f"{part} bee")
    elif kind == "empty":
        for label in ("ant", "bee"):
            (root / "test" / label).rename(root / label)
    elif kind == "unreadable":
        (root / "train" / "bee" / "2.png").write_bytes(b"no image")
    else:
        file = root / "train" / "bee" / "2.png"
        file.write_bytes(file.read_bytes()[:-60])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("no part", r"train: there is no such folder"),
        ("no class", r"class folder test/bee is missing or empty"),
        ("one class", r"there is only the class ant; add another"),
        ("empty", r"no images in test/CLASS"),
        ("unreadable", r"train/bee/2\.png: cannot be read as an image"),
        ("cut off", r"train/bee/2\.png: cannot be read as an image"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, kind, words):
    spoil(write_folder(tmp_path), kind)

    def read():
        folder = ImageFolder.scan(tmp_path, 8)
        folder.load(list(folder.train))

    with pytest.raises(DataError, match=words):
        read()


def test_a_run_gets_some_test_images_of_every_class(tmp_path):
    root = write_folder(tmp_path / "images", classes=("ant", "bee", "cow"), test=20)
    settings = TrainingSection(
        dataset="image_folder", folder=root, image_size=8, test_images=30, architecture="vgg_cifar"
    )
    ensure_toolbox_data(settings.data, tmp_path / "data")
    x, y = (np.load(tmp_path / "data" / f"{name}_test.npz")["arr_0"] for name in "xy")
    assert x.shape == (30, 8, 8, 3)
    assert (y.sum(axis=0) > 4).all()
    folder = ImageFolder.scan(root, 8)
    every = folder.load(list(folder.test))
    for image, label in zip(x, y, strict=True):
        at = next(i for i, other in enumerate(every) if np.array_equal(other, image))
        assert folder.test_labels[at] == label.argmax()
    # another number of images: written again
    ensure_toolbox_data(settings.model_copy(update={"test_images": 5}).data, tmp_path / "data")
    assert len(np.load(tmp_path / "data" / "x_test.npz")["arr_0"]) == 5


def change(root, kind):
    if kind == "class":
        for part in ("train", "test"):
            (root / part / "ant").rename(root / part / "wasp")  # now the last class
    elif kind == "new class":
        write_folder(root, classes=("ant", "bee", "cow"))
    elif kind == "image":
        picture(seed=77).save(root / "test" / "bee" / "1.png")
    else:
        (root / "test" / "bee" / "9.png").write_bytes((root / "test" / "bee" / "1.png").read_bytes())


@pytest.mark.parametrize("kind", ["class", "new class", "image", "new image"])
def test_data_of_a_changed_folder_are_written_anew(tmp_path, kind):
    root = write_folder(tmp_path / "images")
    settings = TrainingSection(
        dataset="image_folder", folder=root, image_size=8, test_images=30, architecture="vgg_cifar"
    )

    def stored():
        ensure_toolbox_data(settings.data, tmp_path / "data")
        return [np.load(tmp_path / "data" / f"{name}_test.npz")["arr_0"] for name in "xy"]

    before = stored()
    marker = tmp_path / "data" / "dataset.json"
    written = marker.stat().st_mtime_ns
    stored()
    assert marker.stat().st_mtime_ns == written  # nothing changed
    change(root, kind)
    after = stored()
    assert any(a.shape != b.shape or (a != b).any() for a, b in zip(before, after, strict=True))
    folder = ImageFolder.scan(root, 8)
    every = folder.load(list(folder.test))
    for image, label in zip(*after, strict=True):
        at = next(i for i, other in enumerate(every) if np.array_equal(other, image))
        assert folder.test_labels[at] == label.argmax()


def test_more_bits_than_eight_are_refused(tmp_path):
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    with pytest.raises(DataError, match=r"ramp.png: has more than 8 bits a channel"):
        decode(tmp_path / "ramp.png", "ramp.png")
