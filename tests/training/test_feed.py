"""Training batches: everything once an epoch, augmented, and the same again when an epoch is repeated."""

import numpy as np
import pytest
from image_files import write_folder

from snntb_adsnn.config.training import TrainingSection
from snntb_adsnn.data import Dataset
from snntb_adsnn.data.folder import ImageFolder
from snntb_adsnn.training.feed import Batches, FolderBatches, array_feed, folder_feed

X = np.random.default_rng(0).random((23, 9, 8, 3), np.float32)
Y = np.eye(23, dtype=np.float32)


def epoch_of(batches):
    found = [batches[i] for i in range(len(batches))]
    return np.concatenate([x for x, _ in found]), np.concatenate([y for _, y in found])


def test_each_sample_once_an_epoch_in_an_order_of_its_own():
    orders = []
    for epoch in range(3):
        x, y = epoch_of(Batches(X, Y, 5, seed=1, epoch=epoch))
        orders.append(y.argmax(axis=1).tolist())
        np.testing.assert_array_equal(x, X[orders[-1]])
    assert all(sorted(order) == list(range(23)) for order in orders)
    assert orders[0] != orders[1] != orders[2]


def test_flips_and_shifts_are_windows_of_the_image_mirrored_outwards():
    padded = np.pad(X, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    seen = set()
    for epoch in range(4):
        x, y = epoch_of(Batches(X, Y, 6, seed=2, epoch=epoch, flip=True, shift=2))
        for image, label in zip(x, y.argmax(axis=1), strict=True):
            windows = {
                (i, j, flip): padded[label, i : i + 9, j : j + 8][:, :: -1 if flip else 1]
                for i in range(5)
                for j in range(5)
                for flip in (False, True)
            }
            seen.add(next(key for key, window in windows.items() if np.array_equal(window, image)))
    assert {key[0] for key in seen} == {key[1] for key in seen} == set(range(5))
    assert len(seen) > 30


@pytest.mark.parametrize("shift", [0, 2])
def test_cutout_blanks_a_square_around_any_pixel(shift):
    ones = np.ones_like(X)
    centres = set()
    for epoch in range(20):
        for image in epoch_of(Batches(ones, Y, 6, seed=4, epoch=epoch, shift=shift, cutout=3))[0]:
            rows, columns, _ = np.nonzero(image == 0)
            top, left, bottom, right = rows.min(), columns.min(), rows.max(), columns.max()
            assert not image[top : bottom + 1, left : right + 1].any()
            assert image.sum() == image.size - 3 * (bottom + 1 - top) * (right + 1 - left)
            # at the border a part of the square lies outside
            centres.add(
                (top + 1 if bottom - top == 2 else 8 * (top > 0), left + 1 if right - left == 2 else 7 * (left > 0))
            )
            assert bottom - top == 2 or top == 0 or bottom == 8
            assert right - left == 2 or left == 0 or right == 7
    assert centres == {(i, j) for i in range(9) for j in range(8)}
    assert ones.all()  # the data stay as they are


@pytest.mark.parametrize("kind", ["arrays", "folder"])
def test_an_epoch_depends_on_seed_and_number_alone(kind, tmp_path):
    if kind == "arrays":
        make = lambda epoch: Batches(X, Y, 6, seed=3, epoch=epoch, flip=True, shift=1)  # noqa: E731
    else:
        folder = ImageFolder.scan(write_folder(tmp_path), 8)
        make = lambda epoch: FolderBatches(  # noqa: E731
            folder, folder.train, folder.train_labels, 5, seed=3, epoch=epoch, augment=True, flip=True
        )
    once = make(1)
    before = epoch_of(once)
    once.on_epoch_end()  # Keras calls it, with several threads more than once an epoch
    for again in (epoch_of(once), epoch_of(make(1))):
        for a, b in zip(again, before, strict=True):
            np.testing.assert_array_equal(a, b)
    assert (epoch_of(make(2))[0] != before[0]).any()


def test_folder_batches_carry_the_labels_of_their_files(tmp_path):
    folder = ImageFolder.scan(write_folder(tmp_path), 8)
    x, y = epoch_of(FolderBatches(folder, folder.train, folder.train_labels, 5, seed=0))
    every = folder.load(list(folder.train))
    at = [next(i for i, image in enumerate(every) if np.array_equal(image, found)) for found in x]
    assert sorted(at) == list(range(12))
    np.testing.assert_array_equal(y.argmax(axis=1), folder.train_labels[at])


@pytest.mark.parametrize("kind", ["arrays", "folder"])
def test_batch_norms_are_measured_on_the_training_images_as_they_are(kind, tmp_path):
    augmented = {"flip": True, "architecture": "vgg_cifar", "validation_split": 0.5, "batch_size": 4}
    if kind == "arrays":
        x, y = np.repeat(X[:4], 4, axis=0), np.repeat(np.eye(4, dtype=np.float32), 4, axis=0)
        dataset = Dataset(x, y, x, y, "digits", ("a", "b", "c", "d"))
        settings = TrainingSection(dataset="digits", shift=2, cutout=3, **augmented)
        feed, allowed = array_feed(dataset, settings, tmp_path), X[:4]
    else:
        folder = ImageFolder.scan(write_folder(tmp_path, train=12), 8)
        settings = TrainingSection(dataset="image_folder", folder=tmp_path, **augmented)
        feed, allowed = folder_feed(folder, settings, tmp_path), folder.load(list(folder.train))
    found, labels = epoch_of(feed.calibration)
    assert all(any(np.array_equal(image, a) for a in allowed) for image in found)
    kept = epoch_of(feed.training(0))[1]
    assert sorted(labels.argmax(axis=1)) == sorted(kept.argmax(axis=1))
    assert labels.argmax(axis=1).tolist() != sorted(labels.argmax(axis=1))  # a part of them is a sample of all
