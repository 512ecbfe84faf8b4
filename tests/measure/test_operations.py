"""Operations of an image: nets counted by hand, and a count over recorded spikes that follows every synapse."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from snntb_adsnn import simulate
from snntb_adsnn.measure.connectivity import fanouts, input_multiplications, multiplications
from snntb_adsnn.measure.evaluate import Evaluation
from snntb_adsnn.measure.operations import (
    ENERGIES,
    Energies,
    Operations,
    SynapticOperations,
    ann_operations,
    comparisons,
    snn_operations,
)
from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import (
    Add,
    AveragePool2D,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Linear,
    Reshape,
    Scale,
    Window,
    same_padding,
)
from snntb_adsnn.neuron import ASNParameters

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


def dense_chain():
    """Dense layers without neurons between them: two in front of the neurons, three behind."""
    return SpikingNetwork(
        (
            Input("input", (), (), (10,)),
            Dense("one", ("input",), ((10,),), weights(0, 10, 5)),
            Dense("two", ("one",), ((5,),), weights(1, 5, 7)),
            Neurons("a", ("two",), ((7,),), zeros(7), P),
            Dense("three", ("a",), ((7,),), weights(2, 7, 4)),
            Dense("four", ("three",), ((4,),), weights(3, 4, 3)),
            Dense("five", ("four",), ((3,),), weights(4, 3, 2)),
            Readout("readout", ("five",), ((2,),), zeros(2)),
        )
    )


def separable(*block):
    """A separable convolution (depthwise with two kernels a channel, then pointwise), and what ``block`` puts behind."""
    shape = (4, 4, 5) if block else (4, 4, 3)
    return SpikingNetwork(
        (
            Input("input", (), (), (4, 4, 3)),
            Neurons("a", ("input",), ((4, 4, 3),), zeros(3), P),
            DepthwiseConv2D("depthwise", ("a",), ((4, 4, 3),), weights(0, 3, 3, 3, 2), SAME),
            Conv2D("pointwise", ("depthwise",), ((4, 4, 6),), weights(1, 1, 1, 6, 3), Window((1, 1))),
            *block,
            Neurons("b", (block[-1].name if block else "pointwise",), (shape,), zeros(shape[-1]), P),
            Reshape("flat", ("b",), (shape,), (16 * shape[-1],)),
            Dense("dense", ("flat",), ((16 * shape[-1],),), weights(3, 16 * shape[-1], 3)),
            Readout("readout", ("dense",), ((3,),), zeros(3)),
        )
    )


def residual_chain():
    """The spikes' own way past the separable convolution, and a third weighted layer behind the sum."""
    return separable(
        Add("sum", ("pointwise", "a"), ((4, 4, 3), (4, 4, 3))),
        Conv2D("last", ("sum",), ((4, 4, 3),), weights(2, 1, 1, 3, 5), Window((1, 1))),
    )


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
    found = snn_operations(net(), {"a": spikes}, SynapticOperations(3 * spikes, 0), steps)
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
    operations = Operations(0, 0, 0, 0, additions=1000, multiplications=100, reads=30, writes=20)
    assert asdict(operations.energy(ENERGIES["int32"])) == pytest.approx(
        {"arithmetic": 0.1 + 0.31, "memory": 0.25, "total": 0.66}
    )


def test_batch_norm_and_average_pooling_are_not_counted():
    found = multiplications(deep_net())
    assert found["a"] == input_multiplications(deep_net()) == 0  # a gain per channel
    assert found["readout"] == 12 * 4


def test_chains_of_weighted_layers_by_hand():
    network = dense_chain()
    assert input_multiplications(network) == 10 * 5 + 5 * 7
    assert multiplications(network) == {"a": 85, "readout": 7 * 4 + 4 * 3 + 3 * 2}
    found = fanouts(network)["a"]
    np.testing.assert_array_equal(found.additions, np.full(7, 4))
    np.testing.assert_array_equal(found.multiply_adds, np.full(7, 4 * 3 + 3 * 2))  # of all sums with all weights
    np.testing.assert_array_equal(found.total, np.full(7, 22))


WINDOWS = np.array([[4, 6, 6, 4], [6, 9, 9, 6], [6, 9, 9, 6], [4, 6, 6, 4]])[..., None]
"""How many 3 x 3 windows of a 4 x 4 image see each pixel."""


def test_a_separable_convolution_by_hand():
    found = fanouts(separable())["a"]
    sums = np.broadcast_to(2 * WINDOWS, (4, 4, 3))  # two kernels
    np.testing.assert_array_equal(found.additions, sums)
    np.testing.assert_array_equal(found.multiply_adds, 3 * sums)  # each meets 3 pointwise weights
    assert multiplications(separable())["b"] == sums.sum() + 16 * 6 * 3


def test_a_chain_of_three_with_a_shortcut_by_hand():
    found = fanouts(residual_chain())["a"]
    sums = np.broadcast_to(2 * WINDOWS, (4, 4, 3))
    np.testing.assert_array_equal(found.additions, sums + 5)  # past the block the spike itself meets 5 weights
    # every way to the last layer counts, but no more than all its products
    np.testing.assert_array_equal(found.multiply_adds, 3 * sums + np.minimum(3 * 5 * sums, 16 * 3 * 5))


# ---- over recorded spikes --------------------------------------------------------------------------------------------


def synapses(node, place):
    """Outputs of a weighted or pooling node that read input ``place``, by the definition of each layer: a list."""
    if isinstance(node, Dense):
        return [(k,) for k in range(node.weights.shape[1])]
    y, x, c = place
    rows, columns, outputs = node.shape
    kernels = outputs // node.input_shapes[0][2]
    channels = range(outputs) if isinstance(node, Conv2D) else range(c * kernels, (c + 1) * kernels)
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
                        found += [(i, j, k) for k in channels]
    return found


