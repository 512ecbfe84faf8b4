# numba hands types and LLVM values to these functions; annotations would all be Any.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
"""Vector instructions for numba kernels: blocks of ``LANES`` neurons advance through time in registers.

Written as LLVM vectors, which every CPU executes (in pieces of its own width), because numba's own loops keep the state
in memory and vectorise short rows badly. No fast-math flag: every product and sum rounds as written, nothing fuses.

Arrays come as the addresses of their first elements (``address``): numba counts references to arrays, in inner loops
too. Indices are in elements and never negative.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 64
VECTOR = 16

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
        value = self.builder.load(_pointer(self.builder, array, index, _FLOAT, self.vector))
        value.align = 4
        return value

    def store(self, value, array, index):
        self.builder.store(value, _pointer(self.builder, array, index, _FLOAT, self.vector)).align = 4

    def row(self, start, step, stride):
        return self.builder.add(start, self.builder.mul(step, stride))

    def broadcast(self, scalar):
        undefined = ir.Constant(self.vector, ir.Undefined)
        one = self.builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
        first = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(one, undefined, first)

    def constant(self, value):
        return ir.Constant(self.vector, [ir.Constant(_FLOAT, value)] * self.lanes)

    def fire(self, S, S_hat, theta_a, constants, masks, t):
        """Equations 4 to 7 of one step: masks[t] gets the spikes; returns the threshold before."""
        builder, (k_eta, k_gamma, m_f, theta0) = self.builder, constants
        decayed, old = builder.fmul(k_eta, builder.load(S_hat)), builder.load(theta_a)
        theta = builder.fadd(theta0, old)
        spikes = builder.fcmp_ordered(">", builder.fmul(self.constant(2.0), builder.fsub(S, decayed)), theta)
        builder.store(builder.select(spikes, builder.fadd(decayed, theta), decayed), S_hat)
        raised = builder.select(spikes, builder.fadd(old, builder.fmul(m_f, theta)), old)
        builder.store(builder.fmul(k_gamma, raised), theta_a)
        word = ir.IntType(LANES)
        builder.store(builder.bitcast(spikes, word), _pointer(builder, masks, t, word, word))
        return theta

    def variable(self, value):
        slot = cgutils.alloca_once(self.builder, self.vector)
        self.builder.store(value, slot)
        return slot


def _pointer(builder, array, index, element, item):
    """Pointer to an ``item`` that starts at element ``index`` of an array."""
    start = builder.inttoptr(array, element.as_pointer())
    return builder.bitcast(builder.gep(start, [index]), item.as_pointer())


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


def _integrate(*, held, first):
    @intrinsic
    def integrate(typing, steps, drive, start, stride, I, V, steady, at, potential, S, k_beta, k_phi, g_phi):
        """Equations 1 and 2 of one plane over ``steps`` steps.

        The drive's row of step t starts at drive[start + t * stride] and is set to 0 once read; the plane's I, V and
        held current are at I[at], V[at], steady[at]. V (``first``), or its maximum with what is there, goes to
        potential[S + t * LANES].
        """

        def generate(context, builder, signature, args):
            emit = _Emitter(builder, LANES)
            steps, drive, start, stride, I_array, V_array, steady, at, potential, S = args[:10]
            k_beta, k_phi, g_phi = map(emit.broadcast, args[10:])
            I, V = emit.variable(emit.load(I_array, at)), emit.variable(emit.load(V_array, at))
            constant = emit.load(steady, at) if held else None
            with cgutils.for_range(builder, steps) as loop:
                row = emit.row(start, loop.index, stride)
                spikes = emit.load(drive, row)
                emit.store(emit.constant(0.0), drive, row)
                new_I = builder.fadd(builder.fmul(k_beta, builder.load(I)), spikes)
                builder.store(new_I, I)
                total = builder.fadd(new_I, constant) if held else new_I
                new_V = builder.fadd(builder.fmul(k_phi, builder.load(V)), builder.fmul(g_phi, total))
                builder.store(new_V, V)
                row = emit.row(S, loop.index, ir.Constant(S.type, LANES))
                if not first:
                    best = emit.load(potential, row)
                    new_V = builder.select(builder.fcmp_ordered(">", new_V, best), new_V, best)
                emit.store(new_V, potential, row)
            emit.store(builder.load(I), I_array, at)
            emit.store(builder.load(V), V_array, at)
            return context.get_dummy_value()

        return types.void(*(_INT,) * 10, _REAL, _REAL, _REAL), generate

    return integrate


integrate_first = _integrate(held=False, first=True)
integrate_next = _integrate(held=False, first=False)
integrate_held_first = _integrate(held=True, first=True)
integrate_held_next = _integrate(held=True, first=False)


def _fire(*, above_rest):
    @intrinsic
    def fire(typing, steps, potential, S, stride, rest, bias, S_hat, theta_a, at, k_eta, k_gamma, m_f, theta0, masks):
        """Equations 3 to 7 of one block over ``steps`` steps: masks[t] has bit i set where neuron i spikes.

        pool(V) of step t starts at potential[S + t * stride] (``above_rest``: it is the maximum with ``rest``), the
        block's bias, S_hat and theta_a at bias[at] and so on.
        """

        def generate(context, builder, signature, args):
            emit = _Emitter(builder, LANES)
            steps, potential, S, stride, rest, bias, S_hat_array, theta_a_array, at = args[:9]
            k_eta, k_gamma, m_f, theta0 = map(emit.broadcast, args[9:13])
            masks = args[13]
            bias = emit.load(bias, at)
            rest = emit.load(rest, ir.Constant(_WORD, 0)) if above_rest else None
            S_hat, theta_a = emit.variable(emit.load(S_hat_array, at)), emit.variable(emit.load(theta_a_array, at))
            with cgutils.for_range(builder, steps) as loop:
                V = emit.load(potential, emit.row(S, loop.index, stride))
                if above_rest:
                    V = builder.select(builder.fcmp_ordered(">", V, rest), V, rest)
                constants = k_eta, k_gamma, m_f, theta0
                emit.fire(builder.fadd(V, bias), S_hat, theta_a, constants, masks, loop.index)
            emit.store(builder.load(S_hat), S_hat_array, at)
            emit.store(builder.load(theta_a), theta_a_array, at)
            return context.get_dummy_value()

        return types.void(*(_INT,) * 9, _REAL, _REAL, _REAL, _REAL, _INT), generate

    return fire


fire, fire_above_rest = _fire(above_rest=False), _fire(above_rest=True)


@intrinsic
def fire_scaled(
    typing, steps, potential, S, stride, rest, bias, S_hat, theta_a, at, k_eta, k_gamma, m_f, theta0, masks, height,
    sizes, graded
):  # fmt: skip
    """``fire_above_rest`` with each neuron's own m_f[at] and theta0[at]; the height of its spike at step t, height[at]
    or (``graded``) that times the threshold, goes to sizes[t * LANES]."""

    def generate(context, builder, signature, args):
        emit = _Emitter(builder, LANES)
        steps, potential, S, stride, rest, bias, S_hat_array, theta_a_array, at = args[:9]
        k_eta, k_gamma = map(emit.broadcast, args[9:11])
        m_f, theta0 = (emit.load(array, at) for array in args[11:13])
        masks, height, sizes, graded = args[13], emit.load(args[14], at), args[15], args[16]
        bias, rest = emit.load(bias, at), emit.load(rest, ir.Constant(_WORD, 0))
        S_hat, theta_a = emit.variable(emit.load(S_hat_array, at)), emit.variable(emit.load(theta_a_array, at))
        with cgutils.for_range(builder, steps) as loop:
            V = emit.load(potential, emit.row(S, loop.index, stride))
            V = builder.select(builder.fcmp_ordered(">", V, rest), V, rest)
            theta = emit.fire(builder.fadd(V, bias), S_hat, theta_a, (k_eta, k_gamma, m_f, theta0), masks, loop.index)
            size = builder.select(graded, builder.fmul(height, theta), height)
            emit.store(size, sizes, emit.row(ir.Constant(_WORD, 0), loop.index, ir.Constant(_WORD, LANES)))
        emit.store(builder.load(S_hat), S_hat_array, at)
        emit.store(builder.load(theta_a), theta_a_array, at)
        return context.get_dummy_value()

    return types.void(*(_INT,) * 9, _REAL, _REAL, *(_INT,) * 5, types.boolean), generate


@intrinsic
def clear(typing, array, index, count):
    """``array[index : index + count] = 0`` for floats."""

    def generate(context, builder, signature, args):
        array, index, count = args
        byte = ir.IntType(8)
        start = _pointer(builder, array, index, _FLOAT, byte)
        cgutils.memset(builder, start, builder.mul(count, ir.Constant(count.type, 4)), 0)
        return context.get_dummy_value()

    return types.void(_INT, _INT, _INT), generate


@intrinsic
def copy(typing, into, i, array, j, count):
    """``into[i : i + count] = array[j : j + count]`` for floats."""

    def generate(context, builder, signature, args):
        into, i, array, j, count = args
        byte = ir.IntType(8)
        target, source = _pointer(builder, into, i, _FLOAT, byte), _pointer(builder, array, j, _FLOAT, byte)
        cgutils.raw_memcpy(builder, target, source, builder.mul(count, ir.Constant(count.type, 4)), 1)
        return context.get_dummy_value()

    return types.void(*(_INT,) * 5), generate


@intrinsic
def address(typing, array):
    """Address of a contiguous array's first element."""

    def generate(context, builder, signature, args):
        data = context.make_array(array)(context, builder, args[0]).data
        return builder.ptrtoint(data, _WORD)

    return _INT(array), generate


