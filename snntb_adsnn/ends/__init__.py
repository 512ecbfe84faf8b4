"""How a command ends: with one line for a mistake, an interrupt or a termination, never with a traceback."""

from snntb_adsnn.ends.ending import ending

__all__ = ["ending"]
