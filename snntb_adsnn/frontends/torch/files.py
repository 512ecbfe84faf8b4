"""Files that torch wrote: refused, with the way out named. This imports no torch."""

from __future__ import annotations

from typing import Any, NoReturn

from snntb_adsnn.errors import ConversionError


def convert(model: Any, x_check: Any, **_: Any) -> NoReturn:
    """Refuse the file ``model``.

    Raises:
        ConversionError: always.
    """
    raise ConversionError(
        f"{model}: PyTorch's own files are not read, for reading one can run code that is in it. Load it in Python and "
        "give convert the module, or write an ONNX file with snntb_adsnn.torch.export_onnx and convert that."
    )
