"""Bad and odd inputs as data: how a case is read, set up, run and judged.

The cases stand in the ``.toml`` files beside this module, a table ``[[case]]`` each:

=========== ====================================================================================================
``name``    the mistake, in words; unique in its file
``start``   the folder it is made in (``@start`` in ``catalogue_files``): ``digits`` if not given
``ini``     changes of the folder's ``c.ini``: ``{section = {key = "value"}}``; ``false`` takes a key or section out
``text``    the whole of ``c.ini`` instead
``make``    files to put there, ``{file = "maker"}`` (``@maker`` in ``catalogue_files``), made in this order
``command`` words of the command: ``["run", "c.ini"]`` if not given; ``snntoolbox`` first for the toolbox's own
``exit``    its exit code: 2 if not given
``says``    a pattern for each line on standard error, in order; each must match the whole line
``out``     a pattern to be found on standard output
``gives``   what ``results.json`` must hold: ``{"metrics.decisions.accuracy" = 0.5}``
``closed``  files and folders that may not be used: ``{file = "permissions"}``, as numbers of ``chmod``
``light``   found before TensorFlow is imported: such cases run in a process that refuses to import it
=========== ====================================================================================================

Whatever a case says itself, a mistake prints no traceback, no inner name and nothing on standard output, and leaves
the folder as it was.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from configparser import RawConfigParser
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent
CONFIG = "c.ini"
Maker = Callable[[Path], Any]
STARTS: dict[str, Maker] = {}
MAKERS: dict[str, Maker] = {}
INNER = re.compile(
    r"Traceback|File \"|line \d+, in |<class|object at 0x|\[Errno|pydantic|[Ii]nput should be|validation error"
    r"|None of|dtype\(|np\.(float|int|str)|numpy\.(?!savez_compressed|save,|eye)|allow_pickle|\bNoneType\b|Please report"
)
"""What a sentence for a user never holds: names from inside a library, advice for programmers."""
LONGEST = 600
"""Characters: more than anybody reads at a prompt."""


@dataclass(frozen=True)
class Case:
    """One input; the attributes are the keys of the module's table."""

    name: str
    start: str = "digits"
    ini: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None
    make: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ("run", CONFIG)
    exit: int = 2
    says: tuple[str, ...] = ()
    out: str = ""
    gives: Mapping[str, Any] = field(default_factory=dict)
    closed: Mapping[str, str] = field(default_factory=dict)
    light: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a command did: exit code, both outputs, and the files that are there (path: content) before and after."""

    exit: int
    out: str
    err: str
    before: Mapping[str, str]
    after: Mapping[str, str]


def start(maker: Maker) -> Maker:
    """Register a function that fills an empty folder; the name is the function's."""
    assert STARTS.setdefault(maker.__name__, maker) is maker, f"two starts are called {maker.__name__}"
    return maker


def maker(function: Maker) -> Maker:
    """Register a function that makes a file, given its path; the name is the function's."""
    register(function.__name__, function)
    return function


def register(name: str, function: Maker) -> None:
    """Register a function that makes a file under a name of its own."""
    assert MAKERS.setdefault(name, function) is function, f"two makers are called {name}"


def cases(name: str, light: bool | None = None) -> list[Case]:
    """The cases of the file ``NAME.toml``, or of those the light or the others."""
    entries = tomllib.loads((FOLDER / f"{name}.toml").read_text())["case"]
    found = []
    for entry in entries:
        lists = {key: tuple(entry[key]) for key in ("command", "says") if key in entry}
        found.append(Case(**{**entry, **lists}))
    names = [case.name for case in found]
    assert len(set(names)) == len(names), f"{name}.toml: a name is there twice"
    for case in found:
        assert case.says or case.exit == 0, f"{name}.toml: {case.name!r} lacks says"
    return [case for case in found if light is None or case.light == light]


def set_up(case: Case, folder: Path) -> None:
    """Make the case's files in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    STARTS[case.start](folder)
    if case.text is not None:
        (folder / CONFIG).write_text(case.text)
    elif case.ini:
        change_ini(folder / CONFIG, case.ini)
    for file, name in case.make.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        MAKERS[name](path)


def change_ini(path: Path, changes: Mapping[str, Any]) -> None:
    """Set keys of a configuration file; ``False`` takes a key, or a whole section, out."""
    parser = RawConfigParser()
    parser.optionxform = str
    parser.read(path)
    for section, keys in changes.items():
        if keys is False:
            parser.remove_section(section)
            continue
        if not parser.has_section(section):
            parser.add_section(section)
        for key, value in keys.items():
            if value is False:
                parser.remove_option(section, key)
            else:
                parser.set(section, key, str(value))
    with path.open("w") as file:
        parser.write(file)


def run(case: Case, folder: Path) -> Outcome:
    """Run the case's command in this process, in ``folder``."""
    before = _contents(folder)
    out, err = StringIO(), StringIO()
    with _at(folder), closed(folder, case.closed), redirect_stdout(out), redirect_stderr(err):
        code = _call(list(case.command))
    return Outcome(code, out.getvalue(), err.getvalue(), before, _contents(folder))


