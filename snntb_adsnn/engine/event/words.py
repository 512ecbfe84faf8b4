# numba hands types and LLVM values to these functions; annotations would all be Any.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
"""Loads, stores and counters by address, for numba kernels.

Arrays come as the addresses of their first elements (see ``layout``): numba counts references to arrays, in inner loops
too. Indices are in elements and never negative.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_FLOAT = ir.FloatType()
_WORD = ir.IntType(64)
_INT = types.int64
_REAL = types.float32


def pointer(builder, array, index, element, item):
    """Pointer to an ``item`` that starts at element ``index`` of an array."""
    start = builder.inttoptr(array, element.as_pointer())
    return builder.bitcast(builder.gep(start, [index]), item.as_pointer())


@intrinsic
def clear(typing, array, index, count):
    """``array[index : index + count] = 0`` for floats."""

    def generate(context, builder, signature, args):
        array, index, count = args
        byte = ir.IntType(8)
        start = pointer(builder, array, index, _FLOAT, byte)
        cgutils.memset(builder, start, builder.mul(count, ir.Constant(count.type, 4)), 0)
        return context.get_dummy_value()

    return types.void(_INT, _INT, _INT), generate


@intrinsic
def copy(typing, into, i, array, j, count):
    """``into[i : i + count] = array[j : j + count]`` for floats."""

    def generate(context, builder, signature, args):
        into, i, array, j, count = args
        byte = ir.IntType(8)
        target, source = pointer(builder, into, i, _FLOAT, byte), pointer(builder, array, j, _FLOAT, byte)
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
            value = builder.load(pointer(builder, array, index, item, item))
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
            builder.store(value, pointer(builder, array, index, item, item))
            return context.get_dummy_value()

        return types.void(_INT, _INT, _INT), generate

    return put


@intrinsic
def get_float(typing, array, index):
    """``array[index]``."""

    def generate(context, builder, signature, args):
        array, index = args
        return builder.load(pointer(builder, array, index, _FLOAT, _FLOAT))

    return _REAL(_INT, _INT), generate


@intrinsic
def put_float(typing, array, index, value):
    """``array[index] = value``."""

    def generate(context, builder, signature, args):
        array, index, value = args
        builder.store(value, pointer(builder, array, index, _FLOAT, _FLOAT))
        return context.get_dummy_value()

    return types.void(_INT, _INT, _REAL), generate


def reader(named_tuple, kind, bits):
    """Function ``read(table, row)`` that gives a row of a table as a ``named_tuple``: its columns are the fields.

    ``kind``: numba's type of the items, of so many ``bits``; shorter integers come as int64.
    """
    item = _FLOAT if kind is _REAL else ir.IntType(bits)
    count = len(named_tuple._fields)
    result = types.NamedUniTuple(kind, count, named_tuple)

    @intrinsic
    def read(typing, table, row):
        def generate(context, builder, signature, args):
            table, row = args
            first = builder.mul(row, ir.Constant(_WORD, count))
            places = (builder.add(first, ir.Constant(_WORD, column)) for column in range(count))
            values = [builder.load(pointer(builder, table, place, item, item)) for place in places]
            if kind is _INT and bits < 64:
                values = [builder.sext(value, _WORD) for value in values]
            return context.make_tuple(builder, signature.return_type, values)

        return result(_INT, _INT), generate

    return read


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


get_byte, get_int32, get_int64, get_mask = _get(_INT, 8), _get(_INT, 32), _get(_INT, 64), _get(types.uint64, 64)
put_byte, put_int32, put_int64 = _put(8), _put(32), _put(64)


@intrinsic
def lowest_bit(typing, mask):
    """Number of the lowest bit that is set."""

    def generate(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return _INT(types.uint64), generate
