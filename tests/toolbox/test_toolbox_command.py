"""The command ``snntoolbox``, as a user calls it after installation, each in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib.metadata import files

import pytest
from toolbox_cases import dense_net, write_case

COMMAND = [sys.executable, "-c", "import sys; from snntoolbox.bin.run import main; sys.exit(main())", "-t"]
"""What the console script ``snntoolbox`` does, whatever the PATH."""


def environment(**changes):
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "SNNTB_"))}
    return {**plain, "CUDA_VISIBLE_DEVICES": "", **changes}


def snntoolbox(file, **changes):
    return subprocess.run(
        [*COMMAND, str(file)], cwd="/", env=environment(**changes), capture_output=True, text=True, timeout=120
    )


def test_run(tmp_path):
    done = snntoolbox(write_case(tmp_path, dense_net()))
    assert done.returncode == 0, done.stderr
    assert "firing rate" in done.stdout
    assert not done.stderr.strip(), "TensorFlow's start-up lines"
    assert json.loads((tmp_path / "log/gui/test/results.json").read_text())["num_images"] == 23


def test_mistake_is_one_sentence_and_exit_code_2(tmp_path):
    done = snntoolbox(write_case(tmp_path, dense_net(), {"adsnn": {"m_f": "none"}}))
    assert done.returncode == 2
    assert "m_f = none is not allowed" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_misspelt_simulator_is_guessed(tmp_path):
    done = snntoolbox(write_case(tmp_path, dense_net(), {"simulation": {"simulator": "adssn"}}))
    assert done.returncode == 2
    assert "[simulation] simulator = adssn is unknown; did you mean adsnn?" in done.stderr


def test_run_as_a_module(tmp_path):
    file = write_case(tmp_path, dense_net(), {"adsnn": {"m_f": "none"}})
    command = [sys.executable, "-m", "snntoolbox.bin.run", "-t", str(file)]
    done = subprocess.run(command, env=environment(), cwd="/", capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "m_f = none is not allowed" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_switched_off_the_toolbox_is_as_it_was(tmp_path):
    done = snntoolbox(write_case(tmp_path, dense_net()), SNNTB_ADSNN_AUTOLOAD="0", TF_USE_LEGACY_KERAS="1")
    assert done.returncode == 1
    assert "Simulator 'adsnn' not supported" in done.stderr


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_interrupt_leaves_no_half_written_file(tmp_path, number, name):
    file = write_case(tmp_path, dense_net(), {"simulation": {"duration": "2000000", "batch_size": "1"}})
    process = subprocess.Popen(
        [*COMMAND, str(file)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # tests that a shell started in the background ignore SIGINT, and so would the command
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        deadline = time.monotonic() + 100
        while not (tmp_path / "net_adsnn.npz").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(0.5)
        for _ in range(6):  # a callback inside TensorFlow or an import may swallow one: a user presses again
            process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                _, errors = process.communicate(timeout=30)
                break
    finally:
        process.kill()
    assert process.returncode == 128 + number
    assert f"stopped by {name}" in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "log/gui/test/results.json").exists()
    assert not list(tmp_path.rglob(".tmp-*"))


def test_the_hook_is_installed_and_light():
    installed = {str(file) for file in files("snntb-adsnn") or ()}
    assert {"snntb_adsnn_autoload.pth", "snntb_adsnn_autoload.py"} <= installed
    code = (
        "import sys; print('snntb_adsnn_autoload' in sys.modules, 'snntb_adsnn' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["True", "False", "False"]


def test_missing_configuration(tmp_path):
    done = snntoolbox(tmp_path / "none.ini")
    assert done.returncode == 2
    assert "no such configuration file" in done.stderr
