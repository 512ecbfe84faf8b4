"""Keras 2: models, layers, the activation AAN. Importing this imports no TensorFlow; using a name from it does.

A layer of your own is converted by a function that says which nodes it becomes::

    from snntb_adsnn.frontends.keras import KerasLayer, converts

    @converts(MyLayer)
    def my_layer(kept: KerasLayer):
        return [(Scale(*kept.at, kept.weight("gain")), None)]
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snntb_adsnn.frontends.keras.layers import CONVERTERS, Converted, KerasLayer, converts

__all__ = ["CONVERTERS", "Converted", "KerasLayer", "converts"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from importlib import import_module

        return getattr(import_module("snntb_adsnn.frontends.keras.layers"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
