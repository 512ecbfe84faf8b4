"""An ONNX model that answers: what runs ask a model for, computed by onnxruntime."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from snntb_adsnn.errors import DataError
from snntb_adsnn.files import atomic_write
from snntb_adsnn.frontends.onnx.session import session
from snntb_adsnn.network.maps import Array, Shape


class OnnxModel:
    """An ONNX model with the names that runs, and SNN Toolbox's flow, use of a Keras model.

    Images may have the model's own layout, (channels, rows, columns), or the channels last.

    Args:
        proto: an ``onnx.ModelProto``.
    """

    def __init__(self, proto: Any) -> None:
        self.proto = proto

    @property
    def _inputs(self) -> list[Any]:
        constant = {tensor.name for tensor in self.proto.graph.initializer}
        return [one for one in self.proto.graph.input if one.name not in constant]

    @property
    def input_shape(self) -> tuple[int | None, ...] | None:
        """Shape of its inputs, ``None`` where any size will do; ``None`` where there are several."""
        return _shape(self._inputs[0]) if len(self._inputs) == 1 else None

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of its first output."""
        return self.output_shapes[0]

    @cached_property
    def output_shapes(self) -> list[tuple[int | None, ...]]:
        """Shapes of its outputs, as the file says them; else as an input of zeros gives them, where that can be had."""
        shapes = [_shape(output) for output in self.proto.graph.output]
        known = all(shape and None not in shape[1:] for shape in shapes)
        if known or self.input_shape is None or None in self.input_shape[1:]:
            return [shape if len(shape) > 1 else (None, 1) for shape in shapes]
        outputs = self.predict_on_batch(np.zeros((1, *self.input_shape[1:])))
        return [(None, *one.shape[1:]) for one in (outputs if isinstance(outputs, list) else [outputs])]

    def fits(self, shape: Shape) -> bool:
        """Whether inputs of this shape, without the batch axis, can be given, in one layout or the other."""
        return self.input_shape is None or self._turned(shape) is not None

    def _turned(self, shape: Shape) -> bool | None:
        """Whether images of this shape must be turned; ``None`` where they do not fit in either layout."""
        wanted = (self.input_shape or ())[1:]
        for turned, found in ((False, shape), (True, (shape[-1:] + shape[:-1]) if len(shape) == 3 else ())):
            if len(found) == len(wanted) and all(w in (None, n) for w, n in zip(wanted, found, strict=True)):
                return turned
        return None

    def predict_on_batch(self, x: Any) -> Any:
        """What the model gives for inputs of shape (images, *input shape), in either layout.

        Returns:
            the output, or a list of them where there are several.

        Raises:
            DataError: inputs of another shape.
        """
        x = np.asarray(x, self._type)
        turned = self._turned(x.shape[1:])
        if turned is None:
            raise DataError(f"inputs have shape {x.shape[1:]}, but the model takes {self.input_shape}; check the data.")
        x = np.ascontiguousarray(np.moveaxis(x, -1, 1)) if turned else x
        size = (self.input_shape or (None,))[0] or len(x)
        # a model of a fixed batch gets the last input again where they do not fill it
        filled = np.concatenate([x, np.repeat(x[-1:], -len(x) % size, axis=0)])
        name = self._inputs[0].name
        pieces = [self._run(None, {name: filled[start : start + size]}) for start in range(0, len(filled), size)]
        outputs = [np.concatenate(parts)[: len(x)] for parts in zip(*pieces, strict=True)]
        outputs = [one[:, None] if one.ndim == 1 else one for one in outputs]  # as networks have it
        return outputs[0] if len(outputs) == 1 else outputs

    def predict(self, x: Array, batch_size: int = 100, verbose: Any = None) -> Any:
        """``predict_on_batch``, a few inputs at a time."""
        parts = [self.predict_on_batch(x[start : start + batch_size]) for start in range(0, len(x), batch_size)]
        if isinstance(parts[0], list):
            return [np.concatenate(one) for one in zip(*parts, strict=True)]
        return np.concatenate(parts)

    def save(self, path: Any) -> None:
        """Write the model, with all its weights in one file."""
        atomic_write(path, self.proto.SerializeToString())

    def summary(self) -> None:
        """Print what the model is made of."""
        graph = self.proto.graph
        weights = sum(math.prod(tensor.dims) for tensor in graph.initializer)
        kinds = dict.fromkeys(node.op_type for node in graph.node)
        print(f"ONNX model {graph.name!r}: {len(graph.node)} operators ({', '.join(kinds)}), {weights} constants")

    @property
    def _type(self) -> Any:
        from onnx.helper import tensor_dtype_to_np_dtype

        return tensor_dtype_to_np_dtype(self._inputs[0].type.tensor_type.elem_type)

    @cached_property
    def _run(self) -> Any:
        return session(self.proto)


def _shape(value: Any) -> tuple[int | None, ...]:
    return tuple(dim.dim_value or None for dim in value.type.tensor_type.shape.dim)
