# Array types are numba's to infer.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
"""Compiled loops that write spike trains as a deflate stream (RFC 1951), at a cost that follows the spikes.

A spike train in the toolbox's format is an array of float32 that is nearly all zeros. A compressor reads all of it;
here the zeros between two spikes become run lengths at once, and the CRC of what a reader will see is summed over the
spikes, because CRCs are linear (each spike adds a constant that depends on its place).
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint32, uint64

POLYNOMIAL = 0xEDB88320  # CRC-32 of zip files, lowest bit first
LONGEST = 258  # bytes of a deflate match


def _compiled(function):
    """numba's njit, with a cache where a folder for it can be written."""
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return njit(nogil=True)(function)


@_compiled
def multiply(a, b):
    """Product of two polynomials over GF(2) modulo the CRC's."""
    product = uint32(0)
    a, b = uint32(a), uint32(b)
    for bit in range(31, -1, -1):
        if (a >> uint32(bit)) & uint32(1):
            product ^= b
        b = (b >> uint32(1)) ^ (uint32(POLYNOMIAL) if b & uint32(1) else uint32(0))
    return product


@_compiled
def power(count):
    """x^(8 count): what multiplies a CRC when ``count`` bytes follow."""
    result, base = uint32(1 << 31), uint32(1 << 30)  # 1 and x, highest power in the lowest bit
    exponent = 8 * count
    while exponent:
        if exponent & 1:
            result = multiply(result, base)
        base = multiply(base, base)
        exponent >>= 1
    return result


@_compiled
def crc_of_spikes(codes):
    """By step, what a spike adds to the CRC register at the end of its neuron's train; ``codes``: uint32, the float32
    times' bits."""
    found = np.empty(len(codes), np.uint32)
    after, word = power(0), power(4)
    for t in range(len(codes) - 1, -1, -1):
        # four bytes shifted through the register are a product with x^32
        found[t] = multiply(multiply(uint32(codes[t]), word), after)
        after = multiply(after, word)
    return found


@_compiled
def shift_tables(count):
    """By byte of a CRC register, what it becomes when ``count`` zero bytes follow: shape (4, 256)."""
    tables = np.empty((4, 256), np.uint32)
    factor = power(count)
    for place in range(4):
        for value in range(256):
            tables[place, value] = multiply(uint32(value) << uint32(8 * place), factor)
    return tables


@_compiled
def _put(out, word, pending, filled, bits, count):
    """Append ``count`` < 64 bits; returns the number of words that are full, the bits behind them, and their number.

    Without a branch, which would be mispredicted at every other spike: the word is written whether full or not.
    """
    bits = uint64(bits)
    pending |= bits << uint64(filled)
    out[word] = pending
    rest = (bits >> uint64(1)) >> uint64(63 - filled)  # in two shifts: 64 at once would be undefined
    filled += count
    full = filled >> 6
    return word + full, rest if full else pending, filled & 63


@_compiled
def _long_run(out, word, pending, filled, count, runs, longest):
    """Append a run of ``count`` zero bytes, ``len(runs)`` or more, behind a byte that is not zero."""
    # the head of the run, as long matches as there are, and the rest as the end of a run that needs no match
    word, pending, filled = _put(out, word, pending, filled, runs[1, 0], runs[1, 1])
    matches, rest = divmod(count - 1, LONGEST)
    while matches:
        together = min(matches, longest[1])
        size = together * longest[0]
        word, pending, filled = _put(out, word, pending, filled, longest[2] & ((1 << size) - 1), size)
        matches -= together
    size = runs[rest + 1, 1] - runs[1, 1]
    return _put(out, word, pending, filled, runs[rest + 1, 0] >> runs[1, 1], size)


@_compiled
def encode(times, counts, steps, spikes, runs, longest, head, tail, tables, crcs, out):
    """Write one image's trains of a population as deflate blocks that end at a byte.

    Args:
        times: int32, steps of the spikes, neuron after neuron, and ``counts``: int32, spikes of each neuron.
        steps: length of a train.
        spikes: int64, by step: leading zero bytes of the float32, bits of its other bytes and their number.
        runs: int64, shape (LONGEST or more, 2): bits, and their number, of a run of that many zero bytes.
        longest: number of bits of the longest match, how many such matches fit a word, and the bits of that many.
        head, tail: int64 (n, 2), bits and their number of the block's head and of what ends it.
        tables, crcs: ``shift_tables`` of one train's bytes, ``crc_of_spikes``.
        out: uint64, long enough.

    Returns:
        bytes written, and what the spikes add to the CRC of as many zero bytes.
    """
    word, pending, filled = 0, uint64(0), 0
    for i in range(len(head)):
        word, pending, filled = _put(out, word, pending, filled, head[i, 0], head[i, 1])
    crc, run, e, end = uint64(0), 0, 0, 0
    for neuron in range(len(counts)):
        crc = uint64(
            tables[0, crc & uint64(255)]
            ^ tables[1, (crc >> uint64(8)) & uint64(255)]
            ^ tables[2, (crc >> uint64(16)) & uint64(255)]
            ^ tables[3, crc >> uint64(24)]
        )
        done = 0
        end += counts[neuron]
        while e < end:
            t = times[e]
            zeros = run + 4 * (t - done) + spikes[t, 0]
            bits, count = spikes[t, 1], spikes[t, 2]
            if zeros < len(runs) and count + runs[zeros, 1] < 64:  # nearly always
                bits, count = runs[zeros, 0] | bits << runs[zeros, 1], count + runs[zeros, 1]
            elif zeros < len(runs):
                word, pending, filled = _put(out, word, pending, filled, runs[zeros, 0], runs[zeros, 1])
            else:
                word, pending, filled = _long_run(out, word, pending, filled, zeros, runs, longest)
            word, pending, filled = _put(out, word, pending, filled, bits, count)
            crc ^= uint64(crcs[t])
            run, done = 0, t + 1
            e += 1
        run += 4 * (steps - done)
    if run < len(runs):
        word, pending, filled = _put(out, word, pending, filled, runs[run, 0], runs[run, 1])
    else:
        word, pending, filled = _long_run(out, word, pending, filled, run, runs, longest)
    for i in range(len(tail)):
        word, pending, filled = _put(out, word, pending, filled, tail[i, 0], tail[i, 1])
    # an empty stored block, whose lengths 0 and ~0 begin at the next byte
    word, pending, filled = _put(out, word, pending, filled, 0, 3)
    word, pending, filled = _put(out, word, pending, filled, 0, -filled % 8)
    word, pending, filled = _put(out, word, pending, filled, 0xFFFF0000, 32)
    out[word] = pending
    return 8 * word + filled // 8, crc
