# numba hands types and LLVM values to these functions; annotations would all be Any.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
"""Vector instructions for numba kernels: blocks of ``LANES`` neurons advance through time in registers.

Written as LLVM vectors, which every CPU executes (in pieces of its own width), because numba's own loops keep the state
in memory and vectorise short rows badly. No fast-math flag: every product and sum rounds as written, nothing fuses.

Arrays come as addresses (see ``words``). What the kernels call ``at`` is a ``kernels.At``.
"""

from __future__ import annotations

from typing import NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from snntb_adsnn.engine.event.layout import LANES, VECTOR
from snntb_adsnn.engine.event.words import pointer

_FLOAT = ir.FloatType()
_WORD = ir.IntType(64)
_INT = types.int64
_REAL = types.float32


class _Emitter:
    """LLVM builder with the few operations the kernels need, on vectors of ``lanes`` floats."""

    def __init__(self, builder, lanes):
        self.builder = builder
        self.lanes, self.vector = lanes, ir.VectorType(_FLOAT, lanes)

    def load(self, array, index):
        value = self.builder.load(pointer(self.builder, array, index, _FLOAT, self.vector))
        value.align = 4
        return value

    def store(self, value, array, index):
        self.builder.store(value, pointer(self.builder, array, index, _FLOAT, self.vector)).align = 4

    def row(self, start, step, stride):
        return self.builder.add(start, self.builder.mul(step, stride))

    def broadcast(self, scalar):
        undefined = ir.Constant(self.vector, ir.Undefined)
        one = self.builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
        first = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(one, undefined, first)

    def constant(self, value):
        return ir.Constant(self.vector, [ir.Constant(_FLOAT, value)] * self.lanes)

    def fire(self, S, S_hat, theta_a, constants, c=None):
        """Equations 4 to 7 of one step; ``c``: with corrective spikes. Returns all spikes, those of them that are
        corrective, and the threshold before."""
        builder, (k_eta, k_gamma, m_f, theta0) = self.builder, constants
        decayed, old = builder.fmul(k_eta, builder.load(S_hat)), builder.load(theta_a)
        theta = builder.fadd(theta0, old)
        spikes = builder.fcmp_ordered(">", builder.fmul(self.constant(2.0), builder.fsub(S, decayed)), theta)
        response, corrective = builder.select(spikes, builder.fadd(decayed, theta), decayed), None
        if c is not None:
            aim = builder.select(builder.fcmp_ordered(">", S, self.constant(0.0)), S, self.constant(0.0))
            ahead = builder.fmul(self.constant(2.0), builder.fsub(decayed, aim))
            corrective = builder.fcmp_ordered(">", ahead, builder.fmul(c, theta))
            response = builder.select(corrective, builder.fsub(decayed, theta), response)
            spikes = builder.or_(spikes, corrective)
        builder.store(response, S_hat)
        raised = builder.select(spikes, builder.fadd(old, builder.fmul(m_f, theta)), old)
        builder.store(builder.fmul(k_gamma, raised), theta_a)
        return spikes, corrective, theta

    def keep(self, spikes, masks, t):
        """masks[t] gets the spikes."""
        word = ir.IntType(LANES)
        self.builder.store(self.builder.bitcast(spikes, word), pointer(self.builder, masks, t, word, word))

    def variable(self, value):
        slot = cgutils.alloca_once(self.builder, self.vector)
        self.builder.store(value, slot)
        return slot


def _add_row(lanes):
    @intrinsic
    def add_row(typing, into, i, row, j):
        """``into[i : i + lanes] += row[j : j + lanes]``."""

        def generate(context, builder, signature, args):
            emit = _Emitter(builder, lanes)
            into, i, row, j = args
            emit.store(builder.fadd(emit.load(into, i), emit.load(row, j)), into, i)
            return context.get_dummy_value()

        return types.void(_INT, _INT, _INT, _INT), generate

    return add_row


