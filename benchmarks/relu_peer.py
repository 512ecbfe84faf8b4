"""The nets of ``benchmarks.relu`` in SpikingJelly: ``python -m benchmarks.relu_peer NET.npz RESULT.json``.

``ann2snn`` replaces each ReLU by integrate-and-fire neurons with soft reset, in three ways: one threshold a layer, the
99.9th percentile of its activations on training images; one a channel, with potentials that start at half of it and max
pooling in front of the neurons; and local threshold balancing (Bu et al., arXiv 2409.03368).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from snntb_adsnn.files import write_json

WAYS = {
    "if layer": lambda recipes, loader: recipes.RateCodingRecipe(loader, mode="99.9%"),
    "if channel": lambda recipes, loader: recipes.RateCodingRecipe(
        loader, mode="99.9%", channel_wise=True, pre_spike_maxpool=True, half_threshold=True
    ),
    "if balanced": lambda recipes, loader: recipes.LocalThresholdBalancingRecipe(loader),
}
"""Recipes of the converter, by the names of the curves."""
STEPS = (1, 2, 4, 8, 16, 32)
BATCH = 100


def network(layers: list[dict[str, Any]], arrays: Any) -> nn.Sequential:
    """The Keras chain in PyTorch, channels first."""
    modules: list[nn.Module] = []
    channels: int | None = None  # of the image that a Flatten took apart
    last = 0
    for index, layer in enumerate(layers):
        weights = [torch.tensor(arrays[f"{index}/{i}"]) for i in range(9) if f"{index}/{i}" in arrays]
        match layer["kind"]:
            case "InputLayer" | "Dropout":
                continue
            case "Conv2D":
                kernel = weights[0].permute(3, 2, 0, 1)
                size = kernel.shape[-1]
                around = size // 2 if layer["padding"] == "same" else 0
                module: nn.Module = nn.Conv2d(kernel.shape[1], kernel.shape[0], size, padding=around, bias=False)
                _set(module, weight=kernel)
                last = kernel.shape[0]
            case "BatchNormalization":
                module = nn.BatchNorm2d(last, eps=layer["epsilon"])
                _set(module, weight=weights[0], bias=weights[1], running_mean=weights[2], running_var=weights[3])
            case "Activation":
                module = nn.ReLU()
            case "MaxPooling2D":
                module = nn.MaxPool2d(layer["pool_size"][0])
            case "Flatten":
                module, channels = nn.Flatten(), last
            case "Dense":
                matrix = weights[0]
                if channels is not None:  # Keras flattens channels last
                    matrix = matrix.reshape(-1, channels, matrix.shape[1]).permute(1, 0, 2).reshape(matrix.shape)
                    channels = None
                module = nn.Linear(*matrix.shape)
                _set(module, weight=matrix.T, bias=weights[1])
            case kind:
                raise ValueError(f"a layer {kind} is not built in PyTorch here; add it, or take another net")
        modules.append(module)
    return nn.Sequential(*modules).eval()


def _set(module: nn.Module, **values: torch.Tensor) -> None:
    with torch.no_grad():
        for name, value in values.items():
            getattr(module, name).copy_(value)


def curve(model: nn.Module, x: torch.Tensor, y: Any, ann: Any) -> dict[str, Any]:
    """As ``relu.curve``, at ``STEPS``."""
    from spikingjelly.activation_based import functional, neuron

    nodes = [module for module in model.modules() if isinstance(module, neuron.BaseNode)]
    counted = {"spikes": 0.0, "neurons": 0}

    def count(module: Any, inputs: Any, output: Any) -> None:
        counted["spikes"] += float(output.sum())
        counted["neurons"] += output[0].numel()

    for node in nodes:
        node.register_forward_hook(count)
    right, same, spikes = (np.zeros(STEPS[-1]) for _ in range(3))
    neurons = 0
    for at in range(0, len(x), BATCH):
        functional.reset_net(model)
        total = 0.0
        for step in range(STEPS[-1]):
            counted.update(spikes=0.0, neurons=0)
            total = total + model(x[at : at + BATCH])
            decisions = total.argmax(1).numpy()
            right[step] += (decisions == y[at : at + BATCH]).sum()
            same[step] += (decisions == ann[at : at + BATCH]).sum()
            spikes[step] += counted["spikes"]
            neurons = int(counted["neurons"])
    chosen = np.array(STEPS) - 1
    return {
        "steps": list(STEPS),
        "accuracy": (right[chosen] / len(x)).tolist(),
        "agreement": (same[chosen] / len(x)).tolist(),
        "spikes_per_image": (np.cumsum(spikes)[chosen] / len(x)).tolist(),
        "neurons": neurons,
    }


def main(source: Path, result: Path) -> None:
    """Measure what ``result`` does not hold yet."""
    from spikingjelly.activation_based import ann2snn

    torch.manual_seed(0)
    with np.load(source) as arrays:
        model = network(json.loads(str(arrays["layers"])), arrays)
        x, calibration = (torch.tensor(arrays[name]).permute(0, 3, 1, 2) for name in ("x", "calibration"))
        y = arrays["y"]
    found = json.loads(result.read_text()) if result.exists() else {}
    with torch.no_grad():
        ann = torch.cat([model(x[i : i + BATCH]) for i in range(0, len(x), BATCH)]).argmax(1).numpy()
        found["torch ann"] = float((ann == y).mean())
        for name, recipe in WAYS.items():
            if name in found:
                continue
            loader = [(calibration[i : i + BATCH], None) for i in range(0, len(calibration), BATCH)]
            converted = ann2snn.Converter(recipe(ann2snn, loader)).convert(model)
            found[name] = curve(converted, x, y, ann)
            write_json(result, found)
            print(name, *(f"{100 * a:.2f}" for a in found[name]["accuracy"]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
