"""Dense weights and spiking neurons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adsnn_hls.stages.base import STAGES
from adsnn_hls.stages.layers import Layers, Wires
from adsnn_hls.stages.neurons import FixedNeurons
from adsnn_hls.stages.synaptic import SpikingSynapticStage, add_dense
from snntb_adsnn.errors import NetworkError
from snntb_adsnn.network.maps import Shape

if TYPE_CHECKING:
    from adsnn_hls.arithmetic.kernels import Synapses


@STAGES.register("DenseStage")
@dataclass(frozen=True, eq=False)
class DenseStage(SpikingSynapticStage):
    """Dense weights of shape (inputs, neurons); an image before it is flattened row by row, channels last."""

    neurons: FixedNeurons

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights.ndim != 2 or self.weights.shape[1:] != self.neurons.input_shape:
            raise NetworkError(
                f"{self.name}: weights of shape {self.weights.shape} do not fit {self.neurons.input_shape} neurons."
            )
        self.check_current(self.neurons)

    @property
    def input_shape(self) -> Shape:
        return self.weights.shape[:1]

    def synapses(self) -> Synapses:
        from adsnn_hls.stages.compiled import matrix

        return matrix(self.weights)

    def add_sum(self, layers: Layers, wires: Wires) -> Wires:
        return add_dense(self, layers, wires)
