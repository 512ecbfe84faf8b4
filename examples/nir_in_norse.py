"""Train an AAN network in PyTorch, write it as a NIR graph, and run that in Norse: what the approximation costs.

pip install 'snntb-adsnn[torch,nir]' norse
python examples/nir_in_norse.py [digits|mnist] [m_f]      (MNIST's four idx files: in the folder ADSNN_DATA)
"""

import sys

import nir
import nirtorch
import numpy as np
import torch
from norse.torch import LIBoxCell, LIBoxParameters, LIFBoxCell, LIFBoxParameters
from pytorch import channels_first, net, train  # the example beside this one
from torch import nn

from snntb_adsnn import convert, simulate
from snntb_adsnn.data import load_dataset

m_f = float(sys.argv[2]) if len(sys.argv) > 2 else 0.2
STEPS = 500  # of 1 ms
data = load_dataset(sys.argv[1] if len(sys.argv) > 1 else "digits")
x_test, labels_test = data.x_test[:300], data.y_test[:300].argmax(axis=1)

# ---- train and convert -----------------------------------------------------------------------------------------------

torch.manual_seed(0)
model = net(data, m_f, nn.AvgPool2d(2))  # NIR has no maximum
train(model, data)
network = convert(model, data.x_train[:100])
graph = network.to_nir()  # nir.write("net.nir", graph) keeps it

# ---- in Norse --------------------------------------------------------------------------------------------------------


def tensor(values: np.ndarray) -> torch.Tensor:
    """In float32."""
    return torch.as_tensor(np.asarray(values), dtype=torch.float32)


class Scale(nn.Module):
    """A factor for each element."""

    def __init__(self, node: nir.Scale) -> None:
        super().__init__()
        self.factors = tensor(node.scale)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factors * x


class Scaled(nn.Module):
    """Cells one behind the other, the input of each times a factor."""

    def __init__(self, *parts: tuple[np.ndarray, nn.Module]) -> None:
        super().__init__()
        self.factors, self.cells = [tensor(factor) for factor, _ in parts], nn.ModuleList(cell for _, cell in parts)

    def forward(self, x: torch.Tensor, state: list | None = None) -> tuple[torch.Tensor, list]:
        states = []
        for factor, cell, before in zip(self.factors, self.cells, state or [None] * len(self.cells), strict=True):
            x, after = cell(factor * x, before)
            states.append(after)
        return x, states


def integrator(tau: np.ndarray, v_leak: np.ndarray | float = 0.0) -> nn.Module:
    """Norse's leaky integrator; time constants in s."""
    return LIBoxCell(LIBoxParameters(tau_mem_inv=1 / tensor(tau), v_leak=tensor(v_leak)), dt=0.001)


def neurons(node: nir.LIF | nir.CubaLIF, tau: np.ndarray) -> nn.Module:
    """Norse's leaky integrate-and-fire neurons."""
    threshold, reset, leak = tensor(node.v_threshold), tensor(node.v_reset), tensor(node.v_leak)
    constants = LIFBoxParameters(tau_mem_inv=1 / tensor(tau), v_leak=leak, v_th=threshold, v_reset=reset)
    return LIFBoxCell(constants, dt=0.001)


# norse.torch.from_nir of Norse 1.1 knows no Scale and no LI, and takes 0 for every v_reset; batches come first in torch
NODES = {
    **nirtorch.nir_interpreter.DEFAULT_MAP,
    nir.Scale: Scale,
    nir.Flatten: lambda node: nn.Flatten(1),
    nir.LI: lambda node: Scaled((node.r, integrator(node.tau, node.v_leak))),
    nir.LIF: lambda node: Scaled((node.r, neurons(node, node.tau))),
    nir.CubaLIF: lambda node: Scaled((node.w_in, integrator(node.tau_syn)), (node.r, neurons(node, node.tau_mem))),
}
theirs = nirtorch.nir_to_torch(graph, NODES)
fired: list[float] = []
for part in theirs.modules():
    if isinstance(part, LIFBoxCell):
        part.register_forward_hook(lambda cell, given, found: fired.append(float(found[0].sum())))
state, held = None, channels_first(x_test)
with torch.no_grad():
    for _ in range(STEPS):
        output, state = theirs(held, state)

# ---- both ------------------------------------------------------------------------------------------------------------

with torch.no_grad():
    logits = model.eval()(held).numpy()
ours = simulate(network, x_test, duration=STEPS)
neurons_and_seconds = sum(np.prod(p.shape) for p in network.populations) * len(x_test) * STEPS / 1000
print(f"m_f {m_f}, {len(x_test)} images, {STEPS} ms: ANN {(logits.argmax(axis=1) == labels_test).mean():.1%}")
for who, outputs, spikes in (
    ("AdSNN", ours.outputs[:, -1], sum(counts.sum() for counts in ours.spike_counts.values())),
    ("Norse", output.numpy(), sum(fired)),
):
    decisions, difference = outputs.argmax(axis=1), np.sqrt(np.mean((outputs - logits) ** 2)) / logits.std()
    right, same = np.mean(decisions == labels_test), np.mean(decisions == logits.argmax(axis=1))
    print(
        f"{who}: {right:.1%}, decides as the ANN {same:.1%}, outputs differ by {difference:.1%} of their spread, "
        f"{spikes / neurons_and_seconds:.1f} Hz"
    )
