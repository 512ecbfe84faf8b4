"""The PyTorch example runs as a user runs it, without TensorFlow, and shows what it promises."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed (pip install 'snntb-adsnn[torch]')")
pytestmark = pytest.mark.torch

EXAMPLE = Path(__file__).parents[1] / "examples" / "pytorch.py"
PROGRAM = """
import runpy, sys

sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
print("imported:", {"tensorflow", "tf_keras", "keras", "snntoolbox"} & set(sys.modules))
"""


def test_it_trains_converts_and_simulates():
    command = [sys.executable, "-c", PROGRAM, str(EXAMPLE)]
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
