"""Tells hls4ml about the layers; the only place that changes hls4ml's registries."""

from __future__ import annotations

from pathlib import Path

BACKENDS = ("Vivado", "Vitis")
SOURCES = Path(__file__).resolve().parent / "sources"
HEADERS = ("nnet_asn_probe.h", "nnet_asn.h", "nnet_asn_stream.h", "nnet_spike_window.h")


def register() -> None:
    """Register layers, templates and C++ headers with the Vivado and Vitis backends, and the Keras handler.

    Nothing happens at import, and a second call changes nothing.
    """
    import hls4ml
    from hls4ml.model.layers import layer_map, register_layer

    from adsnn_hls.cpp.keras_handler import register_keras
    from adsnn_hls.cpp.layers import ASN, LAYERS
    from adsnn_hls.cpp.templates import TEMPLATES

    if layer_map.get("ASN") is ASN:
        return
    for layer in LAYERS:
        register_layer(layer.__name__, layer)
    for name in BACKENDS:
        backend = hls4ml.backends.get_backend(name)
        for template in TEMPLATES:
            backend.register_template(template)
        for header in HEADERS:
            backend.register_source(SOURCES / header)
    register_keras()
