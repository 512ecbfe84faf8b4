"""Images from files: decoding, resizing and cropping, and the paper's colour space."""

from __future__ import annotations

import io
import struct
import tarfile
import zlib
from collections.abc import Iterator
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.errors import DataError
from snntb_adsnn.files import reason

Pixels = NDArray[np.uint8]

# BT.601, full range, as in JPEG
_YCBCR = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]],
    np.float32,
)


def ycbcr(rgb: Pixels) -> NDArray[np.float32]:
    """RGB bytes, shape (..., 3), as luma and two colour differences, each in [-1, 1] (the paper's input)."""
    values: NDArray[np.float32] = np.matmul(rgb.astype(np.float32) / np.float32(127.5), _YCBCR.T, dtype=np.float32)
    values -= np.array([1, 0, 0], np.float32)
    np.clip(values, -1, 1, out=values)
    return values


def decode(data: bytes | Path, name: str | Path) -> Any:
    """The image in ``data`` (the bytes of a file, or its path) as a PIL image in RGB.

    Raises:
        DataError: no image, or a damaged one; names it.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as image:
            if image.mode.startswith("I") or image.mode == "F":
                raise DataError(
                    f"{name}: has more than 8 bits a channel (mode {image.mode}), which would be cut off; save 8."
                )
            return image.convert("RGB")
    except UnidentifiedImageError:
        raise DataError(f"{name}: cannot be read as an image; replace or remove the file.") from None
    except Image.DecompressionBombError:
        raise DataError(f"{name}: has more pixels than any picture; replace or remove the file.") from None
    except (PermissionError, FileNotFoundError, IsADirectoryError) as error:
        raise DataError(f"{name}: cannot be read ({reason(error)}); check its permissions, or remove it.") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(f"{name}: cannot be read as an image ({why}); replace or remove the file.") from None


def read_archive(path: Path) -> tuple[dict[str, Pixels], dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Images of one size from a tar file with members ``train/CLASS/IMAGE`` and ``test/CLASS/IMAGE``.

    Returns:
        by part (``train``, ``test``) the images in mixed order, shape (images, height, width, 3), and their class
        numbers; the names of the classes, sorted.

    Raises:
        DataError: the file is missing or damaged, a class is missing in one part, or sizes differ.
    """
    found: dict[str, list[tuple[str, str, Pixels]]] = {"train": [], "test": []}
    try:
        with tarfile.open(path) as archive:
            for part, label, name, data in _members(archive):
                if part in found:
                    found[part].append((label, name, np.asarray(decode(data, f"{path}: {name}"))))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({reason(error)}); check path and permissions.") from None
    except (EOFError, tarfile.TarError, LZMAError, zlib.error, ValueError):
        raise DataError(f"{path}: cannot be read as a tar file, or is cut off; fetch the file again.") from None
    classes = same_classes({part: {label for label, _, _ in images} for part, images in found.items()}, path)
    x, y = {}, {}
    for part, images in found.items():
        images.sort(key=lambda image: image[:2])
        # mixed, always in the same way: the first images of a set stand for all of it
        images = [images[i] for i in np.random.default_rng(0).permutation(len(images))]
        shapes = {image.shape for _, _, image in images}
        if len(shapes) != 1:
            raise DataError(f"{path}: {part} images have the sizes {sorted(shapes)}; they must agree.")
        x[part] = np.stack([image for _, _, image in images])
        y[part] = np.array([classes.index(label) for label, _, _ in images])
    return x, y, classes


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, str, str, bytes]]:
    """Part, class, name and bytes of each file that lies in two folders."""
    for member in archive:
        parts = PurePosixPath(member.name).parts
        file = archive.extractfile(member) if member.isfile() and len(parts) >= 3 else None
        if file is not None:
            yield parts[-3], parts[-2], member.name, file.read()


def same_classes(found: dict[str, set[str]], place: Path) -> tuple[str, ...]:
    """The class names, sorted, where every part has the same.

    Raises:
        DataError: a part has no classes, or lacks one that another part has; there is only one class.
    """
    every = set().union(*found.values())
    for part, names in found.items():
        if not names:
            raise DataError(f"{place}: there are no images in {part}/CLASS/; put them there.")
        if missing := sorted(every - names):
            raise DataError(
                f"{place}: the class folder {part}/{missing[0]} is missing or empty, but another part has the class; "
                "every class needs images in each part."
            )
    if len(every) < 2:
        raise DataError(f"{place}: there is only the class {min(every)}; add another, one class teaches nothing.")
    return tuple(sorted(every))
