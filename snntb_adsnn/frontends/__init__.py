"""What turns somebody's model into a network: one folder for each framework, which fills a ``network.draft.Draft``.

Importing this imports no framework. A front end of your own is added with ``FRONTENDS.add``,
or by an entry point of the group ``snntb_adsnn.frontends`` in your package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.network import Output, SpikingNetwork
from snntb_adsnn.network.export import EXPORTS
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.registry import Registry

__all__ = ["FRONTENDS", "FrontEnd", "Reader", "convert", "owner"]


class Reader(Protocol):
    """A front end's files: a module with these functions. Importing it imports no framework.

    What ``read`` gives has what runs ask a model for: ``input_shape`` and ``output_shape`` (batch axis first, ``None``
    where any size will do), ``predict_on_batch(x)``, ``predict(x, batch_size, verbose)``, ``summary()``; and ``fits``,
    where it takes inputs of more than one shape.
    """

    def check(self, file: Path, *, trust: bool) -> None:
        """Refuse a file that cannot be read, or holds code and is not trusted, without the framework where that can be.

        Raises:
            ConversionError: says what the file is, and what to do.
        """

    def read(self, file: Path, *, trust: bool) -> Any:
        """The model; raises as ``check``."""

    def neuron(self, file: Path) -> ASNParameters | None:
        """The constants that all AAN of the model have, if they can be known at once; else ``None``."""

    def instead(self, path: Path) -> str | None:
        """What to do where no ``path`` with one of the endings is there, from what is; ``None`` where nothing is."""

    def companions(self, file: Path) -> list[Path]:
        """Other files that the model needs."""

    def outputs(self, model: Any) -> list[Output]:
        """The outputs of a model that was read, as far as it tells itself: names, shapes, activations."""

    def copied(self, model: Any, top_k: int) -> Any:
        """A frozen copy of a model that was read, for SNN Toolbox's flow; ``top_k`` is the toolbox's.

        Raises:
            ConversionError: it cannot be copied.
        """

    def packed(self, model: Any, save: Any) -> bytes:
        """Content of a file with the first of the endings, from which ``read`` gives this model; ``save``: its own
        method of that name, if it has one."""


@dataclass(frozen=True)
class FrontEnd:
    """A way from one framework's models to networks.

    Attributes:
        what: what it converts, for messages: ``a Keras 2 model``.
        owns: whether a model is one of these. It must import no framework: the model's own has been imported already,
            so that names of classes and modules suffice (see ``modules``).
        module: name of the module whose function ``convert`` does it, with the arguments of ``frontends.convert``;
            imported on first use.
        suffixes: endings of its files, in the order in which they are looked for.
        reader: name of the module that reads them, a ``Reader``; imported on first use.
        libraries: values of ``[input] model_lib`` that mean this front end.
        reads: whether a file with one of the endings is one of these, where other front ends have the ending, too.
    """

    what: str
    owns: Callable[[Any], bool]
    module: str
    suffixes: tuple[str, ...] = ()
    reader: str = ""
    libraries: tuple[str, ...] = ()
    reads: Callable[[Path], bool] = lambda file: True

    @property
    def files(self) -> Reader:
        """What reads its files."""
        reader: Any = import_module(self.reader)
        return cast(Reader, reader)

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


def _is_keras_3_file(file: Path) -> bool:
    return bool(import_module("snntb_adsnn.frontends.keras.stored").is_keras_3(file))


def _is_onnx(model: Any) -> bool:
    """Whether it is an ``onnx.ModelProto``, or the path of a ``.onnx`` file."""
    if isinstance(model, str | Path):
        return Path(model).suffix == ".onnx"
    ours = ["snntb_adsnn", "frontends", "onnx", "model"]
    return any(parts[0] == "onnx" or parts == ours for parts in modules(model))


def _is_torch(model: Any) -> bool:
    """Whether it is a ``torch.nn.Module`` or a ``torch.export.ExportedProgram``."""
    known = (["torch", "nn", "modules", "module"], ["torch", "export", "exported_program"])
    return any(parts in known for parts in modules(model))


def _is_torch_file(model: Any) -> bool:
    """Whether it is the path of a file that torch wrote."""
    return isinstance(model, str | Path) and Path(model).suffix in (".pt", ".pth", ".pt2")


def _is_nir(model: Any) -> bool:
    """Whether it is a ``nir.NIRGraph``, or the path of a ``.nir`` file."""
    if isinstance(model, str | Path):
        return Path(model).suffix == ".nir"
    return any(parts[0] == "nir" for parts in modules(model))


FRONTENDS.add(
    "keras",
    FrontEnd(
        "a Keras 2 model",
        _is_keras_2,
        "snntb_adsnn.frontends.keras.convert",
        suffixes=(".h5", ".keras"),
        reader="snntb_adsnn.frontends.keras.reader",
        libraries=("keras",),
        reads=lambda file: not _is_keras_3_file(file),
    ),
)
FRONTENDS.add(
    "keras3",
    FrontEnd(
        "a Keras 3 model",
        _is_keras_3,
        "snntb_adsnn.frontends.keras3.convert",
        suffixes=(".h5", ".keras"),
        reader="snntb_adsnn.frontends.keras3.reader",
        libraries=("keras",),
        reads=_is_keras_3_file,
    ),
)

FRONTENDS.add(
    "onnx",
    FrontEnd(
        "an ONNX model, or the path of a .onnx file",
        _is_onnx,
        "snntb_adsnn.frontends.onnx.convert",
        suffixes=(".onnx",),
        reader="snntb_adsnn.frontends.onnx.reader",
        libraries=("onnx", "pytorch"),
    ),
)
FRONTENDS.add("torch", FrontEnd("a PyTorch module", _is_torch, "snntb_adsnn.frontends.torch.convert"))
FRONTENDS.add(
    "torch files", FrontEnd("none of PyTorch's own files", _is_torch_file, "snntb_adsnn.frontends.torch.files")
)


FRONTENDS.add("nir", FrontEnd("a NIR graph, or the path of a .nir file", _is_nir, "snntb_adsnn.frontends.nir.read"))


@EXPORTS.register("nir")
def _to_nir(network: SpikingNetwork) -> Any:
    return import_module("snntb_adsnn.frontends.nir.write").to_nir(network)


def others_too() -> Registry[str, FrontEnd]:
    """``FRONTENDS``, with those of other packages: entry points ``snntb_adsnn.frontends``, each a ``FrontEnd``.

    Raises:
        ConversionError: one cannot be loaded, or is something else.
    """
    from importlib.metadata import entry_points  # slow to import

    for entry in entry_points(group=GROUP):
        if entry.value in _loaded:
            continue
        _loaded.add(entry.value)
        try:
            frontend = entry.load()
        except Exception as error:  # whatever the other package raises
            raise ConversionError(
                f"the front end {entry.name!r} ({entry.value}) cannot be loaded ({error}); repair its package, or "
                "remove it."
            ) from error
        if not isinstance(frontend, FrontEnd):
            raise ConversionError(f"the front end {entry.name!r} ({entry.value}) is no FrontEnd; remove its package.")
        FRONTENDS.add(entry.name, frontend)
    return FRONTENDS


GROUP = "snntb_adsnn.frontends"
"""Entry points by which a package brings a front end."""
_loaded: set[str] = set()


def owner(model: Any) -> FrontEnd | None:
    """The front end whose model it is."""
    return next((frontend for frontend in others_too().values() if frontend.owns(model)), None)


def convert(
    model: Any, x_check: Any, *, readout_tau_phi: float = 50.0, dtype: type[np.floating[Any]] = np.float32
) -> SpikingNetwork:
    """Convert a trained model into a spiking network; whose model it is, is found out.

    Args:
        model: a Keras 2 model, or what another entry of ``FRONTENDS`` converts, with AAN or ReLU activations; or the
            path of a model file.
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
    frontend = owner(model)
    if frontend is None and isinstance(model, str | Path):
        frontend, model = _read(Path(model))
    if frontend is not None:
        return frontend.convert(model, x_check, readout_tau_phi=readout_tau_phi, dtype=dtype)
    kind = type(model)
    known = ", ".join(f"{name} ({frontend.what})" for name, frontend in FRONTENDS.items())
    raise ConversionError(
        f"a {kind.__module__}.{kind.__qualname__} is no model that can be converted; known front ends: {known}. Give a "
        "model of one of these."
    )


def _read(file: Path) -> tuple[FrontEnd, Any]:
    """A model file's front end, and the model.

    Raises:
        ConversionError: no front end reads it.
    """
    models = import_module("snntb_adsnn.frontends.models")
    if (found := models.of_file(file)) is None:
        raise ConversionError(
            f"{file}: no model file by its ending ({', '.join(models.endings())} and .nir are read here). Load the "
            "model in its own framework, and give convert what that gives."
        )
    return found.frontend, found.read(trust=False)
