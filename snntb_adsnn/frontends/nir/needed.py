"""The package ``nir``, on first use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from snntb_adsnn.errors import ConversionError


def nir() -> Any:
    """The module ``nir``.

    Raises:
        ConversionError: it is not installed.
    """
    try:
        return import_module("nir")
    except ImportError as error:
        raise ConversionError(
            f"a NIR graph needs the package nir ({error}); run: pip install 'snntb-adsnn[nir]'"
        ) from error
