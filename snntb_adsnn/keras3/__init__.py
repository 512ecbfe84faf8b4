"""AAN for Keras 3: ``from snntb_adsnn.keras3 import AAN``. Importing this imports Keras 3 and its backend."""

from snntb_adsnn.frontends.keras3.activation import AAN

__all__ = ["AAN"]
