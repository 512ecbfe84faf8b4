"""What the sections of a configuration file are made of."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]

_Value = TypeVar("_Value")


class Section(BaseModel):
    """A section: unknown keys are refused, values are checked and never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _listed(value: Any) -> Any:
    """``0.1, 0.2, 0.1`` as ``("0.1", "0.2")``."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    return tuple(dict.fromkeys(value)) if isinstance(value, list | tuple) else (value,)


Listed = Annotated[tuple[_Value, ...], BeforeValidator(_listed), Field(min_length=1)]
"""Values written with commas between them; one that is repeated counts once."""


def by_layer(value: Any) -> Any:
    """``8, dense_1: 6`` as ``{"": 8, "dense_1": 6}``."""
    if isinstance(value, int | float):
        return {"": value}
    if not isinstance(value, str):
        return value
    parts = [part.strip() for part in re.split(r",(?![^<]*>)", value)]
    pairs = [part.rpartition(":") for part in parts]
    if len({name.strip() for name, _, _ in pairs}) != len(pairs):
        raise ValueError("write one value for all layers, then 'layer: value' for others, such as 8, dense_1: 6")
    return {name.strip(): number.strip() for name, _, number in pairs}


PositiveByLayer = Annotated[dict[str, Positive], BeforeValidator(by_layer)]
NEURON_CONSTANTS = ("theta0", "tau_gamma", "tau_eta", "tau_beta", "tau_phi")


def constants_of(section: Section) -> dict[str, float]:
    """The neuron constants but for m_f that a section gives, by their names in ``ASNParameters``."""
    return {name: value for name in NEURON_CONSTANTS if (value := getattr(section, name)) is not None}
