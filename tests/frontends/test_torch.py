"""PyTorch modules become networks that compute what torch computes, or are refused with a sentence."""

import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (pip install 'snntb-adsnn[torch]')")
from torch import nn  # noqa: E402
from torch_nets import CASES, Residual, convolutional, dense, example, series  # noqa: E402

from snntb_adsnn import simulate  # noqa: E402
from snntb_adsnn.errors import AdSNNError, ConversionError  # noqa: E402
from snntb_adsnn.frontends import convert  # noqa: E402
from snntb_adsnn.frontends.onnx.operators import OPERATORS  # noqa: E402
from snntb_adsnn.frontends.torch import convert as frontend  # noqa: E402
from snntb_adsnn.network.maps.permutation import Permute  # noqa: E402

pytestmark = pytest.mark.torch


def near(found, expected):
    expected = expected.detach().numpy()
    assert np.abs(found - expected).max() <= 1e-5 * max(1, np.abs(expected).max())


@pytest.mark.parametrize(("net", "activation"), CASES, ids=lambda f: f.__name__)
def test_a_network_computes_what_torch_computes(net, activation):
    module, x = example(net, activation)
    network = convert(module, x)
    assert network.input.shape == tuple(x.shape[1:])
    expected = module(x)
    assert expected.std(0).min() > 1e-3  # the images differ, in every class
    near(network.analog(x), expected)
    spikes = simulate(network, x, duration=60).spike_counts
    assert all(counts.any() for name, counts in spikes.items() if "/" not in name)  # few pass an upper limit


def test_constants_of_each_layer_are_kept():
    from snntb_adsnn.torch import AAN

    module = nn.Sequential(
        nn.Linear(4, 30), AAN(0.15, theta0=0.25), nn.Linear(30, 20), AAN(0.123456789012, "taylor"), nn.Linear(20, 3)
    )
    network = convert(module, torch.randn(5, 4))
    assert [(p.name, p.parameters, p.form) for p in network.populations] == [
        ("1", module[1].neuron, "exact"),
        ("3", module[3].neuron, "taylor"),
    ]


@pytest.mark.parametrize("net", [convolutional, Residual], ids=lambda f: f.__name__)
def test_the_same_images_channels_last(net):
    module, x = example(net)
    turned = np.moveaxis(x.numpy(), 1, -1)
    network = convert(module, turned)
    assert network.input.shape == turned.shape[1:]
    near(network.analog(turned), module(x))
    assert not any(isinstance(node, Permute) for node in network.nodes)


def test_the_module_is_not_changed():
    module, x = example(convolutional)
    module.train()
    module[0].weight.grad = torch.ones_like(module[0].weight)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    convert(module, x.requires_grad_())
    assert module.training
    assert all(part.training for part in module.modules())
    assert all(p.requires_grad for p in module.parameters())
    assert torch.equal(module[0].weight.grad, torch.ones_like(module[0].weight))
    assert x.grad is None
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_populations_are_named_after_modules():
    module, x = example(Residual)
    assert convert(module, x).population_names == ["stem.2", "inner.2", "last"]


def test_what_torch_exported_is_converted():
    module, x = example(convolutional)
    exported = torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    near(convert(exported, x).analog(x), module(x))


class Several(nn.Module):
    """Two outputs of different shapes."""

    def __init__(self):
        super().__init__()
        self.first, self.one, self.other = nn.Linear(4, 20), nn.Linear(20, 3), nn.Linear(20, 2)

    def forward(self, x):
        x = torch.relu(self.first(x))
        return self.one(x), torch.softmax(self.other(x), -1)


def test_several_outputs():
    torch.manual_seed(0)
    module, x = Several(), torch.randn(5, 4)
    network = convert(module, x)
    for found, expected in zip(network.readout.split(network.analog(x)).values(), module(x), strict=True):
        near(found, expected)


