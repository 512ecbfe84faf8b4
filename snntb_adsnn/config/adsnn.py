"""The section ``[adsnn]``: how the spiking network is made and simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from snntb_adsnn.config.base import Count, NeuronSection, OneOf, Positive, PositiveByLayer, Seed, TimeByLayer, whichever
from snntb_adsnn.engine import ENGINES
from snntb_adsnn.network.tasks import AUTO, TASKS
from snntb_adsnn.neuron.equations import LEAST_CORRECTIVE
from snntb_adsnn.neuron.transfer import Form


class AdsnnSection(NeuronSection):
    """``[adsnn]``: how the spiking network is made and simulated.

    Attributes:
        engine: simulator, see ``snntb_adsnn.engine``.
        m_f: precision in place of the trained one: by layer, "" for those not named; written ``0.4, conv_1: 0.8``.
        overrides: in place of what the model was trained with.
        form: transfer function the spike height follows; without it, the model's own.
        readout_tau_phi: smoothing time constant of the read-out, ms; ``auto``: chosen with ``onset = auto``.
        onset: no neuron of a layer spikes before this time, ms: one number for each layer before it, or times by layer,
            written ``conv_1: 5, conv_2: 12``. ``auto``: chosen on training inputs (of ``x_norm.npz``), so that the
            network decides as early as it can; see ``snntb_adsnn.measure.settling``.
        corrective: c of the rule for corrective spikes, at least 2: a spike of negative height where the response has
            run ahead of the potential by more than c/2 thresholds. Without it there are none.
        matching_fraction: matching time is when this fraction of the highest accuracy is first reached.
        seed: of whatever is drawn at random.
        plots: whether a run draws its figures.
        check_images: number of real inputs on which the conversion is checked.
        bias_correction: number of training inputs (of ``x_norm.npz``) from which biases are corrected for the spikes'
            effect on mean potentials, see ``snntb_adsnn.measure.correction``; 0 is off. ``auto``: 100 where there is an
            ``x_norm.npz`` and the network has ReLU layers, or is simulated at another precision than it was trained at.
            As many inputs after those decide whether the correction is kept.
        slope_correction: correct a factor for each channel, too.
        decide_early: an image stops when its decision is safe: this percentage of decisions on training inputs (of
            ``x_norm.npz``) may differ from those after the whole time. Without it every image takes the whole time.
        pretrained: model file that is copied to the working folder when no model is there yet.
        task: what the network is for; ``auto`` takes it from the model's outputs and, where they leave a choice, from
            the labels: see docs/conversion.md, "Outputs".
        trust_model: also load a model that holds Python code (``Lambda`` layers, functions by name), which then runs.
    """

    engine: Annotated[str, OneOf(ENGINES, ("auto",))] = "auto"
    m_f: PositiveByLayer = {}
    form: Form | None = None
    readout_tau_phi: Annotated[Positive | Literal["auto"], whichever("a number above 0, or auto")] = 50.0
    onset: Annotated[TimeByLayer | Literal["auto"], whichever("times of at least 0 in ms, or auto")] = {}
    corrective: Annotated[float, Field(ge=LEAST_CORRECTIVE)] | None = None
    matching_fraction: Annotated[float, Field(gt=0, le=1)] = 0.99
    seed: Seed = 0
    plots: bool = True
    check_images: Count = 100
    bias_correction: Annotated[
        Annotated[int, Field(ge=0)] | Literal["auto"], whichever("a whole number of at least 0, or auto")
    ] = "auto"
    slope_correction: bool = True
    decide_early: Annotated[float, Field(ge=0, lt=100)] | None = None
    pretrained: Path | None = None
    task: Annotated[str, OneOf(TASKS, (AUTO,))] = AUTO
    trust_model: bool = False

    @model_validator(mode="after")
    def _corrects_something(self) -> AdsnnSection:
        if "slope_correction" in self.model_fields_set and self.bias_correction == 0:
            raise ValueError("slope_correction has no effect with bias_correction = 0; remove one of the two")
        return self

    @model_validator(mode="after")
    def _chosen_together(self) -> AdsnnSection:
        if (self.onset == "auto") != (self.readout_tau_phi == "auto"):
            raise ValueError("onset = auto and readout_tau_phi = auto are chosen together; give both, or neither")
        if isinstance(self.onset, dict) and "" in self.onset and len(self.onset) > 1:
            raise ValueError("onset is one number for each layer before, or times by layer name; give one of the two")
        return self

    @property
    def read_out_time(self) -> float:
        """Of the read-out, until one is chosen, ms."""
        return 50.0 if self.readout_tau_phi == "auto" else self.readout_tau_phi
