"""Co-simulation of whole images: the verilated network against the golden model, every spike and every decision."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adsnn_hls.arithmetic import Words
from adsnn_hls.cores import Lanes
from adsnn_hls.cores.instance import address_width
from adsnn_hls.fixed import FixedNetwork, simulate
from adsnn_hls.rtl.bench import BENCH, bench_source
from adsnn_hls.rtl.generate import generate, instances
from adsnn_hls.rtl.tools import COMPILE, LINT, RANDOM_START, ToolError, check_waves, find_verilator, run_tool
from adsnn_hls.rtl.wrapper import TOP
from snntb_adsnn.files import atomic_write

_CHUNK = 200  # images simulated at a time: bounds the memory for records
_PROBED = ("valid", "ready", "last", "user", "data")


@dataclass(frozen=True)
class Run:
    """What the RTL did.

    Attributes:
        spikes: by stage, shape (images, steps, neurons), bool, or int8 where some may be negative.
        ran: by stage, steps of each image, shape (images,); with early decisions some more than were decided on.
        classes: decision after each step, shape (images, steps); -1 where none was reported.
        decided: step of each image's decision (its beat with tlast), shape (images,).
        finished: clock of that beat, shape (images,).
        cycles: clocks in all.
    """

    spikes: Mapping[str, NDArray[Any]]
    ran: Mapping[str, NDArray[np.int64]]
    classes: NDArray[np.int64]
    decided: NDArray[np.int64]
    finished: NDArray[np.int64]
    cycles: int


@dataclass(frozen=True)
class Cosimulation:
    """Comparison of RTL and golden model.

    Attributes:
        images, steps, margin: what was run.
        steps_per_image: mean steps to the decision.
        compared: spikes (present or absent) and decisions that were compared.
        mismatches: how many of them differ.
        cycles: clocks in all, from the first pixel to the last decision.
        cycles_per_image: mean distance of two decisions.
        latency: clocks from the first image's first pixel to its decision.
        correct: right decisions, or ``None`` without labels.
    """

    images: int
    steps: int
    margin: int
    steps_per_image: float
    compared: int
    mismatches: int
    cycles: int
    cycles_per_image: float
    latency: int
    correct: int | None

    @property
    def cycles_per_step(self) -> float:
        """Mean clocks of one time step, all stages at work."""
        return self.cycles_per_image / self.steps_per_image

    def as_dict(self) -> dict[str, Any]:
        """All figures, for JSON."""
        found = dataclasses.asdict(self)
        found["cycles_per_step"] = self.cycles_per_step
        found["accuracy"] = None if self.correct is None else self.correct / self.images
        return found


class Simulation:
    """A network's RTL, compiled.

    Args:
        network: the network.
        folder: receives RTL, bench and program.
        lanes, multiplier_free: see ``generate``.
        waves: each run writes ``waves.fst``.

    Raises:
        ToolError: no usable Verilator, or compiling failed.
    """

    def __init__(
        self,
        network: FixedNetwork,
        folder: Path,
        lanes: Mapping[str, Lanes] | None = None,
        *,
        multiplier_free: bool = False,
        waves: bool = False,
    ) -> None:
        self.network, self.folder, self.waves = network, folder, waves
        stages = instances(network, lanes, multiplier_free=multiplier_free)
        files = generate(network, lanes, multiplier_free=multiplier_free)
        self.program = build(stages, files, folder, waves)

    def run(self, pixels: Words, steps: int, *, margin: int = 0, stall: float = 0.0, seed: int = 1) -> Run:
        """Run images (images, *input shape) through the RTL from reset.

        Args:
            pixels: input words.
            steps: time steps of an image.
            margin: for early decisions, in steps of the potential; 0: none.
            stall: share of clocks in which either stream pauses.
            seed: of the pauses and of the uninitialised registers.
        """
        data, log = self.folder / "pixels.bin", self.folder / "beats.bin"
        atomic_write(data, pixels.astype("<u2").tobytes())
        arguments = [
            data.name,
            str(len(pixels)),
            str(steps),
            str(margin),
            str(seed),
            str(round(stall * 1000)),
            log.name,
        ]
        plus = ["+verilator+rand+reset+2", f"+verilator+seed+{seed}"]
        cycles = int(run_tool([str(self.program), *plus, *arguments], self.folder))
        beats = np.fromfile(log, "<u4").astype(np.int64)
        return self._decode(beats, len(pixels), steps, cycles)

    def _decode(self, beats: Words, images: int, steps: int, cycles: int) -> Run:
        last = len(self.network.stages) - 1
        results_at = []
        # a result takes four words; its first word is told from data by walking over the results only
        stage = beats >> 28
        at = np.flatnonzero(stage == last)
        skip_until = -1
        for position in at.tolist():
            if position >= skip_until:
                results_at.append(position)
                skip_until = position + 4
        first = np.array(results_at, np.int64)
        plain = np.ones(len(beats), np.bool_)
        for offset in range(4):
            plain[first + offset] = False
        data = beats[first + 1]
        tlast = (beats[first] >> 27) & 1
        image = np.cumsum(tlast) - tlast
        classes = np.full((images, steps), -1, np.int64)
        classes[image, data >> 16] = data & 0xFFFF
        ends = tlast == 1
        clock = beats[first + 2] | beats[first + 3] << 32
        events = beats[plain]
        spikes, ran = {}, {}
        for i, s in enumerate(self.network.spiking):
            spikes[s.name], ran[s.name] = self._spikes(events, i, images, steps)
        return Run(spikes, ran, classes, (data >> 16)[ends], clock[ends], cycles)

    def _spikes(self, events: Words, stage: int, images: int, steps: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
        own = events[events >> 28 == stage]
        tick, end = (own >> 27) & 1, (own >> 26) & 1
        sender = self.network.spiking[stage]
        neurons = sender.neurons.size
        image = np.cumsum(end) - end
        step = np.cumsum(tick) - tick
        started = np.zeros(images + 1, np.int64)  # ticks before each image
        ends = np.flatnonzero(end == 1)
        started[1 : len(ends) + 1] = np.cumsum(tick)[ends]
        ran = np.bincount(image[tick == 1], minlength=images)
        is_spike = tick == 0
        # spikes of images beyond the last decision, or beyond the steps asked for, would be a bug of the RTL
        image, step, address = image[is_spike], (step - started[np.minimum(image, images)])[is_spike], own[is_spike]
        address = address & ((1 << 26) - 1)
        sign = np.ones_like(address)
        if sender.signed_out:
            bits = address_width(neurons)
            sign -= 2 * (address >> bits)
            address = address & ((1 << bits) - 1)
        if image.size and (image.max() >= images or step.max() >= steps or address.max() >= neurons):
            raise ToolError(f"stage {stage} of the RTL sent an event outside of its images, steps or neurons.")
        found: NDArray[Any] = np.zeros((images, steps, neurons), np.int8 if sender.signed_out else np.bool_)
        found[image, step, address] = sign
        return found, ran


def build(stages: tuple[Any, ...], files: Mapping[str, str], folder: Path, waves: bool = False) -> Path:
    """Write ``files`` and the bench to ``folder`` and compile them; returns the program.

    Raises:
        ToolError: no usable Verilator, or compiling failed.
    """
    verilator = find_verilator()
    if waves:
        check_waves()
    for name, text in files.items():
        atomic_write(folder / name, text)
    atomic_write(folder / BENCH, bench_source(stages))
    probes = "".join(
        f'public_flat_rd -module "{TOP}" -var "{name}{i}"\n' for i in range(len(stages) - 1) for name in _PROBED
    )
    atomic_write(folder / "probes.vlt", "`verilator_config\n" + probes)
    command = [
        str(verilator.bin / "verilator"),
        *("--cc", "--exe", "--build", "-j", "1", "-O3", *RANDOM_START, *LINT, *COMPILE),
        *("-MAKEFLAGS", "OPT_FAST=-O2", "--top-module", TOP, "-Mdir", "obj", "-o", "bench", "probes.vlt"),
        *(["--trace-fst"] if waves else []),
        *("-f", "files.f", BENCH),
    ]
    run_tool(command, folder, verilator.environment())
    return folder / "obj" / "bench"


def cosimulate(
    simulation: Simulation,
    pixels: Words,
    steps: int,
    labels: Any = None,
    *,
    margin: int = 0,
    stall: float = 0.0,
    seed: int = 1,
) -> Cosimulation:
    """Compare every spike of every stage and every decision after every step, up to an early decision.

    Args:
        simulation: the compiled network.
        pixels: input words (images, *input shape).
        steps: time steps of an image.
        labels: classes, shape (images,).
        margin, stall, seed: see ``Simulation.run``.
    """
    compared = mismatches = cycles = correct = latency = taken = 0
    spans: list[float] = []
    for start in range(0, len(pixels), _CHUNK):
        part = pixels[start : start + _CHUNK]
        run = simulation.run(part, steps, margin=margin, stall=stall, seed=seed + start)
        golden = simulate(simulation.network, part, steps, record=("spikes",))
        last = golden.last_steps(margin)
        for name, spikes in run.spikes.items():
            wanted = golden.records[name]["spikes"].reshape(spikes.shape)
            ran = run.ran[name]
            compared += int(ran.sum()) * spikes.shape[2]
            mismatches += int(np.count_nonzero((wanted != spikes)[np.arange(steps) < ran[:, None]]))
            mismatches += int(np.count_nonzero(ran <= last))
        reported = np.arange(steps) <= last[:, None]
        compared += int(reported.sum())
        mismatches += int(np.count_nonzero(np.where(reported, golden.decisions, -1) != run.classes))
        mismatches += int(np.count_nonzero(run.decided != last))
        taken += int(last.sum()) + len(last)
        cycles += run.cycles
        latency = latency or int(run.finished[0])
        spans += np.diff(run.finished).tolist() or [float(run.finished[0])]
        if labels is not None:
            decisions = run.classes[np.arange(len(part)), last]
            correct += int(np.count_nonzero(decisions == np.asarray(labels)[start : start + _CHUNK]))
    return Cosimulation(
        len(pixels),
        steps,
        margin,
        taken / len(pixels),
        compared,
        mismatches,
        cycles,
        float(np.mean(spans)),
        latency,
        None if labels is None else correct,
    )
