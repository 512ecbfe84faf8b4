"""Studies: many simulations of one network, each computed once, whatever happens in between.

An item's result is a file of its own, named by a hash of everything that determines it and written whole or not at all.
A study that was killed goes on where it stopped when it is started again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snntb_adsnn.errors import ConfigError, OutputError, WorkerError
from snntb_adsnn.files import TEMPORARY, locked, reason, write_json
from snntb_adsnn.measure.correction import Correction
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array
from snntb_adsnn.studies.workers import Answers, Cluster, Failure, Job, Local, Runner

if TYPE_CHECKING:
    from rich.progress import Progress

    from snntb_adsnn.run import Run

# ---- what a study starts from ----------------------------------------------------------------------------------------

_KEPT = 4
_corrected: dict[str, SpikingNetwork] = {}
"""The last ``_KEPT`` networks with corrected biases, by what they came from: points that follow each other often share
one, and a grid of many would fill the memory."""
_corrected_lock = threading.Lock()
"""A Dask worker may have several threads."""


@dataclass(frozen=True)
class Subject:
    """A converted network and the test images it is simulated on.

    Attributes:
        network: with the constants of ``[adsnn]``; biases as trained.
        trained: with its trained constants.
        x: test inputs, shape (images, *input shape).
        labels: their classes, shape (images,), or labels, shape (images, labels).
        ann: what the ANN decides, in the same form.
        duration: simulated time per image, ms.
        batch_size: images simulated at a time.
        correction: what every precision is corrected with; none without it.
    """

    network: SpikingNetwork
    trained: SpikingNetwork
    x: Array
    labels: Array
    ann: Array
    duration: float
    batch_size: int
    correction: Correction | None = None

    @classmethod
    def of(cls, run: Run, images: int | None = None) -> Subject:
        """The subject of a configuration's study, on the first ``[simulation] num_to_test`` test images, or ``images``.

        Raises:
            AdSNNError: a missing or damaged file, or a network that cannot be converted.
        """
        if chosen := run.config.simulation.chosen:
            raise ConfigError(
                f"{run.config.file}: [simulation] sample_idxs_to_test = {chosen}: a study takes the first num_to_test "
                "inputs; remove it."
            )
        if run.config.adsnn.decide_early is not None:
            raise ConfigError(
                f"{run.config.file}: [adsnn] decide_early has no effect on a study, which simulates the whole time; "
                "remove it, or use snntb-adsnn run."
            )
        run.need_files()  # a mistake in data shows before TensorFlow is imported
        _ = run.correction
        count = min(len(run.x_test), images or run.config.simulation.num_to_test or len(run.x_test))
        x = np.asarray(run.x_test[:count], np.float32)
        labels, ann = run.labels, run.ann(x)
        return cls(
            run.configured,
            run.trained,
            x,
            labels[:count],
            ann,
            run.duration,
            run.batch_size,
            run.correction,
        )

    @property
    def ann_accuracy(self) -> float:
        """Share of the test images that the ANN classifies correctly."""
        return float((self.ann == self.labels).mean())

    def corrected(self, network: SpikingNetwork, engine: str) -> SpikingNetwork:
        """``network``, with its biases corrected where ``[adsnn] bias_correction`` asks for it."""
        if self.correction is None:
            return network
        key = fingerprint(network, self.trained, self.correction, engine)
        with _corrected_lock:
            found = _corrected.pop(key, None)
            if found is None:
                found = self.correction.of(network, self.trained, engine=engine)
            _corrected[key] = found  # last, as the latest used
            if len(_corrected) > _KEPT:
                del _corrected[next(iter(_corrected))]
        return found


# ---- keys ------------------------------------------------------------------------------------------------------------

_CODE = (
    *("neuron/*.py", "network/**/*.py", "engine/**/*.py", "measure/*.py", "report/results.py", "files.py", "record.py"),
    "studies/[!_]*.py",
)


def result_code() -> list[Path]:
    """The files of this package that compute a result from network, images and settings, or store it."""
    package = Path(__file__).parents[1]
    return sorted(file for pattern in _CODE for file in package.glob(pattern))


@lru_cache
def code_version(engine: str) -> str:
    """Fingerprint of the code that a result of ``engine`` depends on: this package's, NumPy, numba, TensorFlow."""
    from importlib import metadata  # slow to import: commands that simulate nothing do without

    digest = hashlib.sha256()
    for file in result_code():
        digest.update(file.read_bytes())
    for package in ("numpy", "numba", *(["tensorflow"] if engine == "tensorflow" else [])):
        digest.update(metadata.version(package).encode())
    return digest.hexdigest()


