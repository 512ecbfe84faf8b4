"""Ways out: what writes a network in another tool's format. Front ends add theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from snntb_adsnn.registry import Registry

EXPORTS: Registry[str, Callable[[Any], Any]] = Registry("format")
"""By the name of a format, from a ``SpikingNetwork`` to the other tool's own object."""
