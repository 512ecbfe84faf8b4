"""Mistakes in configurations and command lines (``configurations.toml``)."""

from catalogue_tests import both

test_light, test_others = both("configurations")
