"""ONNX model -> SpikingNetwork, exactly or not at all.

Each operator becomes nodes of a draft (one small converter per operator, ``operators.py``). The draft becomes a
network, which is compared with onnxruntime on real inputs, or with ONNX's reference evaluator where that is not
installed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from snntb_adsnn.errors import ConversionError, NetworkError
from snntb_adsnn.frontends.check import DeviationError, check, real
from snntb_adsnn.frontends.onnx import reader
from snntb_adsnn.frontends.onnx.functions import flat
from snntb_adsnn.frontends.onnx.model import OnnxModel
from snntb_adsnn.frontends.onnx.operators import OPERATORS, Call
from snntb_adsnn.frontends.onnx.quantised import refusal
from snntb_adsnn.frontends.onnx.refusals import INSTEAD, refuse_by_name
from snntb_adsnn.frontends.onnx.session import computed, session
from snntb_adsnn.frontends.onnx.tensors import Builder, Probe, Tensor
from snntb_adsnn.network import Input, SpikingNetwork
from snntb_adsnn.network.draft import fit_thresholds
from snntb_adsnn.network.maps import Array, Shape

try:
    import onnx
    from onnx import numpy_helper
except ImportError as error:
    raise ConversionError(
        f"an ONNX model needs the package onnx ({error}); run: pip install 'snntb-adsnn[onnx]'"
    ) from error

OLDEST, NEWEST = 11, 21
"""Operator sets that the converters know."""


def convert(
    model: Any, x_check: Any, *, readout_tau_phi: float = 50.0, dtype: type[np.floating[Any]] = np.float32
) -> SpikingNetwork:
    """Convert an ONNX model with AAN or ReLU activations into a spiking network; see ``frontends.convert``.

    Args:
        model: the path of a ``.onnx`` file, an ``onnx.ModelProto``, or an ``OnnxModel``.
        x_check: real inputs, in the model's own layout, shape (images, channels, rows, columns); the network then takes
            the same. Or channels-last, (images, rows, columns, channels): the network then takes these.
        readout_tau_phi: smoothing time constant of the read-out, ms.
        dtype: of the weights and biases.

    Raises:
        ConversionError: something cannot be converted exactly; names the operator, the reason and a way out.
    """
    proto = _read(model)
    return converted(proto, x_check, partial(_values, proto), "ONNX", readout_tau_phi, dtype)


Values = Callable[[Array, Sequence[str], Sequence[str]], tuple[dict[str, Array], list[Array]]]
"""What a framework computes for inputs of the model's own layout: of tensors by name, and of the outputs by name."""


def converted(
    proto: Any, x_check: Any, values: Values, framework: str, readout_tau_phi: float, dtype: type[np.floating[Any]]
) -> SpikingNetwork:
    """The network of an ONNX model, compared with what ``values`` computes.

    Args:
        proto: an ``onnx.ModelProto``.
        x_check: real inputs, as for ``convert``.
        values: what computes the values of the check.
        framework: its name, for messages.
        readout_tau_phi: smoothing time constant of the read-out, ms.
        dtype: of the weights and biases.

    Raises:
        ConversionError: something cannot be converted exactly; names the operator, the reason and a way out.
    """
    opset = _opset(proto)
    builder = Builder(constants={t.name: numpy_helper.to_array(t) for t in proto.graph.initializer})
    refuse_by_name(proto, builder.constants)
    x, swapped = _input(proto, builder, real(x_check))
    for number, operator in enumerate(proto.graph.node):
        _translate(operator, number, opset, builder)
    outputs = _outputs(proto, builder)
    try:
        last = swapped is not x  # the inputs have their channels last: so have image outputs
        ends = {name: builder.ending(builder.tensors[name], channels_last=last) for name in outputs}
        network, sources = builder.draft.finish(ends, readout_tau_phi, dtype)
    except NetworkError as error:
        raise ConversionError(f"the model cannot become a spiking network: {error}") from error
    images = network.check_images(x, np.float32)
    probes: dict[str, Probe] = {name: builder.draft.tensors[source.node] for name, source in sources.items()}
    there, answers = values(swapped, list(dict.fromkeys(probe.tensor for probe in probes.values())), outputs)
    seen = {name: probe.of(there[probe.tensor]) for name, probe in probes.items()}
    answers = [y[:, None] if y.ndim == 1 else y for y in answers]
    found = [np.moveaxis(y, 1, -1) if last and y.ndim == 4 else y for y in answers]
    for population in network.populations:
        if population.name in sources and not sources[population.name].pooled:
            seen[population.name] = population.pooled(seen[population.name].reshape(-1, *population.input_shapes[0]))
    try:
        check(network, images, seen, found, framework)
    except DeviationError:
        if not _in_16_bits(proto):
            raise
        raise ConversionError(
            "the model computes in 16 bits, which round by more than a conversion may deviate; export it in float32."
        ) from None
    return fit_thresholds(network, x)


def _in_16_bits(proto: Any) -> bool:
    return any(t.data_type in (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16) for t in proto.graph.initializer)


def _read(model: Any) -> Any:
    if isinstance(model, OnnxModel):
        return model.proto
    return flat(reader.proto(Path(model)) if isinstance(model, str | Path) else model)


def _opset(proto: Any) -> int:
    version = next((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), 0)
    if not OLDEST <= version <= NEWEST:
        raise ConversionError(
            f"the model uses operator set {version}; sets {OLDEST} to {NEWEST} are known. Export it again with one of "
            "these (in PyTorch: opset_version=17)."
        )
    return version


def _outputs(proto: Any, builder: Builder) -> list[str]:
    names = [output.name for output in proto.graph.output]
    for name in names:
        if name not in builder.tensors:
            raise ConversionError(f"the model's output {name!r} does not depend on its input.")
    return names


