"""What the paper's figures and tables need, measured: one plain dictionary, kept in ``measured.json``."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snntb_adsnn.config import Config
from snntb_adsnn.errors import ConfigError, DataError, NoMistakesError
from snntb_adsnn.paper import coding
from snntb_adsnn.report.outcomes import ArousalOutcome, SweepOutcome
from snntb_adsnn.report.results import versions
from snntb_adsnn.run import load
from snntb_adsnn.studies import arousal, sweep
from snntb_adsnn.studies.study import Subject

QUICK_IMAGES = 100
QUICK_M_F = (0.1, 0.2, 0.4, 0.8)
TAU = (20.0, 35.0, 50.0, 75.0, 100.0)
"""tau_eta = tau_beta of the study of time constants, ms; the nets are trained with 50."""


def measure(configs: Sequence[Config], *, quick: bool) -> dict[str, Any]:
    """Measure single neurons; a sweep of each configuration's network, and arousal where ``m_f_low`` asks for it; and
    time constants.

    Results of finished points are taken from the configurations' working folders, as ``sweep`` and ``arousal`` leave
    them there.

    Args:
        configs: the sets, by file name; the first one also is the subject of the study of time constants.
        quick: few images and points.

    Raises:
        AdSNNError: a configuration or its data cannot be used, or two configurations have one name.
    """
    _need_different_names(configs)
    sets = {}
    runs = [load(config, model=True) for config in configs]
    for run in runs:  # before hours of work on the first one
        run.need_files()
    for config, run in zip(configs, runs, strict=True):
        subject = Subject.of(run, QUICK_IMAGES if quick else None)
        if quick:
            config = _quick(config)
        print(f"\n{config.file.stem}: {len(subject.x)} test images")
        sets[config.file.stem] = _measure_set(config, subject)
        if len(sets) == 1:
            constants = _time_constants(config, subject)
    return {
        "quick": quick,
        "coding": coding.measure(),
        "sets": sets,
        "time_constants": constants,
        "versions": versions(),
    }


def _need_different_names(configs: Sequence[Config]) -> None:
    files: dict[str, Path] = {}
    for config in configs:
        name = config.file.stem
        if name in files:
            raise ConfigError(
                f"{files[name]} and {config.file} are both named {name!r}, the name by which tables and pictures tell "
                "the sets apart; rename one, or name it once."
            )
        files[name] = config.file


def _quick(config: Config) -> Config:
    section = config.arousal
    return config.model_copy(
        update={
            "sweep": config.sweep.model_copy(update={"m_f": QUICK_M_F}),
            "arousal": section.model_copy(
                update={
                    "waiting_time": section.waiting_time[-1:],
                    "calibration_images": min(section.calibration_images, 300),
                }
            ),
        }
    )


def _measure_set(config: Config, subject: Subject) -> dict[str, Any]:
    return {
        "config": config.file.name,
        "dataset": config.training.dataset if config.training else config.file.stem,
        "images": len(subject.x),
        "neurons": subject.network.neuron_count,
        "trained_m_f": subject.trained.populations[0].parameters.m_f,
        "bias_correction": 0 if subject.correction is None else len(subject.correction.inputs),
        "sweep": dataclasses.asdict(sweep.sweep(config, subject)),
        "arousal": _measure_arousal(config, subject) if config.arousal.m_f_low else None,
    }


def _measure_arousal(config: Config, subject: Subject) -> dict[str, Any] | None:
    try:
        return dataclasses.asdict(arousal.arouse(config, subject))
    except NoMistakesError as error:  # as happens on few training images
        warnings.warn(f"{config.file.stem}: no arousal ({error})", stacklevel=2)
        return None


def _time_constants(config: Config, subject: Subject) -> dict[str, Any]:
    points = [sweep.Point(None, {"tau_eta": tau, "tau_beta": tau}, None, subject.duration) for tau in TAU]
    return {"set": config.file.stem, "points": sweep.simulate_points(config, subject, points, title="time constants")}


def outcome_of(measured: dict[str, Any]) -> SweepOutcome:
    """A set's sweep, as ``sweep.sweep`` returned it."""
    return SweepOutcome(**measured["sweep"])


def arousal_of(measured: dict[str, Any]) -> ArousalOutcome | None:
    """A set's study of arousal, as ``arousal.arouse`` returned it; ``None`` where there is none."""
    return ArousalOutcome(**measured["arousal"]) if measured["arousal"] else None


def find_configs(names: Sequence[str]) -> list[Path]:
    """The shipped configurations of these names, beside the package or in the working directory.

    Raises:
        DataError: one is not there.
    """
    places = (Path(__file__).parents[2] / "configs", Path("configs"))
    found = []
    for name in names:
        file = next((place / f"{name}.ini" for place in places if (place / f"{name}.ini").is_file()), None)
        if file is None:
            raise DataError(
                f"there is no configs/{name}.ini here; run this in a checkout of the project, or name configurations."
            )
        found.append(file)
    return found
