"""Speed of the simulators, measured side by side: ``python -m benchmarks.simulation --help``.

Every measurement runs in a process of its own; the cases of a section take turns, round by round, and the median
counts. What is compared is ratios of one run: machines, and their moods, differ.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks import nets, report
from benchmarks.ours import OURS
from benchmarks.peers import PACKAGES
from benchmarks.report import TRAINED
from snntb_adsnn.errors import AdSNNError
from snntb_adsnn.files import write_json
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array
from snntb_adsnn.report.results import versions

EVENT, TENSORFLOW, TOOLBOX = OURS
RANDOM, VGG, RESIDUAL = "16C3-MP2-32C3-MP2-10", "VGG-like net", "residual net"
ONCE = 60.0
"""Seconds: what takes longer is measured once."""
SPIKE_TRAINS = "spiketrains_n_b_l_t"


@dataclass(frozen=True)
class Case:
    """One thing to measure: a simulator on ``count`` images of a network."""

    label: str
    simulator: str
    network: str
    count: int
    steps: int
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Size:
    """How much is measured: images of the comparison, steps, rounds (of what takes long: one), and images of the larger
    nets, of the longest run, and of the comparison with the reference."""

    images: int = 100
    steps: int = 500
    rounds: int = 3
    large_images: int = 4
    many_images: int = 10_000
    agreement_images: int = 1000

    @classmethod
    def quick(cls) -> Size:
        """Only to see that everything works."""
        return cls(images=4, steps=20, rounds=1, large_images=1, many_images=20, agreement_images=4)


class Bench:
    """Runs measurements in processes of their own, on networks and images written to a folder.

    Args:
        size: how much is measured.
        folder: for networks and images.
        peer_python: interpreter to try for peers that this one lacks.
    """

    def __init__(self, size: Size, folder: Path, peer_python: str | None) -> None:
        self.size, self.folder, self.peer_python = size, folder, peer_python

    @cached_property
    def interpreters(self) -> dict[str, tuple[str, str]]:
        """By peer that is installed: interpreter and version."""
        found: dict[str, tuple[str, str]] = {}
        for python in filter(None, (self.peer_python, sys.executable)):
            present = self.call(python, "benchmarks.worker", "--installed")
            found |= {name: (python, version) for name, version in present.items() if version is not None}
        return found

    def call(self, python: str, module: str, *arguments: str) -> Any:
        """The JSON in the last line of output of ``python -m module``."""
        environment = {**os.environ, "PYTHONPATH": str(nets.ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(
            [python, "-m", module, *arguments], cwd=nets.ROOT, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise click.ClickException(f"{module} {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
        return json.loads(done.stdout.splitlines()[-1])

    def file(self, name: str) -> Path:
        """The network ``name``, made at its first use."""
        path = self.folder / f"{name}.npz"
        if not path.exists():
            self._make(name).save(path)
        return path

    def _make(self, name: str) -> SpikingNetwork:
        if name == TRAINED:
            return nets.trained_mnist(self.x(name)[:100])
        make: dict[str, Callable[[Array], SpikingNetwork]] = {
            RANDOM: nets.mnist,
            VGG: nets.vgg,
            RESIDUAL: nets.residual,
        }
        if name in make:
            return make[name](self.x(name))
        first, second = name.split("C3-MP2-")[:2]
        return nets.mnist(self.x(name), channels=(int(first), int(second)))

    def x(self, name: str) -> Array:
        """Images for network ``name``."""
        return self._photographs if name in (VGG, RESIDUAL) else self._digits

    @cached_property
    def _digits(self) -> Array:
        from snntb_adsnn.data import load_dataset

        return load_dataset("mnist").x_test

    @cached_property
    def _photographs(self) -> Array:
        return nets.smooth_images(max(self.size.large_images, nets.CALIBRATION_IMAGES))

    def images(self, name: str, count: int) -> Path:
        """The first ``count`` images for network ``name``."""
        path = self.folder / f"{'large' if name in (VGG, RESIDUAL) else 'digits'}_{count}.npy"
        if not path.exists():
            np.save(path, self.x(name)[:count])
        return path

    def run(self, cases: Sequence[Case], *, rounds: int = 0) -> list[dict[str, Any]]:
        """Measure the cases in turns; one row for each, ``installed`` False where the simulator is missing."""
        found: dict[str, list[dict[str, float]]] = {case.label: [] for case in cases}
        for case in (case for _ in range(rounds or self.size.rounds) for case in cases):
            python = self.interpreters.get(case.simulator, (sys.executable,))[0]
            if case.simulator in PACKAGES and case.simulator not in self.interpreters:
                continue
            if found[case.label] and found[case.label][0]["seconds"] > ONCE:
                continue
            files = str(self.file(case.network)), str(self.images(case.network, case.count))
            used = self.call(
                python, "benchmarks.worker", case.simulator, *files, str(case.steps), json.dumps(case.options)
            )
            found[case.label].append(used)
            click.echo(f"  {case.label}: {case.count / used['seconds']:.1f} images/s", err=True)
        return [self._row(case, found[case.label]) for case in cases]

    @staticmethod
    def _row(case: Case, runs: list[dict[str, float]]) -> dict[str, Any]:
        row: dict[str, Any] = {
            "label": case.label,
            "simulator": case.simulator,
            "network": case.network,
            "images": case.count,
            "steps": case.steps,
            **case.options,
            "installed": bool(runs),
        }
        if runs:
            seconds = float(np.median([r["seconds"] for r in runs]))
            row |= {
                "images_per_second": case.count / seconds,
                "seconds_by_round": [r["seconds"] for r in runs],
                "cpu_ms_per_image": float(np.median([r["cpu_seconds"] for r in runs])) / case.count * 1e3,
                "peak_mb": max(r["peak_mb"] for r in runs),
            }
        return row

    # ---- sections --------------------------------------------------------------------------------------------------

    def event(self, label: str, network: str = TRAINED, count: int = 0, steps: int = 0, **options: Any) -> Case:
        """A case of the event engine."""
        return Case(label, EVENT, network, count or self.size.images, steps or self.size.steps, options)

    def simulators(self, network: str, count: int) -> list[dict[str, Any]]:
        """All simulators on one network, with ratios to the event engine."""
        names = [EVENT, TENSORFLOW, *PACKAGES]
        if network == RESIDUAL:  # the peers' twins are plain sequences of layers
            names = [EVENT, TENSORFLOW]
        rounds = 0 if network == TRAINED else 1
        cases = [Case(name, name, network, count, self.size.steps) for name in names]
        return report.with_ratios(self.run(cases, rounds=rounds))

    def toolbox(self) -> list[dict[str, Any]]:
        """The engine alone, and inside SNN Toolbox's flow."""
        many, some, steps = self.size.many_images, 10 * self.size.images, self.size.steps
        return report.with_ratios(
            self.run(
                [
                    self.event("bare engine", count=many, batch=50),
                    Case("in SNN Toolbox, no logs", TOOLBOX, TRAINED, many, steps),
                    Case("in SNN Toolbox, spike trains logged", TOOLBOX, TRAINED, some, steps, {"log": SPIKE_TRAINS}),
                ],
                rounds=1,
            )
        )

    def steps(self) -> list[dict[str, Any]]:
        """Growth with the number of steps."""
        return self.run(
            [self.event(f"{n} steps", steps=n) for n in (np.array([1, 2, 4]) * self.size.steps // 2).tolist()]
        )

    def rate(self) -> list[dict[str, Any]]:
        """Growth with the firing rate: the trained net at other precisions."""
        m_f = SpikingNetwork.load(self.file(TRAINED)).populations[0].parameters.m_f
        rows = self.run([self.event(f"m_f {m_f * f:g}", m_f=m_f * f) for f in (0.25, 0.375, 0.75, 1, 3)])
        x = self.x(TRAINED)[: self.size.images]
        network = SpikingNetwork.load(self.file(TRAINED))
        from snntb_adsnn.engine import simulate

        for row in rows:
            result = simulate(network, x, duration=self.size.steps * network.dt, m_f=row["m_f"], engine="event")
            row["firing_rate_hz"] = result.firing_rate_hz
        return rows

    def batch(self) -> list[dict[str, Any]]:
        """Images that one call simulates."""
        sizes = (1, 10, 100, 1000) if self.size.many_images >= 1000 else (1, 2)
        return self.run([self.event(f"batch {n}", count=max(n, min(self.size.images, 100)), batch=n) for n in sizes])

    def width(self) -> list[dict[str, Any]]:
        """Growth with the number of channels."""
        return self.run([self.event(name, name) for name in (_width(f) for f in (0.5, 1, 2, 4))])

    def memory(self) -> list[dict[str, Any]]:
        """Many images in one run."""
        return self.run([self.event(f"{self.size.many_images:,} images", count=self.size.many_images)], rounds=1)

    def limit(self) -> dict[str, Any]:
        """Distance to the machine's limit, by network."""
        few = min(self.size.images, 5)
        counts = {TRAINED: few, RANDOM: few, VGG: 1, RESIDUAL: 1}
        return {
            name: self.call(
                sys.executable,
                "benchmarks.limit",
                str(self.file(name)),
                str(self.images(name, n)),
                str(self.size.steps),
            )
            for name, n in counts.items()
        }

    def agreement(self) -> dict[str, Any]:
        """The event engine's decisions against the reference's."""
        files = str(self.file(TRAINED)), str(self.images(TRAINED, self.size.agreement_images))
        return self.call(sys.executable, "benchmarks.agreement", *files, str(self.size.steps))  # type: ignore[no-any-return]

    def sections(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        """Everything that is measured, in order."""
        yield "limit", self.limit
        yield "simulators", lambda: self.simulators(TRAINED, self.size.images)
        yield "batch", self.batch
        yield "steps", self.steps
        yield "rate", self.rate
        yield "memory", self.memory
        yield "toolbox", self.toolbox
        yield "width", self.width
        yield "simulators_random", lambda: self.simulators(RANDOM, self.size.images)
        yield "simulators_vgg", lambda: self.simulators(VGG, self.size.large_images)
        yield "simulators_residual", lambda: self.simulators(RESIDUAL, self.size.large_images)
        yield "agreement", self.agreement


def _width(factor: float) -> str:
    return f"{16 * factor:.0f}C3-MP2-{32 * factor:.0f}C3-MP2-10"


SECTIONS = [name for name, _ in Bench(Size(), Path(), None).sections()]


def processor() -> str:
    """Name of the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def updated(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """``old`` results with the sections of ``new`` in their place; both must come from one machine and one size."""
    if (old["machine"], old["size"]) != (new["machine"], new["size"]):
        raise click.ClickException("the --json file comes from another machine or other sizes; choose another name.")
    return old | new | {"load_average": old["load_average"] | new["load_average"]}


@click.command()
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Where to write all figures."
)
@click.option("--images", type=click.IntRange(1), help="Images of the comparison (100).")
@click.option("--steps", type=click.IntRange(4), help="Steps of 1 ms (500).")
@click.option("--rounds", type=click.IntRange(1), help="Times that every case is measured (3).")
@click.option("--quick", is_flag=True, help="Tiny sizes: see that everything works.")
@click.option("--peer-python", help="Interpreter of an environment that has the peers.")
@click.option("--skip", multiple=True, type=click.Choice(SECTIONS), help="Leave a section out; may be repeated.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(SECTIONS),
    help="Measure this section; may be repeated. The --json file's others stay.",
)
@click.option("--docs", is_flag=True, help="Write docs/speed.md and docs/speed.png.")
def main(json_file: Path | None, quick: bool, peer_python: str | None, skip: tuple[str, ...], only: tuple[str, ...],
         docs: bool, **sizes: int | None) -> None:  # fmt: skip
    """Measure the simulators side by side."""
    size = Size.quick() if quick else Size()
    size = Size(**{**vars(size), **{key: value for key, value in sizes.items() if value is not None}})
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(size, Path(folder), peer_python)
        results: dict[str, Any] = {
            "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform()},
            "versions": versions() | {name: version for name, (_, version) in bench.interpreters.items()},
            "size": vars(size),
            "load_average": {},
        }
        if only and json_file is not None and json_file.exists():
            results = updated(json.loads(json_file.read_text()), results)
        try:
            for name, section in bench.sections():
                if name not in skip and (not only or name in only):
                    click.echo(f"{name} ...", err=True)
                    results["load_average"][name] = os.getloadavg()[0]
                    results[name] = section()
                    results["targets"] = report.targets(results)
                    if json_file is not None:  # after each section: an interrupted run leaves what it measured
                        write_json(json_file, results)
        except AdSNNError as error:
            raise click.ClickException(str(error)) from None
    report.print_tables(results)
    if docs:
        report.write_docs(results, nets.ROOT / "docs")


if __name__ == "__main__":
    main()
