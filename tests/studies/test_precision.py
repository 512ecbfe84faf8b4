"""The search for each layer's m_f against brute force on a small network."""

import itertools

import numpy as np
import pytest
from correction_cases import images, network
from toolbox_cases import dense_net, digits, write_case

from snntb_adsnn.config import load_config
from snntb_adsnn.engine import simulate
from snntb_adsnn.errors import ConfigError, ParameterError
from snntb_adsnn.measure.correction import Correction, correct_biases
from snntb_adsnn.network import softmax
from snntb_adsnn.run import load
from snntb_adsnn.studies.precision import DURATION, SETTLE, run_precision, search_m_f, try_m_f

NETWORK, X = network(m_f=0.4), images(5, 50)
CALIBRATION, IMAGES = X[:20], X[20:]
ANN = NETWORK.analog(IMAGES, logits=True)


def test_a_trials_figures():
    m_f = {"first": 0.5, "second": 0.9, "third": 0.6}
    trial = try_m_f(NETWORK, m_f, Correction(CALIBRATION, slopes=False), IMAGES, ANN, trained=NETWORK)
    simulated = correct_biases(NETWORK.with_m_f(m_f), CALIBRATION, trained=NETWORK, duration=DURATION, settle=SETTLE)
    result = simulate(simulated, IMAGES, duration=DURATION)
    assert trial.firing_rate_hz == result.firing_rate_hz
    outputs, p = result.outputs[:, 100:].astype(float), softmax(ANN)
    assert trial.agreement == np.mean(outputs.argmax(-1) == p.argmax(-1)[:, None])
    expected = np.mean([(p[i] * np.log(p[i] / softmax(outputs[i]))).sum(-1).mean() for i in range(len(p))])
    assert trial.divergence == pytest.approx(expected)


def test_every_step_is_the_best_one_and_the_last_meets_the_rate():
    rate = simulate(NETWORK, IMAGES, duration=DURATION).firing_rate_hz
    seen = []
    path = search_m_f(NETWORK, X, rate_hz=0.4 * rate, correction_images=20, factor=1.3, progress=seen.append)
    assert seen == path
    assert path[0].m_f == pytest.approx(dict.fromkeys(NETWORK.population_names, 0.4 * 1.25))
    assert path[-1].firing_rate_hz <= 0.4 * rate < path[-2].firing_rate_hz
    for before, after in itertools.pairwise(path):
        slopes = {}
        for name in before.m_f:
            m_f = {**before.m_f, name: before.m_f[name] * 1.3}
            trial = try_m_f(NETWORK, m_f, Correction(CALIBRATION, slopes=False), IMAGES, ANN, trained=NETWORK)
            slopes[name] = (trial.divergence - before.divergence) / (before.firing_rate_hz - trial.firing_rate_hz)
        (raised,) = (name for name in after.m_f if after.m_f[name] != before.m_f[name])
        assert raised == min(slopes, key=slopes.get)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rate_hz": 0.001}, "the network still fires at .*, and the m_f of all layers are the highest"),
        ({"rate_hz": 0}, "rate_hz = 0 must be above 0"),
        ({"rate_hz": 5, "factor": 1}, "factor = 1 above 1"),
        ({"rate_hz": 5, "correction_images": 50}, "leave none to simulate"),
    ],
)
def test_mistakes_are_named(settings, words):
    with pytest.raises(ParameterError, match=words):
        search_m_f(NETWORK, X, **{"correction_images": 5, "factor": 1.5, **settings})


def test_the_command_prints_what_a_configuration_takes(tmp_path, capsys):
    file = write_case(tmp_path, dense_net(), {"adsnn": {"bias_correction": "4", "engine": "event"}})
    x, _ = digits((64,))
    np.savez_compressed(tmp_path / "x_norm.npz", x)
    config = load_config(file)
    path = run_precision(config, rate=15, images=20)
    found, lines = capsys.readouterr().out.split("[adsnn]\n")
    assert "x_norm.npz holds 23 inputs: 4 correct biases, 19 are simulated (not 20)." in found
    file.write_text(file.read_text().split("[adsnn]")[0] + "[adsnn]\n" + lines)
    found = load_config(file).adsnn
    assert found.m_f == pytest.approx(path[-1].m_f, rel=1e-3)
    assert found.bias_correction == 4
    # far below the rate wanted, there is nothing to do
    run_precision(config, rate=1e5, images=5)
    printed = capsys.readouterr().out
    assert "That is below 100000 Hz already, with the trained m_f (and bias_correction = 4)." in printed
    assert "[adsnn]" not in printed


def test_the_command_searches_the_network_that_is_run(tmp_path, capsys):
    """With the constants of the configuration, and its time step."""
    x, _ = digits((64,))
    model = dense_net()
    settings = {"tau_eta": "30", "tau_gamma": "10", "engine": "event", "bias_correction": "10"}
    file = write_case(tmp_path, model, {"adsnn": settings, "simulation": {"dt": "0.5"}})
    np.savez_compressed(tmp_path / "x_norm.npz", x)
    (last, *_) = reversed(run_precision(load_config(file), rate=25, images=13))
    m_f = ", ".join(f"{name}: {value!r}" for name, value in last.m_f.items())
    file = write_case(tmp_path, model, {"adsnn": {**settings, "m_f": m_f}, "simulation": {"dt": "0.5"}})
    result = simulate(load(file).simulated, x[10:], duration=DURATION, engine="event")
    assert result.firing_rate_hz == pytest.approx(last.firing_rate_hz, rel=0.02)
    file = write_case(tmp_path, model, {"adsnn": {"theta0": "0.3"}})
    with pytest.raises(ConfigError, match="theta0 would stay as it is"):
        run_precision(load_config(file), rate=25, images=13)


def test_the_command_needs_images_to_simulate(tmp_path):
    file = write_case(tmp_path, dense_net(), {"adsnn": {"bias_correction": "23"}})
    np.savez_compressed(tmp_path / "x_norm.npz", digits((64,))[0])
    with pytest.raises(ConfigError, match=r"23 inputs, and \[adsnn\] bias_correction takes 23, so that none are left"):
        run_precision(load_config(file), rate=15, images=5)
