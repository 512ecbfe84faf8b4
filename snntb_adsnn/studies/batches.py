"""The batches of one run, simulated by workers (``snntb-adsnn run`` with ``--workers`` or ``--scheduler``).

What was simulated is kept, a file for each batch, until the run has ended. The run then takes it batch by batch, in
order, as if it had simulated it. So all sums are made in the same order, and figures are the same to the last digit.
A run that was killed goes on with the batches that are there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from snntb_adsnn.engine import SimulationResult, SpikeObserver, simulate
from snntb_adsnn.errors import OutputError
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array
from snntb_adsnn.record import Format
from snntb_adsnn.studies.study import code_version, fingerprint, remove_unfinished, work_off
from snntb_adsnn.studies.workers import Local, Runner

FOLDER = "batches"
"""Of the kept batches, in the run's own folder."""
WINDOW = 2**30
"""Bytes of inputs that are handed to the workers at a time; what is read from pictures is in memory until then."""

_Batch = TypeVar("_Batch", bound=tuple[Array, ...])

# ---- one batch, in a worker ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """What all batches of a run share.

    Attributes:
        network: as it is simulated, biases corrected.
        duration: simulated time per image, ms.
        engine: its name in ``ENGINES``; not ``auto``, which may mean another one in each worker.
        record: what the engine records, see ``simulate``; in ascending order.
        observed: whether each image's spikes are wanted.
        margin, patience: of early decisions, see ``simulate``.
    """

    network: SpikingNetwork
    duration: float
    engine: str
    record: tuple[str, ...] = ()
    observed: bool = False
    margin: float | None = None
    patience: float = 0.0


@dataclass(frozen=True)
class Batch:
    """Inputs, shape (images, *input shape), and the batch's number, from 1."""

    number: int
    x: Array

    def __str__(self) -> str:
        return f"batch {self.number}"


@dataclass(frozen=True)
class Kept:
    """A simulated batch as it is sent and kept: the fields of ``SimulationResult``, counts in their smallest type.

    Attributes:
        times: of each image the steps of its spikes, as a ``SpikeObserver`` takes them, where they are wanted.
        corrective_counts: as ``spike_counts``.
        stopped: as in ``SimulationResult``.
    """

    outputs: Array
    spike_counts: dict[str, Array]
    spikes_per_step: dict[str, Array]
    records: dict[str, dict[str, Array]]
    times: list[Array] | None
    corrective_counts: dict[str, Array] = field(default_factory=dict)
    stopped: Array | None = None


@dataclass(frozen=True)
class _Entry:
    """Content of a file: its own name, so that no other file is taken for it, and the batch."""

    key: str
    batch: Kept


def simulate_batch(setting: Setting, item: Batch) -> Kept:
    """Simulate one batch."""
    times: dict[int, Array] = {}

    def keep(image: int, steps: Array, counts: Array) -> None:
        times[image] = _narrow(steps)

    result = simulate(
        setting.network,
        item.x,
        duration=setting.duration,
        engine=setting.engine,
        record=setting.record,
        margin=setting.margin,
        patience=setting.patience,
        on_spikes=keep if setting.observed else None,
    )
    return Kept(
        result.outputs,
        {name: _narrow(counts) for name, counts in result.spike_counts.items()},
        dict(result.spikes_per_step),
        {quantity: dict(arrays) for quantity, arrays in result.records.items()},
        [times[image] for image in range(len(item.x))] if setting.observed else None,
        {name: _narrow(counts) for name, counts in result.corrective_counts.items()},
        result.stopped,
    )


def _narrow(counts: Array) -> Array:
    """The same numbers, none below 0, in the smallest type that holds them; always a copy."""
    return counts.astype(np.min_scalar_type(counts.max(initial=0)))


# ---- all of them -----------------------------------------------------------------------------------------------------

_FORMAT = Format(
    "snntb-adsnn batch",
    1,
    "file of a simulated batch",
    "A run with --workers or --scheduler simulates this batch anew.",
    {"_Entry": _Entry, "Kept": Kept},
)


