"""AAN as a PyTorch module: values, gradients, and files that onnxruntime runs and the ONNX front end reads."""

import copy
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (pip install 'snntb-adsnn[torch]')")
from torch import nn  # noqa: E402
from torch_nets import aan, convolutional, dense, example, taylor  # noqa: E402

from snntb_adsnn.errors import ConversionError, OutputError, ParameterError  # noqa: E402
from snntb_adsnn.frontends import convert  # noqa: E402
from snntb_adsnn.frontends.torch.gradient import GRADIENTS  # noqa: E402
from snntb_adsnn.neuron import ASNParameters  # noqa: E402
from snntb_adsnn.neuron.transfer import smooth_constants, transfer, transfer_gradient  # noqa: E402
from snntb_adsnn.torch import AAN, TRANSLATIONS, export_onnx  # noqa: E402

pytestmark = pytest.mark.torch

NEURONS = [{"m_f": 0.05}, {"m_f": 0.2}, {"m_f": 0.7}, {"m_f": 0.3, "theta0": 0.5, "tau_gamma": 30.0, "tau_beta": 20.0}]


def potentials(half):
    """Around the threshold, of usual size, and far above."""
    near = half + np.geomspace(2e-8, 1, 500)  # from where the table begins
    return np.concatenate([np.linspace(-2, 12, 3001) + 1e-4, near, np.geomspace(20, 1e6, 50)])


@pytest.mark.parametrize("form", ["exact", "taylor"])
@pytest.mark.parametrize("constants", NEURONS)
def test_values_are_the_transfer_function(form, constants):
    S = potentials(ASNParameters(**constants).resting_threshold / 2)
    expected = transfer(S, ASNParameters(**constants), form)
    found = AAN(form=form, **constants)(torch.tensor(S))
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-8, atol=1e-9)  # what the table keeps
    S = S[np.abs(S - ASNParameters(**constants).resting_threshold / 2) > 0.01].astype(np.float32)
    found = AAN(form=form, **constants)(torch.tensor(S))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(
        found.numpy(), transfer(S.astype(float), ASNParameters(**constants), form), rtol=1e-5, atol=1e-6
    )


def slopes(module, S):
    x = torch.tensor(S, requires_grad=True)
    module(x).sum().backward()
    return x.grad.numpy()


@pytest.mark.parametrize("form", ["exact", "taylor"])
@pytest.mark.parametrize("constants", NEURONS)
def test_the_exact_gradient_is_the_derivative(form, constants):
    parameters = ASNParameters(**constants)
    half = parameters.resting_threshold / 2
    S = np.concatenate([np.linspace(-1, 10, 1001) + 1e-4, half + np.geomspace(1e-6, 1, 100)])
    found = slopes(AAN(form=form, gradient="exact", **constants), S)
    np.testing.assert_allclose(found, transfer_gradient(S, parameters, form), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("form", ["exact", "taylor"])
def test_the_exact_gradient_is_that_of_differences(form):
    S = torch.tensor([-0.4, 0.15, 0.3, 0.9, 2.0, 7.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(AAN(0.2, form, gradient="exact"), (S,), atol=1e-4)


@pytest.mark.parametrize("m_f", [0.05, 0.2, 0.7])
def test_the_default_gradient_is_that_of_the_smooth_form(m_f):
    parameters = ASNParameters(m_f=m_f)
    n0, n1, n2, d1, d2 = smooth_constants(parameters)

    def smooth(e):
        return (n0 + n1 * e + n2 * e**2) / (1 + d1 * e + d2 * e**2)

    e = np.concatenate([np.geomspace(1e-7, 1, 100), np.linspace(1, 8, 100)])
    found = slopes(AAN(m_f), m_f / 2 + e)
    np.testing.assert_allclose(found, (smooth(e + 1e-6) - smooth(e - 1e-6)) / 2e-6, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("m_f", [0.02, 0.05, 0.2, 0.7])
@pytest.mark.parametrize("form", ["exact", "taylor"])
def test_the_default_gradient_is_bounded(m_f, form):
    S = potentials(m_f / 2)
    found = slopes(AAN(m_f, form), S)
    assert np.isfinite(found).all()
    assert found.max() < 5
    assert not found[S <= m_f / 2].any()
    assert found[(m_f / 2 < S) & (S < 1)].min() > 0  # whatever spikes can learn
    if form == "exact":
        assert slopes(AAN(m_f, gradient="exact"), S).max() > 100


def test_gradients_are_a_list_that_can_grow(monkeypatch):
    monkeypatch.setitem(GRADIENTS._entries, "straight", lambda S, parameters, form: torch.full_like(S, 0.5))
    np.testing.assert_array_equal(slopes(AAN(gradient="straight"), np.array([-1.0, 2.0])), [0.5, 0.5])


def test_as_any_module():
    module = AAN(0.2, "taylor", tau_gamma=20.0)
    assert repr(module) == (
        "AAN(form='taylor', m_f=0.2, theta0=0.2, tau_gamma=20.0, tau_eta=50.0, tau_beta=50.0, tau_phi=2.5, dt=1.0, "
        "gradient='bounded')"
    )
    S = torch.linspace(-1, 3, 50)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), module.double(), module.train()):
        assert torch.equal(other(S), module(S))
    assert not list(module.parameters())
    assert not module.state_dict()
    relu, ours = nn.Sequential(nn.Linear(3, 4), nn.ReLU()), nn.Sequential(nn.Linear(3, 4), AAN())
    assert ours.load_state_dict(relu.state_dict()) is not None
    assert torch.equal(ours[0].weight, relu[0].weight)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_types_are_rounded_once(dtype):
    S = torch.linspace(-1, 5, 50).to(dtype)
    found = AAN(0.2)(S)
    assert found.dtype == dtype
    assert torch.equal(found, AAN(0.2)(S.float()).to(dtype))


def test_other_devices():
    """Tensors without values: shapes and types are known, as tracing needs them."""
    found = AAN(0.2)(torch.empty(3, 4, dtype=torch.float64, device="meta"))
    assert (found.shape, found.dtype, found.device.type) == ((3, 4), torch.float64, "meta")


def test_it_compiles():
    module, x = example(convolutional, aan)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), module(x))
    found, expected = (torch.autograd.grad(m(x)[:, 0].sum(), module[0].weight)[0] for m in (compiled, module))
    torch.testing.assert_close(found, expected)
    assert expected.abs().max() > 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"form": "relu"}, r"AAN has no form 'relu': choose one of exact, taylor \(relu is nn\.ReLU\)"),
        ({"gradient": "none"}, "AAN has no gradient 'none': choose one of bounded, exact"),
        ({"m_f": -1.0}, "m_f = -1.0 is not allowed"),
        ({"m_f": 3.0}, "theta0 = 3: a neuron with S = 1 never spikes"),
    ],
)
def test_wrong_arguments(arguments, reason):
    with pytest.raises(ParameterError, match=reason):
        AAN(**arguments)


