"""Lists of things that can grow: engines, layers, data sets, nets, studies, stages. One list each, open to others."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Generic, TypeVar

from snntb_adsnn.errors import ParameterError

Key = TypeVar("Key", bound=Hashable)
Entry = TypeVar("Entry")


class Registry(Mapping[Key, Entry], Generic[Key, Entry]):
    """Entries by name (or type), in the order in which they were registered.

    Args:
        kind: what an entry is, for messages: ``engine``, ``data set``.

    Example:
        >>> shapes = Registry("shape")
        >>> @shapes.register("square", "box")
        ... def corners():
        ...     return 4
        >>> shapes.find("box")()
        4
        >>> shapes.find("sqare")
        Traceback (most recent call last):
        snntb_adsnn.errors.ParameterError: shape 'sqare' is unknown (did you mean 'square'?): choose one of square, box.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[Key, Entry] = {}

    def register(self, *keys: Key) -> Callable[[Entry], Entry]:
        """Decorator that registers what it decorates under ``keys``.

        Raises:
            ParameterError: a key is taken.
        """

        def decorate(entry: Entry) -> Entry:
            for key in keys:
                self.add(key, entry)
            return entry

        return decorate

    def add(self, key: Key, entry: Entry) -> None:
        """Register ``entry`` under ``key``. A class or function defined anew, as by a cell of a notebook that is run
        again, takes its old place.

        Raises:
            ParameterError: the key is taken.
        """
        if key in self._entries and not _same_definition(entry, self._entries[key]):
            raise ParameterError(f"{self.kind} {_name(key)!r} is registered already; choose another name.")
        self._entries[key] = entry

    def find(self, key: Key) -> Entry:
        """The entry of ``key``.

        Raises:
            ParameterError: there is none; the message lists what there is.
        """
        if key not in self._entries:
            known = [_name(k) for k in self._entries]
            close = difflib.get_close_matches(_name(key), known, n=1)
            guess = f" (did you mean {close[0]!r}?)" if close else ""
            raise ParameterError(f"{self.kind} {_name(key)!r} is unknown{guess}: choose one of {', '.join(known)}.")
        return self._entries[key]

    def __getitem__(self, key: Key) -> Entry:
        return self._entries[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _same_definition(entry: object, other: object) -> bool:
    """Whether two classes or functions come from one place in the source."""
    places = [(getattr(e, "__module__", None), getattr(e, "__qualname__", None)) for e in (entry, other)]
    return places[0] == places[1] and places[0][1] is not None


def _name(key: Hashable) -> str:
    return key.__name__ if isinstance(key, type) else str(key)
