"""Small folders and archives of images for tests."""

import io
import tarfile

import numpy as np
from PIL import Image


def picture(seed=0, size=(12, 10)):
    """A random smooth picture as a PIL image; size is (width, height)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 3, 3), np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def write_folder(root, classes=("ant", "bee"), train=6, test=3, part="test", size=(12, 10)):
    """``root/train/CLASS/N.png`` and ``root/PART/CLASS/N.png``; the classes differ in brightness. Returns root."""
    for k, label in enumerate(classes):
        for name, count in (("train", train), (part, test)):
            (root / name / label).mkdir(parents=True, exist_ok=True)
            for i in range(count):
                image = picture(100 * k + i + (name == part) * 50, size)
                image.point(lambda v, k=k: v // 3 + 120 * k).save(root / name / label / f"{i}.png")
    return root


def write_archive(path, classes=("ant", "bee"), train=4, test=2, size=(12, 10), suffix="png"):
    """The same in a tar file, the members in no order; returns the pictures by member name."""
    pictures = {
        f"{part}/{label}/{i}.{suffix}": picture(100 * k + i + (part == "test") * 50, size)
        for part, count in (("test", test), ("train", train))
        for k, label in reversed(list(enumerate(classes)))
        for i in reversed(range(count))
    }
    with tarfile.open(path, "w:xz") as archive:
        for name, image in pictures.items():
            buffer = io.BytesIO()
            image.save(buffer, "PNG" if suffix == "png" else "JPEG")
            member = tarfile.TarInfo(name)
            member.size = buffer.tell()
            archive.addfile(member, io.BytesIO(buffer.getvalue()))
    return pictures
