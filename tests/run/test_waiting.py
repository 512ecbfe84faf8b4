"""``[adsnn] onset``: by number, by layer, and chosen on training inputs."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from correction_cases import images, network

from snntb_adsnn.config import AdsnnSection, load_config
from snntb_adsnn.errors import ConfigError, DataError
from snntb_adsnn.measure.settling import choose_waits
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.run import configured, need_time, waiting
from snntb_adsnn.studies.study import Subject

AUTO = AdsnnSection(onset="auto", readout_tau_phi="auto", engine="event")


def onsets(net):
    return [p.onset for p in net.populations]


def test_one_number_is_a_wait_for_each_layer_before():
    net = configured(network(), AdsnnSection(onset=4, readout_tau_phi=20, corrective=2), 1.0)
    assert onsets(net) == [0, 4, 8]
    assert net.readout.tau_phi == 20
    assert {p.corrective for p in net.populations} == {2}


def test_times_by_layer():
    assert onsets(configured(network(), AdsnnSection(onset={"second": 3.0}), 1.0)) == [0, 3, 0]
    with pytest.raises(ConfigError, match=r"onset names the unknown layers fifth, fourth; .* first, second, third\."):
        configured(network(), AdsnnSection(onset={"fourth": 1.0, "second": 3.0, "fifth": 1.0}), 1.0)


def test_waits_are_chosen_on_the_first_training_inputs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("snntb_adsnn.measure.settling.DURATION", 160.0)
    monkeypatch.setattr("snntb_adsnn.run.network.WAITING_INPUTS", 20)
    file, x = tmp_path / "x_norm.npz", images(3, 50).astype(np.float32)
    x[20:] = 0
    np.savez(file, x)
    net = configured(network(), AUTO, 1.0)
    chosen = choose_waits(net, x[:20])
    found = waiting(net, AUTO, file)
    assert onsets(found) == [0, chosen.onset, 2 * chosen.onset]
    assert found.readout.tau_phi == chosen.tau_phi
    assert f"Chosen on 20 training inputs: onset = {chosen.onset:g} ms for each layer" in capsys.readouterr().out
    assert waiting(net, AdsnnSection(onset=4), tmp_path / "none.npz") is net


def test_what_cannot_be_chosen_is_named(tmp_path):
    net = network()
    with pytest.raises(DataError, match=r"x_norm\.npz"):
        waiting(net, AUTO, tmp_path / "x_norm.npz")
    np.savez(tmp_path / "x_norm.npz", images(3, 4))
    values = SpikingNetwork((*net.nodes[:-1], replace(net.readout, activation="linear"))).with_task("regression")
    with pytest.raises(ConfigError, match=r"\[adsnn\] onset = auto"):
        waiting(values, AUTO, tmp_path / "x_norm.npz")


def test_a_layer_that_would_wait_for_the_whole_run_is_named():
    net = configured(network(), AdsnnSection(onset=30), 1.0)  # 0, 30 and 60 ms
    assert need_time(net, 61.0) is net
    with pytest.raises(ConfigError, match=r"onset lets layer 'third' wait for 60 ms, and only 60 ms are simulated"):
        need_time(net, 60.0)


def test_a_study_refuses_early_decisions_which_it_does_not_make(tmp_path):
    (tmp_path / "c.ini").write_text("[paths]\nfilename_ann = net\n[adsnn]\ndecide_early = 0.1\n")
    run = SimpleNamespace(config=load_config(tmp_path / "c.ini"))
    with pytest.raises(ConfigError, match=r"decide_early has no effect on a study, which simulates the whole time"):
        Subject.of(run)
