"""The PyTorch examples run as a user runs them, without TensorFlow, and show what they promise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed (pip install 'snntb-adsnn[torch]')")
pytestmark = pytest.mark.torch

EXAMPLES = Path(__file__).parents[1] / "examples"
PROGRAM = """
import runpy, sys

sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
print("imported:", {"tensorflow", "tf_keras", "keras", "snntoolbox"} & set(sys.modules))
"""


def test_it_trains_converts_and_simulates():
    command = [sys.executable, "-c", PROGRAM, str(EXAMPLES / "pytorch.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported: set()"
    pattern = r"m_f (\S+): ANN (\S+)%, AdSNN (\S+)%, same decision (\S+)%, (\S+) Hz"
    lines = [tuple(map(float, line)) for line in re.findall(pattern, done.stdout)]
    assert [line[0] for line in lines] == [0.1, 0.2, 0.4]
    for _, ann, snn, agreement, _ in lines:
        assert ann > 90
        assert abs(ann - snn) < 2
        assert agreement > 95
    assert lines[0][4] > 1.5 * lines[1][4] > 2 * lines[2][4]  # half the rate at half the precision, nearly


def test_another_simulator_runs_the_nir_graph():
    """Norse opens what ``to_nir`` writes, and computes nearly the same with its own neurons."""
    pytest.importorskip("norse", reason="Norse is not installed (pip install norse)")
    command = [sys.executable, EXAMPLES / "nir_in_norse.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    pattern = r"(\w+): (\S+)%, decides as the ANN (\S+)%, outputs differ by (\S+)% of their spread, (\S+) Hz"
    found = {who: tuple(map(float, values)) for who, *values in re.findall(pattern, done.stdout)}
    assert set(found) == {"AdSNN", "Norse"}
    for accuracy, agreement, _, _ in found.values():
        assert accuracy > 90
        assert agreement > 97
    assert found["AdSNN"][2] < 5
    assert found["Norse"][2] < 50  # what docs/nir.md says of potentials above 1
    assert 0.9 < found["Norse"][3] / found["AdSNN"][3] < 1.1
