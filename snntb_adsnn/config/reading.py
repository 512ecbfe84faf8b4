"""Reading a configuration file by the toolbox's rules: as text, into sections, keys and values."""

from __future__ import annotations

import configparser
import errno
from collections.abc import Iterator
from pathlib import Path

from snntb_adsnn.config.messages import short
from snntb_adsnn.errors import ConfigError

_LARGEST = 1_000_000
"""Bytes; whatever is larger is no configuration."""

_UNREADABLE = {
    errno.ENOENT: "there is no such configuration file; check the path",
    errno.ENOTDIR: "there is no such configuration file, for a part of the path is no folder; check the path",
    errno.EISDIR: "is a folder; name the .ini file in it",
    errno.EACCES: "may not be read; allow it (chmod u+r), or name another file",
    errno.EPERM: "may not be read; allow it (chmod u+r), or name another file",
    errno.ELOOP: "is a symbolic link that leads back to itself; name the file itself",
    errno.ENAMETOOLONG: "the path is too long for this file system; check it",
}


def read_ini(path: Path) -> configparser.ConfigParser:
    """Parse ``path`` by the toolbox's rules, without its defaults. A byte-order mark is no part of the text.

    Raises:
        ConfigError: missing file, or not an ``.ini`` file.
    """
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    text = _text(path)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ConfigError("\n".join(f"{short(path)}: {mistake}" for mistake in _syntax(error, text))) from None
    if parser.defaults():
        raise ConfigError(
            f"{short(path)}: section [DEFAULT] is not taken, because its keys would stand in every section; move them "
            "to their sections."
        )
    return parser


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        reason = _UNREADABLE.get(error.errno or 0, f"cannot be read ({error.strerror}); check the path")
        raise ConfigError(f"{short(path)}: {reason}.") from None
    if len(data) > _LARGEST:
        raise ConfigError(f"{short(path)}: is larger than any configuration (1 MB); name the .ini file.")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError(f"{short(path)}: is a text in UTF-16; save it as UTF-8.")
    if b"\0" in data:
        raise ConfigError(
            f"{short(path)}: is no text in UTF-8, for it holds zero bytes; name the .ini file, saved as UTF-8."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{short(path)}: line {line} is no text in UTF-8; save the file as UTF-8.") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _syntax(error: configparser.Error, text: str) -> Iterator[str]:
    """One sentence for each mistake."""
    lines = text.split("\n")
    match error:
        case configparser.MissingSectionHeaderError() if str(error.line).startswith("["):
            yield f"line {error.lineno} ({short(error.line)}) is no [section]; correct its brackets."
        case configparser.MissingSectionHeaderError():
            yield (
                f"line {error.lineno} ({short(error.line)}) stands before the first section; write a section such as "
                "[paths] above it."
            )
        case configparser.DuplicateSectionError():
            yield f"[{short(error.section)}] is there twice, again in line {error.lineno}; put its keys together."
        case configparser.DuplicateOptionError():
            yield (
                f"[{short(error.section)}] {short(error.option)} is given twice, again in line {error.lineno}; remove "
                "one of the two."
            )
        case configparser.ParsingError():
            for number, _ in error.errors[:_MOST]:
                line = lines[number - 1].strip()
                kind = "no [section]" if line.startswith("[") else "no 'key = value'"
                yield f"line {number} ({short(line)}) is {kind}; correct it, or write a # before a comment."
        case _:
            yield f"is no .ini file ({short(error)}); correct it."


_MOST = 10
"""Lines that are named."""


def percent_mistakes(parser: configparser.ConfigParser) -> list[str]:
    """One sentence for each value with a ``%`` that means nothing."""
    mistakes = []
    for section in parser.sections():
        for key, text in parser.items(section, raw=True):
            try:
                parser.get(section, key)
            except configparser.InterpolationMissingOptionError as error:
                reason = f"there is no key {short(error.reference)!r} in [{section}]; correct the name, or"
            except configparser.InterpolationDepthError:
                reason = "it refers to itself; correct the name, or"
            except configparser.InterpolationError:
                reason = "% begins the name of another key, such as %(key)s;"
            else:
                continue
            mistakes.append(f"[{section}] {key} = {short(text)} is not allowed: {reason} write a plain % as %%.")
    return mistakes