@dataclass(frozen=True)
class Batches:
    """The batches of a run.

    Attributes:
        setting: what they share.
        folder: where they are kept; no other process may use it.
        runner: where they are simulated.
    """

    setting: Setting
    folder: Path
    runner: Runner

    def ahead(self, batches: Iterable[_Batch]) -> Iterator[_Batch]:
        """The same batches (inputs come first in each), in the same order; each is simulated when it comes.

        Raises:
            OutputError: a batch cannot be kept.
            WorkerError: batches that could not be simulated; all others are kept.
        """
        number = 1
        for window in _windows(batches):
            self._simulate({self._key(x): Batch(number + i, x) for i, (x, *_) in enumerate(window)})
            number += len(window)
            yield from window

    def result(self, x: Array, on_spikes: SpikeObserver | None = None) -> SimulationResult:
        """What ``simulate`` returns for the inputs ``x`` of a batch that was simulated, and tells ``on_spikes``.

        Raises:
            OutputError: its file is no longer there, or no longer what was written.
        """
        found = self._read(self._key(x))
        counts = {name: array.astype(np.int32) for name, array in found.spike_counts.items()}
        if on_spikes is not None:
            assert found.times is not None
            for image, times in enumerate(found.times):
                fired = np.concatenate([counts[name][image].ravel() for name in self.setting.network.population_names])
                on_spikes(image, times.astype(np.int32), fired)
        return SimulationResult(
            found.outputs,
            counts,
            found.spikes_per_step,
            self.setting.network.dt,
            found.records,
            corrective_counts={name: array.astype(np.int32) for name, array in found.corrective_counts.items()},
            stopped=found.stopped,
            readout=self.setting.network.readout,
        )

    def _simulate(self, items: Mapping[str, Batch]) -> None:
        remove_unfinished(self.folder)
        missing = {key: item for key, item in items.items() if not self._there(key)}
        if len(missing) < len(items):
            print(f"{len(items) - len(missing)} of {len(items)} batches were simulated before.")
        if missing and isinstance(self.runner, Local):  # compile the engine's code once, not in every worker
            first, network = next(iter(missing.values())), self.setting.network
            simulate(network, first.x[:1], duration=network.dt, engine=self.setting.engine)
        answer = partial(self.runner, simulate_batch, self.setting)
        work_off(answer, missing, self._write, title="batches", total=len(items), noun="batches")

    @cached_property
    def _common(self) -> str:
        return fingerprint(self.setting, code_version(self.setting.engine))

    def _key(self, x: Array) -> str:
        return fingerprint(self._common, x)

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.npz"

    def _write(self, key: str, batch: Kept) -> None:
        _FORMAT.write(self._file(key), _Entry(key, batch), compress=bool(batch.records))

    def _read(self, key: str) -> Kept:
        entry = _FORMAT.read(self._file(key))
        if not isinstance(entry, _Entry) or entry.key != key:
            raise OutputError(f"{self._file(key)}: is the file of another batch. {_FORMAT.way_out}")
        return entry.batch

    def _there(self, key: str) -> bool:
        if not self._file(key).exists():
            return False
        try:
            self._read(key)
        except OutputError as error:
            print(error)
            return False
        return True


def remove_batches(folder: Path) -> None:
    """Remove the batches that are kept in ``folder``, and the folder, where there is one."""
    with suppress(OSError):  # they are in nobody's way
        for file in folder.iterdir():
            if re.fullmatch(r"[0-9a-f]{24}\.npz", file.name):
                file.unlink()
        remove_unfinished(folder)
        folder.rmdir()


def _windows(batches: Iterable[_Batch]) -> Iterator[list[_Batch]]:
    """Batches in a row whose inputs fill ``WINDOW`` bytes."""
    window: list[_Batch] = []
    size = 0
    for batch in batches:
        window.append(batch)
        size += batch[0].nbytes
        if size >= WINDOW:
            yield window
            window, size = [], 0
    if window:
        yield window
