"""Operations of PyTorch that have no spiking equivalent: why, and what to use instead.

ONNX has no operators for some of them: the exporter writes many others, and what stands wrong there says little. So the
graph that torch traced is asked, whose operations have the names that PyTorch has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from snntb_adsnn.frontends.onnx.refusals import ACTIVATION, ATTENTION, RECURRENT, UNKNOWN_STATISTICS
from snntb_adsnn.frontends.torch.export import quiet
from snntb_adsnn.registry import Registry

Reason = Callable[[torch.fx.Node], str | None]
REASONS: Registry[str, Reason] = Registry("reason to refuse an operation of PyTorch")
"""By the operation's name in torch (``aten``), or the class of the module that it stands in; ``None``: it is fine."""

for _kind in ("lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"):
    REASONS.add(_kind, lambda node: RECURRENT)
for _kind in ("scaled_dot_product_attention", "_native_multi_head_attention", "MultiheadAttention"):
    REASONS.add(_kind, lambda node: ATTENTION)
for _kind in ("threshold", "hardshrink", "softshrink", "Softsign", "elu", "selu", "celu", "gelu", "silu", "mish"):
    REASONS.add(_kind, lambda node: ACTIVATION)
for _kind in ("softplus", "log_sigmoid", "glu", "hardswish", "rrelu"):
    REASONS.add(_kind, lambda node: ACTIVATION)


@REASONS.register("index")
def _index(node: torch.fx.Node) -> str:
    return (
        "picks elements by a list or a mask of indices; only a number or a slice can be used. Pick them so, as x[:, 0] "
        "and x[:, 2:5] do, and join what is picked with torch.cat"
    )


@REASONS.register("batch_norm")
def _batch_norm(node: torch.fx.Node) -> str | None:
    own = len(node.args) < 6 or node.args[3] is None or bool(node.args[5])
    return UNKNOWN_STATISTICS if own else None


@REASONS.register("adaptive_avg_pool2d", "adaptive_max_pool2d", "adaptive_avg_pool1d", "adaptive_max_pool1d")
def _adaptive(node: torch.fx.Node) -> str | None:
    wanted = tuple(node.args[1])
    given = tuple(int(n) for n in node.args[0].meta["val"].shape[-len(wanted) :])
    if all(n % w == 0 for n, w in zip(given, wanted, strict=True)):
        return None
    return (
        f"makes {wanted} of {given}, which it does not divide, so that its windows have several sizes; choose a size "
        "that divides, or a pooling of one window size"
    )


def refusal(module: torch.nn.Module, x: torch.Tensor) -> str | None:
    """Why a module that could not be converted has no equivalent, as far as its operations say it; else ``None``."""
    try:
        with quiet():
            exported = torch.export.export(module, (x,))
    except Exception:  # whatever the tracer raises: it has been said
        return None
    given = set(exported.graph_signature.user_inputs)
    for node in exported.graph.nodes:
        if not any(source.name in given for source in node.all_input_nodes):
            continue  # what reads constants only is computed
        given.add(node.name)
        path, kind = _inside(node)
        for name in (_operation(node), kind):
            if (why := REASONS.get(name)) and (sentence := why(node)):
                return f"{path!r} ({kind or name}) {sentence}."
    return None


def _operation(node: torch.fx.Node) -> str:
    """``lstm`` of ``aten.lstm.input``."""
    parts = str(node.target).split(".")
    return parts[1] if node.op == "call_function" and parts[0] == "aten" else ""


def _inside(node: torch.fx.Node) -> tuple[str, str]:
    """Path and class of the innermost module that a node stands in."""
    stack: list[Any] = list((node.meta.get("nn_module_stack") or {}).values())
    path, kind = stack[-1] if stack else ("", "")
    name = kind if isinstance(kind, str) else kind.__name__
    return path or node.name, name.rpartition(".")[2]
