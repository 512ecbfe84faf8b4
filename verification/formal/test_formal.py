"""Proofs, and seeded bugs that must make them fail: `make formal`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pytest
from adsnn_hls.arithmetic import ROUNDINGS
from adsnn_hls.cores import core_sources
from adsnn_hls.cores.instance import ROUNDING_CODES

from snntb_adsnn.neuron.constants import STATES
from verification.cases import TYPES
from verification.formal.llvm import IRError, to_verilog
from verification.formal.neurons import Parameters, project_neurons, prove_neuron, shipped_neurons
from verification.formal.streams import HARNESSES, prove_streams
from verification.formal.tools import ToolError, find_clang
from verification.tops import instance_parameters

pytestmark = pytest.mark.formal

SHIPPED = {
    "mnist_dense_rtl": ("s0_aan_input", "s1_aan_1"),
    "mnist_rtl": ("s0_aan_input", "s1_aan_1", "s2_aan_2"),
    "mnist_dense_shift_rtl": ("s0_aan_input", "s1_aan_1"),
}
"""Spiking stages of the shipped configurations."""

NEURONS = [
    *(f"{config} {stage}" for config, stages in SHIPPED.items() for stage in stages),
    "narrow",
    "narrow, c = 2.25",
    "shifts",
]


def neuron(name: str) -> Parameters:
    """Parameters by the names of ``NEURONS``; those without a stage are sets of types in ``cases``."""
    if name == "narrow, c = 2.25":
        return {**neuron("narrow"), "CORRECTIVE": 9}
    if name in TYPES:
        return {"HELD": 0, "MULTIPLIER": int(name != "shifts"), "B_W": 12} | instance_parameters(TYPES[name])
    config, stage = name.split()
    return shipped_neurons(config)[stage]


@dataclass(frozen=True)
class Bug:
    """A textual change of one core, or of the C++ (``nnet_asn.h``).

    Attributes:
        file: what changes.
        old, new: text; ``old`` occurs exactly once.
        proof: which proof must fail: a harness, or a neuron.
        assertion: label of one that fails.
    """

    file: str
    old: str
    new: str
    proof: str
    assertion: str


BUGS = {
    "RTL: spike at the threshold": Bug(
        "asn_fire.sv", "twice > level", "twice >= level", "mnist_dense_rtl s1_aan_1", "equal_spike"
    ),
    "C++: spike at the threshold": Bug(
        "nnet_asn.h", "((excess + excess) - theta) > 0", "((excess + excess) - theta) >= 0", "mnist_dense_rtl s1_aan_1", "equal_spike"
    ),
    "RTL: rounds down instead of to zero": Bug(
        "asn_cast.sv", "? neg && (half || rest)", "? 1'b0 && neg && (half || rest)", "mnist_dense_rtl s1_aan_1", "equal_i"
    ),
    "RTL: one bit of a coefficient": Bug(
        "asn_scale.sv", "(FACTOR_W + 1)'(FACTOR);", "(FACTOR_W + 1)'(FACTOR ^ 1);", "mnist_dense_rtl s0_aan_input", "equal_v"
    ),
    "RTL: one digit of a coefficient": Bug(
        "asn_scale.sv", "N3 & ~N1", "N3 & ~N1 & ~(FACTOR_W + 2)'(128)", "mnist_dense_shift_rtl s1_aan_1", "unequal"
    ),
    "C++: spike at the threshold, no multipliers": Bug(
        "nnet_asn.h", "((excess + excess) - theta) > 0", "((excess + excess) - theta) >= 0", "mnist_dense_shift_rtl s1_aan_1",
        "unequal_spike"
    ),
    "RTL: corrective spike at its level": Bug(
        "asn_fire.sv", "rectified < M4_W", "rectified <= M4_W", "shifts", "unequal_spike"
    ),
    "C++: negative potential not rectified": Bug(
        "nnet_asn.h", "decayed - (S > 0 ?", "decayed - (true ?", "shifts", "unequal_spike"
    ),
    "event with the sign of another": Bug(
        "asn_events.sv", "{negative[lane],", "{negative[0],", "events", "sign_kept"
    ),
    "event dropped under back-pressure": Bug(
        "asn_events.sv", "busy && (!m_axis_tvalid || m_axis_tready)", "busy && (1'b1 || m_axis_tready)", "events", "stream_rules"
    ),
    "FIFO overflows": Bug("asn_events.sv", "DEPTH - FLIGHT", "DEPTH", "events", "fits"),
    "tick overtakes an event": Bug(
        "asn_events.sv", "tick || (rest == '0 && !final_q)", "tick || rest == '0", "events", ""
    ),
    "addition to a word in flight": Bug(
        "asn_accumulators.sv", "!read && !hazard", "!read && (1'b1 || hazard)", "stage: sums", "sum"
    ),
    "neurons updated too early": Bug(
        "asn_control.sv", "state == SETTLE && settled", "state == SETTLE && (1'b1 || settled)", "stage: events in", "event_not_lost"
    ),
    "event lost while the stage is busy": Bug(
        "asn_skid.sv", "else if (s_valid) kept_valid", "else if (s_valid && 1'b0) kept_valid", "stage: events in", ""
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NEURONS)
def test_cxx_neuron_is_rtl_neuron(name: str, tmp_path: Path) -> None:
    outcome = prove_neuron(neuron(name), tmp_path)
    assert outcome.proved, outcome.failed


@pytest.mark.parametrize("name", HARNESSES)
def test_streams(name: str, tmp_path: Path) -> None:
    outcome = prove_streams(name, tmp_path)
    assert outcome.proved, outcome.failed


@pytest.mark.parametrize("name", HARNESSES)
def test_the_assumptions_leave_room(name: str, tmp_path: Path) -> None:
    assert prove_streams(name, tmp_path, cover=True).proved


@pytest.mark.parametrize("name", BUGS)
def test_bug_is_found(name: str, tmp_path: Path) -> None:
    bug = BUGS[name]
    cores = core_sources()
    header = (resources.files("adsnn_hls.cpp") / "sources" / "nnet_asn.h").read_text()
    sources = cores | {"nnet_asn.h": header}
    assert sources[bug.file].count(bug.old) == 1
    sources[bug.file] = sources[bug.file].replace(bug.old, bug.new)
    header = sources.pop("nnet_asn.h")
    if bug.proof in HARNESSES:
        outcome = prove_streams(bug.proof, tmp_path, cores=sources)
    else:
        outcome = prove_neuron(neuron(bug.proof), tmp_path, cores=sources, header=header)
    assert not outcome.proved
    assert any(label.startswith(bug.assertion) for label in outcome.failed), outcome.failed


# ---- what the proofs rest on ---------------------------------------------------------------------------------------


def test_roundings_are_counted_as_in_the_cores() -> None:
    codes = set(range(len(ROUNDING_CODES)))
    assert all(codes >= {p[f"{s.letter}_ROUNDING"] for s in STATES} for p in map(neuron, NEURONS))
    assert set(ROUNDING_CODES) == set(ROUNDINGS)


@pytest.mark.parametrize("config", SHIPPED)
def test_every_shipped_neuron_is_proved(config: str) -> None:
    assert tuple(shipped_neurons(config)) == SHIPPED[config]


def test_project_gives_its_neurons() -> None:
    text = (
        "package asn_parameters;\n  // s0_in: asn_analog_stage\n  localparam int S0_I_W = 16;\n  localparam int S0_I_F = 15;\n"
        "  // s1_a: asn_synaptic_stage\n  localparam int S1_I_W = 9;\n  localparam S1_BIAS_FILE = \"b\";\n"
        "  // s2_r: asn_readout_stage\n  localparam int S2_I_W = 9;\nendpackage\n"
    )  # fmt: skip
    assert project_neurons(text) == {
        "s0_in": {"HELD": 1, "I_W": 16, "I_F": 15, "K_BETA": 0, "D_W": 16, "D_F": 15},
        "s1_a": {"HELD": 0, "I_W": 9},
    }


_IR = """define void @f(i64 noundef %0, ptr noundef %1) {
  %3 = icmp slt i64 %0, 0
  br i1 %3, label %4, label %6

4:                                                ; preds = %2
  %5 = sub nsw i64 0, %0
  br label %6

6:                                                ; preds = %4, %2
  %7 = phi i64 [ %5, %4 ], [ %0, %2 ]
  store i64 %7, ptr %1, align 8
  ret void
}
"""


def test_branches_become_multiplexers() -> None:
    text = to_verilog(_IR, "f", "m")
    assert re.search(r"\? t\d+ : \(t\d+\)", text)
    assert "module m (input wire [63:0] in0, output wire [63:0] out0);" in text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sub nsw i64 0, %0", "sdiv i64 0, %0"),
        ("[ %5, %4 ]", "[ undef, %4 ]"),
        ("br label %6", "br label %4"),
        ("sub nsw i64 0, %0", "load i64, ptr %1, align 8"),
        ("@f(", "@g("),
    ],
    ids=["operation", "undefined value", "loop", "load", "name"],
)
def test_unknown_ir_is_refused(old: str, new: str) -> None:
    with pytest.raises(IRError, match="LLVM IR"):
        to_verilog(_IR.replace(old, new), "f", "m")


def test_missing_clang_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLANGXX", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError, match="apt-get install clang-19"):
        find_clang()
