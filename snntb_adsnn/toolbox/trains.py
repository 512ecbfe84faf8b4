"""``spiketrains_n_b_l_t`` in the toolbox's log files, written at a cost that follows the spikes.

The toolbox's format is dense: float32 times, 0 where there is no spike, which for a net of 5,000 neurons and 500 steps
is 10 MB an image. Filling and compressing that takes many times as long as simulating it. Here the arrays never exist:
``_deflate`` writes what a compressor would have made of them. ``numpy.load`` reads the same arrays as ever.
"""

from __future__ import annotations

import heapq
import io
import math
import pickle
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from snntb_adsnn.network.maps import Array
from snntb_adsnn.toolbox import _deflate
from snntb_adsnn.toolbox.shims import labelled

_USUAL_RATE = 0.01  # spikes a step that the code is made for; others cost a few more bytes
_LONGEST_CODE = 12  # bits; four of them, or two and a run's length, fit the encoder's words
_END_OF_BLOCK, _FIRST_LENGTH, _SYMBOLS = 256, 257, 286
_EXTRA_BITS = (0,) * 8 + tuple(bits for bits in range(1, 6) for _ in range(4)) + (0,)  # RFC 1951, 3.2.5
_LENGTHS = np.array([*np.cumsum((3, *(1 << bits for bits in _EXTRA_BITS[:-2]))), _deflate.LONGEST])


class SpikeTrains:
    """The trains of one batch after the other, each gathered image by image.

    Args:
        labels: by population, the toolbox's label.
        shapes: by population, its shape.
        steps: length of a train.
        dt: time step, ms; a spike in step t (from 0) stands at place t as the float32 dt * (t + 1).
    """

    def __init__(self, labels: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]], steps: int, dt: float) -> None:
        self.labels, self.shapes = labels, shapes
        self._steps = steps
        code = _Code((dt * np.arange(1, steps + 1)).astype("<f4").view("<u4"))
        self._encoders = {name: _Encoder(math.prod(shape), code) for name, shape in shapes.items()}
        self._images: dict[int, dict[str, tuple[bytes, int]]] = {}

    def clear(self) -> None:
        """Begin the next batch."""
        self._images.clear()

    def add(self, image: int, times: Array, counts: Array) -> None:
        """Take an image, as a ``SpikeObserver`` does: steps of the spikes neuron by neuron, spikes of each neuron."""
        encoded, neuron, start = {}, 0, 0
        for name, encoder in self._encoders.items():
            part = counts[neuron : neuron + encoder.neurons]
            end = start + int(part.sum())
            encoded[name] = encoder.encode(times[start:end], part)
            neuron, start = neuron + encoder.neurons, end
        self._images[image] = encoded

    def write(self, archive: zipfile.ZipFile, name: str) -> None:
        """Add the entry ``name`` to an ``.npz`` file: an object array of shape (populations, 2), each row the trains,
        float32 of shape (images, *population, steps), and the label."""
        marks = {population: b"trains of " + population.encode() for population in self.labels}
        images = len(self._images)
        rows = [
            (_Mark(marks[population], (images, *self.shapes[population], self._steps)), label)
            for population, label in self.labels.items()
        ]
        stream, rest = _Stream(), _header(len(rows)) + b"\x80\x04" + pickle.dumps(labelled(rows), protocol=3)[2:]
        for population, mark in marks.items():
            # the pickle says: bytes, their number, the mark; in its place come 8 bytes of number and the trains
            before, found, rest = rest.partition(pickle.dumps(mark, protocol=3)[2:].partition(mark)[0] + mark)
            assert found, "pickle has changed how it writes bytes"
            encoder = self._encoders[population]
            stream.add(before + pickle.BINBYTES8 + struct.pack("<Q", encoder.size * images))
            for image in range(images):
                data, crc = self._images[image][population]
                stream.add_encoded(data, encoder.size, encoder.shift, crc)
        stream.add(rest)
        stream.write(archive, name)


