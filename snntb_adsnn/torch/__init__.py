"""AAN for PyTorch, as a module, and its way into ONNX files. Importing this imports torch.

Example::

    from snntb_adsnn.torch import AAN, export_onnx

    model = nn.Sequential(nn.Linear(64, 32), AAN(m_f=0.2), nn.Linear(32, 10))
    ...  # train it in any loop
    export_onnx(model, x[:1], "net.onnx")
"""

from snntb_adsnn.frontends.torch.needed import need

need("torch")

from snntb_adsnn.frontends.torch.aan import AAN  # noqa: E402
from snntb_adsnn.frontends.torch.export import TRANSLATIONS, export_onnx  # noqa: E402

__all__ = ["AAN", "TRANSLATIONS", "export_onnx"]
