"""Arrays that begin on a cache line."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def aligned(size: int, dtype: type[np.generic] = np.float32) -> NDArray[Any]:
    """Zeros on a cache-line boundary."""
    width = np.dtype(dtype).itemsize
    raw = np.zeros(size * width + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size * width].view(dtype)


def aligned_floats(values: NDArray[Any]) -> NDArray[np.float32]:
    """``values`` as float32 on a cache-line boundary."""
    result = aligned(values.size)
    result[:] = values
    return result
