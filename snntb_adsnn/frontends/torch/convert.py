"""PyTorch module -> SpikingNetwork, exactly or not at all.

torch's own exporter makes an ONNX graph in memory, which the ONNX converters read. What they made is compared with what
torch computes: inside, with the values of the graph that torch traced; at the end, with the module itself.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.frontends.check import DeviationError
from snntb_adsnn.frontends.torch.needed import need
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array

need("torch", "onnx", "onnxscript")

import torch  # noqa: E402

from snntb_adsnn.frontends.onnx.convert import converted  # noqa: E402
from snntb_adsnn.frontends.onnx.refusals import UNKNOWN_STATISTICS  # noqa: E402
from snntb_adsnn.frontends.torch.export import Program, as_tensor, evaluated, numbers, reason, trace  # noqa: E402
from snntb_adsnn.frontends.torch.refusals import refusal  # noqa: E402


def convert(
    model: Any, x_check: Any, *, readout_tau_phi: float = 50.0, dtype: type[np.floating[Any]] = np.float32
) -> SpikingNetwork:
    """Convert a PyTorch module with AAN or ReLU activations into a spiking network; see ``frontends.convert``.

    The module is not changed: a copy of it is evaluated, on the CPU and without gradients.

    Args:
        model: a ``torch.nn.Module`` with one input and one output, or a ``torch.export.ExportedProgram``.
        x_check: real inputs, array or tensor, in the module's own layout, shape (images, channels, rows, columns); the
            network then takes the same. Or channels-last, (images, rows, columns, channels): the network then takes
            these.
        readout_tau_phi: smoothing time constant of the read-out, ms.
        dtype: of the weights and biases.

    Raises:
        ConversionError: something cannot be converted exactly; names the operator, the reason and a way out.
    """
    module = _module(model)
    x = numbers(x_check)
    try:
        if dtype is not np.float64:
            with contextlib.suppress(DeviationError):  # float32 may have rounded too much
                return _converted(evaluated(module), x, readout_tau_phi, dtype)
        return _converted(evaluated(module, torch.float64), x, readout_tau_phi, dtype)
    except ConversionError as error:
        if why := _explained(evaluated(module), x):
            raise ConversionError(why) from error
        raise


def _explained(module: torch.nn.Module, x: Array) -> str | None:
    """Why a module that was refused cannot be converted at all, in PyTorch's own terms; ``None``: it is not known."""
    try:
        with torch.no_grad():
            images, once = _run(module, x)
            _, again = _run(module, x)
            if not all(np.allclose(a, b, 1e-3, 1e-6, equal_nan=True) for a, b in zip(once, again, strict=True)):
                return (
                    "the module's outputs are random: two evaluations of the same inputs differ. Leave out what draws "
                    "random numbers; write F.dropout(x, training=self.training), or use nn.Dropout."
                )
            return refusal(module, images[:1])
    except ConversionError:  # it has been said
        return None


def _module(model: Any) -> torch.nn.Module:
    """What is converted: the module inside a wrapper.

    Raises:
        ConversionError: TorchScript, or a module whose weights do not exist yet.
    """
    if isinstance(model, torch.jit.ScriptModule):
        raise ConversionError(
            "the model is a TorchScript module, which torch.export does not trace; give the module behind it."
        )
    if isinstance(model, torch.export.ExportedProgram):
        return model.module()
    # of torch.compile, and of training on several devices
    for wrapper in ("_orig_mod", "module"):
        inner = getattr(model, wrapper, None)
        if isinstance(inner, torch.nn.Module) and type(model).__module__.split(".")[0] == "torch":
            return _module(inner)
    empty = [name for name, p in model.named_parameters() if isinstance(p, torch.nn.parameter.UninitializedParameter)]
    if empty:
        raise ConversionError(
            f"the module's {empty[0]} has no shape yet (a lazy layer); call the module once, and train it."
        )
    for name, part in model.named_modules():
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm) and part.running_mean is None:
            # said here, for it stops torch from tracing one image
            raise ConversionError(f"{name!r} ({type(part).__name__}) {UNKNOWN_STATISTICS}.")
    return model


def _converted(
    module: torch.nn.Module, x: Array, readout_tau_phi: float, dtype: type[np.floating[Any]]
) -> SpikingNetwork:
    with torch.no_grad():
        images, outputs = _run(module, x)
        program = trace(module, images[:1])
        return converted(program.proto, x, partial(_values, program, outputs), "PyTorch", readout_tau_phi, dtype)


class _Result(NamedTuple):
    """Inputs in the module's own layout, and what it gives for them."""

    images: torch.Tensor
    outputs: list[Array]


def _run(module: torch.nn.Module, x: Array) -> _Result:
    """The module on the inputs as they are, else with the channels in front.

    Raises:
        ConversionError: it takes neither, or gives something else than one tensor.
    """
    if x.ndim < 2 or not len(x):
        raise ConversionError(
            f"the check inputs have shape {x.shape}; give at least one image, stacked along a first axis for images."
        )
    layouts = [x, np.moveaxis(x, -1, 1)] if x.ndim == 4 else [x]
    failures = []
    for layout in layouts:
        images = as_tensor(np.ascontiguousarray(layout), module)
        try:
            output = module(images)
        except Exception as error:  # whatever the module raises
            failures.append(error)
            continue
        outputs = list(output) if isinstance(output, tuple | list) else [output]
        if not outputs or not all(isinstance(one, torch.Tensor) for one in outputs):
            raise ConversionError(
                f"the module gives a {type(output).__name__}; only tensors, or a tuple of them, can be converted. Wrap "
                "it in a module that gives the ones that are meant."
            )
        return _Result(images, [one.detach().numpy() for one in outputs])
    raise ConversionError(
        f"the module cannot compute the check inputs, shape {x.shape} ({reason(failures[0])}). Give inputs as it takes "
        "them, images along the first axis, or the same with the channels last."
    )


def _values(
    program: Program, outputs: list[Array], x: Array, wanted: Sequence[str], _: Sequence[str]
) -> tuple[dict[str, Array], list[Array]]:
    """What torch computes for inputs ``x``: nodes of the traced graph by name; and what the module gave."""
    graph = program.exported.module()
    unknown = set(wanted) - {node.name for node in graph.graph.nodes}
    if unknown:
        raise ConversionError(
            f"torch's exporter renamed {sorted(unknown)[0]!r}, so that its value cannot be compared; write an ONNX "
            "file with snntb_adsnn.torch.export_onnx, and convert that."
        )
    observer = _Observer(graph, set(wanted))
    for image in as_tensor(x, graph).split(1):  # the graph was traced for one
        observer.run(image)
    found = {name: np.concatenate(parts) for name, parts in observer.found.items()}
    return found, outputs


class _Observer(torch.fx.Interpreter):  # type: ignore[misc]
    """Runs a graph and keeps what some of its nodes compute, by name, a piece for each run."""

    def __init__(self, graph: torch.fx.GraphModule, wanted: set[str]) -> None:
        super().__init__(graph)
        self.wanted = wanted
        self.found: dict[str, list[Array]] = defaultdict(list)

    def run_node(self, n: torch.fx.Node) -> Any:
        """As the interpreter does."""
        value = super().run_node(n)
        if n.name in self.wanted:
            self.found[n.name].append(value.numpy())
        return value
