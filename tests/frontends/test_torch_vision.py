"""torchvision's ResNet-18 and MobileNetV2, random weights, 224 x 224: as modules and as ONNX files, logits within 1e-5."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (pip install 'snntb-adsnn[torch]')")
models = pytest.importorskip("torchvision.models", reason="torchvision is not installed (pip install torchvision)")
onnxruntime = pytest.importorskip("onnxruntime")
from torch_nets import calibrate  # noqa: E402

from snntb_adsnn.frontends import convert  # noqa: E402

pytestmark = pytest.mark.torch

POPULATIONS = {"resnet18": 17, "mobilenet_v2": 2 * 35}  # a ReLU6 is two

EXAMPLES = {"resnet18": 1, "mobilenet_v2": 2}
"""Number of images that the exporter is given, and writes into shapes."""


@pytest.fixture(scope="module", params=POPULATIONS)
def net(request):
    """A model, two images, and its logits, computed in float64."""
    torch.manual_seed(0)
    module = getattr(models, request.param)(weights=None)
    x = torch.rand(2, 3, 224, 224)
    calibrate(module, x)
    module.eval()
    with torch.no_grad():
        expected = copy.deepcopy(module).double()(x.double()).numpy()
    assert np.ptp(expected, axis=0).max() > 0.1 * np.abs(expected).max()  # the images differ
    return request.param, module, x, expected


def deviation(network, x, expected):
    """Relative to the largest logit."""
    return np.abs(network.analog(x.numpy()) - expected).max() / np.abs(expected).max()


def test_as_a_module(net):
    name, module, x, expected = net
    network = convert(module, x, dtype=np.float64)
    assert len(network.populations) == POPULATIONS[name]
    assert deviation(network, x, expected) <= 1e-5


def test_as_a_file_of_torchs_exporter(net, tmp_path):
    name, module, x, expected = net
    path, count = tmp_path / "net.onnx", EXAMPLES[name]
    torch.onnx.export(module, (x[:count],), path, verbose=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    images = x.numpy()
    computed = [session.run(None, {session.get_inputs()[0].name: part})[0] for part in np.split(images, 2 // count)]
    network = convert(path, images, dtype=np.float64)
    assert len(network.populations) == POPULATIONS[name]
    assert deviation(network, x, np.concatenate(computed)) <= 1e-5  # onnxruntime computes in float32
    assert deviation(network, x, expected) <= 1e-5  # the exporter folds batch norms in float32
