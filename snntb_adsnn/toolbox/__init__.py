"""SNN Toolbox plug-in: simulator ``adsnn`` in the toolbox's own flow. Importing this package imports no TensorFlow."""

from snntb_adsnn.toolbox.command import run
from snntb_adsnn.toolbox.register import register

__all__ = ["register", "run"]
