"""Sums, products and differences."""

from __future__ import annotations

from snntb_adsnn.errors import NetworkError
from snntb_adsnn.frontends.onnx.operators.call import OPERATORS, Call, lined_up, moved
from snntb_adsnn.frontends.onnx.tensors import IMAGE, Tensor
from snntb_adsnn.network import maps
from snntb_adsnn.network.maps import Array


def _beside(call: Call) -> tuple[Tensor, Array] | None:
    """The tensor and the constant of an operator with two inputs; ``None`` where neither is constant."""
    for index in (0, 1):
        value = call.constant(index)
        if value is not None:
            x = call.tensor(1 - index)
            return x, lined_up(value, x.shape)
    return None


def _same_order(call: Call) -> list[Tensor]:
    """All inputs, with their elements in the same order."""
    tensors = [call.tensor(i) for i in range(len(call.inputs))]
    if len({(t.layout, t.image) for t in tensors}) == 1:
        return tensors
    if any(t.layout == IMAGE for t in tensors) and all(len(t.shape) in (2, 3) for t in tensors):
        return [call.builder.image(t, call.name) for t in tensors]
    return [call.builder.plain(t, call.name) for t in tensors]


def _sum(call: Call, tensors: list[Tensor]) -> Tensor:
    if len({t.shape for t in tensors}) != 1:
        raise NetworkError(f"adds inputs of shapes {', '.join(str(t.shape) for t in tensors)}; they must be alike")
    first = tensors[0]
    return Tensor(call.add(maps.Add(*call.at(*tensors))), first.shape, first.layout, first.image)


@OPERATORS.register("Add", "Sum")
def _add(call: Call) -> Tensor:
    if len(call.inputs) == 2 and (pair := _beside(call)):
        return moved(call, pair[0], 1.0, pair[1])
    return _sum(call, _same_order(call))


@OPERATORS.register("Sub")
def _subtract(call: Call) -> Tensor:
    if pair := _beside(call):
        first = call.constant(0) is not None
        return moved(call, pair[0], -1.0 if first else 1.0, pair[1] if first else -pair[1])
    one, other = _same_order(call)
    negative = Tensor(
        call.builder.moved(other, -1.0, 0.0, f"{call.name}/minus"), other.shape, other.layout, other.image
    )
    return _sum(call, [one, negative])


@OPERATORS.register("Mul", "Div")
def _multiply(call: Call) -> Tensor:
    pair = _beside(call)
    if pair is None:
        raise NetworkError("multiplies or divides two values that depend on the input, which no linear map does")
    if call.outputs and call.attributes.get("_divides"):
        if call.constant(0) is not None:
            raise NetworkError("divides by a value that depends on the input, which no linear map does")
        return moved(call, pair[0], 1 / pair[1], 0.0)
    return moved(call, *pair, 0.0)


@OPERATORS.register("Neg")
def _negate(call: Call) -> Tensor:
    return moved(call, call.tensor(), -1.0, 0.0)