def judge(case: Case, outcome: Outcome, folder: Path) -> list[str]:
    """What is wrong with the outcome, a line each; nothing if it is as the case says."""
    wrong = []
    lines = outcome.err.strip().splitlines()
    if outcome.exit != case.exit:
        wrong.append(f"exit code {outcome.exit}, expected {case.exit}")
    if len(lines) != len(case.says):
        wrong.append(f"{len(lines)} lines on standard error, expected {len(case.says)}")
    wrong += [f"not as expected: {line}" for line, says in zip(lines, case.says, strict=False) if not fits(says, line)]
    wrong += [f"a name from inside: {line}" for line in lines if INNER.search(line)]
    wrong += [
        f"{len(line)} characters, more than anybody reads: {line}"
        for line in lines
        if len(line.replace(str(folder), "")) > LONGEST
    ]
    if case.out and not re.search(case.out, outcome.out):
        wrong.append(f"standard output lacks {case.out!r}")
    if case.exit == 2:
        if outcome.out.strip():
            wrong.append("something on standard output before the mistake was found")
        changed = {k for k in {*outcome.before, *outcome.after} if outcome.before.get(k) != outcome.after.get(k)}
        if changed:
            wrong.append(f"the mistake changed the folder: {', '.join(sorted(changed))}")
    wrong += _compare(case, folder)
    if wrong:
        wrong += ["standard error was:", *lines, "standard output was:", *outcome.out.strip().splitlines()[-20:]]
    return wrong


def fits(pattern: str, line: str) -> bool:
    """Whether the pattern matches the whole line, the program's name before it or not."""
    return re.fullmatch(rf"(?:snntb-adsnn: |snntoolbox: )?{pattern}", line) is not None


def _compare(case: Case, folder: Path) -> Iterator[str]:
    if not case.gives:
        return
    files = sorted(folder.rglob("results.json"))
    if len(files) != 1:
        yield f"{len(files)} results.json, expected one"
        return
    for key, expected in case.gives.items():
        found: Any = json.loads(files[0].read_text())
        for part in key.split("."):
            found = found[part]
        if found != expected:
            yield f"results.json: {key} is {found}, expected {expected}"


def _contents(folder: Path) -> dict[str, str]:
    """The files in a folder, with size and time of writing: enough to see a change."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.suffix != ".lock":  # locks stay, hidden and empty
            status = path.stat()
            found[str(path.relative_to(folder))] = f"{status.st_size} bytes, {status.st_mtime_ns}"
    return found


@contextmanager
def _at(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def closed(folder: Path, permissions: Mapping[str, str]) -> Iterator[None]:
    """Take permissions from files and folders in ``folder``; they hold for root, too."""
    before = {folder / name: (folder / name).stat().st_mode for name in permissions}
    for path in before:
        path.chmod(int(permissions[str(path.relative_to(folder))], 8))
    try:
        with _without_rights() if permissions else nullcontext():
            yield
    finally:
        for path, mode in before.items():
            path.chmod(mode)


@contextmanager
def _without_rights() -> Iterator[None]:
    """Let root be stopped by permissions, as others are: this thread goes without its capabilities (Linux)."""
    kernel = ctypes.CDLL(None, use_errno=True)
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert kernel.capget(header, data) == 0
    present = [*data]
    data[0], data[3] = 0, 0  # what acts; what may act again stays
    assert kernel.capset(header, data) == 0
    try:
        yield
    finally:
        assert kernel.capset(header, (ctypes.c_uint32 * 6)(*present)) == 0


def _call(words: list[str]) -> int:
    """Call a command's ``main``; an exception that it lets out is its traceback."""
    arguments = words if words[0] == "snntoolbox" else ["snntb-adsnn", *words]
    before, sys.argv = sys.argv, arguments
    try:
        if words[0] == "snntoolbox":
            from snntb_adsnn.toolbox.register import register

            register()
            from snntoolbox.bin.run import main
        else:
            from snntb_adsnn.cli import main
        main()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(bool(stop.code))
    except BaseException as error:
        print(f"Traceback: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    finally:
        sys.argv = before
    return 0
