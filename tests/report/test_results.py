"""``results.json`` is what its schema says, and the schema is what the code says."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from snntb_adsnn import simulate
from snntb_adsnn.measure.evaluate import Evaluation
from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import Dense
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.report import write
from snntb_adsnn.report.results import TopK
from snntb_adsnn.report.schema import schema

SCHEMA = Path(__file__).parents[2] / "docs" / "results.schema.json"
KEYS = [
    *("ann_accuracy", "snn_accuracy", "agreement_with_ann", "firing_rate_hz", "firing_rate_hz_per_layer"),
    *("spikes_per_neuron", "mean_time_ms", "corrective_share"),
    *("matching_time_ms", "matching_fraction", "accuracy_sd", "spikes_per_neuron_at_mt"),
    *("synaptic_operations_per_image", "multiply_adds_per_image", "neuron_updates_per_image", "operations"),
    *("num_images", "duration_ms", "dt_ms", "m_f", "form", "neurons", "accuracy_over_time", "outputs"),
    *("seed", "engine", "bias_correction", "slope_correction", "onset_ms", "readout_tau_phi_ms"),
    *("margin", "patience_ms", "top_k", "model", "versions"),
]
RUN = {
    "seed": 3,
    "engine": "event",
    "bias_correction": 0,
    "slope_correction": False,
    "onset_ms": {"first": 0.0, "second": 5.0},
    "readout_tau_phi_ms": 50.0,
    "margin": 0.4,
    "patience_ms": 2.0,
    "top_k": TopK(2, 0.5, 1.0),
    "model": "folder/net",
}


def network():
    def weights(*shape):
        return np.random.default_rng(0).normal(0.3, 0.5, shape).astype(np.float32)

    p = ASNParameters(m_f=0.2)
    return SpikingNetwork(
        (
            Input("x", (), (), (3,)),
            Dense("d1", ("x",), ((3,),), weights(3, 4)),
            Neurons("first", ("d1",), ((4,),), np.zeros(4, np.float32), p),
            Dense("d2", ("first",), ((4,),), weights(4, 5)),
            Neurons("second", ("d2",), ((5,),), np.zeros(5, np.float32), p),
            Dense("d3", ("second",), ((5,),), weights(5, 2)),
            Readout("out", ("d3",), ((2,),), np.zeros(2, np.float32)),
        )
    )


def written(folder, net, *, ann=True, **run):
    evaluation = Evaluation(net)
    result = simulate(net, np.linspace(0, 1, 6).reshape(2, 3), duration=60, engine="reference")
    evaluation.add(result, [0, 1], [0, 0] if ann else None)
    write(evaluation, folder, plots=False, **run)
    return json.loads((folder / "results.json").read_text())


def test_the_committed_schema_is_the_one_of_this_code():
    assert json.loads(SCHEMA.read_text()) == schema()
    jsonschema.Draft202012Validator.check_schema(schema())


def test_a_run_holds_all_keys_in_their_order(tmp_path):
    results = written(tmp_path, network(), **RUN)
    assert list(results) == KEYS == list(schema()["properties"])
    assert results["top_k"] == {"k": 2, "snn": 0.5, "ann": 1.0}
    assert list(results["operations"]["energy_nj"]) == ["float32", "int32"]
    jsonschema.validate(results, schema())


def test_what_is_not_known_is_null_or_left_out(tmp_path):
    results = written(tmp_path, network(), ann=False)
    assert results["ann_accuracy"] is None
    assert results["agreement_with_ann"] is None
    assert [key for key in KEYS if key not in results] == list(RUN)
    jsonschema.validate(results, schema())


def test_layers_that_differ_are_told_apart(tmp_path):
    net = network().with_m_f({"first": 0.3})
    results = written(tmp_path, net.map_neurons(lambda n: replace(n, form="taylor") if n.name == "first" else n))
    assert results["m_f"] == {"first": 0.3, "second": 0.2}
    assert results["form"] == {"first": "taylor", "second": "exact"}
    jsonschema.validate(results, schema())


@pytest.mark.parametrize(
    "change",
    [{"snn_accuracy": "0.5"}, {"m_f": "0.2"}, {"seed": None}, {"neurons": 2.5}, {"more": 1}, {"top_k": {"k": 1}}],
)
def test_something_else_does_not_fit_the_schema(change, tmp_path):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**written(tmp_path, network(), **RUN), **change}, schema())


@pytest.mark.parametrize("key", [key for key in KEYS if key not in RUN])
def test_every_figure_is_needed(key, tmp_path):
    results = written(tmp_path, network())
    del results[key]
    with pytest.raises(jsonschema.ValidationError, match=f"'{key}' is a required property"):
        jsonschema.validate(results, schema())


def test_an_unknown_entry_is_refused(tmp_path):
    with pytest.raises(TypeError, match="sead"):
        written(tmp_path, network(), sead=3)
