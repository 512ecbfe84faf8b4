"""One small converter per ONNX operator: what it adds to the draft. A file for each kind; every file is imported."""

from importlib import import_module
from pkgutil import iter_modules

from snntb_adsnn.frontends.onnx.operators.call import OPERATORS, Call

__all__ = ["OPERATORS", "Call"]

for _file in iter_modules(__path__):
    import_module(f"{__name__}.{_file.name}")
