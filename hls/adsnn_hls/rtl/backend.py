"""The hls4ml backend ``AdSNN_RTL``: the same graph as for Vitis, written as SystemVerilog.

hls4ml finds it through the entry point group ``hls4ml.backends``. The graph's nodes are those of the C++ backends; the
words are those of the ``FixedNetwork`` that the graph was made from, which travels with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from adsnn_hls.cores import Lanes
from adsnn_hls.fixed import FixedNetwork
from adsnn_hls.rtl.generate import generate
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.files import atomic_write

BACKEND = "AdSNN_RTL"
PART = "LFE5U-85F-6BG756C"
_KEY = "AdSNN"  # of our part of hls4ml's configuration


def register(
    register_backend: Callable[..., Any] | None = None, register_writer: Callable[..., Any] | None = None
) -> None:
    """Register backend and writer; hls4ml calls it when it is imported. A second call changes nothing."""
    from hls4ml.backends import backend as backends
    from hls4ml.writer import writers

    if BACKEND.lower() in (name.lower() for name in backends.backend_map):
        return
    (register_writer or writers.register_writer)(BACKEND, _writer())
    (register_backend or backends.register_backend)(BACKEND, _backend())


def rtl_model(
    network: FixedNetwork,
    output_dir: str | Path,
    lanes: Mapping[str, Lanes] | None = None,
    *,
    steps: int = 50,
    margin: int = 0,
    clock_ns: float = 10.0,
    multiplier_free: bool = False,
) -> Any:
    """The hls4ml ModelGraph of ``network`` for this backend.

    ``write()`` writes the RTL, ``compile()`` verilates it, ``predict(pixel words)`` runs it and gives the class after
    each step (images, steps; -1 after an early decision), ``build()`` places it on an ECP5 and returns the figures.

    Args:
        network: the network.
        output_dir: folder of the project.
        lanes, steps, margin, clock_ns, multiplier_free: see ``generate``.
    """
    import hls4ml

    from adsnn_hls.cpp import Options
    from adsnn_hls.cpp import register as register_layers
    from adsnn_hls.cpp.layer_list import layer_list

    register_layers()
    register()
    config = hls4ml.utils.config.create_config(
        output_dir=str(output_dir), project_name="asn", backend=BACKEND, part=PART, clock_period=clock_ns
    )
    found = layer_list(network, Options(io_type="io_stream", steps=steps))
    config["HLSConfig"] = {"Model": {"Precision": "fixed<16,6>", "ReuseFactor": 1}, "LayerName": found.config}
    config[_KEY] = {
        "network": network,
        "lanes": lanes,
        "steps": steps,
        "margin": margin,
        "clock_ns": clock_ns,
        "multiplier_free": multiplier_free,
    }
    return _graph().from_layer_list(config, found.layers, inputs=found.inputs, outputs=found.outputs)


def _settings(model: Any) -> dict[str, Any]:
    found = model.config.get_config_value(_KEY)
    if found is None:
        raise ParameterError(
            f"the hls4ml backend {BACKEND} writes spiking networks only; make the model with adsnn_hls.rtl.rtl_model."
        )
    return dict(found)


# hls4ml is heavy and its classes are made when they are first needed
def _writer() -> type[Any]:
    from hls4ml.writer.writers import Writer

    class RTLWriter(Writer):  # type: ignore[misc]
        """Writes the files of ``generate``."""

        def write_hls(self, model: Any) -> None:
            settings = _settings(model)
            folder = Path(model.config.get_output_dir())
            for name, text in generate(settings.pop("network"), settings.pop("lanes"), **settings).items():
                atomic_write(folder / name, text)

    return RTLWriter


def _backend() -> type[Any]:
    from hls4ml.backends import FPGABackend
    from hls4ml.model.flow import register_flow

    from adsnn_hls.rtl.fpga import place_ecp5

    class RTLBackend(FPGABackend):  # type: ignore[misc]
        """SystemVerilog instead of C++."""

        def __init__(self) -> None:
            super().__init__(BACKEND)
            prefix = BACKEND.lower()
            self._default_flow = register_flow("ip", None, requires=["convert"], backend=self.name)
            self._writer_flow = register_flow(
                "write", [f"{prefix}:write_hls"], requires=[f"{prefix}:ip"], backend=self.name
            )

        def get_default_flow(self) -> str:
            return str(self._default_flow)

        def get_writer_flow(self) -> str:
            return str(self._writer_flow)

        def create_initial_config(self, part: str = PART, clock_period: float = 10.0, **_: Any) -> dict[str, Any]:
            return {"Part": part, "ClockPeriod": clock_period, "IOType": "io_stream", "HLSConfig": {}}

        def build(self, model: Any, **_: Any) -> dict[str, Any]:
            """Place on an ECP5 with open tools."""
            clock_mhz = 1000 / _settings(model)["clock_ns"]
            return asdict(place_ecp5(Path(model.config.get_output_dir()), clock_mhz=clock_mhz))

    return RTLBackend


def _graph() -> type[Any]:
    from hls4ml.model import ModelGraph

    from adsnn_hls.rtl.cosim import Simulation

    class RTLGraph(ModelGraph):  # type: ignore[misc]
        """A ModelGraph that Verilator runs."""

        def compile(self) -> None:
            settings = _settings(self)
            folder = Path(self.config.get_output_dir())
            free = settings["multiplier_free"]
            self._simulation = Simulation(settings["network"], folder, settings["lanes"], multiplier_free=free)

        def predict(self, x: Any) -> Any:
            settings = _settings(self)
            return self._simulation.run(x, settings["steps"], margin=settings["margin"]).classes

    return RTLGraph
