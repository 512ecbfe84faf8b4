"""The command ``snntb-adsnn paper``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from snntb_adsnn.config import load_config
from snntb_adsnn.errors import ConfigError, DataError
from snntb_adsnn.files import atomic_write, check_writable, locked
from snntb_adsnn.paper import figures, page, record
from snntb_adsnn.paper.measure import arousal_of, find_configs, measure
from snntb_adsnn.report import study_plots

OUTPUT = Path("runs/paper")
"""Where results go by default."""
SETS = ("digits", "iris", "sonar", "mnist")
QUICK_SETS = ("digits", "iris", "sonar")
"""Shipped nets of a quick run: their data need no download."""

_FIGURES: Mapping[str, Callable[[Mapping[str, Any]], Figure]] = {
    "coding_example": figures.coding_example,
    "precision": figures.precision_at_equal_transfer,
    "accuracy_m_f": figures.accuracy_against_m_f,
    "accuracy_rate": figures.accuracy_against_rate,
    "time_constants": figures.time_constants,
}


def run(
    configs: Sequence[Path] = (),
    *,
    quick: bool = False,
    output: Path | None = None,
    docs: Path | None = None,
    measured: Path | None = None,
) -> Path:
    """Measure, draw and write everything; returns the HTML page.

    Args:
        configs: configuration files of the nets; default: the shipped ones.
        quick: few images and points.
        output: folder of ``measured.json``, pictures, ``paper.html`` and ``results.md``; default ``OUTPUT``.
        docs: folder that gets ``results.md`` too, with its pictures and ``measured.json`` in ``results``.
        measured: ``measured.json`` of an earlier run, to be written anew; nothing is simulated then.

    Raises:
        AdSNNError: a configuration, its data, or a folder cannot be used.
    """
    if measured is not None and (configs or quick):
        raise ConfigError("--measured writes an earlier run anew; leave out configurations and --quick.")
    if measured is not None and output is None:
        record.read(measured)
        _need_no_others(measured, OUTPUT / "measured.json")
    output = output or OUTPUT
    for option, folder in {"--output": output, "--docs": docs}.items():
        if folder is not None and folder.is_file():
            raise ConfigError(f"{option} {folder} is a file; name a folder.")
        if folder is not None:
            check_writable(folder / "results.md", f"name another folder with {option}")
    if measured is None:
        text = record.as_text(record.reduce(_measure(configs, quick=quick)))
        data = json.loads(text)  # the page is written from what the file holds
    else:
        data = record.read(measured)
        try:
            markdown(data, output, output)
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise DataError(
                f"{measured}: lacks what the tables show ({error!r}); it comes from another version: measure again."
            ) from error
        text = record.as_text(data)
    with locked(output, "another paper is being written there; wait for it, end it, or choose another --output."):
        return _write(data, text, output, docs)


def _write(data: dict[str, Any], text: str, output: Path, docs: Path | None) -> Path:
    for folder, pictures in [(output, output)] + ([(docs, docs / "results")] if docs else []):
        atomic_write(pictures / "measured.json", text)
        draw(data, pictures)
        atomic_write(folder / "results.md", markdown(data, folder, pictures))
    written = atomic_write(output / "paper.html", page.write_html(data, page.sections(data, _files(data, output))))
    print(f"\nThe page: {written}")
    return written


def _need_no_others(measured: Path, there: Path) -> None:
    """Refuse to write over figures of another run in a folder that nobody has named.

    Raises:
        ConfigError: ``there`` holds other figures than ``measured``.
    """
    if there.exists() and there.read_bytes() != measured.read_bytes():
        raise ConfigError(
            f"{there} holds other figures than {measured}, which would be lost; name a folder for these with --output."
        )


def _measure(configs: Sequence[Path], *, quick: bool) -> dict[str, Any]:
    files = list(configs) or find_configs(QUICK_SETS if quick else SETS)
    loaded = [load_config(file) for file in files]
    for config in loaded:
        config.need_training("the tables have no data set to name")
    return measure(loaded, quick=quick)


def markdown(measured: dict[str, Any], folder: Path, pictures: Path) -> str:
    """``results.md`` of ``folder``, whose pictures are in the folder ``pictures`` inside it; draws nothing."""
    return page.write_markdown(measured, page.sections(measured, _files(measured, pictures)), folder)


def draw(measured: dict[str, Any], folder: Path) -> dict[str, Path]:
    """Draw every figure into ``folder``; returns the files by name."""
    files = _files(measured, folder)
    for name, figure in _figures(measured).items():
        study_plots.save(figure(), files[name])
    return files


def _files(measured: dict[str, Any], folder: Path) -> dict[str, Path]:
    return {name: folder / f"{name}.png" for name in _figures(measured)}


def _figures(measured: dict[str, Any]) -> dict[str, Callable[[], Figure]]:
    """What draws each figure, by name."""
    found: dict[str, Callable[[], Figure]] = {name: partial(figure, measured) for name, figure in _FIGURES.items()}
    for name, entry in measured["sets"].items():
        if outcome := arousal_of(entry):
            found[f"arousal_{name}"] = partial(study_plots.transient, outcome)
            if outcome.laws:
                found[f"thresholds_{name}"] = partial(study_plots.laws, outcome.laws)
    return found
