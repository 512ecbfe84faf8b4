"""What is SNN Toolbox's own in a configuration file: its keys, which of them act with simulator ``adsnn``, and mistakes
that it would answer with a traceback."""

from __future__ import annotations

import configparser
import importlib.util
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from snntb_adsnn.config.literals import EVALUATED, RefusedError, Unreadable, literal
from snntb_adsnn.config.messages import short
from snntb_adsnn.config.names import name_mistake
from snntb_adsnn.errors import ConfigError
from snntb_adsnn.frontends.models import libraries
from snntb_adsnn.neuron.constants import SETTABLE

NAME = "adsnn"
"""Value of ``[simulation] simulator`` and ``[input] model_lib``."""

RESTRICTIONS = {
    "simulators": f"%(simulators_pyNN)s | %(simulators_other)s | {{'{NAME}'}}",
    "model_libs": f"{{'keras', '{NAME}'}}",
}
"""What a run puts into the toolbox's ``[restrictions]``."""

SWEEPABLE = ("m_f", *SETTABLE, "readout_tau_phi")
"""Keys of ``[adsnn]`` over which ``[parameter_sweep]`` may run."""

SWEEP = ("parameter_sweep", "param_values")


# ---- which keys act --------------------------------------------------------------------------------------------------


def _has(*place: str) -> Callable[[configparser.ConfigParser], bool]:
    return lambda parser: _text(parser, *place).replace(" ", "") not in ("", "[]", "()")


def _pictures(parser: configparser.ConfigParser) -> bool:
    return _text(parser, "input", "dataset_format") not in ("", "npz")


ACTS = ""
_WITH_PICTURES = (_pictures, "data come from .npz files; it is for pictures (dataset_format = jpg or png)")
_WITH_SWEEP = (_has(*SWEEP), "nothing is swept, because param_values is empty")

_EVENTS = "it is for event cameras, and simulator adsnn takes frames"
_POISSON = "the first layer takes the analog input, not Poisson spikes"
_NORMALIZATION = "weights are not normalized: that would change a network of adaptive neurons"
_CELL = "the neuron is the adaptive one, whose constants stand in [adsnn]"
_EXACT = "the network is converted exactly"
_CODE = "the spike code is the adaptive neuron's own"
_LISTS = "the toolbox runs what stands there as Python code"

_Rule = str | tuple[Callable[[configparser.ConfigParser], bool], str]


def _rules(section: str, rule: _Rule, keys: str) -> dict[tuple[str, str], _Rule]:
    return {(section, key): rule for key in keys.split()}


TABLE: dict[tuple[str, str], _Rule] = {
    **_rules("paths", ACTS, "path_wd dataset_path log_dir_of_current_run runlabel"),
    **_rules("paths", ACTS, "filename_ann filename_parsed_model filename_snn"),
    ("paths", "filename_clamp_indices"): "no neuron is clamped",
    ("paths", "filepath_custom_objects"): "it would run a Python file; register layers of your own in Python, "
    "see CONTRIBUTING.md",
    ("paths", "class_idx_path"): _WITH_PICTURES,
    **_rules("input", ACTS, "model_lib dataset_format"),
    **_rules("input", _WITH_PICTURES, "datagen_kwargs dataflow_kwargs"),
    **_rules("input", _POISSON, "poisson_input input_rate num_poisson_events_per_sample"),
    **_rules("input", _EVENTS, "num_dvs_events_per_sample eventframe_width label_dict chip_size frame_gen_method"),
    **_rules("input", _EVENTS, "is_x_first is_x_flipped is_y_flipped maxpool_subsampling do_clip_three_sigma"),
    ("input", "keras_dataset"): "data are read from dataset_path",
    **_rules(
        "tools", ACTS, "evaluate_ann parse normalize convert simulate"
    ),  # normalize: a message says that it is off
    ("tools", "serialise_only"): "the converted network is always saved",
    **_rules("normalization", _NORMALIZATION, "percentile normalization_schedule online_normalization"),
    **_rules("normalization", _NORMALIZATION, "diff_to_max_rate diff_to_min_rate timestep_fraction"),
    ("conversion", "softmax_to_relu"): "the read-out decides by the largest output, with or without a softmax",
    **_rules("conversion", "max pooling is converted exactly", "maxpool_type max2avg_pool"),
    **_rules("conversion", _CODE, "spike_code num_bits"),
    **_rules("simulation", ACTS, "simulator duration dt batch_size num_to_test sample_idxs_to_test top_k"),
    ("simulation", "reset_between_nth_sample"): "every input starts from rest",
    ("simulation", "keras_backend"): "the ANN is evaluated by TensorFlow",
    ("simulation", "early_stopping"): "the analog input never ends, so there is nothing to stop at",
    ("spinnaker", "number_of_neurons_per_core"): "it is for the hardware SpiNNaker",
    **_rules("cell", _CELL, "v_thresh tau_refrac v_reset v_rest cm tau_m tau_syn_E tau_syn_I delay scaling_factor"),
    **_rules("cell", _CELL, "payloads reset leak bias_relaxation"),
    **_rules("cell", _EXACT, "binarize_weights quantize_weights"),
    SWEEP: ACTS,
    **_rules("parameter_sweep", _WITH_SWEEP, "param_name param_logscale"),
    **_rules("output", ACTS, "log_vars plot_vars overwrite use_simple_labels plotproperties"),
    ("output", "verbose"): "messages are always the same",
    **_rules("restrictions", _LISTS, "model_libs dataset_formats frame_gen_method maxpool_types simulators_pyNN"),
    **_rules("restrictions", _LISTS, "simulators_other simulators keras_backends spike_codes spiking_layers"),
    **_rules("restrictions", _LISTS, "snn_layers cellparams_pyNN log_vars plot_vars"),
}
"""Every key of the toolbox's defaults. ``ACTS``; or why another value than the default is refused; or a condition under
which it acts, and why it does not otherwise."""


