"""ReLU nets beside integrate and fire: docs/conversion.md says what was measured, and the correction pays."""

import json
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
FOUND = json.loads((DOCS / "relu.json").read_text())
PAGE = (DOCS / "conversion.md").read_text()


def at(net, name, step):
    """Accuracy and agreement in percent, spikes per image and per neuron."""
    curve = FOUND[net][name]
    i = curve["steps"].index(step)
    spikes = curve["spikes_per_image"][i]
    return 100 * curve["accuracy"][i], 100 * curve["agreement"][i], spikes, spikes / curve["neurons"]


@pytest.mark.parametrize("m_f", ["0.4", "0.8", "1.6"])
@pytest.mark.parametrize(("way", "words"), [("plain", "as converted"), ("slopes", "corrected")])
def test_the_page_says_what_mnist_gave(m_f, way, words):
    accuracy, _, spikes, each = at("mnist", f"adsnn {way} {m_f}", 50)
    assert f"| m_f {m_f}, {words} | 50 | {accuracy:.2f} % | {spikes:,.0f} | {each:.2f} |" in PAGE


@pytest.mark.parametrize("step", [2, 8, 32])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("if layer", "a threshold a layer"),
        ("if channel", "a threshold a channel, start at half of it"),
        ("if balanced", "local threshold balancing"),
    ],
)
def test_the_page_says_what_integrate_and_fire_gave(name, words, step):
    accuracy, _, spikes, each = at("mnist", name, step)
    assert f"| integrate and fire, {words} | {step} | {accuracy:.2f} % | {spikes:,.0f} | {each:.2f} |" in PAGE


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("plain 0.4", "m_f 0.4, as converted"),
        ("slopes 0.4", "m_f 0.4, corrected"),
        ("plain 0.8", "m_f 0.8, as converted"),
        ("biases 0.8", "m_f 0.8, biases alone corrected"),
        ("slopes 0.8", "m_f 0.8, corrected"),
    ],
)
def test_the_page_says_what_cifar_gave(name, words):
    accuracy, agreement, _, each = at("cifar10", f"adsnn {name}", 150)
    assert f"| {words} | {accuracy:.1f} % | {agreement:.1f} % | {each:.2f} |" in PAGE


@pytest.mark.parametrize(("net", "step", "m_f"), [("mnist", 50, "0.8"), ("mnist", 50, "1.6"), ("cifar10", 150, "0.8")])
def test_the_correction_pays(net, step, m_f):
    plain, corrected = (at(net, f"adsnn {way} {m_f}", step) for way in ("plain", "slopes"))
    assert corrected[0] > plain[0]
    assert corrected[2] <= plain[2]


def test_both_frameworks_have_the_same_net():
    for curves in FOUND.values():
        assert curves["torch ann"] == curves["ann"]
