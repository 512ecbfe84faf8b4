"""What the sections of a configuration file are made of."""

from __future__ import annotations

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