def test_wrappers_are_taken_off():
    module, x = example(dense)
    for wrapped in (torch.compile(module), nn.DataParallel(module), torch.compile(nn.DataParallel(module))):
        assert frontend._module(wrapped) is module
    near(convert(nn.DataParallel(module), x).analog(x), module(x))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_modules_of_other_types(dtype):
    module, x = example(convolutional)
    module.to(dtype)
    expected = module.double()(x.double())  # of weights that bfloat16 has rounded
    module.to(dtype)
    near(convert(module, x).analog(x), expected)


def test_where_float32_rounds_too_much_float64_decides():
    """A difference of two large sums: float32 loses what is left."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 64), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 3))
    with torch.no_grad():
        module[0].bias += 3e3
        module[1].bias.copy_(-module[1](module[0](torch.zeros(1, 4)))[0])
    x = torch.randn(6, 4)
    with pytest.raises(ConversionError, match="deviates from PyTorch"):
        frontend._converted(frontend.evaluated(module), x.numpy(), 50.0, np.float32)
    near(convert(module, x, dtype=np.float64).analog(x), module.double()(x.double()))
    convert(module.float(), x)


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


WRONG = {
    "a transposed weight": ("Gemm", lambda v: v.T if v.ndim == 2 and v.shape[0] == v.shape[1] else None),
    "a dropped bias": ("Gemm", lambda v: 0 * v if v.ndim == 1 else None),
    "a transposed kernel": ("Conv", lambda v: v.transpose(0, 1, 3, 2) if v.ndim == 4 else None),
    "a dropped bias of a convolution": ("Conv", lambda v: 0 * v if v.ndim == 1 else None),
}


def square(activation):
    return nn.Sequential(nn.Conv2d(2, 2, 3), activation(), nn.Flatten(), nn.Linear(84, 8), nn.ReLU(), nn.Linear(8, 8))


@pytest.fixture(scope="module")
def traced():
    """A net with square weights, inputs, and ``trace`` that does its work once for each type of numbers."""
    torch.manual_seed(0)
    module, programs = square(nn.ReLU).eval(), {}
    trace = frontend.trace

    def once(copied, x):
        if x.dtype not in programs:
            programs[x.dtype] = trace(copied, x)
        program = programs[x.dtype]
        proto = type(program.proto)()
        proto.CopyFrom(program.proto)
        return program._replace(proto=proto)

    return module, torch.randn(7, 2, 9, 8), once


@pytest.mark.parametrize("where", WRONG)
def test_a_wrong_constant_is_caught(where, traced, monkeypatch):
    module, x, trace = traced
    monkeypatch.setattr(frontend, "trace", trace)
    near(convert(module, x).analog(x), module(x))
    wrong(*WRONG[where], monkeypatch)
    with pytest.raises(ConversionError, match="deviates from PyTorch"):
        convert(module, x)


@pytest.mark.parametrize(("which", "change"), [("3.weight", lambda v: v[::-1]), ("3.bias", lambda v: 0 * v)])
def test_a_wrong_export_is_caught(which, change, traced, monkeypatch):
    """Not only our own converters are checked, but what torch's exporter wrote too."""
    from onnx import numpy_helper

    module, x, trace = traced

    def wrong_trace(*arguments):
        program = trace(*arguments)
        (weight,) = (t for t in program.proto.graph.initializer if t.name == which)
        weight.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(weight)).copy(), which))
        return program

    monkeypatch.setattr(frontend, "trace", wrong_trace)
    with pytest.raises(ConversionError, match="deviates from PyTorch"):
        convert(module, x)


