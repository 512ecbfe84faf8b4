"""Model files: found by name, whatever the framework, and told apart. Importing this imports no framework."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snntb_adsnn.errors import ConversionError
from snntb_adsnn.frontends import FrontEnd, others_too
from snntb_adsnn.neuron import ASNParameters


@dataclass(frozen=True)
class ModelFile:
    """A model file, and what reads it.

    Attributes:
        file: the file.
        frontend: its front end.
    """

    file: Path
    frontend: FrontEnd

    def check(self, *, trust: bool) -> None:
        """See ``Reader.check``."""
        self.frontend.files.check(self.file, trust=trust)

    def read(self, *, trust: bool) -> Any:
        """See ``Reader.read``."""
        return self.frontend.files.read(self.file, trust=trust)

    def neuron(self) -> ASNParameters | None:
        """See ``Reader.neuron``."""
        return self.frontend.files.neuron(self.file)

    def digest(self) -> str:
        """SHA-256 of all that the model is read from, as a hexadecimal number."""
        digest = hashlib.sha256(self.file.read_bytes())
        for other in self.frontend.files.companions(self.file):
            digest.update(other.read_bytes())
        return digest.hexdigest()


def readers(library: str = "") -> list[FrontEnd]:
    """Front ends that read files: all, or those that ``[input] model_lib = library`` means."""
    every = [frontend for frontend in others_too().values() if frontend.suffixes]
    return [frontend for frontend in every if not library or library in frontend.libraries]


def libraries() -> list[str]:
    """What ``[input] model_lib`` may be."""
    return list(dict.fromkeys(name for frontend in readers() for name in frontend.libraries))


def endings(library: str = "") -> list[str]:
    """Endings of all model files."""
    return list(dict.fromkeys(suffix for frontend in readers(library) for suffix in frontend.suffixes))


def of_file(file: Path, library: str = "") -> ModelFile | None:
    """``file`` with what reads it; ``None`` where nothing reads files with its ending."""
    able = [frontend for frontend in readers(library) if file.suffix in frontend.suffixes]
    # where none of them wants it, the first one says what is wrong with it
    chosen = next((frontend for frontend in able if frontend.reads(file)), able[0]) if able else None
    return None if chosen is None else ModelFile(file, chosen)


def find(path: Path, library: str = "") -> ModelFile | None:
    """The model file: ``path`` with one of the endings added, or ``path`` itself where it has one.

    Args:
        path: of the model, with or without its ending.
        library: only of these front ends, see ``readers``.

    Raises:
        ConversionError: there are files of several front ends.
    """
    there = list(_there(path, library))
    if len(there) > 1:
        names = [file.name for file in there]
        raise ConversionError(
            f"{' and '.join(names)} are models, both in {path.parent}: which one is meant? Write [paths] "
            f"filename_ann = {names[-1]} (or {names[0]}), or move the other away."
        )
    if there:
        return of_file(there[0], library)
    return of_file(path, library) if path.is_file() else None


def _there(path: Path, library: str) -> Iterator[Path]:
    """Of each set of endings the first file that is there."""
    for suffixes in dict.fromkeys(frontend.suffixes for frontend in readers(library)):
        # with_name, not with_suffix: a file name may hold dots
        files = (path.with_name(path.name + suffix) for suffix in suffixes)
        if (file := next((file for file in files if file.is_file()), None)) is not None:
            yield file


def need(path: Path, library: str = "") -> ModelFile:
    """As ``find``, where there must be one.

    Raises:
        ConversionError: there is none; what lies there instead is named.
    """
    if (found := find(path, library)) is None:
        instead = instead_of(path, library) or "train it first, or correct [paths] filename_ann."
        raise ConversionError(f"{missing(path, library)}; {instead}")
    return found


def missing(path: Path, library: str = "") -> str:
    """That there is no model, and which files it could be."""
    first, *more = endings(library)
    also = f" (nor {', '.join(more)})" if more else ""
    return f"there is no model {path.with_name(path.name.removesuffix(first) + first)}{also}"


def instead_of(path: Path, library: str = "") -> str | None:
    """What to do where there is no model, from what lies there; ``None`` where nothing does."""
    if library and (other := find(path)) is not None:
        those = " or ".join(other.frontend.libraries)
        return f"{other.file.name} is there; write [input] model_lib = {those}, or leave model_lib out."
    answers = (frontend.files.instead(path) for frontend in readers(library))
    return next((answer for answer in answers if answer is not None), None)