class _Mark:
    """Stands for an array in a pickle: pickles as NumPy pickles it, with ``mark`` in the place of the data."""

    def __init__(self, mark: bytes, shape: tuple[int, ...]) -> None:
        self.mark, self.shape = mark, shape

    def __reduce__(self) -> Any:
        reduced: Any = np.empty(0, np.float32).__reduce__()
        make, arguments, (version, _, dtype, fortran, _) = reduced
        return make, arguments, (version, self.shape, dtype, fortran, self.mark)


def _header(rows: int) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|O", "fortran_order": False, "shape": (rows, 2)})
    return buffer.getvalue()


class _Stream:
    """A deflate stream in pieces, each of which ends at a byte."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size, self.crc = 0, 0

    def add(self, data: bytes) -> None:
        """Compress ``data``."""
        compressor = zlib.compressobj(level=1, wbits=-15)
        encoded = compressor.compress(data) + compressor.flush(zlib.Z_FULL_FLUSH)
        self.add_encoded(encoded, len(data), _deflate.power(len(data)), zlib.crc32(data))

    def add_encoded(self, encoded: bytes, size: int, shift: int, crc: int) -> None:
        """Append what stands for ``size`` bytes with that CRC; ``shift``: ``_deflate.power(size)``."""
        self.pieces.append(encoded)
        self.size += size
        self.crc = int(_deflate.multiply(self.crc, shift)) ^ crc

    def write(self, archive: zipfile.ZipFile, name: str) -> None:
        """Add the stream to ``archive``, which knows no way to take what is compressed already."""
        assert archive.fp is not None
        self.pieces.append(b"\x03\x00")  # an empty last block
        info = zipfile.ZipInfo(name)
        info.compress_type, info.header_offset = zipfile.ZIP_DEFLATED, archive.fp.tell()
        info.external_attr = 0o600 << 16
        info.CRC, info.file_size, info.compress_size = self.crc, self.size, sum(map(len, self.pieces))
        archive.fp.write(info.FileHeader(zip64=True))
        archive.fp.writelines(self.pieces)
        archive.filelist.append(info)
        archive.NameToInfo[name] = info
        archive.start_dir = archive.fp.tell()  # where the next entry, or the directory, goes


class _Encoder:
    """Trains of one population."""

    def __init__(self, neurons: int, code: _Code) -> None:
        self.neurons, self._code = neurons, code
        self.size = 4 * neurons * code.steps
        self.shift = int(_deflate.power(self.size))
        self._silence = int(_deflate.multiply(0xFFFFFFFF, self.shift)) ^ 0xFFFFFFFF

    def encode(self, times: Array, counts: Array) -> tuple[bytes, int]:
        """Deflate blocks and CRC of one image, from the steps of its spikes neuron by neuron, and how many they are."""
        code = self._code
        out = np.empty(2 * len(times) + self.size // _deflate.LONGEST // 4 + 256, np.uint64)
        size, crc = _deflate.encode(times, counts, code.steps, *code.tables, code.shifts, code.crcs, out)
        return out.view(np.uint8)[:size].tobytes(), self._silence ^ int(crc)


class _Code:
    """A deflate block's Huffman code for runs of zeros and the times' bytes, and what the encoder needs of it.

    Args:
        values: float32 times by step, as uint32.
    """

    def __init__(self, values: Array) -> None:
        self.steps = len(values)
        self.shifts, self.crcs = _deflate.shift_tables(4 * self.steps), _deflate.crc_of_spikes(values)
        texts = [int(value).to_bytes(4, "little").lstrip(b"\0") for value in values]
        lengths = _code_lengths(_frequencies(texts))
        codes = _canonical_codes(lengths)

        def join(*parts: tuple[int, int]) -> tuple[int, int]:
            bits, count = 0, 0
            for more, width in parts:
                bits, count = bits | more << count, count + width
            return bits, count

        def literal(byte: int) -> tuple[int, int]:
            return codes[byte], lengths[byte]

        def match(length: int) -> tuple[int, int]:
            k = int(np.searchsorted(_LENGTHS, length, "right")) - 1
            symbol = _FIRST_LENGTH + k
            distance = (0, 1)  # of one byte: the only code there is
            return join((codes[symbol], lengths[symbol]), (length - int(_LENGTHS[k]), _EXTRA_BITS[k]), distance)

        zero, longest = literal(0), match(_deflate.LONGEST)
        rests = [(0, 0), zero, join(zero, zero), *map(match, range(3, _deflate.LONGEST))]
        # runs of zeros that fit one word: by number of longest matches, and by rest
        room = 63 - zero[1] - max(count for _, count in rests)
        heads = [join(zero, *[longest] * repeats) for repeats in range(room // longest[1] + 1)]
        head_bits, head_counts = np.array(heads, np.int64).T[..., None]
        rest_bits, rest_counts = np.array(rests, np.int64).T
        runs = np.stack([head_bits | rest_bits << head_counts, head_counts + rest_counts], axis=-1).reshape(-1, 2)
        spike_codes = [(4 - len(text), *join(*map(literal, text))) for text in texts]
        # dynamic block, all lengths given, one distance; the lengths themselves in a code of 4 bits each (0 to 15)
        order = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
        head = [(0b100, 3), (_SYMBOLS - _FIRST_LENGTH, 5), (0, 5), (len(order) - 4, 4)]
        head += [(4 if symbol < 16 else 0, 3) for symbol in order]
        head += [(_reversed(length, 4), 4) for length in (*lengths, 1)]
        tail = [literal(_END_OF_BLOCK)]
        self.tables = tuple(
            np.array(table, np.int64)
            for table in (
                spike_codes,
                np.concatenate([[(0, 0)], runs]),
                (longest[1], 63 // longest[1], join(*[longest] * (63 // longest[1]))[0]),
                head,
                tail,
            )
        )


def _frequencies(texts: list[bytes]) -> Array:
    """Expected uses of each symbol in a million steps."""
    spikes, size = 1e6 * _USUAL_RATE, 4e6
    uses = np.zeros(_SYMBOLS)
    for byte in b"".join(texts):
        uses[byte] += spikes / len(texts)
    uses[0] += spikes
    uses[_FIRST_LENGTH:-1] = spikes * np.diff(_LENGTHS) / _deflate.LONGEST
    uses[-1] = max(size / _deflate.LONGEST - spikes / 2, 0)
    used = [0, _END_OF_BLOCK, *range(_FIRST_LENGTH, _SYMBOLS), *set(b"".join(texts))]
    # none so rare that its code were too long
    uses[used] = np.maximum(uses[used], uses.sum() / 2 ** (_LONGEST_CODE - 2) + 1)
    return uses


def _code_lengths(frequencies: Array) -> list[int]:
    """Huffman's lengths of codes, at most ``_LONGEST_CODE``."""
    heap: list[tuple[float, int, list[int]]] = [(f, s, [s]) for s, f in enumerate(frequencies) if f]
    heapq.heapify(heap)
    lengths = [0] * len(frequencies)
    while len(heap) > 1:
        (f1, _, one), (f2, label, two) = heapq.heappop(heap), heapq.heappop(heap)
        for symbol in one + two:
            lengths[symbol] += 1
        heapq.heappush(heap, (f1 + f2, label, one + two))
    if max(lengths) > _LONGEST_CODE:
        return _code_lengths(np.where(frequencies, frequencies + frequencies.max() / 256, 0))
    return lengths


def _canonical_codes(lengths: list[int]) -> list[int]:
    """By symbol, its code with the first bit lowest (RFC 1951, 3.2.2)."""
    codes, code = [0] * len(lengths), 0
    for length in range(1, max(lengths) + 1):
        code <<= 1
        for symbol, own in enumerate(lengths):
            if own == length:
                codes[symbol] = _reversed(code, length)
                code += 1
    return codes


def _reversed(bits: int, count: int) -> int:
    return int(f"{bits:0{count}b}"[::-1], 2)
