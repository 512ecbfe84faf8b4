"""Sentences about mistakes in a configuration: they name section, key, value and what is allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from snntb_adsnn.config.base import MUST
from snntb_adsnn.errors import AdSNNError, ConfigError


def short(value: Any, longest: int = 80) -> str:
    """A value as a message shows it: on one line, control characters by their codes, and cut in the middle if long."""
    text = " ".join(str(value).split())
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    half = (longest - 3) // 2
    return text if len(text) <= longest else f"{text[:half]}...{text[-half:]}"


def shown(path: Path) -> str:
    """A path as a message shows it."""
    return short(path, 200)


@contextmanager
def naming(file: Path) -> Iterator[None]:
    """Put the configuration's file before what the body's errors say about a key of it."""
    try:
        yield
    except AdSNNError as error:
        if str(error).startswith("["):
            raise type(error)(f"{shown(file)}: {error}") from error
        raise


# ---- unknown names ---------------------------------------------------------------------------------------------------


def unknown_names(section: str, keys: Iterable[str], known: Mapping[str, Iterable[str]]) -> list[str]:
    """One sentence for each name that nobody would read.

    Args:
        section: of the keys.
        known: the keys of all sections.
    """
    if section not in known:
        if (name := section.strip()) in known:
            return [f"section [{name}] has a space inside its brackets; write [{name}]."]
        nearest = guess(section, known) or f"; the sections are {', '.join(known)}"
        return [f"section [{short(section)}] is unknown{nearest}."]
    return [
        f"[{section}] has the unknown key {short(key)!r}{guess(key, known[section]) or _elsewhere(key, known)}; "
        f"snntb-adsnn keys {section} shows its keys."
        for key in keys
        if key not in known[section]
    ]


def guess(name: str, known: Iterable[str]) -> str:
    """The nearest of the names that there are, as a question in brackets; empty where none is near.

    Example:
        >>> guess("adssn", ["adsnn", "paths"])
        " (did you mean 'adsnn'?)"
    """
    by_lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower()[:100], by_lower, n=1)
    return f" (did you mean {by_lower[close[0]]!r}?)" if close else ""


def _elsewhere(key: str, known: Mapping[str, Iterable[str]]) -> str:
    places = [section for section, keys in known.items() if key in keys and section != "restrictions"]
    return f" (it is a key of {' and '.join(f'[{one}]' for one in places)})" if places else ""


# ---- values ----------------------------------------------------------------------------------------------------------

_WANTED = {
    "float": "it should be a number",
    "int": "it should be a whole number",
    "bool": "write True or False",
    "finite": "it should be a finite number",
    "path": "it should be a path",
    "string": "it should be a text",
}
"""By the first word of pydantic's types."""


def checked(path: Path, section: str, kind: type[Any], values: Mapping[str, Any]) -> Any:
    """A section of ``kind`` with ``values``.

    Raises:
        ConfigError: values that are not allowed, a line each.
    """
    try:
        return kind(**values)
    except ValidationError as failure:
        lines = dict.fromkeys(f"{shown(path)}: [{section}] {_sentence(error)}" for error in failure.errors())
    raise ConfigError("\n".join(lines)) from None


def _sentence(error: Any) -> str:
    key = ".".join(short(part) for part in error["loc"] if part and not isinstance(part, int))
    if error["type"] == "missing":
        return f"needs the key {key!r}; add a line: {key} = ..."
    message, value = error["msg"].removeprefix("Value error, "), short(error["input"])
    if error["type"] == MUST:
        return f"{key} = {value} {message}{_hint(error)}."
    if not key:  # keys that do not fit each other
        return f"{message}."
    wanted = _WANTED.get(error["type"].partition("_")[0], message.replace("Input should be", "it should be"))
    return f"{key} = {value} is not allowed: {wanted}{_hint(error)}."


def _hint(error: Any) -> str:
    """What is often meant by a text that is refused."""
    text = str(error["input"])
    if "\n" in text:
        return "; an indented line goes on with the value above it: take the indent away"
    if text[:1] in ("'", '"'):
        return "; write it without quotes"
    if len(error["loc"]) > 1 and re.search(r"[;,\s]", text):
        return "; write commas between values, and comments on lines of their own"
    if "#" in text or ";" in text:
        return "; a comment needs a line of its own"
    if not error["type"].endswith("_parsing"):
        return ""
    if re.fullmatch(r"[+-]?\d*,\d*", text):
        return "; write a point, not a comma"
    return " alone" if "," in text else ""
