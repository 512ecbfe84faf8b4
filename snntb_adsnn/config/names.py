"""Names of files and folders that a configuration gives: names, not paths."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

_LONGEST = 200
"""Bytes; endings are added, and a file system takes 255."""


def name_mistake(value: str) -> str:
    """Why ``value`` cannot name a file in a folder, so that nothing outside of it is read or written; else nothing."""
    if len(value.encode(errors="surrogateescape")) > _LONGEST:
        return f"must be a name of at most {_LONGEST} bytes"
    whole = PurePosixPath(value).name == PureWindowsPath(value).name == value
    if value[:1] == value[-1:] and value[:1] in ("'", '"'):
        return "must be written without quotes"
    if not whole or value in (".", "..") or not value.isprintable():
        return "must be a name, not a path; path_wd and log_dir_of_current_run choose the folders"
    return ""
