"""From a module with AAN to ONNX, by torch's own exporter."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.files import atomic_write
from snntb_adsnn.frontends.check import real
from snntb_adsnn.frontends.onnx.functions import CONSTANTS, DOMAIN, FUNCTIONS, VERSION, Function, explained
from snntb_adsnn.frontends.torch.needed import need
from snntb_adsnn.frontends.torch.operators import OPERATOR
from snntb_adsnn.network.maps import Array
from snntb_adsnn.neuron import ASNParameters


class Program(NamedTuple):
    """A traced module.

    Attributes:
        proto: as an ``onnx.ModelProto``, whose tensors are named as the nodes of ``exported``.
        exported: the graph that torch traced.
    """

    proto: Any
    exported: torch.export.ExportedProgram


def export_onnx(module: torch.nn.Module, x: Any, path: str | Path) -> Path:
    """Write a module as an ONNX file that any ONNX program runs, for any number of images at once.

    AAN layers become nodes of the domain ``snntb_adsnn``, whose attributes hold their constants; a function in the file
    says what they compute. The module itself is not changed; batch norms and dropout are written as in evaluation.

    Args:
        module: a trained module with one input.
        x: example inputs, shape (images, *input shape), array or tensor.
        path: of the ``.onnx`` file.

    Returns:
        the path.

    Raises:
        ConversionError: torch cannot trace or export the module; says why.
        OutputError: the file cannot be written.

    The same for ``torch.onnx.export(..., dynamo=True, custom_translation_table=TRANSLATIONS)`` is a file without the
    functions: this front end reads it, other programs do not run it.
    """
    copied = evaluated(module)
    example = as_tensor(x, copied)[:1]
    axes = ({0: torch.export.Dim("batch")},)  # one example would be taken for the only size
    program = trace(copied, torch.cat([example, example]), axes)
    return atomic_write(Path(path), program.proto.SerializeToString())


def trace(module: torch.nn.Module, x: torch.Tensor, axes: Any = None) -> Program:
    """Trace a module in evaluation mode, and translate it.

    Args:
        module: in evaluation mode; see ``evaluated``.
        x: example inputs.
        axes: ``dynamic_shapes`` of ``torch.export.export``; ``None``: the example's sizes are kept.

    Raises:
        ConversionError: torch cannot; says why.
    """
    need("onnx", "onnxscript")
    with quiet(), torch.no_grad():
        try:
            exported = torch.export.export(module, (x,), dynamic_shapes=axes)
        except Exception as error:  # torch raises whatever its tracer, or the module, raises
            raise ConversionError(
                f"torch.export cannot trace the module ({reason(error)}). What depends on the data (an if on values, "
                ".item(), a loop) cannot be traced: take it out of forward, or convert the part without it."
            ) from error
        try:
            program = torch.onnx.export(
                exported, (x,), dynamo=True, custom_translation_table=TRANSLATIONS(), verbose=False
            )
        except Exception as error:
            raise ConversionError(
                f"torch cannot export the module to ONNX ({reason(error)}). Replace the operation that it names by one "
                "that docs/conversion.md lists."
            ) from error
    proto = program.model_proto
    _name_by_module(proto, program.exported_program)
    _forget_origin(proto)
    return Program(explained(proto), program.exported_program)


def _name_by_module(proto: Any, exported: torch.export.ExportedProgram) -> None:
    """Name ONNX operators after the modules that they come from: ``features.0``; a second one by its operation too."""
    paths = {}
    for node in exported.graph.nodes:
        stack = node.meta.get("nn_module_stack") or {}
        paths[node.name] = next((path for path, _ in reversed(stack.values()) if path), "")
    taken: set[str] = set()
    for operator in proto.graph.node:
        path = paths.get(operator.output[0], "")
        name = path if path and path not in taken else f"{path}.{operator.output[0]}".lstrip(".")
        taken.add(name)
        operator.name = name


def _forget_origin(proto: Any) -> None:
    """Leave out what the exporter notes of its sources: lines of code, and where they lie on this machine."""
    graph = proto.graph
    for part in (proto, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


def evaluated(module: torch.nn.Module, dtype: torch.dtype | None = None) -> torch.nn.Module:
    """A copy in evaluation mode, on the CPU, without gradients; in ``dtype`` where given, else in the module's own, and
    in float32 where that is shorter.

    Raises:
        ConversionError: it cannot be copied.
    """
    try:
        copied = copy.deepcopy(module).cpu()
    except Exception as error:
        raise ConversionError(
            f"the module cannot be copied ({reason(error)}); keep only modules and weights in it."
        ) from error
    with contextlib.suppress(NotImplementedError):  # what torch.export made has its mode fixed
        copied.eval()
    copied.requires_grad_(False)
    floats = {p.dtype for p in copied.parameters() if p.is_floating_point()}
    if dtype or floats & {torch.float16, torch.bfloat16}:
        copied.to(dtype or torch.float32)
    return copied


def as_tensor(x: Any, module: torch.nn.Module) -> torch.Tensor:
    """Inputs as a tensor on the CPU, of the module's type; in rows, as ``Tensor.view`` needs it.

    Raises:
        ConversionError: they are no real numbers.
    """
    dtypes = [p.dtype for p in module.parameters() if p.is_floating_point()]
    return torch.from_numpy(numbers(x).copy(order="C")).to(dtypes[0] if dtypes else torch.float32)


def numbers(x: Any) -> Array:
    """Inputs as an array of real numbers, in a type that torch and numpy share.

    Raises:
        ConversionError: they are no real numbers.
    """
    if isinstance(x, torch.Tensor):
        if x.is_complex() or x.layout != torch.strided or x.is_quantized:
            raise ConversionError(f"the check inputs are a tensor of {x.dtype}, {x.layout}; give plain real numbers.")
        x = x.detach().cpu()
        x = x if x.dtype in (torch.float32, torch.float64) else x.double()
    return real(x)


def reason(error: BaseException) -> str:
    """The first sentence of an error, or of the one that it arose from."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[0].split())[:200].rstrip(". ") if lines else type(error).__name__


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what the exporter prints about itself."""
    logger = logging.getLogger("torch")
    before = logger.level
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            logger.setLevel(before)


# ---- AAN -------------------------------------------------------------------------------------------------------------


def TRANSLATIONS() -> dict[Any, Callable[..., Any]]:
    """How AAN is written: for ``custom_translation_table`` of ``torch.onnx.export``.

    Raises:
        AdSNNError: onnx or onnxscript is not installed.
    """
    need("onnx", "onnxscript")
    return {OPERATOR: _translation}


def _translation(
    S: Any,
    form: str,
    m_f: float,
    theta0: float,
    tau_gamma: float,
    tau_eta: float,
    tau_beta: float,
    tau_phi: float,
    dt: float,
    gradient: str,
) -> Any:
    """The node of one AAN, made while torch exports."""
    import onnx_ir
    from onnxscript.values import Op, Opset

    constants = ASNParameters(m_f, theta0, tau_gamma, tau_eta, tau_beta, tau_phi, dt)
    function = FUNCTIONS[form]
    dtype = S.dtype.numpy()
    standard = Opset("", 18)
    inputs = [standard.Constant(value=onnx_ir.tensor(v.astype(dtype))) for v in function.values(constants)]
    texts = {name: repr(value) for name, value in constants.as_dict().items()}
    return Op(Opset(DOMAIN, VERSION), function.name, _schema(function))(S, *inputs, **texts)


def _schema(function: Function) -> Any:
    from onnx.defs import OpSchema

    return OpSchema(
        function.name,
        DOMAIN,
        VERSION,
        inputs=[OpSchema.FormalParameter(name, "T") for name in ("S", *function.inputs)],
        outputs=[OpSchema.FormalParameter("y", "T")],
        type_constraints=[("T", ["tensor(float16)", "tensor(float)", "tensor(double)"], "")],
        attributes=[OpSchema.Attribute(name, OpSchema.AttrType.STRING, required=True) for name in CONSTANTS],
    )
