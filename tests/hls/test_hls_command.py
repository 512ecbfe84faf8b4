"""The command ``snntb-adsnn hls`` on a small network that is made here."""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adsnn_hls.commands import hls as command
from adsnn_hls.cpp import Options, model_graph, project
from adsnn_hls.cpp.folder import MARK
from adsnn_hls.cpp.project import VECTOR_BYTES, ToolError, step_words
from adsnn_hls.fixed import FixedNetwork, simulate
from adsnn_hls.quantize import calibrate, quantize
from hls_nets import dense_net, pixels

from snntb_adsnn import cli
from snntb_adsnn.config import load_config
from snntb_adsnn.frontends.keras.activation import AAN
from snntb_adsnn.frontends.keras.compat import keras
from snntb_adsnn.measure.correction import correct_biases

STEPS = 12
L = keras.layers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a model and data."""
    path = tmp_path_factory.mktemp("net")
    keras.utils.set_random_seed(0)
    inputs = L.Input((5,))
    x = L.Activation(AAN(m_f=0.3), name="first")(L.BatchNormalization()(inputs))
    x = L.Activation(AAN(m_f=0.3), name="hidden")(L.Dense(6)(x))
    keras.Model(inputs, L.Dense(3, activation="softmax", name="last")(x)).save(path / "net.h5")
    a = L.Activation(AAN(m_f=0.3), name="a")(L.BatchNormalization()(inputs))
    b = L.Activation(AAN(m_f=0.3), name="b")(L.Dense(5)(a))
    keras.Model(inputs, L.Dense(3, name="last")(L.Add(name="join")([a, b]))).save(path / "residual.h5")
    rng = np.random.default_rng(0)
    for name, array in {
        "x_test": rng.random((8, 5)),
        "x_norm": rng.random((20, 5)),
        "y_test": np.eye(3)[np.arange(8) % 3],
    }.items():
        np.savez_compressed(path / f"{name}.npz", array)
    return path


def configuration(folder: Path, model: str = "net", **hls: Any) -> Path:
    file = folder / "net.ini"
    keys = "".join(f"{key} = {value}\n" for key, value in {"steps": STEPS, **hls}.items())
    file.write_text(f"[paths]\nfilename_ann = {model}\n[simulation]\nsimulator = adsnn\n[hls]\n{keys}")
    return file


def test_constants_and_bias_correction_of_the_section_hold_for_hardware_too(folder: Path, tmp_path: Path) -> None:
    for name in ("net.h5", "x_test.npz", "y_test.npz", "x_norm.npz"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    file = configuration(tmp_path)
    plain, data = command.load(load_config(file))
    file.write_text(file.read_text() + "[adsnn]\nm_f = hidden: 0.9\nbias_correction = 15\n")
    network, _ = command.load(load_config(file))
    assert [p.parameters.m_f for p in network.populations] == [0.3, 0.9]
    expected = correct_biases(plain.with_m_f({"hidden": 0.9}), data.x_norm[:15], trained=plain, slopes=True)
    assert not np.allclose(network.readout.bias, plain.readout.bias)
    np.testing.assert_array_equal(network.readout.bias, expected.readout.bias)


def run(*arguments: Any) -> int:
    """Exit code of ``snntb-adsnn hls ...``."""
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["snntb-adsnn", "hls", *map(str, arguments)])
            cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture(autouse=True)
def _quick_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    original = project.compile_project
    monkeypatch.setattr(command, "compile_project", lambda path: original(path, optimization=0))


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    """Project, JSON and printed text of one run, with --build and without a vendor tool."""
    output = tmp_path_factory.mktemp("out") / "project"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "TOOLS", {"vitis": "no-such-vitis", "vivado": "no-such-vivado"})
        original = project.compile_project
        patch.setattr(command, "compile_project", lambda path: original(path, optimization=0))
        printed = io.StringIO()
        file = configuration(
            folder, weights="7, readout: fixed<8,2>", io_type="io_parallel", reuse_factor="auto, hidden: 2"
        )
        file.write_text(file.read_text() + "[adsnn]\nonset = hidden: 3\ncorrective = 2.25\n")
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            code = run(file, "--output", output, "--csim", 3, "--json", output.parent / "figures.json", "--build")
    assert code == 2, printed.getvalue()
    return output, json.loads((output.parent / "figures.json").read_text()), printed.getvalue()


def test_figures(finished: tuple[Path, dict[str, Any], str]) -> None:
    output, figures, _ = finished
    fixed = FixedNetwork.load(output / "network.npz")
    assert [(s.neurons.onset, s.neurons.corrective) for s in fixed.spiking] == [(0, 9), (3, 9)]
    assert figures["mismatches"] == 0
    assert figures["images"] == 3
    assert figures["compared"] == 3 * STEPS * step_words(fixed)
    assert figures["accuracy_images"] == 8
    assert figures["warnings"] == []
    assert figures["widths"]["hidden"]["weights"].startswith("fixed<7,")
    assert figures["widths"]["readout"]["weights"].startswith("fixed<8,2,")
    assert figures["resources"]["total"]["neuron_updates_per_step"] == 11
    assert json.loads((output / "report.json").read_text())["compared"] == figures["compared"]


def test_accuracy_is_that_of_the_golden_model_on_the_test_images(
    finished: tuple[Path, dict[str, Any], str], folder: Path
) -> None:
    output, figures, _ = finished
    fixed = FixedNetwork.load(output / "network.npz")
    x = np.load(folder / "x_test.npz")["arr_0"]
    labels = np.load(folder / "y_test.npz")["arr_0"].argmax(axis=1)
    assert figures["golden_accuracy"] == simulate(fixed, fixed.pixels(x), STEPS).accuracy(labels)[-1]
    assert 0 <= figures["float_accuracy"] <= 1


def test_without_the_vendor_tool_the_message_says_what_to_do(finished: tuple[Path, dict[str, Any], str]) -> None:
    _, figures, printed = finished
    assert not figures["synthesis"]["done"]
    assert printed.splitlines()[-1].startswith("snntb-adsnn: There is no no-such-vitis on PATH")
    assert "install AMD Vitis" in printed
    assert "complete without it" in printed


def test_project_is_complete_and_names_no_temporary_folder(finished: tuple[Path, dict[str, Any], str]) -> None:
    output, _, _ = finished
    for name in ("build_prj.tcl", "firmware/adsnn.cpp", "adsnn_test.cpp", "tb_data/golden.bin", "csim.sh", MARK):
        assert (output / name).is_file(), name
    texts = [f.read_text() for f in output.rglob("*") if f.suffix in (".yml", ".sh", ".tcl", ".cpp", ".h", ".json")]
    assert not any(".project-" in text for text in texts)
    assert [p.name for p in output.parent.iterdir() if p.name.startswith(".")] == []


def test_vectors_stay_small(
    finished: tuple[Path, dict[str, Any], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    output, _, _ = finished
    fixed = FixedNetwork.load(output / "network.npz")
    monkeypatch.setattr(project, "VECTOR_BYTES", 8 * step_words(fixed) * 4)
    project.write_project(tmp_path, fixed, Options(steps=STEPS), np.zeros((3, 5), np.int64))
    about = json.loads((tmp_path / MARK).read_text())
    assert (about["vector_images"], about["vector_steps"]) == (1, 4)
    assert (tmp_path / "tb_data/golden.bin").stat().st_size == 8 * (5 + 5 + 4 * step_words(fixed))
    assert VECTOR_BYTES < 20_000_000


def test_ours_is_replaced_and_a_difference_gives_exit_code_1(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "project"
    output.mkdir()
    (output / MARK).write_text("{}")
    (output / "stale").write_text("")
    quick = command.compile_project

    def broken(path: Path) -> tuple[str, ...]:
        header = path / "firmware/nnet_utils/nnet_asn.h"
        header.write_text(header.read_text().replace("(excess + excess) - theta", "excess - theta"))
        return quick(path)

    monkeypatch.setattr(command, "compile_project", broken)
    assert run(configuration(folder), "--output", output, "--csim", 2, "--json", tmp_path / "f.json") == 1
    assert json.loads((tmp_path / "f.json").read_text())["mismatches"] > 0
    assert not (output / "stale").exists()
    assert "FAILED" in capsys.readouterr().out


def _fails(capsys: pytest.CaptureFixture[str], output: Path, *arguments: Any) -> str:
    before = sorted(output.rglob("*")) if output.exists() else None
    assert run(*arguments, "--output", output) == 2
    assert (sorted(output.rglob("*")) if output.exists() else None) == before
    assert not [p for p in output.parent.iterdir() if p.name.startswith(f".{output.name}-")]
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert "Traceback" not in message
    return message


@pytest.mark.parametrize(
    ("keys", "match"),
    [
        ({"part": "xc-nonsense"}, "xcvu13p"),
        ({"backend": "quartus"}, "'vitis', 'vivado' or 'rtl'"),
        ({"weights": "fixed<4,-9>"}, "do not fit"),
        ({"weights": "8, nobody: 4"}, "nobody"),
        ({"current": "100"}, "choose"),
        ({"reuse_factor": "auto, nobody: 2"}, "nobody"),
        ({"weights": "fixed<8,1"}, "fixed"),
        ({"model": "residual"}, "chain"),
        ({"model": "missing"}, "missing.h5"),
        ({"multiplier_free": "True"}, "multiplier-free"),
        ({"stepz": "4"}, "stepz"),
    ],
)
def test_bad_settings_are_one_sentence(
    keys: dict[str, str], match: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert match in _fails(capsys, tmp_path / "project", configuration(folder, **keys))


def test_a_foreign_folder_is_left_alone(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter").write_text("mine")
    assert "left as it is" in _fails(capsys, tmp_path / "thesis", configuration(folder))


def test_no_compiler(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert "install g++" in _fails(capsys, tmp_path / "project", configuration(folder))


def test_too_many_images(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = configuration(folder)
    assert "8 test images" in _fails(capsys, tmp_path / "project", file, "--csim", 9)
    assert "not in the range x>=1" in _fails(capsys, tmp_path / "project", file, "--csim", 0)


def test_search_needs_training_data(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "[training]" in _fails(capsys, tmp_path / "project", configuration(folder), "--search")


_REPORT = """<profile><PerformanceEstimates><SummaryOfTimingAnalysis>
<EstimatedClockPeriod>3.5</EstimatedClockPeriod></SummaryOfTimingAnalysis>
<SummaryOfOverallLatency><Best-caseLatency>12</Best-caseLatency><Worst-caseLatency>12</Worst-caseLatency>
<Interval-min>1</Interval-min><Interval-max>1</Interval-max></SummaryOfOverallLatency></PerformanceEstimates>
<UserAssignments><TargetClockPeriod>5.0</TargetClockPeriod></UserAssignments>
<AreaEstimates><Resources><BRAM_18K>1</BRAM_18K><DSP>7</DSP><FF>100</FF><LUT>200</LUT><URAM>0</URAM></Resources>
<AvailableResources><BRAM_18K>5376</BRAM_18K><DSP>12288</DSP><FF>3456000</FF><LUT>1728000</LUT><URAM>1280</URAM>
</AvailableResources></AreaEstimates></profile>"""


def _model(folder: Path) -> Any:
    """hls4ml's model of some network, written."""
    network = dense_net((3, 3))
    model = model_graph(quantize(network, calibrate(network, pixels(network), 3)), Options(), str(folder))
    model.write()
    return model


