"""The small nets of ``benchmarks.activation`` in PyTorch, and their training: the same shapes, sizes and steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.activation import BATCH, EPOCHS, RELU
from benchmarks.activation_nets import CLASSES
from snntb_adsnn.registry import Registry
from snntb_adsnn.torch import AAN

Make = Callable[[], nn.Module]
NETS: Registry[str, Callable[[Make], nn.Module]] = Registry("net")


def conv(inputs: int, width: int, size: int = 3, **options: Any) -> nn.Sequential:
    layer = nn.Conv2d(inputs, width, size, padding=size // 2, bias=False, **options)
    return nn.Sequential(layer, nn.BatchNorm2d(width))


class Steps(nn.Module):
    """Images (1, 8, 8) as series of their rows: eight channels, eight steps."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.squeeze(1).transpose(1, 2)


class Mean(nn.Module):
    """Global average pooling."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(2).mean(-1)


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, width: int, act: Make) -> None:
        super().__init__()
        self.inner = nn.Sequential(conv(width, width), act(), conv(width, width))
        self.act = act()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.act(x + self.inner(x))
        return out


@NETS.register("dense")
def dense(act: Make) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), act(), nn.Linear(64, 32), act(), nn.Linear(32, CLASSES))


@NETS.register("convolution")
def convolution(act: Make) -> nn.Module:
    return nn.Sequential(conv(1, 8), act(), nn.MaxPool2d(2), conv(8, 16), act(), nn.Flatten(), nn.Linear(256, CLASSES))


@NETS.register("depthwise")
def depthwise(act: Make) -> nn.Module:
    return nn.Sequential(
        *(conv(1, 16, stride=2), act(), conv(16, 16, groups=16), act(), conv(16, 32, 1), act()),
        *(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(128, CLASSES)),
    )


@NETS.register("residual")
def residual(act: Make) -> nn.Module:
    return nn.Sequential(conv(1, 12, stride=2), act(), Block(12, act), Block(12, act), Mean(), nn.Linear(12, CLASSES))


@NETS.register("series")
def series(act: Make) -> nn.Module:
    layers: list[nn.Module] = [Steps()]
    for width in (8, 24):
        layers += [nn.Conv1d(width, 24, 3, padding=1, bias=False), nn.BatchNorm1d(24), act()]
    return nn.Sequential(*layers, Mean(), nn.Linear(24, CLASSES))


def score(net: str, kind: str, seed: int, data: dict[str, np.ndarray]) -> float:
    """Test accuracy; see ``benchmarks.activation``."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model = NETS[net](nn.ReLU if kind == RELU else lambda: AAN(gradient=kind))
    images = {key: torch.tensor(data[key].transpose(0, 3, 1, 2)) for key in ("x", "x_test")}
    labels = {key: torch.tensor(data[key]) for key in ("y", "y_test")}
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images["x"])).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images["x"][batch]), labels["y"][batch]).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        return float((model(images["x_test"]).argmax(1) == labels["y_test"]).float().mean())
