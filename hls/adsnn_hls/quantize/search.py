"""Precision search: the smallest widths, by layer and signal, that stay within a stated loss of accuracy.

Accuracy alone is a poor guide: any change of rounding makes some images right and others wrong, and among many tries
some coarse widths look good by luck. So a choice must also keep right what the start widths had right, up to the loss.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adsnn_hls.fixed import FixedNetwork, simulate
from adsnn_hls.quantize.network import Recipe
from adsnn_hls.quantize.pixels import PixelFormat
from adsnn_hls.quantize.widths import WIDTH_LIMITS, Widths
from adsnn_hls.stages import Stage
from snntb_adsnn.engine import simulate as simulate_float
from snntb_adsnn.errors import OutputError, ParameterError
from snntb_adsnn.files import write_json
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.neuron.constants import STATES

SIGNALS = Widths.SIGNALS
"""What has a width to choose."""

_BATCH = 500
_CALIBRATION = 200
_FROM = 14  # the curves of accuracy against bits start here or at the start width
_HOPELESS = 0.1  # they end where so much accuracy is lost

Layers = Mapping[str, Widths]


@dataclass(frozen=True)
class Trial:
    """One evaluated choice: ``signal`` of ``layer`` (all layers where it is empty) in ``bits`` bits."""

    signal: str
    layer: str
    bits: int
    accuracy: float


@dataclass(frozen=True)
class SearchResult:
    """Result of ``search``.

    Attributes:
        widths: the widths found, by layer.
        signals: what has a width to choose, by layer.
        accuracy: of the golden model with them.
        float_accuracy: of the float network.
        curves: one signal narrowed in all layers at once, the others at the start widths.
        trials: all choices that the search evaluated, in order.
        memory_bits: bits of weights and state words, with the start widths and with those found.
    """

    widths: Layers
    signals: Mapping[str, tuple[str, ...]]
    accuracy: float
    float_accuracy: float
    curves: tuple[Trial, ...]
    trials: tuple[Trial, ...]
    memory_bits: tuple[int, int]

    def table(self) -> list[list[str]]:
        """Rows of text: a header, then the widths of each layer."""
        rows = [["layer", *SIGNALS]]
        for layer, widths in self.widths.items():
            rows.append([layer, *(str(getattr(widths, s)) if s in self.signals[layer] else "-" for s in SIGNALS)])
        return rows


class Bench:
    """Evaluates widths on a validation set, and remembers the answers in a file.

    All figures are means over the last quarter of the steps: they vary less than those of the last step alone.

    Args:
        network, x, labels: what to quantise, and the validation set.
        steps: time steps of an image.
        start: widths to begin with.
        recipe: how to quantise; what it leaves open is taken from the first inputs of ``x``.
        memory: file of answers; a search that was interrupted goes on from it.
        progress: called after each new evaluation with the widths and the accuracy.

    Raises:
        OutputError: ``memory`` belongs to another search.
    """

    def __init__(
        self,
        network: SpikingNetwork,
        x: Any,
        labels: Any,
        *,
        steps: int,
        start: Widths,
        recipe: Recipe,
        memory: Path | None,
        progress: Callable[[Layers, float], None],
    ) -> None:
        self.network, self.labels, self.steps, self.memory = network, np.asarray(labels), steps, memory
        self.progress = progress
        self.x = network.check_images(x, np.float64)
        pixels = recipe.pixels or PixelFormat.of(self.x)
        self.recipe = dataclasses.replace(recipe, pixels=pixels).completed(network, self.x[:_CALIBRATION], steps)
        first = self.fixed(start)
        self.stages = first.stages
        self.words = first.pixels(self.x)
        digest = hashlib.sha256(first.digest().encode())
        for part in (self.words, self.labels, np.array(steps)):
            digest.update(np.ascontiguousarray(part, np.int64).tobytes())
        self.key = digest.hexdigest()
        self.answers = self._remembered()
        self.late = slice(steps - max(steps // 4, 1), None)
        self.float_right = self._float_right()

    @property
    def float_accuracy(self) -> float:
        """Accuracy of the float network."""
        return float(self.float_right.mean())

    def _remembered(self) -> dict[str, tuple[float, float]]:
        if self.memory is None or not self.memory.exists():
            return {}
        try:
            content = json.loads(self.memory.read_text())
            known, answers = content["search"], dict(content["answers"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutputError(f"{self.memory}: damaged file of a precision search ({error}); delete it.") from None
        if known != self.key:
            raise OutputError(
                f"{self.memory}: belongs to a search with another network, data set, number of steps or start widths; "
                "delete it or name another file."
            )
        return answers

    def fixed(self, widths: Widths | Layers) -> FixedNetwork:
        """The network in these widths."""
        return self.recipe.fixed(self.network, widths)

    def measure(self, widths: Layers) -> tuple[float, float]:
        """Accuracy of the golden model, and the share of decisions that are right in both networks; 0 where the widths
        cannot hold the constants.
        """
        key = json.dumps({name: [str(getattr(w, s)) for s in SIGNALS] for name, w in widths.items()})
        if key not in self.answers:
            self.answers[key] = self._measured(widths)
            if self.memory is not None:
                write_json(self.memory, {"search": self.key, "answers": self.answers})
            self.progress(widths, self.answers[key][0])
        accuracy, kept = self.answers[key]
        return accuracy, kept

    def _measured(self, widths: Layers) -> tuple[float, float]:
        try:
            fixed = self.fixed(widths)
        except ParameterError:
            return 0.0, 0.0
        right = np.concatenate(
            [
                simulate(fixed, self.words[part], self.steps).decisions[:, self.late] == self.labels[part, None]
                for part in self._batches()
            ]
        )
        return float(right.mean()), float((right & self.float_right).mean())

    def _float_right(self) -> NDArray[np.bool_]:
        duration = self.steps * self.network.dt
        return np.concatenate(
            [
                simulate_float(self.network, self.x[part], duration=duration).decisions[:, self.late]
                == self.labels[part, None]
                for part in self._batches()
            ]
        )

    def _batches(self) -> list[slice]:
        return [slice(start, start + _BATCH) for start in range(0, len(self.x), _BATCH)]


def signals_of(stage: Stage, multiplier_free: bool = False) -> tuple[str, ...]:
    """Signals of a stage whose width can be chosen."""
    found = {state.word for state in STATES if state.name in stage.state_types}
    if stage.weight_count:
        found.add("weights")
    if not multiplier_free:
        found.add("coefficient")
    return tuple(s for s in SIGNALS if s in found)


def memory_bits(network: FixedNetwork) -> int:
    """Bits of all weights and state words."""
    return sum(stage.weight_bits + stage.state_bits for stage in network.stages)


def search(
    network: SpikingNetwork,
    x: Any,
    labels: Any,
    *,
    loss: float = 0.001,
    steps: int = 150,
    start: Widths | None = None,
    recipe: Recipe | None = None,
    memory: Path | None = None,
    progress: Callable[[Layers, float], None] = lambda widths, accuracy: None,
) -> SearchResult:
    """Find the smallest widths, by layer and signal.

    Each signal of each layer is narrowed alone, by bisection, with all others at the start widths. All smallest widths
    together lose more than each alone; bits are given back to all of them, one at a time, until the loss holds.

    Args:
        network: the network.
        x, labels: validation inputs (images, *input shape) and classes (images,); not the test set.
        loss: accuracy that may be lost against the float network, as a share (0.001: 0.1 percentage points).
        steps: time steps of an image, as many as the hardware will run: with too few bits accuracy falls over time.
        start: widths to begin with; default ``Widths()``.
        recipe: how to quantise; what it leaves open is taken from the first 200 inputs of ``x``. The widths found
            hold for its ranges: they place the binary points.
        memory: file that remembers all evaluations; an interrupted search goes on from it.
        progress: called after each new evaluation.

    Raises:
        ParameterError: the start widths lose more than ``loss`` already, or ``loss`` is less than one image.
        OutputError: ``memory`` belongs to another search.
    """
    if not 0 < loss < 1:
        raise ParameterError(f"loss = {loss!r} is not allowed: give a share above 0 and below 1, such as 0.001.")
    if loss * len(x) < 1 - 1e-9:
        raise ParameterError(
            f"a loss of {100 * loss:g} points cannot be seen on {len(x)} images; give at least {math.ceil(1 / loss)} "
            "([hls] accuracy_images), or allow a larger loss ([hls] max_loss)."
        )
    start, recipe = start or Widths(), recipe or Recipe()
    bench = Bench(network, x, labels, steps=steps, start=start, recipe=recipe, memory=memory, progress=progress)
    signals = {stage.name: signals_of(stage, recipe.multiplier_free) for stage in bench.stages}
    wide: Layers = dict.fromkeys(signals, start)
    first, kept = bench.measure(wide)
    if first < bench.float_accuracy - loss:
        raise ParameterError(
            f"the start widths give {100 * first:.2f} %, which is more than {100 * loss:g} points below the float "
            f"network's {100 * bench.float_accuracy:.2f} %; start with wider words or allow a larger loss."
        )

    def good(found: tuple[float, float]) -> bool:
        return found[0] >= bench.float_accuracy - loss and found[1] >= kept - loss

    curves = _curves(bench, signals, start)
    trials: list[Trial] = []
    least: dict[tuple[str, str], int] = {}
    for layer, of in signals.items():
        for signal in of:
            low, high = WIDTH_LIMITS[signal][0], getattr(start, signal)
            while low < high:
                bits = (low + high) // 2
                found = bench.measure({**wide, layer: _narrowed(start, signal, bits)})
                trials.append(Trial(signal, layer, bits, found[0]))
                low, high = (low, bits) if good(found) else (bits + 1, high)
            least[layer, signal] = high
    widths, found = wide, (first, kept)
    for guard in range(max(getattr(start, s) for s in SIGNALS)):
        together = dict(wide)
        for (layer, signal), bits in least.items():
            together[layer] = _narrowed(together[layer], signal, min(bits + guard, getattr(start, signal)))
        found = bench.measure(together)
        if good(found):
            widths = together
            break
    return SearchResult(
        widths,
        signals,
        found[0],
        bench.float_accuracy,
        curves,
        tuple(trials),
        (memory_bits(bench.fixed(wide)), memory_bits(bench.fixed(widths))),
    )


def _narrowed(widths: Widths, signal: str, bits: int) -> Widths:
    change: dict[str, Any] = {signal: bits}
    return dataclasses.replace(widths, **change)


def _curves(bench: Bench, signals: Mapping[str, tuple[str, ...]], start: Widths) -> tuple[Trial, ...]:
    """Accuracy against bits, one signal at a time, in all layers."""
    found = []
    for signal in SIGNALS:
        layers = [name for name, of in signals.items() if signal in of]
        widest = getattr(start, signal)
        for bits in range(min(widest, _FROM), WIDTH_LIMITS[signal][0] - 1, -1) if layers else ():
            narrow = _narrowed(start, signal, bits)
            accuracy, _ = bench.measure({name: narrow if name in layers else start for name in signals})
            found.append(Trial(signal, "", bits, accuracy))
            if accuracy < bench.float_accuracy - _HOPELESS:
                break
    return tuple(found)


def plot(result: SearchResult, path: Path) -> Path:
    """Draw accuracy against bits, one line for each signal; returns the file."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    from snntb_adsnn.files import atomic_path

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for signal in SIGNALS:
        points = [(t.bits, 100 * t.accuracy) for t in result.curves if t.signal == signal]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", ms=3, label=signal)
    axes.axhline(100 * result.float_accuracy, color="0.4", ls="--", label=f"float: {100 * result.float_accuracy:.2f} %")
    axes.set(
        xlabel="bits (one signal narrowed in all layers)",
        ylabel="accuracy (%)",
        ylim=(100 * (result.float_accuracy - 0.05), 100 * (result.float_accuracy + 0.005)),
    )
    axes.legend(fontsize="small")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)
    plt.close(figure)
    return path
