"""FixedNetwork -> hls4ml's ModelGraph, without Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adsnn_hls.cpp.layer_list import hls_section, layer_list
from adsnn_hls.cpp.options import Options
from adsnn_hls.fixed import FixedNetwork

if TYPE_CHECKING:
    from hls4ml.model import ModelGraph


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

    from adsnn_hls.cpp.register import register

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
