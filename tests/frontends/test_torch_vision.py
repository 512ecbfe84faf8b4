"""torchvision's ResNet-18 and MobileNetV2, random weights: as modules and as ONNX files, logits within 1e-5."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (pip install 'snntb-adsnn[torch]')")
models = pytest.importorskip("torchvision.models", reason="torchvision is not installed (pip install torchvision)")
onnxruntime = pytest.importorskip("onnxruntime")
from torch_nets import calibrate  # noqa: E402

from snntb_adsnn.frontends import convert  # noqa: E402
from snntb_adsnn.torch import export_onnx  # noqa: E402

pytestmark = pytest.mark.torch

POPULATIONS = {"resnet18": 17, "mobilenet_v2": 2 * 35}  # a ReLU6 is two


@pytest.mark.parametrize("name", POPULATIONS)
def test_module_and_file(name, tmp_path):
    torch.manual_seed(0)
    module = getattr(models, name)(weights=None)
    x = torch.rand(3, 3, 64, 64)
    calibrate(module, x)  # else the logits are near 0, and would agree whatever they are
    images = x.numpy()
    expected = copy.deepcopy(module).eval().double()(x.double()).detach().numpy()
    size = np.abs(expected).max()
    assert np.ptp(expected, axis=0).max() > 0.1
    network = convert(module, images[:2])
    assert len(network.populations) == POPULATIONS[name]
    assert np.abs(network.analog(images) - expected).max() <= 1e-5 * size
    path = export_onnx(module, x, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    computed = session.run(None, {session.get_inputs()[0].name: images})[0]
    network = convert(path, images[:2])
    assert np.abs(network.analog(images) - computed).max() <= 1e-5 * size