# ---- files -----------------------------------------------------------------------------------------------------------


def run(path, x):
    """What onnxruntime computes."""
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]


@pytest.mark.parametrize("activation", [aan, taylor], ids=lambda f: f.__name__)
def test_a_file_that_onnxruntime_runs_and_convert_reads(activation, tmp_path):
    module, x = example(convolutional, activation)
    module.train()
    path = export_onnx(module, x, tmp_path / "net.onnx")
    assert module.training
    expected = module.eval()(x).detach().numpy()
    for count in (1, 7):  # any number of images
        np.testing.assert_allclose(run(path, x[:count]), expected[:count], atol=1e-6)
    network = convert(path, x.numpy())
    np.testing.assert_allclose(network.analog(x.numpy()), expected, atol=1e-5)
    neuron = activation()
    assert {(p.parameters, p.form) for p in network.populations} == {(neuron.neuron, neuron.form)}


def test_a_file_in_float64(tmp_path):
    module, x = example(dense, aan)  # onnxruntime has no convolutions in float64
    module, x = module.double(), x.double()
    path = export_onnx(module, x[:1], tmp_path / "net.onnx")
    np.testing.assert_allclose(run(path, x), module(x).detach().numpy(), atol=1e-12)


def test_a_file_of_torchs_own_exporter(tmp_path):
    """It lacks the function that explains AAN; the ONNX front end puts it there."""
    module, x = example(convolutional, aan)
    path = tmp_path / "net.onnx"
    torch.onnx.export(
        module, (x[:1],), path, dynamo=True, custom_translation_table=TRANSLATIONS(), verbose=False, external_data=False
    )
    np.testing.assert_allclose(convert(path, x.numpy()).analog(x.numpy()), module(x).detach().numpy(), atol=1e-5)


def test_what_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match="cannot be written"):
        export_onnx(nn.Linear(4, 3), torch.zeros(1, 4), tmp_path / "file" / "net.onnx")

    class Sorting(nn.Module):
        def forward(self, x):
            return x if x.max() > 0 else -x

    with pytest.raises(ConversionError, match="cannot trace the module"):
        export_onnx(Sorting(), torch.zeros(1, 4), tmp_path / "net.onnx")


def test_a_file_says_nothing_of_this_machine(tmp_path):
    path = export_onnx(nn.Sequential(nn.Linear(4, 3), AAN(), nn.Linear(3, 2)), torch.zeros(1, 4), tmp_path / "net.onnx")
    assert b".py" not in path.read_bytes()
