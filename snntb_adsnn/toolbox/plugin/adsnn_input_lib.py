"""What SNN Toolbox imports for ``model_lib = adsnn``; this folder is on its package's path (see ``register``)."""

from snntb_adsnn.toolbox.parser import ModelParser, evaluate, load

__all__ = ["ModelParser", "evaluate", "load"]
