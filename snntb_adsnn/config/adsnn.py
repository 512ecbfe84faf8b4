"""The section ``[adsnn]``: how the spiking network is made and simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from snntb_adsnn.config.base import Count, NeuronSection, OneOf, Positive, PositiveByLayer, Seed, whichever
from snntb_adsnn.engine import ENGINES
from snntb_adsnn.network.tasks import AUTO, TASKS
from snntb_adsnn.neuron.transfer import Form


class AdsnnSection(NeuronSection):
    """``[adsnn]``: how the spiking network is made and simulated.

    Attributes:
        engine: simulator, see ``snntb_adsnn.engine``.
        m_f: precision in place of the trained one: by layer, "" for those not named; written ``0.4, conv_1: 0.8``.
        overrides: in place of what the model was trained with.
        form: transfer function the spike height follows; without it, the model's own.
        readout_tau_phi: smoothing time constant of the read-out, ms.
        matching_fraction: matching time is when this fraction of the highest accuracy is first reached.
        seed: of whatever is drawn at random.
        plots: whether a run draws its figures.
        check_images: number of real inputs on which the conversion is checked.
        bias_correction: number of training inputs (of ``x_norm.npz``) from which biases are corrected for the spikes'
            effect on mean potentials, see ``snntb_adsnn.measure.correction``; 0 is off. ``auto``: 100 where there is an
            ``x_norm.npz`` and the network has ReLU layers, or is simulated at another precision than it was trained at.
            As many inputs after those decide whether the correction is kept.
        slope_correction: correct a factor for each channel, too.
        pretrained: model file that is copied to the working folder when no model is there yet.
        task: what the network is for; ``auto`` takes it from the model's outputs and, where they leave a choice, from
            the labels: see docs/conversion.md, "Outputs".
        trust_model: also load a model that holds Python code (``Lambda`` layers, functions by name), which then runs.
    """

    engine: Annotated[str, OneOf(ENGINES, ("auto",))] = "auto"
    m_f: PositiveByLayer = {}
    form: Form | None = None
    readout_tau_phi: Positive = 50.0
    matching_fraction: Annotated[float, Field(gt=0, le=1)] = 0.99
    seed: Seed = 0
    plots: bool = True
    check_images: Count = 100
    bias_correction: Annotated[
        Annotated[int, Field(ge=0)] | Literal["auto"], whichever("a whole number of at least 0, or auto")
    ] = "auto"
    slope_correction: bool = True
    pretrained: Path | None = None
    task: Annotated[str, OneOf(TASKS, (AUTO,))] = AUTO
    trust_model: bool = False

    @model_validator(mode="after")
    def _corrects_something(self) -> AdsnnSection:
        if "slope_correction" in self.model_fields_set and self.bias_correction == 0:
            raise ValueError("slope_correction has no effect with bias_correction = 0; remove one of the two")
        return self