def _tool(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = folder / "vitis-run"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_build_runs_the_tool_and_reads_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/report.xml").write_text(_REPORT)
    reports = "adsnn_prj/solution1/syn/report"
    app = '<project><solutions><solution name="solution1"/></solutions></project>'
    script = (
        f"mkdir -p {reports}\necho '{app}' > adsnn_prj/hls.app\ncp {tmp_path}/bin/report.xml {reports}/adsnn_csynth.xml"
    )
    _tool(tmp_path / "bin", script, monkeypatch)
    model = _model(tmp_path / "project")
    found = command.synthesize(model, "vitis", tmp_path / "project")
    assert found["done"]
    assert found["CSynthesisReport"]["DSP"] == "7"


def test_a_failing_tool_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    _tool(tmp_path / "bin", "exit 3", monkeypatch)
    with pytest.raises(ToolError, match="vitis-run failed"):
        command.synthesize(_model(tmp_path / "project"), "vitis", tmp_path / "project")


@pytest.mark.slow
def test_search_on_iris(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "configs"
    text = (source / "iris.ini").read_text().replace("../runs", str(tmp_path / "runs")).partition("\n[hls]")[0]
    file = tmp_path / "iris.ini"
    file.write_text(text.replace("models/", f"{source}/models/") + "\n[hls]\nsteps = 60\nmax_loss = 10\n")
    output = tmp_path / "project"
    assert run(file, "--output", output, "--csim", 2, "--search", "--json", tmp_path / "figures.json") == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["mismatches"] == 0
    before, after = figures["search"]["memory_bits"]
    assert after < before
    assert (output / "precision.png").stat().st_size > 5000
