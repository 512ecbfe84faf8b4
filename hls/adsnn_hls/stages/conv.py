"""A convolution and spiking neurons, max pooling of their potentials in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from adsnn_hls.arithmetic import Words
from adsnn_hls.cores import Lanes
from adsnn_hls.cores.instance import Parameters
from adsnn_hls.cores.memories import records
from adsnn_hls.stages.base import STAGES
from adsnn_hls.stages.layers import Layers, Wires
from adsnn_hls.stages.neurons import FixedNeurons
from adsnn_hls.stages.synaptic import SpikingSynapticStage
from snntb_adsnn.errors import NetworkError
from snntb_adsnn.network.maps import Shape, Window

if TYPE_CHECKING:
    from adsnn_hls.arithmetic.kernels import Synapses


@STAGES.register("ConvStage")
@dataclass(frozen=True, eq=False)
class ConvStage(SpikingSynapticStage):
    """A convolution with weights of shape (rows, columns, input channels, output channels), zero padded.

    Attributes:
        image: shape (height, width, channels) of the spikes it receives.
        window: kernel size, strides and padding; no dilation.
    """

    image: Shape
    window: Window
    neurons: FixedNeurons

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights.ndim != 4 or self.weights.shape[:3] != (*self.window.size, self.image[2]):
            raise NetworkError(f"{self.name}: weights of shape {self.weights.shape} do not fit {self.image} inputs.")
        if self.window.dilation != (1, 1):
            raise NetworkError(f"{self.name}: the convolution stage has no dilation; spread the kernel with zeros.")
        if self.neurons.input_shape != (*self.window.output_size(*self.image[:2]), self.weights.shape[3]):
            raise NetworkError(f"{self.name}: the convolution does not fit {self.neurons.input_shape} neurons.")
        self.check_current(self.neurons)

    @property
    def input_shape(self) -> Shape:
        return self.image

    # ---- golden model ----------------------------------------------------------------------------------------------

    def multiply(self, x: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        padded = self.window.pad(x)
        total = np.zeros((len(x), *self.neurons.input_shape))
        for (i, j), (rows, columns) in self.window.taps(*self.image[:2]):
            total += padded[:, rows, columns] @ weights[i, j]
        return total

    def synapses(self) -> Synapses:
        from adsnn_hls.stages.compiled import convolution

        return convolution(self.weights, self.window, self.image)

    # ---- C++ -------------------------------------------------------------------------------------------------------

    def add_sum(self, layers: Layers, wires: Wires) -> Wires:
        name, data = layers.name(self), wires.data
        height, width, channels = self.image
        (top, bottom), (left, right) = self.window.padding
        padding = {"pad_top": top, "pad_bottom": bottom, "pad_left": left, "pad_right": right}
        if layers.stream and any(padding.values()):
            outer = {"out_height": height + top + bottom, "out_width": width + left + right}
            attributes: dict[str, Any] = {
                "in_height": height,
                "in_width": width,
                "n_chan": channels,
                **outer,
                **padding,
            }
            attributes |= {"data_format": "channels_last", "n_steps": layers.calls}
            data = layers.add("SpikePad2D", f"{name}_pad", [data], {"result": wires.spike}, **attributes)
            height, width = outer["out_height"], outer["out_width"]
            padding = dict.fromkeys(padding, 0)
        rows, columns, _, filters = self.weights.shape
        out_height, out_width = self.neurons.input_shape[:2]
        geometry: dict[str, Any] = {
            "data_format": "channels_last",
            "padding": "valid",
            "in_height": height,
            "in_width": width,
            "n_chan": channels,
            "filt_height": rows,
            "filt_width": columns,
            "n_filt": filters,
            "stride_height": self.window.strides[0],
            "stride_width": self.window.strides[1],
            "dilation_height": 1,
            "dilation_width": 1,
            "out_height": out_height,
            "out_width": out_width,
            **padding,
        }
        sums = layers.add(
            "SpikeConv2D",
            f"{name}_synapses",
            [data],
            dict(self.sum_types),
            weight_data=self.weight_type.value(self.weights),
            bias_data=None,
            n_steps=layers.calls,
            **geometry,
        )
        layers.share_sum(self, sums, rows * columns * channels, filters)
        return Wires(sums, self.neurons.input_shape, wires.reset)

    # ---- RTL -------------------------------------------------------------------------------------------------------

    def scatter(self, name: str, lanes: Lanes) -> tuple[Parameters, dict[str, str]]:
        table, widths = self.scatter_table(f"{name}_scatter", self.channels // lanes.lanes)
        more: Parameters = {"CONV": 1, "IN_CHANNELS": self.image[2], "TABLE_FILE": f"{name}_scatter", **widths}
        for key, values in (("KERNEL", self.window.size), ("STRIDE", self.window.strides)):
            more[f"{key}_ROWS"], more[f"{key}_COLUMNS"] = values
        return more, table

    def scatter_table(self, name: str, groups: int) -> tuple[dict[str, str], dict[str, int]]:
        """The table of ``asn_scatter_conv``, and the widths of its fields."""
        height, width, channels = self.image
        (top, _), (left, _) = self.window.padding
        (rows, columns), (s, t) = self.window.size, self.window.strides
        out_rows, out_columns = self.neurons.input_shape[:2]
        y, x, c = (a.ravel() for a in np.indices((height, width, channels)))
        oy, i = _first_tap(y + top, s, rows, out_rows)
        ox, j = _first_tap(x + left, t, columns, out_columns)
        word = (oy * out_columns + ox) * groups
        seen = (i < rows) & (j < columns)
        weights = np.where(seen, ((i * columns + j) * channels + c) * groups, 0)
        o, k = _bits(oy, ox), max(rows, columns).bit_length()  # the core counts i and j up
        widths = {"Q_W": o, "R_W": k, "WORD_W": _bits(word), "WEIGHT_W": _bits(weights)}
        fields = [(o, oy), (k, i), (o, ox), (k, j), (widths["WORD_W"], word)]
        return records(name, [*fields, (widths["WEIGHT_W"], weights)]), widths


def _first_tap(position: Words, stride: int, size: int, outputs: int) -> tuple[Words, Words]:
    """Along one axis, for positions in the padded image: the last output that sees it and its tap (``size``: none)."""
    output = np.minimum(position // stride, outputs - 1)
    return output, np.minimum(position - output * stride, size)


def _bits(*values: Words) -> int:
    return max(1, max(int(a.max()) for a in values).bit_length())
