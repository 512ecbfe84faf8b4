"""What SNN Toolbox imports for ``simulator = adsnn``; this folder is on its package's path (see ``register``)."""

from snntb_adsnn.toolbox.backend import SNN

__all__ = ["SNN"]
