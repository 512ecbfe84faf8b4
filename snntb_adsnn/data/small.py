"""Small data sets that need no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.data.dataset import Array, Dataset, split
from snntb_adsnn.data.source import dataset
from snntb_adsnn.errors import DataError

_SONAR = Path(__file__).parent / "sonar.csv"


@dataset("iris")
def _iris(cache: Path | None) -> Dataset:
    """150 flowers, 4 lengths in cm, 50 of them for testing (scikit-learn)."""
    from sklearn.datasets import load_iris

    bunch = load_iris()
    return split(bunch.data, bunch.target, test_size=50, name="iris", classes=tuple(map(str, bunch.target_names)))


@dataset("sonar")
def _sonar(cache: Path | None) -> Dataset:
    """208 sonar echoes, 60 energies in [0, 1], 70 of them for testing (packaged file)."""
    x, labels = read_sonar(_SONAR)
    return split(x, labels, test_size=70, name="sonar", classes=("rock", "mine"))


def read_sonar(path: Path) -> tuple[Array, NDArray[np.intp]]:
    """Energies, shape (rows, 60), and labels (0: rock, 1: mine) from a ``sonar.csv`` with one header line.

    Raises:
        DataError: the file is missing or damaged; names the line.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()[1:]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); install the package again.") from None
    x, labels = [], []
    for number, line in enumerate(lines, 2):
        *energies, kind = line.replace('"', "").split(",")
        try:
            row = [float(value) for value in energies]
        except ValueError:
            row = []
        if len(row) != 60 or kind not in ("R", "M") or not all(0 <= value <= 1 for value in row):
            raise DataError(
                f"{path}: line {number} is damaged (60 numbers in [0, 1] and R or M wanted); install again."
            )
        x.append(row)
        labels.append(int(kind == "M"))
    if not x:
        raise DataError(f"{path}: holds no data; install the package again.")
    return np.array(x, np.float32), np.array(labels)


@dataset("digits")
def _digits(cache: Path | None) -> Dataset:
    """1797 images of 8 x 8 pixels in [0, 1], 500 of them for testing (scikit-learn)."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return split(bunch.images[..., None] / 16, bunch.target, test_size=500, name="digits", classes=tuple("0123456789"))
