"""What PyTorch's way in needs installed; this imports none of it."""

from __future__ import annotations

from importlib import import_module

from snntb_adsnn.errors import AdSNNError


def need(*packages: str) -> None:
    """Import packages.

    Raises:
        AdSNNError: one is not there; says how to install it.
    """
    for package in packages:
        try:
            import_module(package)
        except ImportError as error:
            reason = " ".join(str(error).split())[:200]
            raise AdSNNError(
                f"PyTorch models need the package {package} ({reason}); run: pip install 'snntb-adsnn[torch]'"
            ) from error
