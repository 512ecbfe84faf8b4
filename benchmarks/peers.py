"""Other simulators on the same topology, images and steps: integrate-and-fire twins of a converted network.

Their weights are the AdSNN's (dense simulators take the same time whatever the weights), so their accuracy means
nothing here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Usage, usage
from snntb_adsnn.network import Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import Conv2D, Dense, Reshape, Scale

BATCH = 100
CHUNK = 5
"""Steps that multi-step simulators take at a time: the fastest of 1, 2, 5, 10, 25 here."""


def torch_layers(network: SpikingNetwork) -> tuple[list[Callable[[Any], Any]], Callable[[Any], Any]]:
    """For each population the map from the spikes before it (or the input) to its drive, and the read-out's map."""
    import torch
    from torch.nn import functional

    def tensor(a: Any) -> Any:
        return torch.tensor(np.array(a))

    maps: list[Callable[[Any], Any]] = []
    steps: list[Callable[[Any], Any]] = []
    channels_first = None
    for node in network.nodes:
        if isinstance(node, Scale):
            steps.append(_then(lambda x, f: x * f, tensor(node.factors).view(1, -1, 1, 1)))
        elif isinstance(node, Conv2D):
            w = tensor(node.weights.transpose(3, 2, 0, 1))
            (top, _), (left, _) = node.window.padding
            steps.append(_then(functional.conv2d, w, None, node.window.strides, (top, left)))
        elif isinstance(node, Reshape):
            channels_first = node.input_shapes[0]
            steps.append(lambda x: x.flatten(1))
        elif isinstance(node, Dense):
            w = node.weights
            if channels_first is not None:  # flattened as (channel, row, column) here
                w = w.reshape(*channels_first, -1).transpose(2, 0, 1, 3).reshape(w.shape)
                channels_first = None
            steps.append(_then(functional.linear, tensor(w.T)))
        elif isinstance(node, Neurons):
            if node.pool is not None:
                steps.append(_then(functional.max_pool2d, node.pool.size, node.pool.strides))
            shape = (1, -1, 1, 1) if len(node.shape) == 3 else (1, -1)
            steps.append(_then(torch.add, tensor(node.bias).view(shape)))
            maps.append(_composed(steps))
            steps = []
        elif isinstance(node, Readout):
            steps.append(_then(torch.add, tensor(node.bias)))
    return maps, _composed(steps)


def _then(function: Callable[..., Any], *others: Any) -> Callable[[Any], Any]:
    """``function`` with all arguments but the first."""
    return lambda x: function(x, *others)


