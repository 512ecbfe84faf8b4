"""Nets to train, by name: the paper's and smaller ones of their kind. Importing this room imports no framework."""

from importlib import import_module
from pkgutil import iter_modules

from snntb_adsnn.nets import plain, residual  # noqa: F401  they register themselves
from snntb_adsnn.nets.net import NETS, Layers, Net, architecture, build

__all__ = ["NETS", "Layers", "Net", "architecture", "build"]

for _file in iter_modules(__path__):  # a new file needs no entry here
    import_module(f"{__name__}.{_file.name}")
