"""Every key of our sections, its values and its default, from the sections' own descriptions: ``snntb-adsnn keys``.

``docs/configuration.md`` is this, written by ``python -m snntb_adsnn.config.reference docs/configuration.md``.
"""

from __future__ import annotations

import inspect
import re
import sys
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from snntb_adsnn.config.base import NeuronSection, OneOf, Section
from snntb_adsnn.config.literals import EVALUATED
from snntb_adsnn.config.load import SECTIONS
from snntb_adsnn.config.toolbox import ACTS, TABLE, toolbox_defaults
from snntb_adsnn.files import atomic_write
from snntb_adsnn.neuron.constants import CONSTANTS, SETTABLE

NEEDED = "(needed)"


@dataclass(frozen=True)
class Key:
    """A key of a section.

    Attributes:
        name: as it stands in the file.
        values: what it takes.
        default: as it would be written; empty where there is none, ``NEEDED`` where the key must be given.
        meaning: what it does.
    """

    name: str
    values: str
    default: str
    meaning: str


def keys_of(section: type[Section]) -> list[Key]:
    """The keys of a section, in the order of its description."""
    # with the bounds that stand inside lists and dictionaries, which pydantic's fields do not have
    hints = typing.get_type_hints(section, include_extras=True)
    meanings = _meanings(section)
    fields = section.model_fields
    assert set(meanings) == set(fields), set(meanings) ^ set(fields)
    return [Key(name, _values(hints[name]), _default(fields[name]), text) for name, text in meanings.items()]


def toolbox_sections() -> list[str]:
    """The names of SNN Toolbox's own sections."""
    return list(toolbox_defaults())


def toolbox_keys(section: str) -> list[Key]:
    """The keys of one of the toolbox's sections; their meaning is said in its own documentation, and here what they do
    with simulator ``adsnn``."""
    found = []
    for name, default in toolbox_defaults()[section].items():
        rule, kind = TABLE[section, name], EVALUATED.get((section, name))
        values = kind.wanted if kind else "True or False" if default in ("True", "False") else ""
        if rule == ACTS:
            meaning = "acts"
        else:
            meaning = f"no effect: {rule}" if isinstance(rule, str) else f"acts, unless {rule[1]}"
        found.append(Key(name, values, " ".join(default.split()), meaning))
    return found


def about(section: type[Section]) -> str:
    """What a section is for: the first paragraph of its description."""
    text = " ".join(inspect.getdoc(section).split("\n\n")[0].split()).replace("``", "`")  # type: ignore[union-attr]
    text = text.split(": ", 1)[1]
    return text[0].upper() + text[1:]


def markdown() -> str:
    """The reference as a page."""
    text = (
        "# Configuration\n\n"
        "A configuration is SNN Toolbox's own `.ini` with sections of ours; any of them may be left out. The\n"
        "toolbox's sections and keys are in its own documentation. Comments stand on lines of their own, relative\n"
        "paths count from the file's folder, and a key without a value has its default. What is unknown, out of\n"
        "range or of a wrong type is named before any work starts. In a terminal: `snntb-adsnn keys [SECTION]`.\n\n"
        "<!-- written by python -m snntb_adsnn.config.reference docs/configuration.md -->\n"
    )
    for name, section in SECTIONS.items():
        text += (
            f"\n## [{name}]\n\n{about(section)}\n\n| key | values | default | meaning |\n| --- | --- | --- | --- |\n"
        )
        for key in keys_of(section):
            default = f"`{key.default}`" if key.default not in ("", NEEDED) else key.default
            cells = (f"`{key.name}`", key.values, default, key.meaning)
            text += f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
    return text


def _meanings(section: type[Section]) -> dict[str, str]:
    """By key, its description under ``Attributes:``; keys that share one get the same. ``overrides`` stands for all
    constants of the neurons, whose meanings the neuron's own table has."""
    lines = inspect.getdoc(section).split("Attributes:\n")[1].splitlines()  # type: ignore[union-attr]
    meanings: dict[str, str] = {}
    names: list[str] = []
    for line in lines:
        if not line.startswith("    "):
            break
        if start := re.match(r"    (\w+(?:, \w+)*): (.*)", line):
            names, text = start[1].split(", "), start[2]
            meanings |= dict.fromkeys(names, text)
        else:
            meanings |= {name: f"{meanings[name]} {line.strip()}" for name in names}
    if issubclass(section, NeuronSection):
        meanings = dict(_with_constants(meanings))
    return {name: text.replace("``", "`") for name, text in meanings.items()}


def _with_constants(meanings: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, text in meanings.items():
        if name != "overrides":
            yield name, text
            continue
        for constant in CONSTANTS:
            if constant.name in SETTABLE:
                unit = f", {constant.unit}" if constant.unit else ""
                yield constant.name, f"{constant.meaning}{unit}; {text}"


_TYPES = {float: "number", int: "whole number", bool: "True or False", str: "text", Path: "path"}


def _values(hint: Any) -> str:
    if get_origin(hint) is Annotated:
        kind, *extras = get_args(hint)
        if names := next((extra for extra in extras if isinstance(extra, OneOf)), None):
            return ", ".join(f"`{name}`" for name in names)
        bounds = [bound for extra in extras for bound in _bounds(extra)]
        return ", ".join([_values(kind), *bounds])
    arguments = [argument for argument in get_args(hint) if argument is not type(None)]
    if get_origin(hint) is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if get_origin(hint) is tuple:
        return f"list of: {_values(arguments[0])}"
    if get_origin(hint) is dict:
        return f"by layer: {_values(arguments[1])}"
    if arguments:  # a union
        return " or ".join(_values(argument) for argument in arguments)
    return _TYPES[hint]


def _bounds(extra: Any) -> list[str]:
    found = []
    for one in extra.metadata if isinstance(extra, FieldInfo) else [extra]:
        for kind, sign in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<=")):
            if hasattr(one, kind):
                found.append(f"{sign} {getattr(one, kind):.10g}")
    return found


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return NEEDED
    if value is None or value == {}:
        return ""
    if isinstance(value, tuple):
        return ", ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {one}" if name else str(one) for name, one in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    atomic_write(Path(sys.argv[1]), markdown())
