"""What the sections of a configuration file are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WrapValidator, create_model
from pydantic_core import PydanticCustomError, core_schema

from snntb_adsnn.neuron.constants import SETTABLE

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]

MUST = "must"
"""Type of errors whose message goes on after the value."""

_Value = TypeVar("_Value")


class Section(BaseModel):
    """A section: unknown keys are refused, values are checked and never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _listed(value: Any) -> Any:
    """``0.1, 0.2, 0.1`` as ``("0.1", "0.2")``; brackets around them, as the toolbox wants them, are no mistake."""
    if isinstance(value, str):
        if value[:1] == "[" and value[-1:] == "]":
            value = value[1:-1]
        value = [part.strip() for part in value.split(",")]
        if not all(value):
            raise ValueError("write commas between values, and none behind the last")
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
    if ";" in value or "=" in value or not all(parts):
        raise ValueError("write commas between values, and none behind the last, such as 8, dense_1: 6")
    pairs = [part.rpartition(":") for part in parts]
    if len({name.strip() for name, _, _ in pairs}) != len(pairs):
        raise ValueError(
            "write one value for all layers, then 'layer: value' for others, such as 8, dense_1: 6 (decimals: 0.5)"
        )
    return {name.strip(): number.strip() for name, _, number in pairs}


def whichever(wanted: str) -> WrapValidator:
    """Annotation of a value that is one of several kinds: what is none of them is one mistake, not one for each kind.

    Args:
        wanted: the kinds, in words.
    """

    def check(value: Any, handler: Any) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise PydanticCustomError(MUST, "must be {wanted}", {"wanted": wanted}) from None

    return WrapValidator(check)


PositiveByLayer = Annotated[dict[str, Positive], BeforeValidator(by_layer)]
TimeByLayer = Annotated[dict[str, Annotated[float, Field(ge=0)]], BeforeValidator(by_layer)]


@dataclass(frozen=True)
class OneOf:
    """Annotation of a text that must be a name in a registry, whatever is registered when it is checked.

    Attributes:
        registry: its keys are the names.
        also: names besides them, which come first.
    """

    registry: Mapping[str, Any]
    also: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[str]:
        return iter((*self.also, *self.registry))

    def _check(self, name: str) -> str:
        if name not in (names := list(self)):
            *others, last = (f"'{one}'" for one in names)
            expected = f"{', '.join(others)} or {last}" if others else last
            raise PydanticCustomError("literal_error", "it should be {expected}", {"expected": expected})
        return name

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))


if TYPE_CHECKING:
    _Constants = Section
else:
    _Constants = create_model("_Constants", __base__=Section, **dict.fromkeys(SETTABLE, (Positive | None, None)))


class NeuronSection(_Constants):
    """A section with a key for each constant of the neurons that a configuration may give."""

    @property
    def overrides(self) -> dict[str, float]:
        """The neuron constants given here but for m_f, by their names in ``ASNParameters``."""
        return {name: value for name in SETTABLE if (value := getattr(self, name)) is not None}