def _reason(parser: configparser.ConfigParser, rule: _Rule) -> str:
    """Why a key has no effect in these settings; empty where it has one."""
    if isinstance(rule, str):
        return rule
    condition, reason = rule
    return ACTS if condition(parser) else reason


def refusals(parser: configparser.ConfigParser) -> list[str]:
    """One sentence for each setting that asks for something that does not exist in simulator ``adsnn``."""
    mistakes = []
    library = _text(parser, "input", "model_lib")
    if library not in ("", NAME, *libraries()):
        mistakes.append(
            f"[input] model_lib = {short(library)} is not read by simulator adsnn; choose one of "
            f"{', '.join(libraries())}, or leave it out: the model's file tells."
        )
    dataset_format = _text(parser, "input", "dataset_format")
    if dataset_format not in ("", "npz", "jpg", "png"):
        mistakes.append(f"[input] dataset_format = {dataset_format}: simulator adsnn takes frames; write npz or png.")
    for (section, key), rule in TABLE.items():
        value, default = _text(parser, section, key), toolbox_defaults()[section][key]
        if (reason := _reason(parser, rule)) and not _is_default(section, key, value):
            remedy = f"Remove it, or write {short(default)}." if default else "Remove it."
            mistakes.append(f"[{section}] {key} = {short(value)} does not apply to simulator adsnn: {reason}. {remedy}")
    return mistakes or [*_bad_names(parser), *_senseless(parser)]


def _is_default(section: str, key: str, value: str) -> bool:
    """Whether ``value`` means the toolbox's default, however it is spelled; no value is the default."""
    default = toolbox_defaults()[section][key]
    if not value or value.split() == default.split():
        return True
    if section == "restrictions" and value == RESTRICTIONS.get(key):
        return True
    states = configparser.ConfigParser.BOOLEAN_STATES
    if default in ("True", "False"):
        return states.get(value.lower()) == states[default.lower()]
    try:
        wanted, found = literal(default), literal(value)
    except Unreadable:
        return False
    return bool(found == wanted and isinstance(found, bool) == isinstance(wanted, bool))


def _bad_names(parser: configparser.ConfigParser) -> Iterator[str]:
    names = {key: _interpolated(parser, "paths", key) for key in ("filename_ann", *_OTHER_NAMES, "runlabel")}
    for key, name in names.items():
        if name and (mistake := name_mistake(name)):
            yield f"[paths] {key} = {short(name)} {mistake}."
    if names["filename_ann"] and names["filename_parsed_model"] == names["filename_ann"]:
        yield (
            f"[paths] filename_parsed_model = {names['filename_ann']} would overwrite the model, whose name is the "
            "same; choose another."
        )


