"""What is SNN Toolbox's own in a configuration file: its keys, and mistakes that it would answer with a traceback."""

from __future__ import annotations

import ast
import configparser
import importlib.util
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from snntb_adsnn.errors import ConfigError

NAME = "adsnn"
"""Value of ``[simulation] simulator`` and ``[input] model_lib``."""

_ONLY = {
    ("conversion", "spike_code"): ("temporal_mean_rate", "the spike code is the adaptive neuron's own"),
    ("conversion", "max2avg_pool"): ("False", "max pooling is converted exactly"),
    ("cell", "binarize_weights"): ("False", "the network is converted exactly"),
    ("cell", "quantize_weights"): ("False", "the network is converted exactly"),
    ("input", "poisson_input"): ("False", "the first layer takes the analog input"),
    ("input", "keras_dataset"): ("", "data are read from dataset_path"),
    ("tools", "serialise_only"): ("False", "the converted network is always saved"),
    ("simulation", "keras_backend"): ("tensorflow", "the ANN is evaluated by TensorFlow"),
    ("simulation", "early_stopping"): ("False", "the analog input never ends, so there is nothing to stop at"),
    ("simulation", "reset_between_nth_sample"): ("1", "every input starts from rest"),
}
"""Settings that would change a network or its input in a way that does not exist here, and the value they must have."""


def refusals(parser: configparser.ConfigParser) -> list[str]:
    """One sentence for each setting that asks for something that does not exist in simulator ``adsnn``."""
    mistakes = []
    library = parser.get("input", "model_lib", raw=True, fallback="keras")
    if library not in ("keras", NAME):
        mistakes.append(f"[input] model_lib = {library}: simulator adsnn reads Keras models; use model_lib = keras.")
    for (section, key), (needed, reason) in _ONLY.items():
        value = parser.get(section, key, raw=True, fallback=needed)
        if value.strip().lower() != needed.lower():
            mistakes.append(f"[{section}] {key} = {value} does not apply to simulator adsnn: {reason}. Remove it.")
    dataset_format = parser.get("input", "dataset_format", raw=True, fallback="npz")
    if dataset_format not in ("npz", "jpg", "png"):
        mistakes.append(f"[input] dataset_format = {dataset_format}: simulator adsnn takes frames; use npz or jpg.")
    return mistakes


@lru_cache(maxsize=1)
def toolbox_defaults() -> dict[str, dict[str, str]]:
    """The toolbox's keys and their defaults, by section (from its file; the package itself is not imported)."""
    spec = importlib.util.find_spec("snntoolbox")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError("SNN Toolbox is not installed; install it with: pip install snntoolbox==0.6.0")
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(Path(spec.submodule_search_locations[0]) / "config_defaults", encoding="utf-8")
    return {section: dict(parser.items(section, raw=True)) for section in parser.sections()}


def value_mistakes(parser: configparser.ConfigParser) -> list[str]:
    """One sentence for each value of a toolbox key that has the wrong type: of truth values, and of what the toolbox
    evaluates as Python code."""
    mistakes = []
    for section, defaults in toolbox_defaults().items():
        for key, default in defaults.items():
            value = parser.get(section, key, raw=True, fallback="").strip()
            if not value:
                continue
            if default in ("True", "False") and value.lower() not in configparser.ConfigParser.BOOLEAN_STATES:
                mistakes.append(f"[{section}] {key} = {value} is not allowed: write True or False.")
            elif (wanted := _EVALUATED.get((section, key))) and not _is(wanted[0], value):
                mistakes.append(f"[{section}] {key} = {value} is not allowed: write {wanted[1]}.")
    return mistakes


def _is(fits: Callable[[Any], bool], value: str) -> bool:
    try:
        return fits(ast.literal_eval(value))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False


def _names(value: Any) -> bool:
    return value == {} or (isinstance(value, set | list | tuple) and all(isinstance(name, str) for name in value))


def _list_of(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, list | tuple) and all(isinstance(one, kinds) and not isinstance(one, bool) for one in value)
    )


_EVALUATED: dict[tuple[str, str], tuple[Callable[[Any], bool], str]] = {
    ("output", "log_vars"): (_names, "a set of names, such as {'spiketrains_n_b_l_t', 'activations_n_b_l'}"),
    ("output", "plot_vars"): (_names, "a set of names, such as {'spiketrains', 'error_t'}"),
    ("simulation", "sample_idxs_to_test"): (_list_of(int), "a list of numbers, such as [0, 3, 17]"),
    ("parameter_sweep", "param_values"): (_list_of(int, float), "a list of numbers, such as [0.1, 0.2]"),
}
