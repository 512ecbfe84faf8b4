"""Model files for the cases of ``models.toml`` that are made without Keras."""

from __future__ import annotations

import base64
import json
import marshal
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from catalogue import CONFIG, FOLDER, change_ini, maker, start
from catalogue_files import digits

Edit = Callable[[dict[str, Any]], Any]


@start
def short(folder: Path) -> None:
    """As ``digits``, with 3 images and 20 ms."""
    digits(folder)
    change_ini(folder / CONFIG, {"simulation": {"num_to_test": "3", "batch_size": "3", "duration": "20"}})


@start
def trainable(folder: Path) -> None:
    """A training of an epoch on IRIS, which begins with ``first.h5``."""
    change_ini(
        folder / CONFIG,
        {
            "paths": {"filename_ann": "net"},
            "simulation": {"simulator": "adsnn"},
            "training": {"dataset": "iris", "architecture": "iris", "epochs": "1", "initial": "first.h5"},
        },
    )


# ---- ONNX ------------------------------------------------------------------------------------------------------------


def _onnx(path: Path, *kinds: str, **options: Any) -> None:
    """A net for the digits: a weighted sum, an operator of each of ``kinds``, another sum."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    weights = {"a": random.normal(0, 0.2, (64, 12)), "b": random.normal(0, 0.3, (12, 10))}
    nodes = [helper.make_node("MatMul", ["x", "a"], ["h0"])]
    nodes += [helper.make_node(kind, [f"h{i}"], [f"h{i + 1}"], name=kind.lower()) for i, kind in enumerate(kinds)]
    nodes.append(helper.make_node("MatMul", [f"h{len(kinds)}", "b"], ["y"]))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 64])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 10])
    stored = [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()]
    graph = helper.make_graph(nodes, "digits", [x], [y], stored)
    version = helper.make_opsetid("", options.pop("opset", 17))
    onnx.save(helper.make_model(graph, opset_imports=[version], ir_version=8), path, **options)


@maker
def onnx_net(path: Path) -> None:
    """A net that converts."""
    _onnx(path, "Relu")


@maker
def onnx_cut_short(path: Path) -> None:
    """The first half of its file."""
    _onnx(path, "Relu")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@maker
def onnx_without_weights(path: Path) -> None:
    """A net whose weights stood in a file beside it."""
    _onnx(path, "Relu", save_as_external_data=True, location="weights.bin", size_threshold=0)
    (path.parent / "weights.bin").unlink()


@maker
def onnx_of_weights_elsewhere(path: Path) -> None:
    """A net whose weights stand outside its folder."""
    _onnx(path, "Relu", save_as_external_data=True, location="weights.bin", size_threshold=0)
    path.write_bytes(path.read_bytes().replace(b"weights.bin", b"../passwd.b"))
    (path.parent / "weights.bin").unlink()


@maker
def onnx_of_another_activation(path: Path) -> None:
    """A net with an operator that no neuron computes."""
    _onnx(path, "Relu", "Sin")


@maker
def onnx_of_an_old_set(path: Path) -> None:
    """A net of an operator set of 2017."""
    _onnx(path, "Relu", opset=7)


@maker
def pytorch_file(path: Path) -> None:
    """What ``torch.save`` writes, as far as anybody looks at it."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02.")


# ---- files that are made without Keras -------------------------------------------------------------------------------

NET = FOLDER / "net.h5"


def _configuration() -> dict[str, Any]:
    """The layers of the repository's model, as a chain, into which another layer can be put."""
    with h5py.File(NET) as file:
        layers = json.loads(file.attrs["model_config"])["config"]["layers"]
    keys = ("module", "class_name", "config", "registered_name")
    chain = [{key: layer[key] for key in keys if key in layer} for layer in layers]
    whole = {"class_name": "Sequential", "config": {"name": "chain", "layers": chain}}
    return {"module": "keras", **whole, "registered_name": None}


def _edited(path: Path, edit: Edit, **attributes: Any) -> None:
    """The model of the repository, with another list of layers or other attributes."""
    shutil.copy(NET, path)
    config = _configuration()
    edit(config)
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs.update(attributes)


def _layer(config: dict[str, Any], number: int = 1) -> dict[str, Any]:
    return config["config"]["layers"][number]


def _zip(path: Path, **members: Any) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content if isinstance(content, bytes) else json.dumps(content))


@maker
def copy_of_the_model(path: Path) -> None:
    """The model of the repository."""
    shutil.copy(NET, path)


