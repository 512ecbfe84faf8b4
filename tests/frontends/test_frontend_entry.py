"""Another package brings a front end by an entry point; its models go where all models go."""

import json
import sys
import textwrap

import numpy as np
import pytest

from snntb_adsnn import frontends
from snntb_adsnn.config import load_config
from snntb_adsnn.errors import ConfigError, ConversionError
from snntb_adsnn.frontends import FRONTENDS, convert
from snntb_adsnn.frontends.models import find
from snntb_adsnn.run import load
from snntb_adsnn.toolbox import run

WEIGHTS = np.random.default_rng(0).normal(0, 1, (5, 3)).tolist()
OUT = np.random.default_rng(1).normal(0, 1, (3, 2)).tolist()
MODULE = '''
"""A framework whose models are two matrices with a ReLU between them, in a file of JSON."""
import json
import numpy as np
from snntb_adsnn.frontends import FrontEnd
from snntb_adsnn.network import Output


class Matrices:
    def __init__(self, text):
        self.first, self.last = (np.array(part, np.float32) for part in json.loads(text))
        self.input_shape, self.output_shape = (None, len(self.first)), (None, self.last.shape[1])

    def predict_on_batch(self, x):
        return np.maximum(x @ self.first, 0) @ self.last

    def predict(self, x, batch_size=None, verbose=None):
        return self.predict_on_batch(x)

    def summary(self):
        print("two matrices")

    def save(self, path):
        pass


def check(file, *, trust): read(file, trust=trust)
def read(file, *, trust): return Matrices(file.read_text())
def neuron(file): return None
def instead(path): return None
def companions(file): return []
def outputs(model): return [Output("y", (model.last.shape[1],), "linear")]
def copied(model, top_k): return Matrices(packed(model, None))
def packed(model, save): return json.dumps([model.first.tolist(), model.last.tolist()]).encode()


def convert(model, x_check, *, readout_tau_phi=50.0, dtype=np.float32):
    from snntb_adsnn.frontends.onnx.convert import convert as onnx_convert
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["s"]),
        helper.make_node("Relu", ["s"], ["h"]),
        helper.make_node("MatMul", ["h", "b"], ["y"]),
    ]
    shapes = ("x", model.input_shape), ("y", model.output_shape)
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", *s[1:]]) for n, s in shapes]
    weights = [numpy_helper.from_array(model.first, "a"), numpy_helper.from_array(model.last, "b")]
    graph = helper.make_graph(nodes, "matrices", ends[:1], ends[1:], weights)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnx_convert(proto, x_check, readout_tau_phi=readout_tau_phi, dtype=dtype)


FRONT = FrontEnd(
    "two matrices",
    lambda model: type(model).__name__ == "Matrices",
    __name__,
    suffixes=(".matrices",),
    reader=__name__,
    libraries=("matrices",),
)
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The package, as an installer leaves it; gone afterwards."""
    place = tmp_path / "site"
    (place / "matrices-1.0.dist-info").mkdir(parents=True)
    (place / "matrices-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: matrices\nVersion: 1.0\n")
    entry = place / "matrices-1.0.dist-info" / "entry_points.txt"
    entry.write_text("[snntb_adsnn.frontends]\nmatrices = matrices_front:FRONT\n")
    (place / "matrices_front.py").write_text(textwrap.dedent(MODULE))
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setattr(FRONTENDS, "_entries", dict(FRONTENDS._entries))
    monkeypatch.setattr(frontends, "_loaded", set())
    yield entry
    sys.modules.pop("matrices_front", None)


def write(folder, library="matrices"):
    x = np.random.default_rng(2).normal(0.3, 1, (12, 5)).astype(np.float32)
    (folder / "net.matrices").write_text(json.dumps([WEIGHTS, OUT]))
    np.savez(folder / "x_test.npz", x)
    np.savez(folder / "y_test.npz", np.eye(2)[np.arange(12) % 2])
    (folder / "c.ini").write_text(
        "[paths]\nfilename_ann = net\n[simulation]\nsimulator = adsnn\nduration = 30\nnum_to_test = 12\n"
        f"[adsnn]\nengine = reference\nplots = False\n[input]\nmodel_lib = {library}\n"
    )
    return folder / "c.ini", x, np.maximum(x @ np.array(WEIGHTS), 0) @ np.array(OUT)


def test_a_front_end_of_another_package(package, tmp_path):
    file, x, expected = write(tmp_path)
    loaded = load(file)
    np.testing.assert_allclose(loaded.trained.analog(x), expected, atol=1e-5)
    np.testing.assert_allclose(convert(loaded.model, x).analog(x), expected, atol=1e-5)
    run(file)
    right = (expected.argmax(axis=1) == np.arange(12) % 2).mean()
    assert json.loads((tmp_path / "log/gui/test/results.json").read_text())["ann_accuracy"] == pytest.approx(right)
    assert (tmp_path / "net_parsed.matrices").is_file()


def test_without_the_package_its_files_are_none(tmp_path):
    assert find(tmp_path / "net") is None
    file, _, _ = write(tmp_path)
    with pytest.raises(
        ConfigError, match=r"model_lib = matrices is not read by .*; choose one of keras, onnx, pytorch"
    ):
        load_config(file)


@pytest.mark.parametrize(
    ("value", "says"),
    [("no_such_module:FRONT", "cannot be loaded .*; repair its package"), ("json:loads", "is no FrontEnd; remove")],
)
def test_a_broken_package_is_named(package, value, says):
    package.write_text(f"[snntb_adsnn.frontends]\nbroken = {value}\n")
    with pytest.raises(ConversionError, match=rf"the front end 'broken' \({value}\) {says}"):
        convert(3, np.zeros((1, 1)))
