"""The generated C++ against the golden model: every spike, every state word, every output. Needs g++."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from adsnn_hls.arithmetic import FixedType, Words
from adsnn_hls.arithmetic.powers import multiplier_free_parameters
from adsnn_hls.cpp import Options, model_graph, register
from adsnn_hls.cpp.folder import MARK, replaced_folder
from adsnn_hls.cpp.project import (
    Comparison,
    ToolError,
    compile_project,
    run_csim,
    step_words,
    write_project,
)
from adsnn_hls.cpp.register import BACKENDS, HEADERS
from adsnn_hls.cpp.resources import resources
from adsnn_hls.fixed import FixedNetwork
from adsnn_hls.quantize import Widths, calibrate, quantize
from hls_nets import NETWORKS, PARAMETERS, dense_net, fixed_networks, pixels
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from snntb_adsnn.errors import NetworkError, OutputError, ParameterError
from snntb_adsnn.network.maps import Window

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
STEPS = 25


def quantised(name: str, seed: int = 0, widths: Widths | None = None) -> tuple[FixedNetwork, Words]:
    network = NETWORKS[name](seed)
    x = pixels(network, 3)
    fixed = quantize(network, calibrate(network, x, STEPS), widths)
    return fixed, fixed.pixels(x)


def compared(folder: Path, fixed: FixedNetwork, images: Words, options: Options) -> Comparison:
    """Write, compile and run a project."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_project(folder, fixed, options, images)
    warnings = compile_project(folder, optimization=0)
    return run_csim(folder, fixed, images, options.steps, warnings)[0]


def check(result: Comparison, fixed: FixedNetwork, images: Words, steps: int) -> None:
    assert result.mismatches == 0, result.log
    assert result.compared == len(images) * steps * step_words(fixed)
    assert result.warnings == ()


def spike_total(fixed: FixedNetwork, images: Words) -> int:
    from adsnn_hls.fixed import simulate

    return min(int(counts.sum()) for counts in simulate(fixed, images, STEPS).spike_counts.values())


def corrective_totals(fixed: FixedNetwork, images: Words) -> list[int]:
    from adsnn_hls.fixed import simulate

    return [int(counts.sum()) for counts in simulate(fixed, images, STEPS).corrective_counts.values()]


# between them: both backends and io types, all stages, both strategies, shared and unshared neurons
CASES = {
    "conv, io_stream, Vitis": ("conv", Options("vitis", io_type="io_stream", steps=STEPS)),
    "conv, io_parallel, Vivado": (
        "overlapping, strided, padded",
        Options("vivado", io_type="io_parallel", steps=STEPS, reuse_factor=3),
    ),
    "dense, io_parallel, Vitis, resource": (
        "deep",
        Options("vitis", io_type="io_parallel", steps=STEPS, strategy="resource", reuse_factor=2),
    ),
}
MORE_CASES = {
    "geometry, io_stream, Vivado": ("overlapping, strided, padded", Options("vivado", steps=STEPS, reuse_factor=2)),
    "conv, io_parallel, Vitis": ("conv", Options("vitis", io_type="io_parallel", steps=STEPS, strategy="latency")),
    "conv, io_stream, Vivado, resource": ("conv", Options("vivado", steps=STEPS, strategy="resource", reuse_factor=6)),
    "average, io_stream, Vitis": ("average behind neurons", Options("vitis", steps=STEPS)),
    "pooled input, io_stream, Vitis": ("pooled input", Options("vitis", steps=STEPS)),
    "pooled input, io_parallel, Vivado": ("pooled input", Options("vivado", io_type="io_parallel", steps=STEPS)),
    "dense, io_stream, Vivado": ("dense", Options("vivado", steps=STEPS, reuse_factor=5)),
}


@pytest.mark.parametrize("name", CASES)
def test_every_word_agrees(name: str, tmp_path: Path) -> None:
    kind, options = CASES[name]
    fixed, images = quantised(kind)
    assert spike_total(fixed, images) > 0, "a silent network proves little"
    assert all(corrective > 0 for corrective in corrective_totals(fixed, images))
    check(compared(tmp_path / "project", fixed, images, options), fixed, images, STEPS)


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE_CASES)
def test_every_word_agrees_in_more_cases(name: str, tmp_path: Path) -> None:
    kind, options = MORE_CASES[name]
    fixed, images = quantised(kind, seed=2)
    check(compared(tmp_path / "project", fixed, images, options), fixed, images, STEPS)