@maker
def keras_3_h5(path: Path) -> None:
    """Keras 3's ``model.save("net.h5")``."""

    def edit(config: dict[str, Any]) -> None:
        inner = _layer(config, 0)["config"]
        inner["batch_shape"] = inner.pop("batch_input_shape", [None, 64])

    _edited(path, edit, keras_version="3.15.1")


@maker
def keras_3_zip(path: Path) -> None:
    """Keras 3's ``model.save("net.keras")``."""
    _zip(path, metadata__json={"keras_version": "3.15.1"}, config__json=_configuration(), model__weights__h5=b"")


@maker
def keras_2_zip(path: Path) -> None:
    """A ``.keras`` file, as Keras 2 writes it, but for its weights."""
    _zip(path, metadata__json={"keras_version": "2.21.0"}, config__json=_configuration())


@maker
def old_weights(path: Path) -> None:
    """Keras 2's ``model.save_weights("net.h5")``."""
    with h5py.File(path, "w") as file:
        file.attrs.update({"layer_names": ["dense"], "backend": "tensorflow", "keras_version": "2.21.0"})


@maker
def new_weights(path: Path) -> None:
    """``model.save_weights("net.weights.h5")``."""
    with h5py.File(path, "w") as file:
        file.create_group("layers/dense/vars")["0"] = np.zeros(3)


@maker
def other_hdf5(path: Path) -> None:
    """An HDF5 file of something else."""
    with h5py.File(path, "w") as file:
        file["measured"] = np.zeros(3)


@maker
def architecture(path: Path) -> None:
    """``model.to_json()``."""
    path.write_text(json.dumps(_configuration()))


@maker
def damaged_json(path: Path) -> None:
    """A list of layers that is cut short."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = '{"class_name": "Sequential", "config": {"lay'


@maker
def list_of_layers(path: Path) -> None:
    """A list where a dictionary should be."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = "[1, 2]"


