"""Data, folders and files of results (``data.toml``)."""

from catalogue_tests import both

test_light, test_others = both("data")
