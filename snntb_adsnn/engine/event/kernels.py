# Array types are numba's to infer.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
"""The compiled loop of the event engine: one image, layer by layer, over chunks of time steps.

Columns and arrays are those of ``layout``.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import types

from snntb_adsnn.engine.compiled import compiled, part
from snntb_adsnn.engine.event.collect import begin_events, cells, collect, publish_events, record
from snntb_adsnn.engine.event.layout import LANES, Factors, ImageAt, Layer, MemberAt, PlanAt, Span
from snntb_adsnn.engine.event.team import Share, arrive, finish, stay, take, wait
from snntb_adsnn.engine.event.update import fire_block, integrate_block, read_out_block, rest_block
from snntb_adsnn.engine.event.words import address, clear, get_byte, get_int64, reader

_read_plan = reader(PlanAt, types.int64, 64)
_read_image = reader(ImageAt, types.int64, 64)
_read_member = reader(MemberAt, types.int64, 64)
_read_share = reader(Share, types.int64, 64)
_read_span = reader(Span, types.int64, 64)
_read_layer = reader(Layer, types.int64, 64)
_read_factors = reader(Factors, types.float32, 32)


class At(NamedTuple):
    """Addresses of all arrays."""

    plan: PlanAt
    image: ImageAt
    member: MemberAt


class Chunk(NamedTuple):
    """The steps [begin, begin + steps) that a layer is simulated before the next one; others as in ``Span``."""

    begin: int
    steps: int
    longest: int
    keep: int
    recorded: int
    populations: int


@compiled
def advance(plan, image, member, share, span):
    """Advance one image by the steps of ``span``, as one member of a team that shares each layer's tasks.

    All arguments are int64 arrays: ``layout.addresses`` of ``PlanAt``, ``ImageAt`` and ``MemberAt``, and the numbers of
    ``Share`` and ``Span``.
    """
    at = At(_read_plan(address(plan), 0), _read_image(address(image), 0), _read_member(address(member), 0))
    share, span = _read_share(address(share), 0), _read_span(address(span), 0)
    again = arrive(share)
    while again:
        _advance_image(at, share, span)
        again = stay(share)


@part
def _advance_image(at, share, span):
    finished = 0
    for round in range(-(-(span.end - span.start) // span.longest)):
        begin = span.start + round * span.longest
        steps = min(span.longest, span.end - begin)
        chunk = Chunk(begin, steps, span.longest, span.keep, span.recorded, span.layers - 1)
        for number in range(span.layers):
            layer = _read_layer(at.plan.layers, number)
            if layer.wait:
                wait(share, finished)
            finished += layer.tasks
            _advance_layer(at, share, layer, number, round, chunk)
    wait(share, finished)


@part
def _advance_layer(at, share, layer, number, round, chunk):
    """Do tasks of a layer until all are taken."""
    while True:
        task = take(share, number, layer.tasks, round)
        if task == layer.tasks:
            break
        first, last = get_int64(at.plan.tasks, layer.task + task), get_int64(at.plan.tasks, layer.task + task + 1)
        begin, end = cells(at, layer, first, last)
        begin_events(at, begin, end, chunk.longest)
        for block in range(first, last):
            _advance_block(at, layer, number, block, chunk)
        publish_events(at, begin, end)
        finish(share)
    if layer.stride > LANES:  # what was written between the rows
        clear(at.member.drive, LANES, chunk.steps * layer.stride + LANES)


@part
def _advance_block(at, layer, number, block, chunk):
    factors = _read_factors(at.plan.factors, number)
    if chunk.begin == 0:
        rest_block(at, layer, block)
    awake = integrate_block(at, layer, factors, block, chunk)
    waiting = max(layer.onset - chunk.begin, 0)  # steps
    if not layer.spiking:
        read_out_block(at, layer, block, chunk)
    elif waiting < chunk.steps and (awake or not get_byte(at.plan.sleeps, layer.block + block)):
        fire_block(at, layer, factors, block, chunk, awake, waiting)
        collect(at, layer, block, chunk, number)
        if chunk.recorded:
            record(at, layer, layer.block + block, chunk.recorded, chunk)
