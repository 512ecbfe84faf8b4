"""The folder of a project: replaced as a whole, and only where we wrote it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snntb_adsnn.errors import OutputError
from snntb_adsnn.files import unwritable

MARK = "adsnn_project.json"
"""A folder with this file was written by us and may be replaced."""


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``folder``; on success it takes its place as a whole, else nothing is left.

    Raises:
        OutputError: ``folder`` exists and was not written by us, or cannot be written.
    """
    folder = Path(folder).expanduser().absolute()
    check_replaceable(folder)
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        temporary.chmod(0o755)
        yield temporary
        check_replaceable(folder)  # it may have changed meanwhile
        _exchange(temporary, folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        if temporary is not None and temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)


def _exchange(new: Path, folder: Path) -> None:
    """Put ``new`` in the place of ``folder``."""
    if not folder.exists():
        new.rename(folder)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    old = folder.rename(aside / folder.name)
    try:
        new.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def check_replaceable(folder: Path) -> None:
    """Raise OutputError unless ``folder`` is free, empty, or one of our projects."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise OutputError(f"{folder} exists and is no project folder; choose another --output.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise OutputError(
            f"{folder} exists and holds something else than a project of snntb-adsnn, which is left as it is; choose "
            "another --output, or remove the folder."
        )
