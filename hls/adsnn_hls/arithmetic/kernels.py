# Array types are numba's to infer.
# mypy: disable-error-code="no-untyped-def,untyped-decorator"
"""Compiled loops of the golden model: all steps of one stage for one image.

``stats`` has one row (low, high, overflows) for each of I, V, S_hat, theta_a.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

CLIP, WRAP, ZERO = 0, 1, 2


class Cast(NamedTuple):
    """An assignment: (x + (negative or positive)) >> shift rounds in every mode; ``even`` adds the tie bit."""

    shift: int
    negative: int
    positive: int
    even: int
    low: int
    high: int
    overflow: int
    spare: int  # 64 - width, to wrap signed words; -1 for unsigned words


class Filter(NamedTuple):
    """Equations 1 and 2: alignments (left shifts) and factors."""

    k_beta: int
    product: int
    drive: int
    current: Cast
    g_phi: int
    I_up: int
    V_up: int
    V_total: int
    potential: Cast


class Fire(NamedTuple):
    """Equations 4 to 7."""

    k_eta: int
    decay: Cast
    V_up: int
    S_hat_up: int
    theta_up: int
    jump: Cast
    S_hat_jump: int
    theta_jump: int
    k_gamma: int
    m_gamma: int
    theta0: int
    adapt: Cast
    onset: int
    corrective: int
    ahead_up: int


class Train(NamedTuple):
    """Spikes of all steps: numbers of neurons, those of step t at offsets[t] : offsets[t + 1].

    Of a negative spike of neuron n, the number is ~n.
    """

    events: Any
    offsets: Any


class Synapses(NamedTuple):
    """Weights as a convolution (rows, columns, inputs, outputs), and its geometry."""

    weights: Any
    image: tuple[int, int, int]
    size: tuple[int, int]
    strides: tuple[int, int]
    padding: tuple[int, int]
    output: tuple[int, int]


class Cells(NamedTuple):
    """Neurons: biases of all of them; pool: shape, output, size, strides, padding, dilation, or zeros for none."""

    filter: Filter
    fire: Fire
    bias: Any
    pool: tuple[tuple[int, int], ...]


@njit(inline="always")
def _round(x: int, c: Cast) -> int:
    bias = c.negative if x < 0 else c.positive
    return (x + bias + ((x >> c.shift) & c.even)) >> c.shift


@njit(inline="always")
def _fit(x: int, c: Cast) -> int:
    if c.overflow == CLIP:
        return min(max(x, c.low), c.high)
    if c.overflow == WRAP:
        return (x << c.spare) >> c.spare if c.spare >= 0 else x & c.high
    return x if c.low <= x <= c.high else 0


@njit(cache=True, nogil=True)
def _scatter(events, synapses, sums):
    """sums[output pixel, channel] = sum of the weights that the events reach, those of negative spikes subtracted."""
    weights, image, size, strides, padding, output = synapses
    sums[:] = 0
    columns, channels = image[1], image[2]
    for event in events:
        negative = event < 0
        number = ~event if negative else event
        c = number % channels
        pixel = number // channels
        y, x = pixel // columns + padding[0], pixel % columns + padding[1]
        for r in range(max(0, (y - size[0]) // strides[0] + 1), min(output[0] - 1, y // strides[0]) + 1):
            for s in range(max(0, (x - size[1]) // strides[1] + 1), min(output[1] - 1, x // strides[1]) + 1):
                row = weights[y - r * strides[0], x - s * strides[1], c]
                target = sums[r * output[1] + s]
                if negative:
                    for k in range(row.shape[0]):
                        target[k] -= row[k]
                else:
                    for k in range(row.shape[0]):
                        target[k] += row[k]


@njit(cache=True, nogil=True)
def _currents(I, acc, f, stats):
    """Equation 1 for all neurons."""
    k, c = np.int64(np.int32(f.k_beta)), f.current
    low, high, overflows = stats[0, 0], stats[0, 1], 0
    for p in range(len(I)):
        x = _round(((np.int64(I[p]) * k) << f.product) + (np.int64(acc[p]) << f.drive), c)
        y = _fit(x, c)
        overflows += x != y
        low, high = min(low, y), max(high, y)
        I[p] = y
    stats[0, 0], stats[0, 1] = low, high
    stats[0, 2] += overflows


@njit(cache=True, nogil=True)
def _potentials(I, V, f, stats):
    """Equation 2 for all neurons."""
    g, c = np.int64(np.int32(f.g_phi)), f.potential
    low, high, overflows = stats[1, 0], stats[1, 1], 0
    for p in range(len(I)):
        v = np.int64(V[p])
        x = _round((v << f.V_total) + g * ((np.int64(I[p]) << f.I_up) - (v << f.V_up)), c)
        y = _fit(x, c)
        overflows += x != y
        low, high = min(low, y), max(high, y)
        V[p] = y
    stats[1, 0], stats[1, 1] = low, high
    stats[1, 2] += overflows


@njit(cache=True, nogil=True)
def _pool(V, S, shape, output, size, strides, padding, dilation):
    """S = largest V of each window; V and S of shape (pixels, channels)."""
    for r in range(output[0]):
        for s in range(output[1]):
            target = S[r * output[1] + s]
            first = True
            for i in range(size[0]):
                y = r * strides[0] + i * dilation[0] - padding[0]
                for j in range(size[1]):
                    x = s * strides[1] + j * dilation[1] - padding[1]
                    if 0 <= y < shape[0] and 0 <= x < shape[1]:
                        source = V[y * shape[1] + x]
                        for k in range(len(target)):
                            target[k] = source[k] if first else max(target[k], source[k])
                        first = False


@njit(cache=True, nogil=True)
def _spikes(S, bias, S_hat, theta_a, f, waits, events, stats):
    """Equations 3 (bias) to 7; writes the numbers of the neurons that spike, and returns how many.

    ``waits``: none does.
    """
    count = 0
    for n in range(len(S)):
        x = _round(np.int64(S_hat[n]) * f.k_eta, f.decay)
        s = _fit(x, f.decay)
        a = np.int64(theta_a[n])
        theta = f.theta0 + a
        potential, response, level = (np.int64(S[n]) + bias[n]) << f.V_up, s << f.S_hat_up, theta << f.theta_up
        spike = 2 * (potential - response) > level
        negative = f.corrective != 0 and ((response - max(potential, 0)) << f.ahead_up) > f.corrective * level
        total = f.k_gamma * a
        stats[2, 2] += x != s
        stats[2, 1] = max(stats[2, 1], s)
        if (spike or negative) and not waits:
            events[count] = ~n if negative else n
            count += 1
            jump = -theta if negative else theta
            x = _round((s << f.S_hat_jump) + (jump << f.theta_jump), f.jump)
            s = _fit(x, f.jump)
            stats[2, 2] += x != s
            stats[2, 1] = max(stats[2, 1], s)
            total += f.m_gamma * theta
        S_hat[n] = s
        x = _round(total, f.adapt)
        a = _fit(x, f.adapt)
        stats[3, 2] += x != a
        stats[3, 1] = max(stats[3, 1], a)
        theta_a[n] = a
    return count


@njit(cache=True, nogil=True)
def run_spiking(train, synapses, sums, cells, states, out, stats, kept):
    """All steps of one stage for one image.

    Args:
        train: spikes that come in.
        synapses: their weights; without any (first stage) the current is held.
        sums: memory for a step's weighted sums, shape (pixels, channels).
        cells: the neurons.
        states: I, V, S_hat, theta_a, and memory for S; flat, as after reset.
        out: receives the spikes; its events are long enough for all neurons in all steps.
        stats, kept: receive statistics, and the states after each step where there is room.
    """
    I, V, S_hat, theta_a, S = states
    channels = sums.shape[1]
    count = 0
    for t in range(len(out.offsets) - 1):
        if synapses.weights.size:
            _scatter(train.events[train.offsets[t] : train.offsets[t + 1]], synapses, sums)
            _currents(I, sums.reshape(-1), cells.filter, stats)
        _potentials(I, V, cells.filter, stats)
        if cells.pool[1][0] > 0:
            _pool(V.reshape(-1, channels), S.reshape(-1, channels), *cells.pool)
        else:
            S[:] = V
        count += _spikes(S, cells.bias, S_hat, theta_a, cells.fire, t < cells.fire.onset, out.events[count:], stats)
        out.offsets[t + 1] = count
        if len(kept[0]):
            kept[0][t] = I
        if len(kept[1]):
            kept[1][t] = V
        if len(kept[2]):
            kept[2][t] = S_hat
        if len(kept[3]):
            kept[3][t] = theta_a


@njit(cache=True, nogil=True)
def run_readout(train, synapses, sums, f_filter, bias, outputs, stats, kept):
    """All steps of the read-out for one image."""
    I, V = np.zeros(len(bias), np.int64), np.zeros(len(bias), np.int64)
    for t in range(len(outputs)):
        _scatter(train.events[train.offsets[t] : train.offsets[t + 1]], synapses, sums)
        _currents(I, sums.reshape(-1), f_filter, stats)
        _potentials(I, V, f_filter, stats)
        outputs[t] = V + bias
        if len(kept[0]):
            kept[0][t] = I
        if len(kept[1]):
            kept[1][t] = V
