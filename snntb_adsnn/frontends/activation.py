"""What AAN is in every framework: its constants, form and gradient, and the name that holds them all."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from snntb_adsnn.errors import ParameterError
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.gradient import BOUNDED, GRADIENTS, check_gradient
from snntb_adsnn.neuron.transfer import FORMS, spike_height

if TYPE_CHECKING:
    from typing_extensions import Self


class AnalogActivation:
    """Base of the classes ``AAN``: what the activation is, without any framework.

    Attributes:
        parameters: the neuron's constants.
        form: ``exact`` or ``taylor``.
        gradient: ``bounded`` or ``exact`` (see ``neuron.gradient``).
        height: spike height h.
    """

    def __init__(self, m_f: float = 0.1, form: str = "exact", gradient: str = BOUNDED, **constants: float) -> None:
        if form not in FORMS:
            raise ParameterError(
                f"AAN has no form {form!r}: choose one of {', '.join(FORMS)} (relu is an activation of its own)."
            )
        check_gradient(gradient)
        self.parameters = ASNParameters(m_f=m_f, **constants)
        self.form, self.gradient = form, gradient
        self.height = spike_height(self.parameters, form=form)

    @property
    def name(self) -> str:
        """Name that holds every parameter, e.g. ``aan_exact_mf0.4_theta0.4_...``."""
        values = self.parameters.as_dict()
        constants = "_".join(f"{short}{values[key]!r}" for short, key in _SHORT.items())
        ending = "" if self.gradient == BOUNDED else f"_gradient_{self.gradient}"
        return f"aan_{self.form}_{constants}{ending}"

    @classmethod
    def from_name(cls, name: str) -> Self:
        """The activation that a name made by ``name`` stands for.

        Raises:
            ParameterError: the name is not of that form.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            raise ParameterError(f"{name!r} is not the name of an AAN activation (such as {cls().name!r}).")
        values = {key: float(match[key]) for key in _SHORT.values()}
        return cls(form=match["form"], gradient=match["gradient"] or BOUNDED, **values)

    def get_config(self) -> dict[str, Any]:
        """Everything needed to make the same activation again; the gradient where it is not the usual one."""
        gradient = {} if self.gradient == BOUNDED else {"gradient": self.gradient}
        return {"form": self.form, **gradient, **self.parameters.as_dict()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Inverse of ``get_config``."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"AAN({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


_SHORT = {
    "mf": "m_f",
    "theta": "theta0",
    "gamma": "tau_gamma",
    "eta": "tau_eta",
    "beta": "tau_beta",
    "phi": "tau_phi",
    "dt": "dt",
}
assert set(_SHORT.values()) == {field.name for field in dataclasses.fields(ASNParameters)}
_NAME = re.compile(
    rf"aan_(?P<form>{'|'.join(FORMS)})_"
    + "_".join(rf"{short}(?P<{key}>[0-9.e+-]+)" for short, key in _SHORT.items())
    + rf"(_gradient_(?P<gradient>{'|'.join(GRADIENTS)}))?"
)
