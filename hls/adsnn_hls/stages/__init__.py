"""Hardware stages, a file each; importing this room fills the registry ``STAGES``."""

from importlib import import_module
from pkgutil import iter_modules

from adsnn_hls.stages.analog import AnalogStage
from adsnn_hls.stages.base import STAGES, Stage
from adsnn_hls.stages.conv import ConvStage
from adsnn_hls.stages.dense import DenseStage
from adsnn_hls.stages.neurons import FixedNeurons, NeuronState, SpikingStage
from adsnn_hls.stages.readout import ReadoutStage
from adsnn_hls.stages.synaptic import SynapticStage, accumulator_range, sum_type

__all__ = [
    "STAGES",
    "AnalogStage",
    "ConvStage",
    "DenseStage",
    "FixedNeurons",
    "NeuronState",
    "ReadoutStage",
    "SpikingStage",
    "Stage",
    "SynapticStage",
    "accumulator_range",
    "sum_type",
]

for _file in iter_modules(__path__):  # a new file needs no entry here
    import_module(f"{__name__}.{_file.name}")
