"""An ONNX file goes where a Keras file goes: SNN Toolbox's flow, and all commands; its answers are onnxruntime's."""

import json
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx_models import Graph
from test_toolbox_command import environment, snntoolbox

from snntb_adsnn import cli, convert
from snntb_adsnn.run import load
from snntb_adsnn.toolbox import run

IMAGES = 20


def net(seed=0):
    """Two convolutions, pooling, a flattening and a softmax, as an exporter writes them."""
    g = Graph(3, 8, 8, seed=seed)
    h = g.add("MaxPool", g.add("Relu", g.conv("x", 3, 6, pads=[1] * 4)), kernel_shape=[2, 2], strides=[2, 2])
    h = g.add("Flatten", g.add("Relu", g.conv(h, 6, 5, strides=[2, 2], pads=[1] * 4)))
    return g.model(g.add("Softmax", g.dense(h, 20, 4)))


def answers(model, x):
    """What onnxruntime computes."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


X = np.random.default_rng(1).normal(0.3, 1, (IMAGES, 3, 8, 8)).astype(np.float32)
Y = np.random.default_rng(2).integers(0, 4, IMAGES)


def write(folder, model, *, x=X, **sections):
    """Model, data and a configuration, whose file is returned."""
    onnx.save(model, folder / "net.onnx")
    np.savez_compressed(folder / "x_test.npz", x)
    np.savez_compressed(folder / "y_test.npz", np.eye(4)[Y])
    np.savez_compressed(folder / "x_norm.npz", x[::-1])
    texts = {
        "paths": {"filename_ann": "net"},
        "simulation": {"simulator": "adsnn", "duration": 60, "num_to_test": IMAGES, "batch_size": 7},
        "adsnn": {"engine": "reference", "plots": False},
        "output": {"log_vars": "{'input_b_l_t', 'activations_n_b_l'}"},
    }
    for name, keys in sections.items():
        texts[name] = {**texts.get(name, {}), **keys}
    lines = [
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) for name, keys in texts.items()
    ]
    (folder / "c.ini").write_text("\n".join(lines))
    return folder / "c.ini"


def results(folder):
    return json.loads((folder / "log/gui/test/results.json").read_text())


def test_plain_snntoolbox(tmp_path):
    """Parse, convert, simulate, logs and plots, in a process of its own."""
    model = net()
    file = write(tmp_path, model, input={"model_lib": "onnx"}, output={"plot_vars": "{'error_t', 'spikerates'}"})
    done = snntoolbox(file)
    assert done.returncode == 0, done.stderr
    expected = answers(model, X)
    right = (expected.argmax(axis=1) == Y).mean()
    assert 0 < right < 1
    assert done.stdout.count(f"Top-1 accuracy: {right:.2%}") == 3  # input model, and twice the parsed one
    found = results(tmp_path)
    assert found["ann_accuracy"] == pytest.approx(right)
    assert found["num_images"] == IMAGES
    for name in ("net_parsed.onnx", "net_adsnn.npz", "log/gui/test/log_vars/2.npz"):
        assert (tmp_path / name).is_file()
    assert not (tmp_path / "net_parsed.h5").exists()
    assert list((tmp_path / "log/gui/test").glob("*.png"))
    np.testing.assert_array_equal(answers(onnx.load(tmp_path / "net_parsed.onnx"), X), expected)


@pytest.mark.parametrize("library", ["onnx", "pytorch", "adsnn", ""])
def test_run_in_both_layouts_gives_the_same(tmp_path, library):
    """``pytorch`` means the file that PyTorch exports."""
    model, found = net(), []
    for name, x in (("first", X), ("last", np.moveaxis(X, 1, -1))):
        (tmp_path / name).mkdir()
        run(write(tmp_path / name, model, x=x, input={"model_lib": library}))
        found.append(results(tmp_path / name))
    first, last = found
    assert first["ann_accuracy"] == pytest.approx((answers(model, X).argmax(axis=1) == Y).mean())
    for key in ("ann_accuracy", "snn_accuracy", "firing_rate_hz", "agreement_with_ann"):
        assert first[key] == pytest.approx(last[key], rel=1e-6), key


def test_steps_one_by_one_and_a_model_that_changes(tmp_path, capsys):
    run(write(tmp_path, net()))
    whole = results(tmp_path)
    run(write(tmp_path, net(), tools={"parse": False, "evaluate_ann": False}))
    run(write(tmp_path, net(), tools={"parse": False, "convert": False, "evaluate_ann": False}))
    for key in ("ann_accuracy", "snn_accuracy", "firing_rate_hz"):
        assert results(tmp_path)[key] == whole[key]
    file = write(tmp_path, net(seed=1), tools={"parse": False, "convert": False, "evaluate_ann": False})
    with pytest.raises(Exception, match=r"net\.onnx has changed since .*net_adsnn\.npz was made from it"):
        run(file)


def test_weights_in_a_file_of_their_own_are_a_part_of_the_model(tmp_path):
    def save(seed):
        file = write(tmp_path, net(seed), tools={"simulate": False, "evaluate_ann": False})
        (tmp_path / "w.bin").unlink(missing_ok=True)
        onnx.save(net(seed), tmp_path / "net.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
        return file

    run(save(0))
    np.testing.assert_array_equal(
        answers(onnx.load(tmp_path / "net_parsed.onnx", load_external_data=False), X), answers(net(0), X)
    )
    weights = (tmp_path / "w.bin").read_bytes()
    save(0)
    assert (tmp_path / "w.bin").read_bytes() == weights
    (tmp_path / "w.bin").write_bytes(weights[:-4] + b"\0\0\0\0")
    text = (tmp_path / "c.ini").read_text().replace("[tools]", "[tools]\nparse = False")
    (tmp_path / "c.ini").write_text(text)
    with pytest.raises(Exception, match=r"net\.onnx has changed since .*net_parsed\.onnx was made from it"):
        run(tmp_path / "c.ini")


def test_pretrained(tmp_path):
    """Brought to the working folder, with the file of its weights."""
    model = net()
    file = write(tmp_path, model, paths={"path_wd": "wd", "dataset_path": "."}, adsnn={"pretrained": "shipped.onnx"})
    (tmp_path / "net.onnx").unlink()
    onnx.save(model, tmp_path / "shipped.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    run(file)
    assert results(tmp_path / "wd")["ann_accuracy"] == pytest.approx((answers(net(), X).argmax(axis=1) == Y).mean())
    assert {"net.onnx", "net_parsed.onnx", "w.bin"} < {path.name for path in (tmp_path / "wd").iterdir()}


# ---- without the toolbox -----------------------------------------------------------------------------------------------


def test_parts_of_a_run(tmp_path):
    model = net()
    loaded = load(write(tmp_path, model))
    np.testing.assert_array_equal(loaded.ann(X), answers(model, X).argmax(axis=1))
    np.testing.assert_allclose(loaded.trained.analog(X), answers(model, X), atol=1e-5)
    assert [node.name for node in loaded.trained.nodes] == [node.name for node in convert(model, X).nodes]


STUDIES = {
    "sweep": {"sweep": {"m_f": "0.1, 0.4"}},
    "arousal": {
        "arousal": {"threshold": 0.05, "m_f_low": 0.5, "m_f_high": 0.1, "waiting_time": 10, "accumulation_time": 20}
    },
}
BLOCKED = """import sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "tf_keras", "keras", "torch"):
            raise RuntimeError(f"{name} was imported")
sys.meta_path.insert(0, Refused())
from snntb_adsnn.cli import main
main()
"""


@pytest.mark.parametrize("command", STUDIES)
def test_studies_import_no_other_framework(tmp_path, command):
    file = write(tmp_path, net(), **STUDIES[command])
    words = [sys.executable, "-c", BLOCKED, command, str(file)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment(), timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_hardware_refuses_relu_by_name(tmp_path, capsys, monkeypatch):
    file = write(tmp_path, net())
    monkeypatch.setattr(sys, "argv", ["snntb-adsnn", "hls", str(file), "--output", str(tmp_path / "p"), "--csim", "1"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert "relu" in (said := capsys.readouterr().err)
    assert "Traceback" not in said


# ---- wrong on purpose --------------------------------------------------------------------------------------------------


def test_a_parsed_model_that_answers_otherwise_is_refused(tmp_path, monkeypatch):
    from snntb_adsnn.frontends.onnx import reader
    from snntb_adsnn.frontends.onnx.model import OnnxModel

    monkeypatch.setattr(reader, "copied", lambda model, top_k: OnnxModel(net(seed=3)))
    with pytest.raises(Exception, match=r"after parsing the model deviates by .* on 20 test inputs"):
        run(write(tmp_path, net()))
