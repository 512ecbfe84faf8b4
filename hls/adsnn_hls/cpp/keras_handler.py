"""Keras models with AAN activations in hls4ml's own converter: ``hls4ml.converters.keras_v2_to_hls(config)``.

hls4ml parses a model layer by layer, but a stage needs its neighbours (spike heights, batch-norm gains, pooling) and
value ranges. So the handlers only mark AAN activations, and a pass at the beginning of hls4ml's first flow replaces the
parsed graph by the stages of the converted and quantised model.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hls4ml.converters.keras_v2_to_hls import KerasModelReader, get_layer_handlers
from hls4ml.model.flow import get_flow
from hls4ml.model.graph import HLSConfig, ModelGraph
from hls4ml.model.layers import Layer, register_layer
from hls4ml.model.optimizer import ModelOptimizerPass, register_pass

from adsnn_hls.cpp.layer_list import hls_section, layer_list
from adsnn_hls.cpp.options import Options
from adsnn_hls.quantize import PixelFormat, calibrate, quantize
from snntb_adsnn.errors import ConversionError, ParameterError

SECTION = "AdSNN"
"""Key of hls4ml's configuration. ``CalibrationData``: real inputs, needed. ``Options``: ``cpp.Options``, for
steps and reuse factors (backend, part, clock and io type are hls4ml's). ``Quantize``: keyword arguments of
``quantize``, such as ``widths``."""

_PASS = "adsnn_stages"
Handler = Callable[..., tuple[dict[str, Any], Any]]


class AANMark(Layer):
    """An AAN activation of a parsed Keras model; holds the whole model until the pass replaces the graph."""

    def initialize(self) -> None:
        self.add_output_variable(self.get_input_variable().shape)


class BuildStages(ModelOptimizerPass):
    """Replaces a parsed graph with AAN activations by the stages of the quantised network."""

    def __init__(self) -> None:
        self.name = _PASS

    def transform(self, model: ModelGraph) -> bool:
        marks = [node for node in model.graph.values() if isinstance(node, AANMark)]
        if not marks:
            return False
        from snntb_adsnn.frontends import convert

        config = dict(model.config.config)
        settings = config.pop(SECTION, None) or {}
        x = settings.get("CalibrationData")
        if x is None:
            raise ParameterError(
                f"config[{SECTION!r}]['CalibrationData'] is missing: the value ranges of a model with AAN activations "
                "are measured on real inputs; set it to some hundred training inputs."
            )
        options = settings.get("Options", Options())
        network = convert(marks[0].get_attr("keras_model"), x)
        arguments = {"pixels": PixelFormat.of(x), **settings.get("Quantize", {})}
        fixed = quantize(network, calibrate(network, x, options.steps, arguments["pixels"]), **arguments)
        found = layer_list(fixed, options.with_io_type(model.config.get_config_value("IOType")))
        for key in ("KerasModel", "KerasH5", "KerasJson"):
            config.pop(key, None)
        model.config = HLSConfig(config | {"HLSConfig": hls_section(found)})
        model.graph.clear()
        model.output_vars.clear()
        model.index, model.inputs, model.outputs = 0, found.inputs, found.outputs
        model._make_graph(found.layers)
        model.fixed_network = fixed
        return True


def register_keras() -> None:
    """Register handlers and pass; called once by ``register``."""
    register_layer(AANMark.__name__, AANMark)
    handlers = get_layer_handlers()
    # a custom activation reaches hls4ml as an Activation layer, or as QActivation where it is an argument of a layer
    for kind in ("Activation", "QActivation"):
        handlers[kind] = _marking(handlers[kind])
    register_pass(_PASS, BuildStages)
    # first of all: what the other passes would do to the parsed graph does not matter
    get_flow("convert").optimizers.insert(0, _PASS)


def _marking(original: Handler) -> Handler:
    """A handler that takes AAN activations and leaves the others to hls4ml."""

    def handler(keras_layer: Any, input_names: Any, input_shapes: Any, data_reader: Any) -> tuple[dict[str, Any], Any]:
        if not _is_aan(keras_layer["config"].get("activation")):
            return original(keras_layer, input_names, input_shapes, data_reader)
        layer = {
            "name": keras_layer["config"]["name"],
            "class_name": AANMark.__name__,
            "keras_model": _keras_model(data_reader),
        }
        if input_names is not None:
            layer["inputs"] = input_names
        return layer, list(input_shapes[0])

    return handler


def _is_aan(activation: Any) -> bool:
    """Whether a serialised activation is an AAN, registered or by its name."""
    if isinstance(activation, dict):
        return str(activation.get("registered_name") or activation.get("class_name")).split(">")[-1] == "AAN"
    return isinstance(activation, str) and activation.split(">")[-1].startswith(("AAN", "aan_"))


def _keras_model(data_reader: Any) -> Any:
    if isinstance(data_reader, KerasModelReader):
        return data_reader.model
    path = getattr(data_reader, "config", {}).get("KerasH5")
    if path is None:
        raise ConversionError("a model with AAN activations is given to hls4ml as 'KerasModel' or 'KerasH5'.")
    from snntb_adsnn.frontends.keras.files import read_model

    return read_model(Path(path))
