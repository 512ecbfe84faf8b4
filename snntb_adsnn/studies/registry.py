"""The registry of studies, from which ``snntb-adsnn`` makes a command each.

A study is a file of this folder with a function under ``@study``. To keep ``snntb-adsnn --help`` quick, such a file
imports what is slow to load (configurations, reports) inside its functions.
"""

from __future__ import annotations

import math
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

import click

from snntb_adsnn.registry import Registry

_Run = TypeVar("_Run", bound=Callable[..., Any])
Option = Callable[[Any], Any]
"""What ``click.option`` returns."""


@dataclass(frozen=True)
class Study:
    """An entry of ``STUDIES``.

    Attributes:
        run: takes a ``Config``, and the options as keywords.
        help: of the command.
        options: of the command.
    """

    run: Callable[..., Any]
    help: str
    options: tuple[Option, ...] = ()


STUDIES: Registry[str, Study] = Registry("study")
"""All studies that were imported; ``all_studies`` imports those of this package."""

WORKERS: tuple[Option, ...] = (
    click.option("--scheduler", metavar="ADDRESS", help="Simulate on the cluster of this Dask scheduler."),
    click.option("--workers", type=click.IntRange(min=1), help="Processes on this machine.  [default: one a core]"),
)
"""Options of studies that simulate many times, see ``study.make_runner``."""


def finite(context: click.Context, option: click.Parameter, value: float) -> float:
    """Callback of an option that takes a number: ``click`` takes ``nan`` and ``inf`` for some."""
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is no finite number.")
    return value


def study(name: str, *options: Option, help: str) -> Callable[[_Run], _Run]:
    """Decorator of a function ``run(config, **options)``: makes it the command ``snntb-adsnn NAME CONFIG``.

    Args:
        name: of the study.
        options: of the command, made by ``click.option``.
        help: of the command.

    Raises:
        ParameterError: the name is taken.
    """

    def register(run: _Run) -> _Run:
        STUDIES.add(name, Study(run, help, options))
        return run

    return register


def all_studies() -> Mapping[str, Study]:
    """``STUDIES``, with every file of this folder imported."""
    package = import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if not module.ispkg:
            import_module(module.name)
    return STUDIES