def _composed(steps: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def apply(x: Any) -> Any:
        for step in steps:
            x = step(x)
        return x

    return apply


def _torch(network: SpikingNetwork, x: Any, simulate: Callable[..., Any]) -> Callable[[], Any]:
    import torch

    maps, readout = torch_layers(network)
    batches = [torch.tensor(x[i : i + BATCH].transpose(0, 3, 1, 2).copy()) for i in range(0, len(x), BATCH)]

    def run() -> Any:
        with torch.no_grad():
            return [simulate(maps, readout, batch) for batch in batches]

    return run


def spikingjelly(network: SpikingNetwork, x: Any, steps: int) -> Callable[[], Any]:
    """SpikingJelly, IFNode, multi-step."""
    from spikingjelly.activation_based import neuron

    def simulate(maps: Any, readout: Any, batch: Any) -> Any:
        layers = [neuron.IFNode(v_reset=None, step_mode="m") for _ in maps]
        total = 0.0
        for start in range(0, steps, CHUNK):
            n = min(CHUNK, steps - start)
            z = batch.unsqueeze(0).expand(n, *batch.shape)
            for apply, layer in zip(maps, layers, strict=True):
                drive = apply(z.flatten(0, 1))
                z = layer(drive.view(n, len(batch), *drive.shape[1:]))
            total = total + readout(z.flatten(0, 1)).view(n, len(batch), -1).sum(0)
        return total

    return _torch(network, x, simulate)


def snntorch(network: SpikingNetwork, x: Any, steps: int) -> Callable[[], Any]:
    """snnTorch, Leaky with beta = 1, reset by subtraction."""
    import snntorch as snn

    def simulate(maps: Any, readout: Any, batch: Any) -> Any:
        layers = [snn.Leaky(beta=1.0, reset_mechanism="subtract") for _ in maps]
        memory = [layer.init_leaky() for layer in layers]
        total = 0.0
        for _ in range(steps):
            z = batch
            for k, (apply, layer) in enumerate(zip(maps, layers, strict=True)):
                z, memory[k] = layer(apply(z), memory[k])
            total = total + readout(z)
        return total

    return _torch(network, x, simulate)


def sinabs(network: SpikingNetwork, x: Any, steps: int) -> Callable[[], Any]:
    """sinabs, IAF."""
    import sinabs.layers as layers_of
    import torch

    def simulate(maps: Any, readout: Any, batch: Any) -> Any:
        layers = [layers_of.IAF(spike_threshold=torch.tensor(1.0)) for _ in maps]
        total = 0.0
        for start in range(0, steps, CHUNK):
            n = min(CHUNK, steps - start)
            z = batch.unsqueeze(1).expand(len(batch), n, *batch.shape[1:])
            for apply, layer in zip(maps, layers, strict=True):
                drive = apply(z.flatten(0, 1))
                z = layer(drive.view(len(batch), n, *drive.shape[1:]))
            total = total + readout(z.flatten(0, 1)).view(len(batch), n, -1).sum(1)
        return total

    return _torch(network, x, simulate)


def toolbox_ini(network: SpikingNetwork, x: Any, steps: int) -> Callable[[], Usage]:
    """SNN Toolbox's own INI simulator (integrate and fire) on a ReLU twin, no logs, batches of 100."""
    from snntb_adsnn.frontends.keras.compat import keras

    folder = Path(tempfile.mkdtemp())
    model = relu_twin(network, keras)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    model.save(folder / "net.h5")
    classes = network.readout.shape[0]
    labels = np.eye(classes, dtype=np.float32)[np.arange(len(x)) % classes]
    for name, array in (("x_test", x), ("y_test", labels), ("x_norm", x[:100])):
        np.savez_compressed(folder / f"{name}.npz", array)
    (folder / "config.ini").write_text(
        f"[paths]\npath_wd = {folder}\ndataset_path = {folder}\nfilename_ann = net\n"
        "[tools]\nevaluate_ann = False\nnormalize = False\n"
        f"[simulation]\nsimulator = INI\nduration = {steps}\nnum_to_test = {len(x)}\n"
        f"batch_size = {min(BATCH, len(x))}\n"
        "keras_backend = tensorflow\n[output]\nverbose = 0\nlog_vars = {}\nplot_vars = {}\n"
    )
    import snntoolbox.bin.utils as flow
    from snntoolbox.simulation.utils import AbstractSNN

    inner: list[Usage] = []
    original = AbstractSNN.run

    def timed(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = usage()
        result = original(self, *args, **kwargs)
        inner.append(usage() - before)
        return result

    def run() -> Usage:
        AbstractSNN.run = timed
        try:
            flow.run_pipeline(flow.update_setup(str(folder / "config.ini")))
        finally:
            AbstractSNN.run = original
        return inner[-1]  # simulation alone: neither parsing nor building

    return run


def relu_twin(network: SpikingNetwork, keras: Any) -> Any:
    """The same topology in Keras with ReLU units."""
    layers = keras.layers
    i = h = layers.Input(network.input.shape)
    weights: dict[str, list[Any]] = {}

    def add(layer: Any, *arrays: Any) -> Any:
        weights[layer.name] = list(arrays)
        return layer(h)

    pending: Any = None
    for node in network.nodes:
        if isinstance(node, Scale | Conv2D | Dense):
            pending = node
        elif isinstance(node, Reshape):
            h = layers.Flatten()(h)
        elif isinstance(node, Neurons):
            bias = np.broadcast_to(node.bias, node.shape[-1:])
            if isinstance(pending, Scale):
                channels = node.shape[-1]
                kernel = np.diag(pending.factors)[None, None]
                h = add(layers.Conv2D(channels, 1, activation="relu"), kernel, bias)
            elif isinstance(pending, Conv2D):
                window = pending.window
                padding = "same" if any(map(any, window.padding)) else "valid"
                layer = layers.Conv2D(node.shape[-1], window.size, window.strides, padding, activation="relu")
                h = add(layer, pending.weights, bias)
            else:
                h = add(layers.Dense(node.shape[-1], activation="relu"), pending.weights, bias)
            if node.pool is not None:
                h = layers.MaxPooling2D(node.pool.size, node.pool.strides)(h)
        elif isinstance(node, Readout):
            h = add(layers.Dense(node.shape[0], activation="softmax"), pending.weights, node.bias)
    model = keras.Model(i, h)
    for name, arrays in weights.items():
        model.get_layer(name).set_weights(arrays)
    return model


PEERS: dict[str, Callable[[SpikingNetwork, Any, int], Callable[[], Any]]] = {
    "SNN Toolbox INI": toolbox_ini,
    "SpikingJelly IF": spikingjelly,
    "snnTorch Leaky": snntorch,
    "sinabs IAF": sinabs,
}

PACKAGES = {
    "SNN Toolbox INI": "snntoolbox",
    "SpikingJelly IF": "spikingjelly",
    "snnTorch Leaky": "snntorch",
    "sinabs IAF": "sinabs",
}
WHOLE_FLOWS = {"SNN Toolbox INI"}
"""Their ``run`` returns what the simulation alone took."""