@pytest.mark.slow
@pytest.mark.parametrize("io_type", ["io_stream", "io_parallel"])
def test_both_poolings_on_twenty_images_of_150_steps(io_type: str, tmp_path: Path) -> None:
    network = NETWORKS["conv"](5)
    x = pixels(network, 20)
    fixed = quantize(network, calibrate(network, x, 150))
    options = Options(io_type=io_type, steps=150)
    check(compared(tmp_path / "project", fixed, fixed.pixels(x), options), fixed, fixed.pixels(x), 150)


_OPTIONS = st.builds(
    Options,
    backend=st.sampled_from(["vitis", "vivado"]),
    io_type=st.sampled_from(["io_stream", "io_parallel"]),
    strategy=st.sampled_from(["auto", "latency", "resource"]),
    reuse_factor=st.integers(0, 7),
    steps=st.just(STEPS),
)


def _sweep(network: tuple[FixedNetwork, Words], options: Options, folder: Path) -> None:
    fixed, images = network
    check(compared(folder, fixed, images, options), fixed, images, STEPS)


# no shrinking: every attempt compiles
@settings(max_examples=3, phases=[Phase.generate], derandomize=True, suppress_health_check=list(HealthCheck))
@given(network=fixed_networks(), options=_OPTIONS)
def test_random_networks_types_and_modes(
    network: tuple[FixedNetwork, Words], options: Options, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _sweep(network, options, tmp_path_factory.mktemp("random") / "project")


@pytest.mark.slow
@settings(max_examples=40, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(network=fixed_networks(), options=_OPTIONS)
def test_many_random_networks_types_and_modes(
    network: tuple[FixedNetwork, Words], options: Options, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _sweep(network, options, tmp_path_factory.mktemp("random") / "project")


def test_multiplier_free_neurons_are_shifts_and_additions(tmp_path: Path) -> None:
    network = dense_net(parameters=multiplier_free_parameters(PARAMETERS, terms=2))
    x = pixels(network, 3)
    fixed = quantize(network, calibrate(network, x, STEPS), multiplier_free=True)
    options = Options(steps=STEPS)
    check(compared(tmp_path / "project", fixed, fixed.pixels(x), options), fixed, fixed.pixels(x), STEPS)
    parameters = (tmp_path / "project/firmware/parameters.h").read_text()
    assert parameters.count("shift_add = true") == len(fixed.stages)
    assert resources(fixed, options)["layers"][fixed.stages[1].name]["multipliers"] == 0


# ---- does the comparison see a difference? -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FixedNetwork, Words, Options]:
    """A compiled project of the dense network."""
    folder = tmp_path_factory.mktemp("mutants") / "project"
    fixed, images = quantised("dense")
    options = Options(steps=STEPS)
    check(compared(folder, fixed, images, options), fixed, images, STEPS)
    return folder, fixed, images, options


def run_testbench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["./csim", *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_testbench_passes_on_the_project_s_own_vectors(project: tuple[Path, FixedNetwork, Words, Options]) -> None:
    done = run_testbench(project[0])
    assert done.returncode == 0
    assert "PASSED: images 3" in done.stdout


def test_testbench_fails_when_one_word_is_changed(
    project: tuple[Path, FixedNetwork, Words, Options], tmp_path: Path
) -> None:
    folder, fixed, images, _ = project
    words = np.fromfile(folder / "tb_data/golden.bin", "<i8")
    sizes = [size for s in fixed.spiking for size in (s.neurons.size,) * 5] + [fixed.readout.classes] * 3
    start = 5 + images[0].size + 7 * step_words(fixed)  # the eighth step of the first image
    for offset in np.cumsum([0, *sizes[:-1]]):
        changed = words.copy()
        changed[start + offset] += 1
        changed.tofile(tmp_path / "changed.bin")
        done = run_testbench(folder, str(tmp_path / "changed.bin"))
        assert done.returncode == 1
        assert "mismatches 1\n" in done.stdout
        assert "image 0, step 7" in done.stdout


def test_testbench_fails_on_damaged_vectors(project: tuple[Path, FixedNetwork, Words, Options], tmp_path: Path) -> None:
    words = np.fromfile(project[0] / "tb_data/golden.bin", "<i8")
    for name, damaged in {
        "short": words[:-1],
        "empty": words[:0],
        "no image": np.r_[words[0], 0, words[2:]],
        "other network": np.r_[words[:4], words[4] + 1, words[5:]],
        "no magic": np.r_[0, words[1:]],
    }.items():
        damaged.tofile(tmp_path / "damaged.bin")
        done = run_testbench(project[0], str(tmp_path / "damaged.bin"))
        assert done.returncode == 1, name
        assert "FAILED" in done.stdout
    assert run_testbench(project[0], "missing.bin").returncode == 1


def test_one_lsb_of_a_coefficient_and_a_warning_of_ours_are_seen(
    project: tuple[Path, FixedNetwork, Words, Options], tmp_path: Path
) -> None:
    folder, fixed, images, _ = project
    changed = tmp_path / "changed"
    shutil.copytree(folder, changed)
    file = changed / "firmware/parameters.h"
    k_eta = fixed.spiking[1].neurons.k_eta
    head, found, tail = file.read_text().rpartition(f"k_eta = {k_eta}UL")
    assert found
    file.write_text(f"{head}k_eta = {k_eta + 1}UL{tail}")
    header = changed / "firmware/nnet_utils/nnet_asn.h"
    header.write_text(
        header.read_text().replace("    #pragma HLS INLINE\n    return V +", "    int unused;\n    return V +")
    )
    warnings = compile_project(changed, optimization=0)
    assert warnings
    assert "nnet_asn.h" in warnings[0]
    result, _ = run_csim(changed, fixed, images, STEPS)
    assert result.mismatches > 0
    assert not result.passed
    assert run_testbench(changed).returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize("factor", ["k_beta", "g_phi", "k_eta", "k_gamma", "m_gamma", "theta0"])
def test_one_lsb_of_each_constant_is_seen(
    factor: str, project: tuple[Path, FixedNetwork, Words, Options], tmp_path: Path
) -> None:
    folder, fixed, images, _ = project
    changed = tmp_path / "changed"
    shutil.copytree(folder, changed)
    file = changed / "firmware/parameters.h"
    word = getattr(fixed.spiking[1].neurons, factor)
    head, found, tail = file.read_text().rpartition(f"{factor} = {word}UL;\n")
    assert found
    file.write_text(f"{head}{factor} = {word + 1}UL;\n{tail}")
    compile_project(changed, optimization=0)
    assert run_csim(changed, fixed, images, STEPS)[0].mismatches > 0


def test_as_for_synthesis_it_compiles_without_warnings_as_cpp_11(
    project: tuple[Path, FixedNetwork, Words, Options],
) -> None:
    # __SYNTHESIS__ itself is refused by hls4ml's ap_types
    flags = "-std=c++11 -fsyntax-only -DADSNN_NO_PROBE -Wall -Wextra -Wno-unknown-pragmas -Wno-unused-label"
    command = ["g++", *flags.split(), "-isystem", "firmware/ap_types", '-DWEIGHTS_DIR=""', "firmware/adsnn.cpp"]
    done = subprocess.run(command, cwd=project[0], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if "warning:" in line and "nnet_asn" in line]


def test_a_compile_error_is_one_sentence(project: tuple[Path, FixedNetwork, Words, Options], tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(project[0], changed)
    (changed / "firmware/adsnn.cpp").write_text("nonsense")
    with pytest.raises(ToolError, match="compiler stopped"):
        compile_project(changed, optimization=0)


# ---- hls4ml --------------------------------------------------------------------------------------------------------


def test_hls4ml_s_own_compile_and_predict(tmp_path: Path) -> None:
    from adsnn_hls.fixed import simulate

    fixed, images = quantised("dense")
    model = model_graph(fixed, Options(io_type="io_parallel", steps=STEPS), str(tmp_path / "project"))
    model.compile()
    reset = np.tile(np.eye(1, STEPS).T, (len(images), 1))
    found = model.predict([np.repeat(images, STEPS, axis=0).astype(np.float64), reset])
    words = found.reshape(len(images), STEPS, -1) * 2.0**fixed.readout.potential.fraction
    np.testing.assert_array_equal(words, simulate(fixed, images, STEPS).outputs)


def test_nothing_happens_at_import_and_register_is_idempotent() -> None:
    code = """
import sys
import adsnn_hls.cpp.project
assert not {"hls4ml", "tensorflow", "keras"} & set(sys.modules)
adsnn_hls.cpp.register()
import hls4ml
from hls4ml.model.layers import layer_map
before = dict(layer_map)
adsnn_hls.cpp.register()
assert dict(layer_map) == before and "ASN" in before
assert "tensorflow" not in sys.modules
"""
    path = os.pathsep.join(filter(None, sys.path))
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": path})


def test_headers_are_registered_on_both_backends() -> None:
    import hls4ml

    register()
    for name in BACKENDS:
        sources = hls4ml.backends.get_backend(name).get_custom_source()
        assert {f"nnet_utils/{header}" for header in HEADERS} <= set(sources)


def test_long_sums_are_shared_and_short_ones_are_not() -> None:
    from adsnn_hls.cpp.layer_list import UNROLL_LIMIT, layer_list

    network = dense_net((90, 80, 10))
    fixed = quantize(network, calibrate(network, pixels(network), 5))
    config = layer_list(fixed, Options()).config
    long, short = (config[name] for name in config if name.endswith("_synapses"))
    assert long["Strategy"] == "Resource"
    assert 90 * 80 / long["ReuseFactor"] <= UNROLL_LIMIT
    assert short == {**short, "Strategy": "Latency", "ReuseFactor": 1}


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"backend": "quartus"}, "vitis or vivado"),
        ({"part": "xc-nonsense"}, "xcvu13p-flga2577-2-e"),
        ({"io_type": "serial"}, "io_stream or io_parallel"),
        ({"clock_ns": float("nan")}, "period"),
        ({"steps": 0}, "choose 1"),
        ({"reuse_factor": -1}, "below 1"),
        ({"strategy": "fast"}, "latency"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        Options(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "part", ["xcvu13p-flga2577-2-e", "xc7z020clg400-1", "xcku115-flvb2104-2-i", "xck26-sfvc784-2LV-c", "xcvc1902-vsva2197-2MP-e-S", "xczu7ev-ffvc1156-2-e", "xc7a100tcsg324-1", "xcau25p-ffvb676-2-e", "xa7z020clg484-1I"]
)  # fmt: skip
def test_real_parts_are_accepted(part: str) -> None:
    assert Options(part=part).part == part


def test_unknown_layer_and_dilated_pooling_are_refused() -> None:
    fixed, _ = quantised("pooled input")
    with pytest.raises(ParameterError, match="unknown layers"):
        model_graph(fixed, Options(reuse_factor={"nobody": 2}))
    neurons = fixed.analog.neurons
    dilated = dataclasses.replace(neurons, pool=Window((2, 2), (1, 1), dilation=(4, 4)))
    analog = dataclasses.replace(
        fixed.analog, neurons=dataclasses.replace(dilated, pool=dataclasses.replace(dilated.pool, strides=(1, 1)))
    )
    other = dense_net((4, 3))
    last = quantize(other, calibrate(other, pixels(other), 5)).readout
    with pytest.raises(NetworkError, match="dilated pooling"):
        model_graph(FixedNetwork((analog, last)), Options())


# ---- folders -------------------------------------------------------------------------------------------------------


def test_folder_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    with replaced_folder(folder) as new:
        (new / MARK).write_text("{}")
        (new / "old").write_text("old")
    with pytest.raises(ZeroDivisionError), replaced_folder(folder) as new:
        (new / "half").write_text(str(1 / 0))
    assert sorted(p.name for p in folder.iterdir()) == sorted([MARK, "old"])
    with replaced_folder(folder) as new:
        (new / MARK).write_text("{}")
        assert (folder / "old").exists()
    assert [p.name for p in folder.iterdir()] == [MARK]
    assert [p.name for p in tmp_path.iterdir()] == ["project"]


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(folder)
    for path in (folder, tmp_path / "file", tmp_path / "link", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match=r"choose\s+another"), replaced_folder(path):
            raise AssertionError("never entered")
    assert (folder / "chapter").read_text() == "mine"


def test_counts_of_resources() -> None:
    fixed, _ = quantised("dense")
    found = resources(fixed, Options(io_type="io_parallel", reuse_factor=4))
    first, hidden, last = found["layers"].values()
    assert first == {
        "multipliers": 3 * 5,
        "adders": 0,
        "weight_bits": 0,
        "state_bits": 12 * 4 * 18,
        "neuron_updates_per_step": 12,
    }
    assert hidden["weight_bits"] == 12 * 16 * 8
    assert hidden["adders"] == 12 * 16 // 4
    assert last["multipliers"] == 2 * 10
    assert found["total"]["neuron_updates_per_step"] == 12 + 16
    assert "not synthesised" in found["note"]


def test_output_type_holds_the_sum() -> None:
    fixed, _ = quantised("dense")
    last = dataclasses.replace(fixed.readout, bias_type=FixedType(30, 30 - fixed.readout.potential.fraction))
    kind = last.output_type
    assert kind.fraction == last.potential.fraction
    assert kind.high >= last.potential.high + last.bias_type.high
    assert kind.low <= last.potential.low + last.bias_type.low