def _add_scaled_row(lanes):
    @intrinsic
    def add_scaled_row(typing, into, i, row, j, scale):
        """``into[i : i + lanes] += scale * row[j : j + lanes]``."""

        def generate(context, builder, signature, args):
            emit = _Emitter(builder, lanes)
            into, i, row, j, scale = args
            product = builder.fmul(emit.broadcast(scale), emit.load(row, j))
            emit.store(builder.fadd(emit.load(into, i), product), into, i)
            return context.get_dummy_value()

        return types.void(_INT, _INT, _INT, _INT, _REAL), generate

    return add_scaled_row


add_scaled_row_1, add_scaled_row_16, add_scaled_row_64 = map(_add_scaled_row, (1, VECTOR, LANES))
add_row_1 = _add_row(1)
add_row_16, add_row_32, add_row_48, add_row_64 = (_add_row(VECTOR * n) for n in (1, 2, 3, 4))


class Rows(NamedTuple):
    """``LANES`` floats for each step: those of step t begin at ``array[start + t * stride]``."""

    array: int
    start: int
    stride: int


def _field(builder, kind, value, path):
    """What ``path``, names with dots, means in a named tuple."""
    for name in path.split("."):
        place = kind.fields.index(name)
        value, kind = builder.extract_value(value, place), kind.types[place]
    return value


def _unpack(builder, kind, value):
    """All fields of a named tuple, in their order."""
    return (_field(builder, kind, value, name) for name in kind.fields)


def _integrate(*, held, first):
    @intrinsic
    def integrate(typing, at, lane, steps, drive, potential, factors):
        """Equations 1 and 2 of the plane whose I, V and held current begin at ``lane``, over ``steps`` steps.

        ``drive`` is set to 0 once read. V (``first``), or its maximum with what is there, goes to ``potential``.
        """

        def generate(context, builder, signature, args):
            emit = _Emitter(builder, LANES)
            lane, steps = args[1:3]
            I_array, V_array, steady = (_field(builder, at, args[0], f"image.{name}") for name in ("I", "V", "held"))
            drive_array, start, stride = _unpack(builder, drive, args[3])
            potential_array, S, S_stride = _unpack(builder, potential, args[4])
            k_beta, k_phi, g_phi = (
                emit.broadcast(_field(builder, factors, args[5], name)) for name in ("k_beta", "k_phi", "g_phi")
            )
            I, V = emit.variable(emit.load(I_array, lane)), emit.variable(emit.load(V_array, lane))
            constant = emit.load(steady, lane) if held else None
            with cgutils.for_range(builder, steps) as loop:
                row = emit.row(start, loop.index, stride)
                spikes = emit.load(drive_array, row)
                emit.store(emit.constant(0.0), drive_array, row)
                new_I = builder.fadd(builder.fmul(k_beta, builder.load(I)), spikes)
                builder.store(new_I, I)
                total = builder.fadd(new_I, constant) if held else new_I
                new_V = builder.fadd(builder.fmul(k_phi, builder.load(V)), builder.fmul(g_phi, total))
                builder.store(new_V, V)
                row = emit.row(S, loop.index, S_stride)
                if not first:
                    best = emit.load(potential_array, row)
                    new_V = builder.select(builder.fcmp_ordered(">", new_V, best), new_V, best)
                emit.store(new_V, potential_array, row)
            emit.store(builder.load(I), I_array, lane)
            emit.store(builder.load(V), V_array, lane)
            return context.get_dummy_value()

        return types.void(at, _INT, _INT, drive, potential, factors), generate

    return integrate


integrate_first = _integrate(held=False, first=True)
integrate_next = _integrate(held=False, first=False)
integrate_held_first = _integrate(held=True, first=True)
integrate_held_next = _integrate(held=True, first=False)


