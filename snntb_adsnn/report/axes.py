"""What all figures of studies share: axes in matplotlib's own style, ticks of a logarithmic axis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib

matplotlib.use("Agg")  # files only; must come before pyplot

import matplotlib.pyplot as plt
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter


@contextmanager
def subplots(*shape: int, size: tuple[float, float], **options: Any) -> Iterator[tuple[Figure, Any]]:
    """``plt.subplots`` of ``shape`` (rows, columns) and ``size`` (inches), to be drawn into inside the context."""
    with plt.style.context("default"):  # SNN Toolbox sets large fonts for its own plots
        yield plt.subplots(*shape, figsize=size, layout="constrained", **options)


def logarithmic(axis: Axis) -> None:
    """Ticks at 1, 2 and 5 times powers of ten, written out."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
