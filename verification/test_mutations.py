"""Seeded bugs in the RTL: each must be caught by the testbench named beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from adsnn_hls.cores import core_sources

from verification.cases import STAGES
from verification.runner import extra_sources, simulate
from verification.tops import neurons_top, stages_top


@dataclass(frozen=True)
class Mutation:
    """One textual change.

    Attributes:
        core: file.
        old, new: text; ``old`` occurs exactly once.
        stages: caught in the stage testbench by one of these cases; none: caught in the neuron testbench.
        test: cocotb test that catches it.
    """

    core: str
    old: str
    new: str
    stages: tuple[str, ...] = ()
    test: str = "full_speed"


MUTATIONS = {
    "spike at the threshold": Mutation("asn_fire", "twice > level", "twice >= level"),
    "one coefficient bit": Mutation("asn_scale", "(FACTOR_W + 1)'(FACTOR);", "(FACTOR_W + 1)'(FACTOR ^ 1);"),
    "one digit of shift and add": Mutation("asn_scale", "N3 & ~N1", "N3 & ~N1 & ~(FACTOR_W + 2)'(16)"),
    "threshold after its decay": Mutation(
        "asn_fire", "theta2 <= theta1;", "theta2 <= Z_W'(gamma1 >>> C_F) + Z_W'(THETA0 + 0 * int'(theta1[0]));"
    ),
    "adaptation does not decay at once": Mutation(
        "asn_fire", "<= M_W'(m1) + M_THETA0", "<= M_W'(m1) + M_W'(gamma1) + M_THETA0"
    ),
    "rounds down instead of to zero": Mutation(
        "asn_cast", "? neg && (half || rest)", "? 1'b0 && neg && (half || rest)"
    ),
    "saturates at the wrong end": Mutation(
        "asn_cast", "{bits[R_W-1], {(OUT_W-1){!bits", "{!bits[R_W-1], {(OUT_W-1){bits"
    ),
    "state not cleared between images": Mutation("asn_ram", "if (zero)", "if (zero && 1'b0)", ("dense", "analog")),
    "sums not cleared between steps": Mutation(
        "asn_accumulators", "(read && read_clear)", "(read && read_clear && 1'b0)", ("dense",)
    ),
    "event dropped under back-pressure": Mutation(
        "asn_events",
        "busy && (!m_axis_tvalid || m_axis_tready)",
        "busy && (1'b1 || m_axis_tready)",
        ("dense",),
        "pauses",
    ),
    "fifo overflows": Mutation("asn_events", "DEPTH - FLIGHT", "DEPTH + FLIGHT", ("analog_busy",), "pauses"),
    "addition to a word in flight": Mutation(
        "asn_accumulators", "!read && !hazard", "!read && (1'b1 || hazard)", ("dense_narrow",)
    ),
    "neurons updated too early": Mutation(
        "asn_control", "state == SETTLE && settled", "state == SETTLE && (1'b1 || settled)", ("dense_odd", "conv_pool")
    ),
    "pooling keeps the last window": Mutation(
        "asn_neurons", "tag[10][FIRST] ? LOWEST", "(tag[10][FIRST] && 1'b0) ? LOWEST", ("conv_pool",)
    ),
    "kernel column skipped": Mutation(
        "asn_scatter_conv",
        "32'(j) + STRIDE_COLUMNS >= KERNEL_COLUMNS ||",
        "32'(j) + STRIDE_COLUMNS >= KERNEL_COLUMNS - 1 ||",
        ("conv_pool",),
    ),
    "edge of the image wraps": Mutation("asn_scatter_conv", "|| ox == '0;", "|| (ox == '0 && 1'b0);", ("conv_stride",)),
    "pixel stored in the running image": Mutation(
        "asn_analog_stage", "{last_pixel, load_bank,", "{last_pixel, load_bank && 1'b0,", ("analog",)
    ),
    "corrective spike at its level": Mutation("asn_fire", "rectified < M4_W", "rectified <= M4_W"),
    "one step too long a wait": Mutation(
        "asn_neurons", "[FRESH] ? L_W'(ONSET)", "[FRESH] ? L_W'(ONSET + 1)", ("dense_odd",)
    ),
    "sign dropped in a convolution": Mutation(
        "asn_scatter_conv", "work_negative <= negative", "work_negative <= negative && 1'b0", ("conv_pool",)
    ),
    "sign of another lane": Mutation("asn_events", "{negative[lane],", "{negative[0],", ("dense_odd",)),
    "smallest output wins": Mutation("asn_readout_stage", "value > largest", "value < largest", ("readout",)),
}

MORE_MUTATIONS = {
    "corrective spike raises the response": Mutation(
        "asn_fire", "(HA_F - H_F)) - (R_W'(theta2)", "(HA_F - H_F)) + (R_W'(theta2)"
    ),
    "negative potential not rectified": Mutation("asn_fire", "s3[S_W-1] ? '0 :", "(s3[S_W-1] && 1'b0) ? '0 :"),
    "wait not counted anew": Mutation(
        "asn_neurons", "tag[12][FRESH] ? L_W'", "(tag[12][FRESH] && left != '0) ? L_W'", ("conv_padded_pool",)
    ),
    "sign of the next event": Mutation(
        "asn_scatter_dense",
        "work_negative <= event_negative",
        "work_negative <= event_negative && event_address[0]",
        ("dense_odd",),
    ),
    "sign a clock early": Mutation(
        "asn_accumulators", "negative2 <= negative1", "negative2 <= work_negative", ("dense_odd",)
    ),
}

ALL = MUTATIONS | MORE_MUTATIONS

SELDOM = {
    *MORE_MUTATIONS,
    *("one digit of shift and add", "saturates at the wrong end", "addition to a word in flight"),
    *("edge of the image wraps", "sign of another lane"),
}
"""Each takes a build of its own, and the everyday run has a time limit: these run with ``make test-slow``."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SELDOM else name for name in ALL]
)
def test_caught(name: str, tmp_path: Path) -> None:
    m = ALL[name]
    cores = core_sources()
    file = f"{m.core}.sv"
    assert cores[file].count(m.old) == 1
    cores[file] = cores[file].replace(m.old, m.new)
    if m.stages:
        cases = {case: STAGES[case] for case in m.stages}
        top, memories = stages_top(cases)
        environment = {"ASN_STAGES": ",".join(cases)}
        files = {**cores, "stages.sv": top, **memories}
        outcome = simulate("stages", "stages", files, tmp_path, environment=environment, test=m.test)
    else:
        environment = {"ASN_VECTORS": "600"}
        files = {**cores, **extra_sources(), "neurons.sv": neurons_top()}
        outcome = simulate("neurons", "neurons", files, tmp_path, environment=environment)
    assert (outcome.tests, outcome.failed) == (1, 1)
