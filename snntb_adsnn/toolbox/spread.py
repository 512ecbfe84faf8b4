"""Batches of a run on workers: ``snntb-adsnn run`` with ``--workers`` or ``--scheduler``."""

from __future__ import annotations

from collections.abc import Collection
from contextvars import ContextVar
from pathlib import Path

from snntb_adsnn.engine import automatic
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.studies.batches import FOLDER, Batches, Setting, remove_batches
from snntb_adsnn.studies.workers import Runner

RUNNER: ContextVar[Runner | None] = ContextVar("RUNNER", default=None)
"""Where the run in progress simulates its batches, for the simulator, to which the toolbox hands settings only;
``None``: in this process."""


def spread(
    network: SpikingNetwork,
    folder: Path,
    *,
    duration: float,
    engine: str,
    record: Collection[str],
    observed: bool,
    **rule: float,
) -> Batches | None:
    """The batches of a run whose results come into ``folder``; ``None`` where this process simulates them.

    Args:
        network: as it is simulated.
        folder: of the run.
        duration: simulated time per image, ms.
        engine: ``auto``, or a name in ``ENGINES``.
        record: what the engine records, see ``simulate``.
        observed: whether each image's spikes are wanted.
        **rule: for early decisions, see ``simulate``.
    """
    if (runner := RUNNER.get()) is None:
        return None
    engine = automatic() if engine == "auto" else engine
    return Batches(Setting(network, duration, engine, tuple(sorted(record)), observed, **rule), folder / FOLDER, runner)


def finished(folder: Path) -> None:
    """Remove what a run into ``folder`` needs no more once its results are written."""
    remove_batches(folder / FOLDER)
