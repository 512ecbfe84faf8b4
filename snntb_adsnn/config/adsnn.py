"""The section ``[adsnn]``: how the spiking network is made and simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from snntb_adsnn.config.base import Count, Positive, PositiveByLayer, Section, Seed, constants_of
from snntb_adsnn.neuron.transfer import Form


class AdsnnSection(Section):
    """``[adsnn]``: how the spiking network is made and simulated.

    Attributes:
        engine: simulator, see ``snntb_adsnn.engine``.
        m_f: precision in place of the trained one: by layer, "" for those not named; written ``0.4, conv_1: 0.8``.
        theta0, tau_gamma, tau_eta, tau_beta, tau_phi: replace what the model was trained with (tau in ms).
        form: transfer function the spike height follows; without it, the model's own.
        readout_tau_phi: smoothing time constant of the read-out, ms.
        matching_fraction: matching time is when this fraction of the highest accuracy is first reached.
        seed: of whatever is drawn at random.
        plots: whether a run draws its figures.
        check_images: number of real inputs on which the conversion is checked.
        bias_correction: number of training inputs (of ``x_norm.npz``) from which biases are corrected for the spikes'
            effect on mean potentials, see ``snntb_adsnn.measure.correction``; 0 is off.
        pretrained: model file that is copied to the working folder when no model is there yet.
    """

    engine: Literal["auto", "event", "reference", "tensorflow"] = "auto"
    m_f: PositiveByLayer = {}
    theta0: Positive | None = None
    tau_gamma: Positive | None = None
    tau_eta: Positive | None = None
    tau_beta: Positive | None = None
    tau_phi: Positive | None = None
    form: Form | None = None
    readout_tau_phi: Positive = 50.0
    matching_fraction: Annotated[float, Field(gt=0, le=1)] = 0.99
    seed: Seed = 0
    plots: bool = True
    check_images: Count = 100
    bias_correction: Annotated[int, Field(ge=0)] = 0
    pretrained: Path | None = None

    @property
    def overrides(self) -> dict[str, float]:
        """The neuron constants given here but for m_f, by their names in ``ASNParameters``."""
        return constants_of(self)
