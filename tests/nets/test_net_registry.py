"""The list of nets: open to others; names without a framework."""

import subprocess
import sys

import pytest

from snntb_adsnn.config import TrainingSection
from snntb_adsnn.errors import ParameterError
from snntb_adsnn.frontends.keras.activation import AAN
from snntb_adsnn.nets import NETS, architecture, build


def test_a_net_of_the_users_own(monkeypatch):
    monkeypatch.setattr(NETS, "_entries", dict(NETS))
    with pytest.raises(ValueError, match="it should be 'iris', .* or 'resnet18'"):
        TrainingSection(dataset="iris", architecture="mine")

    @architecture("mine", dimensions=1)
    def mine(net, x):
        return net.dense(net.dense(x, "a", 7), "b", 5)

    assert TrainingSection(dataset="iris", architecture="mine").architecture == "mine"
    model = build("mine", (4,), 3, AAN(m_f=0.2))
    assert [layer.name for layer in model.layers if layer.weights][::2] == ["dense_a", "dense_b", "output"]
    assert model.name == "mine"
    with pytest.raises(ParameterError, match="architecture 'mine' takes inputs of 1 dimension"):
        build("mine", (4, 4, 1), 3, AAN(m_f=0.2))
    with pytest.raises(ParameterError, match="architecture 'mine' is registered already"):
        architecture("mine", dimensions=1)(mine)


def test_names_need_no_framework():
    program = (
        "import sys, snntb_adsnn.config, snntb_adsnn.run\nfrom snntb_adsnn.nets import NETS\n"
        "print(len(NETS), sorted({'tensorflow', 'tf_keras', 'numba', 'sklearn', 'PIL', 'snntoolbox'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == f"{len(NETS)} []\n"
