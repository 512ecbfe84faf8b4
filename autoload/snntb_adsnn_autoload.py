"""Tells SNN Toolbox about the simulator ``adsnn`` when, and only when, a program imports ``snntoolbox``.

``snntb_adsnn_autoload.pth`` beside this file imports it at every start of Python; until ``snntoolbox`` is imported it
costs one string comparison an import. ``SNNTB_ADSNN_AUTOLOAD=0`` switches it off.
"""

import os
import sys


class _WhenToolboxIsImported:
    def find_spec(self, name, path=None, target=None):
        """Never finds anything: the import goes on as usual, after the simulator was registered."""
        if name == "snntoolbox" and self in sys.meta_path:
            sys.meta_path.remove(self)
            from snntb_adsnn.toolbox.register import register

            register()


if os.environ.get("SNNTB_ADSNN_AUTOLOAD", "1") != "0":
    sys.meta_path.insert(0, _WhenToolboxIsImported())
