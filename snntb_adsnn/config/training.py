"""The section ``[training]``: what ``snntb-adsnn train`` does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from snntb_adsnn.config.base import Count, NeuronSection, OneOf, Positive, Seed
from snntb_adsnn.data import DATASETS, Choice
from snntb_adsnn.nets import NETS
from snntb_adsnn.neuron.transfer import SMALLEST_SMOOTH, Form

_IMAGE = 3
"""Dimensions of an image: rows, columns, channels."""


class TrainingSection(NeuronSection):
    """``[training]``: what ``snntb-adsnn train`` does.

    Attributes:
        dataset: name of the data set, see ``snntb_adsnn.data``.
        folder: of the data set ``image_folder``: holds ``train/CLASS/IMAGE`` and ``test/CLASS/IMAGE`` (or ``val/``).
        image_size: pixels; an ``image_folder``'s images are resized and cropped to this square.
        test_images: of an ``image_folder``, how many test images a run simulates, at most (drawn once).
        architecture: name of the net, see ``snntb_adsnn.nets``.
        m_f, form: of the AAN activations. Train at the precision that is simulated.
        overrides: if not the paper's; hardware without multipliers needs decays that are sums of powers of two.
        epochs, batch_size: as usual.
        optimizer: ``adam`` (gradients clipped), ``adamw`` (with ``weight_decay``) or ``sgd`` (Nesterov momentum 0.9).
        learning_rate: the highest learning rate.
        schedule: ``cosine`` falls to 0 along a half cosine; ``one_cycle`` rises during the first fifth of the steps and
            falls to 0 on straight lines.
        weight_decay: decoupled from the gradient, on weights other than biases and batch norms; 0 is off.
        label_smoothing: share of a label that is spread over all classes.
        validation_split: share of the training data that early stopping watches.
        patience: epochs without a lower validation loss before training stops.
        seed: of the initial weights, the split, the order, noise and augmentation.
        coding_noise: Gaussian noise on active units during training, in units of the spike coding's own
            noise h/sqrt(12) (a sawtooth of height h); 0 is off.
        activity_penalty: weight of the mean AAN output in the loss; lowers the firing rate; 0 is off.
        augmentation: shift, turn and zoom the images a little (image data only).
        flip: mirror half of the images, drawn anew in every epoch (image data only).
        shift: largest random shift in pixels, along both axes (image data only); the border is mirrored outwards.
        cutout: side in pixels of a square that is set to 0 in every image, anywhere (image data only); 0 is off.
        initial: model file of the same architecture whose weights training starts from; without it they are drawn.
        precision: of convolutions and weighted sums in training; sums over batches, activations and the trained model
            stay float32. ``mixed_bfloat16`` is faster on processors and accelerators that have it.
        smooth: train with a smooth form of the activation, see ``training_model.SmoothAAN``; deep nets need it.
        recalibration: training inputs on which batch norms are measured again after training, see
            ``train.recalibrate``; nets trained with coding noise gain by it; 0 is off.
        weights: floating-point type that the trained weights of convolutions and dense layers are rounded to, so that
            the model file is smaller: ``bfloat16`` (8 significant bits, a third of the size; what
            ``precision = mixed_bfloat16`` computes with anyway), ``float16`` (11 bits, half the size).
    """

    dataset: Annotated[str, OneOf(DATASETS)]
    folder: Path | None = None
    image_size: Annotated[int, Field(ge=8)] = 224
    test_images: Count = 1000
    architecture: Annotated[str, OneOf(NETS)]
    m_f: Positive = 0.1
    form: Form = "exact"
    epochs: Count = 100
    batch_size: Count = 32
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: Positive = 0.001
    schedule: Literal["cosine", "one_cycle"] = "cosine"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    validation_split: Annotated[float, Field(gt=0, lt=1)] = 0.1
    patience: Count = 20
    seed: Seed = 0
    coding_noise: Annotated[float, Field(ge=0)] = 0.0
    activity_penalty: Annotated[float, Field(ge=0)] = 0.0
    augmentation: bool = False
    flip: bool = False
    shift: Annotated[int, Field(ge=0)] = 0
    cutout: Annotated[int, Field(ge=0)] = 0
    initial: Path | None = None
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    smooth: bool = False
    recalibration: Annotated[int, Field(ge=0)] = 0
    weights: Literal["float32", "float16", "bfloat16"] = "float32"

    @model_validator(mode="after")
    def _fits(self) -> TrainingSection:
        if DATASETS[self.dataset].from_folder != (self.folder is not None):
            those = " or ".join(name for name, source in DATASETS.items() if source.from_folder)
            raise ValueError(f"folder and dataset = {those} belong together: give both or neither")
        if self.folder is not None and NETS[self.architecture].dimensions != _IMAGE:
            images = ", ".join(name for name, net in NETS.items() if net.dimensions == _IMAGE)
            raise ValueError(
                f"architecture = {self.architecture} takes rows of a table, and dataset = {self.dataset} gives images; "
                f"choose one of {images}"
            )
        if self.weight_decay and self.optimizer == "adam":
            raise ValueError("weight_decay needs optimizer = adamw or sgd")
        if self.smooth and self.form != "exact":
            raise ValueError("smooth = True needs form = exact: the other form is smooth already")
        if self.smooth and self.m_f < SMALLEST_SMOOTH:
            raise ValueError(
                f"smooth = True needs m_f of {SMALLEST_SMOOTH:g} or more: finer neurons saturate too early"
            )
        return self

    @property
    def constants(self) -> dict[str, float]:
        """The neuron constants given here, by their names in ``ASNParameters``."""
        return {"m_f": self.m_f, **self.overrides}

    @property
    def data(self) -> Choice:
        """The data set."""
        return Choice(self.dataset, self.folder, self.image_size, self.test_images)
