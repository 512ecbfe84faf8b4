"""Figures of outputs that are no classes, against sums written out with NumPy."""

import numpy as np
import pytest
from scipy.special import expit

from snntb_adsnn.engine import SimulationResult
from snntb_adsnn.errors import DataError
from snntb_adsnn.measure.evaluate import Evaluation
from snntb_adsnn.network import Input, Neurons, Output, Readout, SpikingNetwork
from snntb_adsnn.neuron import ASNParameters

R = np.random.default_rng(3)
IMAGES, STEPS = 9, 4


def network(*parts):
    size = sum(part.size for part in parts)
    neurons = Neurons("n", ("x",), ((size,),), np.zeros(size, np.float32), ASNParameters(m_f=0.1))
    readout = Readout("out", ("n",), ((size,),), np.zeros(size, np.float32), parts=parts)
    return SpikingNetwork((Input("x", (), (), (size,)), neurons, readout))


def evaluated(net, outputs, labels, ann):
    """In batches of 4, 4 and 1."""
    size = net.readout.shape[0]
    evaluation = Evaluation(net, matching_fraction=0.9)
    for start in range(0, IMAGES, 4):
        part = slice(start, start + 4)
        count = len(outputs[part])
        spikes = {"n": np.ones((count, size), np.int32)}
        result = SimulationResult(outputs[part], spikes, {"n": np.full(STEPS, count * size // STEPS)}, 1.0)
        evaluation.add(result, labels[part], ann_outputs=None if ann is None else ann[part])
    return evaluation.metrics()


def potentials(size):
    return R.normal(0, 1, (IMAGES, STEPS, size)).astype(np.float32)


def test_binary():
    outputs, labels, ann = potentials(1), R.integers(0, 2, (IMAGES, 1)), R.uniform(0, 1, (IMAGES, 1))
    m = evaluated(network(Output("out", (1,), "sigmoid")), outputs, labels, ann)
    right = (outputs[..., 0] > 0) == labels
    np.testing.assert_allclose(m.decisions.accuracy_over_time, right.mean(axis=0))
    assert m.decisions.snn_accuracy == pytest.approx(right[:, -1].mean())
    assert m.decisions.ann_accuracy == pytest.approx(((ann > 0.5) == labels).mean())
    assert m.decisions.agreement == pytest.approx(((outputs[:, -1] > 0) == (ann > 0.5)).mean())
    errors = np.sqrt(((expit(outputs) - ann[:, None]) ** 2).mean(axis=(0, 2)))
    np.testing.assert_allclose(m.outputs[0].rmse_to_ann_over_time, errors, rtol=1e-6)


def test_multilabel():
    outputs, labels, ann = potentials(3), R.integers(0, 2, (IMAGES, 3)), R.uniform(0, 1, (IMAGES, 3))
    labels[:3], ann[:2] = outputs[:3, -1] > 0, labels[:2]
    m = evaluated(network(Output("out", (3,), "sigmoid")), outputs, labels * 2 - 1, ann)
    right = (outputs > 0) == labels[:, None]
    np.testing.assert_allclose(m.decisions.accuracy_over_time, right.mean(axis=(0, 2)))
    (found,) = m.outputs
    assert found.snn_exact_match == pytest.approx(right[:, -1].all(axis=1).mean())
    assert found.ann_exact_match == pytest.approx(((ann > 0.5) == labels).all(axis=1).mean())
    assert found.snn_exact_match >= 3 / IMAGES
    assert found.ann_accuracy == pytest.approx(((ann > 0.5) == labels).mean())
    assert found.agreement == pytest.approx(((outputs[:, -1] > 0) == (ann > 0.5)).mean())


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh"])
def test_an_image(activation):
    outputs, ann, labels = potentials(4), R.normal(0, 1, (IMAGES, 2, 2, 1)), R.normal(0, 1, (IMAGES, 2, 2, 1))
    outputs = np.linspace(0.1, 1, STEPS, dtype=np.float32)[:, None] * ann.reshape(IMAGES, 1, 4) + outputs / 20
    outputs = outputs.astype(np.float32)
    m = evaluated(network(Output("out", (2, 2, 1), activation)), outputs, labels, ann)
    y = {"linear": outputs, "relu": np.maximum(outputs, 0), "tanh": np.tanh(outputs)}[activation].astype(float)
    flat, wanted = ann.reshape(IMAGES, 4), labels.reshape(IMAGES, 4)
    squares = ((y - flat[:, None]) ** 2).mean(axis=(0, 2))
    (found,) = m.outputs
    np.testing.assert_allclose(found.rmse_to_ann_over_time, np.sqrt(squares), rtol=1e-6)
    share = 1 - squares / flat.var(axis=0).mean()
    assert found.agreement == m.decisions.agreement == pytest.approx(share[-1], rel=1e-5)
    assert found.rmse_to_labels == pytest.approx(np.sqrt(((y[:, -1] - wanted) ** 2).mean()), rel=1e-6)
    assert found.ann_rmse_to_labels == pytest.approx(np.sqrt(((flat - wanted) ** 2).mean()))
    assert m.decisions.matching_time_ms == 1 + np.flatnonzero(share >= 0.9 * share.max())[0]
    assert (m.decisions.snn_accuracy, m.decisions.ann_accuracy, m.decisions.accuracy_sd) == (None, None, None)
    assert not len(m.decisions.accuracy_over_time)


def test_values_without_an_ann_are_compared_with_the_labels():
    outputs, labels = potentials(2), R.normal(0, 1, (IMAGES, 2))
    m = evaluated(network(Output("out", (2,), "linear", "regression")), outputs, labels, None)
    (found,) = m.outputs
    assert (found.agreement, found.rmse_to_ann, found.ann_rmse_to_labels) == (None, None, None)
    squares = ((outputs - labels[:, None]) ** 2).mean(axis=(0, 2))
    np.testing.assert_allclose(found.quality_over_time, 1 - squares / labels.var(axis=0).mean(), rtol=1e-5)


def test_values_that_never_vary_have_an_agreement():
    ann = np.full((IMAGES, 2), 3.0)
    outputs = np.broadcast_to(np.float32(2.7), (IMAGES, STEPS, 2)).copy()
    m = evaluated(network(Output("out", (2,), "linear", "regression")), outputs, ann, ann)
    assert m.decisions.agreement == pytest.approx(1 - 0.3**2 / 3**2, rel=1e-5)


def test_several_outputs_are_counted_one_by_one():
    parts = (Output("kind", (3,), "softmax"), Output("flag", (1,), "sigmoid"), Output("size", (1,), "linear"))
    outputs, classes = potentials(5), R.integers(0, 3, IMAGES)
    ann = np.concatenate(
        [R.dirichlet(np.ones(3), IMAGES), R.uniform(0, 1, (IMAGES, 1)), R.normal(0, 1, (IMAGES, 1))], 1
    )
    labels = np.concatenate([np.eye(3)[classes], R.integers(0, 2, (IMAGES, 1)), R.normal(0, 1, (IMAGES, 1))], axis=1)
    m = evaluated(network(*parts), outputs, labels, ann)
    kind, flag, size = m.outputs
    assert [output.name for output in m.outputs] == ["kind", "flag", "size"]
    assert kind.snn_accuracy == pytest.approx((outputs[:, -1, :3].argmax(axis=1) == classes).mean())
    assert kind.ann_accuracy == pytest.approx((ann[:, :3].argmax(axis=1) == classes).mean())
    assert flag.snn_accuracy == pytest.approx(((outputs[:, -1, 3] > 0) == labels[:, 3]).mean())
    assert size.rmse_to_ann == pytest.approx(np.sqrt(((outputs[:, -1, 4] - ann[:, 4]) ** 2).mean()), rel=1e-6)
    assert (m.decisions.snn_accuracy, m.decisions.agreement) == (None, None)
    with pytest.raises(
        DataError, match=r"shape \(4, 4\) do not fit 4 inputs and 3 outputs; .* \(kind 3, flag 1, size 1"
    ):
        evaluated(network(*parts), outputs, labels[:, :4], ann)