def deliveries(network, name, place, spike=True):
    """Additions and multiply-adds that one spike of neuron ``place`` of node ``name`` causes, or, with ``spike`` false,
    a number that came out of weights there."""
    total = np.zeros(2)
    for node in network.nodes:
        if name not in node.inputs:
            continue
        if isinstance(node, Neurons | Readout | Scale):
            total += (1, 0) if spike else (0, 0)  # what comes out of weights was added up there
        elif isinstance(node, Add):
            total += deliveries(network, node.name, place, spike)
        elif isinstance(node, Reshape):
            flat = np.ravel_multi_index(place, node.input_shapes[0])
            total += deliveries(network, node.name, (int(flat),), spike)
        elif isinstance(node, AveragePool2D):
            total += sum(deliveries(network, node.name, window, spike) for window in synapses(node, place))
        else:
            for reached in synapses(node, place):
                total += (1, 0) if spike else (0, 1)
                total += deliveries(network, node.name, reached, spike=False)
    return total


@pytest.mark.parametrize("make", [net, deep_net, separable])
def test_synaptic_operations_equal_a_walk_over_recorded_spikes(make):
    network = make()
    x = np.random.default_rng(3).uniform(0, 1.5, (3, *network.input.shape))
    result = simulate(network, x, duration=80, engine="reference", record="spikes")
    evaluation = Evaluation(network, matching_fraction=1.0)
    evaluation.add(result, result.decisions[:, -1])
    costs = evaluation.metrics().work.costs
    total, fired = np.zeros(2), 0
    for p in network.populations:
        for _, _, *place in np.argwhere(result.records["spikes"][p.name]):
            total += deliveries(network, p.name, tuple(int(i) for i in place))
            fired += 1
    assert total[0] > 100
    assert costs.whole.accumulates == pytest.approx(total[0] / 3)
    assert costs.whole.multiply_accumulates == pytest.approx(input_multiplications(network) + total[1] / 3)
    assert costs.whole.neuron_updates == 80 * network.neuron_count
    assert costs.activation_sparsity == pytest.approx(1 - fired / (3 * 80 * network.neuron_count))


def neurobench(network, population, spikes):
    """(accumulates, multiply-accumulates) by NeuroBench's rule: each weighted layer is run, with weights of 1, on its
    input with everything that is not 0 set to 1; accumulates where the input holds nothing but 0 and 1.

    ``spikes``: shape (steps, *population).
    """
    values = {node.name: np.zeros((len(spikes), *node.shape)) for node in network.nodes}
    values[population] = spikes.astype(np.float64)
    counted = np.zeros(2)
    for node in network.nodes:
        if not isinstance(node, Linear):
            continue
        inputs = [values[name] for name in node.inputs]
        values[node.name] = node.apply(*inputs)
        if hasattr(node, "weights"):
            ones = replace(node, weights=np.ones_like(node.weights))
            counted[int(not np.isin(inputs[0], (0, 1)).all())] += ones.apply((inputs[0] != 0).astype(np.float64)).sum()
    return counted


@pytest.mark.parametrize("make", [dense_chain, separable])
def test_a_spike_alone_is_counted_as_neurobench_does(make):
    network = make()
    found = fanouts(network)["a"]
    for place in np.ndindex(found.total.shape):
        spike = np.zeros((1, *found.total.shape))
        spike[0][place] = 1
        assert tuple(neurobench(network, "a", spike)) == (found.additions[place], found.multiply_adds[place])


@pytest.mark.parametrize("make", [dense_chain, separable, residual_chain])
def test_a_chain_costs_at_least_what_neurobench_counts(make):
    network = make()
    x = np.random.default_rng(3).uniform(0, 0.5, (1, *network.input.shape))
    spikes = simulate(network, x, duration=80, engine="reference", record="spikes").records["spikes"]["a"][0]
    found = fanouts(network)["a"]
    accumulates, multiply_accumulates = neurobench(network, "a", spikes)
    ours = (spikes * found.additions).sum(), (spikes * found.multiply_adds).sum()
    assert multiply_accumulates > 0
    assert ours[1] >= multiply_accumulates
    assert sum(ours) >= accumulates + multiply_accumulates
    if make is not residual_chain:  # whose last layer sees spikes and sums in one tensor
        assert ours[0] == accumulates


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
    steps = int(metrics.decisions.matching_time_ms)
    spikes = {name: s[:, :steps].sum() / 4 for name, s in result.records["spikes"].items()}
    expected = snn_operations(network, spikes, SynapticOperations(5 * spikes["a"] + 2 * spikes["b"], 0), steps)
    assert metrics.work.costs.until_match == expected
    assert metrics.work.costs.of_ann(metrics.work.costs.until_match) == pytest.approx(
        (5 * spikes["a"] + 2 * spikes["b"]) / (6 * 5 + 5 * 2)
    )


def test_graded_spikes_cost_multiply_adds():
    network = net().map_neurons(lambda n: replace(n, form="relu"))
    graded = fanouts(network)["a"]
    assert not graded.additions.any()
    np.testing.assert_array_equal(graded.multiply_adds, fanouts(net())["a"].additions)
    found = snn_operations(network, {"a": 5}, SynapticOperations(0, 15), 10)
    binary = snn_operations(net(), {"a": 5}, SynapticOperations(15, 0), 10)
    assert (found.accumulates, found.multiply_accumulates) == (0, binary.multiply_accumulates + 15)
    assert found.multiplications == binary.multiplications + 15
    assert (found.additions, found.reads, found.writes) == (binary.additions, binary.reads, binary.writes)
