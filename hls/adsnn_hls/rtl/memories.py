"""Contents of the memories: ``$readmemh`` texts, one hexadecimal word a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from adsnn_hls.fixed import FixedType, Words
from adsnn_hls.stages import AnalogStage, ConvStage, SynapticStage

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


def weight_memory(name: str, stage: SynapticStage, lanes: int) -> dict[str, str]:
    """Word (input, group) of a dense stage, (row, column, input channel, group) of a convolution."""
    width = stage.weight_type.width
    return memory_files(name, packed(stage.weights.reshape(-1, lanes), width), width * lanes)


def bias_memory(name: str, bias: Words, kind: FixedType, units: int) -> dict[str, str]:
    """Biases in groups of ``units``."""
    return memory_files(name, packed(bias.reshape(-1, units), kind.width), kind.width * units)


def gain_memory(name: str, stage: AnalogStage) -> tuple[dict[str, str], int]:
    """Words {gain, offset} for the input words in turn, and their number."""
    channels = stage.input_shape[-1:]
    by_channel = stage.gain.shape == channels and stage.offset.shape == channels
    shape = channels if by_channel else stage.input_shape
    gain, offset = (np.broadcast_to(a, shape).ravel() for a in (stage.gain, stage.offset))
    fields = [(stage.gain_type.width, gain.tolist()), (stage.offset_type.width, offset.tolist())]
    return _records(name, fields), len(gain)


def scatter_table(name: str, stage: ConvStage, groups: int) -> tuple[dict[str, str], dict[str, int]]:
    """The table of ``asn_scatter_conv``, and the widths of its fields."""
    height, width, channels = stage.image
    (top, _), (left, _) = stage.window.padding
    (rows, columns), (s, t) = stage.window.size, stage.window.strides
    out_rows, out_columns = stage.neurons.input_shape[:2]
    y, x, c = (a.ravel() for a in np.indices((height, width, channels)))
    oy, i = _first_tap(y + top, s, rows, out_rows)
    ox, j = _first_tap(x + left, t, columns, out_columns)
    word = (oy * out_columns + ox) * groups
    seen = (i < rows) & (j < columns)
    weights = np.where(seen, ((i * columns + j) * channels + c) * groups, 0)
    o, k = _bits(oy, ox), max(rows, columns).bit_length()  # the core counts i and j up
    widths = {"Q_W": o, "R_W": k, "WORD_W": _bits(word), "WEIGHT_W": _bits(weights)}
    fields = [(o, oy), (k, i), (o, ox), (k, j), (widths["WORD_W"], word)]
    return _records(name, [*fields, (widths["WEIGHT_W"], weights)]), widths


def _first_tap(position: Words, stride: int, size: int, outputs: int) -> tuple[Words, Words]:
    """Along one axis, for positions in the padded image: the last output that sees it and its tap (``size``: none)."""
    output = np.minimum(position // stride, outputs - 1)
    return output, np.minimum(position - output * stride, size)


def _bits(*values: Words) -> int:
    return max(1, max(int(a.max()) for a in values).bit_length())


def _records(name: str, fields: Sequence[tuple[int, Any]]) -> dict[str, str]:
    """One word for each record, the first field highest."""
    total = sum(width for width, _ in fields)
    words = []
    for record in zip(*(values for _, values in fields), strict=True):
        word = 0
        for (width, _), value in zip(fields, record, strict=True):
            word = word << width | (int(value) & ((1 << width) - 1))
        words.append(word)
    return memory_files(name, words, total)
