"""The production simulator on CPUs: event-driven, compiled, parallel over images (see ``engine``)."""

from snntb_adsnn.engine.event.engine import run

__all__ = ["run"]
