"""Contents of the memories: ``$readmemh`` texts, one hexadecimal word a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from adsnn_hls.arithmetic import FixedType, Words

_SLICES = ((1024, 1 << 30), (2048, 9), (4096, 4), (8192, 2))
"""Deepest memory, and bits of a block RAM (18 kbit) in that shape."""


def hex_lines(words: Iterable[int], width: int) -> str:
    """Words of ``width`` bits."""
    digits = -(-width // 4)
    return "".join(f"{word:0{digits}x}\n" for word in words)


def memory_files(name: str, words: Sequence[int], width: int) -> dict[str, str]:
    """The files of a constant memory: one, or one for each slice of a deep memory (as in ``asn_rom``)."""
    slice_width = next((bits for depth, bits in _SLICES if len(words) <= depth), 1)
    if slice_width >= width:
        return {f"{name}.mem": hex_lines(words, width)}
    files = {}
    for number, low in enumerate(range(0, width, slice_width)):
        bits = min(slice_width, width - low)
        mask = (1 << bits) - 1
        files[f"{name}_{number:03d}.mem"] = hex_lines(((word >> low) & mask for word in words), bits)
    return files


def packed(rows: Any, width: int) -> list[int]:
    """Each row of raw words as one memory word: element 0 lowest, ``width`` bits each."""
    mask = (1 << width) - 1
    result = []
    for row in np.asarray(rows).tolist():
        word = 0
        for value in reversed(row):
            word = word << width | (value & mask)
        result.append(word)
    return result


def bias_memory(name: str, bias: Words, kind: FixedType, units: int) -> dict[str, str]:
    """Biases in groups of ``units``."""
    return memory_files(name, packed(bias.reshape(-1, units), kind.width), kind.width * units)


def records(name: str, fields: Sequence[tuple[int, Any]]) -> dict[str, str]:
    """One word for each record of fields (width, values), the first field highest."""
    total = sum(width for width, _ in fields)
    words = []
    for record in zip(*(values for _, values in fields), strict=True):
        word = 0
        for (width, _), value in zip(fields, record, strict=True):
            word = word << width | (int(value) & ((1 << width) - 1))
        words.append(word)
    return memory_files(name, words, total)