def _input(proto: Any, builder: Builder, x: Array) -> tuple[Array, Array]:
    """Add the model's input; returns the check inputs as the network takes them, and as ONNX does."""
    inputs = [i for i in proto.graph.input if i.name not in builder.constants]
    if len(inputs) != 1:
        raise ConversionError(
            f"the model has {len(inputs)} inputs; only one can be converted. Make the others constant."
        )
    dims = [d.dim_value for d in inputs[0].type.tensor_type.shape.dim]
    wanted, given = dims[1:], x.shape[1:]
    if len(dims) < 2 or len(dims) != x.ndim:
        raise ConversionError(
            f"input {inputs[0].name!r} has shape {_written(dims)}, a batch axis first, but the check inputs have "
            f"{x.shape}; give inputs of the model's own shape."
        )

    def fits(shape: Shape) -> bool:
        return all(w in (0, n) for w, n in zip(wanted, shape, strict=True))

    last = (given[-1], *given[:-1])
    if fits(given):
        shape, swapped = given, x
    elif len(given) == 3 and fits(last):
        shape, swapped = last, np.moveaxis(x, -1, 1)
    else:
        raise ConversionError(
            f"input {inputs[0].name!r} takes images of shape {_written(wanted)}, but the check inputs have {given}; "
            "give inputs of the model's own shape, or the same with the channels last."
        )
    name = builder.draft.add(Input(builder.name(inputs[0].name), (), (), given))
    tensor = Tensor(name, shape, "plain" if swapped is x else "image")
    builder.tensors[inputs[0].name] = tensor
    builder.batch = max(1, dims[0])
    return x, swapped


def _written(sizes: Sequence[int]) -> str:
    """A shape for messages; a size of 0 is any."""
    return f"({', '.join(str(n) if n else 'any' for n in sizes)}{',' if len(sizes) == 1 else ''})"


def _translate(operator: Any, number: int, opset: int, builder: Builder) -> None:
    kind = operator.op_type
    name = operator.name or f"{kind}_{number}"
    if _fold(operator, opset, builder):
        return
    converter = OPERATORS.get(kind if operator.domain in ("", "ai.onnx") else f"{operator.domain}.{kind}")
    if converter is None and (why := refusal(operator)):
        raise ConversionError(f"operator {name!r} ({kind}): {why}.")
    if converter is None and (why := INSTEAD.get(kind)):
        raise ConversionError(f"operator {name!r} ({kind}) {why}.")
    if converter is None:
        raise ConversionError(
            f"operator {name!r} ({kind}) has no spiking equivalent here. Supported: {', '.join(sorted(OPERATORS))}. "
            "Rebuild the model from these."
        )
    attributes = {a.name: _attribute(a) for a in operator.attribute}
    attributes |= {"_type": kind, "_divides": kind == "Div"}
    call = Call(builder, name, tuple(operator.input), tuple(operator.output), attributes, opset)
    try:
        builder.tensors[operator.output[0]] = converter(call)
    except NetworkError as error:
        raise ConversionError(f"operator {name!r} ({kind}): {str(error).rstrip('.')}.") from error
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # the converter expects another form of the operator, which the checker of ONNX lets pass
        why = " ".join(str(error).split())[:200].rstrip(".")
        raise ConversionError(
            f"operator {name!r} ({kind}) has inputs or attributes in a form that is not converted ({why}); write it "
            "another way."
        ) from error


def _attribute(attribute: Any) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    return value.decode() if isinstance(value, bytes) else value


def _fold(operator: Any, opset: int, builder: Builder) -> bool:
    """Compute an operator that reads constants only, or asks for a shape; returns whether it is one."""
    if operator.op_type == "Shape" and operator.input[0] in builder.tensors:
        shape = np.array([builder.batch, *builder.tensors[operator.input[0]].shape], np.int64)
        bounds = {a.name: _attribute(a) for a in operator.attribute}
        builder.constants[operator.output[0]] = shape[bounds.get("start", 0) : bounds.get("end")]
        return True
    if any(name and name not in builder.constants for name in operator.input):
        return False
    values = computed(operator, builder.constants, opset)
    builder.constants.update(zip([name for name in operator.output if name], values, strict=True))
    return True


def _values(
    proto: Any, x: Array, wanted: Sequence[str], outputs: Sequence[str]
) -> tuple[dict[str, Array], list[Array]]:
    """What ONNX computes for inputs ``x``: tensors by name, and the model's outputs."""
    probed = onnx.ModelProto()
    probed.CopyFrom(proto)
    there = {o.name for o in probed.graph.output} | {i.name for i in probed.graph.input}
    probed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted if name not in there)
    run = session(probed)
    inputs = [i for i in probed.graph.input if i.name not in {t.name for t in probed.graph.initializer}]
    batch = inputs[0].type.tensor_type.shape.dim[0].dim_value or len(x)
    # a model of a fixed batch gets the last images again where they do not fill it
    kind = onnx.helper.tensor_dtype_to_np_dtype(inputs[0].type.tensor_type.elem_type)
    filled = np.concatenate([x, np.repeat(x[-1:], -len(x) % batch, axis=0)]).astype(kind)
    pieces = [filled[i : i + batch] for i in range(0, len(filled), batch)]
    names = list(dict.fromkeys([*wanted, *outputs]))
    found: dict[str, list[Array]] = {name: [] for name in names}
    for piece in pieces:
        for name, value in zip(names, run(names, {inputs[0].name: piece}), strict=True):
            found[name].append(value)
    values = {name: np.concatenate(parts)[: len(x)] for name, parts in found.items()}
    return values, [values[name] for name in outputs]
