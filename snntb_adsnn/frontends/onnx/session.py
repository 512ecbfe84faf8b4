"""What computes an ONNX model: onnxruntime, or ONNX's reference evaluator where that is not installed."""

from __future__ import annotations

from typing import Any


def session(proto: Any) -> Any:
    """A function of output names (``None``: all) and inputs by name; gives a list of arrays.

    Args:
        proto: an ``onnx.ModelProto``.
    """
    try:
        import onnxruntime
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        return lambda names, feeds: ReferenceEvaluator(proto).run(names, feeds)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"]).run
