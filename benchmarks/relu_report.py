"""The picture of ``benchmarks.relu``: accuracy against spikes per image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = {
    "adsnn slopes": ("C0", "graded spikes, slopes and biases corrected"),
    "adsnn plain": ("C2", "graded spikes, as converted"),
    "if layer": ("C1", "integrate and fire, a threshold a layer (SpikingJelly)"),
    "if channel": ("C3", "the same, a threshold a channel, start at half of it"),
    "if balanced": ("C4", "the same, local threshold balancing"),
}
"""By the beginning of a curve's name: colour, and what stands in the legend."""


def draw(found: dict[str, dict[str, Any]]) -> Figure:
    """A panel for each net: one curve for each m_f, over time; for the peers, over steps.

    Args:
        found: by net, the curves by name, as ``relu.curve`` gives them, and the accuracy ``ann``.
    """
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(found), figsize=(6 * len(found), 4.5), layout="constrained", squeeze=False)
    for axes, (net, curves) in zip(panels[0], found.items(), strict=True):
        for way, (color, label) in SHOWN.items():
            for name, curve in curves.items():
                if name == way or (way.startswith("adsnn") and name.startswith(way)):
                    error = [100 * (curves["ann"] - a) for a in curve["accuracy"]]
                    axes.plot(curve["spikes_per_image"], error, ".-", color=color, lw=0.8, ms=4, label=label)
                    label = ""
        axes.axhline(0, color="0.5", lw=0.8)
        axes.set(xscale="log", xlabel="spikes per image", title=net)
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylabel("accuracy lost against the ANN (percentage points)")
        axes.grid(alpha=0.3)
    panels[0][0].legend(fontsize="small")
    return figure
