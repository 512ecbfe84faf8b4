"""AAN in ONNX: an operator of the domain ``snntb_adsnn``, which a function in the file explains in standard operators.

The neuron's constants are attributes of the node, as text: ONNX keeps only 32 bits of a number. What follows from them
(numbers, the table of the exact form) are its further inputs. Every program that runs ONNX computes it; the ONNX front
end reads the attributes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snntb_adsnn.frontends.onnx.quantised import dequantised
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.numbers import exact_scale, table_of, taylor_numbers
from snntb_adsnn.neuron.transfer import TABLE_END, TABLE_START, TABLE_STEP, taylor_constants
from snntb_adsnn.registry import Registry

DOMAIN, VERSION = "snntb_adsnn", 1
CONSTANTS = [field.name for field in dataclasses.fields(ASNParameters)]
"""Names of the attributes."""


@dataclass(frozen=True)
class Function:
    """A form of AAN as a function of standard operators.

    Attributes:
        name: of the operator.
        inputs: names of the inputs behind the potentials S.
        body: in ONNX's own text form; gives ``y``.
        values: what those inputs are, float64.
    """

    name: str
    inputs: tuple[str, ...]
    body: str
    values: Callable[[ASNParameters], list[NDArray[np.float64]]]


def _exact_values(p: ASNParameters) -> list[NDArray[np.float64]]:
    table = table_of(p)
    numbers = [p.resting_threshold / 2, exact_scale(p), p.dt, TABLE_START, TABLE_END, TABLE_STEP, len(table) - 1]
    return [np.array([*numbers, table[0, 1] / TABLE_STEP]), table.T.copy()]


def _taylor_values(p: ASNParameters) -> list[NDArray[np.float64]]:
    return [np.array([*taylor_constants(p), *taylor_numbers(p)])]


FUNCTIONS: Registry[str, Function] = Registry("function of AAN in ONNX")
FUNCTIONS.add(
    "exact",
    Function(
        "ExactAAN",
        ("numbers", "table"),
        """
        ones8 = Constant <value_ints: ints = [1, 1, 1, 1, 1, 1, 1, 1]> ()
        ones4 = Constant <value_ints: ints = [1, 1, 1, 1]> ()
        first = Constant <value_ints: ints = [0]> ()
        half, scale, dt, start, end, step, last, faint = Split <axis = 0> (numbers, ones8)
        zero = Sub (half, half)
        one = Div (step, step)
        excess = Sub (S, half)
        active = Greater (excess, zero)
        safe = Where (active, excess, one)
        z = Log (safe)
        above = Max (z, start)
        inside = Min (above, end)
        along = Sub (inside, start)
        pieces = Div (along, step)
        whole = Floor (pieces)
        piece = Min (whole, last)
        index = Cast <to = 7> (piece)
        moved = Mul (piece, step)
        base = Add (start, moved)
        rest = Sub (inside, base)
        u = Div (rest, step)
        rows = Gather <axis = 1> (table, index)
        c0, c1, c2, c3 = Split <axis = 0> (rows, ones4)
        uc3 = Mul (u, c3)
        b2 = Add (c2, uc3)
        ub2 = Mul (u, b2)
        b1 = Add (c1, ub2)
        ub1 = Mul (u, b1)
        cubic = Add (c0, ub1)
        low = Min (z, start)
        under = Sub (low, start)
        linear = Mul (under, faint)
        T = Add (cubic, linear)
        limited = Max (T, dt)
        f = Div (scale, limited)
        flat = Squeeze (f, first)
        y = Where (active, flat, zero)
        """,
        _exact_values,
    ),
)
# 1/expm1(u) = (1 - t)/(2 t) with t = tanh(u/2): for small u as exact as expm1, which ONNX does not have
FUNCTIONS.add(
    "taylor",
    Function(
        "TaylorAAN",
        ("numbers",),
        """
        ones7 = Constant <value_ints: ints = [1, 1, 1, 1, 1, 1, 1]> ()
        k1, k2, k3, k4, h, ratio, offset = Split <axis = 0> (numbers, ones7)
        one = Div (h, h)
        two = Add (one, one)
        s = Relu (S)
        k1s = Mul (k1, s)
        above = Add (k1s, k2)
        k3s = Mul (k3, s)
        below = Add (k3s, k4)
        quotient = Div (above, below)
        u = Mul (ratio, quotient)
        middle = Div (u, two)
        t = Tanh (middle)
        rest = Sub (one, t)
        hrest = Mul (h, rest)
        twice = Mul (two, t)
        bose = Div (hrest, twice)
        raw = Sub (bose, offset)
        y = Relu (raw)
        """,
        _taylor_values,
    ),
)


def explained(proto: Any) -> Any:
    """The ``onnx.ModelProto`` with the functions of its AAN nodes in it; changed in place."""
    from onnx import parser

    used = {node.op_type for node in proto.graph.node if node.domain == DOMAIN}
    version = next((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), 0)
    for function in FUNCTIONS.values():
        if function.name in used and function.name not in {f.name for f in proto.functions if f.domain == DOMAIN}:
            proto.functions.append(
                parser.parse_function(
                    f'<opset_import: ["": {version}], domain: "{DOMAIN}"> {function.name} <{", ".join(CONSTANTS)}> '
                    f"({', '.join(('S', *function.inputs))}) => (y) {{ {function.body} }}"
                )
            )
    if used and DOMAIN not in {o.domain for o in proto.opset_import}:
        proto.opset_import.add(domain=DOMAIN, version=VERSION)
    return proto


def flat(proto: Any) -> Any:
    """The model without functions of others' (exporters write them), and with AAN's, which a file may lack; quantised
    weights become constants.

    Raises:
        ConversionError: values that depend on the input are quantised.
    """
    import onnx.inliner

    if any(function.domain != DOMAIN for function in proto.functions):
        ours = [(DOMAIN, function.name) for function in FUNCTIONS.values()]
        proto = onnx.inliner.inline_selected_functions(proto, ours, exclude=True)
    return explained(dequantised(proto))
