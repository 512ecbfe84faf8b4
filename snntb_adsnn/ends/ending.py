"""Exit codes and last lines of the commands."""

from __future__ import annotations

import _thread
import atexit
import errno
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from snntb_adsnn.errors import AdSNNError

STOPS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
"""Signals that stop a command, as a user calls them. The exit code is 128 and the signal's number: 130, 143."""
_MISTAKE = 2
_AGAIN = 0.05  # seconds
_SYSTEM = {
    errno.ENAMETOOLONG: "the path is too long for this file system; choose a shorter one",
    errno.ENOSPC: "the disk is full; free space, or choose another folder",
    errno.EDQUOT: "your share of the disk is full; free space, or choose another folder",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.EACCES: "you have no permission for it, or for a folder of its path; allow it (chmod), or choose another",
    errno.EPERM: "you have no permission for it, or for a folder of its path; allow it (chmod), or choose another",
}
_NO_TEMPORARY = "No usable temporary directory found"
"""What ``tempfile`` says where TMPDIR, /tmp, /var/tmp and the present folder are all full or closed."""


@contextmanager
def ending(program: str) -> Iterator[None]:
    """Let a command end as a user expects: the body's errors become one line on standard error, and an exit code.

    A mistake of the user ends with 2, an interrupt (Ctrl-C) with 130, a termination (SIGTERM) with 143. Whatever a
    library makes of an interrupt that came while it was at work is taken for the interrupt. One that Python had to drop
    (it came in a finalizer or a callback of C code) comes again. A bug keeps its traceback.

    Args:
        program: the command's name, which the line begins with.

    Raises:
        SystemExit: with the exit code.
    """
    seen: list[signal.Signals] = []

    def stop(number: int, frame: FrameType | None) -> None:
        seen.append(signal.Signals(number))
        raise KeyboardInterrupt  # on SIGTERM too: what cleans up after Ctrl-C cleans up then

    before = _handle(stop)
    if before and _ignore_stops not in _REGISTERED:
        _REGISTERED.append(_ignore_stops)
        atexit.register(_ignore_stops)
    try:
        with _dropped_come_again(seen):
            yield
    except SystemExit:
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) or seen:
            if seen:
                for number in before:  # a second one must not disturb the end
                    signal.signal(number, signal.SIG_IGN)
            _forget_unhandled()
            first = seen[0] if seen else signal.SIGINT
            _end(program, f"stopped by {STOPS[first]}; no half-written file is left.", 128 + first)
        if isinstance(error, AdSNNError):
            _end(program, str(error), _MISTAKE)
        if isinstance(error, OSError) and error.errno in _SYSTEM:
            _end(program, f"{error.filename or 'a file'}: {_SYSTEM[error.errno]}.", _MISTAKE)
        if isinstance(error, FileNotFoundError) and _NO_TEMPORARY in str(error):
            _end(program, "no folder takes temporary files: free space, or set TMPDIR to a folder that does.", _MISTAKE)
        raise
    finally:
        for number, handler in before.items():
            if not seen:
                signal.signal(number, handler)


def _handle(stop: Any) -> dict[signal.Signals, Any]:
    """Set ``stop`` for the signals that are not ignored (as in a shell's background job); returns what was set."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    heard = [number for number in STOPS if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, stop) for number in heard}


@contextmanager
def _dropped_come_again(seen: list[signal.Signals]) -> Iterator[None]:
    """Send an interrupt again that Python dropped, in place of its lines "Exception ignored in"."""
    original = sys.unraisablehook

    def hook(dropped: Any) -> None:
        if seen and dropped.exc_type is not None and issubclass(dropped.exc_type, KeyboardInterrupt):
            # a little later: from within this hook it would be dropped again
            threading.Timer(_AGAIN, _thread.interrupt_main, (seen[0],)).start()
        else:
            original(dropped)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = original


_REGISTERED: list[Any] = []
"""What runs at the end of Python, once."""


def _ignore_stops() -> None:
    """At the end of Python, which takes tenths of a second with TensorFlow: all is done and said."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)


def _forget_unhandled() -> None:
    """Let Python end with our exit code.

    Where C code runs Python code (``PyRun_String``, as imports of NumPy do) and an interrupt comes out of it, CPython
    notes an unhandled interrupt, whoever handles it later, and ``python -m`` kills itself with SIGINT at the end. The
    note is taken back when C code runs Python code the next time.
    """
    try:
        import ctypes

        ctypes.pythonapi.PyRun_SimpleString(b"pass")
    except (ImportError, AttributeError):
        pass  # another Python, which has no such note


def _end(program: str, message: str, code: int) -> None:
    print(f"{program}: {message}", file=sys.stderr)
    sys.exit(code)
