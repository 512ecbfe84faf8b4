"""What SNN Toolbox evaluates as Python code. It is read as data here, and the toolbox gets nothing but data."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_LONGEST = 10_000
"""Characters of a value that is read at all."""

Unreadable = (ValueError, SyntaxError, TypeError, ArithmeticError, MemoryError, RecursionError)
"""What ``literal`` and the checks raise for a text that is no such value."""


def literal(text: str) -> Any:
    """The value that ``text`` writes down: numbers, texts, truth values, ``None``, and lists, tuples, sets and
    dictionaries of them. ``+ - * /`` may stand between numbers, so that ``1 / 255`` is one. Nothing is executed.

    Raises:
        Unreadable: it is anything else.
    """
    if len(text) > _LONGEST:
        raise ValueError("too long")
    return _value(ast.parse(text.strip(), mode="eval").body)


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value) if value is None or isinstance(value, bool | int | float | str):
            return _finite(value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _number(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return _finite(_ARITHMETIC[type(op)](_number(left), _number(right)))
        case ast.List(elts=parts):
            return [_value(part) for part in parts]
        case ast.Tuple(elts=parts):
            return tuple(_value(part) for part in parts)
        case ast.Set(elts=parts):
            return {_value(part) for part in parts}
        case ast.Dict(keys=keys, values=values):
            return {_value(_some(key)): _value(value) for key, value in zip(keys, values, strict=True)}
        case ast.Call(func=ast.Name(id="set"), args=[], keywords=[]):  # how Python writes the empty set
            return set()
    raise ValueError("not a plain value")


def _some(key: ast.expr | None) -> ast.expr:
    if key is None:  # {**another}
        raise ValueError("not a plain value")
    return key


def _number(node: ast.expr) -> Any:
    value = _value(node)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number")
    return value


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not finite")
    return value


# ---- what is allowed under each key ----------------------------------------------------------------------------------


class RefusedError(Exception):
    """A value of the right type that is not allowed; the text goes on after ``is not allowed: ``."""


@dataclass(frozen=True)
class Kind:
    """What a key takes.

    Attributes:
        wanted: it, in words; what a message ends with.
        read: gives the value the toolbox gets; raises ``Unreadable`` or ``RefusedError``.
    """

    wanted: str
    read: Callable[[Any], Any]

    def __call__(self, text: str) -> str:
        """``text`` as the toolbox gets it.

        Raises:
            RefusedError: it is something else.
        """
        try:
            return repr(self.read(literal(text)))
        except Unreadable:
            raise RefusedError(f"write {self.wanted}") from None


def _need(fits: bool) -> None:
    if not fits:
        raise ValueError("another type")


def _names(value: Any) -> Any:
    _need(value == {} or isinstance(value, set | list | tuple))
    _need(all(isinstance(name, str) for name in value))
    return set(value) or {}


def _list_of(*kinds: type) -> Callable[[Any], list[Any]]:
    def read(value: Any) -> list[Any]:
        _need(isinstance(value, list | tuple))
        _need(all(isinstance(one, kinds) and not isinstance(one, bool) for one in value))
        return list(value)

    return read


def _arguments(function: str, allowed: str, runs: dict[str, str]) -> Callable[[Any], dict[str, Any]]:
    """A dictionary of arguments of one of Keras' functions; ``runs``: why some are refused."""

    def read(value: Any) -> dict[str, Any]:
        _need(isinstance(value, dict) and all(isinstance(key, str) for key in value))
        for key in value:
            if key in runs:
                raise RefusedError(f"{key!r} {runs[key]}; leave it out")
            if key not in allowed.split():
                raise RefusedError(f"{function} has no argument {key!r}; allowed are {', '.join(allowed.split())}")
        return dict(value)

    return read


_LOOKS = """axes boxplot errorbar figure font grid hatch hist image legend lines markers patch savefig scatter text
    xtick ytick"""
_NO_LOOKS = {"figure.hooks", "savefig.directory", "axes.prop_cycle", "text.usetex", "text.latex.preamble"}
"""Settings that name code, programs or folders."""


def _looks(value: Any) -> dict[str, Any]:
    """Settings of matplotlib that say how a plot looks."""
    _need(isinstance(value, dict) and all(isinstance(key, str) for key in value))
    for key in value:
        if key in _NO_LOOKS or key.partition(".")[0] not in _LOOKS.split():
            raise RefusedError(f"{key!r} is no setting of how a plot looks; leave it out")
    return dict(value)


EVALUATED: dict[tuple[str, str], Kind] = {
    ("output", "log_vars"): Kind("a set of names, such as {'spiketrains_n_b_l_t', 'activations_n_b_l'}", _names),
    ("output", "plot_vars"): Kind("a set of names, such as {'spiketrains', 'error_t'}", _names),
    ("output", "plotproperties"): Kind("a dictionary of matplotlib's settings, such as {'font.size': 13}", _looks),
    ("simulation", "sample_idxs_to_test"): Kind("a list of numbers, such as [0, 3, 17]", _list_of(int)),
    ("parameter_sweep", "param_values"): Kind("a list of numbers, such as [0.1, 0.2]", _list_of(int, float)),
    ("input", "datagen_kwargs"): Kind(
        "a dictionary of arguments of Keras' ImageDataGenerator, such as {'rescale': 1 / 255}",
        _arguments(
            "ImageDataGenerator",
            "featurewise_center samplewise_center featurewise_std_normalization samplewise_std_normalization "
            "zca_whitening zca_epsilon rotation_range width_shift_range height_shift_range brightness_range "
            "shear_range zoom_range channel_shift_range fill_mode cval horizontal_flip vertical_flip rescale "
            "data_format validation_split interpolation_order dtype",
            {"preprocessing_function": "runs a Python file"},
        ),
    ),
    ("input", "dataflow_kwargs"): Kind(
        "a dictionary of arguments of Keras' flow_from_directory, such as {'target_size': (28, 28)}",
        _arguments(
            "flow_from_directory",
            "target_size color_mode classes class_mode batch_size shuffle seed follow_links subset interpolation "
            "keep_aspect_ratio",
            {
                "directory": "is dataset_path",
                **dict.fromkeys(("save_to_dir", "save_prefix", "save_format"), "writes pictures"),
            },
        ),
    ),
}
"""Keys of a run that the toolbox evaluates, and what each takes. The other keys it evaluates stay at their defaults."""