class Mixing(nn.Module):
    """What one image gives depends on the others of the batch."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.last(torch.relu(self.first(x))) * x.shape[0]


def test_a_module_that_mixes_images_is_caught():
    torch.manual_seed(0)
    with pytest.raises(ConversionError, match="deviates from PyTorch"):
        convert(Mixing(), torch.randn(5, 4))


# ---- refused ---------------------------------------------------------------------------------------------------------


class Deciding(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x):
        x = torch.relu(self.first(x))
        return self.last(x if x.sum() > 0 else -x)


class Named(nn.Module):
    def forward(self, x):
        return {"classes": x}


class Hidden(nn.Module):
    """A layer between two others; ``of`` makes values of a layer's input."""

    def __init__(self, layer, of, features):
        super().__init__()
        self.layer, self.of, self.last = layer, of, nn.Linear(features, 3)

    def forward(self, x):
        return self.last(torch.relu(self.of(self.layer, x).flatten(1)))


def with_activation(activation):
    return nn.Sequential(nn.Linear(4, 8), activation, nn.Linear(8, 3))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            Deciding,
            r"torch\.export cannot trace the module \(.*\)\. What depends on the data .* take it out of forward",
        ),
        (
            lambda: with_activation(nn.GELU()),
            r"'1' \(GELU\) is an activation that .* does not compute; train with ReLU",
        ),
        (lambda: with_activation(nn.Threshold(0.1, 0)), r"'1' \(Threshold\) is an activation that .* with ReLU, or"),
        (
            lambda: Hidden(nn.Linear(4, 8), lambda f, x: f(x)[:, [2, 0]], 2),
            r"'index' \(Hidden\) picks elements by a list .* as x\[:, 0\] and x\[:, 2:5\] do, and join",
        ),
        (
            lambda: with_activation(nn.BatchNorm1d(8, track_running_stats=False)),
            r"'1' \(BatchNorm1d\) takes its mean .* from each batch and has none .* train with track_running_stats=True",
        ),
        (
            lambda: with_activation(nn.Sigmoid()),
            "layer '1' has the activation 'sigmoid', which an adaptive spiking neuron does not compute",
        ),
        (Named, "the module gives a dict; only tensors, or a tuple of them, can be converted"),
        (lambda: nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, 3)), r"0\.weight has no shape yet"),
        (lambda: torch.jit.trace(with_activation(nn.ReLU()), torch.zeros(2, 4)), "is a TorchScript module"),
        (lambda: nn.Linear(4, 3), "nothing can spike"),
        (lambda: Hidden(nn.LSTMCell(4, 5), lambda f, x: f(x)[0], 5), "'layer' .LSTMCell. is a recurrent layer"),
        (
            lambda: Hidden(nn.LSTM(4, 5, batch_first=True), lambda f, x: f(x[:, None])[0], 5),
            "'layer' .LSTM. is a recurrent layer, which cannot be converted",
        ),
        (
            lambda: Hidden(nn.MultiheadAttention(4, 2, batch_first=True), lambda f, x: f(*[x[:, None]] * 3)[0], 4),
            "'layer' .MultiheadAttention. is attention, which cannot be converted",
        ),
        (
            lambda: Hidden(nn.AdaptiveAvgPool2d(3), lambda f, x: f(x.view(-1, 1, 2, 2)), 9),
            r"'layer' .AdaptiveAvgPool2d. makes \(3, 3\) of \(2, 2\), which it does not divide",
        ),
        (
            lambda: Hidden(nn.Linear(4, 8), lambda f, x: nn.functional.dropout(f(x), 0.5), 8),
            "outputs are random: two evaluations of the same inputs differ",
        ),
        (
            lambda: nn.Sequential(with_activation(nn.ReLU()), nn.LogSoftmax(-1)),
            "log_softmax.* Leave it away at the end",
        ),
        (
            lambda: nn.Linear(5, 3),
            r"cannot compute the check inputs, shape \(6, 4\) \(.*\). Give inputs as it takes them",
        ),
    ],
    ids=[
        "if",
        "gelu",
        "threshold",
        "index",
        "batch norm without statistics",
        "sigmoid",
        "outputs by name",
        "lazy",
        "TorchScript",
        "no activation",
        "LSTMCell",
        "LSTM",
        "attention",
        "adaptive pooling",
        "random",
        "log_softmax",
        "shape",
    ],
)
def test_refused_with_a_sentence(make, reason):
    torch.manual_seed(0)
    with pytest.raises(ConversionError, match=reason) as raised:
        convert(make(), torch.randn(6, 4))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        (np.zeros(4), r"have shape \(4,\)"),
        (np.zeros((0, 4)), r"have shape \(0, 4\)"),
        (np.array([["a"]]), "have the type <U1"),
        (torch.zeros(2, 4, dtype=torch.complex64), "a tensor of torch.complex64"),
        ([[1.0], [1.0, 2.0]], "but a list of unequal rows, .* give one NumPy array of shape"),
        (
            torch.utils.data.DataLoader([torch.zeros(4)]),
            r"no array of numbers but a DataLoader; .*\(inputs, \*input shape",
        ),
    ],
)
def test_inputs_that_are_none(x, reason):
    with pytest.raises(ConversionError, match=reason):
        convert(with_activation(nn.ReLU()), x)


