"""hls4ml's view of the stages: nodes of its graph. Sums of weights are hls4ml's own layers, with 1-bit data."""

from __future__ import annotations

from hls4ml.model.attributes import Attribute, TypeAttribute, WeightAttribute
from hls4ml.model.layers import Conv2D, Dense, Layer, ZeroPadding2D
from hls4ml.model.types import IntegerPrecisionType

from snntb_adsnn.neuron.constants import STATES

SPIKE = IntegerPrecisionType(width=1, signed=False)
SIGNED_SPIKE = IntegerPrecisionType(width=2, signed=True)


def _types(*names: str) -> list[TypeAttribute]:
    return [TypeAttribute(name) for name in names]


class _StageLayer(Layer):
    """A node with types of its own and constant arrays, all given by layer name in hls4ml's configuration."""

    def _set_up(self, shape: list[int], precision: IntegerPrecisionType | None = None) -> None:
        self.add_output_variable(shape, self.outputs[-1], precision=precision)
        for attribute in self.expected_attributes:
            if isinstance(attribute, WeightAttribute):
                self.add_weights_variable(name=attribute.name, var_name=attribute.name + "{index}")
            elif isinstance(attribute, TypeAttribute) and attribute.name[:-2] not in self.weights:
                self._set_type_t(attribute.name[:-2])


class ASN(_StageLayer):
    """Adaptive spiking neurons behind weighted sums. Inputs: the sums and, in io_parallel, the reset wire.

    Outputs: in io_parallel, the reset wire for the next stage; spikes.
    """

    _expected_attributes = [  # noqa: RUF012 (hls4ml's interface)
        Attribute("out_shape", value_type=list),
        Attribute("constants", value_type=dict),
        WeightAttribute("bias"),
        *_types("bias", *(state.word for state in STATES), "coefficient"),
    ]

    def initialize(self) -> None:
        if len(self.outputs) == 2:
            self.add_output_variable([1], self.outputs[0], var_name="layer{index}_reset", precision=SPIKE)
            # one type for the whole wire
            self.get_output_variable(self.outputs[0]).type = self.get_input_variable(self.inputs[1]).type
        # the spikes last: hls4ml declares the type of the last variable only
        signed = "corrective" in self.get_attr("constants")
        self._set_up(self.get_attr("out_shape"), SIGNED_SPIKE if signed else SPIKE)


class AnalogASN(ASN):
    """The first stage. Inputs: pixels and, in io_parallel, the reset wire."""

    _expected_attributes = [  # noqa: RUF012
        *ASN._expected_attributes,
        WeightAttribute("gain"),
        WeightAttribute("offset"),
        *_types("gain", "offset"),
    ]


class ASNReadout(_StageLayer):
    """The read-out: smoothed current plus bias, each step."""

    _expected_attributes = [  # noqa: RUF012
        Attribute("out_shape", value_type=list),
        Attribute("constants", value_type=dict),
        WeightAttribute("bias"),
        *_types("bias", *(state.word for state in STATES if state.at == "input"), "coefficient"),
    ]

    def initialize(self) -> None:
        self._set_up(self.get_attr("out_shape"))


class SpikeDense(Dense):
    """hls4ml's dense layer whose product selects a weight; ``n_steps`` times in a call."""

    _expected_attributes = [Attribute("n_steps", default=1)]  # noqa: RUF012


class SpikeConv2D(Conv2D):
    """hls4ml's convolution whose product selects a weight; ``n_steps`` times in a call."""

    _expected_attributes = [Attribute("n_steps", default=1)]  # noqa: RUF012


class SpikePad2D(ZeroPadding2D):
    """hls4ml's zero padding; ``n_steps`` times in a call (io_stream; io_parallel pads in the convolution)."""

    _expected_attributes = [Attribute("n_steps", default=1)]  # noqa: RUF012


LAYERS: tuple[type[Layer], ...] = (ASN, AnalogASN, ASNReadout, SpikeDense, SpikeConv2D, SpikePad2D)
