"""The section ``[hls]``: what ``snntb-adsnn hls`` does."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from snntb_adsnn.config.base import Count, Positive, Section, by_layer, whichever

_Bits = Annotated[dict[str, Count], BeforeValidator(by_layer)]
_BitOrType = Annotated[
    Count | Annotated[str, Field(pattern="fixed<.*>")],
    whichever("a whole number of bits above 0, or a type such as fixed<8,1>"),
]
_BitsOrType = Annotated[dict[str, _BitOrType], BeforeValidator(by_layer)]
_CountOrAuto = Annotated[
    dict[str, Annotated[Count | Literal["auto"], whichever("a whole number above 0, or auto")]],
    BeforeValidator(by_layer),
]


class HlsSection(Section):
    """``[hls]``: what ``snntb-adsnn hls`` does. A key with one value for each layer is written ``8, dense_1: 6``.

    Attributes:
        backend, part, clock_ns, io_type: of hls4ml; see ``adsnn_hls.cpp.Options``.
        steps: time steps of an image.
        strategy: of the weighted sums.
        reuse_factor: by layer, cycles that adders and neurons are shared over.
        weights: by layer, bits of the weights, or a type such as ``fixed<8,1>``.
        current, potential, refractory, adaptation, coefficient: by layer, bits of I, V, S_hat, theta_a and the factors.
        rounding: of I and V.
        multiplier_free: neurons of shifts and additions; the net must have been trained for their constants.
        pixel_bits: bits of an input word.
        calibration_images: images of ``x_norm.npz`` on which value ranges are measured.
        accuracy_images: test images on which accuracies are measured, at most.
        max_loss: accuracy in percentage points that the precision search may lose against the float network.
        cycles: clocks of a step that the RTL's parallelism is chosen for, where ``lanes`` and ``units`` are not given.
        lanes, units: by layer, weights and neurons per clock of the RTL.
        margin: distance of the two largest outputs at which the RTL decides an image early; 0: never.
    """

    backend: Literal["vitis", "vivado", "rtl"] = "vitis"
    part: str = "xcvu13p-flga2577-2-e"
    clock_ns: Positive = 5.0
    io_type: Literal["io_stream", "io_parallel"] = "io_stream"
    steps: Count = 150
    strategy: Literal["auto", "latency", "resource"] = "auto"
    reuse_factor: _CountOrAuto = {"": "auto"}
    weights: _BitsOrType = {"": 8}
    current: _Bits = {"": 18}
    potential: _Bits = {"": 18}
    refractory: _Bits = {"": 18}
    adaptation: _Bits = {"": 18}
    coefficient: _Bits = {"": 12}
    rounding: Literal["TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_INF", "RND_MIN_INF", "RND_CONV"] = "TRN_ZERO"
    multiplier_free: bool = False
    pixel_bits: Annotated[int, Field(ge=1, le=16)] = 8
    calibration_images: Count = 200
    accuracy_images: Count = 1000
    max_loss: Annotated[float, Field(gt=0, lt=100)] = 0.1
    cycles: Count = 256
    lanes: _CountOrAuto = {"": "auto"}
    units: _CountOrAuto = {"": "auto"}
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
