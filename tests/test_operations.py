"""Operations of an image: nets counted by hand, and a count over recorded spikes that follows every synapse."""

from dataclasses import replace

import numpy as np
import pytest

from snntb_adsnn import simulate
from snntb_adsnn.evaluate import Evaluation
from snntb_adsnn.linear import Add, AveragePool2D, Conv2D, Dense, DepthwiseConv2D, Reshape, Scale, Window, same_padding
from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.operations import (
    ENERGIES,
    Energies,
    Operations,
    ann_operations,
    comparisons,
    input_multiplications,
    multiplications,
    snn_operations,
)

P = ASNParameters(m_f=0.2)
SAME = Window((3, 3), (1, 1), same_padding((4, 4), (3, 3), (1, 1)))


def zeros(n):
    return np.zeros(n, np.float32)


def weights(seed, *shape):
    return np.random.default_rng(seed).normal(0.3, 0.3, shape).astype(np.float32)


def net():
    """4x4 image -> 3x3 convolution with padding -> 2x2 max pooling, neurons -> dense read-out of 3."""
    return SpikingNetwork(
        (
            Input("input", (), (), (4, 4, 1)),
            Conv2D("conv", ("input",), ((4, 4, 1),), weights(0, 3, 3, 1, 2), SAME),
            Neurons("a", ("conv",), ((4, 4, 2),), zeros(2), P, pool=Window((2, 2), (2, 2))),
            Reshape("flat", ("a",), ((2, 2, 2),), (8,)),
            Dense("dense", ("flat",), ((8,),), weights(1, 8, 3)),
            Readout("readout", ("dense",), ((3,),), zeros(3)),
        )
    )


def deep_net():
    """Strides, padding, a residual sum, depthwise convolution, average pooling and a gain between neurons."""
    strided = Window((3, 3), (2, 2), same_padding((6, 6), (3, 3), (2, 2)))
    depthwise = Window((2, 2), (1, 1), ((0, 1), (1, 0)))
    return SpikingNetwork(
        (
            Input("input", (), (), (6, 6, 2)),
            Scale("gain", ("input",), ((6, 6, 2),), np.array([2.0, 1.5], np.float32)),
            Neurons("a", ("gain",), ((6, 6, 2),), zeros(2), P),
            Conv2D("conv", ("a",), ((6, 6, 2),), weights(0, 3, 3, 2, 3), strided),
            Neurons("b", ("conv",), ((3, 3, 3),), zeros(3), P),
            DepthwiseConv2D("depthwise", ("b",), ((3, 3, 3),), weights(1, 2, 2, 3, 1), depthwise),
            Add("sum", ("depthwise", "b"), ((3, 3, 3), (3, 3, 3)), ),
            Neurons("c", ("sum",), ((3, 3, 3),), zeros(3), P),
            AveragePool2D("pool", ("c",), ((3, 3, 3),), Window((2, 2), (1, 1))),
            Reshape("flat", ("pool",), ((2, 2, 3),), (12,)),
            Dense("dense", ("flat",), ((12,),), weights(2, 12, 4)),
            Readout("readout", ("dense",), ((4,),), zeros(4)),
        )
    )  # fmt: skip


# ---- by hand ---------------------------------------------------------------------------------------------------------


def test_multiply_adds_of_an_ann_are_those_inside_the_image():
    # 4 corners see 4 pixels, 8 edges 6, 4 inner ones 9; two channels
    inside = 2 * (4 * 4 + 8 * 6 + 4 * 9)
    assert inside < 2 * 16 * 9  # what a count with padding would give
    assert multiplications(net()) == {"a": inside, "readout": 24}
    assert input_multiplications(net()) == inside
    ann = ann_operations(net())
    assert ann.multiply_accumulates == ann.multiplications == inside + 24
    assert comparisons(net()) == 3 * 8
    assert ann.additions == inside + 24 + 32 + 3 + 24  # products, biases of 32 sums and 3 classes, max pooling
    assert ann.reads == 2 * (inside + 24) + 32 + 3
    assert ann.writes == 32 + 3


def test_a_simulation_by_hand():
    steps, spikes = 10, 5
    found = snn_operations(net(), {"a": spikes}, {"a": 3 * spikes}, steps)
    analog, additions = 200, 3 * spikes
    assert (found.accumulates, found.multiply_accumulates, found.neuron_updates) == (additions, analog, 8 * steps)
    # before the pooling 32 of I and V: k_beta I; k_phi V + g_phi (I + held)
    # 8 neurons: max of 4, V + bias; k_eta S_hat; S - S_hat, compare; k_gamma theta_a; theta0 + theta_a
    # 3 classes: k_beta I; k_phi V + g_phi I; bias; compare
    assert found.multiplications == analog + steps * (3 * 32 + 2 * 8 + 3 * 3) + spikes
    assert found.additions == additions + analog + steps * (2 * 32 + (3 + 4) * 8 + 3 * 3) + 2 * spikes
    states = 2 * 32 + 2 * 8 + 2 * 3
    assert found.reads == 2 * additions + 2 * analog + steps * (states + 8 + 3 + 32)
    assert found.writes == additions + 32 + steps * states


