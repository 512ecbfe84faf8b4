"""Which model a file of the toolbox's flow was made from: its digest, in a small file beside it.

A run without ``parse`` or ``convert`` reads what an earlier run wrote; where the model has changed, that is refused.
"""

from __future__ import annotations

import hashlib
import json
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path

from snntb_adsnn.errors import ConfigError
from snntb_adsnn.files import write_json
from snntb_adsnn.frontends.models import ModelFile, endings, find


def model_of(config: ConfigParser) -> ModelFile | None:
    """The model file of ``[paths] filename_ann``; ``None`` where there is none."""
    return find(Path(config.get("paths", "path_wd")) / config.get("paths", "filename_ann"))


def parsed_file(config: ConfigParser) -> Path:
    """The parsed model, which has the ending of its front end."""
    path = Path(config.get("paths", "path_wd")) / config.get("paths", "filename_parsed_model")
    found = find(path)
    return path.with_name(f"{path.name}.h5") if found is None else found.file


def network_file(config: ConfigParser) -> Path:
    """The converted network."""
    return Path(config.get("paths", "path_wd")) / f"{config.get('paths', 'filename_snn')}.npz"


def _note_of(made: Path) -> Path:
    return made.with_name(f"{made.name}.origin.json")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def forget_others(made: Path) -> None:
    """Remove parsed models of ``made``'s name that an earlier run made of a model of another kind."""
    for suffix in endings():
        other = made.with_suffix(suffix)
        if other != made and _read(other) is not None:
            other.unlink(missing_ok=True)
            _note_of(other).unlink(missing_ok=True)


def note(made: Path, source: ModelFile | None) -> None:
    """Keep beside ``made`` that it was made from ``source``; nothing where there is no source."""
    _note_of(made).unlink(missing_ok=True)
    if source is not None:
        write_json(_note_of(made), {"file": made.name, "sha256": _digest(made), "model_sha256": source.digest()})


def inherit_note(made: Path, from_file: Path) -> None:
    """``made`` was made from ``from_file``, and so from the same model."""
    _note_of(made).unlink(missing_ok=True)
    if (model := _noted(from_file)) is not None:
        write_json(_note_of(made), {"file": made.name, "sha256": _digest(made), "model_sha256": model})


@dataclass(frozen=True)
class _Note:
    """Digests of a file when it was written, and of the model that it was made from."""

    file: str
    model: str


def _read(made: Path) -> _Note | None:
    """The note of ``made``; ``None`` where there is none, as of a file put there, or it is damaged."""
    try:
        found = json.loads(_note_of(made).read_bytes())
        return _Note(str(found["sha256"]), str(found["model_sha256"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _noted(made: Path) -> str | None:
    """Digest of the model that ``made`` was made from; ``None`` where that is not known."""
    note = _read(made)
    return note.model if note is not None and note.file == _digest(made) else None


def need_same_model(made: Path, model: ModelFile | None, steps: str) -> None:
    """Refuse ``made`` where it was made from another model than the one that is there now.

    Args:
        made: parsed model or converted network.
        model: the model file; ``None`` where it is gone, and nothing can be compared.
        steps: that make it anew.

    Raises:
        ConfigError: the model, or ``made`` itself, has changed.
    """
    if model is None:
        return
    note, remedy = _read(made), f"set [tools] {steps} once, which makes it anew, or delete {_note_of(made)}"
    if note is None:
        lacks = f"a damaged note ({_note_of(made).name})" if _note_of(made).exists() else "no note"
        what = f"{made} has {lacks} of the model that it was made from"
        print(f"{what}, so that it may be of another one than {model.file}.")
    elif note.file != _digest(made):
        raise ConfigError(f"{made} is not as it was written: changed, or damaged; {remedy} to use it as it is.")
    elif note.model != model.digest():
        raise ConfigError(f"{model.file} has changed since {made} was made from it; {remedy} to use it as it is.")
