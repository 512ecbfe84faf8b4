"""AAN in ONNX files that PyTorch wrote, read without PyTorch: the neurons' constants, values, and what is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx.reference
import pytest

from snntb_adsnn import convert, simulate
from snntb_adsnn.errors import ConversionError
from snntb_adsnn.frontends.onnx.functions import DOMAIN
from snntb_adsnn.neuron import ASNParameters

FOLDER = Path(__file__).parent / "aan_files"
NEURONS = {  # as write_aan_files.py has them
    "dense": [(ASNParameters(0.15, theta0=0.25), "exact"), (ASNParameters(0.3, tau_gamma=20.0), "taylor")],
    "image": [(ASNParameters(0.1), "exact"), (ASNParameters(0.2), "exact")],
}


def stored(name):
    """A file's model, inputs, and what torch computed."""
    arrays = np.load(FOLDER / f"{name}.npz")
    return onnx.load(FOLDER / f"{name}.onnx"), arrays["x"], arrays["y"]


@pytest.mark.parametrize("name", NEURONS)
def test_the_network_computes_what_torch_computed(name):
    _, x, y = stored(name)
    network = convert(FOLDER / f"{name}.onnx", x)
    assert [(p.parameters, p.form) for p in network.populations] == NEURONS[name]
    assert np.ptp(y, axis=0).min() > 0.01
    np.testing.assert_allclose(network.analog(x), y, atol=1e-5)
    assert all(counts.any() for counts in simulate(network, x, duration=50).spike_counts.values())


def test_files_are_small():
    assert all(file.stat().st_size < 100_000 for file in FOLDER.iterdir())


def test_every_onnx_program_runs_them():
    """The file explains AAN in standard operators: onnxruntime, and ONNX's own evaluator, know nothing else of it."""
    onnxruntime = pytest.importorskip("onnxruntime")
    for name in NEURONS:
        model, x, y = stored(name)
        feeds = {model.graph.input[0].name: x}
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        for run in (session.run, onnx.reference.ReferenceEvaluator(model).run):
            np.testing.assert_allclose(run(None, feeds)[0], y, atol=1e-6)


def test_without_the_function_the_attributes_suffice():
    model, x, y = stored("image")
    del model.functions[:]
    np.testing.assert_allclose(convert(model, x).analog(x), y, atol=1e-5)


def test_functions_of_others_are_unfolded():
    model, x, y = stored("dense")
    (last,) = (node for node in model.graph.node if model.graph.output[0].name in node.output)
    body = onnx.helper.make_node("Gemm", ["a", "b", "c"], ["y"], transB=1)
    imports = [onnx.helper.make_opsetid("", 20)]
    model.functions.append(onnx.helper.make_function("other", "Last", ["a", "b", "c"], ["y"], [body], imports))
    model.opset_import.add(domain="other", version=1)
    assert last.op_type == "Gemm"
    last.CopyFrom(onnx.helper.make_node("Last", last.input, last.output, "last", domain="other"))
    np.testing.assert_allclose(convert(model, x).analog(x), y, atol=1e-5)


def changed(name, value):
    """The dense model with another value of an attribute, or without it."""
    model, x, _ = stored("dense")
    node = next(node for node in model.graph.node if node.domain == DOMAIN)
    (attribute,) = (a for a in node.attribute if a.name == name)
    if value is None:
        node.attribute.remove(attribute)
    else:
        attribute.s = value
    return model, x


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("m_f", b"0.16", "deviates from ONNX"),  # the numbers beside it are those of another neuron
        ("theta0", None, r"\(ExactAAN\): lacks the attribute theta0; export it again"),
        ("m_f", b"many", r"\(ExactAAN\): ASNParameters: m_f = 'many' is not allowed"),
    ],
)
def test_wrong_attributes(name, value, reason):
    with pytest.raises(ConversionError, match=reason):
        convert(*changed(name, value))


def test_it_imports_no_torch():
    program = (
        "import sys, numpy\nfrom snntb_adsnn import convert\nx = numpy.load(sys.argv[1] + '.npz')['x']\n"
        "convert(sys.argv[1] + '.onnx', x)\nprint(*sys.modules)"
    )
    command = [sys.executable, "-c", program, FOLDER / "dense"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "onnx" in loaded
    assert not {"torch", "tensorflow", "keras", "tf_keras"} & set(loaded)
