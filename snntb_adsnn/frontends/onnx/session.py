"""What computes an ONNX model: onnxruntime, or ONNX's reference evaluator where that is not installed."""

from __future__ import annotations

import contextlib
from typing import Any


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
