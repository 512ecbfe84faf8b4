"""AAN as two operators of torch, ``snntb_adsnn::aan`` and its slope: what tracing, compiling and exporting keep whole.

The arguments are the neuron's constants, so that they can be read from a traced graph.
"""

from __future__ import annotations

from typing import Any

import torch

from snntb_adsnn.frontends.torch.curves import CURVES
from snntb_adsnn.frontends.torch.gradient import GRADIENTS
from snntb_adsnn.neuron import ASNParameters

_CONSTANTS = "float m_f, float theta0, float tau_gamma, float tau_eta, float tau_beta, float tau_phi, float dt"
_ARGUMENTS = f"(Tensor S, str form, {_CONSTANTS}, str gradient) -> Tensor"


def _wide(S: torch.Tensor) -> torch.Tensor:
    """In a type in which the table's places can be told apart."""
    return S if S.dtype == torch.float64 else S.to(torch.float32)


def _value(S: torch.Tensor, form: str, *rest: Any) -> torch.Tensor:
    *constants, _ = rest
    return CURVES[form].value(_wide(S), ASNParameters(*constants)).to(S.dtype)


def _slope(S: torch.Tensor, form: str, *rest: Any) -> torch.Tensor:
    *constants, gradient = rest
    return GRADIENTS.find(gradient)(_wide(S), ASNParameters(*constants), form).to(S.dtype)


def _like(S: torch.Tensor, *_: Any) -> torch.Tensor:
    return torch.empty_like(S)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    S, *ctx.constants = inputs
    ctx.save_for_backward(S)


def _backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    (S,) = ctx.saved_tensors
    return (upstream * SLOPE(S, *ctx.constants), *(None for _ in ctx.constants))


for _name, _function in (("aan", _value), ("aan_slope", _slope)):
    torch.library.define(f"snntb_adsnn::{_name}", _ARGUMENTS)
    torch.library.impl(f"snntb_adsnn::{_name}", "CompositeExplicitAutograd", _function)
    torch.library.register_fake(f"snntb_adsnn::{_name}", _like)
torch.library.register_autograd("snntb_adsnn::aan", _backward, setup_context=_keep)

OPERATOR = torch.ops.snntb_adsnn.aan.default
SLOPE = torch.ops.snntb_adsnn.aan_slope.default
