"""Operators of ONNX that have no spiking equivalent: why, and what to use instead."""

from __future__ import annotations

from typing import Any

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.registry import Registry

REASONS: Registry[str, str] = Registry("reason to refuse an ONNX operator")
"""By operator; each tells the whole model's fate, so that it is said before what stands in front is read."""

RECURRENT = "is a recurrent layer, which cannot be converted; use convolutions or dense layers in its place"
ATTENTION = "is attention, which cannot be converted; use convolutions or dense layers in its place"
NORM = "divides by a spread that it takes from each input, which no linear map does; use batch normalization"
UNKNOWN_STATISTICS = (
    "takes its mean and variance from each batch and has none of its own, so that an image's answer depends on the "
    "images beside it; train with track_running_stats=True, and convert in evaluation mode"
)
for _kind in ("LSTM", "GRU", "RNN"):
    REASONS.add(_kind, RECURRENT)
for _kind in ("Attention", "MultiHeadAttention"):
    REASONS.add(_kind, ATTENTION)
for _kind in ("LayerNormalization", "InstanceNormalization", "GroupNormalization"):
    REASONS.add(_kind, NORM)
for _kind in ("Loop", "Scan", "If"):
    REASONS.add(_kind, "runs other operators by what values are, which cannot be converted; leave it out of the model")
REASONS.add(
    "LogSoftmax",
    "is a log_softmax, which the read-out does not compute. Leave it away at the end: the largest output, and so the "
    "decision, is the same",
)

INSTEAD: Registry[str, str] = Registry("reason to refuse an ONNX operator where it stands")
"""By operator; many of these stand over constants as well, in the sums for a shape, where they are computed."""

ACTIVATION = (
    "is an activation that an adaptive spiking neuron does not compute; train with ReLU, or with AAN "
    "(snntb_adsnn.torch.AAN), in its place"
)
COMPARED = (
    "compares values that depend on the input, as a threshold with a jump does, which no layer of neurons does; use "
    "ReLU, or AAN (snntb_adsnn.torch.AAN), in its place"
)
for _kind in ("Elu", "Selu", "Celu", "Gelu", "Erf", "Softplus", "Softsign", "Mish", "HardSwish", "Swish"):
    INSTEAD.add(_kind, ACTIVATION)
for _kind in ("ThresholdedRelu", "Shrink"):
    INSTEAD.add(_kind, ACTIVATION)
for _kind in ("Where", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal", "Sign"):
    INSTEAD.add(_kind, COMPARED)


def refuse_by_name(proto: Any, constants: Any) -> None:
    """Refuse a model for an operator that reads more than constants.

    Raises:
        ConversionError: names the operator, the reason and a way out.
    """
    for operator in proto.graph.node:
        reads = any(name and name not in constants for name in operator.input)
        if reads and (why := REASONS.get(operator.op_type)):
            raise ConversionError(f"operator {operator.name or operator.output[0]!r} ({operator.op_type}) {why}.")
