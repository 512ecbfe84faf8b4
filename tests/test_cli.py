"""The command line: exit codes, one sentence for each mistake, and a quick start."""

import json
import subprocess
import sys
import types
from pathlib import Path

import pytest

from snntb_adsnn import __version__, cli
from snntb_adsnn.errors import DataError
from snntb_adsnn.files import check_writable

TRAINABLE = (
    "[paths]\npath_wd = run\ndataset_path = data\nfilename_ann = net\n"
    "[training]\ndataset = iris\narchitecture = iris\nepochs = 2\n"
)


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the command in this process; returns exit code, standard output and standard error."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["snntb-adsnn", *map(str, arguments)])
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code
        else:
            code = 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "c.ini"
    path.write_text(TRAINABLE)
    return path


def test_train(call, config, tmp_path):
    code, out, _ = call("train", config)
    assert code == 0
    assert f"model: {tmp_path}/run/net.h5" in out
    log = json.loads((tmp_path / "run" / "net_training.json").read_text())
    assert f"{log['test_accuracy']:.2%} on 50 inputs after 2 epochs" in out


def test_version_and_help(call):
    assert call("--version") == (0, f"snntb-adsnn, version {__version__}\n", "")
    code, out, _ = call("--help")
    assert code == 0
    assert "train" in out
    assert "run" in out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["train"], "Missing argument 'CONFIG'"),
        (["fly"], "No such command 'fly'"),
        (["train", "none.ini"], "no such configuration file"),
        (["run", "none.ini"], "no such configuration file"),
        (["train", "c.ini", "--epochs"], "No such option"),
    ],
)
def test_mistakes_exit_with_2_and_one_message(call, arguments, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*arguments)
    assert code == 2
    assert out == ""
    assert reason in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", [["run"], ["hls", "--output", "project"], ["cosim"]], ids=lambda c: c[0])
@pytest.mark.parametrize("file", ["", "c.ini/figures.json", "x" * 300])
def test_json_that_cannot_be_written_is_found_before_any_work(call, config, command, file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config.write_text("[paths]\n")  # any work would say that filename_ann is missing
    code, out, err = call(command[0], "c.ini", *command[1:], "--json", tmp_path / file)
    assert (code, out) == (2, "")
    assert f"{tmp_path / file}: cannot be written (" in err
    assert len(err.strip().splitlines()) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["c.ini"]


@pytest.mark.parametrize("file", ["new/folder/figures.json", "c.ini", "/dev/null"])
def test_json_that_can_be_written_leaves_nothing_before_the_work(file, config, tmp_path):
    assert check_writable(tmp_path / file) == tmp_path / file
    assert [entry.name for entry in tmp_path.iterdir()] == ["c.ini"]


def test_train_without_training_section(call, tmp_path):
    path = tmp_path / "c.ini"
    path.write_text("[paths]\nfilename_ann = net\n")
    code, _, err = call("train", path)
    assert code == 2
    assert "no section [training]" in err


def fake_toolbox(monkeypatch, run):
    module = types.ModuleType("snntb_adsnn.toolbox")
    module.run = run
    monkeypatch.setitem(sys.modules, "snntb_adsnn.toolbox", module)


def test_run_hands_over_to_the_toolbox(call, config, monkeypatch):
    seen = []
    fake_toolbox(monkeypatch, lambda loaded, json_copy, **where: seen.append((loaded.file, json_copy, where)))
    assert call("run", config, "--json", "r.json")[0] == 0
    assert call("run", config)[0] == 0
    assert call("run", config, "--workers", "3")[0] == call("run", config, "--scheduler", "tcp://a:1")[0] == 0
    assert call("run", config, "--workers", "0")[0] == 2
    none = {"scheduler": None, "workers": None}
    assert seen == [
        *((config, Path("r.json"), none), (config, None, none)),
        *((config, None, {**none, "workers": 3}), (config, None, {**none, "scheduler": "tcp://a:1"})),
    ]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (DataError("labels do not fit."), 2, "snntb-adsnn: labels do not fit.\n"),
        (KeyboardInterrupt(), 130, "snntb-adsnn: stopped by Ctrl-C; no half-written file is left.\n"),
    ],
)
def test_errors_of_a_run(call, config, monkeypatch, error, code, message):
    def run(path, json_copy, **where):
        raise error

    fake_toolbox(monkeypatch, run)
    result = call("run", config)
    assert result[0] == code
    assert result[2].lstrip("\n") == message


def test_a_bug_keeps_its_traceback(call, config, monkeypatch):
    def run(path, json_copy, **where):
        raise ZeroDivisionError

    fake_toolbox(monkeypatch, run)
    with pytest.raises(ZeroDivisionError):
        call("run", config)


def test_help_loads_nothing_that_is_slow_to_import():
    program = (
        "import sys; sys.argv = ['snntb-adsnn', '--help']\n"
        "from snntb_adsnn.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "slow = {'tensorflow', 'tf_keras', 'numba', 'sklearn', 'matplotlib', 'pydantic', 'snntoolbox', 'rich', 'h5py'}\n"
        "print(sorted((slow | {'importlib.metadata', 'filelock', 'distributed'}) & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