def _get(kind, bits):
    @intrinsic
    def get(typing, array, index):
        """``array[index]`` as int64 or uint64."""

        def generate(context, builder, signature, args):
            array, index = args
            item = ir.IntType(bits)
            value = builder.load(_pointer(builder, array, index, item, item))
            return value if bits == 64 else builder.sext(value, _WORD)

        return kind(_INT, _INT), generate

    return get


def _put(bits):
    @intrinsic
    def put(typing, array, index, value):
        """``array[index] = value``."""

        def generate(context, builder, signature, args):
            array, index, value = args
            item = ir.IntType(bits)
            value = value if bits == 64 else builder.trunc(value, item)
            builder.store(value, _pointer(builder, array, index, item, item))
            return context.get_dummy_value()

        return types.void(_INT, _INT, _INT), generate

    return put


@intrinsic
def get_float(typing, array, index):
    """``array[index]``."""

    def generate(context, builder, signature, args):
        array, index = args
        return builder.load(_pointer(builder, array, index, _FLOAT, _FLOAT))

    return _REAL(_INT, _INT), generate


@intrinsic
def add_one(typing, counter):
    """Atomically add 1 to the int64 at an address."""

    def generate(context, builder, signature, args):
        counter = builder.inttoptr(args[0], _WORD.as_pointer())
        builder.atomic_rmw("add", counter, ir.Constant(_WORD, 1), "seq_cst")
        return context.get_dummy_value()

    return types.void(_INT), generate


