"""FixedNetwork -> hls4ml's ModelGraph, without Keras."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adsnn_hls.fixed import FixedType
from adsnn_hls.powers import signed_digits
from adsnn_hls.stages import AnalogStage, ConvStage, DenseStage, FixedNetwork, FixedNeurons, ReadoutStage, Stage
from snntb_adsnn.errors import NetworkError, ParameterError

if TYPE_CHECKING:
    from hls4ml.model import ModelGraph

BACKENDS = ("vitis", "vivado")
IO_TYPES = ("io_stream", "io_parallel")
STRATEGIES = ("auto", "latency", "resource")
UNROLL_LIMIT = 4096
"""Vivado and Vitis refuse to unroll further; hls4ml users meet it as an error in the middle of synthesis."""
LANES = 64
"""Neurons that ``reuse_factor = auto`` updates in one cycle, at most."""
FEW_DIGITS = 3
"""A product with a constant of at most so many signed digits is written as shifts and additions."""

# families of AMD (Xilinx) parts that the tools know: 7 series, UltraScale(+), Zynq, Kria, Versal, Spartan UltraScale+
_PART = re.compile(r"x[cqa](7[ask]\d+\w*|7vx?h?\d+\w*|7z\d+\w*|[akvsz]u\w+|k(24|26)|v[ehpmcr]\d+)-?[a-z]+\w*-\S+", re.I)


@dataclass(frozen=True)
class Options:
    """What the hardware is made for.

    Attributes:
        backend: ``vitis`` or ``vivado``.
        part: FPGA, with package and speed grade.
        clock_ns: clock period.
        io_type: ``io_stream``: a call is an image, stages work on successive steps at the same time; ``io_parallel``:
            a call is a step.
        steps: time steps of an image.
        reuse_factor: cycles that a stage's adders and neurons are shared over; 0 is automatic. By stage, or of all.
        strategy: ``auto``, ``latency`` or ``resource`` (hls4ml's), of the weighted sums.
        project: name of the C++ function and files.

    Raises:
        ParameterError: unknown backend, part or io type, or a number out of range.
    """

    backend: str = "vitis"
    part: str = "xcvu13p-flga2577-2-e"
    clock_ns: float = 5.0
    io_type: str = "io_stream"
    steps: int = 150
    reuse_factor: int | Mapping[str, int] = 0
    strategy: str = "auto"
    project: str = field(default="adsnn")

    def __post_init__(self) -> None:
        for name, allowed in (("backend", BACKENDS), ("io_type", IO_TYPES), ("strategy", STRATEGIES)):
            value = getattr(self, name)
            if value not in allowed:
                raise ParameterError(f"{name} {value!r} is unknown: choose {' or '.join(allowed)}.")
        if not _PART.fullmatch(self.part):
            raise ParameterError(
                f"part {self.part!r} is not the name of an AMD FPGA with package and speed grade; write it like "
                "xcvu13p-flga2577-2-e or xc7z020clg400-1."
            )
        if not (math.isfinite(self.clock_ns) and 0.5 <= self.clock_ns <= 1000):
            raise ParameterError(f"clock_ns = {self.clock_ns:g} is not allowed: choose a period of 0.5 to 1000 ns.")
        if not 1 <= self.steps <= 1 << 20:
            raise ParameterError(f"steps = {self.steps} is not allowed: choose 1 to {1 << 20}.")
        factors = self.reuse_factor.values() if isinstance(self.reuse_factor, Mapping) else [self.reuse_factor]
        if min(factors, default=0) < 0:
            raise ParameterError("reuse_factor is not allowed below 1 (or 0 for automatic).")

    def with_io_type(self, io_type: str) -> Options:
        """The same with another io type."""
        return dataclasses.replace(self, io_type=io_type)

    def reuse(self, stage: Stage) -> int:
        """The reuse factor asked for ``stage``; 0 is automatic."""
        return self.reuse_factor.get(stage.name, 0) if isinstance(self.reuse_factor, Mapping) else self.reuse_factor


@dataclass(frozen=True)
class LayerList:
    """What ``ModelGraph.from_layer_list`` takes.

    Attributes:
        layers: one dictionary a node.
        config: hls4ml's ``LayerName`` section.
        inputs, outputs: names of the top function's arguments.
    """

    layers: list[dict[str, Any]]
    config: dict[str, dict[str, Any]]
    inputs: list[str]
    outputs: list[str]


def model_graph(network: FixedNetwork, options: Options, output_dir: str = "adsnn_project") -> ModelGraph:
    """The hls4ml model of ``network``; ``write()``, ``compile()``, ``predict()`` and ``build()`` are hls4ml's.

    In io_stream, predict takes pixel words (images, *input shape) and gives (images, steps * classes); in io_parallel
    it takes pixel words and a reset of 1 in the first step of each image, and gives the outputs of one step.

    Raises:
        ParameterError: ``reuse_factor`` names an unknown stage.
        NetworkError: something hls4ml's C++ cannot compute.
    """
    import hls4ml
    from hls4ml.model import ModelGraph

    from adsnn_hls.hls4ml_plugin.register import register

    register()
    backend = {"vitis": "Vitis", "vivado": "Vivado"}[options.backend]
    config = hls4ml.utils.config.create_config(
        output_dir=output_dir,
        project_name=options.project,
        backend=backend,
        part=options.part,
        clock_period=options.clock_ns,
        io_type=options.io_type,
    )
    found = layer_list(network, options)
    config["HLSConfig"] = hls_section(found)
    return ModelGraph.from_layer_list(config, found.layers, inputs=found.inputs, outputs=found.outputs)


def hls_section(found: LayerList) -> dict[str, Any]:
    """hls4ml's ``HLSConfig``; every type that matters is given by layer."""
    shared = any(settings.get("ReuseFactor", 1) > 1 for settings in found.config.values())
    # hls4ml's other style, one pipeline, unrolls all loops and with them what is to be shared
    style = "dataflow" if shared else "auto"
    return {
        "Model": {"Precision": "fixed<16,6>", "ReuseFactor": 1, "Strategy": "Latency", "PipelineStyle": style},
        "LayerName": found.config,
    }


def layer_list(network: FixedNetwork, options: Options) -> LayerList:
    """Nodes and precisions of ``network``."""
    if isinstance(options.reuse_factor, Mapping):
        names = [stage.name for stage in network.stages]
        if unknown := set(options.reuse_factor) - set(names):
            raise ParameterError(f"reuse_factor names unknown layers {sorted(unknown)}; known: {', '.join(names)}.")
    return _Builder(network, options).build()


def node_name(network: FixedNetwork, stage: Stage) -> str:
    """Name of the neurons' node: unique, and a part of C++ identifiers."""
    return f"s{network.stages.index(stage)}_" + re.sub(r"\W", "_", stage.name)


class _Builder:
    def __init__(self, network: FixedNetwork, options: Options) -> None:
        self.network, self.options = network, options
        self.stream = options.io_type == "io_stream"
        self.layers: list[dict[str, Any]] = []
        self.config: dict[str, dict[str, Any]] = {}

    def build(self) -> LayerList:
        first, last = self.network.analog, self.network.readout
        self._add("InputLayer", "pixels", [], {"result": first.pixel}, input_shape=list(first.input_shape))
        inputs, reset = ["pixels"], None
        if not self.stream:
            self._add("InputLayer", "reset", [], {"result": "uint<1>"}, input_shape=[1])
            inputs, reset = ["pixels", "reset"], "reset"
        previous = "pixels"
        for stage in self.network.spiking:
            if isinstance(stage, ConvStage):
                previous = self._convolution(stage, previous)
            elif isinstance(stage, DenseStage):
                previous = self._dense(stage, previous)
            previous, reset = self._neurons(stage, previous, reset)
        previous = self._dense(last, previous)
        output = self._readout(last, previous, reset)
        return LayerList(self.layers, self.config, inputs, [output])

    def _add(self, kind: str, name: str, inputs: list[str], types: Mapping[str, Any], **attributes: Any) -> str:
        self.layers.append({"class_name": kind, "name": name, **({"inputs": inputs} if inputs else {}), **attributes})
        self.config[name] = {"Precision": {key: str(value) for key, value in types.items()}}
        return name

    # ---- sums of weights -------------------------------------------------------------------------------------------

    def _dense(self, stage: DenseStage | ReadoutStage, previous: str) -> str:
        before = self.network.stages[self.network.stages.index(stage) - 1]
        name = node_name(self.network, stage)
        inputs, outputs = stage.weights.shape
        assert isinstance(before, AnalogStage | DenseStage | ConvStage)
        if len(before.neurons.shape) > 1:
            flat = self._add("Reshape", f"{name}_flat", [previous], {"result": "uint<1>"}, target_shape=[inputs])
            previous = flat
        self._add(
            "SpikeDense",
            f"{name}_synapses",
            [previous],
            _sum_types(stage),
            n_in=inputs,
            n_out=outputs,
            weight_data=stage.weight_type.value(stage.weights),
            bias_data=None,
            n_steps=self._steps,
        )
        return self._shared(stage, f"{name}_synapses", inputs, outputs)

    def _convolution(self, stage: ConvStage, previous: str) -> str:
        name = node_name(self.network, stage)
        height, width, channels = stage.image
        (top, bottom), (left, right) = stage.window.padding
        padding = {"pad_top": top, "pad_bottom": bottom, "pad_left": left, "pad_right": right}
        if self.stream and any(padding.values()):
            outer = {"out_height": height + top + bottom, "out_width": width + left + right}
            attributes = {"in_height": height, "in_width": width, "n_chan": channels, **outer, **padding}
            self._add(
                "SpikePad2D",
                f"{name}_pad",
                [previous],
                {"result": "uint<1>"},
                data_format="channels_last",
                n_steps=self._steps,
                **attributes,
            )
            previous, height, width = f"{name}_pad", outer["out_height"], outer["out_width"]
            padding = dict.fromkeys(padding, 0)
        rows, columns, _, filters = stage.weights.shape
        out_height, out_width = stage.neurons.input_shape[:2]
        self._add(
            "SpikeConv2D",
            f"{name}_synapses",
            [previous],
            _sum_types(stage),
            data_format="channels_last",
            padding="valid",
            in_height=height,
            in_width=width,
            n_chan=channels,
            filt_height=rows,
            filt_width=columns,
            n_filt=filters,
            stride_height=stage.window.strides[0],
            stride_width=stage.window.strides[1],
            dilation_height=1,
            dilation_width=1,
            out_height=out_height,
            out_width=out_width,
            weight_data=stage.weight_type.value(stage.weights),
            bias_data=None,
            n_steps=self._steps,
            **padding,
        )
        return self._shared(stage, f"{name}_synapses", rows * columns * channels, filters)

    def _shared(self, stage: Stage, name: str, inputs: int, outputs: int) -> str:
        """Set strategy and reuse factor of a weighted sum."""
        from hls4ml.backends import get_backend

        asked, strategy = self.options.reuse(stage), self.options.strategy
        if strategy == "auto":
            strategy = "latency" if inputs * outputs <= UNROLL_LIMIT and asked <= 1 else "resource"
        valid = get_backend("Vivado").get_valid_reuse_factors(inputs, outputs)
        wanted = asked or math.ceil(inputs * outputs / UNROLL_LIMIT)
        if strategy == "resource":
            # the next valid one: never more adders than were asked for
            wanted = next((factor for factor in valid if factor >= wanted), valid[-1])
        self.config[name] |= {"Strategy": strategy.capitalize(), "ReuseFactor": wanted}
        return name

    # ---- neurons ---------------------------------------------------------------------------------------------------

    @property
    def _steps(self) -> int:
        return self.options.steps if self.stream else 1

    def _neurons(self, stage: Any, previous: str, reset: str | None) -> tuple[str, str | None]:
        n: FixedNeurons = stage.neurons
        name = node_name(self.network, stage)
        types: dict[str, Any] = {
            "bias": n.bias_type,
            "current": n.current,
            "potential": n.potential,
            "refractory": n.refractory,
            "adaptation": n.adaptation,
            "coefficient": n.coefficient,
            "result": "uint<1>",
        }
        arrays = {"bias_data": n.bias_type.value(n.bias).ravel()}
        constants = self._constants(stage, n.input_shape) | _pooling(stage.name, n)
        constants |= {factor: getattr(n, factor) for factor in n.FACTORS}
        bits = n.theta0.bit_length()
        constants |= {
            "theta0": n.theta0,
            "theta0_t": FixedType(bits, bits - n.adaptation.fraction, False).cpp,
            "n_bias": n.bias.size,
            **_coefficients(n.coefficient, [getattr(n, factor) for factor in n.FACTORS]),
        }
        if isinstance(stage, AnalogStage):
            types |= {"gain": stage.gain_type, "offset": stage.offset_type}
            arrays["gain_data"] = stage.gain_type.value(stage.gain).ravel()
            arrays["offset_data"] = stage.offset_type.value(stage.offset).ravel()
            constants |= {"analog": True, "n_gain": stage.gain.size, "n_offset": stage.offset.size}
        self._add(
            "AnalogASN" if isinstance(stage, AnalogStage) else "ASN",
            name,
            [previous] if reset is None else [previous, reset],
            types,
            out_shape=list(n.shape),
            constants=constants,
            outputs=[name] if reset is None else [f"{name}_reset", name],
            **arrays,
        )
        self._lanes(stage, name, n.input_shape)
        return name, None if reset is None else f"{name}_reset"

    def _readout(self, stage: ReadoutStage, previous: str, reset: str | None) -> str:
        shape = [stage.classes] if reset else [self.options.steps, stage.classes]
        constants = self._constants(stage, (stage.classes,)) | {"k_beta": stage.k_beta, "g_phi": stage.g_phi}
        constants |= _coefficients(stage.coefficient, [stage.k_beta, stage.g_phi])
        name = self._add(
            "ASNReadout",
            node_name(self.network, stage),
            [previous] if reset is None else [previous, reset],
            {
                "bias": stage.bias_type,
                "current": stage.current,
                "potential": stage.potential,
                "coefficient": stage.coefficient,
                "result": output_type(stage),
            },
            out_shape=shape,
            constants=constants,
            bias_data=stage.bias_type.value(stage.bias),
        )
        self.config[name]["ReuseFactor"] = 1
        return name

    def _constants(self, stage: Stage, shape: tuple[int, ...]) -> dict[str, Any]:
        height, width, channels = shape if len(shape) == 3 else (1, 1, math.prod(shape))
        index = self.network.stages.index(stage)
        return {"stage": index, "n_steps": self._steps, "height": height, "width": width, "channels": channels}

    def _lanes(self, stage: Stage, name: str, shape: tuple[int, ...]) -> None:
        """Reuse factor of the neurons: those of one packet share in io_stream, all of them in io_parallel."""
        together = (shape[-1] if len(shape) == 3 else math.prod(shape)) if self.stream else math.prod(shape)
        wanted = min(self.options.reuse(stage) or math.ceil(together / LANES), together)
        # a divisor: each lane then has a memory bank of its own
        self.config[name]["ReuseFactor"] = next(f for f in range(wanted, together + 1) if together % f == 0)


def output_type(stage: ReadoutStage) -> FixedType:
    """Type of V + bias, which is not rounded."""
    integer = max(stage.potential.integer, stage.bias_type.integer) + 1
    return FixedType(integer + stage.potential.fraction, integer)


def _sum_types(stage: DenseStage | ConvStage | ReadoutStage) -> dict[str, Any]:
    return {"weight": stage.weight_type, "accum": stage.accumulator, "result": stage.accumulator}


def _coefficients(kind: FixedType, words: list[int]) -> dict[str, Any]:
    few = all(len(signed_digits(word)) <= FEW_DIGITS for word in words)
    return {"coefficient_fraction": kind.fraction, "shift_add": few}


def _pooling(name: str, n: FixedNeurons) -> dict[str, Any]:
    if n.pool is None:
        shape = n.shape if len(n.shape) == 3 else (1, 1)
        return {"out_height": shape[0], "out_width": shape[1]}
    if n.pool.dilation != (1, 1):
        raise NetworkError(f"{name}: dilated pooling has no hardware stage; use a pooling layer without dilation.")
    return {
        "pooled": True,
        "out_height": n.shape[0],
        "out_width": n.shape[1],
        "pool_height": n.pool.size[0],
        "pool_width": n.pool.size[1],
        "stride_height": n.pool.strides[0],
        "stride_width": n.pool.strides[1],
        "pad_top": n.pool.padding[0][0],
        "pad_left": n.pool.padding[1][0],
    }
