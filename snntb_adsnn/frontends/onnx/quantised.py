"""QONNX: weights that an operator of the file quantises become the constants that it gives; exact.

Rules: the operator definitions of the QONNX project (Quant, which is also called IntQuant, and BipolarQuant; Pappalardo
et al. 2022, arXiv:2206.07527). What quantises values that depend on the input is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.frontends.onnx.session import computed
from snntb_adsnn.network.maps import Array
from snntb_adsnn.registry import Registry

DOMAINS = ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas")
"""Domains of the operators, the newest first."""
_STANDARD = ("QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger")
"""Operators of ONNX itself that round values."""

Rule = Callable[[list[Array], dict[str, Any]], Array]
"""From an operator's inputs and attributes to its output."""
RULES: Registry[str, Rule] = Registry("QONNX operator over constants")

ROUNDINGS: Registry[str, Callable[[Array], Array]] = Registry("rounding mode of QONNX")
ROUNDINGS.add("ROUND", np.round)  # halves to the even number
ROUNDINGS.add("CEIL", np.ceil)
ROUNDINGS.add("FLOOR", np.floor)
ROUNDINGS.add("UP", lambda v: np.sign(v) * np.ceil(np.abs(v)))
ROUNDINGS.add("DOWN", np.trunc)
ROUNDINGS.add("HALF_UP", lambda v: np.sign(v) * np.floor(np.abs(v) + 0.5))
ROUNDINGS.add("HALF_DOWN", lambda v: np.sign(v) * np.ceil(np.abs(v) - 0.5))


@RULES.register("Quant", "IntQuant")
def _quant(inputs: list[Array], attributes: dict[str, Any]) -> Array:
    """(round(clip(x / scale + zero)) - zero) * scale; one signed bit is -1 or 1."""
    x, scale, zero, bits = inputs
    signed, narrow = attributes.get("signed", 1), attributes.get("narrow", 0)
    whole = x / scale + zero
    if signed and (bits == 1).all():
        whole = np.where(whole >= 0, 1, -1).astype(x.dtype)
    else:
        half = 2.0 ** (bits - 1)
        low, high = (narrow - half, half - 1) if signed else (0 * half, 2 * half - 1 - narrow)
        whole = ROUNDINGS[attributes.get("rounding_mode", "ROUND").upper()](np.clip(whole, low, high))
    found: Array = ((whole - zero) * scale).astype(x.dtype)
    return found


@RULES.register("BipolarQuant")
def _bipolar(inputs: list[Array], attributes: dict[str, Any]) -> Array:
    """-scale below 0, else scale."""
    x, scale = inputs
    found: Array = (np.where(x >= 0, 1, -1) * scale).astype(x.dtype)
    return found


def dequantised(proto: Any) -> Any:
    """The ``onnx.ModelProto`` with constants where QONNX quantises constants; the same one where it does not.

    Raises:
        ConversionError: an operator quantises values that depend on the input, or has no rule here.
    """
    if not any(node.domain in DOMAINS for node in proto.graph.node):
        return proto
    from onnx import numpy_helper

    found = type(proto)()
    found.CopyFrom(proto)
    graph = found.graph
    opset = next((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), 0)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    del graph.node[:]
    for node in proto.graph.node:
        constant = all(not name or name in constants for name in node.input)
        if node.domain in DOMAINS:
            if not constant or node.op_type not in RULES:
                raise ConversionError(f"operator {node.name or node.output[0]!r} ({node.op_type}): {_refusal(node)}.")
            values = [_apply(node, constants)]
            graph.initializer.append(numpy_helper.from_array(values[0], node.output[0]))
        else:
            graph.node.append(node)
            values = computed(node, constants, opset) if constant else []
        constants.update(zip((name for name in node.output if name), values, strict=False))
    return found


def _apply(node: Any, constants: dict[str, Array]) -> Array:
    from onnx.helper import get_attribute_value

    attributes = {a.name: get_attribute_value(a) for a in node.attribute}
    texts = {name: v.decode() if isinstance(v, bytes) else v for name, v in attributes.items()}
    try:
        return RULES[node.op_type]([constants[name] for name in node.input], texts)
    except (KeyError, ValueError) as error:  # another number of inputs, shapes that do not fit, an unknown rounding
        raise ConversionError(
            f"operator {node.name or node.output[0]!r} ({node.op_type}) cannot be computed "
            f"({' '.join(str(error).split())[:200]}); export the model again."
        ) from error


def refusal(operator: Any) -> str | None:
    """Why an operator that rounds values cannot be converted, and what to do; ``None`` where it is none."""
    return _refusal(operator) if operator.domain in ("", "ai.onnx") and operator.op_type in _STANDARD else None


def _refusal(operator: Any) -> str:
    if operator.domain in DOMAINS and operator.op_type not in RULES:
        return f"is not known here; of QONNX's operators, {' and '.join(RULES)} over constant weights are"
    return (
        "rounds values that depend on the input, which spikes do not do. Weights may stay quantised: export the model "
        "with activations that are not (in Brevitas nn.ReLU for QuantReLU, and no QuantIdentity)"
    )
