"""The examples run as a user runs them, and show what they promise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from image_files import write_folder

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_quickstart():
    done = subprocess.run(
        [sys.executable, EXAMPLES / "quickstart.py"], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    lines = re.findall(r"m_f (\S+): ANN (\S+)%, AdSNN (\S+)% at (\S+) Hz", done.stdout)
    assert [line[0] for line in lines] == ["0.1", "0.2", "0.4"]
    for _, ann, snn, _ in lines:
        assert float(ann) > 90
        assert abs(float(ann) - float(snn)) < 2
    rates = [float(line[3]) for line in lines]
    assert rates[0] > 1.5 * rates[1] > 2 * rates[2]  # half the rate at half the precision, nearly


def test_attention():
    done = subprocess.run(
        [sys.executable, EXAMPLES / "attention.py"], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    lines = re.findall(r"(\w+): error (\S+) left, (\S+) right, (\S+) Hz", done.stdout)
    (_, *low), (name, *attention), (_, *high) = lines
    assert name == "attention"
    left, right, rate = map(float, attention)
    assert left == float(low[0])  # nothing changed where attention is not
    assert right == float(high[1]) < 0.3 * float(low[1])
    assert float(low[2]) < rate < 0.7 * float(high[2])


def test_relu():
    done = subprocess.run(
        [sys.executable, EXAMPLES / "relu.py"], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    pattern = r"m_f (\S+): ANN (\S+)%, AdSNN (\S+)%, same decision (\S+)%, (\S+) Hz, (\S+) multiply-adds"
    lines = [tuple(map(float, line)) for line in re.findall(pattern, done.stdout)]
    assert [line[0] for line in lines] == [0.1, 0.2, 0.4, 0.8, 1.2]
    for _, ann, snn, agreement, _, _ in lines[:3]:
        assert ann > 90
        assert abs(ann - snn) < 2
        assert agreement > 98
    assert lines[0][4] > 1.5 * lines[1][4] > 2 * lines[2][4]  # half the rate at half the precision, nearly
    assert lines[0][5] > 1.5 * lines[1][5] > 2 * lines[2][5]


@pytest.mark.slow
def test_resnet18(tmp_path):
    """At a small size; the net is the one for 224 x 224."""
    write_folder(tmp_path, train=4, test=1, size=(40, 40))
    command = [sys.executable, EXAMPLES / "resnet18.py", tmp_path, "--size", "32", "--duration", "200"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    difference = float(re.search(r"from Keras in float64 (\S+);", done.stdout)[1])
    assert difference < 1e-4
    seconds, memory, rate = map(
        float, re.search(r"(\S+) s an image, memory (\S+) GB.*rate (\S+) Hz", done.stdout).groups()
    )
    assert 0 < seconds < 60
    assert 0 < memory < 4
    assert 1 < rate < 200
