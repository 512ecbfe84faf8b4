"""Weights that a QONNX file quantises become the constants that its operators give; quantised activations are refused."""

import math
from fractions import Fraction

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from onnx_models import Graph

from snntb_adsnn import convert
from snntb_adsnn.errors import ConversionError
from snntb_adsnn.frontends.onnx.quantised import DOMAINS, ROUNDINGS, dequantised

DOMAIN = DOMAINS[0]


def quantised(g, weights, scale, zero=0.0, bits=4.0, kind="Quant", **attributes):
    inputs = [weights, g.constant(scale)] + ([g.constant(zero), g.constant(bits)] if kind != "BipolarQuant" else [])
    return g.add(kind, *inputs, domain=DOMAIN, **attributes)


def model(g, output):
    shapes = [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["batch", "classes"])]
    graph = helper.make_graph(g.nodes, "test", [g.input], shapes, g.constants)
    domains = sorted({node.domain for node in g.nodes} | {""})
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid(d, 1 if d else 17) for d in domains], ir_version=8
    )


def net(quantise):
    """A convolution, and a dense layer whose weights are turned behind the quantisation; ``quantise(g, weights)``."""
    g = Graph(2, 6, 6)
    h = g.add("Relu", g.add("Conv", "x", quantise(g, g.normal(5, 2, 3, 3, size=0.4)), g.normal(5)))
    turned = g.add("Transpose", quantise(g, g.normal(3, 80, size=0.4)), perm=[1, 0])
    return model(g, g.add("MatMul", g.add("Flatten", h), turned))


def exactly(x, scale, zero, bits, signed, narrow, rounding):
    """The rule for one number, in fractions: an account of its own."""
    x, scale, zero = Fraction(float(x)), Fraction(float(scale)), int(zero)
    value = x / scale + zero
    if signed and bits == 1:
        whole = 1 if value >= 0 else -1
    else:
        low = -(2 ** (bits - 1)) + narrow if signed else 0
        high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
        value = min(max(value, low), high)
        down, up = math.floor(value), math.ceil(value)
        toward, away = (down, up) if value >= 0 else (up, down)
        middle = value - down == Fraction(1, 2)
        near = down if value - down < Fraction(1, 2) else up
        whole = {
            "ROUND": round(value),
            "CEIL": up,
            "FLOOR": down,
            "UP": away,
            "DOWN": toward,
            "HALF_UP": away if middle else near,
            "HALF_DOWN": toward if middle else near,
        }[rounding]
    return float((whole - zero) * scale)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("narrow", [0, 1])
@pytest.mark.parametrize(("bits", "zero"), [(1, 0), (3, 0), (4, 3), (8, -2)])
def test_the_rule(rounding, signed, narrow, bits, zero):
    """Scales are powers of two, so that halves are halves in any arithmetic."""
    x = np.concatenate([np.arange(-40, 41) / 8, np.random.default_rng(0).normal(0, 2, 40)]).astype(np.float32)
    g = Graph(4)
    attributes = {"signed": signed, "narrow": narrow, "rounding_mode": rounding}
    name = quantised(g, g.constant(x), 0.25, zero, bits, **attributes)
    found = dequantised(model(g, g.add("Add", "x", name)))
    (values,) = (onnx.numpy_helper.to_array(t) for t in found.graph.initializer if t.name == name)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, [exactly(v, 0.25, zero, bits, signed, narrow, rounding) for v in x])


def scale_of_each_channel(shape):
    return np.linspace(0.05, 0.2, shape[0]).reshape(-1, *[1] * (len(shape) - 1))


