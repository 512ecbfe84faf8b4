"""A stage's parameters in SystemVerilog, and the memory files that go with them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from adsnn_hls.fixed import ROUNDINGS, FixedType
from adsnn_hls.rtl.lanes import Lanes, channels
from adsnn_hls.rtl.memories import bias_memory, gain_memory, scatter_table, weight_memory
from adsnn_hls.stages import AnalogStage, ConvStage, DenseStage, FixedNeurons, ReadoutStage, Stage, SynapticStage
from snntb_adsnn.errors import NetworkError, ParameterError
from snntb_adsnn.network.maps import Window

TOP = "asn_network"
"""Name of the generated network module."""

_ROUNDING = {
    name: i for i, name in enumerate(("TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_INF", "RND_MIN_INF", "RND_CONV"))
}
assert set(_ROUNDING) == set(ROUNDINGS)
_LARGEST = (1 << 31) - 1  # of an ``int`` parameter


@dataclass(frozen=True)
class Instance:
    """One stage as an instance of a core.

    Attributes:
        module: of the core.
        name: of the instance, a legal identifier.
        parameters: by name; strings are file names.
        files: memory texts by file name.
        inputs: addresses that the stage receives (pixels of the first stage).
        outputs: addresses that it sends (classes of the last stage).
    """

    module: str
    name: str
    parameters: Mapping[str, int | str]
    inputs: int
    outputs: int
    files: Mapping[str, str] = field(default_factory=dict)


def instance(stage: Stage, name: str, lanes: Lanes, multiplier: bool) -> Instance:
    """The core for ``stage``.

    Args:
        stage: the stage.
        name: legal identifier, also the beginning of its memory files' names.
        lanes: parallelism, already checked.
        multiplier: whether factors are applied by multipliers or by shifts and additions.

    Raises:
        NetworkError: a geometry that the cores do not have.
        ParameterError: types that the cores do not have.
    """
    match stage:
        case AnalogStage():
            return _analog(stage, name, lanes, multiplier)
        case DenseStage() | ConvStage():
            return _synaptic(stage, name, lanes, multiplier)
        case ReadoutStage():
            return _readout(stage, name, lanes, multiplier)
    raise NetworkError(f"{stage.name}: there is no RTL for a {type(stage).__name__}.")


def _analog(stage: AnalogStage, name: str, lanes: Lanes, multiplier: bool) -> Instance:
    n = stage.neurons
    if n.pool is not None:
        raise NetworkError(f"{stage.name}: the RTL's first stage cannot pool; pool the images before.")
    gain, gains = gain_memory(f"{name}_gain", stage)
    one_bias = n.bias.size == 1
    bias = n.bias if one_bias else np.broadcast_to(n.bias, n.shape)
    groups = np.repeat(bias.ravel(), lanes.units) if one_bias else bias
    p = _neuron_parameters(stage.name, n)
    for unused in ("K_BETA",):
        del p[unused]
    return Instance(
        "asn_analog_stage",
        name,
        {
            "NEURONS": n.size,
            "UNITS": lanes.units,
            "PIXEL_W": stage.pixel.width,
            "GAINS": gains,
            "GAIN_FILE": f"{name}_gain",
            "GAIN_W": stage.gain_type.width,
            "OFFSET_W": stage.offset_type.width,
            "PRODUCT_F": stage.gain_type.fraction + stage.pixel.fraction,
            "OFFSET_F": stage.offset_type.fraction,
            "BIAS_BY_NEURON": int(not one_bias),
            "BIAS_FILE": f"{name}_bias",
            "MULTIPLIER": int(multiplier),
            "FIFO_DEPTH": lanes.fifo,
            **p,
        },
        n.size,
        n.size,
        gain | bias_memory(f"{name}_bias", groups, n.bias_type, lanes.units),
    )


def _synaptic(stage: DenseStage | ConvStage, name: str, lanes: Lanes, multiplier: bool) -> Instance:
    n = stage.neurons
    by_neuron = n.bias.shape == n.shape
    count = channels(stage)
    parameters: dict[str, int | str] = {
        "INPUTS": math.prod(stage.input_shape),
        "CHANNELS": count,
        "UNITS": lanes.units,
        "BIAS_BY_NEURON": int(by_neuron),
        "BIAS_FILE": f"{name}_bias",
        "MULTIPLIER": int(multiplier),
        "FIFO_DEPTH": lanes.fifo,
        **_synapse_parameters(stage, name, lanes),
        **_neuron_parameters(stage.name, n),
    }
    files = weight_memory(f"{name}_weights", stage, lanes.lanes)
    files |= bias_memory(f"{name}_bias", n.bias, n.bias_type, lanes.units)
    if isinstance(stage, ConvStage):
        table, widths = scatter_table(f"{name}_scatter", stage, count // lanes.lanes)
        files |= table
        parameters |= {"CONV": 1, "IN_CHANNELS": stage.image[2], "TABLE_FILE": f"{name}_scatter", **widths}
        for key, values in (("KERNEL", stage.window.size), ("STRIDE", stage.window.strides)):
            parameters[f"{key}_ROWS"], parameters[f"{key}_COLUMNS"] = values
    if len(n.input_shape) == 3:
        parameters |= _image_parameters(stage.name, n)
    return Instance("asn_synaptic_stage", name, parameters, math.prod(stage.input_shape), n.size, files)


def _readout(stage: ReadoutStage, name: str, lanes: Lanes, multiplier: bool) -> Instance:
    files = weight_memory(f"{name}_weights", stage, lanes.lanes)
    files |= bias_memory(f"{name}_bias", stage.bias, stage.bias_type, 1)
    parameters: dict[str, int | str] = {
        "INPUTS": stage.weights.shape[0],
        "CLASSES": stage.classes,
        "BIAS_FILE": f"{name}_bias",
        "MULTIPLIER": int(multiplier),
        "B_W": stage.bias_type.width,
        "C_W": stage.coefficient.width,
        "C_F": stage.coefficient.fraction,
        "K_BETA": stage.k_beta,
        "G_PHI": stage.g_phi,
        **_synapse_parameters(stage, name, lanes),
        **_state("I", stage.name, stage.current),
        **_state("V", stage.name, stage.potential),
    }
    return Instance("asn_readout_stage", name, parameters, stage.weights.shape[0], stage.classes, files)


def _synapse_parameters(stage: SynapticStage, name: str, lanes: Lanes) -> dict[str, int | str]:
    return {
        "LANES": lanes.lanes,
        "W_W": stage.weight_type.width,
        "D_W": stage.accumulator.width,
        "D_F": stage.accumulator.fraction,
        "WEIGHT_FILE": f"{name}_weights",
    }


def _image_parameters(name: str, n: FixedNeurons) -> dict[str, int | str]:
    """Geometry of neurons on an image; pooling windows must not overlap."""
    height, width, _ = n.input_shape
    pool = n.pool or Window((1, 1))
    if pool.size != pool.strides or pool.dilation != (1, 1):
        raise NetworkError(
            f"{name}: pooling windows of {pool.size} at strides {pool.strides} overlap or leave gaps, which the RTL "
            "cannot do; use max pooling with strides equal to its size."
        )
    (top, _), (left, _) = pool.padding
    if top >= pool.size[0] or left >= pool.size[1]:
        raise NetworkError(f"{name}: a pooling window lies in the padding only; use less padding.")
    return {
        "HEIGHT": height,
        "WIDTH": width,
        "POOL_ROWS": pool.size[0],
        "POOL_COLUMNS": pool.size[1],
        "PAD_TOP": top,
        "PAD_LEFT": left,
        "OUT_ROWS": n.shape[0],
        "OUT_COLUMNS": n.shape[1],
    }


def _neuron_parameters(name: str, n: FixedNeurons) -> dict[str, int | str]:
    if n.theta0 > _LARGEST:
        raise ParameterError(f"{name}: theta0 has more than 31 bits; give the adaptation fewer bits.")
    return {
        **_state("I", name, n.current),
        **_state("V", name, n.potential),
        **_state("H", name, n.refractory),
        **_state("A", name, n.adaptation),
        "B_W": n.bias_type.width,
        "C_W": n.coefficient.width,
        "C_F": n.coefficient.fraction,
        **{key.upper(): getattr(n, key) for key in (*FixedNeurons.FACTORS, "theta0")},
    }


def _state(letter: str, name: str, kind: FixedType) -> dict[str, int | str]:
    if kind.overflow not in ("SAT", "WRAP"):
        raise ParameterError(f"{name}: overflow mode {kind.overflow} has no RTL; choose SAT or WRAP.")
    return {
        f"{letter}_W": kind.width,
        f"{letter}_F": kind.fraction,
        f"{letter}_ROUNDING": _ROUNDING[kind.rounding],
        f"{letter}_SATURATE": int(kind.overflow == "SAT"),
    }
