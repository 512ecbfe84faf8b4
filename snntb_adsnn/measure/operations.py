"""What an image costs: operations, memory accesses and an estimate of energy, of the AdSNN and of its ANN.

Every figure is counted from the network and its spikes, none is measured on a chip; ``docs/metrics.md`` has the
definitions, and which of NeuroBench's each is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from snntb_adsnn.measure.connectivity import input_multiplications, multiplications
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import AveragePool2D, Linear


@dataclass(frozen=True)
class Energies:
    """Energy of one operation on 32-bit numbers, pJ."""

    addition: float
    multiplication: float
    access: float


@dataclass(frozen=True)
class Energy:
    """Energy of one image, nJ.

    Attributes:
        arithmetic: of additions and multiplications.
        memory: of reads and writes.
        total: both.
    """

    arithmetic: float
    memory: float
    total: float


ENERGIES = {"float32": Energies(0.9, 3.7, 5.0), "int32": Energies(0.1, 3.1, 5.0)}
"""45 nm, 0.9 V: Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, figure 1.1.9
(doi 10.1109/ISSCC.2014.6757323). An access is half of the 10 pJ that 64 bits of an 8 KB cache cost there. Table 3 of
PMC8934428 (Front. Neurol. 2022) takes the same five figures from it, in the same way."""


@dataclass(frozen=True)
class Operations:
    """Operations of one image.

    Attributes:
        synaptic_operations: what spikes cause: accumulates, and those multiply-accumulates that are not of the analog
            input; 0 for the ANN.
        accumulates: additions of a weight, caused by a spike.
        multiply_accumulates: products of a weight and a number, added up: of the analog input, of graded spikes, of
            sums that came out of a weighted layer in front, of the ANN's activations.
        neuron_updates: steps of a neuron.
        additions, multiplications: all of them, those above included; a comparison counts as an addition.
        reads, writes: 32-bit memory accesses, without any reuse: see ``snn_operations`` and ``ann_operations``.
    """

    synaptic_operations: float
    accumulates: float
    multiply_accumulates: float
    neuron_updates: float
    additions: float
    multiplications: float
    reads: float
    writes: float

    def energy(self, energies: Energies) -> Energy:
        """Energy of arithmetic, memory accesses, and both."""
        arithmetic = self.additions * energies.addition + self.multiplications * energies.multiplication
        memory = (self.reads + self.writes) * energies.access
        return Energy(arithmetic / 1e3, memory / 1e3, (arithmetic + memory) / 1e3)


@dataclass(frozen=True)
class SynapticOperations:
    """What the spikes of one image cause in synapses (``connectivity.Fanout``, summed over them)."""

    additions: float
    multiply_adds: float


@dataclass(frozen=True)
class Costs:
    """What an image costs on average.

    Attributes:
        whole: the AdSNN over the whole simulation, ``until_match``: until the matching time.
        ann: one evaluation of the ANN of the same weights.
        activation_sparsity: share of neurons and steps without a spike (NeuroBench's).
    """

    whole: Operations
    until_match: Operations
    ann: Operations
    activation_sparsity: float

    def of_ann(self, operations: Operations) -> float:
        """Accumulates and multiply-accumulates together, in multiply-accumulates of the ANN."""
        both = operations.accumulates + operations.multiply_accumulates
        return both / max(self.ann.multiply_accumulates, 1)


# ---- the network's constants -------------------------------------------------------------------------------------


def state_variables(network: SpikingNetwork) -> int:
    """State variables updated in one step: I and V for each input of a neuron, S_hat and theta for each neuron, two of
    the read-out's for each class."""
    inputs, neurons, classes = _units(network)
    return 2 * inputs + 2 * neurons + 2 * classes


def _units(network: SpikingNetwork) -> tuple[int, int, int]:
    """Inputs of neurons (each with I and V; more than neurons where pooling follows), neurons, read-out units."""
    inputs = sum(math.prod(p.input_shapes[0]) for p in network.populations)
    return inputs, network.neuron_count, math.prod(network.readout.shape)


def comparisons(network: SpikingNetwork) -> float:
    """Comparisons of one max pooling of everything that is pooled: one fewer than there are pixels in a window."""
    total = 0.0
    for p in network.populations:
        if p.pool is not None:
            pixels = AveragePool2D(p.name, p.inputs, p.input_shapes, p.pool).divisor
            total += float((pixels - 1).sum()) * p.shape[-1]
    return total


# ---- operations of an image --------------------------------------------------------------------------------------


def ann_operations(network: SpikingNetwork) -> Operations:
    """One evaluation of the ANN: for each product a weight and an activation are read, for each sum a bias; each sum is
    written. Activation functions are not counted."""
    products = sum(multiplications(network).values())
    inputs, _, classes = _units(network)
    sums = inputs + classes
    return Operations(
        synaptic_operations=0,
        accumulates=0,
        multiply_accumulates=products,
        neuron_updates=0,
        additions=products + sums + comparisons(network),
        multiplications=products,
        reads=2 * products + sums,
        writes=sums,
    )


def snn_operations(
    network: SpikingNetwork, spikes: Mapping[str, float], synaptic: SynapticOperations, steps: float
) -> Operations:
    """A simulation of ``steps`` steps.

    A synaptic operation reads a weight, and reads and writes the current it adds to. A step reads and writes every
    state variable (I, V, S_hat, theta_a; two of each read-out unit), reads every bias, and takes, by the equations of
    ``neuron.ASNState``,

    - for each input of a neuron: k_beta I; k_phi V + g_phi I,
    - for each neuron: S = V + bias; k_eta S_hat; 2 (S - S_hat) > theta; k_gamma theta_a; theta0 + theta_a,
    - for each read-out unit: k_beta I; k_phi V + g_phi I; a bias; a comparison,
    - for each spike: S_hat + theta; theta_a + m_f theta.

    The analog input's products are made once; their sums (or the input itself) are read and added in every step.

    Args:
        network: the simulated network.
        spikes: by population, spikes of one image.
        synaptic: what these spikes cause.
        steps: number of steps.
    """
    analog = input_multiplications(network)
    products = analog + synaptic.multiply_adds
    inputs, neurons, classes = _units(network)
    held, fired = _held(network), sum(spikes.values())
    added = synaptic.additions + synaptic.multiply_adds
    sums = inputs + 4 * neurons + 3 * classes + held + comparisons(network)
    return Operations(
        synaptic_operations=added,
        accumulates=synaptic.additions,
        multiply_accumulates=products,
        neuron_updates=neurons * steps,
        additions=added + analog + steps * sums + 2 * fired,
        multiplications=products + steps * (3 * inputs + 2 * neurons + 3 * classes) + fired,
        reads=2 * added + 2 * analog + steps * (state_variables(network) + neurons + classes + held),
        writes=added + held + steps * state_variables(network),
    )


def _held(network: SpikingNetwork) -> int:
    """Inputs of neurons and read-out units that receive analog current in every step."""
    reached, held = {network.input.name}, 0
    for node in network.nodes:
        if reached & set(node.inputs):
            if isinstance(node, Linear):
                reached.add(node.name)
            else:
                held += math.prod(node.input_shapes[0])
    return held
