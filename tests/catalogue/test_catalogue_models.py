"""Models that cannot be converted, or that are (``models.toml``)."""

from catalogue_tests import both

test_light, test_others = both("models")
