"""ONNX models become networks that compute what onnxruntime computes, in both layouts of images, or are refused."""

import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from onnx_models import MODELS, Graph, arithmetic, channels_last, limited, mobile, residual, series, vgg

from snntb_adsnn import convert, simulate
from snntb_adsnn.errors import ConversionError
from snntb_adsnn.frontends.onnx import reader
from snntb_adsnn.frontends.onnx.model import OnnxModel
from snntb_adsnn.frontends.onnx.operators import OPERATORS
from snntb_adsnn.network.maps import Reshape
from snntb_adsnn.network.maps.permutation import Permute


def inputs(model, count=7):
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim][1:]
    return np.random.default_rng(1).normal(0.3, 1, (count, *shape)).astype(np.float32)


def outputs(model, x):
    """What onnxruntime computes."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def near(found, expected):
    assert np.abs(found - expected).max() <= 1e-5 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_network_computes_what_onnxruntime_computes(make):
    model = make()
    x = inputs(model)
    network = convert(model, x)
    assert network.input.shape == x.shape[1:]
    expected = outputs(model, x)
    assert expected.std() > 0.05  # of the random weights; an output of zeros would equal one of zeros
    near(network.analog(x), expected)
    spikes = simulate(network, x, duration=40).spike_counts
    assert all(counts.any() for counts in spikes.values())


@pytest.mark.parametrize("make", [residual, vgg, mobile, arithmetic, limited], ids=lambda f: f.__name__)
def test_the_same_images_channels_last(make):
    model = make()
    x = inputs(model)
    turned = np.moveaxis(x, 1, -1)
    network = convert(model, turned)
    assert network.input.shape == turned.shape[1:]
    near(network.analog(turned), outputs(model, x))
    assert not any(isinstance(node, Permute) for node in network.nodes)


def test_flattening_sorts_weights_and_moves_nothing():
    """The image is turned at the input, and nowhere else; two turns of a channels-last model cancel."""
    network = convert(vgg(), inputs(vgg()))
    assert [type(node) for node in network.nodes].count(Permute) == 1
    assert not any(isinstance(n, Permute) for n in convert(channels_last(), inputs(channels_last())).nodes)


def test_one_channel_needs_no_permutation():
    g = Graph(1, 6, 5)
    model = g.model(g.dense(g.add("Flatten", g.add("Relu", g.conv("x", 1, 4))), 48, 3))
    network = convert(model, inputs(model))
    assert not any(isinstance(node, Permute) for node in network.nodes)
    assert any(isinstance(node, Reshape) for node in network.nodes)


def test_engines_agree():
    """Sums are rounded in another order, so that outputs are near, and spikes the same."""
    model = vgg()
    x = inputs(model, 2)
    network = convert(model, x)
    one, other = (simulate(network, x, duration=60, engine=engine) for engine in ("reference", "event"))
    np.testing.assert_allclose(one.outputs, other.outputs, atol=1e-5)
    for name, counts in one.spike_counts.items():
        np.testing.assert_array_equal(counts, other.spike_counts[name])


@pytest.mark.parametrize("opset", [11, 13, 17, 21])
def test_operator_sets(opset):
    model = residual(opset)
    x = inputs(model)
    near(convert(model, x).analog(x), outputs(model, x))


def test_from_a_file(tmp_path):
    model = series()
    x = inputs(model)
    onnx.save(model, tmp_path / "net.onnx")
    for path in (tmp_path / "net.onnx", str(tmp_path / "net.onnx")):
        near(convert(path, x).analog(x), outputs(model, x))
    with pytest.raises(ConversionError, match=r"other\.onnx: cannot be read \(there is no such file"):
        convert(tmp_path / "other.onnx", x)
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(ConversionError, match=r"bad\.onnx: cannot be read as an ONNX model"):
        convert(tmp_path / "bad.onnx", x)


def test_without_onnxruntime_onnx_own_evaluator_checks(monkeypatch):
    model = vgg()
    x = inputs(model)
    expected = outputs(model, x)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    near(convert(model, x).analog(x), expected)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_model_of_a_fixed_batch(batch):
    model = residual()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    x = inputs(residual())
    network = convert(model, x)
    near(network.analog(x), outputs(residual(), x))


def for_three_images(model, shape):
    """The model with a fixed batch, and another target of its Reshape."""
    (reshape,) = (node for node in model.graph.node if node.op_type == "Reshape")
    (wanted,) = (one for one in model.graph.initializer if one.name == reshape.input[1])
    wanted.CopyFrom(numpy_helper.from_array(np.array(shape, np.int64), wanted.name))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 3
    return model


@pytest.mark.parametrize("shape", [[3, 20], [3, -1], [-1, 20], [0, -1]])
def test_shapes_written_for_a_fixed_batch(shape):
    """As torch.onnx.export writes them for three example images."""
    model = for_three_images(vgg(), shape)
    expected = outputs(vgg(), inputs(vgg()))
    near(convert(model, inputs(vgg())).analog(inputs(vgg())), expected)


def test_a_shape_of_another_batch_is_refused():
    model = for_three_images(vgg(), [6, 10])
    with pytest.raises(ConversionError, match="the first axis must stay the batch"):
        convert(model, inputs(vgg()))


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("size", [6, 7, 8])
def test_sizes_rounded_up(kind, size):
    """``ceil_mode``: the last window reaches behind the image."""
    g = Graph(3, size, size)
    pooled = {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}
    h = g.add(kind, g.add("Relu", g.conv("x", 3, 4, pads=[1] * 4)), **pooled)
    h = g.add("GlobalAveragePool", g.add("Relu", g.conv(h, 4, 6, 2)))
    model = g.model(g.dense(g.add("Flatten", h), 6, 3))
    x = inputs(model)
    near(convert(model, x).analog(x), outputs(model, x))


def dense(change, *ends):
    """Two dense layers of 4, 6 and 3 values; ``change`` makes of a graph and its hidden values others."""
    g = Graph(4)
    h = g.dense(change(g, g.dense("x", 4, 6)), 6, 3)
    for end in ends:
        h = end(g, h)
    return g.model(h)


LIMITS = {
    "Max with 0": lambda g, h: g.add("Max", h, g.constant(0.0)),
    "0 in front": lambda g, h: g.add("Max", g.constant(np.zeros((1, 6))), h),
    "Max": lambda g, h: g.add("Max", h, g.constant(-0.2)),
    "Min": lambda g, h: g.add("Min", h, g.constant(0.3)),
    "Clip at 0": lambda g, h: g.add("Clip", h, g.constant(0.0)),
    "Clip from below": lambda g, h: g.add("Clip", h, g.constant(-0.2)),
    "Clip from above": lambda g, h: g.add("Clip", h, "", g.constant(0.3)),
    "PRelu of one slope": lambda g, h: g.add("PRelu", h, g.constant([[0.3]])),
}


@pytest.mark.parametrize("change", LIMITS.values(), ids=LIMITS)
def test_limits_are_read(change):
    model = dense(change)
    x = inputs(model)
    network = convert(model, x)
    near(network.analog(x), outputs(model, x))
    assert len(network.populations) == (2 if "PRelu" in {n.op_type for n in model.graph.node} else 1)


def test_a_bias_with_a_batch_axis():
    model = dense(lambda g, h: g.add("Relu", g.add("Gemm", h, g.normal(6, 6), g.normal(1, 6, size=1.0))))
    x = inputs(model)
    near(convert(model, x).analog(x), outputs(model, x))


def test_a_bias_for_each_image_is_refused():
    model = dense(lambda g, h: g.add("Relu", g.add("Gemm", h, g.normal(6, 6), g.normal(7, 6))))
    with pytest.raises(ConversionError, match="has a constant for each image of a batch"):
        convert(model, inputs(model))


@pytest.mark.parametrize("ends", [(), ("Sigmoid",)], ids=["linear", "sigmoid"])
def test_an_output_of_one_value(ends):
    """Shape () for an image becomes (1,); the last layer has one value, without an axis for it."""
    g = Graph(4)
    h = g.add("Squeeze", g.dense(g.add("Relu", g.dense("x", 4, 6)), 6, 1), g.constant([1], np.int64))
    for end in ends:
        h = g.add(end, h)
    model = g.model(h)
    del model.graph.output[0].type.tensor_type.shape.dim[1]
    x = inputs(model)
    network = convert(model, x)
    near(network.analog(x), outputs(model, x)[:, None])
    assert [(part.shape, part.activation) for part in network.readout.outputs] == [
        ((1,), ends[0].lower() if ends else "linear")
    ]
    assert OnnxModel(model).predict(x).shape == (7, 1)
    (told,) = reader.outputs(OnnxModel(model))
    assert told.shape == (1,)


@pytest.mark.parametrize(("pads", "size"), [([0] * 4, 7), ([0] * 4, 8), ([1] * 4, 7)])
def test_means_that_count_padding_and_round_up(pads, size):
    """What lies behind the padding is not counted, which ``ceil_mode`` alone reaches."""
    g = Graph(2, size, size)
    pooled = {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1, "count_include_pad": 1, "pads": pads}
    h = g.add("AveragePool", g.add("Relu", g.conv("x", 2, 4, pads=[1] * 4)), **pooled)
    model = g.model(g.dense(g.add("Flatten", g.add("GlobalAveragePool", h)), 4, 3))
    x = inputs(model)
    near(convert(model, x).analog(x), outputs(model, x))


# ---- wrong on purpose ------------------------------------------------------------------------------------------------


def wrong(kind, change, monkeypatch):
    """The front end with a converter that reads one constant wrongly."""
    right = OPERATORS[kind]

    def converter(call):
        for name in call.inputs[1:]:
            value = call.builder.constants.get(name)
            if value is not None and (changed := change(value)) is not None:
                call.builder.constants[name] = changed
        return right(call)

    monkeypatch.setitem(OPERATORS._entries, kind, converter)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("Gemm", lambda v: v[::-1] if v.ndim == 2 else None),
        ("Gemm", lambda v: 0 * v if v.ndim == 1 else None),
        ("Conv", lambda v: v.transpose(0, 1, 3, 2) if v.ndim == 4 else None),
        ("Conv", lambda v: 0 * v if v.ndim == 1 else None),
        ("BatchNormalization", lambda v: v + 0.01),
    ],
    ids=["weights in another order", "no bias", "a transposed kernel", "no bias of a convolution", "statistics"],
)
def test_a_wrong_constant_is_caught(kind, change, monkeypatch):
    model = vgg() if kind == "Conv" else residual()
    wrong(kind, change, monkeypatch)
    with pytest.raises(ConversionError, match="deviates from ONNX"):
        convert(model, inputs(model))


# ---- refused ---------------------------------------------------------------------------------------------------------


def behind_conv(kind, *constants, **attributes):
    """A net whose operator ``kind`` stands behind a convolution and a ReLU of shape (4, 6, 6)."""
    g = Graph(3, 8, 8)
    h = g.add(kind, g.add("Relu", g.conv("x", 3, 4)), *(g.constant(c, d) for c, d in constants), **attributes)
    return g.model(g.dense(g.add("Flatten", g.add("Relu", g.conv(h, 4, 4, 1))), 144, 3))


FLOAT, WHOLE = np.float32, np.int64


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            lambda: behind_conv("Sigmoid"),
            r"layer 'sigmoid_2' has the activation 'sigmoid', which an adaptive .* does not",
        ),
        (
            lambda: behind_conv("HardSwish"),
            r"'hardswish_2' \(HardSwish\) is an activation that .* train with ReLU, or with AAN",
        ),
        (lambda: behind_conv("TopK", ([1], WHOLE), outputs=2), r"'topk_2' \(TopK\) has no spiking equivalent"),
        (lambda: behind_conv("Greater", (0.5, FLOAT)), "compares values that depend on the input, .* use ReLU, or AAN"),
        (lambda: behind_conv("Gather", ([2, 0], WHOLE), axis=1), r"picks the elements \[2, 0\] of axis 1; .*torch.cat"),
        (lambda: behind_conv("Gather", (0, WHOLE), axis=0), "picks images of the batch, which no layer may"),
        (
            lambda: behind_conv("Slice", *(([n], WHOLE) for n in (0, 6, 2, 2))),
            r"the elements \[0, 2, 4\] of axis 2; only neighbours .* a pooling or a convolution with strides",
        ),
        (lambda: behind_conv("Slice", *(([n], WHOLE) for n in (0, 1, 0))), "picks images of the batch"),
        (
            lambda: behind_conv("BatchNormalization", *[(np.ones(4), FLOAT)] * 4, training_mode=1, outputs=3),
            "takes its mean and variance from each batch",
        ),
        (lambda: behind_conv("Clip", (1, FLOAT), (-1, FLOAT)), "has the lower limit 1 above the upper one, -1"),
        (lambda: behind_conv("Max", (np.arange(6), FLOAT)), "has several limits; only one number"),
        (lambda: behind_conv("LogSoftmax"), "Leave it away at the end: the largest output, .*, is the same"),
        (lambda: behind_conv("PRelu", (np.ones((5, 1, 1)), FLOAT)), "stretches an input of shape"),
        (lambda: behind_conv("LayerNormalization", (np.ones(6), FLOAT)), "use batch normalization"),
        (
            lambda: behind_conv(
                "AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, ceil_mode=1, count_include_pad=1
            ),
            "last windows reach behind the padding",
        ),
        (lambda: behind_conv("Mul", (np.arange(36).reshape(6, 6), FLOAT)), "pixels of a channel by different factors"),
        (
            lambda: behind_conv("Pad", ([0, 0, 1, 1, 0, 0, 1, 1], WHOLE), mode="reflect"),
            "pads otherwise than with zeros",
        ),
        (lambda: behind_conv("Pad", ([0, 1, 0, 0, 0, 1, 0, 0], WHOLE)), "pads otherwise than with zeros"),
        (
            lambda: behind_conv("Transpose", perm=[1, 0, 2, 3]),
            "moves the batch axis, as recurrent layers and attention do",
        ),
        (lambda: behind_conv("Flatten", axis=0), "flattens the batch axis"),
        (lambda: behind_conv("Reshape", ([2, -1], WHOLE)), "the first axis must stay the batch"),
        (lambda: behind_conv("Softmax"), "is a softmax over an axis of an image"),
        (lambda: behind_conv("MatMul", (np.eye(6), FLOAT)), "flatten it first"),
        (lambda: behind_conv("MaxPool", kernel_shape=[2, 2], outputs=2), "gives the places of the maxima"),
    ],
)
def test_refused_with_name_and_reason(model, reason):
    with pytest.raises(ConversionError, match=reason):
        convert(model(), np.zeros((2, 3, 8, 8), np.float32))


def two_outputs():
    g = Graph(3)
    h = g.add("Relu", g.dense("x", 3, 4))
    return g.model(g.dense(h, 4, 2), g.dense(h, 4, 2))


def old():
    model = two_outputs()
    model.opset_import[0].version = 9
    return model


def of_a_constant():
    g = Graph(3)
    return g.model(g.add("Relu", g.constant(np.ones((2, 3)))))


def ending(kind):
    g = Graph(3)
    return g.model(g.add(kind, g.dense("x", 3, 4)))


def recurrent():
    g = Graph(4, 3)
    h = g.add("Transpose", "x", perm=[1, 0, 2])
    return g.model(g.add("LSTM", h, g.normal(1, 20, 3), g.normal(1, 20, 5), hidden_size=5))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (lambda: ending("Relu"), "the model's only activation stands at its end, where the read-out computes it"),
        (old, "uses operator set 9; sets 11 to 21 are known"),
        (of_a_constant, "output 'relu_0' does not depend on its input"),
    ],
)
def test_models_refused_as_a_whole(model, reason):
    with pytest.raises(ConversionError, match=reason):
        convert(model(), np.zeros((2, 3), np.float32))


def test_recurrent_layers_are_refused_by_name():
    with pytest.raises(ConversionError, match=r"\(LSTM\) is a recurrent layer, which cannot be converted"):
        convert(recurrent(), np.zeros((2, 4, 3), np.float32))


def test_a_form_of_an_operator_that_is_not_known_is_refused():
    model = dense(lambda g, h: g.add("PRelu", h, g.constant(np.ones(6))))
    model.graph.node[1].input.pop()
    with pytest.raises(ConversionError, match=r"\(PRelu\) has inputs or attributes in a form that is not converted"):
        convert(model, inputs(model))


def test_two_inputs_are_refused():
    model = two_outputs()
    del model.graph.output[1]
    model.graph.input.append(onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["batch", 4]))
    with pytest.raises(ConversionError, match="the model has 2 inputs"):
        convert(model, np.zeros((2, 3), np.float32))


def test_inputs_that_do_not_fit_are_refused():
    with pytest.raises(
        ConversionError, match=r"takes images of shape \(3, 17, 15\), but the check inputs have \(9, 9, 3\)"
    ):
        convert(residual(), np.zeros((2, 9, 9, 3), np.float32))
    with pytest.raises(ConversionError, match=r"has shape \(any, 3, 17, 15\), a batch axis first"):
        convert(residual(), np.zeros((2, 9), np.float32))
    with pytest.raises(ConversionError, match="have the type <U1; give real numbers"):
        convert(residual(), np.full((2, 3, 17, 15), "a"))


def test_weights_that_are_computed_are_folded():
    """Weights stored as whole numbers and a scale, as quantised exports have them."""
    g = Graph(3)
    random = np.random.default_rng(5)
    whole, scale = random.integers(-7, 8, (3, 6)).astype(np.int8), np.float32(0.25)
    g.constants.append(numpy_helper.from_array(whole, "whole"))
    weights = g.add("DequantizeLinear", "whole", g.constant(scale))
    h = g.add("Relu", g.add("MatMul", "x", weights))
    model = g.model(g.dense(h, 6, 3))
    x = inputs(model)
    network = convert(model, x)
    near(network.analog(x), outputs(model, x))


def test_16_bits_are_the_cause_of_a_deviation():
    random = np.random.default_rng(0)
    w, v = (random.normal(size=shape).astype(np.float16) for shape in ((4, 6), (6, 3)))
    nodes = [
        make_node("MatMul", ["x", "w"], ["a"]),
        make_node("Relu", ["a"], ["r"]),
        make_node("MatMul", ["r", "v"], ["y"]),
    ]
    ends = [make_tensor_value_info(n, TensorProto.FLOAT16, ["N", k]) for n, k in (("x", 4), ("y", 3))]
    graph = make_graph(
        nodes, "g", ends[:1], ends[1:], [numpy_helper.from_array(w, "w"), numpy_helper.from_array(v, "v")]
    )
    model = make_model(graph, opset_imports=[make_opsetid("", 17)], ir_version=8)
    with pytest.raises(ConversionError, match="16 bits, which round .* export it in float32"):
        convert(model, random.normal(size=(5, 4)).astype(np.float16))
