"""Small PyTorch modules with random weights. Importing this imports torch."""

from __future__ import annotations

import contextlib
from functools import cache

import torch
from torch import nn

from snntb_adsnn.torch import AAN

with contextlib.suppress(Exception):
    # torch's exporter reads the sources of its 500 operators for every module: two thirds of a small net's conversion
    from torch.onnx._internal._lazy_import import onnxscript_apis

    onnxscript_apis.get_torchlib_ops = cache(onnxscript_apis.get_torchlib_ops)


class Residual(nn.Module):
    """A stem with padded max pooling, a residual block with a projection, a global average: as torchvision's ResNet."""

    def __init__(self, activation) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), activation())
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.inner = nn.Sequential(
            nn.Conv2d(8, 12, 3, 2, 1), nn.BatchNorm2d(12), activation(), nn.Conv2d(12, 12, 3, 1, 1), nn.BatchNorm2d(12)
        )
        self.projection = nn.Conv2d(8, 12, 1, 2)
        self.last = activation()
        self.classes = nn.Linear(12, 5)

    def forward(self, x):
        x = self.pool(self.stem(x))
        x = self.last(self.inner(x) + self.projection(x))
        return self.classes(x.mean((2, 3)))


def dense(activation):
    return nn.Sequential(
        nn.Linear(6, 20), activation(), nn.Dropout(0.5), nn.Linear(20, 15), activation(), nn.Linear(15, 4)
    )


def convolutional(activation):
    """Flattens an image of several channels; ends with a softmax."""
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        activation(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 6, 3, groups=6, bias=False),
        activation(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(24, 11),
        activation(),
        nn.Linear(11, 4),
        nn.Softmax(-1),
    )


class Picked(nn.Module):
    """Channels and places of a series, by slices and by a number."""

    def forward(self, x):
        return torch.cat([x[:, 2:, 1:], x[:, -4, :-1].unsqueeze(1)], 1)


def series(activation):
    return nn.Sequential(
        nn.Conv1d(3, 6, 5, stride=2, padding=2),
        nn.BatchNorm1d(6),
        activation(),
        nn.MaxPool1d(2),
        nn.Conv1d(6, 4, 3, dilation=2),
        activation(),
        Picked(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(3, 3),
    )


SHAPES = {dense: (6,), convolutional: (2, 13, 12), Residual: (3, 17, 15), series: (3, 40)}
"""Shape of one input, by net."""


def aan() -> AAN:
    return AAN(m_f=0.2)


def taylor() -> AAN:
    return AAN(m_f=0.3, form="taylor", tau_gamma=20.0)


def clipped() -> nn.Module:
    return nn.Hardtanh(0, 0.7)


def leaky() -> nn.Module:
    return nn.LeakyReLU(0.2)


CASES = [(net, activation) for net in SHAPES for activation in (nn.ReLU, aan)]
CASES += [(dense, taylor), *((convolutional, activation) for activation in (clipped, leaky))]


def example(net, activation=nn.ReLU, seed=0, count=7):
    """A net whose batch norms have seen data, in evaluation mode, and inputs."""
    torch.manual_seed(seed)
    module = net(activation)
    x = 2 * torch.randn(count, *SHAPES[net]) + 0.3
    calibrate(module, x)
    with torch.no_grad():  # outputs that differ between images, a softmax's too
        [part for part in module.modules() if isinstance(part, nn.Linear)][-1].weight.mul_(5)
    return module.eval(), x


def calibrate(module, x) -> None:
    """Give batch norms the statistics of ``x``, and gains and shifts of their own, so that values keep their size."""
    for norm in module.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            norm.momentum = None
            nn.init.uniform_(norm.weight, 0.7, 1.4)
            nn.init.normal_(norm.bias, 0, 0.2)
    with torch.no_grad():
        module.train()(x)
