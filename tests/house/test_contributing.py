"""CONTRIBUTING.md, "How to add something": where a row names one new file, that file is all."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = {
    "snntb_adsnn/data/novel.py": "from snntb_adsnn.data import dataset\n@dataset('novel')\ndef load(cache): ...\n",
    "snntb_adsnn/nets/novel.py": (
        "from snntb_adsnn.nets import architecture\n@architecture('novel', dimensions=1)\ndef hidden(net, x): ...\n"
    ),
    "snntb_adsnn/network/maps/novel.py": (
        "from snntb_adsnn.network.maps.base import Linear\nclass Novel(Linear):\n"
        "    def output_shape(self): ...\n    def edges(self): ...\n"
    ),
    "adsnn_hls/stages/novel.py": (
        "from adsnn_hls.stages.base import STAGES\n@STAGES.register('novel')\nclass Novel: ...\n"
    ),
}
PROGRAM = """
from adsnn_hls.fixed import FixedNetwork
from adsnn_hls.stages import STAGES
from snntb_adsnn.config import TrainingSection
from snntb_adsnn.network import SpikingNetwork, kinds

TrainingSection(dataset="novel", architecture="novel")
print("Novel" in kinds(), "novel" in STAGES)
"""


def test_a_new_file_needs_no_second_entry(tmp_path):
    for package in (ROOT / "snntb_adsnn", ROOT / "hls/adsnn_hls"):
        shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", PROGRAM]  # it looks in its folder first
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True True\n", "")
