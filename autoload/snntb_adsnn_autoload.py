"""Tells SNN Toolbox about the simulator ``adsnn`` when, and only when, a program imports ``snntoolbox``.

``snntb_adsnn_autoload.pth`` beside this file imports it at every start of Python; until ``snntoolbox`` is imported it
costs one string comparison an import. ``SNNTB_ADSNN_AUTOLOAD=0`` switches it off.

It also lets the commands ``snntb-adsnn`` and ``snntoolbox`` end with one line where they are stopped while they import.
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


def _command():
    """Which of the two commands this process is, if one: as a script, or as ``python -m MODULE``."""
    words = sys.orig_argv[1:]
    if words[:1] == ["-m"]:
        return {"snntb_adsnn.cli": "snntb-adsnn", "snntoolbox.bin.run": "snntoolbox"}.get("".join(words[1:2]))
    name = "".join(words[:1]).rpartition(os.sep)[2]
    return name if name in ("snntb-adsnn", "snntoolbox") else None


def _end_early(command):
    """End at once on Ctrl-C or SIGTERM, until the command's own ``main`` takes over: nothing is done yet."""
    import _signal  # ``signal`` itself takes milliseconds

    def end(number, _):
        name = "Ctrl-C" if number == _signal.SIGINT else "SIGTERM"
        os.write(2, f"{command}: stopped by {name}; no half-written file is left.\n".encode())
        os._exit(128 + number)

    for number in (_signal.SIGINT, _signal.SIGTERM):
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, end)


if os.environ.get("SNNTB_ADSNN_AUTOLOAD", "1") != "0":
    if _command():
        _end_early(_command())
    sys.meta_path.insert(0, _WhenToolboxIsImported())
