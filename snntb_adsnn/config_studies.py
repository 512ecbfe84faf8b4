"""The sections ``[sweep]`` and ``[arousal]``: studies that simulate one network many times."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from snntb_adsnn.config_base import Listed, Positive, Section
from snntb_adsnn.transfer import Form

_Points = Annotated[float, Field(ge=0, le=100)]


class SweepSection(Section):
    """``[sweep]``: what ``snntb-adsnn sweep`` simulates. Each key of the grid is a list, ``0.1, 0.2, 0.4``.

    Attributes:
        m_f: precisions; theta0 and h follow.
        tau_eta, tau_beta: time constants in ms; without one, the network's own. Another tau_eta than the trained one
            is another transfer function, and so is another tau_beta in the form ``taylor``.
        form: transfer function that the spike height follows; without one, the network's own.
        duration: simulated time per image in ms; without one, ``[simulation] duration``.
        tolerance: percentage points below the ANN's accuracy that still count as matching it.
        low_rate_loss: percentage points below the ANN's accuracy that the low-rate operating point may lose.
    """

    m_f: Listed[Positive] = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8)
    tau_eta: Listed[Positive] | None = None
    tau_beta: Listed[Positive] | None = None
    form: Listed[Form] | None = None
    duration: Listed[Positive] | None = None
    tolerance: _Points = 0.1
    low_rate_loss: _Points = 0.5
