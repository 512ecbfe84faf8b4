# mypy: disable-error-code="untyped-decorator"
"""Vector instructions for numba kernels: blocks of ``LANES`` neurons advance through time in registers.

Written as LLVM vectors, which every CPU executes (in pieces of its own width), because numba's own loops keep the state
in memory and vectorise short rows badly. No fast-math flag: every product and sum rounds as written, nothing fuses.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 64
VECTOR = 16

_FLOAT = ir.FloatType()
_INDEX = ir.IntType(64)


class _Emitter:
    """LLVM builder with the few operations the kernels need, on vectors of ``lanes`` floats."""

    def __init__(self, context: Any, builder: Any, lanes: int) -> None:
        self.context, self.builder = context, builder
        self.lanes, self.vector = lanes, ir.VectorType(_FLOAT, lanes)

    def pointer(self, array_type: Any, array: Any, index: Any, element: Any = None) -> Any:
        data = self.context.make_array(array_type)(self.context, self.builder, array).data
        return self.builder.bitcast(self.builder.gep(data, [index]), (element or self.vector).as_pointer())

    def load(self, pointer: Any) -> Any:
        value = self.builder.load(pointer)
        value.align = 4
        return value

    def store(self, value: Any, pointer: Any) -> None:
        self.builder.store(value, pointer).align = 4

    def broadcast(self, scalar: Any) -> Any:
        one = self.builder.insert_element(ir.Constant(self.vector, ir.Undefined), scalar, ir.Constant(_INDEX, 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(one, ir.Constant(self.vector, ir.Undefined), mask)

    def variable(self, value: Any) -> Any:
        slot = cgutils.alloca_once(self.builder, self.vector)
        self.builder.store(value, slot)
        return slot

    def constant(self, value: float) -> Any:
        return ir.Constant(self.vector, [ir.Constant(_FLOAT, value)] * self.lanes)


def _add_row(lanes: int) -> Any:
    """``into[i : i + lanes] += row[j : j + lanes]``."""

    @intrinsic
    def add_row(typing: Any, into: Any, i: Any, row: Any, j: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            emit = _Emitter(context, builder, lanes)
            target = emit.pointer(signature.args[0], args[0], args[1])
            value = emit.load(emit.pointer(signature.args[2], args[2], args[3]))
            emit.store(builder.fadd(emit.load(target), value), target)
            return context.get_dummy_value()

        return types.void(into, types.int64, row, types.int64), generate

    return add_row


add_row_16, add_row_32, add_row_48, add_row_64 = (_add_row(VECTOR * n) for n in (1, 2, 3, 4))


def _integrate(*, held: bool, first: bool) -> Any:
    """Equations 1 and 2 of one position of a block over ``steps`` steps; V goes to ``potential``, or into its maximum.

    Arguments: steps; drive, its start and stride; state arrays I and V and the block's start in them; held current
    (same start); potential (stride LANES) and its start; k_beta, k_phi, g_phi.
    """

    @intrinsic
    def integrate(
        typing: Any,
        steps: Any,
        drive: Any,
        drive_at: Any,
        stride: Any,
        current: Any,
        filtered: Any,
        at: Any,
        steady: Any,
        potential: Any,
        potential_at: Any,
        k_beta: Any,
        k_phi: Any,
        g_phi: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            emit = _Emitter(context, builder, LANES)
            kinds = signature.args
            current_at = emit.pointer(kinds[4], args[4], args[6])
            filtered_at = emit.pointer(kinds[5], args[5], args[6])
            I_t, V_t = emit.variable(emit.load(current_at)), emit.variable(emit.load(filtered_at))
            k_beta, k_phi, g_phi = (emit.broadcast(a) for a in args[10:13])
            constant = emit.load(emit.pointer(kinds[7], args[7], args[6])) if held else None
            with cgutils.for_range(builder, args[0]) as loop:
                row = builder.add(args[2], builder.mul(loop.index, args[3]))
                spikes = emit.load(emit.pointer(kinds[1], args[1], row))
                new_I = builder.fadd(builder.fmul(k_beta, builder.load(I_t)), spikes)
                builder.store(new_I, I_t)
                total = builder.fadd(new_I, constant) if held else new_I
                new_V = builder.fadd(builder.fmul(k_phi, builder.load(V_t)), builder.fmul(g_phi, total))
                builder.store(new_V, V_t)
                place = builder.add(args[9], builder.mul(loop.index, ir.Constant(_INDEX, LANES)))
                out = emit.pointer(kinds[8], args[8], place)
                if not first:
                    best = emit.load(out)
                    new_V = builder.select(builder.fcmp_ordered(">", new_V, best), new_V, best)
                emit.store(new_V, out)
            emit.store(builder.load(I_t), current_at)
            emit.store(builder.load(V_t), filtered_at)
            return context.get_dummy_value()

        signature = types.void(
            types.int64,
            drive,
            types.int64,
            types.int64,
            current,
            filtered,
            types.int64,
            steady,
            potential,
            types.int64,
            types.float32,
            types.float32,
            types.float32,
        )
        return signature, generate

    return integrate


integrate_first = _integrate(held=False, first=True)
integrate_next = _integrate(held=False, first=False)
integrate_held_first = _integrate(held=True, first=True)
integrate_held_next = _integrate(held=True, first=False)


@intrinsic
def fire(
    typing: Any,
    steps: Any,
    potential: Any,
    potential_at: Any,
    bias: Any,
    S_hat: Any,
    theta_a: Any,
    at: Any,
    k_eta: Any,
    k_gamma: Any,
    m_f: Any,
    theta0: Any,
    masks: Any,
) -> Any:
    """Equations 3 to 7 of a block over ``steps`` steps: ``masks[t]`` has bit i set where neuron i spikes.

    Arguments: steps; pool(V) and its start; bias, S_hat, theta_a and the block's start in them; constants; masks.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit = _Emitter(context, builder, LANES)
        kinds = signature.args
        constant = emit.load(emit.pointer(kinds[3], args[3], args[6]))
        S_hat_at = emit.pointer(kinds[4], args[4], args[6])
        theta_a_at = emit.pointer(kinds[5], args[5], args[6])
        k_eta, k_gamma, m_f, theta0 = (emit.broadcast(a) for a in args[7:11])
        two = emit.constant(2.0)
        S_hat = emit.variable(emit.load(S_hat_at))
        theta_a = emit.variable(emit.load(theta_a_at))
        with cgutils.for_range(builder, args[0]) as loop:
            place = builder.add(args[2], builder.mul(loop.index, ir.Constant(_INDEX, LANES)))
            S = builder.fadd(emit.load(emit.pointer(kinds[1], args[1], place)), constant)
            decayed = builder.fmul(k_eta, builder.load(S_hat))
            old = builder.load(theta_a)
            theta = builder.fadd(theta0, old)
            spikes = builder.fcmp_ordered(">", builder.fmul(two, builder.fsub(S, decayed)), theta)
            builder.store(builder.select(spikes, builder.fadd(decayed, theta), decayed), S_hat)
            raised = builder.select(spikes, builder.fadd(old, builder.fmul(m_f, theta)), old)
            builder.store(builder.fmul(k_gamma, raised), theta_a)
            word = ir.IntType(LANES)
            builder.store(builder.bitcast(spikes, word), emit.pointer(kinds[11], args[11], loop.index, word))
        emit.store(builder.load(S_hat), S_hat_at)
        emit.store(builder.load(theta_a), theta_a_at)
        return context.get_dummy_value()

    f = types.float32
    return types.void(
        types.int64, potential, types.int64, bias, S_hat, theta_a, types.int64, f, f, f, f, masks
    ), generate


@intrinsic
def lowest_bit(typing: Any, mask: Any) -> Any:
    """Number of the lowest bit that is set."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate
