"""Constants of the adaptive spiking neuron (ASN).

Source: Zambrano, Nusselder, Scholte, Bohte, "Efficient Computation in Adaptive Artificial Spiking Neural Networks"
(arXiv 1710.04838). Times are in milliseconds.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from snntb_adsnn.errors import ParameterError


@dataclass(frozen=True)
class ASNParameters:
    """Constants of an adaptive spiking neuron.

    Attributes:
        m_f: speed of adaptation; smaller is more precise and spikes more (paper: 0.05 to 0.45).
        theta0: resting threshold; ``None`` means ``m_f``, as in the paper.
        tau_gamma: decay time of the threshold adaptation, ms.
        tau_eta: decay time of the refractory response S_hat, ms.
        tau_beta: decay time of the postsynaptic current, ms.
        tau_phi: time constant of the membrane filter, ms.
        dt: time step, ms.

    Raises:
        ParameterError: a value is not a finite positive number.
    """

    m_f: float = 0.1
    theta0: float | None = None
    tau_gamma: float = 15.0
    tau_eta: float = 50.0
    tau_beta: float = 50.0
    tau_phi: float = 2.5
    dt: float = 1.0

    def __post_init__(self) -> None:
        if self.theta0 is None:
            object.__setattr__(self, "theta0", self.m_f)
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            try:
                number = float(value)
            except (TypeError, ValueError):
                number = math.nan
            if isinstance(value, bool) or not (math.isfinite(number) and number > 0):
                raise ParameterError(
                    f"ASNParameters: {field.name} = {value!r} is not allowed: it must be a finite number above 0."
                )
            object.__setattr__(self, field.name, number)

    @property
    def k_gamma(self) -> float:
        """Factor by which the threshold adaptation decays in one step."""
        return math.exp(-self.dt / self.tau_gamma)

    @property
    def k_eta(self) -> float:
        """Factor by which S_hat decays in one step."""
        return math.exp(-self.dt / self.tau_eta)

    @property
    def k_beta(self) -> float:
        """Factor by which the postsynaptic current decays in one step."""
        return math.exp(-self.dt / self.tau_beta)

    @property
    def k_phi(self) -> float:
        """Factor of the membrane filter: V = k_phi V + (1 - k_phi) I."""
        return math.exp(-self.dt / self.tau_phi)

    @property
    def resting_threshold(self) -> float:
        """theta0 as a plain number (after construction it is never ``None``)."""
        assert self.theta0 is not None
        return self.theta0

    def with_m_f(self, m_f: float) -> ASNParameters:
        """The same neuron at another precision; theta0 keeps its ratio to m_f.

        Raises:
            ParameterError: ``m_f`` is not a finite number above 0.

        Example:
            >>> ASNParameters(m_f=0.1, theta0=0.2).with_m_f(0.4).theta0
            0.8
        """
        wanted = ASNParameters(m_f=m_f)  # refuses what is not a number above 0
        return dataclasses.replace(self, m_f=wanted.m_f, theta0=self.resting_threshold * (wanted.m_f / self.m_f))

    def as_dict(self) -> dict[str, float]:
        """Plain numbers for JSON and Keras configurations."""
        return {field.name: float(getattr(self, field.name)) for field in dataclasses.fields(self)}
