"""The one place that writes files: whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from snntb_adsnn.errors import OutputError

DAMAGED_NPZ = (
    *(OSError, ValueError, TypeError, KeyError, AttributeError, EOFError, MemoryError, RuntimeError),
    *(zlib.error, zipfile.BadZipFile),
)
"""What ``numpy.load`` and its readers raise on a damaged ``.npz``, wherever in the file the damage is."""

TEMPORARY = ".tmp-"
"""What the names of unfinished files begin with; a killed process leaves them."""


LOCK = ".lock"
"""What the names of the hidden, empty files end with that ``locked`` leaves."""

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is full",
    errno.EFBIG: "it would be larger than a file may be here",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "you have no permission",
    errno.EPERM: "you have no permission",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EISDIR: "it is a folder",
    errno.ENOENT: "there is no such file or folder",
    errno.ENAMETOOLONG: "the path is too long for this file system",
    errno.ELOOP: "symbolic links lead in a circle",
}
_FREE_SPACE = "free space, or "
_FIRST = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _FREE_SPACE),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "allow it (chmod u+w), or "),
}
"""What may help where a file cannot be written, besides another place."""
FULL = ("No space left on device", "Disk quota exceeded")
"""What programs write where the disk is full."""


def reason(error: OSError) -> str:
    """Why the system refused, in words for users.

    Example:
        >>> reason(OSError(errno.ENOSPC, "No space left on device"))
        'the disk is full'
    """
    if any(words in str(error) for words in FULL):  # shutil.copytree gathers the errors of all files in one
        return _REASONS[errno.ENOSPC]
    return _REASONS.get(error.errno or 0) or error.strerror or type(error).__name__


def unwritable(path: Path | str, error: OSError, other: str = "choose another folder") -> OutputError:
    """What to say where ``path`` cannot be written: the system's reason, and what helps against that.

    Args:
        path: what was to be written.
        error: of the system.
        other: what helps in any case.

    Example:
        >>> print(unwritable("a/b", OSError(errno.EROFS, "Read-only file system")))
        a/b: cannot be written (the disk is read-only); choose another folder.
    """
    why = reason(error)
    full = any(words in str(error) for words in FULL)
    first = _FREE_SPACE if full else _FIRST.get(error.errno or 0, "")
    if error.errno in (errno.ENOTDIR, errno.EEXIST) and (file := _in_the_way(Path(path))) is not None:
        why, first = f"{file} is a file, not a folder", "move that file away, or "
    elif error.errno in (errno.EACCES, errno.EPERM) and (folder := _last_there(Path(path))) is not None:
        why += f" in {folder}"
    return OutputError(f"{path}: cannot be written ({why}); {first}{other}.")


def _last_there(path: Path) -> Path | None:
    """The folder in which the rest of ``path`` is missing; ``None`` where nothing is, or it cannot be known."""
    try:
        return None if path.exists() else next((part for part in path.parents if part.exists()), None)
    except PermissionError:
        return None


def _in_the_way(path: Path) -> Path | None:
    """The file where a folder of ``path`` should be."""
    return next((part for part in (path, *path.parents) if part.is_file()), None)


def need_space(program: str, folder: Path, output: str) -> None:
    """Say so where another program failed because a disk is full.

    Args:
        program: its name, for the message.
        folder: where it writes, besides the folder of temporary files.
        output: what it wrote before it failed.

    Raises:
        OutputError: the output says it, or there is no space for more of it.
    """
    places = dict.fromkeys((str(folder), tempfile.gettempdir()))
    full = [place for place in places if shutil.disk_usage(place).free < _LEAST]
    if full or any(words in output for words in FULL):
        raise OutputError(
            f"{program} stopped since the disk is full: it writes to {' and '.join(full or places)}. Free space, "
            "choose another folder, or set TMPDIR to one on another disk."
        )


_LEAST = 4096  # bytes: a disk gives no less


def open_npz(path: Path) -> Any:
    """``numpy.load`` of an ``.npz`` file, without pickles; a context manager.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no archive (``numpy.load`` would take it for a pickle, and say so).
        any of ``DAMAGED_NPZ``: an archive that is damaged.
    """
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError("it is not a zip archive")
    return np.load(path, allow_pickle=False)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` (same suffix); on success it replaces ``path``, else nothing is left.

    A device or pipe (``/dev/null``, ``/dev/stdout``) is written as it is: it must not be replaced by a file.

    Raises:
        OutputError: the folder cannot be created or written.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            yield path
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        # mkstemp makes private files; results are as readable as the user's other files
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_writable(path: Path, other: str = "name another file") -> Path:
    """Check that ``atomic_path`` will be able to write ``path``, before the work whose result it is; returns the path.

    What is missing is not made: folders above ``path`` are tried from the first one that is there.

    Args:
        path: of the file.
        other: what a user can do in any case.

    Raises:
        OutputError: it is a folder, its name is too long, or its folder cannot be made or written.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            return path
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "Is a directory")
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise unwritable(path, error, other) from None
    return path


@contextmanager
def locked(folder: Path, busy: str, name: str = "") -> Iterator[None]:
    """Keep other processes out of ``folder``, or from one file in it; the lock goes with the process, however it ends.

    Args:
        folder: made where it is missing.
        busy: what a second process is told, behind the folder.
        name: of the file, if not the whole folder is meant.

    Raises:
        OutputError: another process is at work there, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / (f".{name}{LOCK}" if name else LOCK))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise OutputError(f"{folder}: {busy}") from None
    except OSError as error:
        named = error.filename == lock.lock_file and Path(lock.lock_file).exists()
        raise unwritable(lock.lock_file if named else folder, error) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def optional_picture(picture: Path | str) -> Iterator[None]:
    """Turn what the body raises into one line on standard error: a picture that cannot be drawn never costs a result.

    Args:
        picture: the file, or what the pictures are called.

    Example:
        >>> import contextlib
        >>> with contextlib.redirect_stderr(sys.stdout), optional_picture("raster.png"):
        ...     raise MemoryError
        Warning: raster.png was not drawn (MemoryError); results are not affected.
    """
    try:
        yield
    except Exception as error:  # matplotlib raises whatever its fonts, caches and back ends raise
        reason = " ".join(str(error).split()) or type(error).__name__
        print(f"Warning: {picture} was not drawn ({reason.rstrip('.')}); results are not affected.", file=sys.stderr)


def atomic_write(path: Path, data: bytes | str) -> Path:
    """Write ``data`` to ``path`` whole or not at all; returns the path."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)
    return Path(path)


def write_json(path: Path, data: Any) -> Path:
    """Write ``data`` as indented JSON, atomically; returns the path."""
    return atomic_write(path, json.dumps(data, indent=2) + "\n")
