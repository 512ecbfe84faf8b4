"""What computes an ONNX model: onnxruntime, or ONNX's reference evaluator where that is not installed."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.network.maps import Array

_IR_VERSION = 8  # of models made here: one that every onnxruntime reads


def session(proto: Any) -> Any:
    """A function of output names (``None``: all) and inputs by name; gives a list of arrays.

    Args:
        proto: an ``onnx.ModelProto``.
    """
    with contextlib.suppress(ImportError):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        # it lacks some operators in some types, convolutions in float64 for one
        with contextlib.suppress(Exception):
            providers = ["CPUExecutionProvider"]
            return onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=providers).run
    from onnx.reference import ReferenceEvaluator

    return lambda names, feeds: ReferenceEvaluator(proto).run(names, feeds)


def computed(operator: Any, constants: Mapping[str, Array], opset: int) -> list[Array]:
    """The outputs of an operator that reads constants only.

    Args:
        operator: an ``onnx.NodeProto``.
        constants: by name, its inputs among others.
        opset: version of the operator set.

    Raises:
        ConversionError: it cannot be computed.
    """
    import onnx

    known = {name: constants[name] for name in operator.input if name}
    graph = onnx.helper.make_graph(
        [operator],
        "constant",
        [
            onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for n, v in known.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in operator.output if name],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    model.ir_version = _IR_VERSION
    try:
        return [np.asarray(value) for value in session(model)(None, known)]
    except Exception as error:  # both have errors of their own
        reason = " ".join(str(error).split())[:200]
        raise ConversionError(
            f"operator {operator.name!r} ({operator.op_type}) reads constants only, but cannot be computed ({reason}); "
            "simplify the model first."
        ) from error
