"""Writes the ONNX files with AAN that ``test_onnx_aan.py`` reads, and what torch computes; needs PyTorch.

PYTHONPATH=.:hls:tests python tests/frontends/write_aan_files.py
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch_nets import calibrate

from snntb_adsnn.torch import AAN, export_onnx

FOLDER = Path(__file__).parent / "aan_files"


def dense() -> nn.Module:
    return nn.Sequential(
        nn.Linear(6, 12), AAN(0.15, theta0=0.25), nn.Linear(12, 8), AAN(0.3, "taylor", tau_gamma=20.0), nn.Linear(8, 3)
    )


def image() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        AAN(0.1),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 4, 3),
        AAN(0.2),
        nn.Flatten(),
        nn.Linear(24, 4),
        nn.Softmax(-1),
    )


for make, shape in ((dense, (6,)), (image, (2, 9, 10))):
    torch.manual_seed(1)
    module, x = make(), 2 * torch.randn(5, *shape)
    calibrate(module, x)
    with torch.no_grad():
        y = module.eval()(x)
    FOLDER.mkdir(exist_ok=True)
    export_onnx(module, x, FOLDER / f"{make.__name__}.onnx")
    np.savez_compressed(FOLDER / f"{make.__name__}.npz", x=x.numpy(), y=y.numpy())
