"""What turns somebody's model into a network: one folder for each framework, which fills a ``network.draft.Draft``.

Importing this imports no framework. A front end of your own is added with ``FRONTENDS.add``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.registry import Registry

__all__ = ["FRONTENDS", "FrontEnd", "convert"]


@dataclass(frozen=True)
class FrontEnd:
    """A way from one framework's models to networks.

    Attributes:
        what: what it converts, for messages: ``a Keras 2 model``.
        owns: whether a model is one of these. It must import no framework: the model's own has been imported already,
            so that names of classes and modules suffice (see ``modules``).
        module: name of the module whose function ``convert`` does it, with the arguments of ``frontends.convert``;
            imported on first use.
    """

    what: str
    owns: Callable[[Any], bool]
    module: str

    def convert(self, model: Any, x_check: Any, **options: Any) -> SpikingNetwork:
        """See ``frontends.convert``."""
        network: SpikingNetwork = import_module(self.module).convert(model, x_check, **options)
        return network


FRONTENDS: Registry[str, FrontEnd] = Registry("front end")


def modules(model: Any) -> list[list[str]]:
    """The modules that define the classes of ``model``, each as its parts: ``["tf_keras", "src", "engine", ...]``."""
    return [kind.__module__.split(".") for kind in type(model).__mro__]


def _is_keras_2(model: Any) -> bool:
    """Whether a class is from tf_keras, or from the Keras 2 that came with TensorFlow up to 2.15 (whose models live in
    ``keras.engine`` or ``keras.src.engine``, as Keras 3's never do)."""
    return any(parts[0] == "tf_keras" or (parts[0] == "keras" and "engine" in parts[1:3]) for parts in modules(model))


def _is_keras_3(model: Any) -> bool:
    """Whether a class is from Keras 3: the package ``keras``, and none of Keras 2."""
    return any(parts[0] == "keras" for parts in modules(model)) and not _is_keras_2(model)


def _is_onnx(model: Any) -> bool:
    """Whether it is an ``onnx.ModelProto``, or the path of a ``.onnx`` file."""
    if isinstance(model, str | Path):
        return Path(model).suffix == ".onnx"
    return any(parts[0] == "onnx" for parts in modules(model))


FRONTENDS.add("keras", FrontEnd("a Keras 2 model", _is_keras_2, "snntb_adsnn.frontends.keras.convert"))
FRONTENDS.add("keras3", FrontEnd("a Keras 3 model", _is_keras_3, "snntb_adsnn.frontends.keras3.convert"))

FRONTENDS.add(
    "onnx", FrontEnd("an ONNX model, or the path of a .onnx file", _is_onnx, "snntb_adsnn.frontends.onnx.convert")
)


def convert(
    model: Any, x_check: Any, *, readout_tau_phi: float = 50.0, dtype: type[np.floating[Any]] = np.float32
) -> SpikingNetwork:
    """Convert a trained model into a spiking network; whose model it is, is found out.

    Args:
        model: a Keras 2 model, or what another entry of ``FRONTENDS`` converts, with AAN or ReLU activations.
        x_check: real inputs, shape (images, *input shape), on which the model and the result are compared.
        readout_tau_phi: smoothing time constant of the read-out, ms.
        dtype: of the weights and biases. They are computed in float64; float32, in which every engine simulates, rounds
            them. Keep float64 to compare ``analog`` with the model in float64.

    Returns:
        the network; ``network.analog(x)`` is what the model predicts but for rounding, which deep nets amplify
        (``docs/conversion.md``).

    Raises:
        ConversionError: something cannot be converted exactly; names the layer, the reason and a way out.
    """
    for frontend in FRONTENDS.values():
        if frontend.owns(model):
            return frontend.convert(model, x_check, readout_tau_phi=readout_tau_phi, dtype=dtype)
    kind = type(model)
    known = ", ".join(f"{name} ({frontend.what})" for name, frontend in FRONTENDS.items())
    raise ConversionError(
        f"a {kind.__module__}.{kind.__qualname__} is no model that can be converted; known front ends: {known}. Give a "
        "model of one of these."
    )