def test_an_exported_program_of_one_batch_size():
    module, x = example(dense)
    exported = torch.export.export(module, (x,))
    with pytest.raises(ConversionError, match="cannot compute the check inputs|cannot trace"):
        convert(exported, x[:3])


def test_a_missing_package_is_named():
    program = (
        "import sys, torch\nfrom snntb_adsnn.errors import AdSNNError\nfrom snntb_adsnn.frontends import convert\n"
        "for package in sys.argv[1:]:\n    sys.modules[package] = None\n"
        "    try:\n        convert(torch.nn.Linear(2, 2), torch.zeros(1, 2))\n"
        "    except AdSNNError as error:\n        print(error)\n"
        "    del sys.modules[package]\n"
    )
    packages = ["onnx", "onnxscript"]
    done = subprocess.run([sys.executable, "-c", program, *packages], capture_output=True, text=True, check=True)
    for line, package in zip(done.stdout.splitlines(), packages, strict=True):
        assert f"need the package {package}" in line
        assert "pip install 'snntb-adsnn[torch]'" in line


def test_errors_are_of_one_family():
    assert issubclass(ConversionError, AdSNNError)


def test_series_are_not_turned():
    """A series with the channels last is not guessed: the message shows what the module needs."""
    module, x = example(series)
    with pytest.raises(ConversionError, match="cannot compute the check inputs"):
        convert(module, x.transpose(1, 2))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.int64, np.uint16, np.longdouble, np.dtype(">f4")], ids=str)
def test_inputs_of_any_type_are_numbers(kind):
    """Also channels-last ones of several channels, for a module that flattens by ``view``."""
    module = with_activation(nn.ReLU())
    x = np.arange(24).reshape(6, 4)
    given = torch.as_tensor(x).to(kind) if isinstance(kind, torch.dtype) else x.astype(kind)
    found = frontend.as_tensor(given, module)
    assert found.dtype == torch.float32
    assert torch.equal(found, torch.as_tensor(x).float())
    assert frontend.as_tensor(frontend.numbers(given).T, module).is_contiguous()


def test_an_output_of_one_value_and_one_slope_and_a_limit():
    """``squeeze(1)``; a default PReLU behind dense values; ``clamp(min=0)``."""
    torch.manual_seed(0)
    parts = nn.Sequential(nn.Linear(4, 6), nn.PReLU(), nn.Linear(6, 8))
    module, x = Hidden(parts, lambda f, x: f(x).clamp(min=0), 8), torch.randn(5, 4)
    module.last = nn.Sequential(nn.Linear(8, 1), nn.Flatten(0))
    near(convert(module, x).analog(x), module(x)[:, None])


def test_images_channels_last_are_flattened():
    torch.manual_seed(0)
    module, x = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2)), torch.randn(6, 6, 6, 2)
    near(convert(module, x).analog(x), module(x.moveaxis(-1, 1)))