@maker
def cut_short(path: Path) -> None:
    """Two thirds of a model file, as a stopped copy leaves it."""
    path.write_bytes(NET.read_bytes()[: NET.stat().st_size * 2 // 3])


@maker
def git_lfs(path: Path) -> None:
    """What Git LFS leaves where it is not installed."""
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")


@maker
def web_page(path: Path) -> None:
    """What a browser saves of a page that shows a file."""
    path.write_text("<!DOCTYPE html><html></html>")


@maker
def pickle(path: Path) -> None:
    """A pickle."""
    path.write_bytes(b"\x80\x04]\x94.")


@maker
def gzipped(path: Path) -> None:
    """A packed file."""
    path.write_bytes(b"\x1f\x8b\x08\x00rest")


@maker
def tflite(path: Path) -> None:
    """A TensorFlow Lite model."""
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(20))


@maker
def noise(path: Path) -> None:
    """Random bytes."""
    path.write_bytes(np.random.default_rng(0).bytes(500))


@maker
def torch(path: Path) -> None:
    """What ``torch.save`` writes."""
    _zip(path, **{"net/data__pkl": b"\x80", "net/version": b"3"})


@maker
def arrays(path: Path) -> None:
    """An ``.npz`` file."""
    with path.open("wb") as file:
        np.savez(file, np.zeros(3))


@maker
def empty_zip(path: Path) -> None:
    """An archive of a text."""
    _zip(path, readme__txt=b"hello")


@maker
def packed_saved_model(path: Path) -> None:
    """A SavedModel folder in an archive."""
    _zip(path, **{"net/saved_model__pb": b""})


@maker
def saved_model(path: Path) -> None:
    """Keras 2's ``model.save("net", save_format="tf")``: a folder."""
    path.mkdir()
    for name in ("saved_model.pb", "keras_metadata.pb"):
        (path / name).touch()


@maker
def exported(path: Path) -> None:
    """Keras 3's ``model.export("net")``: a folder."""
    path.mkdir()
    (path / "saved_model.pb").touch()


@maker
def gone(path: Path) -> None:
    """No file."""
    path.unlink()


# ---- code in the list of layers --------------------------------------------------------------------------------------

CODE = base64.b64encode(
    marshal.dumps(compile("lambda x: (open('written', 'w').close(), x)[1]", "payload", "eval").co_consts[0])
).decode()
"""Writes a file ``written`` when it is called; the judge sees it."""
PAYLOAD = {"class_name": "__lambda__", "config": {"value": CODE, "defaults": None, "closure": None}}
LAMBDA = {"name": "payload", "trainable": True, "dtype": "float32", "function": [CODE, None, None]}
LAMBDA |= {"function_type": "lambda", "module": "builtins", "output_shape": None, "output_shape_type": "raw"}
LAMBDA |= {"output_shape_module": None, "arguments": {}}
LAYER = {"class_name": "Lambda", "config": LAMBDA}


def _inserted(path: Path, layer: dict[str, Any]) -> None:
    _edited(path, lambda config: config["config"]["layers"].insert(1, layer))


def _code(name: str, layer: dict[str, Any]) -> None:
    def make(path: Path) -> None:
        _inserted(path, layer)

    make.__name__ = name
    maker(make)


_code("lambda_layer", LAYER)
_code("lambda_nested", {"class_name": "Sequential", "config": {"name": "inner", "layers": [LAYER]}})
_code("lambda_wrapped", {"class_name": "TimeDistributed", "config": {"name": "wrapper", "layer": LAYER}})
_code("lambda_registered", {**LAYER, "module": "keras.layers", "class_name": "Anything", "registered_name": "Lambda"})
_code("lambda_by_place", {**LAYER, "module": "tf_keras.src.layers.core", "class_name": "lambda_layer.Lambda"})
_code("lambda_custom", {**LAYER, "class_name": "Custom>Lambda"})
_code("lambda_activation", {"class_name": "Activation", "config": {"name": "payload", "activation": PAYLOAD}})
_code(
    "lambda_of_a_type",
    {
        "class_name": "Activation",
        "config": {
            "name": "payload",
            "activation": {
                "class_name": "__typespec__",
                "spec_name": "generic_utils.func_load",
                "module": "tf_keras.src.utils",
                "registered_name": None,
                "config": [CODE],
            },
        },
    },
)
_code(
    "function_by_place",
    {
        "class_name": "Activation",
        "config": {
            "name": "payload",
            "activation": {
                "class_name": "function",
                "module": "tf_keras.src.utils.io_utils",
                "config": "os.system",
                "registered_name": "os.system",
            },
        },
    },
)
_code(
    "builtin_by_place",
    {
        "class_name": "Activation",
        "config": {
            "name": "payload",
            "activation": {
                "class_name": "function",
                "module": "builtins",
                "config": "__loader__.load_module",
                "registered_name": "function",
            },
        },
    },
)
_code("class_of_others", {"class_name": "Gain", "module": "colleague.layers", "config": {"name": "gain"}})
_code(
    "unknown_layer",
    {"class_name": "Gain", "module": "keras.layers", "config": {"name": "gain"}, "registered_name": None},
)


@maker
def lambda_in_keras(path: Path) -> None:
    """A ``.keras`` file with a ``Lambda``."""
    config = _configuration()
    config["config"]["layers"].insert(1, LAYER)
    _zip(path, metadata__json={"keras_version": "2.21.0"}, config__json=config)


@maker
def names_twice(path: Path) -> None:
    """Two layers of one name."""
    _edited(path, lambda config: _layer(config, 2)["config"].update(name=_layer(config)["config"]["name"]))


@maker
def other_letters(path: Path) -> None:
    """A name that Keras does not allow."""
    _edited(path, lambda config: _layer(config)["config"].update(name="Schicht ä: 层"))


@maker
def impossible_precision(path: Path) -> None:
    """An AAN whose m_f no neuron can have."""
    text = json.dumps(_configuration())
    assert '"m_f": 0.2' in text
    _edited(path, lambda config: config.update(json.loads(text.replace('"m_f": 0.2', '"m_f": -0.2'))))


@maker
def too_fine(path: Path) -> None:
    """An AAN whose m_f asks for more than a spike a step."""
    text = json.dumps(_configuration())
    _edited(
        path,
        lambda config: config.update(
            json.loads(text.replace('"m_f": 0.2', '"m_f": 1e-4').replace('"theta0": 0.2', '"theta0": 1e-4'))
        ),
    )


@maker
def unknown_form(path: Path) -> None:
    """An AAN of a form that does not exist."""
    text = json.dumps(_configuration())
    _edited(path, lambda config: config.update(json.loads(text.replace('"exact"', '"cubic"'))))


@maker
def other_sizes(path: Path) -> None:
    """A list of layers that does not fit the weights."""
    _edited(path, lambda config: _layer(config)["config"].update(units=5))


def _weights(name: str, value: float) -> None:
    def make(path: Path) -> None:
        shutil.copy(NET, path)
        with h5py.File(path, "r+") as file:
            found: list[Any] = []
            file.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
            kernel = next(item for item in found if item.ndim == 2)
            kernel[...] = np.full(kernel.shape, value)

    make.__name__ = name
    maker(make)


_weights("nan_weights", np.nan)
_weights("infinite_weights", np.inf)
_weights("huge_weights", 1e30)