class _Block:
    """Equations 3 to 7 of the block whose bias and states begin at a lane; its states are in registers.

    Args:
        at: type and value of what the kernels call ``at``.
        potential: type and value of ``Rows``.
    """

    def __init__(self, builder, at, lane, potential):
        self.builder, self.at, self.lane = builder, at, lane
        self.emit = _Emitter(builder, LANES)
        self.potential = tuple(_unpack(builder, *potential))
        self.bias = self.load("plan.bias")
        self.S_hat, self.theta_a = (self.emit.variable(self.load(f"image.{name}")) for name in ("S_hat", "theta_a"))

    def array(self, path):
        kind, value = self.at
        return _field(self.builder, kind, value, path)

    def load(self, path):
        return self.emit.load(self.array(path), self.lane)

    def fire(self, step, rest, constants, c=None):
        """One step; returns the corrective spikes (of ``c``) and the threshold before. ``rest``: what pool(V) is at
        least, or None."""
        array, start, stride = self.potential
        V = self.emit.load(array, self.emit.row(start, step, stride))
        if rest is not None:
            V = self.builder.select(self.builder.fcmp_ordered(">", V, rest), V, rest)
        S = self.builder.fadd(V, self.bias)
        spikes, corrective, theta = self.emit.fire(S, self.S_hat, self.theta_a, constants, c)
        self.emit.keep(spikes, self.array("member.masks"), step)
        return corrective, theta

    def finish(self):
        for name, state in (("S_hat", self.S_hat), ("theta_a", self.theta_a)):
            self.emit.store(self.builder.load(state), self.array(f"image.{name}"), self.lane)


def _fire(*, above_rest):
    @intrinsic
    def fire(typing, at, lane, first, steps, potential, factors):
        """Equations 3 to 7 of the block that begins at ``lane``, from step ``first`` to ``steps``: at.member.masks[t]
        has bit i set where neuron i spikes. ``potential``: pool(V) (``above_rest``: it is the maximum with
        at.member.rest)."""

        def generate(context, builder, signature, args):
            constants = [_field(builder, factors, args[5], name) for name in ("k_eta", "k_gamma", "m_f", "theta0")]
            block = _Block(builder, (at, args[0]), args[1], (potential, args[4]))
            constants = [block.emit.broadcast(constant) for constant in constants]
            rest = block.emit.load(block.array("member.rest"), ir.Constant(_WORD, 0)) if above_rest else None
            with cgutils.for_range(builder, args[3], start=args[2]) as loop:
                block.fire(loop.index, rest, constants)
            block.finish()
            return context.get_dummy_value()

        return types.void(at, _INT, _INT, _INT, potential, factors), generate

    return fire


fire, fire_above_rest = _fire(above_rest=False), _fire(above_rest=True)


def _fire_scaled(*, corrective):
    @intrinsic
    def fire_scaled(typing, at, lane, first, steps, potential, factors, graded):
        """``fire_above_rest`` with each neuron's own m_f and theta0; the height of its spike at step t, its own or
        (``graded``) that times the threshold, goes to at.member.sizes[t * LANES]. ``corrective``: some spikes are, as
        at.member.signs[t] says, and have the negative height."""

        def generate(context, builder, signature, args):
            block = _Block(builder, (at, args[0]), args[1], (potential, args[4]))
            emit = block.emit
            k_eta, k_gamma, c = (
                emit.broadcast(_field(builder, factors, args[5], n)) for n in ("k_eta", "k_gamma", "corrective")
            )
            m_f, theta0, height = (block.load(f"plan.{name}") for name in ("m_f", "theta0", "height"))
            rest = emit.load(block.array("member.rest"), ir.Constant(_WORD, 0))
            with cgutils.for_range(builder, args[3], start=args[2]) as loop:
                negative, theta = block.fire(loop.index, rest, (k_eta, k_gamma, m_f, theta0), c if corrective else None)
                size = builder.select(args[6], builder.fmul(height, theta), height)
                if corrective:
                    emit.keep(negative, block.array("member.signs"), loop.index)
                    size = builder.select(negative, builder.fsub(emit.constant(-0.0), size), size)
                row = emit.row(ir.Constant(_WORD, 0), loop.index, ir.Constant(_WORD, LANES))
                emit.store(size, block.array("member.sizes"), row)
            block.finish()
            return context.get_dummy_value()

        return types.void(at, _INT, _INT, _INT, potential, factors, types.boolean), generate

    return fire_scaled


fire_scaled, fire_corrective = _fire_scaled(corrective=False), _fire_scaled(corrective=True)