@pytest.mark.parametrize(
    "quantise",
    [
        lambda g, w: quantised(g, w, 0.1, signed=1, narrow=1, rounding_mode="ROUND"),
        lambda g, w: quantised(g, w, scale_of_each_channel(g.constants[-1].dims), bits=3.0, kind="IntQuant"),
        lambda g, w: quantised(g, w, 0.1, 2.0, signed=0),
        lambda g, w: quantised(g, w, 0.3, kind="BipolarQuant"),
        lambda g, w: quantised(g, g.add("Mul", w, g.constant(0.5)), 0.1),
    ],
    ids=["narrow", "scale of each channel", "unsigned", "bipolar", "computed weights"],
)
def test_a_network_of_quantised_weights(quantise, tmp_path):
    """Compared with onnxruntime, which runs the model with the weights that the rule gives."""

    def plain(g, weights):
        before = len(g.nodes)
        name = quantise(g, weights)
        constants = {t.name: onnx.numpy_helper.to_array(t) for t in g.constants}
        node = g.nodes[-1]
        x = constants[weights] * (0.5 if len(g.nodes) - before > 1 else 1)
        scale = constants[node.input[1]]
        del g.nodes[before:]
        if node.op_type == "BipolarQuant":
            values = np.where(x < 0, -scale, scale)
        else:
            zero, bits = (int(constants[n]) for n in node.input[2:])
            named = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            rule = (named.get("signed", 1), named.get("narrow", 0), named.get("rounding_mode", b"ROUND").decode())
            each = [exactly(v, s, zero, bits, *rule) for v, s in np.nditer([x, np.broadcast_to(scale, x.shape)])]
            values = np.reshape(each, x.shape)
        assert 2 <= len(np.unique(np.round(values / scale, 3))) <= 16
        g.add("Identity", g.constant(values))
        assert name
        return g.nodes[-1].output[0]

    x = np.random.default_rng(1).normal(0.3, 1, (6, 2, 6, 6)).astype(np.float32)
    session = onnxruntime.InferenceSession(net(plain).SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": x})[0]
    onnx.save(net(quantise), tmp_path / "net.onnx")
    for given in (net(quantise), tmp_path / "net.onnx"):
        found = convert(given, x).analog(x)
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_the_given_model_is_not_changed():
    given = net(lambda g, w: quantised(g, w, 0.1))
    before = given.SerializeToString()
    dequantised(given)
    assert given.SerializeToString() == before


# ---- refused ---------------------------------------------------------------------------------------------------------


def with_activation(kind, *constants, **attributes):
    def quantise(g, weights):
        return quantised(g, weights, 0.1)

    given = net(quantise)
    (relu,) = (n for n in given.graph.node if n.op_type == "Relu")
    behind = next(n for n in given.graph.node if relu.output[0] in n.input)
    names = [f"c{i}" for i in range(len(constants))]
    given.graph.initializer.extend(onnx.numpy_helper.from_array(c, n) for c, n in zip(constants, names, strict=True))
    node = helper.make_node(kind, [relu.output[0], *names], ["rounded"], name="act", **attributes)
    behind.input[0] = "rounded"
    given.graph.node.insert(list(given.graph.node).index(behind), node)
    return given


NUMBERS = [np.float32(v) for v in (0.1, 0, 4)]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (
            lambda: with_activation("Quant", *NUMBERS, domain=DOMAIN),
            r"operator 'act' \(Quant\): rounds values that depend on the input.* \(in Brevitas nn\.ReLU for QuantReLU",
        ),
        (
            lambda: with_activation("QuantizeLinear", np.float32(0.1)),
            r"operator 'act' \(QuantizeLinear\): rounds values that depend on the input.* Weights may stay quantised",
        ),
        (lambda: with_activation("Trunc", *NUMBERS, domain=DOMAIN), r"'act' \(Trunc\): is not known here; .* Quant"),
        (
            lambda: net(lambda g, w: quantised(g, w, 0.1, rounding_mode="DITHER")),
            r"\(Quant\) cannot be computed \(.*DITHER.*\); export the model again",
        ),
        (
            lambda: net(lambda g, w: quantised(g, w, np.ones((7, 1)))),
            r"\(Quant\) cannot be computed \(.*broadcast.*\); export the model again",
        ),
        (lambda: net(lambda g, w: g.add("Quant", w, domain=DOMAIN)), r"\(Quant\) cannot be computed"),
    ],
    ids=["Quant", "QuantizeLinear", "Trunc", "rounding", "scales", "inputs"],
)
def test_refused_with_a_sentence(given, reason):
    with pytest.raises(ConversionError, match=reason) as raised:
        convert(given(), np.zeros((2, 2, 6, 6), np.float32))
    assert "\n" not in str(raised.value)
