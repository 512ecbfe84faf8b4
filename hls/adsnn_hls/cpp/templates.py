"""C++ text of the nodes: a struct of constants and types, and the call of a function of ``sources/nnet_asn*.h``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate
from hls4ml.backends.vivado.passes import convolution_templates, core_templates, reshaping_templates
from hls4ml.model.layers import Layer

from adsnn_hls.cpp.layers import ASN, AnalogASN, ASNReadout, SpikeConv2D, SpikeDense, SpikePad2D
from adsnn_hls.stages import FixedNeurons

_HEADERS = ["nnet_utils/nnet_asn.h", "nnet_utils/nnet_asn_stream.h"]
_WINDOW = ["nnet_utils/nnet_asn.h", "nnet_utils/nnet_spike_window.h"]
_PRODUCT = "nnet::product::{product_type}"


def _streaming(node: Layer) -> bool:
    return bool(node.model.config.get_config_value("IOType") == "io_stream")


def _selecting(text: str, node: Layer) -> str:
    """hls4ml's text with a product that selects the weight; a spike that may be negative can change its sign."""
    signed = node.get_input_variable().type.precision.signed
    return text.replace(_PRODUCT, f"nnet::product::{'signed' if signed else 'spike'}_select")


def _struct(node: Layer, constants: Mapping[str, Any]) -> str:
    """``struct config3 : nnet::asn_config {...}`` with the node's types."""
    lines = [f"struct config{node.index} : nnet::asn_config {{"]
    for name, value in constants.items():
        if isinstance(value, bool):
            lines.append(f"    static const bool {name} = {str(value).lower()};")
        elif isinstance(value, str):
            lines.append(f"    typedef {value} {name};")
        else:
            kind, suffix = ("unsigned long", "UL") if name in _WORDS else ("unsigned", "")
            lines.append(f"    static const {kind} {name} = {value}{suffix};")
    lines += [f"    typedef {kind.name} {name};" for name, kind in node.types.items() if name != "result_t"]
    return "\n".join([*lines, "};", ""])


_WORDS = (*FixedNeurons.FACTORS, "theta0")


class StageConfig(LayerConfigTemplate):
    """The struct of a stage."""

    def __init__(self) -> None:
        super().__init__((ASN, AnalogASN, ASNReadout))

    def format(self, node: Layer) -> str:
        constants = {**node.get_attr("constants"), "reuse_factor": node.get_attr("reuse_factor")}
        return _struct(node, constants)


class StageCall(FunctionCallTemplate):
    """The call of a stage."""

    FUNCTIONS: Mapping[str, str] = {"ASN": "asn", "AnalogASN": "asn_analog", "ASNReadout": "asn_readout"}

    def __init__(self) -> None:
        super().__init__((ASN, AnalogASN, ASNReadout), include_header=_HEADERS)

    def format(self, node: Layer) -> str:
        inputs = [node.get_input_variable(name) for name in node.inputs]
        outputs = [node.get_output_variable(name) for name in node.outputs]
        types = [*(v.type.name for v in inputs), outputs[-1].type.name, f"config{node.index}"]
        arguments = [v.name for v in (*inputs, *outputs, *node.get_weights())]
        function = self.FUNCTIONS[node.class_name]
        return f"nnet::{function}<{', '.join(types)}>({', '.join(arguments)});"


class SpikeDenseConfig(core_templates.DenseConfigTemplate):
    """hls4ml's struct with another product."""

    def __init__(self) -> None:
        LayerConfigTemplate.__init__(self, SpikeDense)

    def format(self, node: Layer) -> str:
        self.template = _selecting(core_templates.dense_config_template, node)
        return str(super().format(node))


class SpikeDenseCall(FunctionCallTemplate):
    """hls4ml's function, in a window of steps in io_stream."""

    def __init__(self) -> None:
        super().__init__(SpikeDense, include_header=[*core_templates.dense_include_list, *_WINDOW])

    def format(self, node: Layer) -> str:
        return _window(node, "dense", "spike_dense_window", self._default_function_params(node))


class SpikeConvConfig(convolution_templates.Conv2DConfigTemplate):
    """hls4ml's structs with another product."""

    def __init__(self) -> None:
        LayerConfigTemplate.__init__(self, SpikeConv2D)
        self.template = convolution_templates.conv2d_config_template

    def format(self, node: Layer) -> str:
        self.mult_template = _selecting(convolution_templates.conv_mult_config_template, node)
        return str(super().format(node))


class SpikeConvCall(FunctionCallTemplate):
    """hls4ml's function, in a window of steps in io_stream."""

    def __init__(self) -> None:
        super().__init__(SpikeConv2D, include_header=[*convolution_templates.conv2d_include_list, *_WINDOW])

    def format(self, node: Layer) -> str:
        return _window(node, "conv_2d_cl", "spike_conv_window", self._default_function_params(node))


class SpikePadConfig(LayerConfigTemplate):
    """hls4ml's struct."""

    def __init__(self) -> None:
        super().__init__(SpikePad2D)
        self.template = reshaping_templates.zeropad2d_config_template

    def format(self, node: Layer) -> str:
        return str(self.template.format(**self._default_config_params(node)))


class SpikePadCall(FunctionCallTemplate):
    """hls4ml's function in a window of steps."""

    def __init__(self) -> None:
        super().__init__(SpikePad2D, include_header=[*reshaping_templates.padding_include_list, *_WINDOW])

    def format(self, node: Layer) -> str:
        return _window(node, "zeropad2d_cl", "spike_pad_window", self._default_function_params(node))


def _window(node: Layer, once: str, window: str, p: Mapping[str, str]) -> str:
    arguments = ", ".join([p["input"], p["output"], *(weights.name for weights in node.get_weights())])
    if not _streaming(node):
        return f"nnet::{once}<{p['input_t']}, {p['output_t']}, {p['config']}>({arguments});"
    steps = node.get_attr("n_steps")
    return f"nnet::{window}<{p['input_t']}, {p['output_t']}, {p['config']}, {steps}>({arguments});"


TEMPLATES = (
    StageConfig,
    StageCall,
    SpikeDenseConfig,
    SpikeDenseCall,
    SpikeConvConfig,
    SpikeConvCall,
    SpikePadConfig,
    SpikePadCall,
)
