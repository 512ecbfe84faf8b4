"""What this package reads of SNN Toolbox's own sections ``[simulation]``, ``[input]`` and ``[tools]``.

The toolbox's other keys are checked for their names and types (``toolbox.py``), and handed on to it as they are.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from snntb_adsnn.config.base import MUST, Section


def _is_whole(value: Any) -> bool:
    """Whether a text such as ``1e3`` or ``60.0`` is a whole number above 0, if not to the toolbox."""
    try:
        return float(value) > 0 and float(value).is_integer()
    except (TypeError, ValueError, OverflowError):
        return False


def _number(kind: type[int] | type[float]) -> Any:
    """A number above 0; what is none is refused in one sentence for all ways to be none."""

    def check(value: Any) -> Any:
        try:
            number = kind(value)
        except (TypeError, ValueError, OverflowError):
            number = 0
        if not 0 < number < float("inf"):
            digits = ", written in digits" if kind is int and _is_whole(value) else ""
            raise PydanticCustomError(MUST, f"must be a {'whole ' if kind is int else ''}number above 0{digits}")
        if number > _LARGEST:
            raise PydanticCustomError(MUST, f"must be at most {_LARGEST:.0e}")
        return number

    return BeforeValidator(check)


_LARGEST = 1e15
"""Above it, whole numbers get lost in what is computed with them."""

Whole = Annotated[int, _number(int)]
Number = Annotated[float, _number(float)]


class SimulationSection(Section):
    """``[simulation]``. ``None``: the file has no value; a run then has the toolbox's, a study its own.

    Attributes:
        simulator: ``adsnn`` for this package's.
        duration: simulated time per image, ms.
        dt: time step, ms.
        batch_size: images simulated at a time.
        num_to_test: test images simulated.
        top_k: also count images whose class is among the k best.
        sample_idxs_to_test: which test images instead of the first ones; empty without.
    """

    simulator: str = "INI"
    duration: Whole | None = None
    dt: Number = 1.0
    batch_size: Whole | None = None
    num_to_test: Whole | None = None
    top_k: Whole | None = None
    sample_idxs_to_test: str = ""

    @property
    def chosen(self) -> str:
        """``sample_idxs_to_test``, or nothing where it chooses nothing."""
        return self.sample_idxs_to_test if self.sample_idxs_to_test.strip("[] ") else ""


class InputSection(Section):
    """``[input]``.

    Attributes:
        dataset_format: of the test data: ``npz``, or pictures.
        model_lib: what reads the model.
    """

    dataset_format: str = "npz"
    model_lib: str = "keras"


class ToolsSection(Section):
    """``[tools]``: steps of a run.

    Attributes:
        parse: load the model.
        convert: make a spiking network of it.
        simulate: the converted network.
    """

    parse: bool = True
    convert: bool = True
    simulate: bool = True


READ: dict[str, type[Section]] = {"simulation": SimulationSection, "input": InputSection, "tools": ToolsSection}
"""Sections of the toolbox's own that this package reads, by name."""
