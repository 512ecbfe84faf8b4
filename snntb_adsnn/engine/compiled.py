# numba has no types.
# mypy: disable-error-code="no-any-return,misc"
"""numba's ``njit`` with a cache that cannot be stale.

numba's own cache looks at the file of a kernel only. But a kernel also freezes what that file imports: constants, and
the functions that it calls. Here the name of a cache file has the digest of all these sources in it, so that a change
in any of them compiles the kernel anew.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile

_OPTIONS = {"nogil": True, "error_model": "numpy", "boundscheck": False}


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a kernel that Python calls, once for each machine and version of the sources.

    The cache lies where numba's does: beside the source, in the user's cache folder, or in ``NUMBA_CACHE_DIR``. Where
    none of them can be written, or the disk is full, each process compiles for itself.
    """
    kernel = njit(**_OPTIONS)(function)
    with suppress(RuntimeError, OSError):  # no folder, no source
        kernel._cache = _Cache(function)
    return kernel


def part(function: Callable[..., Any]) -> Any:
    """Compile a function that kernels call: it becomes a part of them, and has no cache of its own."""
    return njit(**_OPTIONS)(function)


def sources(module: str) -> set[str]:
    """Names of a loaded module, and of all modules of its package and of this one that it imports, in turn."""
    packages = {name.partition(".")[0] for name in (module, __name__)}
    found: set[str] = set()
    left = [module]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [n for n in _imports(name) if n.partition(".")[0] in packages and n in sys.modules]
    return found


@cache
def source_digest(module: str) -> str:
    """Hexadecimal digest of the texts of ``sources(module)``.

    Raises:
        OSError: a source cannot be read.
    """
    digest = sha256()
    for name in sorted(sources(module)):
        digest.update(f"\0{name}\0{_text(name)}".encode())
    return digest.hexdigest()


class _Cache(FunctionCache):
    """numba's cache of one kernel, in files of their own for each digest of the sources."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        digest = source_digest(function.__module__)
        base = f"{self._impl.filename_base}-{digest[:16]}"
        self._cache_file = IndexDataCacheFile(self._cache_path, base, digest)

    def load_overload(self, signature: Any, context: Any) -> Any:
        """The compiled kernel; ``None`` where there is none, or it cannot be read."""
        with suppress(Exception):  # of unpickling, on a damaged file
            return super().load_overload(signature, context)
        return None

    def save_overload(self, signature: Any, data: Any) -> None:
        """Keep a compiled kernel, if there is room for it: a cache that is lost costs time only."""
        with suppress(Exception):  # what is there already may be damaged
            super().save_overload(signature, data)


@cache
def _text(module: str) -> str:
    return Path(str(sys.modules[module].__file__)).read_text()


@cache
def _imports(module: str) -> tuple[str, ...]:
    """What a module's import statements name; some of it may be no module."""
    return tuple(_named(ast.walk(ast.parse(_text(module))), module))


def _named(nodes: Iterator[ast.AST], module: str) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: what a kernel imports must be named in full."
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
