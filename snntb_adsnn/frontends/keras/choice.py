"""Choice of Keras 2, made before TensorFlow is imported; this module does not import it."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

from snntb_adsnn.errors import AdSNNError


def _tensorflow_version() -> tuple[int, int]:
    for name in ("tensorflow", "tensorflow-cpu", "tf-nightly", "tensorflow-macos"):
        try:
            major, minor = metadata.version(name).split(".")[:2]
        except metadata.PackageNotFoundError:
            continue
        return int(major), int(minor)
    raise AdSNNError("TensorFlow is not installed; install it with: pip install tensorflow tf-keras.")


def select_keras_2() -> None:
    """Ask TensorFlow for Keras 2. Has an effect only before TensorFlow is imported."""
    # TF 2.15 and older are Keras 2 already, and break when the variable is set without tf_keras
    if _tensorflow_version() >= (2, 16):
        os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", _QUIET)


_QUIET = "3"
_CHATTER = re.compile(rb"WARNING: All log messages before absl|[IWE]\d{4} |To enable the following instructions")


@contextmanager
def quiet_start() -> Iterator[None]:
    """Keep TensorFlow's log lines off stderr while it is imported, unless ``TF_CPP_MIN_LOG_LEVEL`` asks for them.

    Some are written before TensorFlow looks at that variable. Whatever else is written passes, at the end; where the
    import fails, everything does. A command that is stopped meanwhile has not failed.
    """
    try:
        stderr = os.dup(2) if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == _QUIET else None
    except OSError:  # there is no stderr
        stderr = None
    if stderr is None:
        yield
        return
    failed = False
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        except BaseException as error:
            failed = not _stopped(error)
            raise
        finally:
            os.dup2(stderr, 2)
            caught.seek(0)
            with os.fdopen(stderr, "wb") as file:
                file.writelines(line for line in caught if failed or not _CHATTER.match(line))


def _stopped(error: BaseException | None) -> bool:
    """Whether an interrupt is behind an error: NumPy, for one, raises ImportError where one stops its import."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None