@intrinsic
def read(typing, counter):
    """Atomically read the int64 at an address."""

    def generate(context, builder, signature, args):
        return builder.load_atomic(builder.inttoptr(args[0], _WORD.as_pointer()), "seq_cst", 8)

    return _INT(_INT), generate


@intrinsic
def swap(typing, counter, old, new):
    """Atomically set the int64 at an address to ``new`` if it is ``old``; returns whether it was."""

    def generate(context, builder, signature, args):
        counter = builder.inttoptr(args[0], _WORD.as_pointer())
        found = builder.cmpxchg(counter, args[1], args[2], "seq_cst", "seq_cst")
        return builder.extract_value(found, 1)

    return types.boolean(_INT, _INT, _INT), generate


@intrinsic
def sleep(typing, microseconds):
    """Leave the processor to others for a while (POSIX)."""

    def generate(context, builder, signature, args):
        word = ir.IntType(32)
        kind = ir.FunctionType(word, [word])
        sleeper = cgutils.get_or_insert_function(builder.module, kind, "usleep")
        builder.call(sleeper, [builder.trunc(args[0], word)])
        return context.get_dummy_value()

    return types.void(_INT), generate


get_int32, get_int64, get_mask = _get(_INT, 32), _get(_INT, 64), _get(types.uint64, 64)
put_int32, put_int64 = _put(32), _put(64)


@intrinsic
def lowest_bit(typing, mask):
    """Number of the lowest bit that is set."""

    def generate(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return _INT(types.uint64), generate