_OTHER_NAMES = ("filename_parsed_model", "filename_snn")


def _senseless(parser: configparser.ConfigParser) -> Iterator[str]:
    """Values of the right type that mean nothing."""
    chosen = _text(parser, "simulation", "sample_idxs_to_test")
    indices = literal(_interpolated(parser, "simulation", "sample_idxs_to_test") or "[]")
    if indices and min(indices) < 0:
        yield f"[simulation] sample_idxs_to_test = {short(chosen)} is not allowed: test inputs are numbered from 0."
    elif indices and _pictures(parser) and _shuffled(parser):
        yield (
            f"[simulation] sample_idxs_to_test = {short(chosen)} is not allowed: pictures are shuffled, so numbers "
            "mean nothing; add 'shuffle': False to [input] dataflow_kwargs."
        )
    for key in ("log_vars", "plot_vars"):
        allowed = literal(toolbox_defaults()["restrictions"][key])
        for name in sorted(set(literal(_interpolated(parser, "output", key) or "{}")) - allowed):
            yield f"[output] {key} names {short(name)!r}; choose from {', '.join(sorted(allowed))}."
    if values := sweep_values(parser):
        name = _text(parser, "parameter_sweep", "param_name") or "v_thresh"
        if name not in SWEEPABLE:
            yield (
                f"[parameter_sweep] param_name = {name} has no effect on simulator adsnn; choose one of "
                f"{', '.join(SWEEPABLE)}."
            )
        for value in values:
            if value <= 0:
                yield f"[parameter_sweep] param_values holds {value}, but every value must be above 0."


def _shuffled(parser: configparser.ConfigParser) -> bool:
    return bool(literal(_interpolated(parser, "input", "dataflow_kwargs") or "{}").get("shuffle", True))


def sweep_values(parser: configparser.ConfigParser) -> list[float]:
    """``[parameter_sweep] param_values``, once ``value_mistakes`` has passed."""
    return list(literal(_interpolated(parser, *SWEEP) or "[]"))


# ---- defaults --------------------------------------------------------------------------------------------------------


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


# ---- values ----------------------------------------------------------------------------------------------------------


def value_mistakes(parser: configparser.ConfigParser) -> list[str]:
    """One sentence for each value of a toolbox key that has the wrong type: of truth values, and of what the toolbox
    evaluates as Python code."""
    mistakes = []
    for section, defaults in toolbox_defaults().items():
        for key, default in defaults.items():
            value = _text(parser, section, key)
            if value and default in ("True", "False") and value.lower() not in parser.BOOLEAN_STATES:
                mistakes.append(f"[{section}] {key} = {short(value)} is not allowed: write True or False.")
            elif value and (section, key) in EVALUATED:
                mistakes += _literal_mistakes(parser, section, key, value)
    return mistakes


def _literal_mistakes(parser: configparser.ConfigParser, section: str, key: str, value: str) -> Iterator[str]:
    try:
        EVALUATED[section, key](_interpolated(parser, section, key))
    except RefusedError as error:
        yield f"[{section}] {key} = {short(value)} is not allowed: {error}."


def settled(parser: configparser.ConfigParser) -> Iterator[tuple[str, str, str]]:
    """Section, key and text of what the toolbox gets in the place of what was checked: plain values where it evaluates
    them, and its defaults where no value is given."""
    for section, defaults in toolbox_defaults().items():
        for key, default in defaults.items():
            if not parser.has_option(section, key):
                continue
            value = _text(parser, section, key)
            if not value or (TABLE[section, key] and section != "restrictions" and _is_default(section, key, value)):
                if default != value:
                    yield section, key, default
            elif (section, key) in EVALUATED:
                plain = EVALUATED[section, key](_interpolated(parser, section, key))
                yield section, key, plain.replace("%", "%%")


def _text(parser: configparser.ConfigParser, section: str, key: str) -> str:
    """The value as it stands in the file; empty where there is none."""
    return parser.get(section, key, raw=True, fallback="").strip()


def _interpolated(parser: configparser.ConfigParser, section: str, key: str) -> str:
    """The value as the toolbox reads it, with other values put in."""
    return parser.get(section, key, fallback="").strip()