def fingerprint(*parts: Any) -> str:
    """Hash of arrays, networks, dataclasses and plain values (by content), 24 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        _add(digest, part)
    return digest.hexdigest()[:24]


def _add(digest: Any, part: Any) -> None:
    digest.update(type(part).__name__.encode() + b"(")
    if isinstance(part, np.ndarray):
        digest.update(f"{part.dtype}{part.shape}".encode() + np.ascontiguousarray(part).tobytes())
    elif dataclasses.is_dataclass(part):
        for field in dataclasses.fields(part):
            digest.update(field.name.encode())
            _add(digest, getattr(part, field.name))
    elif isinstance(part, Mapping):
        for key in sorted(part):
            digest.update(key.encode())
            _add(digest, part[key])
    elif isinstance(part, list | tuple):
        for element in part:
            _add(digest, element)
    else:
        digest.update(repr(part).encode())
    digest.update(b")")


# ---- computing -------------------------------------------------------------------------------------------------------


def compute(
    job: Job, shared: Any, items: Mapping[str, Any], folder: Path, runner: Runner, *, title: str
) -> dict[str, dict[str, Any]]:
    """Apply ``job`` to every item that ``folder`` has no result of yet; returns all results, in the items' order.

    Args:
        job: returns a dictionary of plain JSON values.
        shared: what it needs besides the item.
        items: by a hash of everything that determines the result (``fingerprint``).
        folder: of the result files.
        runner: where to compute, see ``workers``.
        title: of the progress bar.

    Raises:
        OutputError: a result cannot be written, or another study is at work in ``folder``.
        WorkerError: items without a result, by name; all others are kept.
    """
    with _locked(folder):
        results = {key: result for key in items if (result := _read(folder, key)) is not None}
        if results:
            print(f"{title}: {len(results)} of {len(items)} points were computed before.")
        missing = {key: item for key, item in items.items() if key not in results}

        def keep(key: str, answer: Any) -> None:
            # what was read back from a file and what was not are the same values
            results[key] = json.loads(json.dumps(answer))
            write_json(folder / f"{key}.json", {_KEY: key, _DIGEST: _digest(results[key]), **results[key]})

        work_off(partial(runner, job, shared), missing, keep, title=title, total=len(items))
    return {key: results[key] for key in items}


def work_off(
    answer: Callable[[Mapping[str, Any]], Answers],
    items: Mapping[str, Any],
    keep: Callable[[str, Any], None],
    *,
    title: str,
    total: int,
    noun: str = "points",
) -> None:
    """Hand each item's answer to ``keep`` as soon as it is there.

    Args:
        answer: a runner with its job and what items share.
        items: by key; what a message calls one is its text.
        keep: takes key and answer.
        title: of the progress bar.
        total: number of items, with those that need no answer any more.
        noun: what a message calls them.

    Raises:
        WorkerError: items without an answer, by name.
    """
    failures: dict[str, Failure] = {}
    # closed here, whatever is raised: no worker goes on in a folder that is no longer locked
    with _progress_bar() as bar, closing(answer(items)) as answers:
        task = bar.add_task(title, total=total, completed=total - len(items))
        for key, found in answers if items else ():
            if isinstance(found, Failure):
                failures[key] = found
            else:
                keep(key, found)
            bar.advance(task)
    if failures:
        named = "; ".join(f"{items[key]}: {failure.reason.rstrip('.')}" for key, failure in failures.items())
        again = any(failure.again for failure in failures.values())
        raise WorkerError(
            f"{len(failures)} of {total} {noun} have no result: {named}. The others are kept"
            f"{': start again for these' if again else ''}."
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other studies out of ``folder``."""
    with locked(folder, "another run is computing the same study; wait for it, or end it."):
        remove_unfinished(folder)
        yield


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed run has left in the middle of writing."""
    for left in folder.glob(f"{TEMPORARY}*"):
        left.unlink(missing_ok=True)


_KEY, _DIGEST = "key", "sha256"
"""What a file of a result holds besides the result: its own name, so that no other file is taken for one, and a digest
of the result, so that one that was changed is not taken for what was computed."""


def _digest(result: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()


def _read(folder: Path, key: str) -> dict[str, Any] | None:
    """A finished result; ``None`` where there is none, or, which is said, a changed or damaged one.

    Raises:
        OutputError: the file is there, but may not be read.
    """
    file = folder / f"{key}.json"
    try:
        result = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise OutputError(f"{file}: cannot be read ({reason(error)}); allow it, or delete the file.") from None
    except (OSError, ValueError, RecursionError):
        result = None
    if isinstance(result, dict) and result.pop(_KEY, None) == key and result.pop(_DIGEST, None) == _digest(result):
        return result
    print(f"{file} is not as it was written (changed or damaged); this point is computed anew.")
    return None


def _progress_bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    console.quiet = not (console.is_terminal or console.is_jupyter)  # in a file of messages it would say nothing
    return Progress(*columns, console=console)


# ---- where -----------------------------------------------------------------------------------------------------------


def make_runner(scheduler: str | None, workers: int | None, engine: str) -> Runner | None:
    """Where to simulate; ``None``: as fits the engine. A scheduler must answer before anything else is done, and its
    workers must have the same code for ``engine``.

    Raises:
        ConfigError: both were asked for.
        WorkerError: the scheduler does not answer.
    """
    if scheduler is None:
        return Local(workers) if workers else None
    if workers:
        raise ConfigError("--workers counts processes on this machine; leave it out with --scheduler.")
    cluster = Cluster(scheduler, code_version(engine), partial(code_version, engine))
    cluster.check()
    return cluster