def test_energy_is_counted_with_the_published_figures():
    assert ENERGIES["float32"] == Energies(addition=0.9, multiplication=3.7, access=5.0)
    assert ENERGIES["int32"] == Energies(addition=0.1, multiplication=3.1, access=5.0)
    operations = Operations(0, 0, 0, additions=1000, multiplications=100, reads=30, writes=20)
    assert operations.energy_nj(ENERGIES["int32"]) == pytest.approx(
        {"arithmetic": 0.1 + 0.31, "memory": 0.25, "total": 0.66}
    )


def test_batch_norm_and_average_pooling_are_not_counted():
    found = multiplications(deep_net())
    assert found["a"] == input_multiplications(deep_net()) == 0  # a gain per channel
    assert found["readout"] == 12 * 4


# ---- over recorded spikes --------------------------------------------------------------------------------------------


def synapses(node, place):
    """Outputs of a weighted or pooling node that read input ``place``, by the definition of each layer: a list."""
    if isinstance(node, Dense):
        return [(k,) for k in range(node.weights.shape[1])]
    y, x, c = place
    rows, columns, _ = node.shape
    (top, _), (left, _) = node.window.padding
    found = []
    for i in range(rows):
        for j in range(columns):
            for u in range(node.window.size[0]):
                for v in range(node.window.size[1]):
                    reads = (
                        i * node.window.strides[0] + u * node.window.dilation[0] - top,
                        j * node.window.strides[1] + v * node.window.dilation[1] - left,
                    )
                    if reads == (y, x):
                        channels = range(node.shape[2]) if isinstance(node, Conv2D) else [c]
                        found += [(i, j, k) for k in channels]
    return found


def deliveries(network, name, place):
    """Additions that one spike of neuron ``place`` of node ``name`` causes."""
    total = 0
    for node in network.nodes:
        if name not in node.inputs:
            continue
        if isinstance(node, Neurons | Readout | Scale):
            total += 1
        elif isinstance(node, Add):
            total += deliveries(network, node.name, place)
        elif isinstance(node, Reshape):
            flat = np.ravel_multi_index(place, node.input_shapes[0])
            total += deliveries(network, node.name, (int(flat),))
        elif isinstance(node, AveragePool2D):
            total += sum(deliveries(network, node.name, window) for window in synapses(node, place))
        else:
            total += len(synapses(node, place))
    return total


@pytest.mark.parametrize("make", [net, deep_net])
def test_synaptic_operations_equal_a_walk_over_recorded_spikes(make):
    network = make()
    x = np.random.default_rng(3).uniform(0, 1.5, (3, *network.input.shape))
    result = simulate(network, x, duration=80, engine="reference", record="spikes")
    evaluation = Evaluation(network, matching_fraction=1.0)
    evaluation.add(result, result.decisions[:, -1])
    costs = evaluation.metrics().costs
    total = fired = 0
    for p in network.populations:
        for _, _, *place in np.argwhere(result.records["spikes"][p.name]):
            total += deliveries(network, p.name, tuple(int(i) for i in place))
            fired += 1
    assert total > 100
    assert costs.whole.accumulates == pytest.approx(total / 3)
    assert costs.whole.multiply_accumulates == input_multiplications(network)
    assert costs.whole.neuron_updates == 80 * network.neuron_count
    assert costs.activation_sparsity == pytest.approx(1 - fired / (3 * 80 * network.neuron_count))


def test_until_the_matching_time_a_uniform_layer_is_exact():
    """Every neuron here has the fan-out of its layer, so that sharing by spikes is exact."""
    network = SpikingNetwork(
        (
            Input("input", (), (), (6,)),
            Neurons("a", ("input",), ((6,),), zeros(6), P),
            Dense("one", ("a",), ((6,),), weights(0, 6, 5)),
            Neurons("b", ("one",), ((5,),), zeros(5), P),
            Dense("two", ("b",), ((5,),), weights(1, 5, 2)),
            Readout("readout", ("two",), ((2,),), zeros(2)),
        )
    )
    x = np.random.default_rng(3).uniform(0, 1.5, (4, 6))
    result = simulate(network, x, duration=100, engine="reference", record="spikes")
    evaluation = Evaluation(network)
    evaluation.add(result, [0, 1, 1, 0])
    metrics = evaluation.metrics()
    steps = int(metrics.matching_time_ms)
    spikes = {name: s[:, :steps].sum() / 4 for name, s in result.records["spikes"].items()}
    expected = snn_operations(network, spikes, {"a": 5 * spikes["a"], "b": 2 * spikes["b"]}, steps)
    assert metrics.costs.until_match == expected
    assert metrics.costs.as_dict()["synaptic_operations_until_mt_to_ann_macs"] == pytest.approx(
        (5 * spikes["a"] + 2 * spikes["b"]) / (6 * 5 + 5 * 2)
    )


def test_graded_spikes_cost_multiply_adds():
    network = net().map_neurons(lambda n: replace(n, form="relu"))
    found = snn_operations(network, {"a": 5}, {"a": 15}, 10)
    binary = snn_operations(net(), {"a": 5}, {"a": 15}, 10)
    assert (found.accumulates, found.multiply_accumulates) == (0, binary.multiply_accumulates + 15)
    assert found.multiplications == binary.multiplications + 15
    assert (found.additions, found.reads, found.writes) == (binary.additions, binary.reads, binary.writes)
