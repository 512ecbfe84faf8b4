"""The sections ``[sweep]`` and ``[arousal]``: studies that simulate one network many times."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, model_validator

from snntb_adsnn.config.base import Count, Listed, Positive, Section
from snntb_adsnn.neuron.constants import SETTABLE
from snntb_adsnn.neuron.transfer import Form

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
        low_rate_loss: percentage points below the ANN's accuracy that the low-rate operating point may lose; it may
            always lose one image, which on small sets is more.
    """

    m_f: Listed[Positive] = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8)
    tau_eta: Listed[Positive] | None = None
    tau_beta: Listed[Positive] | None = None
    form: Listed[Form] | None = None
    duration: Listed[Positive] | None = None
    tolerance: _Points = 0.1
    low_rate_loss: _Points = 0.5

    def constants(self) -> Iterator[dict[str, float]]:
        """Every combination of the neuron constants but for m_f that the grid names, by their names in
        ``ASNParameters``; one that is empty where it names none."""
        axes = {name: values for name in SETTABLE if (values := getattr(self, name, None)) is not None}
        for values in itertools.product(*axes.values()):
            yield dict(zip(axes, values, strict=True))


class ArousalSection(Section):
    """``[arousal]``: what ``snntb-adsnn arousal`` chooses from, on training images; every combination of the lists.

    Attributes:
        m_f_low: low precisions, at which every image starts: the larger m_f. Without one, the network's own where
            ``[adsnn] m_f`` is above the trained m_f, else 2.5 times the high one.
        m_f_high: high precisions, to which undecided images switch. Without one, the trained m_f where ``[adsnn] m_f``
            is above it, else the network's own.
        waiting_time: t_s, from which on the two highest outputs are compared, ms.
        accumulation_time: delta_t, over which their difference is averaged, ms.
        quantile: the threshold is this quantile of the mean differences of those training images that the low-precision
            network gets wrong: this share of its mistakes would have switched.
        threshold: used instead of an estimated one.
        calibration_images: training images to choose with, at most; those that the training held out come first.
        tolerance: percentage points below the high precision's accuracy that still are its equal.
    """

    m_f_low: Listed[Positive] | None = None
    m_f_high: Listed[Positive] | None = None
    waiting_time: Listed[Annotated[float, Field(ge=0)]] = (100.0,)
    accumulation_time: Listed[Positive] = (50.0,)
    quantile: Listed[Annotated[float, Field(gt=0, le=1)]] = (0.9,)
    threshold: Annotated[float, Field(ge=0)] | None = None
    calibration_images: Count = 3000
    tolerance: _Points = 0.1

    @model_validator(mode="after")
    def _ordered(self) -> ArousalSection:
        if self.m_f_low and self.m_f_high and (low := min(self.m_f_low)) <= (high := max(self.m_f_high)):
            raise ValueError(
                f"m_f_low = {low:g} must be above m_f_high = {high:g}: the larger m_f, the lower the precision and the "
                "firing rate"
            )
        return self
