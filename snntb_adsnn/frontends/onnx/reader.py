"""ONNX files as a front end reads them (``frontends.Reader``); the package onnx is imported where a file is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.files import reason
from snntb_adsnn.network import Output
from snntb_adsnn.network.outputs import ACTIVATIONS
from snntb_adsnn.neuron import ASNParameters

EXPORT = "torch.onnx.export(module.eval(), (x,), '{}.onnx')"
_STARTS = (
    (b"version https://git-lfs", "a note of Git LFS where the model should be; fetch it by: git lfs pull."),
    (b"\x89HDF", "a file of Keras (HDF5); rename it to {}.h5."),
    (b"PK", f"a zip archive, as PyTorch writes; export the module itself: {EXPORT}."),
    (b"\x80", f"a pickle, which is never read here, for it could run code; export the module itself: {EXPORT}."),
    (b"\x1f\x8b", "packed with gzip; unpack it."),
    (b"<", "a web page or XML, no model; download the file itself."),
    (b"{", "a text (JSON?), no model; save it with onnx.save."),
)
"""What files begin with that people have by the name of a model; what they are, and the way out."""
_TORCH = (".pth", ".pt", ".pt2", ".pkl", ".py")
_TENSORFLOW = {".tflite": "--tflite {0}", ".pb": "--saved-model ITS_FOLDER"}
"""Endings of TensorFlow's files, and how tf2onnx is told which it shall read."""


def check(file: Path, *, trust: bool) -> None:
    """See ``Reader``; nothing in an ONNX file can run."""
    proto(file)


def read(file: Path, *, trust: bool) -> Any:
    """See ``Reader``: an ``OnnxModel``."""
    from snntb_adsnn.frontends.onnx.functions import flat
    from snntb_adsnn.frontends.onnx.model import OnnxModel

    return OnnxModel(flat(proto(file)))


def neuron(file: Path) -> ASNParameters | None:
    """Not known before conversion."""
    return None


def instead(path: Path) -> str | None:
    """See ``Reader``: what PyTorch and TensorFlow save, also where the model is named with that ending."""
    if (ending := path.suffix) in _TORCH or ending in _TENSORFLOW:
        path = path.with_name(path.name.removesuffix(ending))
        return f"{path.name}{ending}: {_foreign(path.name, ending)} Then write filename_ann = {path.name}.onnx."
    there = [path.name + ending for ending in _TORCH if path.with_name(path.name + ending).is_file()]
    return f"{' and '.join(there)}: {_foreign(path.name, _TORCH[0])}" if there else None


def _foreign(name: str, ending: str) -> str:
    """Why a file of another framework is not read, and how its model becomes an ONNX file of this ``name``."""
    if ending in _TORCH:
        return (
            f"PyTorch's own files are not read here, for they could run code; in PyTorch, write {EXPORT.format(name)}."
        )
    source = _TENSORFLOW[ending].format(f"{name}{ending}")
    return (
        f"TensorFlow's {ending} files are not read here; make an ONNX file of it: "
        f"python -m tf2onnx.convert {source} --output {name}.onnx."
    )


def companions(file: Path) -> list[Path]:
    """Files beside the model that hold weights of it (ONNX's external data)."""
    import onnx

    return [file.parent / name for name in _external(onnx.load(str(file), load_external_data=False))]


def outputs(model: Any) -> list[Output]:
    """See ``Reader``."""
    makers = {name: node.op_type.lower() for node in model.proto.graph.node for name in node.output}
    found = []
    for output, shape in zip(model.proto.graph.output, model.output_shapes, strict=True):
        kind = makers.get(output.name, "linear")
        found.append(
            Output(output.name, tuple(n or 1 for n in shape[1:]) or (1,), kind if kind in ACTIVATIONS else "linear")
        )
    return found


def copied(model: Any, top_k: int) -> Any:
    """See ``Reader``."""
    from snntb_adsnn.frontends.onnx.model import OnnxModel

    return OnnxModel(model.proto)


def packed(model: Any, save: Any) -> bytes:
    """See ``Reader``; weights of other files stand in this one."""
    content: bytes = model.proto.SerializeToString()
    return content


def proto(file: Path) -> Any:
    """The ``onnx.ModelProto`` of a file, with all its weights.

    Raises:
        ConversionError: the file, or one of its weights, is missing, damaged or something else; or onnx is.
    """
    start = _start(file)
    try:
        import onnx
    except ImportError as error:
        raise ConversionError(
            f"{file}: an ONNX model needs the package onnx ({error}); run: pip install 'snntb-adsnn[onnx]'"
        ) from error
    try:
        found = onnx.load(str(file), load_external_data=False)
        names = _external(found)
    except Exception as error:  # protobuf has errors of its own
        what = next((what for mark, what in _STARTS if start.lstrip().startswith(mark)), None)
        if what is not None:
            raise ConversionError(f"{file}: is {what.format(file.stem)}") from None
        raise ConversionError(
            f"{file}: cannot be read as an ONNX model (it is damaged or cut short); copy it or export it again."
        ) from error
    for name in names:
        _need_beside(file, name)
    try:
        found = onnx.load(str(file))
        onnx.checker.check_model(found)
    except Exception as error:  # the checker has errors of its own
        why = " ".join(str(error).split())[:200].rstrip(".")
        raise ConversionError(f"{file}: cannot be read as an ONNX model ({why}); export it again.") from error
    return found


def _start(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            start = stream.read(64)
    except OSError as error:
        raise ConversionError(
            f"{file}: cannot be read ({reason(error)}); check the path and its permissions."
        ) from None
    if not start:
        raise ConversionError(f"{file}: is empty; copy it or export the model again.")
    return start


def _external(model: Any) -> list[str]:
    """Names of the files that hold weights."""
    places = [entry for tensor in model.graph.initializer for entry in tensor.external_data]
    return list(dict.fromkeys(entry.value for entry in places if entry.key == "location"))


def _need_beside(file: Path, name: str) -> None:
    beside = file.parent / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ConversionError(
            f"{file}: names weights outside its folder ({name}), which are not read; save the model in one file: "
            "onnx.save(onnx.load(PATH), 'net.onnx')."
        )
    if not beside.is_file():
        raise ConversionError(
            f"{file}: its weights stand in the file {name} beside it, which is not there; copy that file, too, or save "
            "the model in one file: onnx.save(onnx.load(PATH), 'net.onnx')."
        )
