"""NIR graph -> SpikingNetwork, exactly or not at all.

A graph that ``to_nir`` made gives its network back, node for node. In any other graph, populations are nodes whose
metadata say ``model: ASN``; the primitives around them become linear maps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from snntb_adsnn.errors import ConversionError, NetworkError
from snntb_adsnn.frontends.check import check, real
from snntb_adsnn.frontends.nir.evaluate import evaluate, population, result
from snntb_adsnn.frontends.nir.foreign import Foreign
from snntb_adsnn.frontends.nir.metadata import image_of, is_described, number_of, rebuild, text
from snntb_adsnn.frontends.nir.needed import nir
from snntb_adsnn.frontends.nir.primitives import WEIGHTS, Layout
from snntb_adsnn.frontends.nir.write import FORMAT
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array, Node, Shape, Window


def convert(
    model: Any, x_check: Any, *, readout_tau_phi: float = 50.0, dtype: type[np.floating[Any]] = np.float32
) -> SpikingNetwork:
    """Convert a NIR graph into a spiking network; see ``frontends.convert``.

    Args:
        model: a ``nir.NIRGraph``, or the path of a ``.nir`` file.
        x_check: real inputs, as the network that was written takes them; of other graphs, in NIR's layout (images,
            channels, rows, columns), or with the channels last: the network then takes the same.
        readout_tau_phi: smoothing time constant of the read-out in ms, where the graph ends with no LI node.
        dtype: of the weights and biases; of a network that was written they stay what they are.

    Raises:
        ConversionError: something cannot be converted exactly; names the node, the reason and a way out.
    """
    graph = _read(model)
    x = real(x_check)
    if text(graph.metadata.get("format", "")) == FORMAT:
        try:
            network, layouts = _own(graph)
        except NetworkError as error:
            raise ConversionError(
                f"the NIR graph is damaged: {str(error).rstrip('.')}. Write it again with to_nir."
            ) from error
        x = network.check_images(x, np.float32)
        values = evaluate(graph, layouts[network.input.name].out(x.astype(np.float64), 1))
        seen = {}
        for name, node in graph.nodes.items():
            if "model" in node.metadata:
                original = text(node.metadata["name"])
                seen[original] = layouts[original].back(values[name] * population(node)[1])
        output = result(graph, values)
        answers = network.readout.split(network.readout.activated(output.reshape(len(output), -1)))
        check(network, x, seen, list(answers.values()), "NIR")
        return network
    return Foreign(graph, x).network(readout_tau_phi, dtype)


def _read(model: Any) -> Any:
    if not isinstance(model, str | Path):
        return model
    path = Path(model)
    if not path.exists():
        raise ConversionError(f"{path}: there is no such file; check the path.")
    try:
        # nir's check takes every kernel for square
        return nir().read(str(path), type_check=False)
    except Exception as error:  # h5py and nir have errors of their own
        reason = " ".join(str(error).split())[:200]
        raise ConversionError(f"{path}: cannot be read as a NIR graph ({reason}); write it again.") from error


def _own(graph: Any) -> tuple[SpikingNetwork, dict[str, Layout]]:
    """The network that ``to_nir`` wrote, and how NIR holds the values of its nodes."""
    described = [node for node in graph.nodes.values() if is_described(node.metadata)]
    nodes: list[Node] = []
    shapes: dict[str, Shape] = {}
    layouts: dict[str, Layout] = {}
    for primitive in sorted(described, key=lambda node: int(number_of(node.metadata, "index"))):
        node = _node(primitive, shapes, layouts)
        nodes.append(node)
        shapes[node.name] = node.shape
        image = image_of(primitive.metadata, ())
        layouts[node.name] = Layout(node.shape, image)
    return SpikingNetwork(tuple(nodes)), layouts


def _node(primitive: Any, shapes: dict[str, Shape], layouts: dict[str, Layout]) -> Node:
    metadata = primitive.metadata
    kind = text(metadata["kind"])
    if kind not in WEIGHTS:
        return rebuild(metadata, shapes, None)

    def weights(inputs: tuple[str, ...], window: Window | None) -> Array:
        return WEIGHTS[kind](primitive, window, [layouts[name] for name in inputs])

    return rebuild(metadata, shapes, weights)
