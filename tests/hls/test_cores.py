"""The neuron's parameters in SystemVerilog and C++ follow from one table."""

from __future__ import annotations

import re
from importlib import resources

import numpy as np
import pytest
from adsnn_hls.arithmetic import ROUNDINGS
from adsnn_hls.cores import core_sources
from adsnn_hls.cores.instance import ROUNDING_CODES
from adsnn_hls.fixed import RECORDABLE
from adsnn_hls.quantize import WIDTH_LIMITS, Widths, calibrate, quantize
from adsnn_hls.stages import FixedNeurons
from hls_nets import dense_net, pixels

from snntb_adsnn.neuron.constants import STATES

HEADER = "asn_neuron_parameters.svh"
TYPE = ("W", "F", "ROUNDING", "SATURATE")


def macro(name: str, text: str) -> str:
    """A macro's text with the macros in it expanded."""
    definitions = {
        key: (arguments.split(", ") if arguments else [], body)
        for key, arguments, body in re.findall(r"^`define (\w+)(?:\(([^)]*)\))? (.*)$", text.replace("\\\n", ""), re.M)
    }

    def expand(match: re.Match[str]) -> str:
        formal, body = definitions[match[1]]
        for old, new in zip(formal, (match[2] or "").split(", "), strict=False):
            body = re.sub(rf"\b{old}(?=``|\b)", new, body)
        return body.replace("``", "")

    found = definitions[name][1]
    while "`" in found:
        found = re.sub(r"`(\w+)(?:\(([^)]*)\))?", expand, found)
    return found


def declared(name: str) -> list[str]:
    return re.findall(r"parameter (?:int|bit) (\w+) =", macro(f"ASN_{name}_PARAMETERS", core_sources()[HEADER]))


def passed(name: str) -> list[str]:
    pairs = re.findall(r"\.(\w+)\((\w+)\)", macro(f"ASN_PASS_{name}", core_sources()[HEADER]))
    assert all(port == value for port, value in pairs)
    return [port for port, _ in pairs]


@pytest.mark.parametrize("name", ["DRIVE", "FILTER", "FIRE"])
def test_what_is_declared_is_passed_on(name: str) -> None:
    assert declared(name) == passed(name)
    assert len(set(declared(name))) == len(declared(name)) > 2


def test_header_has_the_states_of_the_table() -> None:
    for name, at in (("FILTER", "input"), ("FIRE", "neuron")):
        wanted = [f"{state.letter}_{part}" for state in STATES if state.at == at for part in TYPE]
        assert declared(name)[: len(wanted)] == wanted
    letters = "".join(state.letter for state in STATES)
    assert set(re.findall(rf"\b([{letters}])_W\b", " ".join(declared("FILTER") + declared("FIRE")))) == set(letters)


def test_header_has_what_python_gives_a_neuron() -> None:
    network = dense_net()
    given = quantize(network, calibrate(network, pixels(network), 5)).analog.neurons.parameters("")
    everything = [*declared("DRIVE"), *declared("FILTER"), *declared("FIRE")]
    assert set(everything) == {*given, "D_W", "D_F"} - {"B_W"}


def test_no_core_declares_the_type_of_a_state_by_hand() -> None:
    by_hand = re.compile(rf"parameter \w+ ({'|'.join(state.letter for state in STATES)})_({'|'.join(TYPE)})\b")
    assert not {name for name, text in core_sources().items() if by_hand.search(text) and name != HEADER}


def test_modes_are_counted_as_in_the_core() -> None:
    assert set(ROUNDING_CODES) == set(ROUNDINGS)
    counted = dict(re.findall(r"(\d) ([A-Z][A-Z_]+)", core_sources()["asn_cast.sv"].split("parameter int ROUNDING")[0]))
    assert [counted[str(code)] for code in range(len(ROUNDING_CODES))] == list(ROUNDING_CODES)


def test_states_are_fields_of_neurons_and_widths() -> None:
    words = [state.word for state in STATES]
    assert set(words) <= set(FixedNeurons.__dataclass_fields__)
    assert list(Widths.SIGNALS) == ["weights", *words, "coefficient"] == list(WIDTH_LIMITS)


def test_probe_of_the_c_simulation_counts_the_quantities() -> None:
    text = (resources.files("adsnn_hls.cpp") / "sources" / "nnet_asn_probe.h").read_text()
    found = re.search(r"enum asn_quantity \{(.*?)\}", text)
    assert found is not None
    assert [name.strip().removeprefix("probe_") for name in found[1].split(",")] == list(RECORDABLE)


def test_shapes_of_states_follow_pooling() -> None:
    network = dense_net()
    neurons = quantize(network, calibrate(network, pixels(network), 5)).analog.neurons
    assert list(neurons.types) == [state.name for state in STATES]
    assert all(neurons.shapes[s.name] == (neurons.input_shape if s.at == "input" else neurons.shape) for s in STATES)
    assert np.prod(neurons.shape) == neurons.size
