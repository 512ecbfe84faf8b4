# Array types are numba's to infer.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
"""Compiled loops that add events to the drive of a plane: ``at.member.drive``, from ``LANES`` on.

A cell's events are those of one ``Piece``; most pieces are whole vectors of weights, the same number for each channel.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import types

from snntb_adsnn.engine.compiled import part
from snntb_adsnn.engine.event.layout import CHANNEL_BITS, LANES, VECTOR, Piece, Row
from snntb_adsnn.engine.event.simd import (
    Rows,
    add_row_1,
    add_row_16,
    add_row_32,
    add_row_48,
    add_row_64,
    add_scaled_row_1,
    add_scaled_row_16,
    add_scaled_row_64,
)
from snntb_adsnn.engine.event.words import get_float, get_int32, get_int64, reader

CHANNEL_MASK = (1 << CHANNEL_BITS) - 1

_read_piece = reader(Piece, types.int64, 32)
_read_row = reader(Row, types.int64, 32)


class Events(NamedTuple):
    """A cell's events: those from ``start`` to ``end`` of ``array``."""

    array: int
    start: int
    end: int


@part
def drive_plane(at, layer, plane, longest):
    """Add all events that reach a plane; returns whether there were any."""
    driven = False
    for e in range(get_int64(at.plan.plane_edges, plane), get_int64(at.plan.plane_edges, plane + 1)):
        cell = get_int32(at.plan.edges, 2 * e)
        start = get_int64(at.plan.cell_channels, cell) * longest
        events = Events(at.image.events, start, get_int64(at.image.event_ends, cell))
        if events.start < events.end:
            driven = True
            piece = _read_piece(at.plan.pieces, get_int32(at.plan.edges, 2 * e + 1))
            drive = Rows(at.member.drive, LANES + piece.lane, layer.stride)
            if piece.scaled:
                _deliver_scaled(events, at.image.heights, drive, piece, at.plan.weights, at.plan.rows)
            else:
                _deliver(events, drive, piece, at.plan.weights, at.plan.rows)
    return driven


@part
def _deliver(events, drive, piece, weights, rows):
    """Events that all have the same height."""
    if piece.vectors == 1:
        _add_16(events, drive, piece, weights)
    elif piece.vectors == 2:
        _add_32(events, drive, piece, weights)
    elif piece.vectors == 3:
        _add_48(events, drive, piece, weights)
    elif piece.vectors == 4:
        _add_64(events, drive, piece, weights)
    else:
        _add_by_row(events, drive, piece, weights, rows)


def _adder(add_row):
    """``_deliver`` of a piece that is whole vectors, of a number that is fixed."""

    @part
    def add(events, drive, piece, weights):
        for e in range(events.start, events.end):
            event = get_int32(events.array, e)
            into = (event >> CHANNEL_BITS) * drive.stride + drive.start
            add_row(drive.array, into, weights, piece.weight + (event & CHANNEL_MASK) * piece.stride)

    return add


_add_16, _add_32, _add_48, _add_64 = map(_adder, (add_row_16, add_row_32, add_row_48, add_row_64))


@part
def _add_by_row(events, drive, piece, weights, rows):
    """``_deliver`` of a piece whose channels each have a ``Row``."""
    for e in range(events.start, events.end):
        event = get_int32(events.array, e)
        row = _read_row(rows, piece.row + (event & CHANNEL_MASK))
        if row.lane >= 0:
            into = (event >> CHANNEL_BITS) * drive.stride + drive.start + row.lane
            if row.vectors == 0:
                add_row_1(drive.array, into, weights, row.weight)
            for v in range(row.vectors):
                add_row_16(drive.array, into + v * VECTOR, weights, row.weight + v * VECTOR)


@part
def _deliver_scaled(events, heights, drive, piece, weights, rows):
    """Events that have a height each."""
    for e in range(events.start, events.end):
        event, height = get_int32(events.array, e), get_float(heights, e)
        channel, into = event & CHANNEL_MASK, (event >> CHANNEL_BITS) * drive.stride + drive.start
        if piece.vectors > 0:
            _add_scaled(drive.array, into, weights, piece.weight + channel * piece.stride, piece.vectors, height)
        else:
            row = _read_row(rows, piece.row + channel)
            if row.lane >= 0:
                _add_scaled(drive.array, into + row.lane, weights, row.weight, row.vectors, height)


@part
def _add_scaled(drive, into, weights, weight, vectors, height):
    """Add ``height`` times so many vectors of weights, or a single weight where there are none."""
    if vectors == 0:
        add_scaled_row_1(drive, into, weights, weight, height)
    elif vectors == 4:
        add_scaled_row_64(drive, into, weights, weight, height)
    else:
        for v in range(vectors):
            add_scaled_row_16(drive, into + v * VECTOR, weights, weight + v * VECTOR, height)
