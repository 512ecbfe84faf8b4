"""The two forms of AAN in torch operations: values and derivatives, as ``neuron.transfer`` has them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch

from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.numbers import exact_scale, table_of, taylor_numbers
from snntb_adsnn.neuron.transfer import TABLE_END, TABLE_START, TABLE_STEP, taylor_constants
from snntb_adsnn.registry import Registry


class Curve(NamedTuple):
    """A form: f(S) and df/dS of potentials of any shape, float32 or float64."""

    value: Callable[[torch.Tensor, ASNParameters], torch.Tensor]
    slope: Callable[[torch.Tensor, ASNParameters], torch.Tensor]


# ---- exact: f = scale / T, with T from the cubic pieces of ``interval_table`` ----------------------------------------


@lru_cache(maxsize=64)
def _table(parameters: ASNParameters, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    return torch.as_tensor(table_of(parameters).copy()).to(device, dtype)


def _interval(S: torch.Tensor, parameters: ASNParameters) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """S - theta0/2 (1 where it is not above 0), T in ms and dT/dS."""
    excess = S - parameters.resting_threshold / 2
    excess = torch.where(excess > 0, excess, 1.0)
    table = _table(parameters, S.dtype, S.device)
    z = torch.log(excess)
    inside = torch.clamp(z, TABLE_START, TABLE_END)
    index = torch.clamp(((inside - TABLE_START) / TABLE_STEP).long(), max=len(table) - 1)
    u = (inside - (TABLE_START + TABLE_STEP * index.to(S.dtype))) / TABLE_STEP
    c0, c1, c2, c3 = table[index].unbind(-1)
    below = (torch.clamp(z, max=TABLE_START) - TABLE_START) * float(table_of(parameters)[0, 1] / TABLE_STEP)
    T = c0 + u * (c1 + u * (c2 + u * c3)) + below  # below the table T grows linearly in z
    return excess, T, (c1 + u * (2 * c2 + u * (3 * c3))) / (TABLE_STEP * excess)


def _exact(S: torch.Tensor, parameters: ASNParameters) -> torch.Tensor:
    _, T, _ = _interval(S, parameters)
    y = exact_scale(parameters) / torch.clamp(T, min=parameters.dt)
    return torch.where(S > parameters.resting_threshold / 2, y, 0.0)


def _exact_slope(S: torch.Tensor, parameters: ASNParameters) -> torch.Tensor:
    _, T, slope = _interval(S, parameters)
    moving = (parameters.resting_threshold / 2 < S) & (parameters.dt < T)
    return torch.where(moving, -exact_scale(parameters) / T**2 * slope, 0.0)


# ---- taylor: the paper's equation 11 ---------------------------------------------------------------------------------


def _taylor(S: torch.Tensor, parameters: ASNParameters) -> torch.Tensor:
    c1, c2, c3, c4 = taylor_constants(parameters)
    h, ratio, offset = taylor_numbers(parameters)
    s = torch.relu(S)
    return torch.relu(h / torch.expm1(ratio * (c1 * s + c2) / (c3 * s + c4)) - offset)


def _taylor_slope(S: torch.Tensor, parameters: ASNParameters) -> torch.Tensor:
    c1, c2, c3, c4 = taylor_constants(parameters)
    h, ratio, offset = taylor_numbers(parameters)
    s = torch.relu(S)
    grown = torch.expm1(ratio * (c1 * s + c2) / (c3 * s + c4))
    slope = -h * (grown + 1) / grown**2 * ratio * (c1 * c4 - c2 * c3) / (c3 * s + c4) ** 2
    return torch.where((S > 0) & (h / grown > offset), slope, 0.0)


CURVES: Registry[str, Curve] = Registry("form of AAN in torch")
CURVES.add("exact", Curve(_exact, _exact_slope))
CURVES.add("taylor", Curve(_taylor, _taylor_slope))
